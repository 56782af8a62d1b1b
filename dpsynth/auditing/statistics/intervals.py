"""Confidence intervals for what an attack achieves.

Of rates, differences of rates, the relative risk, and the area under a curve.

All are two-sided; `confidence` is the level. A rate of 0 or 1 among few rows is never taken for
certainty.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import ndtri


@dataclass(frozen=True)
class Estimate:
    """A number with its interval."""

    value: float
    low: float
    high: float


def clopper_pearson(hits: float, n: int, confidence: float = 0.95) -> Estimate:
    """The rate behind `hits` of n trials, exact (Clopper and Pearson 1934).

    Without trials anything is possible.
    """
    if n == 0:
        return Estimate(math.nan, 0.0, 1.0)
    tail = (1 - confidence) / 2
    low = float(stats.beta.ppf(tail, hits, n - hits + 1)) if hits > 0 else 0.0
    high = float(stats.beta.isf(tail, hits + 1, n - hits)) if hits < n else 1.0
    return Estimate(hits / n, low, high)


def wilson(hits: float, n: float, confidence: float = 0.95) -> Estimate:
    """The rate behind `hits` of n trials, by the score test (Wilson 1927).

    `hits` may be a sum of shares, and n of any size.
    """
    if n == 0:
        return Estimate(math.nan, 0.0, 1.0)
    p = hits / n
    z = float(ndtri((1 + confidence) / 2))
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Estimate(p, max(0.0, middle - half), min(1.0, middle + half))


def rate_difference(x: Estimate, y: Estimate) -> Estimate:
    """x - y, for independent rates with intervals (Newcombe 1998, method 10)."""
    gap = x.value - y.value
    low = gap - math.hypot(x.value - x.low, y.high - y.value)
    return Estimate(gap, low, gap + math.hypot(x.high - x.value, y.value - y.low))


def relative_risk(x: Estimate, y: Estimate) -> Estimate:
    """(x - y) / (1 - y): the part of what could still be learned that was learned. Not clipped.

    1 minus the ratio of the two survival rates, whose interval is that of Donner and Zou (2012) for
    a ratio. Where the control may be 1 nothing could still be learned, and the interval is open
    below.
    """
    a = _survival(x)
    b = _survival(y)
    if b.value <= 0:
        return Estimate(0.0, -math.inf, 1.0)
    below = _ratio_end(a.value, b.value, a.low, b.high, -1.0)
    above = _ratio_end(a.value, b.value, a.high, b.low, 1.0) if b.low > 0 else math.inf
    return Estimate(1 - a.value / b.value, 1 - above, 1 - below)


def _survival(rate: Estimate) -> Estimate:
    """1 - rate, whose interval has the ends the other way round."""
    return Estimate(1 - rate.value, 1 - rate.high, 1 - rate.low)


def _ratio_end(a: float, b: float, a_end: float, b_end: float, sign: float) -> float:
    """One end of the interval of a / b: Donner and Zou's closed form, sign -1 below and 1 above."""
    square = (a * b) ** 2 - a_end * b_end * (2 * a - a_end) * (2 * b - b_end)
    root = math.sqrt(max(0.0, square))
    return (a * b + sign * root) / (b_end * (2 * b - b_end))


def area_under_curve(scores: np.ndarray, member: np.ndarray, confidence: float = 0.95) -> Estimate:
    """The chance that a member's score is above a non-member's; ties count half.

    The interval is that of DeLong et al. (1988).

    member: booleans. The variance is never taken below that of one row in each group being
    misplaced.
    """
    inside = scores[member]
    outside = scores[~member]
    if not (inside.size and outside.size):
        return Estimate(math.nan, 0.0, 1.0)
    # DeLong's placement values: the share of the other group that each row beats.
    beats = _shares_below(inside, outside)
    beaten = 1 - _shares_below(outside, inside)
    area = float(beats.mean())
    variance = float(_variance_of_mean(beats) + _variance_of_mean(beaten))
    one_misplaced = (1 / inside.size**2 + 1 / outside.size**2) / 4
    half = float(ndtri((1 + confidence) / 2)) * math.sqrt(max(variance, one_misplaced))
    return Estimate(area, max(0.0, area - half), min(1.0, area + half))


