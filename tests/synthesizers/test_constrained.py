"""Rows with constraints: all rows keep all of them, exactly n, and again for the same seed."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dpsynth as d
from dpsynth.synthesizers import kept_block
from tests.synthesizers.constraint_cases import broken, cases, random_rows

pytestmark = pytest.mark.filterwarnings("ignore::dpsynth.CautionWarning")


def fitted(schema: d.Schema, rows: Any, mechanism: str = "independent", **more: Any) -> d.Synthesizer:
    return d.Synthesizer(schema, mechanism, epsilon=1.0, delta=1e-6, ledger=None, **more).fit(rows)


def kept_by_random_schemas(seed: int, count: int) -> dict[str, int]:
    """For random schemas, of which rows keep nothing by chance: how many gave rows that keep all."""
    found = {"kept": 0, "refused": 0, "no row": 0}
    for rng, schema in cases(seed, count):
        try:
            synth = fitted(schema, random_rows(rng, 300))
            rows = synth.sample(200, seed=1)
        except d.SchemaError:
            found["refused"] += 1
            continue
        except d.ConditionError:
            found["no row"] += 1
            continue
        assert len(rows) == 200
        assert list(rows) == list(schema.columns)
        assert broken(schema, rows) == []
        pd.testing.assert_frame_equal(rows, synth.sample(200, seed=1))
        found["kept"] += 1
    return found


def test_rows_of_random_schemas_keep_all_constraints_whatever_the_data() -> None:
    found = kept_by_random_schemas(seed=1, count=10)
    assert found["kept"] >= 8
    assert found["no row"] <= 1


@pytest.mark.slow
def test_rows_of_many_random_schemas_keep_all_constraints() -> None:
    found = kept_by_random_schemas(seed=2, count=400)
    assert found["kept"] >= 330
    assert found["no row"] <= 10


def test_the_checker_finds_rows_that_keep_no_constraint() -> None:
    """Rows of the same columns without constraints break what they should keep."""
    found = [
        bool(broken(schema, fitted(d.Schema(schema.columns), random_rows(rng, 300)).sample(200, seed=1)))
        for rng, schema in cases(3, 6)
    ]
    assert sum(found) >= 5


PEOPLE = d.Schema(
    {
        "admitted": d.Datetime("2020-01-01", "2022-12-31"),
        "discharged": d.Datetime("2020-01-01", "2023-06-30", nullable=True),
        "sex": d.Categorical(["M", "F"]),
        "pregnancies": d.Numeric(0, 12, integer=True, nullable=True),
        "net": d.Numeric(0, 100, decimals=2),
        "tax": d.Numeric(0, 20, decimals=2),
        "total": d.Numeric(0, 120, decimals=2),
        "country": d.Categorical(["DE", "FR"]),
        "city": d.Categorical(["Berlin", "Bonn", "Paris"]),
        "sub_grade": d.Categorical(["A1", "A2", "B1"]),
        "grade": d.Categorical(["A", "B"]),
        "day": d.Boolean(),
        "night": d.Boolean(),
        "dose": d.Numeric(0, 50),
        "visit": d.Numeric(1, 10**6, integer=True),
        "age": d.Numeric(0, 100, integer=True),
        "record": d.Identifier(),
    },
    constraints=[
        d.Order("admitted", "<=", "discharged"),
        d.Implies("sex == 'M'", "pregnancies is None"),
        d.Sum("total", ["net", "tax"]),
        d.FixedCombinations(["country", "city"], public=[["DE", "Berlin"], ["DE", "Bonn"], ["FR", "Paris"]]),
        d.Derived("grade", of="sub_grade", table={"A1": "A", "A2": "A", "B1": "B"}),
        d.OneHot(["day", "night"]),
        d.FixedIncrements("dose", 2.5),
        d.Unique("visit"),
        d.Unique("record"),
    ],
)


def people(n: int = 4000, seed: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    admitted = np.datetime64("2020-01-01") + rng.integers(0, 1090, n)
    places = [("DE", "Berlin"), ("DE", "Bonn"), ("FR", "Paris")]
    place = rng.choice(3, n, p=[0.5, 0.1, 0.4])
    sex = rng.choice(["M", "F"], n)
    net = np.round(rng.gamma(2, 12, n).clip(0, 100), 2)
    tax = np.round(np.minimum(net * rng.choice([0.07, 0.19], n), 20), 2)
    sub_grade = rng.choice(["A1", "A2", "B1"], n, p=[0.2, 0.3, 0.5])
    return pd.DataFrame(
        {
            "admitted": admitted,
            "discharged": pd.Series(admitted + rng.geometric(0.2, n) - 1).where(rng.random(n) > 0.1),
            "sex": sex,
            "pregnancies": np.where(sex == "M", np.nan, rng.poisson(1.5, n)),
            "net": net,
            "tax": tax,
            "total": np.round(net + tax, 2),
            "country": [places[i][0] for i in place],
            "city": [places[i][1] for i in place],
            "sub_grade": sub_grade,
            "grade": [name[0] for name in sub_grade],
            "day": place == 0,
            "night": place != 0,
            "dose": 2.5 * rng.integers(0, 20, n),
            "visit": np.arange(n) + 1,
            "age": rng.integers(0, 100, n),
        }
    )


@pytest.fixture(scope="module")
def synth() -> d.Synthesizer:
    return fitted(PEOPLE, people(), "canopy")


@pytest.mark.parametrize("mechanism", ["canopy", "aim", "mst", "independent"])
def test_every_mechanism_gives_rows_that_keep_all_constraints(mechanism: str) -> None:
    rows = fitted(PEOPLE, people(1000), mechanism).sample(2000, seed=2)
    assert broken(PEOPLE, rows) == []


WHERE = {
    "discharged >= '2022-11-01'": lambda r: r["discharged"] >= "2022-11-01",
    "discharged is None": lambda r: r["discharged"].isna(),
    "total >= 60": lambda r: r["total"] >= 60,
    "city == 'Bonn'": lambda r: r["city"] == "Bonn",
    "grade == 'B' and day == True": lambda r: (r["grade"] == "B") & r["day"],
    "pregnancies >= 2": lambda r: r["pregnancies"] >= 2,
    "sex == 'M' and city in ['Bonn', 'Paris'] and dose > 20": lambda r: (
        (r["sex"] == "M") & r["city"].isin(["Bonn", "Paris"]) & (r["dose"] > 20)
    ),
}


@pytest.mark.parametrize(("where", "holds"), WHERE.items(), ids=WHERE.keys())
def test_conditions_hold_on_constrained_and_derived_columns(synth: d.Synthesizer, where: str, holds: Any) -> None:
    rows = synth.sample(400, where=where, seed=3)
    assert len(rows) == 400
    assert holds(rows).all()
    assert broken(PEOPLE, rows) == []


def test_given_values_hold_on_merged_and_derived_columns(synth: d.Synthesizer) -> None:
    rows = synth.sample(300, given={"city": "Bonn", "grade": "B", "night": True}, seed=3)
    assert (rows["country"] == "DE").all()
    assert (rows["sub_grade"] == "B1").all()
    assert (~rows["day"]).all()
    assert broken(PEOPLE, rows) == []


def test_rare_conditions_on_a_gap_follow_the_model_and_take_few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of chosen cells have the stays, and the ages, that rows of all cells with these dates have.

    One model (seed 1); three means of 2,000 rows, each within 4.5 standard errors.
    """
    synth = fitted(PEOPLE, people(), "canopy", unsafe_seed=1)
    days = pd.to_datetime(["2021-05-05", "2022-02-02", "2022-02-03"])
    every = synth.sample(400_000, seed=8)
    wanted = every[every["discharged"].isin(days)]
    monkeypatch.setattr(kept_block, "_MOST_DRAWS", 100_000)  # of 2,000 rows by chance 800,000 would be drawn
    rows = synth.sample(2000, where="discharged in ['2021-05-05', '2022-02-02', '2022-02-03']", seed=9)
    assert rows["discharged"].isin(days).all()
    assert broken(PEOPLE, rows) == []
    for figure in (
        lambda frame: (frame["discharged"] - frame["admitted"]).dt.days,
        lambda frame: frame["age"].astype(float),
        lambda frame: (frame["discharged"] == days[0]).astype(float),
    ):
        one, other = figure(rows), figure(wanted)
        assert len(other) > 500
        spread = (one.var() / len(one) + other.var() / len(other)) ** 0.5
        assert abs(one.mean() - other.mean()) < 4.5 * spread


