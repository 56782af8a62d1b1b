"""Imputations: tables for an analyst's own analyses, with intervals where noisy counts cover them, at no charge."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dpsynth

ROWS = 3000
SCHEMA = dpsynth.Schema(
    {
        "age": dpsynth.Numeric(0, 9, integer=True),
        "income": dpsynth.Numeric(0.0, 1e5),
        "ill": dpsynth.Boolean(),
        "ward": dpsynth.Categorical(["a", "b", "c"]),
    }
)


def records() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    age = rng.integers(0, 10, ROWS)
    ill = rng.random(ROWS) < 0.1 + 0.08 * age
    ward = np.where(rng.random(ROWS) < 0.7, np.where(ill, "a", "b"), "c")
    return pd.DataFrame({"age": age, "income": rng.uniform(0, 9e4, ROWS), "ill": ill, "ward": ward})


@pytest.fixture(scope="module")
def synth() -> dpsynth.Synthesizer:
    made = dpsynth.Synthesizer(SCHEMA, "mst", epsilon=10.0, delta=1e-6, ledger=None, unsafe_seed=1)
    return made.fit(records())


@pytest.fixture(scope="module")
def tables(synth):
    return synth.imputations(4, seed=1)


def test_tables_are_rows_as_a_sample_has_them(synth, tables):
    assert len(tables) == len([*tables]) == 4
    for table in tables:
        assert table.dtypes.equals(synth.sample(5, seed=1).dtypes)
        assert len(table) == tables.rows == round(synth.fitted_.model.total)
        assert table.age.between(0, 9).all()
        assert table.ill.mean() == pytest.approx(records().ill.mean(), abs=0.06)
    assert not tables[0].equals(tables[1])


def test_one_seed_gives_the_same_tables_and_a_saved_model_too(synth, tables, tmp_path):
    synth.save(tmp_path / "m.dpsynth")
    again = dpsynth.Synthesizer.load(tmp_path / "m.dpsynth").imputations(2, seed=1)
    assert all(one.equals(other) for one, other in zip(again, tables, strict=False))
    other = synth.imputations(2, n=50, seed=2)
    assert [len(each) for each in other] == [50, 50]


def test_imputations_spend_nothing(tmp_path):
    ledger = tmp_path / "own.ledger"
    made = dpsynth.Synthesizer(SCHEMA, "independent", epsilon=1.0, delta=1e-6, ledger=ledger).fit(records())
    before = ledger.read_bytes()
    made.imputations(2, n=20)
    assert ledger.read_bytes() == before


def test_what_was_counted_together_has_an_interval(tables):
    found = tables.combine([table.age.astype(float).mean() for table in tables], columns=["age"])
    assert found.basis == "measured"
    assert found.intervals[0, 0] < found.estimates[0] < found.intervals[0, 1]
    assert found.terms == ("0",)
    pair = tables.combine([1.0, 1.1, 0.9, 1.0], columns=["age", "ill"])
    assert pair.basis == "measured"


def test_what_notes_say_of_simulations_was_measured(tables):
    """The lowest and the highest rate of each mechanism, epsilon and kind of analysis, on both tables together."""
    file = Path(__file__).parents[2] / "benchmarks" / "results" / "imputations.json"
    rates = []
    for by_epsilon in json.loads(file.read_text())["results"]["found"].values():
        for cells in by_epsilon.values():
            for kind in next(iter(cells.values()))["kinds"]:
                found = [cell["kinds"][kind] for cell in cells.values()]
                covered = sum(each["measured"] for each in found)
                rates += [sum(each.get("held", 0) for each in found) / covered] if covered else []
    note = tables.combine([1.0, 1.1, 0.9, 1.0], columns=["age"]).notes[-1]
    assert f"{min(rates):.2f} to {max(rates):.2f} of cases" in note


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (["income"], "'income' were counted in ranges"),
        (["age", "ward"], "'age' and 'ward' were not counted together"),
        (["age", "ill", "ward"], "'age' and 'ward' were not counted together"),
    ],
)
def test_what_counts_do_not_cover_has_no_interval_and_says_why(tables, columns, said):
    found = tables.combine([1.0, 1.1, 0.9, 1.0], columns=columns)
    assert found.basis == "model"
    assert np.isnan(found.intervals).all()
    assert found.std_errors[0] > 0
    assert any(said in note for note in found.notes)
    assert found.notes == tables.doubts(columns)


def test_a_column_that_noise_hides_has_no_interval(synth):
    schema = dpsynth.Schema({"age": dpsynth.Numeric(0, 99, integer=True), "ill": dpsynth.Boolean()})
    made = dpsynth.Synthesizer(schema, "mst", epsilon=0.05, delta=1e-6, ledger=None, unsafe_seed=2)
    tables = made.fit(records()[["age", "ill"]]).imputations(2, n=10, seed=1)
    assert "Noise hides many of the values of 'age'" in tables.doubts(["age"])[0]


def test_a_mechanism_on_which_intervals_were_not_tried_has_none():
    schema = dpsynth.Schema({"ill": dpsynth.Boolean()})
    made = dpsynth.Synthesizer(schema, "independent", epsilon=1.0, delta=1e-6, ledger=None, unsafe_seed=2)
    tables = made.fit(records()[["ill"]]).imputations(2, n=10, seed=1)
    assert tables.doubts(["ill"]) == (
        "Intervals were tried on releases by canopy and mst, and this is by independent.",
    )


def test_variances_are_needed_where_tables_are_not_as_long_as_the_private_one(synth):
    tables = synth.imputations(2, n=100, seed=1)
    with pytest.raises(ValueError, match="variances are needed"):
        tables.combine([1.0, 1.1], columns=["age"])
    assert tables.combine([1.0, 1.1], [0.1, 0.1], columns=["age"]).std_errors[0] > 0
    with pytest.raises(ValueError, match="1 estimates and 2 variances"):
        tables.combine([1.0, 1.1], [[0.1, 1]] * 2, columns=["age"])


def test_rows_of_a_person_may_all_be_alike():
    """With up to 4 rows of each person the draw of the rows counts four times."""
    unit = dpsynth.PrivacyUnit("id", 4)
    schema = dpsynth.Schema({"id": dpsynth.Identifier(), "ill": dpsynth.Boolean()}, unit=unit)
    rows = pd.DataFrame({"id": np.arange(ROWS) // 4, "ill": records().ill})
    made = dpsynth.Synthesizer(schema, "mst", epsilon=9.0, delta=1e-6, ledger=None, unsafe_seed=1).fit(rows)
    tables = made.imputations(2, seed=1)
    with pytest.raises(ValueError, match="variances are needed"):
        tables.combine([1.0, 1.0], columns=["ill"])
    found = tables.combine([1.0, 1.0], [0.5, 0.5], columns=["ill"])
    assert found.std_errors[0] == pytest.approx(np.sqrt(3 * 0.5))
    assert "all rows of" in found.notes[0]


@pytest.mark.parametrize("columns", [[], ["weight"], "weight"])
def test_columns_that_the_tables_do_not_have_are_refused(tables, columns):
    with pytest.raises(dpsynth.SchemaError, match="columns must be those"):
        tables.doubts(columns)


@pytest.mark.parametrize("m", [1, 0, 2.5, True])
def test_fewer_than_two_tables_are_refused(synth, m):
    with pytest.raises(ValueError, match="m must be a whole number of tables, 2 or more"):
        synth.imputations(m)


def test_a_release_without_noisy_counts_is_refused(synth):
    made = dpsynth.Synthesizer(SCHEMA, "mst", epsilon=1.0, delta=1e-6, ledger=None)
    with pytest.raises(dpsynth.NotFittedError):
        made.imputations()
    made.fitted_ = replace(synth.fitted_, model=replace(synth.fitted_.model, charged=()))
    with pytest.raises(ValueError, match="keeps no noisy counts of every column"):
        made.imputations(2)
    made.fitted_ = replace(synth.fitted_, model=synth.fitted_.model.coarse)
    with pytest.raises(ValueError, match="keeps no noisy counts"):
        made.imputations(2)
