"""Numbers moved in rows that keep constraints: what follows from them moves too.

A row meets its conditions before the shift, and keeps the constraints after it: one that would not
is drawn again. The end of a gap keeps its distance, unless it is moved itself, and a total is
computed anew. A column that a formula computes is moved by what it follows from: the first column
of numbers that the formula names takes the value by which the result moves as it should.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from dpsynth.data.constraints.recoding import Check, recoding_of
from dpsynth.data.constraints.scale import Scale
from dpsynth.data.constraints.steps import CopyStep, FormulaStep, GapStep, Rows
from dpsynth.models.base import ConditionError
from dpsynth.schema.columns import Numeric
from dpsynth.synthesizers.conditions import Term
from dpsynth.synthesizers.kept_rows import Keeping
from dpsynth.synthesizers.sampled_rows import Origin

_PLACES = 9
"""Decimals of a shifted number: a sum of two has rounding errors beyond them."""

_MOST = 400_000
"""Rows drawn for a shift, beside a hundred for each that was asked for."""

_HALVINGS = 60
"""Of the way to a part's bound, to find where its result has moved as it should."""

_NOTHING_DRAWN = np.random.default_rng(0)
"""What follows from numbers is decoded without a draw."""


class Shifting:
    """Rows with numbers moved; without shifts those of `keeping`."""

    def __init__(self, origin: Origin, keeping: Keeping, shifts: Mapping[str, float]) -> None:
        self._keeping = keeping
        self._recoding = recoding_of(origin.schema)
        self._bounds = origin.bounds
        self._direct: dict[str, float] = {}
        self._computed: dict[str, tuple[str, float]] = {}
        for name, by in shifts.items():
            self._check_steps(name, by)
            moved = self._moved_by(name)
            if moved in self._direct or moved in self._computed:
                raise ConditionError(
                    f"{name!r} is moved with {moved!r} by a constraint, and both are shifted: shift"
                    " one of them"
                )
            if not isinstance(self._recoding.made_by(name), FormulaStep):
                self._direct[moved] = by
            elif by:
                self._computed[moved] = name, by

    def rows(self, n: int, terms: Sequence[Term], checks: Sequence[Check]) -> Rows:
        """n rows that meet the conditions before they are moved."""
        if not self._direct and not self._computed:
            return self._keeping.rows(n, terms, checks)
        found: list[pd.DataFrame] = []
        drawn = kept = 0
        while kept < n or not found:
            if drawn > _MOST + 100 * n:
                raise ConditionError(
                    f"of {drawn:,} rows {kept:,} keep the constraints when"
                    f" {' and '.join(f'`{name}`' for name in self._named)} are shifted: shift by"
                    " less, or widen the bounds"
                )
            size = int(np.clip((n - kept) * (drawn + 1) / (kept + 1) * 1.1 + 16, 64, 200_000))
            size = n if not drawn else size
            moved, able = self._moved(self._keeping.rows(size, terms, checks), size)
            good = able & ~self._keeping.broken(moved, size)
            found.append(pd.DataFrame(moved).iloc[np.flatnonzero(good)])
            drawn, kept = drawn + size, kept + int(good.sum())
        rows = pd.concat(found, ignore_index=True).iloc[:n]
        return {str(name): rows[name] for name in rows}

    @property
    def _named(self) -> list[str]:
        """The columns whose numbers are moved, as they were named."""
        return [*self._direct, *(name for name, _ in self._computed.values())]

    def _scale(self, name: str) -> Scale:
        scale = Scale(self._recoding.columns[name])
        scale.low, scale.high = self._bounds.get(name, (scale.low, scale.high))
        return scale

    def _check_steps(self, name: str, by: float) -> None:
        spacing = self._scale(name).spacing
        steps = by / spacing if spacing else 0.0
        if abs(steps - round(steps)) > 1e-9:
            raise ConditionError(
                f"{name!r} has steps of {spacing:g} and is shifted by {by:g}: shift it by a"
                " multiple of its step"
            )

    def _moved_by(self, name: str) -> str:
        """The column that is moved, so that this one is: itself, what it copies, or a part."""
        step = self._recoding.made_by(name)
        if name not in self._recoding.keys:
            if step is None or isinstance(step, GapStep):
                return name
            if isinstance(step, CopyStep):
                return self._moved_by(step.needs[0])
            part = self._part_of(step) if isinstance(step, FormulaStep) else None
            if part is not None:
                return part
        raise ConditionError(
            f"{name!r} follows from other columns by a constraint that no single number moves, and"
            " cannot be shifted: shift what it follows from"
        )

    def _part_of(self, step: FormulaStep) -> str | None:
        """The first column of numbers in a formula, from which nothing else in it follows."""
        for part in step.needs:
            others = self._recoding.sources(name for name in step.needs if name != part)
            numbers = isinstance(self._recoding.columns[part], Numeric)
            if numbers and self._recoding.made_by(part) is None and part not in others:
                return part
        return None

    def _moved(self, rows: Rows, n: int) -> tuple[Rows, np.ndarray]:
        """The rows with all numbers moved, and what follows from them; and which can be moved."""
        new = dict(rows)
        for name, by in self._direct.items():
            scale = self._scale(name)
            numbers = np.round(scale.released(rows[name]) + by, _PLACES)
            new[name] = scale.series(scale.snapped(np.clip(numbers, scale.low, scale.high)))
        able = self._followed(new, rows, {*self._direct}, n)
        for part, (name, by) in self._computed.items():
            before = dict(new)
            new[part], reached = self._solved(before, rows, part, name, by)
            able &= reached & self._followed(new, before, {part}, n)
        return new, able

    def _followed(self, new: Rows, before: Rows, changed: set[str], n: int) -> np.ndarray:
        """Moves in `new` what follows from changed columns; and for each row whether all gaps that
        were moved keep their order.
        """
        able = np.ones(n, dtype=bool)
        for step in self._recoding.steps:
            own = isinstance(step, GapStep) and step.makes[0] in self._direct
            if not changed & ({*step.needs, *step.makes} if own else {*step.needs}):
                continue
            if isinstance(step, GapStep):
                rows = new if own else before
                gap = step.encode({name: rows[name] for name in (*step.needs, *step.makes)})
                able &= step.allowed(gap)
                new[step.attribute] = pd.Series(gap)
            step.decode(new, _NOTHING_DRAWN)
            changed = {*changed, *step.makes}
        return able

    def _solved(
        self, new: Rows, rows: Rows, part: str, name: str, by: float
    ) -> tuple[pd.Series[float], np.ndarray]:
        """A part's numbers by which what is computed moves, and for which rows there are any.

        The result is as near to the number wanted as the steps of the part allow.
        """
        step = self._recoding.made_by(name)
        assert isinstance(step, FormulaStep)
        scale, total = self._scale(part), self._scale(name)
        now = scale.released(new[part])
        wanted = np.round(total.released(rows[name]) + by, _PLACES)

        def result(numbers: np.ndarray) -> np.ndarray:
            return np.round(step.result(new, {part: numbers}), _PLACES)

        def passed(found: np.ndarray) -> np.ndarray:
            """Whether results have reached what is wanted; where there is none, it has not."""
            return np.asarray(found >= wanted if by > 0 else found <= wanted)

        low, high = (np.full(len(now), end) for end in (scale.low, scale.high))
        upward = passed(total.snapped(result(high)))
        able = upward | passed(total.snapped(result(low)))
        near, far = now, np.where(upward, high, low)
        for _ in range(_HALVINGS):
            middle = (near + far) / 2
            there = passed(result(middle))
            near, far = np.where(there, near, middle), np.where(there, middle, far)
        found = scale.snapped(np.round(np.where(able, far, now), _PLACES))
        if scale.spacing is not None:
            steps = [scale.snapped(found + k * scale.spacing) for k in (0, -1, 1)]
            near_by = np.clip(steps, scale.low, scale.high)
            off = [np.abs(total.snapped(result(x)) - wanted) for x in near_by]
            best = np.argmin(np.where(np.isnan(off), np.inf, off), axis=0)
            found = np.where(able, near_by[best, np.arange(len(now))], now)
        return scale.series(found), able | np.isnan(wanted)
