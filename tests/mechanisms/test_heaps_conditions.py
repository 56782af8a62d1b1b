"""Round values under a condition: rows are distributed as all rows are that meet it, at bounds that are multiples too.

Two samples are compared by chi-square on their values, p >= 1e-4 for one distribution; seeds and sizes stand with each.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency

import dpsynth as d
from dpsynth.data.tables.cells import NumericCodec
from dpsynth.data.tables.codec import codec_for
from dpsynth.data.tables.inside import Inside, with_inside
from dpsynth.data.tables.parts import Parts, mixed
from dpsynth.data.tables.ways import Way

LEVEL = 1e-4
ROWS = 60_000

HEAPED = Inside(atoms=(1005.0,), shares=(0.1,), heaps=(5.0, 10.0, 50.0, 500.0), heaped=(0.2, 0.3, 0.1, 0.5))
WRITTEN = Inside(decimals=(0.5, 0.2), every=(0.5, 0.2), heaps=(10.0, 100.0), heaped=(0.2, 0.4))

COLUMNS = {
    "whole": (d.Numeric(3, 12_003, integer=True), HEAPED),
    "in fives": (d.Numeric(0, 99_995, step=5), Inside(heaps=(10.0, 50.0, 500.0), heaped=(0.3, 0.2, 0.5))),
    "real": (d.Numeric(0, 10_000), WRITTEN),
    "below zero": (d.Numeric(-12_000, 300, integer=True), Inside(heaps=(5.0, 100.0), heaped=(0.3, 0.4))),
}


def between(low: float, high: float, *, closed: str = "both"):
    def holds(values: pd.Series) -> np.ndarray:
        x = values.astype(float)
        return ((x >= low) if closed in ("both", "left") else (x > low)).to_numpy() & (
            (x <= high) if closed in ("both", "right") else (x < high)
        ).to_numpy()

    return holds


def outside(*wanted: float):
    return lambda values: ~values.astype(float).isin(wanted).to_numpy()


def one_of(*wanted: float):
    return lambda values: values.astype(float).isin(wanted).to_numpy()


CONDITIONS = {
    "from a multiple on": (between(1000, math.inf), (1000,)),
    "beyond a multiple": (between(1000, math.inf, closed="right"), (1000,)),
    "up to a multiple": (between(-math.inf, 1000), (1000,)),
    "below a multiple": (between(-math.inf, 1000, closed="left"), (1000,)),
    "between two": (between(985, 1010), (985, 1010)),
    "between two, open": (between(990, 1010, closed="neither"), (990, 1010)),
    "beside multiples": (between(981, 1017), (981, 1017)),
    "one of two": (one_of(1000, 1010), (1000, 1010)),
    "none of two": (outside(1000, 1010), (1000, 1010)),
}


def drawn(codec: NumericCodec, inside: Inside, holds, constants, cells: np.ndarray, seed: int) -> np.ndarray:
    """As a model with these cells, all alike, draws rows under a condition: by the weights of its parts."""
    free = not constants
    parts = with_inside(codec.parts(holds, constants), codec, inside, holds, free=free)
    rng = np.random.default_rng(seed)
    weights = codec.weights(parts)[cells]
    if free:
        np.testing.assert_allclose(weights, 1.0, rtol=1e-12)
    codes = rng.choice(cells, ROWS, p=weights / weights.sum())
    return codec.decode(codes, rng, parts).to_numpy(float)


def alike(one: np.ndarray, two: np.ndarray) -> float:
    """The p-value of two samples of one distribution; values that hardly any row has are put together."""
    values, places = np.unique(np.concatenate([one, two]), return_inverse=True)
    kinds = np.where(np.arange(len(places)) < len(one), 0, 1)
    common = np.bincount(places) >= 200
    place = np.where(common[places], places, len(values) + np.searchsorted(RANGES, values[places]))
    return float(chi2_contingency(pd.crosstab(kinds, place).to_numpy()).pvalue)


RANGES = np.array([-1100, -1000, -990, 0, 900, 980, 990, 1000, 1003, 1010, 1050, 1200, 5000])


def near(codec: NumericCodec) -> np.ndarray:
    """The cells of the numbers around 1,000, or -1,000, and some beyond."""
    middle = 1000 if codec.high > 1000 else -1000
    numbers = pd.Series([middle, *(middle + each for each in (-200, -30, -10, -1, 1, 10, 30, 200, 300))], dtype=float)
    return np.unique(codec.encode(numbers))


def of(column: str, condition: str):
    holds, constants = CONDITIONS[condition]
    if column != "below zero":
        return holds, constants
    return (lambda values: holds(-values.astype(float))), tuple(-each for each in constants)


CASES = [(column, each) for column in COLUMNS for each in CONDITIONS]


def p_value(column: str, condition: str, seed: int) -> float:
    declared, inside = COLUMNS[column]
    codec = codec_for(declared)
    cells, (holds, constants) = near(codec), of(column, condition)
    every = drawn(codec, inside, lambda values: np.ones(len(values), bool), (), cells, seed)
    wanted = every[holds(pd.Series(every))]
    found = drawn(codec, inside, holds, constants, cells, seed + 1)
    assert holds(pd.Series(found)).all()
    assert len(wanted) > 500
    return alike(wanted, found)


@pytest.mark.parametrize(("column", "condition"), CASES)
def test_rows_under_a_condition_are_the_rows_that_meet_it(column: str, condition: str) -> None:
    """60,000 rows each, seed 7."""
    assert p_value(column, condition, 7) >= LEVEL


@pytest.mark.parametrize("column", COLUMNS)
def test_the_test_rejects_parts_that_count_by_their_length(column: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A double: a part of a cell is drawn from by itself, as if it were a cell, and counts by its length."""

    def alone(self, first, last, low, high):
        return first, last

    monkeypatch.setattr(Way, "drawn_from", alone)
    assert p_value(column, "from a multiple on", 7) < LEVEL