def test_alternatives_and_comparisons_of_columns_hold_too(synth: d.Synthesizer) -> None:
    rows = synth.sample(300, where="city == 'Paris' or total >= 40 and tax < net", seed=4)
    assert len(rows) == 300
    assert ((rows["city"] == "Paris") | ((rows["total"] >= 40) & (rows["tax"] < rows["net"]))).all()
    assert broken(PEOPLE, rows) == []


@pytest.mark.parametrize("column", ["city", "grade", "day", "sex"])
def test_shares_of_one_column_are_exact_in_rows_that_keep_all_constraints(synth: d.Synthesizer, column: str) -> None:
    first = synth.sample(100, seed=1)[column].iloc[0]
    rows = synth.sample(400, balance={column: {first: 0.25}}, where="age < 90", seed=5)
    assert int((rows[column] == first).sum()) == 100
    assert len(rows) == 400
    assert (rows["age"] < 90).all()
    assert broken(PEOPLE, rows) == []


def test_the_support_of_a_row_is_that_of_its_modelled_columns(synth: d.Synthesizer) -> None:
    rows = synth.sample(200, support=True, seed=6)
    assert list(rows)[-2:] == ["support", "extrapolated"]
    assert rows["support"].gt(0).mean() > 0.9
    pd.testing.assert_frame_equal(rows.iloc[:, :-2], synth.sample(200, seed=6))


