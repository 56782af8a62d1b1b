"""Charged bounds: where a numeric column's values lie, when nobody knows beforehand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dpsynth.data.tables.bounds import settled_bounds
from dpsynth.data.tables.magnitude import GROUPS, HIGHS, LOWS
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.sensitive import Sensitive
from dpsynth.schema.columns import Numeric

SHARE = 0.05
MAX_SHARE = 0.15
"""Of a fit's budget: what learning the bounds of a single column costs, and of many together."""

_CLEAR = 5.0
_CLEAR_RUN = 5.5
_LIKELY = 2.0
_LIKELY_GROUP = 3.0
"""A cell counts as inhabited from 5 standard deviations on, and a run of cells from 5.5 of their
sum on: amounts that few rows have lie in many cells, of which none need stand out alone. 122 empty
cells and the 3,660 runs of them mislead with probability 0.0001. Next to an inhabited cell another
one is from 2 on, and a group of four from 3 on: a tail falls off through neighbouring cells, and a
bound that is one octave too wide costs little, as what lies beyond a column's rows is left out of
its shape.
"""


@dataclass(frozen=True)
class Learned:
    """What two looks have seen of a column.

    Parameters
    ----------
    bounds : tuple of float
        That enclose its clearly inhabited magnitudes.
    counts, groups : tuple of float
        How many rows have each magnitude, and each four of them, with noise.
    stddev : tuple of float
        Of the noise of either, in rows.
    """

    bounds: tuple[float, float]
    counts: tuple[float, ...]
    groups: tuple[float, ...]
    stddev: tuple[float, float]

    @classmethod
    def of(cls, kept: Mapping[str, Sequence[float]]) -> Learned:
        """What a checkpoint holds of it."""
        low, high = map(float, kept["bounds"])
        counts, groups = (tuple(map(float, kept[each])) for each in ("counts", "groups"))
        of_counts, of_groups = map(float, kept["stddev"])
        return cls((low, high), counts, groups, (of_counts, of_groups))


def bounds_costs(cost: int, columns: int) -> tuple[int, int]:
    """What each of the two looks at one column costs a fit that has this cost left."""
    share = min(MAX_SHARE, SHARE * math.sqrt(columns))
    each = int(cost * share) // columns
    return each // 2, each - each // 2


def learn_bounds(
    table: PrivateTable,
    columns: Mapping[str, Numeric],
    accountant: Accountant,
    costs: tuple[int, int],
) -> dict[str, Learned]:
    """For each column the powers of two that enclose its clearly inhabited magnitudes.

    Two charges a column, of these costs: a coarse look, at four octaves together, sees rows that
    are too few and too far apart for the fine one, which then says where exactly they end.

    A bound that the schema states is kept. Values beyond the learned bounds are clipped to them, so
    a tail too thin to be seen above the noise ends at the bound.
    """
    cliques = [(name,) for name in columns]
    coarse = table.coarsen(dict.fromkeys(columns, GROUPS)).marginals(cliques)
    fine = table.marginals(cliques)
    learned = {}
    for name, column in columns.items():
        (groups, of_groups), (cells, of_cells) = (
            _counted(accountant, answers[name,], cost, f"learn the bounds of {name}")
            for answers, cost in zip((coarse, fine), costs, strict=True)
        )
        ends = _refined(_inhabited(groups / of_groups, _LIKELY_GROUP), _inhabited(cells / of_cells))
        learned[name] = Learned(
            _enclose(column, ends),
            tuple(cells.tolist()),
            tuple(groups.tolist()),
            (of_cells, of_groups),
        )
    return learned


def _counted(
    accountant: Accountant, answer: Sensitive, cost: int, purpose: str
) -> tuple[np.ndarray, float]:
    """Measured counts, without that of what is no number, and the noise of each."""
    counts, stddev = accountant.charge(Gaussian.spending(cost), purpose).gaussian(answer)
    return counts[:-1], float(np.max(stddev))


def _inhabited(strength: np.ndarray, likely: float = _LIKELY) -> np.ndarray:
    """Numbers of the first and the last inhabited cell, given each cell's count in standard
    deviations.

    No sign appears that is not clearly there: from zero, and across it, the search for a tail does
    not go on, and no run has cells of both signs.
    """
    zero = strength.size // 2
    held = strength > _CLEAR
    for sign in (slice(0, zero), slice(zero + 1, None)):
        held[sign] = _held(strength[sign], likely)
    cells = np.flatnonzero(held)
    return cells[[0, -1]] if cells.size else np.full(2, zero)


def _held(strength: np.ndarray, likely: float) -> np.ndarray:
    """Which cells of one sign are inhabited: clear ones, clear runs, and those next to the ends."""
    held = strength > _CLEAR
    while (run := _clearest_run(np.where(held, -math.inf, strength))) is not None:
        held[run] = True
    ends = np.flatnonzero(held)
    if ends.size:
        first, last = int(ends[0]), int(ends[-1])
        while first > 0 and strength[first - 1] > likely:
            first -= 1
        while last < strength.size - 1 and strength[last + 1] > likely:
            last += 1
        held[first : last + 1] = True
    return held


def _clearest_run(strength: np.ndarray) -> slice | None:
    """The run of two cells or more that stands out most, if one does enough.

    An empty cell at its end would make it stand out less, so that it ends where its rows do.
    """
    found, most = None, _CLEAR_RUN
    for length in range(2, strength.size + 1):
        sums = np.convolve(strength, np.ones(length), "valid") / math.sqrt(length)
        start = int(np.argmax(sums))
        if sums[start] > most:
            found, most = slice(start, start + length), float(sums[start])
    return found


def _refined(groups: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """The first and the last cell of the inhabited groups, or inside of them those seen themselves.

    Where the fine look saw cells in the outermost group, these are its end; where it saw none, the
    whole group is kept.
    """
    held = np.flatnonzero((GROUPS[:-1] >= groups[0]) & (GROUPS[:-1] <= groups[1]))
    first = cells[0] if GROUPS[cells[0]] <= groups[0] else held[0]
    last = cells[1] if GROUPS[cells[1]] >= groups[1] else held[-1]
    return np.array([first, last])


def _enclose(column: Numeric, cells: np.ndarray) -> tuple[float, float]:
    """The stated bounds where there are any; else the ends of the first and the last inhabited
    cell.
    """
    low = column.low if column.low is not None else float(LOWS[cells[0]])
    high = column.high if column.high is not None else float(HIGHS[cells[-1]])
    # small magnitudes are thin cells: what lies near zero reaches it
    if column.low is None and 0 < low <= high / 4:
        low = 0.0
    if column.high is None and low / 4 <= high < 0:
        high = 0.0
    # what was seen lies beyond the stated bound: the narrowest column that the bound allows
    if high <= low:
        width = column.spacing or 1.0
        low, high = (low, low + width) if column.low is not None else (high - width, high)
    return settled_bounds(column, (low, high))
