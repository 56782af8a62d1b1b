"""Tables in parts that functions give: nothing is read early, nothing is said, and no reading differs from another."""

from __future__ import annotations

import traceback
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import dpsynth
from dpsynth import Categorical, Identifier, Numeric, OpenCategorical, PrivacyUnit, RowsError, Schema, SchemaError
from dpsynth.base.real_records import STAMP
from dpsynth.data.engines.files import open_rows, open_source
from dpsynth.data.engines.partitions import _Seen
from dpsynth.door.bounded import _parts, bound_table

ROWS = pd.DataFrame({"who": np.arange(600) % 200, "age": np.arange(600) % 90, "ward": ["north", "south", "east"] * 200})
COLUMNS = {"age": Numeric(0, 100, integer=True), "ward": Categorical(["north", "south", "east"])}
PEOPLE = Schema(COLUMNS, unit=PrivacyUnit("who", 2))
ALONE = Schema({**COLUMNS, "who": Identifier()})
NAMES = [*ROWS.columns]
UNITS = pytest.mark.parametrize("schema", [PEOPLE, ALONE], ids=["people", "rows"])


def never():
    raise AssertionError("a part was read")


def fitted(data, schema, ledger=None):
    return dpsynth.Synthesizer(schema, "independent", epsilon=1, delta=1e-6, ledger=ledger).fit(data)


def account(tmp_path, schema):
    return dpsynth.Ledger.create(tmp_path / "l.ledger", dpsynth.Budget(1, 1e-6), dataset="d", unit=schema.unit)


@UNITS
def test_a_part_that_cannot_be_computed_says_nothing_and_what_was_reserved_stays_spent(schema, tmp_path):
    def failing():
        raise ValueError("CANARY")

    ledger = account(tmp_path, schema)
    with pytest.raises(RowsError) as caught:
        fitted(dpsynth.partitions([lambda: ROWS, failing], NAMES), schema, ledger)
    assert "CANARY" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None
    assert ledger.runs()[0].state == "drawing"
    with pytest.raises(SchemaError, match=r"^partitions\(1 parts\) cannot be read: see whether") as caught:
        open_rows(dpsynth.partitions([failing], NAMES))
    assert caught.value.__context__ is None


FIRST = ROWS[:50]


def changing(*readings):
    """Two parts, of which the second is this at its first reading, that at the next one, and so on."""
    left = iter(readings)
    return [lambda: FIRST, lambda: next(left, readings[-1])]


OTHERS = {
    "a value": ROWS.assign(age=[*ROWS["age"][:-1], 55]),
    "one person's value for another's": ROWS.assign(age=[*ROWS["age"][:2][::-1], *ROWS["age"][2:]]),
    "a missing value": ROWS.assign(ward=[None, *ROWS["ward"][1:]]),
    "another order": ROWS[::-1],
    "a row less": ROWS[:-1],
    "a row more": pd.concat([ROWS, ROWS[:1]]),
    "other parts": [ROWS[:300], ROWS[300:]],
    "fewer parts": [],
    "a part more": [ROWS, ROWS[:1]],
}


def refuses_what_changes(other, columns) -> bool:
    """Whether a second reading that is another than the first is refused."""
    read = open_source(dpsynth.partitions(changing(ROWS, other), NAMES), ALONE).reader()
    list(read(columns))
    try:
        list(read(columns))
    except ValueError:
        return True
    return False


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_parts_that_change_between_readings_are_refused(other):
    assert refuses_what_changes(other, NAMES)
    assert not refuses_what_changes(ROWS.copy(), NAMES)


@UNITS
def test_a_fit_of_parts_that_change_says_nothing(schema):
    """Categories that a charge finds need two readings, whether or not the unit has ids."""
    open_schema = Schema({**schema.columns, "ward": OpenCategorical()}, unit=schema.unit)
    with pytest.raises(RowsError) as caught:
        fitted(dpsynth.partitions(changing(ROWS, OTHERS["a missing value"]), NAMES), open_schema)
    assert caught.value.__context__ is None


SAME = _Seen._same
MUTANTS = {
    "readings are not compared": ("_same", lambda self, rows, length, said: True, "a value"),
    "only lengths are compared": ("_same", lambda self, rows, length, said: len(rows) == length, "another order"),
    "only the parts that come are compared": ("as_before", lambda self, parts: parts, "fewer parts"),
    "parts may be added": ("_whole", property(lambda self: False, lambda self, value: None), "a part more"),
    "only the first part is compared": (
        "_same",
        lambda self, rows, length, said: len(rows) != len(FIRST) or SAME(self, rows, length, said),
        "a value",
    ),
}


@pytest.mark.parametrize(("name", "double", "other"), MUTANTS.values(), ids=MUTANTS.keys())
def test_a_reader_that_does_not_compare_is_found(name, double, other, monkeypatch):
    monkeypatch.setattr(_Seen, name, double, raising=False)  # an attribute of its objects has no place in it
    assert not refuses_what_changes(OTHERS[other], NAMES)


def test_what_was_read_of_other_columns_is_compared_too():
    """Passes read different columns: each column is compared with what it said when it was first read."""
    other = ROWS.assign(age=0)
    read = open_source(dpsynth.partitions(changing(ROWS, ROWS, other), NAMES), PEOPLE).reader()
    list(read(["who", "age"]))
    list(read(["ward"]))
    with pytest.raises(ValueError, match="other rows"):
        list(read(["ward", "age"]))


def test_a_reading_that_ended_early_binds_only_the_parts_that_came():
    parts = [lambda: ROWS[:300], lambda: ROWS[300:]]
    read = open_source(dpsynth.partitions(parts, NAMES), PEOPLE).reader()
    next(iter(read(["age"])))
    assert sum(map(len, read(["age"]))) == len(ROWS)


