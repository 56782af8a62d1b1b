"""Partial rows of schemas with constraints: given values stay, all rules hold, the model is followed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import dpsynth as d
from dpsynth.base.real_records import STAMP
from dpsynth.synthesizers import completion
from tests.synthesizers.constraint_cases import broken, cases, random_rows
from tests.synthesizers.test_constrained import PEOPLE, fitted, people

pytestmark = pytest.mark.filterwarnings("ignore::dpsynth.CautionWarning")


@pytest.fixture(scope="module")
def synth() -> d.Synthesizer:
    return d.Synthesizer(PEOPLE, "canopy", epsilon=5, delta=1e-6, ledger=None, unsafe_seed=1).fit(people())


def same(rows: pd.DataFrame, given: pd.DataFrame) -> bool:
    """Whether every value that was given stands where it was given."""
    return all(
        pd.isna(value) or _alike(got, value)
        for name in given
        for got, value in zip(rows[name], given[name], strict=True)
    )


def _alike(got: Any, value: Any) -> bool:
    if isinstance(value, float | int):
        return float(got) == float(value)
    return str(got).removesuffix(" 00:00:00") == str(value).removesuffix(" 00:00:00")


PARTIAL: dict[str, list[Any]] = {
    "nothing": [{"age": None}],
    "a base": [{"admitted": "2021-05-05"}],
    "the end of a gap": [{"discharged": "2021-05-05"}],
    "both ends": [{"admitted": "2021-05-05", "discharged": "2021-05-09"}],
    "a part of a combination": [{"city": "Bonn"}, {"country": "FR"}],
    "a combination": [{"city": "Bonn", "country": "DE"}],
    "what a table gives": [{"grade": "B"}, {"grade": "A", "sub_grade": "A2"}],
    "a total and a part": [{"total": 50.25, "net": 41.0}],
    "a condition and a conclusion": [{"sex": "M"}, {"pregnancies": 3}, {"sex": "F", "pregnancies": 2}],
    "one of a group": [{"day": True}, {"night": True}, {"day": False}],
    "everything but one": [{**people(1).iloc[0].drop("visit").to_dict(), "age": None}],
}


@pytest.mark.parametrize("rows", PARTIAL.values(), ids=PARTIAL.keys())
def test_given_values_stay_and_every_row_keeps_all_rules(synth: d.Synthesizer, rows: list[Any]) -> None:
    given = pd.DataFrame([row for row in rows for _ in range(20)])
    drawn = synth.sample(given=given, seed=1)
    assert len(drawn) == len(given)
    assert list(drawn) == [*PEOPLE.columns, STAMP]
    assert drawn.pop(STAMP).all()
    assert drawn.dtypes.equals(synth.sample(3, seed=1).dtypes)
    assert broken(PEOPLE, drawn) == []
    assert same(drawn, given)
    pd.testing.assert_frame_equal(drawn, synth.sample(given=given, seed=1).drop(columns=STAMP))


def test_each_row_may_be_drawn_several_times_under_a_condition(synth: d.Synthesizer) -> None:
    given = pd.DataFrame({"city": ["Bonn", None, "Paris"], "sex": [None, "F", None]})
    drawn = synth.sample(4, given=given, where="age >= 65 and total > 20", seed=2, support=True)
    assert len(drawn) == 12
    assert (drawn["age"] >= 65).all()
    assert (drawn["total"] > 20).all()
    assert list(drawn["city"].iloc[:4]) == ["Bonn"] * 4
    assert broken(PEOPLE, drawn[[*PEOPLE.columns]]) == []


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"city": "Paris", "country": "DE"}, "row 1 of given"),
        ({"sex": "M", "pregnancies": 2}, "row 1 of given"),
        ({"admitted": "2021-05-05", "discharged": "2021-05-04"}, "row 1 of given"),
        ({"grade": "A", "sub_grade": "B1"}, "row 1 of given"),
        (
            {"age": 200},
            "given has 1 values of 'age' that the schema and its constraints do not allow, the first in row 1",
        ),
        ({"dose": 3.0}, "given has 1 values of 'dose'"),
        ({"visit": 3}, "given has a column 'visit', which cannot be sampled"),
    ],
)
def test_a_row_that_no_rule_allows_is_named_in_one_sentence(
    synth: d.Synthesizer, row: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dpsynth.synthesizers.kept_block._HOPELESS", 20_000)
    with pytest.raises(d.ConditionError) as caught:
        synth.sample(given=pd.DataFrame([dict.fromkeys(row), row]), seed=1)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_partial_rows_of_random_schemas_keep_what_they_have_and_all_rules() -> None:
    """What is given are some of the columns of rows that a sample had: such a row exists."""
    kept = 0
    for rng, schema in cases(11, 14):
        try:
            model = fitted(schema, random_rows(rng, 300))
            whole = model.sample(40, seed=1)
        except (d.SchemaError, d.ConditionError):
            continue
        names = [name for name in whole if name not in ("n", "t")]
        given = whole[[str(name) for name in rng.choice(names, 4, replace=False)]].astype(object)
        given = given.where((rng.random(given.shape) < 0.6) & given.notna(), None)
        drawn = model.sample(given=given, seed=3).drop(columns=STAMP)
        assert broken(schema, drawn) == [], (schema.constraints, given)
        assert same(drawn, given)
        kept += 1
    assert kept >= 10


def test_completed_rows_follow_the_model_given_what_is_known() -> None:
    """Two ways to 6,000 rows (seed 1): partial rows, and a condition that says the same.

    Total variation distance of the other columns under .05; another condition is beyond .1.
    """
    columns = {name: PEOPLE.columns[name] for name in ("sex", "pregnancies", "country", "city", "sub_grade", "grade")}
    rules = [rule for rule in PEOPLE.constraints if {*rule.columns_of} <= {*columns} or isinstance(rule, d.Implies)]
    rules = [rule for rule in rules if not isinstance(rule, d.Unique)]
    rng = np.random.default_rng(3)
    frame = people(6000)[list(columns)]
    frame["sex"] = np.where((frame["city"] == "Paris") ^ (rng.random(6000) < 0.2), "M", "F")
    frame.loc[frame["sex"] == "M", "pregnancies"] = None
    model = fitted(d.Schema(columns, constraints=rules), frame, "mst", unsafe_seed=1)
    given = pd.DataFrame({"city": ["Paris"] * 3000 + [None] * 3000, "grade": [None] * 3000 + ["B"] * 3000})
    rows = model.sample(given=given, seed=1)

    def far(one: pd.DataFrame, other: pd.DataFrame, name: str) -> float:
        shares = [each[name].astype(object).where(each[name].notna(), "none").value_counts(normalize=True) for each in
                  (one, other)]  # fmt: skip
        return float(shares[0].sub(shares[1], fill_value=0).abs().sum() / 2)

    for part, where in ((rows[:3000], "city == 'Paris'"), (rows[3000:], "grade == 'B'")):
        wanted = model.sample(6000, where=where, seed=2)
        assert max(far(part, wanted, name) for name in columns) < 0.05
    assert far(rows[:3000], model.sample(6000, where="country == 'DE'", seed=2), "sex") > 0.1


DOUBLES = {
    "known values are not compared": ("Known.fits", lambda self, rows, origin: np.ones(self.n, dtype=bool)),
    "rows are not judged": (
        "_judged",
        lambda implications, rows, n: (np.zeros((n, len(implications)), dtype=bool),) * 2,
    ),
}


@pytest.mark.parametrize(("name", "double"), DOUBLES.values(), ids=DOUBLES.keys())
def test_a_broken_completion_is_found(
    synth: d.Synthesizer, name: str, double: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fitted(PEOPLE, people()) if name == "_judged" else synth
    given = pd.DataFrame({"grade": ["A"] * 100, "age": [4] * 100, "discharged": ["2021-05-05"] * 100})
    if name == "_judged":
        given = given[["grade", "age"]]
    monkeypatch.setattr(f"dpsynth.synthesizers.completion.{name}", double)
    drawn = model.sample(given=given, seed=1).drop(columns=STAMP)
    assert broken(PEOPLE, drawn) != []
    assert completion._ROUNDS > 1


# Real tables filled in


def holed(share: float = 0.15) -> pd.DataFrame:
    frame = people(400, seed=9).drop(columns="visit").astype(object)
    return frame.mask(np.random.default_rng(5).random(frame.shape) < share, None)


def test_a_table_is_filled_in_so_that_all_rules_hold_and_its_values_stay(synth: d.Synthesizer) -> None:
    table = holed()
    found = synth.impute(table, seed=1)
    assert list(found) == [*table, "keeps_constraints", "contains_real_records"]
    pd.testing.assert_frame_equal(found, synth.impute(table, seed=1))
    for name in table:
        own = table[name].notna()
        assert (found[name][own].astype(str) == table[name][own].astype(str)).all(), name
        if name not in ("pregnancies", "discharged"):
            assert found[name].notna().all(), name
    assert found["pregnancies"][found["sex"] == "M"].isna().all()
    assert found["pregnancies"][found["sex"] == "F"].notna().all()
    rules = [rule for rule in PEOPLE.constraints if not isinstance(rule, d.Unique)]
    schema = d.Schema({n: c for n, c in PEOPLE.columns.items() if n in table}, constraints=rules)
    typed = found[[*table]].astype({"admitted": "datetime64[s]", "discharged": "datetime64[s]"})
    typed = typed.assign(day=typed["day"].astype(bool), night=typed["night"].astype(bool))
    for place in np.flatnonzero(found["keeps_constraints"])[:150]:
        assert broken(schema, typed.iloc[[place]]) == []
    assert found["keeps_constraints"].mean() > 0.97


def test_a_real_row_that_breaks_a_rule_is_filled_in_and_marked(synth: d.Synthesizer) -> None:
    table = people(50).drop(columns="visit").astype(object)
    table.loc[3, ["total", "age"]] = [table.loc[3, "total"] + 10 if table.loc[3, "total"] < 100 else 1.0, None]
    table.loc[7, ["sex", "pregnancies", "age"]] = ["M", 4, None]
    table.loc[9, "age"] = None
    found = synth.impute(table, seed=2)
    assert np.flatnonzero(~found["keeps_constraints"]).tolist() == [3, 7]
    assert found["age"].notna().all()
    assert found.loc[7, "pregnancies"] == 4


def test_a_part_is_filled_in_from_the_total_and_the_other_part(synth: d.Synthesizer) -> None:
    table = people(30)[["net", "tax", "total"]].astype(object)
    wanted = table["net"].astype(float).copy()
    table["net"] = None
    found = synth.impute(table, seed=3)
    assert np.abs(found["net"].astype(float) - wanted).max() < 1e-9
    assert found["keeps_constraints"].all()


def test_some_columns_are_filled_in_and_the_others_stay_missing(synth: d.Synthesizer) -> None:
    table = holed(0.3)
    found = synth.impute(table, columns=["age", "grade"], seed=4)
    assert found["age"].notna().all()
    assert found["grade"].notna().all()
    assert (found["city"].isna() == table["city"].isna()).all()
    known = table["sub_grade"].notna() & table["grade"].isna()
    assert (found["grade"][known] == table["sub_grade"][known].str[0]).all()
    with pytest.raises(d.SchemaError, match="'visit'"):
        synth.impute(people(3), columns=["visit"])
    with pytest.raises(d.SchemaError, match="a column 'keeps_constraints', which is added here"):
        synth.impute(table.assign(keeps_constraints=1))


def test_real_rows_that_break_an_implication_by_what_is_known_are_filled_in_and_marked() -> None:
    """Values, and numbers in a cell that the conclusion leaves out, contradict a condition that is known to hold."""
    columns = {
        "kind": d.Categorical(["a", "b"]),
        "number": d.Numeric(0, 9, integer=True),
        "day": d.Datetime("2020-01-01", "2029-12-31"),
        "other": d.Categorical(["x", "y"]),
    }
    rng = np.random.default_rng(0)
    real = pd.DataFrame(
        {
            "kind": rng.choice(["a", "b"], 400),
            "number": rng.integers(0, 10, 400),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 3600, 400), unit="D"),
            "other": rng.choice(["x", "y"], 400),
        }
    )
    rules = [d.Implies("kind == 'a'", "number >= 5"), d.Implies("kind == 'b'", "day < '2022-01-01'")]
    schema = d.Schema(columns, constraints=rules)
    synth = d.Synthesizer(schema, "independent", epsilon=3.0, delta=1e-6, ledger=None).fit(real)
    holes = real.assign(other=real["other"].where(real.index % 2 > 0))
    found = synth.impute(holes, seed=1)
    assert found[[*real]].notna().all().all()
    pd.testing.assert_frame_equal(found[["kind", "number", "day"]], real[["kind", "number", "day"]])
    kept = (real["kind"].ne("a") | real["number"].ge(5)) & (real["kind"].ne("b") | real["day"].lt("2022-01-01"))
    assert (found["keeps_constraints"].to_numpy() == kept.to_numpy()).all()
