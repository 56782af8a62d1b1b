"""Analyses preserved: the same analysis on real rows and on a release, estimate by estimate.

For evidence only, never for a fit: estimates of real rows are exact, and not private.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from dpsynth.base.progress import steps
from dpsynth.base.text import percent
from dpsynth.evaluation.asked import Analysis
from dpsynth.evaluation.estimates import MADE, Estimates, Shared, complete_rows
from dpsynth.evaluation.numbers import Numbers
from dpsynth.schema.table import Schema

LEAST_OVERLAP = 0.5
"""An estimate is kept from this overlap of its 95 % intervals on."""
_TESTED = ("linear", "logistic", "cox", "correlation")


@dataclass(frozen=True)
class Estimate:
    """One estimate on real rows and on a release.

    Parameters
    ----------
    term : str
        What is estimated, such as a predictor or a group.
    real, real_error : float
        On the real rows, with its standard error.
    synthetic, synthetic_error : float or None
        On the release as if it were real; None where it has no such estimate.
    overlap_90, overlap_95 : float
        The mean share of the two 90 % or 95 % intervals that both have: 1 for the same, 0 where
        they do not meet (Karr, Kohnen, Oganian, Reiter and Sanil, 2006).
    difference : float or None
        synthetic less real, in real standard errors.
    sign, significance : bool or None
        Of what is tested against 0: whether both have the same sign, and whether both are
        significant at 5 % or neither is. None of means, shares and curves.
    kept : bool
        overlap_95 is at least 0.5, and what the real rows say at 5 % the release says too: the same
        sign where it is significant, and no significance where it is not.
    yardstick : bool
        Whether the yardstick keeps it: a holdout, or the real rows drawn anew.

    Examples
    --------
    >>> compared("age", True, (0.5, 0.1), (0.6, 0.1), (0.5, 0.1)).overlap_95
    0.7449
    """

    term: str
    real: float
    real_error: float
    synthetic: float | None
    synthetic_error: float | None
    overlap_90: float
    overlap_95: float
    difference: float | None
    sign: bool | None
    significance: bool | None
    kept: bool
    yardstick: bool


@dataclass(frozen=True)
class AnalysisQuality:
    """One analysis on real rows and on a release.

    Parameters
    ----------
    name, kind : str
        What it is in words; its kind, such as "cox".
    rows_real, rows_synthetic : int
        Rows that it used: those in which no value that it needs is missing.
    problem : str or None
        Why it could not be made, on which of the tables; None where it was made on both.
    estimates : tuple of Estimate
        Empty where it could not be made on the real rows.

    Examples
    --------
    >>> AnalysisQuality("mean of age", "mean", 90, 90, None, ()).problem is None
    True
    """

    name: str
    kind: str
    rows_real: int
    rows_synthetic: int
    problem: str | None
    estimates: tuple[Estimate, ...]


def share_kept(found: Sequence[AnalysisQuality], which: str = "kept") -> float | None:
    """The share of all estimates that the release keeps, or the yardstick; None of none."""
    flags = [getattr(each, which) for one in found for each in one.estimates]
    return float(np.mean(flags)) if flags else None


def said_of(found: Sequence[AnalysisQuality]) -> list[str]:
    """What the analyses come to, in a sentence; none where nothing was asked or estimated."""
    kept, usual = share_kept(found), share_kept(found, "yardstick")
    if kept is None or usual is None:
        return []
    count = sum(len(one.estimates) for one in found)
    return [
        f"Of {count:,} estimates in {len(found)} analyses the release keeps {percent(kept)}, and"
        f" the yardstick {percent(usual)}."
    ]


def compared(
    term: str,
    tested: bool,
    real: tuple[float, float],
    synthetic: tuple[float, float] | None,
    yardstick: tuple[float, float] | None,
) -> Estimate:
    """An estimate of the real rows, of the release and of the yardstick; each with its error."""
    overlaps = [0.0 if synthetic is None else overlap(real, synthetic, x) for x in (0.9, 0.95)]
    sign = significance = None
    if tested and synthetic is not None:
        sign = real[0] * synthetic[0] > 0
        significance = _significant(real) == _significant(synthetic)
    away = None
    if synthetic is not None and real[1] > 0:
        away = (synthetic[0] - real[0]) / real[1]
    value, error = (None, None) if synthetic is None else synthetic
    return Estimate(
        term=term,
        real=real[0],
        real_error=real[1],
        synthetic=value,
        synthetic_error=error,
        overlap_90=round(overlaps[0], 4),
        overlap_95=round(overlaps[1], 4),
        difference=away,
        sign=sign,
        significance=significance,
        kept=_kept(tested, real, synthetic),
        yardstick=_kept(tested, real, yardstick),
    )


def overlap(one: tuple[float, float], other: tuple[float, float], level: float) -> float:
    """The mean share of two normal intervals that both have, 0 to 1.

    An interval without a length lies in the other, or does not.
    """
    z = float(norm.ppf(0.5 + level / 2))
    ends = [(value - z * error, value + z * error) for value, error in (one, other)]
    low, high = max(e[0] for e in ends), min(e[1] for e in ends)
    if high < low:
        return 0.0
    if any(b <= a for a, b in ends):
        return 1.0
    return float(np.mean([(high - low) / (b - a) for a, b in ends]))


def _significant(estimate: tuple[float, float]) -> bool:
    return abs(estimate[0]) > float(norm.ppf(0.975)) * estimate[1]


def _kept(tested: bool, real: tuple[float, float], other: tuple[float, float] | None) -> bool:
    if other is None or overlap(real, other, 0.95) < LEAST_OVERLAP:
        return False
    if not tested:
        return True
    if _significant(real):
        return _significant(other) and real[0] * other[0] > 0
    return not _significant(other)


def analyses(
    tables: Sequence[Numbers], schema: Schema, asked: Sequence[Analysis]
) -> tuple[AnalysisQuality, ...]:
    """Each on the real rows, the release and the yardstick. Call `check_analyses` first."""
    return tuple(_compared(one, tables, schema) for one in steps("making analyses", list(asked)))


def _compared(one: Analysis, tables: Sequence[Numbers], schema: Schema) -> AnalysisQuality:
    complete = [complete_rows(one, table) for table in tables]
    rows = [int(each.sum()) for each in complete]
    shared = Shared.of(one, tables[0], complete[0], schema)
    found: list[Estimates] = []
    problems = []
    for table, has, where in zip(
        tables, complete, ("real rows", "release", "yardstick"), strict=True
    ):
        try:
            found.append(MADE[one.kind](one, table.take(np.flatnonzero(has)), shared))
        except ValueError as error:
            found.append({})
            problems.append(f"It cannot be made on the {where}: {error}.")
    real, synthetic, yardstick = found
    estimates = tuple(
        compared(term, one.kind in _TESTED, value, synthetic.get(term), yardstick.get(term))
        for term, value in real.items()
    )
    return AnalysisQuality(
        one.name, one.kind, rows[0], rows[1], " ".join(problems) or None, estimates
    )


def record_of(found: Sequence[AnalysisQuality]) -> dict[str, Any]:
    """The shares kept, for a page and a gate."""
    return {"kept": share_kept(found), "yardstick": share_kept(found, "yardstick")}
