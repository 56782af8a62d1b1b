"""RelationalSynthesizer: rows of several tables that join, follow each other, and belong to the people they should."""

from __future__ import annotations

import json
import warnings
import zipfile

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth import (
    Boolean,
    Categorical,
    Datetime,
    Identifier,
    Implies,
    Ledger,
    Link,
    Numeric,
    OneHot,
    OpenCategorical,
    Order,
    PrivacyUnit,
    RelationalSchema,
    RelationalSynthesizer,
    Schema,
    SchemaError,
    Sum,
)
from dpsynth.testing.blind import BlindAccountant
from tests.synthesizers import hospital


def synthesizer(**facts) -> RelationalSynthesizer:
    given = {"epsilon": 8.0, "delta": 1e-6, "ledger": None, "unsafe_seed": 3, **facts}
    return RelationalSynthesizer(given.pop("schema", hospital.schema()), **given)


@pytest.fixture(scope="module")
def fitted() -> RelationalSynthesizer:
    return synthesizer().fit(hospital.tables())


@pytest.fixture(scope="module")
def drawn(fitted):
    return fitted.sample(1500, seed=1)


def test_each_table_has_the_columns_of_its_schema(drawn):
    for name, schema in hospital.schema().tables.items():
        assert [*drawn[name].columns] == [*schema.columns]
    assert drawn["stays"]["admitted"].dtype.kind == "M"


def test_keys_are_unique_and_each_row_has_one_of_a_row_above(drawn):
    patients, stays, measurements = drawn["patients"], drawn["stays"], drawn["measurements"]
    assert patients["id"].is_unique
    assert stays["stay"].is_unique
    assert stays["patient"].isin(patients["id"]).all()
    assert measurements["stay"].isin(stays["stay"]).all()
    assert not {*patients["id"]} & {*map(str, hospital.tables()["patients"]["id"])} or len(patients) > 1000


def test_no_row_has_more_below_it_than_its_link_allows(drawn):
    assert drawn["stays"].groupby("patient").size().max() <= 6
    assert drawn["measurements"].groupby("stay").size().max() <= 5


def test_time_never_runs_backwards_and_stays_within_the_bounds(drawn):
    stays = drawn["stays"]
    assert stays.groupby("patient")["admitted"].apply(lambda times: times.is_monotonic_increasing).all()
    assert stays["admitted"].between("2020-01-01", "2021-12-31").all()


def joined(tables):
    whole = tables["stays"].merge(tables["patients"], left_on="patient", right_on="id")
    return tables["measurements"].merge(whole, on="stay")


def test_what_tables_say_of_each_other_is_kept(drawn):
    real = hospital.tables()
    for found in (drawn, real):
        found["old"] = joined(found)
    for found in (drawn, real):
        whole = found.pop("old")
        old = whole["age"] > 60
        assert (whole["ward"][old] == "geriatrics").mean() > 0.85
        assert (whole["ward"][~old] == "geriatrics").mean() < 0.25
        pulse = whole["pulse"].astype(float).groupby(whole["ward"]).mean()
        assert pulse["geriatrics"] < 70 < 80 < pulse["surgery"]
        numbers = found["stays"].groupby("patient").size().reindex(found["patients"]["id"], fill_value=0)
        people = found["patients"]["age"].to_numpy() > 60
        assert 1.9 < numbers[people].mean() < 3.0
        assert 0.5 < numbers[~people].mean() < 1.3
        gaps = found["stays"].groupby("patient")["admitted"].diff().dt.total_seconds().dropna() / 86_400
        assert 20 < gaps.mean() < 45
        assert found["stays"]["admitted"].dt.hour.between(7, 18).mean() > 0.9


def test_a_seed_draws_the_same_rows_again_and_none_others(fitted):
    one, again, other = (fitted.sample(50, seed=seed) for seed in (4, 4, None))
    for name in one:
        pd.testing.assert_frame_equal(one[name], again[name])
    assert not one["patients"].equals(other["patients"])


