"""Distinct values, repeated rows and rare combinations: what counting each cell alone does not see.

Numbers of distinct values grow with the rows, so that tables are compared at the same number of
rows: the expected number in m of n rows is the sum over values of 1 - C(n - c, m) / C(n, m), where
c rows have the value (rarefaction, Hurlbert 1971).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
from scipy.special import gammaln

from dpsynth.base.text import percent
from dpsynth.evaluation.numbers import MEASURED, Numbers, in_both
from dpsynth.evaluation.pattern import CLEAR, CLEAR_OF_FOUND, Pattern, apart, fate_of, in_errors
from dpsynth.models.distances import compared_pairs
from dpsynth.schema.table import Schema

SEED = 20240607
_FEWEST_VALUES = 20
_HALF, _TWICE = 0.5, 2.0

_LEAST_REPEATED = 0.002
_COPIES = 0.8
"""The share of near-copies that are exact copies from which on rows are taken to be copied."""
_LARGEST_ROWS = 20_000

RARE = 0.005
"""A combination is rare up to this share of the real rows."""
_FEWEST_RARE = 10
"""Of fewer rows a combination is there by chance, and would be gone from other real rows too."""
_LEAST_NEW = 0.01
_MOST_CELLS = 2500
_MOST_VALUES = 60


def distinct_values(real: Numbers, synthetic: Numbers, schema: Schema) -> Iterator[Pattern]:
    """Columns that have half as many, or twice as many, different values as the real ones."""
    for name, _, *both in in_both(real, synthetic, schema, *MEASURED):
        r, s = (np.unique(values, return_counts=True)[1] for values in both)
        m = int(min(r.sum(), s.sum())) // 2
        if not m:
            continue
        found = rarefied(r, m), rarefied(s, m)
        errors = in_errors(found[0] - found[1], math.sqrt(found[0]), math.sqrt(found[1]))
        if max(found) < _FEWEST_VALUES or errors < CLEAR:
            continue
        if found[1] < _HALF * found[0] or found[1] > _TWICE * found[0]:
            fate = "lost" if found[1] < found[0] else "invented"
            said = (
                f"{m:,} real values hold {found[0]:,.0f} different ones, and as many synthetic"
                f" values hold {found[1]:,.0f}"
            )
            yield Pattern("distinct values", (name,), fate, *found, errors, said, {"values": m})


def rarefied(counts: np.ndarray, m: int) -> float:
    """The expected number of different values among m of all rows; counts: rows of each value."""
    n = int(counts.sum())
    sizes, times = np.unique(counts, return_counts=True)
    left = n - sizes
    possible = left >= m
    logs = gammaln(left[possible] + 1) - gammaln(left[possible] - m + 1)
    missed = np.zeros(sizes.size)
    missed[possible] = np.exp(logs - (gammaln(n + 1) - gammaln(n - m + 1)))
    return float(np.sum(times * (1 - missed)))


def repeated_rows(real: Numbers, synthetic: Numbers, schema: Schema) -> Iterator[Pattern]:
    """Rows that were copied, where few would agree by chance.

    Rows that agree by chance in all columns but one mostly differ in that one; copies do not.
    """
    names = [*schema.coded]
    rng = np.random.default_rng(SEED)
    m = min(real.rows, synthetic.rows, _LARGEST_ROWS)
    tables = [table.at_most(m, rng) for table in (real, synthetic)]
    if len(names) < 2 or m < 2:
        return
    keys = [_hashed(table, names, rng) for table in tables]
    r, s = (repeated(_summed(each)) for each in keys)
    errors = apart(r, m, s, m)
    evidence = (
        f"of {m:,} rows each, {percent(r)} of the real and {percent(s)} of the synthetic repeat an"
        " earlier row"
    )
    if _copied(tables[0], names, keys[0], r, rng):
        yield Pattern("repeated rows", (), fate_of(r, s, errors), r, s, errors, evidence)
    elif s > _TWICE * r and errors >= CLEAR_OF_FOUND and _copied(tables[1], names, keys[1], s, rng):
        yield Pattern("repeated rows", (), "invented", r, s, errors, evidence)


def _hashed(table: Numbers, names: list[str], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """For each column a random 64-bit number of each of its values: sums tell rows apart."""
    found = {}
    for name in names:
        codes = table.codes[name]
        size = int(codes.max(initial=0)) + 1
        found[name] = rng.integers(0, 2**64, size=size, dtype=np.uint64)[codes]
    return found


def _summed(keys: Mapping[str, np.ndarray]) -> np.ndarray:
    """For each row the sum of its columns' numbers, modulo 2**64."""
    found: np.ndarray = np.asarray(np.sum([*keys.values()], axis=0, dtype=np.uint64))
    return found


