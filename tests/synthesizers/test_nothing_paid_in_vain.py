"""No fit is paid for that cannot be sampled: a schema is refused before it, or its samples keep all rules.

Every row that the columns of a small schema can have is tried by a checker that shares no code with what draws rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dpsynth as d
from dpsynth.synthesizers import feasible, kept_block
from dpsynth.synthesizers.feasible import refuse_unkeepable
from tests.synthesizers.constraint_cases import broken
from tests.synthesizers.small_schemas import any_rows, small_schema
from tests.synthesizers.small_schemas import kept_rows as rows_that_keep

pytestmark = [
    pytest.mark.filterwarnings("ignore::dpsynth.CautionWarning"),
    pytest.mark.filterwarnings("ignore:an empty entry:UserWarning"),
]


@pytest.fixture(autouse=True)
def _given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_block, "_HOPELESS", 20_000)
    monkeypatch.setattr(kept_block, "_BATCH", 20_000)
    monkeypatch.setattr(kept_block, "_MOST_DRAWS", 1_000_000)


def schemas(seed: int, count: int) -> Iterator[tuple[np.random.Generator, d.Schema]]:
    rng = np.random.default_rng(seed)
    while count:
        try:
            schema = small_schema(rng)
        except d.SchemaError:
            continue
        count -= 1
        yield rng, schema


def outcomes(seed: int, count: int, mechanism: str, epsilon: float, alike: bool) -> Counter[str]:
    """What became of so many schemas. alike: whether all input rows are one that may keep no rule."""
    found: Counter[str] = Counter()
    for number, (rng, schema) in enumerate(schemas(seed, count)):
        rows = rows_that_keep(schema)
        data = any_rows(rng, schema, 1 if alike else 80)
        data = pd.concat([data] * 2000, ignore_index=True) if alike else data
        synth = d.Synthesizer(schema, mechanism, epsilon=epsilon, delta=1e-6, ledger=None, unsafe_seed=number)
        try:
            refuse_unkeepable(schema)
        except d.SchemaError as error:
            said = str(error)
            assert "`" in said or "constraints leave no column" in said
            assert not rows or "hold together where these columns are equal" in said, (said, rows[:1])
            found["refused"] += 1
            continue
        assert rows, [rule.describe() for rule in schema.constraints]
        drawn = synth.fit(data).sample(50, seed=1)
        assert len(drawn) == 50
        assert broken(schema, drawn) == []
        found["kept"] += 1
    return found


@pytest.mark.parametrize(
    ("mechanism", "epsilon", "alike"), [("independent", 1.0, False), ("canopy", 50.0, True), ("mst", 5.0, True)]
)
def test_a_small_schema_is_refused_or_its_samples_keep_all_rules(mechanism: str, epsilon: float, alike: bool) -> None:
    found = outcomes(21, 30, mechanism, epsilon, alike)
    assert found["refused"] >= 1
    assert found["kept"] >= 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mechanism", "epsilon", "alike"), [("independent", 1.0, False), ("canopy", 50.0, True), ("mst", 5.0, True)]
)
def test_many_small_schemas_are_refused_or_their_samples_keep_all_rules(
    mechanism: str, epsilon: float, alike: bool
) -> None:
    found = outcomes(22, 300, mechanism, epsilon, alike)
    assert found["refused"] >= 10
    assert found["kept"] >= 200


NUMBERS = {
    "i": d.Numeric(0, 2, integer=True),
    "k": d.Numeric(0, 3, integer=True),
    "t": d.Numeric(0, 6, integer=True),
    "q": d.Categorical(["r", "s"]),
    "m": d.Boolean(),
}
VAIN: dict[str, list[Any]] = {
    "a sum and a table": [d.Sum("t", ["i", "k"]), d.FixedCombinations(["i", "m"], [[2, True]]), d.Order("k", ">", "t")],
    "a formula and an implication": [d.Derived("t", "i + 4"), d.Implies("k >= 0", "t < 4")],
    "a table, an order and a rule": [
        d.FixedCombinations(["i", "q"], [[0, "r"], [1, "s"]]),
        d.Order("i", ">", "k"),
        d.Implies("q == 's'", "k == 3"),
    ],
}


@pytest.mark.parametrize("rules", VAIN.values(), ids=VAIN.keys())
def test_what_several_kinds_exclude_together_is_refused_with_these_and_no_others(rules: list[Any]) -> None:
    beside = [d.Implies("m == True", "q == 'r'"), d.FixedIncrements("k", 1)]
    schema = d.Schema(NUMBERS, constraints=[*beside, *rules])
    assert rows_that_keep(schema) == []
    with pytest.raises(d.SchemaError) as caught:
        refuse_unkeepable(schema)
    said = str(caught.value)
    assert "\n" not in said
    named = [rule for rule in schema.constraints if f"`{rule.describe()}`" in said]
    assert rows_that_keep(d.Schema(NUMBERS, constraints=named)) == []
    for rule in named:
        assert rows_that_keep(d.Schema(NUMBERS, constraints=[each for each in named if each is not rule])) != []


def test_made_up_rows_are_told_and_columns_beside_the_rules_follow_the_model() -> None:
    rules = [d.Implies("i >= 0", "k == 3"), d.Implies("k >= 0", "m == True")]
    schema = d.Schema(NUMBERS, constraints=rules)
    frame = pd.DataFrame(
        {"i": [1, 2] * 2000, "k": 0, "t": [0, 6, 6, 6] * 1000, "q": ["r", "r", "r", "s"] * 1000, "m": False}
    )
    synth = d.Synthesizer(schema, "mst", epsilon=50, delta=1e-6, unsafe_seed=1, ledger=None).fit(frame)
    with pytest.warns(d.CautionWarning, match="next to no rows that keep the constraints on `i`, `k`"):
        rows = synth.sample(2000, seed=1)
    assert broken(schema, rows) == []
    assert (rows["t"] == 6).mean() == pytest.approx(0.75, abs=0.05)
    assert (rows["q"] == "r").mean() == pytest.approx(0.75, abs=0.05)
    with pytest.raises(d.ConditionError):
        synth.sample(10, where="i == 0", seed=1)


def test_a_search_that_tries_no_rows_lets_what_is_impossible_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = d.Schema(NUMBERS, constraints=VAIN["a formula and an implication"])
    monkeypatch.setattr(feasible, "_MOST", 0)
    refuse_unkeepable(schema)


def test_columns_that_can_only_be_missing_are_no_contradiction() -> None:
    """`j < t < i` where every i is at most every j: t is missing in each row."""
    columns = {**NUMBERS, "t": d.Numeric(5, 6, integer=True, nullable=True)}
    schema = d.Schema(columns, constraints=[d.Order("t", "<", "i"), d.Order("k", "<", "t")])
    rows = (
        d.Synthesizer(schema, "independent", epsilon=1, delta=1e-6, ledger=None)
        .fit(any_rows(np.random.default_rng(1), schema, 90))
        .sample(50)
    )
    assert rows["t"].isna().all()
    assert broken(schema, rows) == []