@pytest.mark.parametrize("roots", [0, 1])
def test_few_rows_of_the_root_can_be_drawn(fitted, roots):
    found = fitted.sample(roots, seed=1)
    assert len(found["patients"]) == roots
    assert [*found["measurements"].columns] == ["stay", "pulse"]


def test_without_a_number_as_many_are_drawn_as_the_noisy_count_says(fitted):
    assert 1400 < len(fitted.sample(seed=1)["patients"]) < 1600


@pytest.mark.parametrize("output", ["arrow"])
def test_tables_come_in_the_container_that_is_asked_for(fitted, output):
    assert type(fitted.sample(3, seed=1, output=output)["stays"]).__module__.startswith("pyarrow")


@pytest.mark.parametrize("roots", [-1, 1.5, True, "3"])
def test_a_number_of_roots_that_is_none_is_refused(fitted, roots):
    with pytest.raises(ValueError, match="whole number"):
        fitted.sample(roots)


# What is paid


def test_the_whole_budget_is_spent_on_one_run_and_the_certificate_holds():
    ledger = Ledger.create(None, dpsynth.Budget(1.0, 1e-6), dataset="hospital", unit=hospital.schema().unit)
    synth = synthesizer(epsilon=1.0, ledger=ledger, unsafe_seed=None).fit(hospital.tables(200))
    synth.certificate.verify()
    assert 0.999 < ledger.spent().epsilon <= 1.0
    assert synth.certificate.private
    record = synth.certificate.record
    assert record["unit"]["id_column"] == "id"
    assert record["unit"]["max_records"] == 1 + 6 + 10
    assert any("at most 6 on each, of which at most 6 are used" in line for line in record["schema"]["linked"])
    assert len([line for line in ledger.entries() if line["kind"] == "run"]) == 1
    assert "stays" in synth.certificate.to_html()


def test_the_certificate_names_the_rules_of_each_table_and_rows_keep_them():
    days = {name: Numeric(0, most, integer=True) for name, most in (("ill", 9), ("well", 9), ("days", 18))}
    stays = {"patient": Identifier(), "surgery": Boolean(), "medicine": Boolean(), **days}
    rules = [OneHot(["surgery", "medicine"]), Sum("days", ["ill", "well"])]
    tables = {"patients": Schema({"id": Identifier()}), "stays": Schema(stays, constraints=rules)}
    schema = RelationalSchema(tables, [Link("stays.patient -> patients.id", 3)])
    which = np.arange(400) % 3 == 0
    rows = {
        "patients": pd.DataFrame({"id": range(300)}),
        "stays": pd.DataFrame({"patient": np.arange(400) % 300, "surgery": which, "medicine": ~which}),
    }
    rows["stays"] = rows["stays"].assign(ill=2, well=np.arange(400) % 7, days=2 + np.arange(400) % 7)
    synth = synthesizer(schema=schema).fit(rows)
    said = synth.certificate.record["schema"]
    assert said["constraints"] == [f"stays: {rule.describe()}" for rule in rules]
    origins = {line["name"]: line["origin"] for line in said["columns"]}
    assert origins["stays.days"] == "computed from other columns, never read" != origins["stays.ill"]
    made = synth.sample(200, seed=1)["stays"]
    assert len(made) > 100
    assert (made["surgery"] != made["medicine"]).all()
    assert (made["days"] == made["ill"] + made["well"]).all()


def test_an_account_of_the_people_pays_for_linked_and_for_single_tables():
    real = hospital.tables(300)
    ledger = Ledger.create(None, dpsynth.Budget(3.0, 1e-6), dataset="hospital", unit=PrivacyUnit("id", 17))
    synthesizer(epsilon=1.0, ledger=ledger, unsafe_seed=None).fit(real)
    alone = Schema(hospital.schema().tables["patients"].columns, unit=PrivacyUnit("id", 1))
    dpsynth.Synthesizer(alone, "independent", epsilon=1.0, delta=1e-7, ledger=ledger).fit(real["patients"])
    assert 1.0 < ledger.spent().epsilon < 2.0


