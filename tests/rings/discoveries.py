"""Laws of a discovery: tables of values that units hold, and the exact distribution of what is told of them."""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.stats import binomtest

from tests.rings import oracle
from tests.rings.laws import granted

Rows = list[tuple[str | None, str]]
"""Whose each row is, and the value that it holds."""

EPSILONS = (0.0, 0.02, 0.1, 0.3, 1.0, 3.0, 8.0)
VALUES = ("a", "b", "c")
MANY = 60_000
SURE = 1e-7
"""Of a binomial test with a seed: such a sample of the truth is drawn once in ten million seeds."""


def unit_of(k: SimpleNamespace, most: int, adjacency: str, ids: bool):
    return k.PrivacyUnit("who" if ids else None, most, adjacency)


def held(k: SimpleNamespace, rows: Rows, unit, text_of=str):
    frame = pd.DataFrame({"who": [who for who, _ in rows], "code": pd.Series([v for _, v in rows], dtype=object)})
    return k.held_texts(k.bound_table(lambda columns: [frame], unit), "code", text_of)


def exact_counts_of(k: SimpleNamespace, frame, unit) -> dict[str, int]:
    texts, counts = k.held._exact_counts(k.held_texts(k.bound_table(lambda columns: [frame], unit), "code", str))
    return dict(zip(texts, counts.tolist(), strict=True))


def exact_counts(k: SimpleNamespace, rows: Rows, unit) -> dict[str, int]:
    texts, counts = k.held._exact_counts(held(k, rows, unit))
    return dict(zip(texts, counts.tolist(), strict=True))


def told(k: SimpleNamespace, rows, event, seed: int) -> tuple[str, ...]:
    """What one discovery tells, by the code under test and a seed."""
    return event.redeem(k.Grant(k.noise.seeded_bits(seed), None, "run", 1), rows)


def chances(counts: Mapping[str, int], threshold: int, stddev: float) -> dict[str, float]:
    """How likely each value is told: the upper tail of the rounded Gaussian."""
    return {v: float(oracle.upper_tail((threshold - 0.5 - n) / stddev)) for v, n in counts.items() if n}


def divergence(one: Mapping[str, float], other: Mapping[str, float], epsilon: float) -> float:
    """The exact hockey-stick divergence of what is told of two tables: over all sets of values."""
    total = 0.0
    values = sorted({*one, *other})
    for told_of in itertools.product((False, True), repeat=len(values)):
        p, q = (
            math.prod(
                each.get(v, 0.0) if is_told else 1 - each.get(v, 0.0)
                for v, is_told in zip(values, told_of, strict=True)
            )
            for each in (one, other)
        )
        total += max(0.0, p - math.exp(epsilon) * q)
    return total


def bundles(most: int) -> list[tuple[str, ...]]:
    """All that one unit may hold in so many rows at most, up to their order."""
    return [b for n in range(1, most + 1) for b in itertools.combinations_with_replacement(VALUES, n)]


def neighbours(most: int, adjacency: str) -> Iterable[tuple[Rows, Rows]]:
    """All pairs of tables in which a few others hold one value each, and one unit comes, goes or is replaced."""
    for others in ((), ("a",), ("a", "a"), ("a", "b")):
        base: Rows = [(f"other {i}", v) for i, v in enumerate(others)]
        mine = [base + [("me", v) for v in b] for b in bundles(most)]
        if adjacency == "add-remove":
            yield from ((rows, base) for rows in mine)
        else:
            yield from itertools.combinations(mine, 2)


def counted_neighbours(k: SimpleNamespace, unit) -> list[tuple[tuple[tuple[str, int], ...], ...]]:
    """The exact counts of both tables of every pair of neighbours, each pair of counts once, in one order."""
    count = functools.cache(lambda rows: tuple(sorted(exact_counts(k, list(rows), unit).items())))
    return sorted({tuple(count(tuple(rows)) for rows in pair) for pair in neighbours(unit.max_records, unit.adjacency)})


KINDS = [
    (1, "add-remove", True),
    (3, "add-remove", True),
    (2, "replace", True),
    (3, "add-remove", False),
    (2, "replace", False),
]
"""Of units: max_records, adjacency, whether there are ids."""