def test_an_implication_may_compare_columns_and_have_alternatives() -> None:
    columns = {name: PEOPLE.columns[name] for name in ("sex", "net", "tax", "age")}
    rule = d.Implies("age >= 65 or sex == 'M'", "tax <= net")
    rows = fitted(d.Schema(columns, constraints=[rule]), people(3000)[list(columns)]).sample(3000, seed=1)
    when = (rows["age"] >= 65) | (rows["sex"] == "M")
    assert (rows["tax"] <= rows["net"])[when].all()
    assert not (rows["tax"] <= rows["net"])[~when].all()


def test_an_impossible_condition_is_one_sentence(synth: d.Synthesizer) -> None:
    for where in ("city == 'Paris' and country == 'DE'", "sex == 'M' and pregnancies == 2", "grade == 'A' and "
                  "sub_grade == 'B1'"):  # fmt: skip
        with pytest.raises(d.ConditionError) as caught:
            synth.sample(10, where=where, seed=1)
        assert "\n" not in str(caught.value)
    with pytest.raises(d.ConditionError, match="a key that is generated"):
        synth.sample(10, where="visit == 3")


def test_a_condition_that_no_drawn_row_meets_is_given_up_and_named(
    synth: d.Synthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_block, "_HOPELESS", 5000)
    with pytest.raises(d.ConditionError, match="0 met the condition on `total`"):
        synth.sample(10, where="total > 119.99 and net < 20", seed=1)


@pytest.mark.parametrize("n", [0, 1, 7, 5000])
def test_there_are_exactly_as_many_rows_as_asked_for(synth: d.Synthesizer, n: int) -> None:
    rows = synth.sample(n, seed=1)
    assert len(rows) == n
    assert rows.dtypes.equals(synth.sample(3, seed=2).dtypes)
    assert rows["visit"].is_unique
    assert rows["record"].is_unique


def test_a_key_with_too_few_values_is_refused(synth: d.Synthesizer) -> None:
    schema = d.Schema({"k": d.Numeric(1, 50, integer=True), "b": d.Boolean()}, constraints=[d.Unique("k")])
    keyed = fitted(schema, pd.DataFrame({"k": [1, 2], "b": [True, False]}))
    assert sorted(keyed.sample(50, seed=1)["k"]) == list(range(1, 51))
    with pytest.raises(d.SchemaError, match="'k' has 50 values between its bounds, fewer than 51"):
        keyed.sample(51)