def run_blindly(monkeypatch, tables, mechanism):
    made = []

    def blind(budget, *, ledger, job, reserve, unsafe_seed):
        made.append(BlindAccountant(budget, ledger=ledger, reserve=reserve))
        return made[-1]

    monkeypatch.setattr("dpsynth.synthesizers.account.Accountant", blind)
    synth = RelationalSynthesizer(hospital.schema(), mechanism, epsilon=1.0, delta=1e-6, ledger=None).fit(tables)
    lines = [(line["kind"], line.get("purpose"), line.get("event")) for line in made[0].ledger.entries()]
    return synth.sample(40, seed=1), lines, synth.certificate.record["released"]


def strange() -> dict[str, pd.DataFrame]:
    """Other people, keys that are missing, come twice and lead nowhere, and values that cannot be read."""
    found = {name: table.astype(object) for name, table in hospital.tables(70, seed=8).items()}
    found["patients"] = pd.concat([found["patients"], found["patients"].iloc[:9]], ignore_index=True)
    found["patients"].loc[3:5, "id"] = None
    found["stays"].loc[2:6, "patient"] = [None, 10**9, "nobody", (1, 2), b"\xff"]
    found["stays"].loc[7:20, "stay"] = 7
    found["stays"].loc[1:30, "admitted"] = "no date"
    found["measurements"].loc[1:9, "pulse"] = [1e300, "fast", None, {}, -5, "", float("inf"), 3 + 4j, []]
    found["measurements"].loc[10:12, "stay"] = [None, 10**9, [1]]
    return found


@pytest.mark.parametrize("mechanism", ["canopy", "mst", "independent"])
def test_nothing_on_the_whole_road_depends_on_the_rows_but_through_charges(monkeypatch, mechanism):
    one, lines, released = run_blindly(monkeypatch, hospital.tables(200), mechanism)
    other, other_lines, other_released = run_blindly(monkeypatch, strange(), mechanism)
    for name in one:
        pd.testing.assert_frame_equal(one[name], other[name])
    assert lines == other_lines
    assert released == other_released


def test_a_synthesizer_that_counts_rows_breaks_that_wall(monkeypatch):
    from dpsynth.synthesizers import relational

    whole = relational.RelationalSynthesizer._certified

    def counting(self, accountant, mechanism, fitted):
        made = whole(self, accountant, mechanism, fitted)
        made.record["released"]["rows of stays"] = next(lengths)
        return made

    lengths = iter((411, 93))  # what a mutant would read off the two sets of tables
    monkeypatch.setattr(relational.RelationalSynthesizer, "_certified", counting)
    with pytest.raises(AssertionError):
        test_nothing_on_the_whole_road_depends_on_the_rows_but_through_charges(monkeypatch, "independent")


def test_strange_keys_and_values_end_no_fit():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = synthesizer(epsilon=1.0).fit(strange()).sample(30, seed=2)
    assert found["stays"]["patient"].isin(found["patients"]["id"]).all()


# Files


def test_a_saved_synthesizer_draws_what_the_fitted_one_does(fitted, tmp_path):
    fitted.save(tmp_path / "hospital.model")
    loaded = RelationalSynthesizer.load(tmp_path / "hospital.model")
    one, other = fitted.sample(200, seed=5), loaded.sample(200, seed=5)
    for name in one:
        pd.testing.assert_frame_equal(one[name], other[name])
    assert loaded.schema == fitted.schema
    assert loaded.certificate.record == fitted.certificate.record
    with pytest.raises(ValueError, match="ledger"):
        loaded.fit(hospital.tables(50))
    with pytest.raises(dpsynth.ModelFileError, match="several tables"):
        dpsynth.Synthesizer.load(tmp_path / "hospital.model")