def repeated(keys: np.ndarray) -> float:
    """The share of rows that equal an earlier one."""
    return 1 - np.unique(keys).size / keys.size if keys.size else 0.0


def _copied(
    table: Numbers,
    names: list[str],
    keys: Mapping[str, np.ndarray],
    share: float,
    rng: np.random.Generator,
) -> bool:
    if share < max(_LEAST_REPEATED, 10 / table.rows):
        return False
    shuffled = _summed({name: rng.permutation(keys[name]) for name in names})
    if repeated(shuffled) > _HALF * share:
        return False
    whole = _summed(keys)
    exact = _with_twin(whole)
    nearly = exact.copy()
    for name in names:
        nearly |= _with_twin(whole - keys[name])
    return float(exact.sum()) >= _COPIES * float(nearly.sum())


def _with_twin(keys: np.ndarray) -> np.ndarray:
    _, place, counts = np.unique(keys, return_inverse=True, return_counts=True)
    found: np.ndarray = counts[place] > 1
    return found


def rare_combinations(real: Numbers, synthetic: Numbers, schema: Schema) -> Iterator[Pattern]:
    """Pairs of columns whose rare combinations are gone, or that have combinations no row has."""
    names = [n for n in schema.coded if real.distinct[n] <= _MOST_VALUES]
    names = [n for n in names if real.distinct[n] > 1 and synthetic.distinct[n] <= _MOST_VALUES]
    both = {n: _common_codes(real.values[n], synthetic.values[n]) for n in names}
    for a, b in compared_pairs((*schema.coded,)):
        if a not in both or b not in both:
            continue
        size = both[b][2]
        if both[a][2] * size <= _MOST_CELLS:
            r, s = (
                np.bincount(both[a][t] * size + both[b][t], minlength=both[a][2] * size)
                for t in (0, 1)
            )
            yield from _rare(a, b, r, s)


def _common_codes(real: np.ndarray, synthetic: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    values, codes = np.unique(np.r_[real, synthetic], return_inverse=True)
    return codes[: real.size], codes[real.size :], values.size


def _rare(a: str, b: str, r: np.ndarray, s: np.ndarray) -> Iterator[Pattern]:
    n, m = int(r.sum()), int(s.sum())
    if min(n, m) < _FEWEST_RARE**2:
        return
    rare = (r >= _FEWEST_RARE) & (r <= RARE * n)
    shares = float(r[rare].sum() / n), float(s[rare].sum() / m)
    errors = apart(shares[0], n, shares[1], m)
    if shares[0] >= _LEAST_NEW and fate_of(*shares, errors, CLEAR) == "lost":
        gone = int(np.sum(rare & (s == 0)))
        said = (
            f"{int(rare.sum()):,} combinations that are rare among the real rows make up"
            f" {percent(shares[0])} of these and {percent(shares[1])} of the synthetic;"
            f" {gone:,} of them never occur in the release"
        )
        yield Pattern("rare combinations", (a, b), "lost", *shares, errors, said)
    new = float(s[r == 0].sum() / m)
    unseen = float(np.sum(r == 1) / n)  # Good and Turing: the chance of what no real row has
    beyond = apart(unseen, n, new, m)
    if new >= _LEAST_NEW + 2 * unseen and beyond >= CLEAR:
        said = (
            f"{percent(new)} of the synthetic rows have a combination that no real row has, where"
            f" {percent(unseen)} of new real rows would"
        )
        yield Pattern("rare combinations", (a, b), "invented", unseen, new, beyond, said)