def test_a_saved_model_gives_the_same_rows_and_keeps_the_constraints(synth: d.Synthesizer, tmp_path: Path) -> None:
    synth.save(tmp_path / "m.dpsynth")
    loaded = d.Synthesizer.load(tmp_path / "m.dpsynth")
    assert loaded.schema.constraints == PEOPLE.constraints
    pd.testing.assert_frame_equal(loaded.sample(500, seed=9), synth.sample(500, seed=9))


def test_the_certificate_states_the_constraints_and_its_hash_covers_them(synth: d.Synthesizer) -> None:
    synth.certificate.verify()
    stated = synth.certificate.record["schema"]
    assert stated["constraints"] == [rule.describe() for rule in PEOPLE.constraints]
    assert stated["sha256"] == PEOPLE.fingerprint() != d.Schema(PEOPLE.columns).fingerprint()
    origins = {column["name"]: column["origin"] for column in stated["columns"]}
    assert origins["total"] == origins["grade"] == "computed from other columns, never read"
    assert origins["visit"] == "never read"
    assert "total = net + tax" in synth.certificate.to_html()


def test_nothing_is_charged_for_columns_that_follow(synth: d.Synthesizer) -> None:
    purposes = [charge["line"]["purpose"] for charge in synth.certificate.record["charges"]]
    for name in ("total", "grade", "visit", "record"):
        assert not any(f"measure {name}" == purpose or f" x {name}" in purpose for purpose in purposes), name


def test_a_release_verifies_and_its_rows_can_be_drawn_again(tmp_path: Path, run: Any) -> None:
    people(600).to_csv(tmp_path / "people.csv", index=False)
    PEOPLE.save(tmp_path / "schema.yaml")
    code, _, err = run(
        f"release {tmp_path}/people.csv --schema {tmp_path}/schema.yaml --epsilon 1 --delta 1e-6"
        f" --ledger {tmp_path}/l.ledger -n 300 -o {tmp_path}/release"
    )
    assert code == 0, err
    assert run(f"verify {tmp_path}/release --redraw")[0] == 0
    rows = pd.read_csv(tmp_path / "release" / "synthetic.csv", dtype={"record": str})
    assert (rows["total"] - rows["net"] - rows["tax"]).abs().max() < 1e-9
    assert rows["pregnancies"][rows["sex"] == "M"].isna().all()


# What one record changes, and what it does not


def test_implications_leave_the_columns_of_their_conditions_as_they_are() -> None:
    """As many rows as before have the condition, and columns that are in no constraint do not move."""
    columns = {name: PEOPLE.columns[name] for name in ("sex", "pregnancies", "age", "country")}
    data = people(20_000)[list(columns)]
    free = fitted(d.Schema(columns), data, unsafe_seed=1).sample(20_000, seed=1)
    rule = d.Implies("sex == 'M'", "pregnancies is None")
    bound = fitted(d.Schema(columns, constraints=[rule]), data, unsafe_seed=1).sample(20_000, seed=1)
    assert bound["pregnancies"][bound["sex"] == "M"].isna().all()
    assert not free["pregnancies"][free["sex"] == "M"].isna().all()
    assert abs(int((free["sex"] == "M").sum()) - int((bound["sex"] == "M").sum())) <= 40
    for name in ("age", "country"):
        shares = [each[name].value_counts(normalize=True, sort=False) for each in (free, bound)]
        assert (shares[0].sub(shares[1], fill_value=0)).abs().sum() / 2 < 0.02


