"""Relations: columns that others determine, sums, and associations that turn round in a group."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from dpsynth.base.text import hundredths, percent
from dpsynth.evaluation.association import columns_of, correlations
from dpsynth.evaluation.numbers import Numbers, is_measured, value_of
from dpsynth.evaluation.pattern import (
    CLEAR_OF_FOUND,
    Pattern,
    apart,
    fate_of,
    in_errors,
    is_invented,
)
from dpsynth.models.distances import compared_columns, compared_pairs
from dpsynth.schema.columns import Boolean, Numeric
from dpsynth.schema.table import Schema

SEED = 20240607
MOST_BROKEN = 0.01
"""The share of rows that may break a dependency of the real records."""
STILL_KEPT = 0.05
"""The share of synthetic rows that may break it."""
_LEAST_BROKEN_BY_CHANCE = 0.1
_SCREENED = 4000

_LEAST_SUMS = 0.95
_MOST_SUMMED = 40

LEAST_CORRELATION = 0.1
_SURE = 5.0
"""Standard errors of both correlations: p < 1e-6, for some thousand groups and pairs."""
_MOST_GROUPS = 20
_SMALLEST_GROUP = 200


def dependencies(real: Numbers, synthetic: Numbers, schema: Schema) -> Iterator[Pattern]:
    """Columns whose value another column determines, in all but one row of a hundred."""
    names = [n for n in schema.coded if real.distinct[n] > 1 or synthetic.distinct[n] > 1]
    place = {name: i for i, name in enumerate(names)}
    rng = np.random.default_rng(SEED)
    few = [table.at_most(_SCREENED, rng) for table in (real, synthetic)]
    chance = [{n: rng.permutation(table.codes[n]) for n in names} for table in few]
    pairs = [pair for pair in compared_pairs((*schema.coded,)) if {*pair} <= {*names}]
    for a, b in sorted([*pairs, *((b, a) for a, b in pairs)], key=lambda p: [*map(place.get, p)]):
        if _determines(few[0], chance[0], a, b, real):
            yield _dependency(a, b, real, synthetic)
        elif _determines(few[1], chance[1], a, b, synthetic):
            r, s = (broken(table.codes[a], table.codes[b]) for table in (real, synthetic))
            errors = apart(r, real.rows, s, synthetic.rows)
            if r > STILL_KEPT and errors >= CLEAR_OF_FOUND:
                said = (
                    f"in the release {a} determines {b} in {percent(1 - s)} of the rows, in the"
                    f" real records in {percent(1 - r)}"
                )
                yield Pattern("dependency", (a, b), "invented", 1 - r, 1 - s, errors, said)


def broken(a: np.ndarray, b: np.ndarray) -> float:
    """The least share of rows to be removed so that a determines b (g3, Kivinen and Mannila)."""
    if not a.size:
        return 0.0
    size = int(b.max()) + 1
    cells, counts = np.unique(a.astype(np.int64) * size + b, return_counts=True)
    owner = cells // size
    starts = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
    return 1 - float(np.maximum.reduceat(counts, starts).sum()) / a.size


def _determines(
    few: Numbers, chance: dict[str, np.ndarray], a: str, b: str, whole: Numbers
) -> bool:
    """Does a determine b, where a shuffled b would break it in one row of ten or more?"""
    if few.rows < _SMALLEST_GROUP or few.distinct[a] < 2 or few.distinct[b] < 2:
        return False
    if broken(few.codes[a], few.codes[b]) > 2 * MOST_BROKEN:
        return False
    if broken(few.codes[a], chance[b]) < _LEAST_BROKEN_BY_CHANCE:
        return False
    return broken(whole.codes[a], whole.codes[b]) <= MOST_BROKEN


def _dependency(a: str, b: str, real: Numbers, synthetic: Numbers) -> Pattern:
    r = broken(real.codes[a], real.codes[b])
    known, wrong = _against(real, synthetic, a, b)
    s = wrong / known if known else 1.0
    errors = apart(r, real.rows, s, known)
    if s <= STILL_KEPT:
        fate = "kept" if known >= _SMALLEST_GROUP else "undecided"
    else:
        fate = "lost" if errors >= CLEAR_OF_FOUND else "undecided"
    said = (
        f"{a} determines {b} in {percent(1 - r)} of the real rows; of {known:,} synthetic rows"
        f" whose {a} is known, {percent(s)} have another {b}"
    )
    return Pattern("dependency", (a, b), fate, 1 - r, 1 - s, errors, said)


def _against(real: Numbers, synthetic: Numbers, a: str, b: str) -> tuple[int, int]:
    """Of the synthetic rows whose a occurs in a real row how many there are, and have another b."""
    x, place = np.unique(real.values[a], return_inverse=True)
    y, codes = np.unique(real.values[b], return_inverse=True)
    cells, counts = np.unique(place.astype(np.int64) * y.size + codes, return_counts=True)
    order = np.lexsort((counts, cells // y.size))
    usual = np.zeros(x.size, dtype=np.int64)
    usual[(cells // y.size)[order]] = (cells % y.size)[order]  # the last one written is the largest
    at = np.minimum(np.searchsorted(x, synthetic.values[a]), x.size - 1)
    known = _same(x[at], synthetic.values[a])
    return int(known.sum()), int((known & ~_same(y[usual[at]], synthetic.values[b])).sum())


def _same(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    found: np.ndarray = (x == y) | (np.isnan(x) & np.isnan(y))
    return found


def sums(real: Numbers, synthetic: Numbers, schema: Schema) -> Iterator[Pattern]:
    """Numeric columns that are the sum of two others."""
    names = [n for n, c in schema.coded.items() if isinstance(c, Numeric) and real.distinct[n] > 2]
    if len(names) > _MOST_SUMMED:
        return
    rng = np.random.default_rng(SEED)
    few = real.at_most(500, rng)
    if few.rows < _SMALLEST_GROUP:
        return
    for a, b in itertools.combinations(names, 2):
        total = few.values[a] + few.values[b]
        for c in names:
            if c not in (a, b) and _equal(total, few.values[c]) >= _LEAST_SUMS:
                yield from _sum(a, b, c, real, synthetic)


def _equal(x: np.ndarray, y: np.ndarray) -> float:
    there = np.isfinite(x) & np.isfinite(y)
    if there.sum() < _SMALLEST_GROUP:
        return 0.0
    return float(np.mean(np.isclose(x[there], y[there], rtol=1e-6, atol=1e-9)))


def _sum(a: str, b: str, c: str, real: Numbers, synthetic: Numbers) -> Iterator[Pattern]:
    r, s = (_equal(t.values[a] + t.values[b], t.values[c]) for t in (real, synthetic))
    if r >= _LEAST_SUMS:
        errors = apart(r, real.rows, s, synthetic.rows)
        said = (
            f"{c} is {a} plus {b} in {percent(r)} of the real rows and in {percent(s)} of the"
            " synthetic"
        )
        yield Pattern("sum", (a, b, c), fate_of(r, s, errors), r, s, errors, said)


def reversals(real: Numbers, synthetic: Numbers, schema: Schema) -> Iterator[Pattern]:
    """Groups in which two columns are associated the other way round than in all rows."""
    coded = {n: schema.coded[n] for n in compared_columns((*schema.coded,))}
    ranked = [n for n, c in coded.items() if is_measured(c) or isinstance(c, Boolean)]
    ranked = [n for n in ranked if min(real.distinct[n], synthetic.distinct[n]) > 1]
    if len(ranked) < 2:
        return
    whole = [correlations(columns_of(t, ranked, ranked=True)) for t in (real, synthetic)]
    for group in [n for n in coded if 1 < real.distinct[n] <= _MOST_GROUPS]:
        for value in np.unique(real.values[group][~np.isnan(real.values[group])]):
            inside = [t.take(np.flatnonzero(t.values[group] == value)) for t in (real, synthetic)]
            parts = [correlations(columns_of(part, ranked, ranked=True)) for part in inside]
            said = f"{group} is {value_of(coded[group], float(value))}"
            yield from _turned(ranked, group, float(value), said, whole, parts)


def _turned(
    names: list[str],
    group: str,
    value: float,
    where: str,
    whole: list[tuple[np.ndarray, np.ndarray]],
    parts: list[tuple[np.ndarray, np.ndarray]],
) -> Iterator[Pattern]:
    own = [n != group for n in names]
    found = [_is_turned(w, p) for w, p in zip(whole, parts, strict=True)]
    for i, j in zip(*np.nonzero(np.triu(found[0] | found[1], 1)), strict=True):
        if not (own[i] and own[j]):
            continue
        r, s = float(parts[0][0][i, j]), float(parts[1][0][i, j])
        real = bool(found[0][i, j])
        errors = in_errors(r - s, *(_error(p[0], p[1])[i, j] for p in parts))
        sign = math.copysign(1.0, r if real else s)
        if real:
            fate = fate_of(sign * r, sign * s, errors)
        elif is_invented(sign * r, sign * s, errors):
            fate = "invented"
        else:
            continue
        all_rows = float(whole[0 if real else 1][0][i, j])
        said = (
            f"where {where}, the rank correlation is {hundredths(r)} in the real records and"
            f" {hundredths(s)} in the release; over all {'real' if real else 'synthetic'} rows it"
            f" is {hundredths(all_rows)}"
        )
        pair = (names[i], names[j])
        details = {"group": group, "value": value}
        yield Pattern("reversal", pair, fate, r, s, errors, said, details)


def _error(r: np.ndarray, n: np.ndarray) -> np.ndarray:
    """The standard error of a rank correlation, sqrt((1 + r^2 / 2) / (n - 3)) (Bonett, Wright)."""
    found: np.ndarray = np.sqrt((1 + r**2 / 2) / np.maximum(n - 3, 1)) * (1 - r**2).clip(0.05)
    return found


def _is_turned(
    whole: tuple[np.ndarray, np.ndarray], part: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    r, n = whole
    q, m = part
    large = (np.abs(r) >= LEAST_CORRELATION) & (np.abs(q) >= LEAST_CORRELATION)
    sure = (np.abs(r) >= _SURE * _error(r, n)) & (np.abs(q) >= _SURE * _error(q, m))
    found: np.ndarray = (r * q < 0) & large & sure & (m >= _SMALLEST_GROUP)
    return found
