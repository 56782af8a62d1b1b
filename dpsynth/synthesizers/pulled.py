"""Conditions on columns of a release, as conditions on the columns that are modelled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.constraints.recoding import Recoding
from dpsynth.data.constraints.steps import CombinedStep, CopyStep, TableStep
from dpsynth.synthesizers.conditions import Term

_NOTHING_DRAWN = np.random.default_rng(0)
"""Cells that hold one value each are decoded without a draw."""


@dataclass(frozen=True)
class _Through(Term):
    """A term of a column that follows from `column`: its test of what that becomes."""

    test_of: Callable[[pd.Series[Any]], np.ndarray] = field(repr=False)

    def holds(self, values: pd.Series[Any]) -> np.ndarray:
        return self.test_of(values)


@lru_cache(maxsize=256)
def pulled(term: Term, recoding: Recoding) -> Term | None:
    """The same condition on a modelled column; None where it hangs on several of them."""
    step = recoding.made_by(term.column)
    if step is None:
        return term
    if isinstance(step, CombinedStep):
        place = step.makes.index(term.column)
        codes = step.lookup.codes[:, place]
        kept = term.holds(step.lookup.codecs[place].decode(codes, _NOTHING_DRAWN))
        return _Through(
            step.attribute, term.test, (), lambda values: kept[values.cat.codes.to_numpy()]
        )
    if isinstance(step, TableStep | CopyStep) and len(step.needs) == 1:
        (source,) = step.needs

        def follows(values: pd.Series[Any]) -> np.ndarray:
            rows = {source: values}
            step.decode(rows, _NOTHING_DRAWN)
            return term.holds(rows[term.column])

        constants = term.constants if isinstance(step, CopyStep) else ()
        return pulled(_Through(source, term.test, constants, follows), recoding)
    return None