def test_given_the_condition_rows_follow_the_model_given_the_conclusion() -> None:
    """Rows that are drawn again follow the model's own distribution given that both hold."""
    columns = {"p": d.Categorical(["u", "v"]), "q": d.Categorical(["r", "s", "t"]), "z": d.Categorical(["0", "1"])}
    rng = np.random.default_rng(8)
    q = rng.choice(["r", "s", "t"], 30_000, p=[0.5, 0.3, 0.2])
    z = np.where(q == "s", rng.random(30_000) < 0.9, rng.random(30_000) < 0.2).astype(int).astype(str)
    data = pd.DataFrame({"p": rng.choice(["u", "v"], 30_000), "q": q, "z": z})
    schema = d.Schema(columns, constraints=[d.Implies("p == 'u'", "q in ['s', 't']")])
    rows = fitted(schema, data, "mst").sample(60_000, seed=1)
    among = rows[rows["p"] == "u"]
    assert abs(len(among) / 60_000 - 0.5) < 0.01
    shares = among.groupby("q", observed=True)["z"].agg(["size", lambda x: (x == "1").mean()])
    assert abs(shares.loc["s", "size"] / len(among) - 0.6) < 0.02
    assert abs(shares.iloc[:, 1]["s"] - 0.9) < 0.02
    assert abs(shares.iloc[:, 1]["t"] - 0.2) < 0.02


# Contradictions


NUMBERS = {
    "a": d.Numeric(0, 10, integer=True),
    "b": d.Numeric(0, 10, integer=True),
    "c": d.Numeric(20, 30, integer=True),
    "p": d.Categorical(["u", "v"]),
    "q": d.Categorical(["r", "s"]),
    "m": d.Boolean(),
    "o": d.Boolean(),
    "e": d.Numeric(0, 100, integer=True),
}
CONTRADICTIONS = {
    "a strict circle": ([d.Order("a", "<", "b"), d.Order("b", "<", "a")], ["a < b", "b < a"]),
    "a circle of equals": ([d.Order("a", "<=", "b"), d.Order("b", "<=", "a")], ["a <= b", "b <= a", "'=='"]),
    "a longer circle of equals": (
        [d.Order("a", "<=", "b"), d.Order("c", ">=", "b"), d.Order("c", "<=", "a")],
        ["a <= b", "c >= b", "c <= a", "'==', ", " and Order("],
    ),
    "bounds": ([d.Order("c", "<=", "a")], ["c <= a"]),
    "a chain of bounds": ([d.Order("c", "<", "b"), d.Order("b", "<=", "a")], ["c < b"]),
    "a sum out of reach": ([d.Sum("a", ["b", "c"])], ["a = b + c"]),
    "a formula out of reach": ([d.Derived("a", "c * 2 + b")], ["a = c * 2 + b"]),
    "always and never": ([d.Implies("a >= 0", "p == 'u'"), d.Implies("a >= 0", "p == 'v'")], ["p == 'u'", "p == 'v'"]),
    "either way": (
        [d.Implies("p == 'u'", "q == 'r'"), d.Implies("p == 'v'", "q == 'r'"), d.Implies("q == 'r'", "a > 10")],
        ["where p == 'u'", "where p == 'v'", "a > 10"],
    ),
    "two tables": (
        [d.FixedCombinations(["p", "q"], public=[["u", "r"]]), d.FixedCombinations(["q", "m"], public=[["s", True]])],
        ["p, q", "q, m"],
    ),
    "a table and a group": (
        [d.OneHot(["m", "o"]), d.FixedCombinations(["m", "o"], public=[[True, True]])],
        ["one of m, o", "m, o"],
    ),
    "a table and an implication": (
        [d.FixedCombinations(["p", "q"], public=[["u", "r"], ["v", "r"]]), d.Implies("a <= 10", "q == 's'")],
        ["where a <= 10: q == 's'"],
    ),
}


