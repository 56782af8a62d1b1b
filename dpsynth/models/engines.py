"""Which engine turns measurements into a model, by a public rule.

All three fit the same function of the same pooled measurements (see `inference`):

* "junction tree": exact, by eliminating one attribute after another. The best for few cliques in
  each node of the tree, whatever their size: 44 pairs of Adult on a tree of 10^7 cells take 12 ms a
  step, calibrating that tree 200 ms.
* "dense": exact, the same model, by writing the nodes of the tree down. The best for many cliques
  in each node: 16 binary columns with all their pairs and triples take 1.5 ms a step, elimination
  130 ms.
* "mixture": inexact, for cliques that no tree of bearable size holds.

The rule is: exact where a tree of MAX_TREE_CELLS holds the cliques, the faster of the two ways;
else the mixture. Noise and the number of rows play no part: they do not change which way is faster,
and where no tree holds the cliques there is no choice.

Whoever chooses the cliques chooses the engine with them. By experiment, at epsilon 1 and 10, in
mean distance on triples: a mixture of 1,000 components of all pairs was 1 to 6 % nearer to the rows
than a tree of 10^7 cells on pairs chosen for it on two tables (of 14 and 24 columns), and 15 to 24
% farther on a third, where some columns are functions of others; on tables of 78 and 233 columns it
was farther by 16 to 33 %. At epsilon 0.1, all pairs are too many to buy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol

from dpsynth.base.domain import Clique, Domain
from dpsynth.models import inference, mixture
from dpsynth.models.base import LinearMeasurement, Model, RoughMeasurement
from dpsynth.models.dense import Calibration, is_crowded
from dpsynth.models.graphical import GraphicalModel
from dpsynth.models.junction_tree import JunctionTree, tree_cells

MAX_TREE_CELLS = 10**7
"""The largest junction tree to calibrate: half a gigabyte at the peak."""


class Estimator(Protocol):
    """Measurements in, a model out; a deterministic function. total: of rows, or None."""

    def __call__(
        self,
        domain: Domain,
        measurements: Iterable[LinearMeasurement],
        *,
        total: float | None = None,
    ) -> Model: ...


ENGINES: Mapping[str, Estimator] = {
    "junction tree": inference.estimate,
    "dense": partial(inference.estimate, engine=Calibration),
    "mixture": mixture.estimate,
}


def choose_engine(
    domain: Domain, cliques: Iterable[Clique], *, max_cells: int | None = None
) -> str:
    """The name of the engine for measurements of these cliques, by a public rule.

    Parameters
    ----------
    domain : Domain
        Of the table.
    cliques : iterable of tuple of str
        What is measured; the name depends on nothing else.
    max_cells : int or None
        The largest junction tree to be had, in cells of all its nodes together; None is
        MAX_TREE_CELLS.

    Returns
    -------
    str
        A key of ENGINES.

    Examples
    --------
    >>> from dpsynth import Domain
    >>> domain = Domain.of({"a": 10, "b": 10, "c": 10})
    >>> pairs = [("a", "b"), ("b", "c"), ("a", "c")]
    >>> choose_engine(domain, pairs)
    'junction tree'
    >>> choose_engine(domain, pairs, max_cells=999)
    'mixture'
    """
    cliques = list(cliques)
    if tree_cells(domain, cliques) > (MAX_TREE_CELLS if max_cells is None else max_cells):
        return "mixture"
    return "dense" if is_crowded(JunctionTree.of(domain, cliques), cliques) else "junction tree"


def estimate(
    domain: Domain, measurements: Iterable[LinearMeasurement], *, total: float | None = None
) -> Model:
    """The model that the engine chosen for these measurements finds. Deterministic.

    Parameters
    ----------
    domain : Domain
        Of the table.
    measurements : iterable of LinearMeasurement
        Noisy marginals, in any order, of any attributes of the domain.
    total : float or None
        The number of rows; None estimates it.

    Returns
    -------
    Model
        The distribution that fits them.

    Raises
    ------
    ValueError
        For measurements of other attributes or shapes, and for a total that is no positive number.

    Examples
    --------
    >>> import numpy as np
    >>> from dpsynth import Domain
    >>> domain = Domain.of({"a": 2, "b": 2})
    >>> pair = LinearMeasurement(("a", "b"), np.array([[40.0, 10.0], [10.0, 40.0]]), 0.5)
    >>> estimate(domain, [pair], total=100.0).project(("b", "a")).round()
    array([[40., 10.],
           [10., 40.]])
    """
    measurements = list(measurements)
    for m in measurements:
        if not set(m.clique) <= set(domain.attributes):
            raise ValueError(
                f"a measurement must be of different attributes of the domain, got {m.clique}"
            )
    if total is not None and not 0 < total < math.inf:
        raise ValueError(f"the total must be a finite number above 0, got {total!r}")
    engine = ENGINES[choose_engine(domain, [m.clique for m in measurements])]
    return engine(domain, measurements, total=total)


def estimate_exactly(
    domain: Domain,
    measurements: Iterable[LinearMeasurement],
    *,
    total: float | None = None,
    structure: JunctionTree | None = None,
    warm: GraphicalModel | None = None,
    rough: Sequence[RoughMeasurement] = (),
    weak: bool = False,
) -> GraphicalModel:
    """`inference.estimate`, by whichever of the exact engines is faster.

    Parameters
    ----------
    domain : Domain
        Of the table.
    measurements : iterable of LinearMeasurement
        Noisy marginals.
    total : float or None
        The number of rows; None estimates it.
    structure : JunctionTree or None
        A tree that holds every measured clique; None builds the smallest one found.
    warm : GraphicalModel or None
        A model whose potentials are a good start.
    rough : sequence of RoughMeasurement
        Of pairs of measured columns, in groups of cells.
    weak : bool
        Whether potentials are drawn to nothing, or hardly: an estimate with more noise and less
        bias.

    Returns
    -------
    GraphicalModel
        The distribution that fits them.

    Raises
    ------
    ValueError
        For measurements that do not fit the domain, or a structure that lacks one of their cliques.
    """
    measurements = list(measurements)
    cliques = [*(m.clique for m in measurements), *(m.clique for m in rough)]
    tree = structure or JunctionTree.of(domain, cliques)
    engine = Calibration if is_crowded(tree, cliques) else None
    return inference.estimate(
        domain,
        measurements,
        total=total,
        structure=tree,
        warm=warm,
        engine=engine,
        rough=rough,
        weak=weak,
    )