def test_a_file_with_another_model_than_its_certificate_is_of_is_refused(fitted, tmp_path):
    fitted.save(tmp_path / "hospital.model")
    with zipfile.ZipFile(tmp_path / "hospital.model") as file:
        members = {name: file.read(name) for name in file.namelist()}
    document = json.loads(members["model.json"])
    document["schema"]["links"][0]["max_children"] = 5
    with zipfile.ZipFile(tmp_path / "forged.model", "w") as file:
        for name, content in {**members, "model.json": json.dumps(document).encode()}.items():
            file.writestr(name, content)
    with pytest.raises(dpsynth.ModelFileError):
        RelationalSynthesizer.load(tmp_path / "forged.model")


def test_files_are_read_as_frames_are(tmp_path):
    real = hospital.tables(300)
    for name, table in real.items():
        table.to_parquet(tmp_path / f"{name}.parquet")
    paths = {name: tmp_path / f"{name}.parquet" for name in real}
    one, other = synthesizer().fit(real).sample(100, seed=1), synthesizer().fit(paths).sample(100, seed=1)
    for name in one:
        pd.testing.assert_frame_equal(one[name], other[name])


# Schemas


def test_a_schema_comes_back_from_its_file_and_its_fingerprint_tells_others(tmp_path):
    schema = hospital.schema()
    schema.save(tmp_path / "hospital.yaml")
    assert RelationalSchema.load(tmp_path / "hospital.yaml") == schema
    assert RelationalSchema.of(str(tmp_path / "hospital.yaml")).fingerprint() == schema.fingerprint()
    assert hospital.schema(adjacency="replace").fingerprint() != schema.fingerprint()
    with pytest.raises(SchemaError, match="unit"):
        RelationalSchema.of({**schema.to_dict(), "unit": {}})


KEYED = Schema({"id": Identifier(), "a": Boolean()})
BELOW = Schema({"up": Identifier(), "id": Identifier(), "b": Boolean(), "day": Datetime("2020-01-01", "2020-12-31")})
LINK = Link("below.up -> top.id", 3)


@pytest.mark.parametrize(
    ("tables", "links", "says"),
    [
        ({"top": KEYED}, [], "root"),
        ({"top": KEYED, "below": BELOW}, [], "2 of 2 tables without one"),
        ({"top": KEYED, "below": BELOW}, [LINK, LINK], "belongs to two tables"),
        ({"top": KEYED, "below": BELOW}, [Link("below.b -> top.id", 3)], "must be declared as Identifier"),
        ({"top": KEYED, "below": BELOW}, [Link("below.no -> top.id", 3)], "must be declared as Identifier"),
        ({"top": KEYED, "below": BELOW}, [Link("lower.up -> top.id", 3)], "'lower', which the schema lacks"),
        ({"top": KEYED, "below": BELOW}, [Link("below.up -> top.id", 3, order="b")], "order"),
        (
            {"top": KEYED, "below": BELOW, "lower": BELOW},
            [Link("below.up -> lower.id", 3), Link("lower.up -> below.id", 3)],
            "circle",
        ),
        ({"top": Schema(KEYED.columns, unit=PrivacyUnit("id")), "below": BELOW}, [LINK], "states a unit"),
        ({"to.p": KEYED, "below": BELOW}, [LINK], "no points"),
    ],
)
def test_links_that_make_no_tree_are_refused(tables, links, says):
    with pytest.raises(SchemaError, match=says):
        RelationalSchema(tables, links)


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"path": "below.up", "max_children": 3}, "is written as"),
        ({"path": "below.up -> below.id", "max_children": 3}, "to itself"),
        ({"path": "below.up -> top.id", "max_children": 0}, "whole number from 1"),
        ({"path": "below.up -> top.id", "max_children": True}, "whole number from 1"),
        ({"path": "below.up -> top.id", "max_children": 3, "records": 1.5}, "whole number from 1"),
    ],
)
def test_links_that_say_nothing_are_refused(facts, says):
    with pytest.raises(SchemaError, match=says):
        Link(**facts)