@UNITS
@pytest.mark.parametrize("parts", [2, 7, 600])
def test_parts_in_another_order_and_cut_elsewhere_give_the_same_fit(schema, parts):
    def sampled(data):
        synth = dpsynth.Synthesizer(schema, "canopy", epsilon=20, delta=1e-4, unsafe_seed=3, ledger=None)
        return synth.fit(data).sample(500, seed=1)

    cuts = np.array_split(np.random.default_rng(parts).permutation(600), parts)
    table = dpsynth.partitions([partial(ROWS.take, cut) for cut in cuts], NAMES)
    pd.testing.assert_frame_equal(sampled(table), sampled(ROWS))


@pytest.mark.parametrize("parts", [1, 3, 50])
def test_a_person_keeps_no_more_rows_over_all_parts(parts):
    cuts = np.array_split(np.random.default_rng(parts).permutation(600), parts)
    many = pd.DataFrame({"who": [7] * 10_000, "age": 1, "ward": "north"})
    given = [*(partial(ROWS.take, cut) for cut in cuts), lambda: many]
    table = open_source(dpsynth.partitions(given, NAMES), PEOPLE)
    kept = [part[rows] for part, rows in _parts(bound_table(table.reader(), PEOPLE.unit), ["who"])]
    assert set(pd.concat(kept)["who"].value_counts()) == {2}


def test_nothing_is_read_before_a_run_is_paid_for(tmp_path):
    table = dpsynth.partitions([never], NAMES)
    ledger = account(tmp_path, PEOPLE)
    for schema, wanted in (
        (Schema({"age": Numeric(0, 9), "pay": Numeric(0, 9)}, unit=PEOPLE.unit), "pay"),
        (Schema({**COLUMNS, "who": Identifier()}, unit=PrivacyUnit("person")), "person"),
    ):
        with pytest.raises(SchemaError, match=wanted):
            fitted(table, schema, ledger)
    with pytest.raises(SchemaError, match=r"give partitions\(parts, columns"):
        Schema.draft(dpsynth.partitions([never]))
    with pytest.raises(SchemaError, match="stamped"):
        open_source(dpsynth.partitions([never], [*NAMES, STAMP]), PEOPLE)
    types = pa.schema([("age", pa.list_(pa.int64())), ("ward", pa.string()), ("who", pa.int64())])
    with pytest.raises(SchemaError, match="'age' holds lists"):
        fitted(dpsynth.partitions([never], types), PEOPLE, ledger)
    assert ledger.runs() == []


def test_a_draft_has_the_names_or_the_types_and_reads_no_row():
    named = Schema.draft(dpsynth.partitions([never], NAMES), PEOPLE.unit).to_dict()["columns"]
    assert [*named] == NAMES
    assert named["age"] == {"type": "TODO"}
    types = pa.schema([("who", pa.int64()), ("age", pa.int64()), ("ward", pa.string())])
    typed = Schema.draft(dpsynth.partitions([never], types), PEOPLE.unit).to_dict()["columns"]
    assert {name: facts["type"] for name, facts in typed.items()} == {
        "who": "identifier",
        "age": "numeric",
        "ward": "categorical",
    }


@pytest.mark.parametrize(
    "part",
    [
        ROWS.drop(columns="age"),
        pd.concat([ROWS, ROWS[["age"]]], axis=1),
        ROWS.assign(**{STAMP: True}),
        {"who": [1], "age": [2], "ward": ["north"]},
        "claims.parquet",
        None,
    ],
    ids=["a column less", "a column twice", "stamped", "a dict", "a path", "nothing"],
)
def test_a_part_of_another_form_ends_the_fit_and_says_nothing(part):
    for columns in (NAMES, None):
        with pytest.raises(RowsError):
            fitted(dpsynth.partitions([lambda: ROWS, lambda: part], columns), PEOPLE)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([],), "takes a list of functions"),
        ((ROWS,), "takes a list of functions"),
        (([ROWS],), "takes a list of functions"),
        ((never,), "takes a list of functions"),
        (([never], "age"), "names of the columns as texts"),
        (([never], []), "names of the columns as texts"),
        (([never], [0, 1]), "names of the columns as texts"),
        (([never], 7), "names of the columns as texts"),
    ],
)
def test_what_is_no_table_in_parts_is_refused_in_one_sentence(given, message):
    with pytest.raises(SchemaError, match=rf"^[^\n]*{message}[^\n]*: [^\n]+$"):
        dpsynth.partitions(*given)


def test_all_rows_can_be_read_by_whoever_may_see_them():
    whole = pa.Table.from_pandas(ROWS, preserve_index=False)
    for parts in ([lambda: ROWS[:300], lambda: ROWS[300:]], [lambda: whole], [lambda: ROWS[:9], lambda: whole[9:]]):
        read = open_rows(dpsynth.partitions(parts, NAMES), PEOPLE)
        found = read.to_pandas() if isinstance(read, pa.Table) else read
        pd.testing.assert_frame_equal(found.astype(ROWS.dtypes), ROWS)


def test_partitions_of_dask_are_read_by_the_documented_recipe():
    dask = pytest.importorskip("dask.dataframe", reason="dask is not installed: pip install 'dask[dataframe]'")
    frame = dask.from_pandas(ROWS, npartitions=4)
    table = dpsynth.partitions([part.compute for part in frame.partitions], [*frame.columns])
    assert len(open_rows(table)) == len(ROWS)
    assert len(fitted(table, PEOPLE).sample(5)) == 5