def test_the_test_rejects_multiples_that_take_one_draw_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A near miss: halfway between two multiples of 10 is always drawn up, and half of it goes down elsewhere."""
    honest = Way.drawn_from

    def shifted(self, first, last, low, high):
        begin, end = honest(self, first, last, low, high)
        return np.maximum(begin - 1, low), end

    monkeypatch.setattr(Way, "drawn_from", shifted)
    assert p_value("whole", "between two", 7) < LEVEL


def test_a_value_that_the_model_never_draws_is_drawn_all_the_same() -> None:
    """All numbers are whole: between two of them the condition leaves none that is written so."""
    codec = codec_for(d.Numeric(0, 10_000))
    cell = codec.encode([1000.5])
    holds = between(1000.2, 1000.8)
    parts = with_inside(
        codec.parts(holds, [1000.2, 1000.8]), codec, Inside(decimals=(1.0,), every=(1.0,)), holds, free=False
    )
    assert parts.points
    assert codec.weights(parts)[cell] > 0
    assert holds(codec.decode(np.repeat(cell, 200), np.random.default_rng(0), parts)).all()


def test_parts_that_are_tilted_are_written_as_they_were() -> None:
    """Of rows from 1,000 on three times as many, 60,000 rows each, seeds 1 and 2: chi-square on their values."""
    declared, inside = COLUMNS["whole"]
    codec = codec_for(declared)
    cells = near(codec)

    def parts(holds) -> Parts:
        return with_inside(codec.parts(holds, (1000,)), codec, inside, holds, free=False)

    below, above = between(-math.inf, 1000, closed="left"), between(1000, math.inf)
    both = mixed([(3.0, parts(above)), (1.0, parts(below))])
    rng = np.random.default_rng(1)
    weights = codec.weights(both)[cells]
    found = codec.decode(rng.choice(cells, ROWS, p=weights / weights.sum()), rng, both).to_numpy(float)
    every = drawn(codec, inside, lambda values: np.ones(len(values), bool), (), cells, 2)
    rng = np.random.default_rng(3)
    wanted = every[(every >= 1000) | (rng.random(ROWS) < 1 / 3)]
    assert alike(wanted, found) >= LEVEL


# A synthesizer


@pytest.fixture(scope="module")
def fitted() -> d.Synthesizer:
    rng = np.random.default_rng(3)
    cost = rng.lognormal(7, 0.5, 20_000).clip(0, 30_000)
    ward = rng.choice(list("ab"), 20_000)
    heaped = np.where(rng.random(20_000) < 0.5, np.rint(cost / 100) * 100, np.rint(cost))
    rows = pd.DataFrame({"cost": heaped.astype(int), "ward": ward})
    schema = d.Schema(
        {"cost": d.Numeric(0, 30_000, integer=True, heaping={100: 0.5}), "ward": d.Categorical(list("ab"))}
    )
    return d.Synthesizer(schema, epsilon=5, delta=1e-6, ledger=None, unsafe_seed=1).fit(rows)


@pytest.fixture(scope="module")
def everything(fitted: d.Synthesizer) -> np.ndarray:
    return fitted.sample(200_000, seed=1)["cost"].to_numpy(float)


def exactly(values: np.ndarray, number: float) -> float:
    return float((values == number).mean())


def as_many(found: np.ndarray, wanted: np.ndarray, number: float) -> bool:
    """Whether a number has the same share in both, by five standard deviations of them."""
    share = exactly(wanted, number)
    noise = math.sqrt(share * (1 - share) * (1 / len(found) + 1 / len(wanted)))
    return abs(exactly(found, number) - share) <= 5 * noise


@pytest.mark.parametrize(
    ("where", "low", "high"),
    [("cost >= 1000", 1000, math.inf), ("cost > 999 and cost <= 1200", 1000, 1200), ("cost == 1000", 1000, 1000)],
)
def test_a_round_bound_keeps_its_rows_in_a_sample(fitted, everything, where, low, high) -> None:
    found = fitted.sample(20_000, where=where, seed=2)["cost"].to_numpy(float)
    wanted = everything[(everything >= low) & (everything <= high)]
    assert as_many(found, wanted, 1000)
    assert exactly(wanted, 1000) > 0.01  # by length alone it had .0002
    assert (pd.Series(found).between(low, high)).all()


def test_a_round_bound_keeps_its_rows_in_a_balance_a_scenario_and_partial_rows(fitted, everything) -> None:
    above, below = everything[everything >= 1000], everything[everything < 1000]
    half = fitted.sample(20_000, balance={"cost": {"cost >= 1000": 0.5, "cost < 1000": 0.5}}, seed=3)
    cost = half["cost"].to_numpy(float)
    assert as_many(cost[cost >= 1000], above, 1000)
    assert as_many(cost[cost < 1000], below, 900)
    told = d.Scenario.from_dict({"name": "dear", "parts": [{"name": "dear", "share": 1, "where": "cost >= 1000"}]})
    assert as_many(fitted.sample(20_000, scenario=told, seed=4)["cost"].to_numpy(float), above, 1000)
    partial = pd.DataFrame({"ward": ["a"] * 20_000, "cost": [None] * 20_000})
    whole = fitted.sample(given=partial, where="cost >= 1000", seed=5)["cost"].to_numpy(float)
    assert as_many(whole, above, 1000)
