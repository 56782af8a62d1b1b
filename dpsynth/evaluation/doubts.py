"""What makes a comparison itself doubtful: a holdout of the same people, or a release of few rows.

For evidence only, never for a fit.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from dpsynth.base.text import percent
from dpsynth.evaluation.numbers import Numbers
from dpsynth.evaluation.pattern import CLEAR, apart

FEW = 0.5
"""A release of less than this share of the real table's rows is doubted."""
_LEAST_SHARED = 0.01


def doubts(real: Numbers, synthetic: Numbers, holdout: Numbers | None) -> tuple[str, ...]:
    """Sentences for the reader; none where the comparison is sound."""
    found = [*_few_rows(real.rows, synthetic.rows)]
    if holdout is not None:
        found += _same_people(real, holdout)
    return tuple(found)


def _few_rows(real: int, synthetic: int) -> Iterator[str]:
    if synthetic < FEW * real:
        yield (
            f"The release has {synthetic:,} rows, and the real table {real:,}: few rows are farther"
            " off by chance, and models learn less from them. Draw as many as the real table has,"
            " which costs nothing, and compare again."
        )


def _same_people(real: Numbers, holdout: Numbers) -> Iterator[str]:
    """A holdout that has more of the real rows than other rows of the same people would.

    By chance, a new row is also a real one as often as a real row has a twin.
    """
    ours, theirs = _keys(real), _keys(holdout)
    _, place, counts = np.unique(ours, return_inverse=True, return_counts=True)
    chance = float(np.mean(counts[place] > 1)) if ours.size else 0.0
    shared = float(np.isin(theirs, ours).mean())
    errors = apart(chance, ours.size, shared, theirs.size)
    if shared > max(2 * chance, chance + _LEAST_SHARED) and errors >= CLEAR:
        yield (
            f"{percent(shared)} of the holdout's rows are also real rows, where {percent(chance)}"
            " would be by chance: it is no holdout, and the yardstick and models of the real rows"
            " look better than they are. Set rows aside before the fit: `dpsynth split` does."
        )


def _keys(table: Numbers) -> np.ndarray:
    """A number for each row, equal for equal rows."""
    keys: np.ndarray = pd.util.hash_pandas_object(
        pd.DataFrame(table.values), index=False
    ).to_numpy()
    return keys
