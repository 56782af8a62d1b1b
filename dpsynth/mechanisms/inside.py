"""Charged looks into the cells of numeric columns: values that many rows share, and their decimals.

Without them a value is drawn evenly from its cell: a number that most rows share comes back in
none, and whole numbers come back as fractions. A column whose cells hold one value each needs none.

Each look is a marginal of rows in public cells, so that a row counts in one cell of it, and has
Gaussian noise. The third one looks where the second one stood out, as an adaptive filter allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dpsynth.base.domain import Domain
from dpsynth.data.tables.cells import NumericCodec
from dpsynth.data.tables.inside import (
    FINER_PIECES,
    MOST_DECIMALS,
    DecimalsCoding,
    Inside,
    PiecesCoding,
    cells_of,
    decimals_of,
    first_edges,
    looked_at,
    shortest,
    single_values,
)
from dpsynth.door.bounded import Bounded
from dpsynth.door.codes import Coding
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.events import Gaussian
from dpsynth.models.base import Model
from dpsynth.schema.columns import Numeric

SHARE = 0.02
MAX_SHARE = 0.05
"""Of a fit's budget: what looking into the cells of a single column costs, and of many together."""

_DECIMALS_SHARE = 0.1
"""Of what a column's looks cost: how its numbers are written is seen in few, large counts."""

_SUSPECTED = 4.0
_SURE = 5.2
_LIKELY = 3.0
"""Standard deviations from which on a piece is looked into, a piece of it holds an atom, and a
number of decimals is seen. Of 260,000 empty pieces of pieces one in forty tables has one so large.
"""

_MOST_SUSPECTED = 64


@dataclass(frozen=True)
class Seen:
    """What the looks into one column's cells saw, in rows.

    Parameters
    ----------
    atoms, counts : tuple of float
        Values that many rows share, ascending, and how many do.
    decimals : tuple of float
        How many numbers are written with no decimals, with one, and so on up to five, and with
        more; 0 where noise may be all that there is.
    week : tuple of float
        Of a column of times, how many lie in each hour of a week, or on each weekday.
    """

    atoms: tuple[float, ...] = ()
    counts: tuple[float, ...] = ()
    decimals: tuple[float, ...] = ()
    week: tuple[float, ...] = ()


def inside_costs(cost: int, columns: int) -> tuple[int, int, int]:
    """What each of the three looks into one column costs a fit that has this cost left."""
    each = int(cost * min(MAX_SHARE, SHARE * columns)) // columns
    decimals = int(each * _DECIMALS_SHARE)
    first = (each - decimals) // 2
    return decimals, first, each - decimals - first


def look_inside(
    rows: Bounded,
    columns: Mapping[str, tuple[Numeric, NumericCodec]],
    accountant: Accountant,
    costs: tuple[int, int, int],
) -> dict[str, Seen]:
    """What is seen in the cells of each column, by three charges each."""
    shared = {name: f"values of {name} that many rows share" for name in columns}
    how = {name: f"how the numbers of {name} are written" for name in columns}
    decimals = look(
        rows, {n: DecimalsCoding(c) for n, (c, _) in columns.items()}, accountant, costs[0], how
    )
    edges = {name: first_edges(codec) for name, (_, codec) in columns.items()}
    first = {n: PiecesCoding(c, codec, edges[n]) for n, (c, codec) in columns.items()}
    suspected = {
        name: _suspected(counts / noise, looked_at(columns[name][1], edges[name]))
        for name, (counts, noise) in look(rows, first, accountant, costs[1], shared).items()
    }
    finer = {
        name: _finer(codec, edges[name], suspected[name]) for name, (_, codec) in columns.items()
    }
    second = {n: PiecesCoding(c, codec, finer[n]) for n, (c, codec) in columns.items()}
    found = {}
    for name, (counts, noise) in look(rows, second, accountant, costs[2], shared).items():
        pieces = (edges[name][suspected[name]], edges[name][suspected[name] + 1])
        atoms = _atoms(columns[name][1], pieces, finer[name], counts, noise)
        held, held_noise = decimals[name]
        written = np.where(held > _LIKELY * held_noise, held, 0.0)
        found[name] = Seen(tuple(atoms), tuple(atoms.values()), tuple(written.tolist()))
    return found


def _finer(codec: NumericCodec, edges: np.ndarray, suspected: np.ndarray) -> np.ndarray:
    """The edges of the parts of suspected pieces; the outermost ones, so that no piece is open."""
    finer = codec.grid.split(edges[:-1][suspected], edges[1:][suspected], FINER_PIECES)
    return np.union1d(finer, codec.grid.edges[[0, -1]])


def inside_of(codec: NumericCodec, seen: Seen, model: Model, name: str) -> Inside:
    """What was seen, as shares of the cells' rows in a model."""
    held = model.project((name,))
    atoms, counts = np.array(seen.atoms), np.array(seen.counts)
    cells = cells_of(codec, atoms)
    together = np.bincount(cells, counts, minlength=held.size)
    shares = counts / np.maximum(np.maximum(held, together), 1.0)[cells]
    every = np.array(seen.decimals)
    single, values = single_values(codec)
    left = every - _by_decimals(values, held[single]) - _by_decimals(atoms, counts)
    left = np.maximum(left, 0.0)
    return Inside(
        seen.atoms, tuple(shares.tolist()), _but_the_last(left, codec), _but_the_last(every, codec)
    )


def _by_decimals(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.bincount(decimals_of(values), counts, minlength=MOST_DECIMALS + 2)


def _but_the_last(counts: np.ndarray, codec: NumericCodec) -> tuple[float, ...]:
    """Counts as shares, without that of more decimals than are told apart; none for a step."""
    if codec.spacing is not None or not counts[:-1].any():
        return ()
    return tuple((counts[:-1] / counts.sum()).tolist())


def look(
    rows: Bounded,
    codings: Mapping[str, Coding],
    accountant: Accountant,
    cost: int,
    purposes: Mapping[str, str],
) -> dict[str, tuple[np.ndarray, float]]:
    """Measures columns in cells of their codings, in one pass over the rows; one charge for each.

    Of each column the noisy counts, without that of what is no number, and their deviation.
    """
    domain = Domain.of({name: coding.size for name, coding in codings.items()})
    table = PrivateTable.encoded(rows, codings, domain)
    answers = table.marginals([(name,) for name in codings])
    found = {}
    for name, purpose in purposes.items():
        charge = accountant.charge(Gaussian.spending(cost), f"see {purpose}")
        counts, stddev = charge.gaussian(answers[name,])
        found[name] = counts[:-1], float(np.max(stddev))
    return found


def _suspected(strength: np.ndarray, several: np.ndarray) -> np.ndarray:
    """The pieces that stand out, the strongest where they are too many; ascending."""
    out = np.flatnonzero((strength > _SUSPECTED) & several)
    return np.sort(out[np.argsort(-strength[out], kind="stable")][:_MOST_SUSPECTED])


def _atoms(
    codec: NumericCodec,
    pieces: tuple[np.ndarray, np.ndarray],
    finer: np.ndarray,
    counts: np.ndarray,
    noise: float,
) -> dict[float, float]:
    """For each suspected piece the value that most of its rows share, if many do, and how many."""
    found: dict[float, float] = {}
    for first, end in zip(*pieces, strict=True):
        inside = np.flatnonzero((finer[:-1] >= first) & (finer[:-1] < end))
        best = inside[np.argmax(counts[inside])]
        if counts[best] > _SURE * noise:
            value = shortest(codec, finer[best], finer[best + 1])
            found[value] = found.get(value, 0.0) + float(counts[best])
    return dict(sorted(found.items()))