def _variance_of_mean(shares: np.ndarray) -> float:
    """Of one share alone the largest variance that a share can have, 1/4."""
    return shares.var(ddof=1) / shares.size if shares.size > 1 else 0.25


def rate_at(
    scores: np.ndarray, member: np.ndarray, fpr: float, confidence: float = 0.95
) -> tuple[Estimate, Estimate] | None:
    """The true- and the false-positive rate at a threshold.

    It is the lowest whose false-positive rate is at most `fpr`.

    A step of the curve, without interpolation. None where there are fewer than 3 / fpr non-members:
    no false positive among fewer does not even show that the rate is below `fpr`.

    The threshold is chosen by the non-members, and what it lets through of all that there are is
    uncertain too. So the interval is that of the true-positive rate where the false-positive rate
    *is* `fpr`: its low end is Clopper and Pearson's at a threshold above which no more than `fpr`
    lies, its high end at one from which on no less does. Which order statistics of the non-members
    these are depends on their number alone (what lies beyond is Beta distributed, Wilks 1941).
    Threshold and rate may err with half of a side's probability each. Ties at the threshold are
    left out at the low end, and taken in part at the high one, as if by a coin for each.
    """
    inside = scores[member]
    outside = np.sort(scores[~member])[::-1]  # highest first
    n = outside.size
    if n < 3 / fpr or not inside.size:
        return None
    # Ties excluded, no more than a share `fpr` lies above; 1e-9 mends products such as 0.29 * 100.
    threshold = outside[math.floor(fpr * n + 1e-9)]
    hits = int((inside > threshold).sum())
    false = int((outside > threshold).sum())
    tail = (1 - confidence) / 4
    low, high = _hits_at_rate(inside, outside, fpr, tail)
    found = Estimate(
        hits / inside.size,
        clopper_pearson(low, inside.size, 1 - 2 * tail).low,
        clopper_pearson(high, inside.size, 1 - 2 * tail).high,
    )
    return found, clopper_pearson(false, n, confidence)


def _hits_at_rate(
    inside: np.ndarray,
    outside: np.ndarray,
    fpr: float,
    tail: float,
) -> tuple[float, float]:
    """The fewest and the most hits at a threshold whose true false-positive rate may be `fpr`.

    outside: highest first. tail: the chance that either threshold lies on the wrong side.
    """
    n = outside.size
    # For the k-th highest non-member: the chance that at most `fpr` of all non-members lie above.
    few_above = stats.beta.cdf(fpr, np.arange(1, n + 1), np.arange(n, 0, -1))
    strict = np.flatnonzero(few_above >= 1 - tail)
    low = float((inside > outside[strict[-1]]).sum()) if strict.size else 0.0
    lenient = lenient_count(n, fpr, tail)
    high = float(inside.size) if lenient is None else _reaching(inside, outside, lenient)
    return low, high


def lenient_count(n: int, fpr: float, tail: float) -> int | None:
    """The fewest of the highest of n non-members among which a share `fpr` of all lies.

    But for a chance of `tail`. The k-th highest has no more than `fpr` above it with the chance
    that k or more of n draws fall into a share `fpr`. None where not even all n are enough.
    """
    count = int(stats.binom.isf(tail, n, fpr)) + 1
    return count if count <= n else None


def _reaching(inside: np.ndarray, outside: np.ndarray, count: int) -> float:
    """How many of `inside` lie as high as the first `count` of `outside`, which descends.

    Ties at the end count in part.
    """
    last = outside[count - 1]
    part = (count - int((outside > last).sum())) / int((outside == last).sum())
    return float((inside > last).sum() + part * (inside == last).sum())


def _shares_below(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """For each value the share of the others below it, ties counting half."""
    ordered = np.sort(among)
    below = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return below / (2 * ordered.size)
