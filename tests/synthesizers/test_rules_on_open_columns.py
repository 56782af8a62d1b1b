"""Rules about columns whose categories a fit finds: kept by all rows, or refused before it, whatever it finds."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dpsynth as d
from dpsynth.data.constraints.recoding import recoding_of
from dpsynth.schema import opened
from dpsynth.synthesizers import kept_block
from dpsynth.synthesizers.feasible import _able, refuse_unkeepable
from dpsynth.synthesizers.rule_check import check_rules
from tests.synthesizers.constraint_cases import broken
from tests.synthesizers.small_schemas import any_rows, small_schema
from tests.synthesizers.small_schemas import kept_rows as rows_that_keep

pytestmark = pytest.mark.filterwarnings("ignore::dpsynth.CautionWarning")

CHAPTERS = {"J45": "J", "I10": "I", "E11": "E", "O80": "O", "Z99": "Z"}
COLUMNS: dict[str, Any] = {
    "icd": d.OpenCategorical(public=["J45"]),
    "chapter": d.Categorical([*CHAPTERS.values()], nullable=True),
    "sex": d.Categorical(["M", "F"]),
    "age": d.Numeric(0, 99, integer=True),
}
TABLE = d.Derived("chapter", of="icd", table=CHAPTERS)
PAIRS = d.FixedCombinations(["icd", "chapter"], public=[*CHAPTERS.items()])
BIRTHS = d.Implies("icd == 'O80'", "sex == 'F' and age >= 14")


def visits(n: int = 4000) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    icd = rng.choice([*CHAPTERS, "Q99"], n, p=[0.4, 0.3, 0.15, 0.148, 0.001, 0.001]).astype(object)
    frame = pd.DataFrame({"icd": icd, "chapter": [CHAPTERS.get(code) for code in icd]})
    return frame.assign(sex=rng.choice(["M", "F"], n), age=rng.integers(0, 99, n))


def fitted(rules: list[Any], mechanism: str = "canopy", **columns: Any) -> d.Synthesizer:
    schema = d.Schema({**COLUMNS, **columns}, constraints=rules)
    return d.Synthesizer(schema, mechanism, epsilon=3, delta=1e-6, ledger=None, unsafe_seed=1).fit(visits())


def random_schemas(seed: int, count: int) -> Any:
    rng = np.random.default_rng(seed)
    while count:
        try:
            schema = small_schema(rng, open_=True)
        except d.SchemaError:
            continue
        if any("q" in str(rule.describe()) for rule in schema.constraints):
            count -= 1
            yield rng, schema


def test_random_rules_are_refused_before_a_fit_or_kept_by_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against every row of public categories and OTHER; categories that no rule has heard of are found, too."""
    monkeypatch.setattr(kept_block, "_HOPELESS", 20_000)
    monkeypatch.setattr(kept_block, "_BATCH", 20_000)
    kept = refused = 0
    for number, (rng, schema) in enumerate(random_schemas(3, 20)):
        rows = rows_that_keep(schema)
        try:
            refuse_unkeepable(schema)
        except d.SchemaError as error:
            said = str(error)
            assert not rows or "hold together where these columns are equal" in said, (said, rows[:1])
            refused += 1
            continue
        assert rows, schema.constraints
        frame = any_rows(rng, schema, 400).assign(q=rng.choice(["r", "s", "t", "w", "z"], 400))
        synth = d.Synthesizer(schema, "independent", epsilon=8, delta=1e-6, ledger=None, unsafe_seed=number)
        drawn = synth.fit(frame).sample(60, seed=1)
        assert len(synth.categories["q"]) > 0
        assert broken(schema, drawn) == [], schema.constraints
        kept += 1
    assert kept >= 10
    assert refused >= 1


def test_what_public_categories_can_keep_can_be_kept_whatever_is_found() -> None:
    """For all sets of categories that a fit may find: nothing is refused once it is paid for."""
    tried = 0
    for _, schema in random_schemas(4, 12):
        try:
            refuse_unkeepable(schema)
        except d.SchemaError:
            continue
        before = recoding_of(schema)
        for count in range(5):
            for found in combinations(["r", "s", "t", "w", "z"], count):
                more = [text for text in found if text not in schema.columns["q"].public]
                settled = schema.settled({"q": more})
                refuse_unkeepable(settled)
                assert _able(settled)
                after = recoding_of(settled)
                assert [*after.modelled.columns] == [*before.modelled.columns]
                assert [type(step) for step in after.steps] == [type(step) for step in before.steps]
                tried += 1
    assert tried > 150


@pytest.mark.parametrize("mechanism", ["canopy", "independent"])
@pytest.mark.parametrize("rules", [[TABLE, BIRTHS], [PAIRS, BIRTHS]])
def test_rules_hold_for_categories_that_a_fit_found_and_for_those_that_it_did_not(
    rules: list[Any], mechanism: str, tmp_path: Any
) -> None:
    synth = fitted(rules, mechanism)
    assert {"I10", "E11", "O80"} <= {*synth.categories["icd"]}
    assert "Z99" not in synth.categories["icd"]
    rows = synth.sample(4000, seed=1)
    assert broken(synth.schema, rows) == []
    assert (rows["icd"] == "O80").sum() > 50
    assert (synth.sample(200, where="icd == 'O80'", seed=1)["sex"] == "F").all()
    settled = synth.schema.settled(synth.categories)
    assert all(each.broken == 0 for each in check_rules(rows, settled))
    settled.save(tmp_path / "schema.yaml")
    assert d.Schema.load(tmp_path / "schema.yaml") == settled
    synth.save(tmp_path / "m.dpsynth")
    loaded = d.Synthesizer.load(tmp_path / "m.dpsynth")
    pd.testing.assert_frame_equal(loaded.sample(300, seed=2), synth.sample(300, seed=2))