def no_two_neighbours_are_told_apart_beyond_the_charge(k: SimpleNamespace) -> None:
    """The exact distribution of both tables against mu and delta of the ledger's line, in both orders.

    Noise and delta are such that each is needed: the worst pair uses up more than four fifths of what is charged.
    """
    nearest = 0.0
    for (most, adjacency, ids), (noise, delta) in itertools.product(KINDS, [(40.0, 0.02), (0.8, 1e-4), (6.0, 0.2)]):
        unit = unit_of(k, most, adjacency, ids)
        event = k.Discovery(noise, delta)
        threshold, stddev = event.threshold(unit), event.stddev(unit)
        mu_squared = Fraction(event.cost.gaussian, k.gaussian_dp.COST_UNIT)
        own = event.cost.delta / k.gaussian_dp.COST_UNIT
        charged = {e: float(oracle.delta(e, mu_squared)) + own for e in EPSILONS}
        for pair in counted_neighbours(k, unit):
            one, other = (chances(dict(counts), threshold, stddev) for counts in pair)
            for epsilon, (p, q) in itertools.product(EPSILONS, ((one, other), (other, one))):
                found = divergence(p, q, epsilon)
                assert found <= charged[epsilon] + 1e-12, (most, adjacency, ids, noise, delta, pair, epsilon)
                if charged[epsilon]:
                    nearest = max(nearest, found / charged[epsilon])
    assert nearest > 0.8, nearest


def no_unit_moves_the_counts_further_than_is_said(k: SimpleNamespace) -> None:
    for most, adjacency, ids in KINDS:
        unit = unit_of(k, most, adjacency, ids)
        farthest = 0.0
        for pair in counted_neighbours(k, unit):
            one, other = (Counter(dict(counts)) for counts in pair)
            farthest = max(farthest, math.hypot(*((one[v] - other[v]) for v in VALUES)))
        assert farthest <= k.held.l2_of(unit)
        event = k.Discovery(7.0, 1e-9)
        assert event.stddev(unit) >= 7.0 * farthest


def a_value_of_one_unit_is_told_as_seldom_as_delta_says(k: SimpleNamespace) -> None:
    """Of many values that one unit alone holds as many are told as the tail of the noise says, and no more than delta.

    60,000 values, about 0.04 of them told: a binomial test refutes a rate that is off by a quarter.
    """
    for most, ids in ((1, True), (1, False), (4, True)):
        unit = unit_of(k, most, "add-remove", ids)
        event = k.Discovery(3.0, 0.05 * most)
        rows: Rows = [(f"who {i // most}", f"value {i}") for i in range(MANY)]
        found = len(told(k, held(k, rows, unit), event, seed=11 + most))
        (chance,) = chances({"once": 1}, event.threshold(unit), event.stddev(unit)).values()
        assert binomtest(found, MANY, chance).pvalue > SURE
        assert most * chance <= event.delta
        assert binomtest(found, MANY, 1.25 * chance).pvalue < SURE
        assert binomtest(found, MANY, chance / 1.25).pvalue < SURE


def values_are_told_by_their_counts(k: SimpleNamespace) -> None:
    """Counts at, under and over the threshold: how often each is told in 3,000 draws of the noise."""
    unit = unit_of(k, 1, "add-remove", True)
    event = k.Discovery(2.0, 0.05)
    threshold = event.threshold(unit)
    counts = {"under": threshold - 3, "at": threshold, "over": threshold + 2, "far": threshold + 20}
    rows: Rows = [(f"{v} {i}", v) for v, n in counts.items() for i in range(n)]
    values = held(k, rows, unit)
    times = Counter(v for seed in range(3_000) for v in told(k, values, event, seed))
    for value, chance in chances(counts, threshold, event.stddev(unit)).items():
        assert binomtest(times[value], 3_000, min(1.0, chance)).pvalue > SURE, value
    assert times["far"] == 3_000


def the_order_of_rows_is_not_told(k: SimpleNamespace) -> None:
    """Values come in the order of their texts, whoever holds them first, and however many do."""
    unit = unit_of(k, 1, "add-remove", True)
    rows: Rows = [(f"{v} {i}", v) for v, n in (("m", 90), ("z", 400), ("b", 200), ("a", 60)) for i in range(n)]
    for turned in (rows, rows[::-1], rows[90:] + rows[:90]):
        assert told(k, held(k, turned, unit), k.Discovery(1.0, 1e-6), seed=3) == ("a", "b", "m", "z")


def what_is_charged_has_a_delta_of_its_own(k: SimpleNamespace) -> None:
    event = k.Discovery(30.0, 1e-9)
    assert event.cost == k.Cost(k.gaussian_dp.gaussian_cost(30.0), k.cost.units(1e-9))
    assert event.cost.delta >= 1e-9 * k.gaussian_dp.COST_UNIT


