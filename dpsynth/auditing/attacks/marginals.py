"""Marginal ratio: is a record in cells that the release fills more than the population does?

A synthesizer that keeps marginals keeps the sampling errors of its training records too: a cell
that a member is in holds, in expectation, that one member more. Summed over many marginals, the log
ratio of the cell's share in the release to its share among all other real records tells members
from others (MAMA-MIA, arXiv 2402.06699, for focal marginals of a known mechanism; Homer et al. 2008
for one-way marginals).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dpsynth.auditing.attacks.records import Records
from dpsynth.base.domain import Clique
from dpsynth.models.distances import some_sets

MAX_CLIQUES = 300
"""Of one size: scores of further ones add little, being sums over cells that overlap."""
_COUNTED_CELLS = 1 << 22
"""Up to which counts are kept for each cell: 32 MB; above, rows are sorted."""


def marginal_ratio(
    records: Records,
    synthetic: Records,
    population: Records,
    cliques: Sequence[Clique],
    *,
    own: bool = True,
) -> np.ndarray:
    """A score for each record: how much the release favours the cells that the record is in.

    It is the sum over the cliques of log(share in the release / share in the population).

    own: the records are in the population, and each is left out of it for its own score. Half a row
    is added to each cell, so that empty ones have a logarithm.
    """
    sizes = _sizes(records, synthetic, population)
    ratio = len(population) / len(synthetic)
    score = np.zeros(len(records))
    for clique in cliques:
        mine = _cells(records.bins, clique, sizes)
        released = _cells(synthetic.bins, clique, sizes)
        real = _cells(population.bins, clique, sizes)
        # Half a synthetic row for each cell is, in rows of the population, 0.5 * ratio.
        seen = rows_alike(released, mine) + 0.5
        known = rows_alike(real, mine) - own + 0.5 * ratio
        score += np.log(seen * ratio / known)
    return score


def all_cliques(columns: Clique, ways: Sequence[int], rng: np.random.Generator) -> list[Clique]:
    """Every set of so many columns; of more than 300 sets of a size, 300 drawn at random."""
    found: list[Clique] = []
    for way in ways:
        found += some_sets(columns, way, MAX_CLIQUES, rng)
    return found


def cells_of(tables: Sequence[Records], clique: Clique) -> list[np.ndarray]:
    """For each table the number of the cell that each row is in, int64."""
    sizes = _sizes(*tables)
    return [_cells(table.bins, clique, sizes) for table in tables]


def _sizes(*tables: Records) -> dict[str, int]:
    """For each column how many bins there are in any of the tables."""
    sizes = {}
    for name in tables[0].columns:
        sizes[name] = int(max(table.bins[name].max(initial=0) for table in tables)) + 1
    return sizes


def _cells(bins: Mapping[str, np.ndarray], clique: Clique, sizes: Mapping[str, int]) -> np.ndarray:
    """The number of the cell that each row is in: its bins as the digits of one number."""
    cell = np.zeros(len(bins[clique[0]]), dtype=np.int64)
    for a in clique:
        cell = cell * sizes[a] + bins[a]
    return cell


def rows_alike(among: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """For each of `cells` how many of the others are equal to it."""
    top = int(max(among.max(initial=0), cells.max(initial=0))) + 1
    if top <= _COUNTED_CELLS:
        return np.bincount(among, minlength=top)[cells]
    ordered = np.sort(among)
    return np.searchsorted(ordered, cells, "right") - np.searchsorted(ordered, cells, "left")
