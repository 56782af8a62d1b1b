"""Numbers moved in rows that keep constraints: what follows from them moves too.

A row meets its conditions before the shift, and keeps the constraints after it: one that would not
is drawn again. The end of a gap keeps its distance, and a total is computed anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from dpsynth.data.constraints.recoding import Check, recoding_of
from dpsynth.data.constraints.scale import Scale
from dpsynth.data.constraints.steps import CombinedStep, GapStep, Rows
from dpsynth.models.base import ConditionError
from dpsynth.synthesizers.conditions import Term
from dpsynth.synthesizers.kept_rows import Keeping
from dpsynth.synthesizers.sampled_rows import Origin

_PLACES = 9
"""Decimals of a shifted number: a sum of two has rounding errors beyond them."""

_MOST = 400_000
"""Rows drawn for a shift, beside a hundred for each that was asked for."""

_NOTHING_DRAWN = np.random.default_rng(0)
"""What follows from numbers is decoded without a draw."""


class Shifting:
    """Rows with numbers moved; without shifts those of `keeping`."""

    def __init__(self, origin: Origin, keeping: Keeping, shifts: Mapping[str, float]) -> None:
        self._keeping, self._shifts = keeping, shifts
        self._recoding = recoding_of(origin.schema)
        self._scales = {}
        for name, by in shifts.items():
            if name in self._recoding.keys or self._recoding.made_by(name) is not None:
                raise ConditionError(
                    f"{name!r} follows from other columns by a constraint, and cannot be shifted:"
                    " shift what it follows from"
                )
            scale = Scale(self._recoding.columns[name])
            scale.low, scale.high = origin.bounds.get(name, (scale.low, scale.high))
            steps = by / scale.spacing if scale.spacing else 0.0
            if abs(steps - round(steps)) > 1e-9:
                raise ConditionError(
                    f"{name!r} has steps of {scale.spacing:g} and is shifted by {by:g}: shift it by"
                    " a multiple of its step"
                )
            self._scales[name] = scale

    def rows(self, n: int, terms: Sequence[Term], checks: Sequence[Check]) -> Rows:
        """n rows that meet the conditions before they are moved."""
        if not self._shifts:
            return self._keeping.rows(n, terms, checks)
        found: list[pd.DataFrame] = []
        drawn = kept = 0
        while kept < n or not found:
            if drawn > _MOST + 100 * n:
                raise ConditionError(
                    f"of {drawn:,} rows {kept:,} keep the constraints when"
                    f" {' and '.join(f'`{name}`' for name in self._shifts)} are shifted: shift by"
                    " less, or widen the bounds"
                )
            size = int(np.clip((n - kept) * (drawn + 1) / (kept + 1) * 1.1 + 16, 64, 200_000))
            size = n if not drawn else size
            moved = self._moved(self._keeping.rows(size, terms, checks))
            good = ~self._keeping.broken(moved, size)
            found.append(pd.DataFrame(moved).iloc[np.flatnonzero(good)])
            drawn, kept = drawn + size, kept + int(good.sum())
        rows = pd.concat(found, ignore_index=True).iloc[:n]
        return {str(name): rows[name] for name in rows}

    def _moved(self, rows: Rows) -> Rows:
        """The rows with all numbers moved, and what follows from them."""
        new = dict(rows)
        changed = {*self._shifts}
        for name, by in self._shifts.items():
            scale = self._scales[name]
            numbers = np.round(scale.released(rows[name]) + by, _PLACES)
            new[name] = scale.series(scale.snapped(np.clip(numbers, scale.low, scale.high)))
        for step in self._recoding.steps:
            if isinstance(step, CombinedStep) or not changed & {*step.needs}:
                continue
            if isinstance(step, GapStep):
                named = (*step.needs, *step.makes)
                new[step.attribute] = pd.Series(step.encode({name: rows[name] for name in named}))
            step.decode(new, _NOTHING_DRAWN)
            changed |= {*step.makes}
        return new