def a_discovery_is_kept_from_failing_by_what_rows_hold(k: SimpleNamespace) -> None:
    """Odd values, and a reader that fails on them, are not counted, and what fails says nothing."""
    unit = unit_of(k, 1, "add-remove", True)

    def fails_on_some(value):
        if value == "x":
            raise MemoryError("x is here")
        return value if isinstance(value, str) else b"no text"

    odd = ["x", None, 3.5, float("nan"), "\ud800", "", ("t",), pd.NaT, True]
    frame = pd.DataFrame({"who": range(60 + len(odd)), "code": pd.Series([*odd, *["y"] * 60], dtype=object)})
    values = granted(lambda: k.held_texts(k.bound_table(lambda columns: [frame], unit), "code", fails_on_some))
    assert k.held._exact_counts(values) == (["y"], [60])
    assert told(k, values, k.Discovery(1.0, 1e-6), seed=1) == ("y",)
    empty = k.held_texts(k.bound_table(lambda columns: [frame[:0]], unit), "code", str)
    assert told(k, empty, k.Discovery(1.0, 1e-6), seed=1) == ()


def the_container_of_a_column_changes_no_count(k: SimpleNamespace) -> None:
    """A missing value turns whole numbers into others, a word turns them into objects: values stay what they were."""
    unit = unit_of(k, 1, "add-remove", True)

    def text_of(value):
        return value if isinstance(value, str) else f"{value:g}"

    numbers = [1, 2, 2, 70]
    columns = [
        pd.Series(numbers),
        pd.Series(numbers, dtype=float),
        pd.Series(numbers, dtype=object),
        pd.Series(numbers, dtype="Int64"),
        pd.Series(list(map(str, numbers))),
        pd.Series(numbers, dtype="category"),
        pd.Series(list(map(str, numbers)), dtype="string[pyarrow]"),
        pd.Series([*map(Decimal, numbers)], dtype=object),
        pa.array([*map(Decimal, numbers)], pa.decimal128(9, 2)),
        pa.array(numbers, pa.int8()),
        pa.array([*map(str, numbers)]).dictionary_encode(),
    ]
    for column in columns:
        table = pa.table if isinstance(column, pa.Array | pa.DictionaryArray) else pd.DataFrame
        rows = table({"who": np.arange(4), "code": column})
        texts, counts = k.held._exact_counts(
            k.held_texts(k.bound_table(lambda columns, t=rows: [t], unit), "code", text_of)
        )
        assert dict(zip(texts, counts.tolist(), strict=True)) == {"1": 1, "2": 2, "70": 1}, column
    for column in (np.array(["a\0"] * 4), np.array(["a\0"] * 4, dtype=object), np.array([b"a\0"] * 4, dtype=object)):
        rows = pd.DataFrame({"who": np.arange(4), "code": pd.Series(column, dtype=object)})
        assert exact_counts_of(k, rows, unit) == {"a": 4}, column


def a_value_that_no_row_has_is_not_counted(k: SimpleNamespace) -> None:
    """Entries of a dictionary without a row, and values of rows that the bounding drops: nobody holds them."""
    kinds = pd.CategoricalDtype(["a", "gone", "once"])
    frame = pd.DataFrame({"who": ["p", "q", "q"], "code": pd.Categorical(["a", "a", "once"], dtype=kinds)})
    arrow = pa.table({"who": ["p", "q"], "code": pa.DictionaryArray.from_arrays([0, 0], ["a", "gone"])})
    unit = unit_of(k, 1, "add-remove", True)
    for table in (frame, arrow):
        texts, counts = k.held._exact_counts(
            k.held_texts(k.bound_table(lambda columns, t=table: [t], unit), "code", str)
        )
        assert "gone" not in texts
        assert sum(counts) == 2
        assert min(counts) > 0


LAWS = [
    no_two_neighbours_are_told_apart_beyond_the_charge,
    no_unit_moves_the_counts_further_than_is_said,
    a_value_of_one_unit_is_told_as_seldom_as_delta_says,
    values_are_told_by_their_counts,
    the_order_of_rows_is_not_told,
    what_is_charged_has_a_delta_of_its_own,
    a_discovery_is_kept_from_failing_by_what_rows_hold,
    the_container_of_a_column_changes_no_count,
    a_value_that_no_row_has_is_not_counted,
]