@pytest.mark.parametrize(("rules", "culprits"), CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_contradictions_are_found_before_a_fit_with_the_culprits_and_nothing_is_spent(
    rules: list[Any], culprits: list[str], tmp_path: Path
) -> None:
    extra = [d.Order("a", "<=", "e"), d.Implies("m == True", "a < 9")]
    ledger = d.Ledger.create(tmp_path / "l", d.Budget(5, 1e-5), dataset="x", unit=d.PrivacyUnit())
    synth = d.Synthesizer(d.Schema(NUMBERS, constraints=[*rules, *extra]), epsilon=1.0, delta=1e-6, ledger=ledger)
    with pytest.raises(d.SchemaError) as caught:
        synth.fit("no such file.csv")
    said = str(caught.value)
    assert "\n" not in said
    assert all(culprit in said for culprit in culprits)
    assert "a <= e" not in said
    assert "where m == True" not in said
    assert ledger.runs() == []


def test_what_can_be_kept_is_not_refused() -> None:
    fine = [
        [d.Order("a", "<", "b"), d.Order("b", "<", "c")],
        [d.Implies("p == 'u'", "a < 3"), d.Implies("p == 'u'", "a > 5")],  # then p is never "u"
        [d.Implies("a >= 0", "p == 'u'"), d.Implies("p == 'u'", "q == 'r'"), d.Implies("q == 'r'", "m == True")],
        [d.Sum("c", ["a", "b"])],
    ]
    rng = np.random.default_rng(1)
    data = pd.DataFrame(
        {
            **{name: rng.integers(0, 11, 500) for name in "ab"},
            "c": rng.integers(20, 31, 500),
            "e": rng.integers(0, 101, 500),
            "p": rng.choice(["u", "v"], 500),
            "q": rng.choice(["r", "s"], 500),
            **{name: rng.random(500) < 0.5 for name in "mo"},
        }
    )
    data.loc[:99, "c"] = 20
    data.loc[:99, ["a", "b"]] = 10
    for rules in fine:
        schema = d.Schema(NUMBERS, constraints=rules)
        assert broken(schema, fitted(schema, data).sample(300, seed=1)) == []


# Files


def test_a_schema_without_constraints_has_the_file_and_the_hash_that_it_had() -> None:
    schema = d.Schema({"age": d.Numeric(0, 120, integer=True)})
    assert "constraints" not in schema.to_dict()
    assert schema.fingerprint() == d.Schema.from_dict(json.loads(json.dumps(schema.to_dict()))).fingerprint()


@pytest.mark.parametrize("ending", ["yaml", "json"])
def test_constraints_come_back_from_a_file(ending: str, tmp_path: Path) -> None:
    PEOPLE.save(tmp_path / f"schema.{ending}")
    loaded = d.Schema.load(tmp_path / f"schema.{ending}")
    assert loaded == PEOPLE
    assert loaded.fingerprint() == PEOPLE.fingerprint()


# Broken doubles of what draws rows: the checker has to find each


def _unrepaired(self: Any, rows: Any, *_: Any) -> Any:
    return rows


CUT = [d.Implies("net >= 30.05", "sex == 'F' and pregnancies is None")]  # within a cell of net
DOUBLES: dict[str, tuple[str, Any, list[Any]]] = {
    "implications are not looked at": ("Block._repaired", _unrepaired, CUT),
    "checks are passed by all": (
        "_failing",
        lambda rows, checks: np.zeros(0, dtype=np.intp),
        [d.Order("net", "<=", "tax"), d.Sum("total", ["net", "tax"])],
    ),
    "rows are put in other places": ("_put", lambda rows, places, more, taken: None, CUT),
}


@pytest.mark.parametrize(("name", "double", "rules"), DOUBLES.values(), ids=DOUBLES.keys())
def test_a_broken_drawing_is_found(name: str, double: Any, rules: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {key: PEOPLE.columns[key] for key in ("sex", "pregnancies", "net", "tax", "total", "age")}
    columns["total"] = d.Numeric(20, 60, decimals=2)  # which sums of net and tax may leave
    schema = d.Schema(columns, constraints=rules)
    rows = people(2000)[list(columns)]
    synth = fitted(schema, rows)
    with warnings.catch_warnings():
        warnings.simplefilter("error", d.CautionWarning)
        assert broken(schema, synth.sample(1000, seed=1)) == []
    monkeypatch.setattr(f"dpsynth.synthesizers.kept_block.{name}", double)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", d.CautionWarning)  # of rows that are made up
            found = broken(schema, synth.sample(1000, seed=1))
    except (d.ConditionError, d.CautionWarning):
        return
    assert found != []