def test_the_certificate_states_the_rules_as_declared_and_computed_columns_cost_nothing() -> None:
    synth = fitted([TABLE, BIRTHS])
    synth.certificate.verify()
    assert synth.certificate.record["schema"]["constraints"] == [TABLE.describe(), BIRTHS.describe()]
    purposes = [charge["line"]["purpose"] for charge in synth.certificate.record["charges"]]
    assert any("find the categories of icd" in purpose for purpose in purposes)
    assert not any("chapter" in purpose for purpose in purposes)


def test_parents_by_levels_have_what_all_of_their_codes_have() -> None:
    icd = d.OpenCategorical(public=["J45"], levels=[1, 3])
    table = {"J451": "J", "J459": "J", "I101": "I", "I109": "E", "E11": "E"}
    schema = d.Schema({**COLUMNS, "icd": icd}, constraints=[d.Derived("chapter", of="icd", table=table)])
    (rule,) = schema.settled({"icd": ["I10", "J451", "E"]}).constraints
    assert dict(rule.table) == {"J451": "J", "J45": "J", "E": "E"}  # codes of I10 do not agree
    pairs = d.FixedCombinations(["icd", "chapter"], public=[*table.items(), ("J45", "O")])
    (rule,) = d.Schema({**COLUMNS, "icd": icd}, constraints=[pairs]).settled({"icd": ["I10"]}).constraints
    assert {*rule.public} == {("J45", "J"), ("OTHER", "J"), ("I10", "I"), ("OTHER", "I"), ("I10", "E"), ("OTHER", "E"),
                              ("J45", "O")}  # fmt: skip


def test_a_check_counts_input_rows_that_break_a_rule_as_it_is_declared() -> None:
    frame = visits(100).assign(sex="F", age=30, icd="J45", chapter="J").astype({"chapter": object})
    frame.loc[0, "chapter"] = "I"  # of another code
    frame.loc[1, ["icd", "chapter"]] = "Q99", "I"  # a code that no table lists
    frame.loc[2:4, ["icd", "chapter", "age"]] = "O80", "O", 3
    counts = [each.broken for each in check_rules(frame, d.Schema(COLUMNS, constraints=[PAIRS, TABLE, BIRTHS]))]
    assert counts == [2, 2, 3]


REFUSED: dict[str, tuple[Any, str]] = {
    "a category that may not be found": (d.Implies("age >= 0", "icd == 'O80'"), "only public categories and OTHER"),
    "a value that another column lacks": (
        d.FixedCombinations(["icd", "chapter"], public=[["I10", "X"]]),
        "lists 'X', which 'chapter' cannot have",
    ),
    "a table that gives an open column": (
        d.Derived("icd", of="sex", table={"M": "a", "F": "b"}),
        "to be found by a fit",
    ),
    "a table with gaps": (d.Derived("sex", of="icd", table={"J45": "M"}), "declare 'sex' nullable"),
    "two rows for one text": (d.Derived("chapter", of="icd", table=[["1", "J"], [1, "E"]]), "for one text of 'icd'"),
    "an order of categories": (d.Implies("icd < 'B'", "age > 3"), "where icd < 'B': age > 3`: 'icd' has no order"),
    "an order": (d.Order("icd", "<", "age"), "not all numbers"),
}


@pytest.mark.parametrize(("rule", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_a_fit_could_not_keep_is_named_before_it(rule: Any, said: str, tmp_path: Any) -> None:
    ledger = d.Ledger.create(tmp_path / "l", d.Budget(5, 1e-5), dataset="x", unit=d.PrivacyUnit())
    spent = {"epsilon": 1.0, "delta": 1e-6, "ledger": ledger}
    with pytest.raises(d.SchemaError) as caught:
        d.Synthesizer(d.Schema(COLUMNS, constraints=[rule]), **spent).fit("no such file.csv")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert ledger.runs() == []


DOUBLES = {
    "what was not found is left in the tables": ("_became", lambda column, categories, value: [str(value)], PAIRS),
    "what was not found has no combination": (
        "_became",
        lambda column, categories, value: [str(value)] if str(value) in categories else [],
        PAIRS,
    ),
    "a parent has what one of its codes has": (
        "_looked_up",
        lambda rule, ways, places: [(("OTHER",), "J")],
        TABLE,
    ),
}


@pytest.mark.parametrize(("name", "double", "rule"), DOUBLES.values(), ids=DOUBLES.keys())
def test_a_broken_settling_is_found(name: str, double: Any, rule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows break the rule, or the fit fails once it is paid for, or what may be OTHER cannot be."""

    def right() -> bool:
        try:
            synth = fitted([rule], "independent")
            rows = synth.sample(3000, seed=1)
        except d.SchemaError:
            return False
        return broken(synth.schema, rows) == [] and (rows["icd"] == "OTHER").any()

    assert right()
    monkeypatch.setattr(opened, name, double)
    assert not right()
