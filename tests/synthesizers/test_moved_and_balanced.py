"""Balance over several columns, tilts and shifts, where the schema has constraints."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import dpsynth as d
from dpsynth.synthesizers import shifting
from tests.synthesizers.constraint_cases import broken
from tests.synthesizers.test_constrained import PEOPLE, people

pytestmark = pytest.mark.filterwarnings("ignore::dpsynth.CautionWarning")


@pytest.fixture(scope="module")
def synth() -> d.Synthesizer:
    return d.Synthesizer(PEOPLE, "canopy", epsilon=5, delta=1e-6, ledger=None, unsafe_seed=1).fit(people())


def part(synth: d.Synthesizer, n: int, **facts: Any) -> pd.DataFrame:
    scenario = d.Scenario.from_dict({"parts": [{"name": "a", **facts}]})
    return synth.sample(n, scenario=scenario, seed=1).drop(columns=["part", "support", "extrapolated"])


BALANCES: list[dict[str, Any]] = [
    {"sex": {"M": 0.5, "F": 0.5}, "city": {"Bonn": 0.25}},
    {"day": 0.1, "grade": {"A": 0.7}, "sex": {"M": 0.2}},
    {"total": {"total >= 50": 0.5}, "city": {"Paris": 0.5}},
    {"discharged": {"null": 0.4}, "country": {"FR": 0.9}},
]


@pytest.mark.parametrize("balance", BALANCES)
def test_several_columns_have_their_shares_in_rows_that_keep_all_rules(synth: d.Synthesizer, balance: Any) -> None:
    rows = synth.sample(400, balance=balance, where="age >= 20", seed=2)
    assert len(rows) == 400
    assert (rows["age"] >= 20).all()
    assert broken(PEOPLE, rows) == []
    for name, shares in balance.items():
        for value, share in shares.items() if isinstance(shares, dict) else [(True, shares)]:
            held = (
                rows["total"] >= 50
                if name == "total"
                else rows[name].isna()
                if value == "null"
                else rows[name] == value
            )
            assert int(held.sum()) == round(400 * share), (name, value)


def test_columns_stay_joined_as_the_model_has_them() -> None:
    """The odds ratio of two columns, 9 in the rows, is that of a balanced sample (seed 1; 20,000 rows)."""
    columns = {"p": d.Categorical(["u", "v"]), "q": d.Categorical(["r", "s"]), "m": d.Boolean()}
    rng = np.random.default_rng(3)
    p = rng.random(20_000) < 0.3
    q = rng.random(20_000) < np.where(p, 0.75, 0.25)
    frame = pd.DataFrame({"p": np.where(p, "u", "v"), "q": np.where(q, "r", "s"), "m": rng.random(20_000) < 0.5})
    schema = d.Schema(columns, constraints=[d.Implies("p == 'u' and m == True", "q == 'r'")])
    synth = d.Synthesizer(schema, "mst", epsilon=20, delta=1e-6, ledger=None, unsafe_seed=1).fit(frame)

    def odds(rows: pd.DataFrame) -> float:
        cells = pd.crosstab(rows["p"], rows["q"]).to_numpy().astype(float)
        return float(cells[0, 0] * cells[1, 1] / (cells[0, 1] * cells[1, 0]))

    free = odds(synth.sample(20_000, seed=1))
    rows = synth.sample(20_000, balance={"p": {"u": 0.5}, "q": {"r": 0.5}}, seed=1)
    assert (rows["p"] == "u").mean() == 0.5 == (rows["q"] == "r").mean()
    assert odds(rows) == pytest.approx(free, rel=0.25)
    assert free > 4


@pytest.mark.parametrize(
    ("column", "value", "factor"),
    [("sex", "M", 4.0), ("city", "Bonn", 5.0), ("grade", "A", 0.25), ("day", "true", 3.0)],
)
def test_a_tilted_value_is_so_many_times_as_frequent_beside_the_others(
    synth: d.Synthesizer, column: str, value: str, factor: float
) -> None:
    plain = synth.sample(8000, seed=1)
    rows = part(synth, 8000, tilt={column: {value: factor}})
    wanted = True if value == "true" else value
    odds = [each / (1 - each) for each in ((plain[column] == wanted).mean(), (rows[column] == wanted).mean())]
    assert odds[1] / odds[0] == pytest.approx(factor, rel=0.2)
    assert broken(PEOPLE, rows) == []


SHIFTS: dict[str, tuple[dict[str, float], str | None]] = {
    "a part of a total": ({"net": 12.5}, None),
    "two parts": ({"net": 5, "tax": 1}, None),
    "a total": ({"total": 12.5}, None),
    "a total under a condition": ({"total": 9.25}, "total >= 20 and sex == 'F'"),
    "a total and its second part": ({"total": 20, "tax": 1}, None),
    "a number in a condition": ({"age": 10}, "age >= 30"),
    "increments": ({"dose": 5}, None),
    "what a rule is about": ({"pregnancies": 1}, "sex == 'F'"),
}


@pytest.mark.parametrize(("shift", "where"), SHIFTS.values(), ids=SHIFTS.keys())
def test_what_follows_from_a_shifted_number_moves_with_it(synth: d.Synthesizer, shift: Any, where: str | None) -> None:
    rows = part(synth, 2000, shift=shift, **({} if where is None else {"where": where}))
    assert len(rows) == 2000
    assert broken(PEOPLE, rows) == []
    plain = synth.sample(2000, seed=1, where=where)
    for name, by in shift.items():
        assert 0.3 * by < rows[name].mean() - plain[name].mean() < 1.3 * by, name
    if "age" in shift:
        assert rows["age"].min() >= 40


def test_shares_are_exact_beside_a_shift(synth: d.Synthesizer) -> None:
    rows = part(synth, 300, shift={"net": 30}, balance={"sex": {"M": 0.5}})
    assert int((rows["sex"] == "M").sum()) == 150
    assert broken(PEOPLE, rows) == []


def test_the_end_of_a_gap_keeps_its_distance() -> None:
    columns = {"low": d.Numeric(0, 100, integer=True), "high": d.Numeric(0, 105, integer=True, nullable=True)}
    schema = d.Schema(columns, constraints=[d.Order("low", "<", "high")])
    low = np.random.default_rng(1).integers(0, 60, 3000)
    frame = pd.DataFrame({"low": low, "high": low + 7})
    synth = d.Synthesizer(schema, "mst", epsilon=50, delta=1e-6, ledger=None, unsafe_seed=1).fit(frame)
    rows = part(synth, 500, shift={"low": 30})
    assert rows["low"].min() >= 30
    assert ((rows["high"] - rows["low"]) == 7).mean() > 0.95
    with pytest.raises(d.ConditionError, match="keep the constraints when `low` are shifted"):
        shifting_of(synth, 95)


def shifting_of(synth: d.Synthesizer, by: float) -> pd.DataFrame:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(shifting, "_MOST", 1000)
        return part(synth, 50, shift={"low": by}, where="high is not None and high >= 60 and low >= 58")


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"shift": {"total": 1, "net": 1}}, "is moved with 'net' by a constraint, and both are shifted"),
        ({"shift": {"visit": 1}}, "'visit' follows from other columns"),
        ({"shift": {"dose": 1}}, "'dose' has steps of 2.5 and is shifted by 1"),
        ({"tilt": {"total": {"total > 50": 2}}}, "'total' follows from others"),
        ({"tilt": {"city": {"Bonn": 2}, "country": {"FR": 2}}}, "modelled with another tilted column"),
    ],
)
@pytest.mark.parametrize("impossible", ["refuse", "skip"])
def test_what_cannot_be_moved_is_said_before_anything_is_drawn(
    synth: d.Synthesizer, facts: Any, said: str, impossible: str
) -> None:
    scenario = d.Scenario.from_dict({"impossible": impossible, "parts": [{"name": "a", **facts}]})
    with pytest.raises(d.ConditionError) as caught:
        synth.sample(10, scenario=scenario, seed=1)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_shift_that_tests_no_rule_is_found(synth: d.Synthesizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dpsynth.synthesizers.kept_rows.Keeping.broken", lambda self, rows, n: np.zeros(n, dtype=bool))
    columns = {"a": d.Numeric(0, 10, integer=True), "b": d.Categorical(["u", "v"])}
    schema = d.Schema(columns, constraints=[d.Implies("b == 'u'", "a < 5")])
    frame = pd.DataFrame({"a": [1, 8] * 500, "b": ["u", "v"] * 500})
    moved = d.Synthesizer(schema, "mst", epsilon=50, delta=1e-6, ledger=None, unsafe_seed=1).fit(frame)
    assert broken(schema, part(moved, 200, shift={"a": 4})) != []