def test_records_are_at_most_what_a_root_can_have():
    schema = RelationalSchema(
        {"top": KEYED, "below": BELOW, "lower": BELOW},
        [Link("below.up -> top.id", 2, records=50), Link("lower.up -> below.id", 3)],
    )
    assert [schema.records(name) for name in ("top", "below", "lower")] == [1, 2, 6]
    assert schema.unit == PrivacyUnit("id", 9)


# Refused before anything is read


def fails(schema, data, says, **facts):
    ledger = Ledger.create(None, dpsynth.Budget(1.0, 1e-6), dataset="t", unit=schema.unit)
    with pytest.raises(ValueError, match=says):
        synthesizer(schema=schema, epsilon=1.0, ledger=ledger, **facts).fit(data)
    assert ledger.spent().epsilon == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda real: {**real, "more": real["stays"]}, "a mapping with the tables"),
        (lambda real: real["stays"], "a mapping with the tables"),
        (lambda real: {**real, "stays": real["stays"].drop(columns="patient")}, "lacks its key 'patient'"),
        (lambda real: {**real, "stays": real["stays"].drop(columns="ward")}, "lacks 'ward'"),
    ],
)
def test_tables_that_are_not_those_of_the_schema_are_refused(change, says):
    fails(hospital.schema(), change(hospital.tables(20)), says)


@pytest.mark.parametrize(
    ("below", "says"),
    [
        (Schema({**BELOW.columns, "code": OpenCategorical()}), "categories of 'code' of 'below' are open"),
        (
            Schema(
                {**BELOW.columns, "n": Numeric(0, 9, integer=True), "m": Numeric(0, 9, integer=True)},
                constraints=[Implies("n > 3", "m > 4")],
            ),
            "drawn again",
        ),
        (
            Schema(
                {**BELOW.columns, "end": Datetime("2020-01-01", "2020-12-31")},
                constraints=[Order("day", "<=", "end")],
            ),
            "about its order 'day'",
        ),
        (Schema({**BELOW.columns, "email": Categorical(["a", "b"])}), "direct identifiers"),
    ],
)
def test_what_is_not_modelled_in_several_tables_is_refused(below, says):
    schema = RelationalSchema({"top": KEYED, "below": below}, [Link("below.up -> top.id", 3, order="day")])
    fails(schema, {"top": pd.DataFrame(), "below": pd.DataFrame()}, says)


@pytest.mark.parametrize("mechanism", ["dp-ctgan", "pate-gan"])
def test_mechanisms_that_read_rows_of_one_table_are_refused(mechanism):
    fails(hospital.schema(), hospital.tables(20), "reads rows of one table", mechanism=mechanism)


def test_an_epsilon_of_nothing_is_refused():
    fails_with = RelationalSynthesizer(hospital.schema(), epsilon=0, delta=1e-6, ledger=None)
    with pytest.raises(ValueError, match="epsilon"):
        fails_with.fit(hospital.tables(20))


def test_a_learned_bound_is_one_in_every_table_that_sees_it():
    schema = RelationalSchema(
        {
            "top": Schema({"id": Identifier(), "wealth": Numeric(0, None)}),
            "below": Schema({"up": Identifier(), "cost": Numeric(None, None)}),
        },
        [Link("below.up -> top.id", 3)],
    )
    rng = np.random.default_rng(0)
    top = pd.DataFrame({"id": range(800), "wealth": rng.lognormal(3, 1, 800)})
    below = pd.DataFrame({"up": rng.integers(0, 800, 1500)})
    below["cost"] = top["wealth"].to_numpy()[below["up"]] + rng.normal(0, 1, 1500)
    found = synthesizer(schema=schema).fit({"top": top, "below": below}).sample(800, seed=1)
    whole = found["below"].merge(found["top"], left_on="up", right_on="id")
    assert np.corrcoef(np.log(whole["wealth"] + 1), np.log(whole["cost"].clip(0) + 1))[0, 1] > 0.6
