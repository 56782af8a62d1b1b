"""Scenarios: parts with their shares and conditions, labelled, with a table of what they cover."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth import Boolean, Categorical, Identifier, Numeric, Scenario, Schema, Synthesizer
from dpsynth.base.mappings import write_mapping
from dpsynth.synthesizers import support
from tests.synthesizers import planted as cellwise

SCHEMA = Schema(
    {
        "visit": Identifier(),
        "age": Numeric(0, 1000, integer=True),
        "ward": Categorical(["surgery", "oncology", "closed"]),
        "fraud": Boolean(),
        "cost": Numeric(0, 1000, step=0.5, nullable=True),
    }
)
NIGHT = {
    "dpsynth_scenario": 1,
    "name": "night",
    "where": "age >= 18",
    "parts": [
        {"name": "old frauds", "share": 0.3, "where": "age >= 65", "balance": {"fraud": 0.5}},
        {"name": "surgery", "share": 0.2, "given": {"ward": "surgery"}, "shift": {"cost": 250.5}},
        {"name": "the others", "tilt": {"age": {"age >= 60": 4}, "ward": {"oncology": 0}}},
    ],
}


@pytest.fixture(scope="module")
def fitted() -> Synthesizer:
    rng = np.random.default_rng(0)
    age = rng.integers(0, 91, 6000)
    frame = pd.DataFrame(
        {
            "visit": range(6000),
            "age": age,
            "ward": np.where(rng.random(6000) < age / 100, "oncology", "surgery"),
            "fraud": rng.random(6000) < 0.02,
            "cost": np.round(np.clip(rng.normal(5 * age, 40), 0, 1000) * 2) / 2,
        }
    )
    return Synthesizer(SCHEMA, "canopy", epsilon=5, delta=1e-6, unsafe_seed=1, ledger=None).fit(frame)


def test_every_part_has_its_rows_and_keeps_its_conditions(fitted) -> None:
    rows = fitted.sample(1001, scenario=Scenario.from_dict(NIGHT), seed=1)
    assert list(rows) == [*SCHEMA.columns, "part", "support", "extrapolated"]
    assert rows["part"].value_counts().to_dict() == {"old frauds": 300, "surgery": 200, "the others": 501}
    assert rows["part"].tolist() == sorted(rows["part"], key=["old frauds", "surgery", "the others"].index)
    assert rows["visit"].is_unique
    assert (rows["age"] >= 18).all()
    old, surgery, others = (rows[rows["part"] == name] for name in ("old frauds", "surgery", "the others"))
    assert (old["age"] >= 65).all()
    assert old["fraud"].sum() == 150
    assert (surgery["ward"] == "surgery").all()
    assert not (others["ward"] == "oncology").any()
    pd.testing.assert_frame_equal(rows, fitted.sample(1001, scenario=Scenario.from_dict(NIGHT), seed=1))


def test_the_file_says_the_same_as_the_mapping(fitted, tmp_path) -> None:
    for name in ("night.yaml", "night.json"):
        write_mapping(tmp_path / name, NIGHT)
        scenario = Scenario.load(tmp_path / name)
        assert scenario == Scenario.from_dict(NIGHT)
        assert Scenario.from_dict(scenario.to_dict()) == scenario
    text = tmp_path / "by hand.yaml"
    text.write_text("parts:\n- {name: a, balance: {fraud: {true: 0.25}, age: {'age >= 65': 0.5}}}\n")
    rows = fitted.sample(40, scenario=Scenario.load(text), seed=1)
    assert (rows["fraud"].sum(), (rows["age"] >= 65).sum()) == (10, 20)


def test_a_tilt_multiplies_odds_and_leaves_the_rest_to_the_model() -> None:
    """Brute force over all cells; rows without the tilt are refuted."""
    synth = cellwise.planted()
    every = cellwise.every_row(synth)
    tilt = {"out": {"out >= 6": 5, "out is None": 0}, "ward": {"b": 3}}
    scenario = Scenario.from_dict({"parts": [{"name": "all", "where": "size > 0", "tilt": tilt}]})
    rows = pd.concat([synth.sample(300, scenario=scenario, seed=seed) for seed in range(20)])
    factor = np.where(every["out"].isna(), 0, np.where(every["out"].fillna(0) >= 6, 5, 1)) * np.where(
        every["ward"] == "b", 3, 1
    )
    tilted = every.assign(share=every["share"] * factor)
    tilted = tilted[tilted["share"] > 0]
    assert cellwise.p_value(rows, tilted, lambda r: r["size"] > 0) > 1e-4
    plain = pd.concat([synth.sample(300, where="size > 0 and out is not None", seed=seed) for seed in range(20)])
    assert cellwise.p_value(plain, tilted, lambda r: r["size"] > 0) < 1e-6


def test_a_tilt_cuts_cells_where_the_condition_does(fitted) -> None:
    """Of a number with wide cells the part above the cut comes more often, and no other."""
    scenario = Scenario.from_dict({"parts": [{"name": "all", "tilt": {"cost": {"cost >= 203.5": 9}}}]})
    plain, rows = fitted.sample(4000, seed=2)["cost"], fitted.sample(4000, scenario=scenario, seed=2)["cost"]
    odds = [(each >= 203.5).sum() / (each < 203.5).sum() for each in (plain, rows)]
    assert odds[1] / odds[0] == pytest.approx(9, rel=0.15)


def test_a_shift_moves_numbers_within_the_bounds_and_keeps_their_steps(fitted) -> None:
    def drawn(**more):
        spec = {"parts": [{"name": "all", "where": "cost is not None", **more}]}
        return fitted.sample(500, scenario=Scenario.from_dict(spec), seed=3)

    plain, moved = drawn(), drawn(shift={"cost": 700.5, "age": -40})
    assert moved["cost"].tolist() == (plain["cost"] + 700.5).clip(upper=1000).tolist()
    assert moved["age"].tolist() == (plain["age"] - 40).clip(lower=0).tolist()
    assert moved.dtypes.equals(plain.dtypes)
    assert moved["extrapolated"].mean() > plain["extrapolated"].mean() + 0.3


def test_a_grid_is_a_suite_with_a_coverage_table(fitted) -> None:
    grid = {"ward": ["surgery", "oncology"], "age": ["age < 18", "18 <= age < 65", "age >= 65"], "fraud": [True, False]}
    scenario = Scenario.from_dict({"grid": grid})
    rows = fitted.sample(120, scenario=scenario, seed=1)
    covered = scenario.coverage(rows)
    assert list(covered) == ["part", "asked", "given", "support", "extrapolated"]
    assert covered["part"][0] == "ward = surgery, age < 18, fraud = True"
    assert (covered["asked"] == 10).all()
    assert (covered["given"] == 10).all()
    first = rows[rows["part"] == covered["part"][0]]
    assert (first["ward"] == "surgery").all()
    assert (first["age"] < 18).all()
    assert first["fraud"].all()
    assert covered["support"][0] == first["support"].median()
    assert covered["extrapolated"][0] == first["extrapolated"].sum()


IMPOSSIBLE = {"grid": {"age": ["age < 65", "age > 950"], "ward": ["surgery", "oncology"]}}


def test_a_cell_that_the_model_excludes_is_refused_skipped_or_extrapolated(fitted) -> None:
    with pytest.raises(dpsynth.ConditionError, match="part 'age > 950, ward = surgery': the model gives probability 0"):
        fitted.sample(40, scenario=Scenario.from_dict(IMPOSSIBLE))
    skipping = Scenario.from_dict({**IMPOSSIBLE, "impossible": "skip"})
    rows = fitted.sample(40, scenario=skipping, seed=1)
    assert len(rows) == 20
    assert skipping.coverage(rows, 40)["given"].tolist() == [10, 10, 0, 0]
    beyond = Scenario.from_dict({**IMPOSSIBLE, "impossible": "extrapolate"})
    rows = fitted.sample(40, scenario=beyond, seed=1)
    last = rows[rows["part"] == "age > 950, ward = oncology"]
    assert last["age"].between(951, 1000).all()
    assert (last["ward"] == "oncology").all()
    assert last["extrapolated"].all()
    assert beyond.coverage(rows)["extrapolated"].tolist()[2:] == [10, 10]
    assert rows["part"].value_counts().eq(10).all()


def test_rows_that_are_made_up_are_extrapolated_whatever_their_support(fitted, monkeypatch) -> None:
    monkeypatch.setattr(support, "ENOUGH", -1.0)
    beyond = Scenario.from_dict({**IMPOSSIBLE, "impossible": "extrapolate"})
    assert beyond.coverage(fitted.sample(40, scenario=beyond, seed=1))["extrapolated"].tolist() == [0, 0, 10, 10]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ([], "must be a mapping"),
        ({}, "either parts or a grid"),
        ({"parts": [{"name": "a"}], "dpsynth_scenario": 2}, "dpsynth_scenario must be 1"),
        ({"parts": [{"name": "a"}], "grid": {"ward": ["surgery"]}}, "either parts or a grid"),
        ({"parts": []}, "one part or more"),
        ({"parts": [3]}, "must be a mapping"),
        ({"parts": [{"share": 1}]}, "the name of a part must be text"),
        ({"parts": [{"name": "a", "shares": 1}]}, "a part has no 'shares'"),
        ({"part": []}, "a scenario has no 'part'"),
        ({"parts": [{"name": "a"}, {"name": "a"}]}, "same name"),
        ({"parts": [{"name": "a", "share": 0.7}, {"name": "b", "share": 0.7}]}, "add up to 1"),
        ({"parts": [{"name": "a", "share": 0.7}]}, "add up to 1"),
        ({"parts": [{"name": "a", "share": "much"}]}, "add up to 1"),
        ({"parts": [{"name": "a", "given": ["ward"]}]}, "given of a part must be a mapping"),
        ({"parts": [{"name": "a"}], "impossible": "ignore"}, "impossible must be"),
        ({"parts": [{"name": "a", "where": 3}]}, "where must be text"),
        ({"grid": {"ward": []}}, "a list of values"),
        ({"grid": {"ward": ["surgery", "surgery"]}}, "same value twice"),
        ({"parts": [{"name": "a", "where": "age >"}]}, "part 'a': .* cannot be read"),
        ({"parts": [{"name": "a", "tilt": {"age": {"age > 3": -1}}}]}, "factor of 0 or more"),
        ({"parts": [{"name": "a", "tilt": {"age": 3}}]}, "factor of 0 or more"),
        ({"parts": [{"name": "a", "tilt": {"fraud": {True: 3}}, "balance": {"fraud": 0.5}}]}, "balanced and tilted"),
        ({"parts": [{"name": "a", "shift": {"ward": 3}}]}, "shift a column of numbers"),
        ({"parts": [{"name": "a", "shift": {"cost": 0.3}}]}, "multiple of its step"),
        ({"parts": [{"name": "a", "shift": {"age": "much"}}]}, "shift a column of numbers"),
        ({"parts": [{"name": "a", "given": {"ward": "roof"}}]}, "not a category"),
        ({"grid": {"height": [1]}}, "not a column that can be sampled"),
        (
            {
                "impossible": "extrapolate",
                "parts": [{"name": "a", "where": "age > 950 and (age > 3 or fraud == True)"}],
            },
            "can be extrapolated",
        ),
    ],
)
def test_what_is_no_scenario_is_one_sentence(fitted, spec, said) -> None:
    with pytest.raises(dpsynth.ConditionError, match=said) as caught:
        fitted.sample(10, scenario=Scenario.from_dict(spec))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_none_is_named(tmp_path) -> None:
    path = tmp_path / "night.yaml"
    path.write_text("parts: 3\n")
    with pytest.raises(dpsynth.ConditionError, match=r"night\.yaml: parts must be a list"):
        Scenario.load(path)


def test_a_scenario_stands_alone_and_its_columns_are_new(fitted) -> None:
    night = Scenario.from_dict(NIGHT)
    for more in ({"where": "age > 3"}, {"given": {"ward": "surgery"}}, {"balance": {"fraud": 0.5}}):
        with pytest.raises(dpsynth.ConditionError, match="write the condition into the scenario"):
            fitted.sample(5, scenario=night, **more)
    schema = Schema({"part": Boolean()})
    synth = Synthesizer(schema, "independent", epsilon=1, delta=1e-6, ledger=None)
    synth.fit(pd.DataFrame({"part": [True, False]}))
    with pytest.raises(dpsynth.ConditionError, match="has a column 'part'"):
        synth.sample(5, scenario=Scenario.from_dict({"parts": [{"name": "a"}]}))
