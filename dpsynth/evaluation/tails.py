"""Tails: groups of values far from all others, tails that are cut or stretched, joint extremes."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy.special import ndtri
from scipy.stats import multivariate_normal, rankdata

from dpsynth.base.text import percent, short
from dpsynth.evaluation.numbers import MEASURED, Numbers, in_both, is_measured, value_of
from dpsynth.evaluation.pattern import CLEAR, Pattern, apart, fate_of, in_errors, is_invented
from dpsynth.models.distances import compared_pairs
from dpsynth.schema.columns import Column, Datetime, Numeric
from dpsynth.schema.table import Schema

_FEWEST_DISTINCT = 30
LEAST_GROUP, MOST_GROUP = 0.002, 0.05
"""The share of the values in a far group."""
_FEWEST_FAR = 8
FAR = 0.75
"""How wide the empty gap must be, in distances from the median to the last value before it."""
_USUAL_FAR = 15
_SURE_GAP = 2 + _USUAL_FAR * math.log1p(FAR)
"""Of less than 15 values: the last k values of a Pareto tail of index 1 lie beyond a gap of g
distances with probability (1 + g)^-k, whose logarithm must be below minus this. 2 is for the sizes
that are tried, 8 to 14."""

LEVELS = (0.99, 0.999)
"""Quantiles of the real values beyond which the shares are compared."""
_LEAST_TAIL = 0.0005

JOINT = 0.05
"""The tail of each column for joint extremes: one value in twenty."""
_LEAST_EXCESS = 0.1
_SURE = 5.0
_FEWEST_JOINT = 2000
"""Rows from which on joint extremes are looked for: 100 values in each tail."""


def outliers(real: Numbers, synthetic: Numbers, schema: Schema) -> Iterator[Pattern]:
    """Groups of values beyond a wide empty gap, at either end of a numeric column."""
    for name, _, r, s in in_both(real, synthetic, schema, Numeric):
        for sign, end in ((1, "above"), (-1, "below")):
            for values, is_real in ((r, True), (s, False)):
                if (edge := far_edge(sign * values)) is not None:
                    yield from _far_group(name, sign, end, edge, r, s, is_real)
                    break


def _far_group(
    name: str, sign: int, end: str, edge: float, r: np.ndarray, s: np.ndarray, is_real: bool
) -> Iterator[Pattern]:
    shares = _share_above(edge, sign * r), _share_above(edge, sign * s)
    errors = apart(shares[0], r.size, shares[1], s.size)
    if is_real or is_invented(*shares, errors):
        fate = fate_of(*shares, errors) if is_real else "invented"
        said = (
            f"{percent(shares[0])} of the real values lie {end} {short(sign * edge, 3)}, far from"
            f" all others, and {percent(shares[1])} of the synthetic"
        )
        if not is_real:
            said = (
                f"{percent(shares[1])} of the synthetic values lie {end} {short(sign * edge, 3)},"
                f" far from all others, and {percent(shares[0])} of the real"
            )
        details = {"edge": sign * edge, "side": sign}
        yield Pattern("outliers", (name,), fate, *shares, errors, said, details)


def _share_above(edge: float, values: np.ndarray) -> float:
    return float(np.mean(values > edge)) if values.size else 0.0


def far_edge(values: np.ndarray) -> float | None:
    """The middle of the gap before a far group at the upper end; None where there is no such group.

    The gap is at least FAR times as wide as the distance from the median to the value before it,
    and wider for a group of less than 15 values.
    """
    if np.unique(values).size < _FEWEST_DISTINCT:
        return None
    x = np.sort(values)
    n = x.size
    fewest, most = max(_FEWEST_FAR, math.ceil(LEAST_GROUP * n)), int(MOST_GROUP * n)
    if most < fewest:
        return None
    at = np.arange(n - most, n - fewest + 1)
    before = x[at - 1]
    gaps = x[at] - before
    reach = before - np.median(x)
    wide = (gaps > 0) & (gaps >= FAR * reach)
    with np.errstate(divide="ignore", invalid="ignore"):
        sure = (n - at) * np.log1p(gaps / reach) >= _SURE_GAP
    wide &= sure | (n - at >= _USUAL_FAR)
    if not wide.any():
        return None
    best = int(np.argmax(np.where(wide, gaps, -1)))
    if np.unique(x[: at[best]]).size < _FEWEST_DISTINCT:
        return None
    return float(before[best] + gaps[best] / 2)


def cut_tails(real: Numbers, synthetic: Numbers, schema: Schema) -> Iterator[Pattern]:
    """Tails of numbers and moments that the release cut off, or stretched."""
    for name, column, r, s in in_both(real, synthetic, schema, *MEASURED):
        if np.unique(r).size < _FEWEST_DISTINCT or not s.size:
            continue
        for sign in (1, -1):
            found = [_tail(name, column, sign, level, r, s) for level in LEVELS]
            clear = [pattern for pattern in found if pattern is not None]
            if clear:
                yield max(clear, key=lambda pattern: pattern.errors)


def _tail(
    name: str, column: Column, sign: int, level: float, r: np.ndarray, s: np.ndarray
) -> Pattern | None:
    edge = float(np.quantile(sign * r, level, method="inverted_cdf"))
    shares = _share_above(edge, sign * r), _share_above(edge, sign * s)
    errors = apart(shares[0], r.size, shares[1], s.size)
    cut = shares[0] >= _LEAST_TAIL and fate_of(*shares, errors, CLEAR) == "lost"
    stretched = shares[1] >= _LEAST_TAIL and is_invented(*shares, errors, CLEAR)
    if not cut and not stretched:
        return None
    side, beyond = ("upper", "above") if sign > 0 else ("lower", "below")
    if isinstance(column, Datetime):
        beyond = "after" if sign > 0 else "before"
    said = (
        f"{percent(shares[0])} of the real values and {percent(shares[1])} of the synthetic are"
        f" {beyond} {value_of(column, sign * edge)}"
    )
    details = {"edge": sign * edge, "side": sign}
    fate = "lost" if cut else "invented"
    return Pattern(f"{side} tail", (name,), fate, *shares, errors, said, details)


def joint_tails(real: Numbers, synthetic: Numbers, schema: Schema) -> Iterator[Pattern]:
    """Pairs whose extremes come together more often than their rank correlation says.

    The measure is the share of one tail's rows that are in the other's tail too, above that of a
    Gaussian copula with the same rank correlation.
    """
    names = [n for n, c in schema.coded.items() if is_measured(c)]
    names = [n for n in names if min(real.distinct[n], synthetic.distinct[n]) > 1]
    names = [n for n in names if real.distinct[n] >= 2 * _FEWEST_DISTINCT]
    if real.rows < _FEWEST_JOINT or synthetic.rows < _FEWEST_JOINT:
        return
    ranks = [{n: _shares_below(t.values[n]) for n in names} for t in (real, synthetic)]
    for a, b in compared_pairs((*schema.coded,)):
        if a not in ranks[0] or b not in ranks[0]:
            continue
        for sign, side in ((1, "highest"), (-1, "lowest")):
            found = _joint(a, b, sign, side, ranks)
            if found is not None:
                yield found


def _shares_below(values: np.ndarray) -> np.ndarray:
    """The mean rank of each value, as a share of the values; NaN stays NaN."""
    found = np.full(values.size, np.nan)
    there = np.isfinite(values)
    found[there] = (rankdata(values[there]) - 0.5) / max(there.sum(), 1)
    return found


def _joint(
    a: str, b: str, sign: int, side: str, ranks: list[dict[str, np.ndarray]]
) -> Pattern | None:
    if max(_shared(each[a], each[b], sign) for each in ranks) < _LEAST_EXCESS:
        return None
    tails = [_excess(each[a], each[b], sign) for each in ranks]
    (r, r_error, _), (s, s_error, _) = tails
    errors = in_errors(r - s, r_error, s_error)
    found_real, found_synthetic = (e >= _LEAST_EXCESS and e >= _SURE * err for e, err, _ in tails)
    if found_real:
        fate = fate_of(r, s, errors)
    elif found_synthetic and is_invented(r, s, errors):
        fate = "invented"
    else:
        return None
    said = (
        f"of the rows with the {side} twentieth of one, {percent(tails[0][2])} have that of the"
        f" other in the real records and {percent(tails[1][2])} in the release; their rank"
        f" correlation alone would give {percent(max(tails[0][2] - r, 0.0))} in the real"
    )
    return Pattern("joint extremes", (a, b), fate, r, s, errors, said, {"side": sign})


def _excess(x: np.ndarray, y: np.ndarray, sign: int) -> tuple[float, float, float]:
    """The share of one tail in the other's, less the Gaussian copula's; its error; the share."""
    both, in_x, in_y, fewer = _in_tails(x, y, sign)
    if not fewer:
        return 0.0, 0.0, 0.0
    share = float((in_x & in_y).sum() / fewer)
    spearman = float(np.corrcoef(x[both], y[both])[0, 1])
    rows = float(both.sum())
    expected = _gaussian(spearman, in_x.sum() / rows, in_y.sum() / rows) * rows / fewer
    error = math.sqrt(max(share * (1 - share), 1 / fewer) / fewer)
    return share - expected, error, share


def _shared(x: np.ndarray, y: np.ndarray, sign: int) -> float:
    """The share alone, which the excess is never above: quick, for most pairs have little of it."""
    _, in_x, in_y, fewer = _in_tails(x, y, sign)
    return float((in_x & in_y).sum() / fewer) if fewer else 0.0


def _in_tails(
    x: np.ndarray, y: np.ndarray, sign: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Rows that have both, those of them in each tail, and how many the smaller tail has.

    That is 0 where the tails cannot be compared: too few rows, or ties that are no twentieth.
    """
    both = ~(np.isnan(x) | np.isnan(y))
    in_x, in_y = (both & ((v > 1 - JOINT) if sign > 0 else (v < JOINT)) for v in (x, y))
    rows, fewer = both.sum(), min(in_x.sum(), in_y.sum())
    enough = rows >= _FEWEST_JOINT / 2 and fewer >= JOINT * rows / 2
    return both, in_x, in_y, float(fewer) if enough else 0.0


def _gaussian(spearman: float, p: float, q: float) -> float:
    """P(X in its lowest p and Y in its lowest q) under the Gaussian copula.

    Its correlation is 2 sin(pi rho / 6) for Spearman's rho (Kruskal 1958).
    """
    correlation = min(max(2 * math.sin(math.pi * spearman / 6), -0.9999), 0.9999)
    covariance = [[1.0, correlation], [correlation, 1.0]]
    return float(multivariate_normal.cdf([ndtri(p), ndtri(q)], cov=covariance))
