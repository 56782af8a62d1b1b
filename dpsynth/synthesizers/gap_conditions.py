"""Conditions on a column that a gap leads to: which cells of base and gap can meet them together.

Rows are drawn from those cells alone, in proportion to what the model gives them, and tested one by
one. That is the model's distribution of the rows that meet the condition, with fewer misses.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dpsynth.base.domain import Clique
from dpsynth.data.constraints.calendar import CalendarStep
from dpsynth.data.constraints.recoding import Recoding
from dpsynth.data.constraints.scale import Scale
from dpsynth.data.constraints.steps import GapStep
from dpsynth.data.tables.codec import Codec, codec_for
from dpsynth.models.base import ConditionError
from dpsynth.schema.columns import Column, Numeric
from dpsynth.synthesizers.cases import Case
from dpsynth.synthesizers.conditions import Term
from dpsynth.synthesizers.drawn_cases import even_counts
from dpsynth.synthesizers.sampled_rows import Origin, joined

_BLOCKS = 24
"""Into how many groups the cells of a base fall: for each the model is asked once."""


_MOST_RUNS = 16
"""Intervals of wanted values that are looked at one by one."""

_ROUNDING = 1e-9
"""Relative, of a sum of two numbers."""


class GapCases:
    """Cases of modelled columns outside of which no row meets a condition.

    cases: of which no row meets two. masses: how many rows the model expects in each.
    """

    def __init__(self, cases: Sequence[Case], masses: Sequence[float]) -> None:
        self.cases, self.masses = cases, np.array(masses)

    def draw(self, origin: Origin, n: int, rng: np.random.Generator) -> pd.DataFrame:
        """n rows of the modelled columns, from these cases in proportion to their masses."""
        counts = even_counts(n, self.masses, rng)
        drawn = zip(self.cases, counts, strict=True)
        return joined([origin.values(int(k), case, rng) for case, k in drawn if k], rng)


def gap_cases(
    origin: Origin, recoding: Recoding, terms: Sequence[Term], direct: Sequence[Term]
) -> GapCases | None:
    """The cases for the first term about a gap's column; None where there is none.

    origin: of the modelled columns. direct: the terms that the model is asked for in any case.
    ConditionError where the model has no row for the term.
    """
    for term in terms:
        step = recoding.made_by(term.column)
        declared = recoding.columns[term.column]
        open_ = isinstance(declared, Numeric) and not declared.bounded
        if not isinstance(step, GapStep) or open_:
            continue
        if isinstance(recoding.made_by(step.needs[0]), CalendarStep | None):
            base = _base_of(origin, recoding, step)
            fits = _fits(origin, recoding, term, step, base)
            if fits is not None:
                return _in_blocks(origin, (base[0], step.attribute), fits, direct, term)
    return None


def _base_of(
    origin: Origin, recoding: Recoding, step: GapStep
) -> tuple[str, np.ndarray, np.ndarray]:
    """What tells where the base of a gap lies: a modelled column, and the first and the last number
    of each of its valid cells.
    """
    name = step.needs[0]
    made = recoding.made_by(name)
    if isinstance(made, CalendarStep):
        return made.period, *made.ends()
    return name, *_ends(origin.codecs[name], recoding.modelled.columns[name])


def _in_blocks(
    origin: Origin, pair: Clique, fits: np.ndarray, direct: Sequence[Term], term: Term
) -> GapCases:
    """A case for each group of the base's cells, with all cells of the gap that fit one of them."""
    base, gap = pair
    counts = origin.counts(pair, Case(tuple(direct)))
    held = (counts * fits).sum(axis=1)
    if not held.any():
        raise ConditionError.no_row([term.column])
    group = np.minimum((_BLOCKS * np.cumsum(held) / held.sum()).astype(int), _BLOCKS - 1)
    cases, masses = [], []
    for number in np.unique(group[held > 0]):
        inside = (group == number) & (held > 0)
        beside = fits[inside].any(axis=0)
        cells = {base: inside.astype(float), gap: beside.astype(float)}
        cases.append(Case(tuple(direct), cells=cells))
        masses.append(float(counts[np.ix_(inside, beside)].sum()))
    return GapCases(cases, masses)


def _fits(
    origin: Origin,
    recoding: Recoding,
    term: Term,
    step: GapStep,
    base: tuple[str, np.ndarray, np.ndarray],
) -> np.ndarray | None:
    """For each cell of the base and of the gap whether a sum of two values can meet the term.

    None where the term may hold of a missing value, or of no value.
    """
    declared = recoding.columns[term.column]
    codec = codec_for(declared)
    parts = codec.parts(term.holds, term.constants)
    if parts.special or not len(parts.cells):
        return None
    columns = recoding.modelled.columns
    gap = step.attribute
    name, base_first, base_last = base
    gap_first, gap_last = (
        each * (Scale(declared).spacing or 1) for each in _ends(origin.codecs[gap], columns[gap])
    )
    if step.above:
        least = base_first[:, None] + gap_first
        most = base_last[:, None] + gap_last
    else:
        least, most = base_first[:, None] - gap_last, base_last[:, None] - gap_first
    inner = np.zeros(least.shape, dtype=bool)
    for low, high in _wanted(codec, declared, parts.cells):
        inner |= (least <= high + _near(least)) & (most >= low - _near(most))
    fits = np.ones((origin.codecs[name].size, origin.codecs[gap].size), dtype=bool)
    fits[: len(base_first), : len(gap_first)] = inner
    if getattr(columns[gap], "nullable", False):
        fits[:, len(gap_first) :] = False  # a missing value meets no such term
    return fits


def _wanted(codec: Codec, column: Column, cells: np.ndarray) -> list[tuple[float, float]]:
    """The intervals of these cells, neighbours in one; all in one where there are many."""
    first, last = _ends(codec, column)
    ascending = np.unique(cells)
    runs = np.split(ascending, 1 + np.flatnonzero(np.diff(ascending) > 1))
    if len(runs) > _MOST_RUNS:
        runs = [ascending]
    return [(float(first[run[0]]), float(last[run[-1]])) for run in runs]


def _near(numbers: np.ndarray) -> np.ndarray:
    return _ROUNDING * np.maximum(1.0, np.abs(numbers))


def _ends(codec: Codec, column: Column) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last number of each valid cell."""
    scale = Scale(column)
    first, last = codec.ends()
    return scale.released(first), scale.released(last)
