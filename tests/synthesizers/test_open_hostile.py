"""Values that could break a fit, or be told by the way: what an open column makes of them, and doubles that fail."""

from __future__ import annotations

import logging
import unicodedata
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import dpsynth
from dpsynth import Numeric, OpenCategorical, RowsError, Schema, SchemaError
from dpsynth.data.tables.codec import codec_for
from dpsynth.mechanisms import discovered
from dpsynth.schema.files import FileFormat
from tests.synthesizers.test_open_categories import OFTEN, RARE, SCHEMA, UNIT, fitted, patients, with_one_more

pytestmark = pytest.mark.filterwarnings("ignore:about .* became OTHER")

MANY = 600


def table_of(*values) -> pd.DataFrame:
    """Each value in so many rows of as many people."""
    held = [value for value in values for _ in range(MANY)]
    return pd.DataFrame({"who": range(len(held)), "code": pd.Series(held, dtype=object), "age": 1})


def schema_of(file: FileFormat | None = None, **facts) -> Schema:
    columns = {"code": OpenCategorical(**facts), "age": Numeric(0, 9, integer=True)}
    return Schema(columns, unit=UNIT, file=file)


def found(rows, schema=None) -> tuple[str, ...]:
    return fitted(rows, schema=schema or schema_of(), epsilon=8.0).categories["code"]


# A value that many have must not make a fit fail, nor what is written of it.

NO_CATEGORIES = {
    "a marker of missing values": (FileFormat(missing_markers=["NA", "-99"]), ["NA", " NA ", -99, "-99"]),
    "a sign that the file's encoding lacks": (FileFormat(encoding="latin-1"), ["Łódź", "\u4e2d"]),
    "a delimiter that no quote protects": (FileFormat(delimiter=";", quote=None), ["a;b"]),
}


@pytest.mark.parametrize(("file", "values"), NO_CATEGORIES.values(), ids=NO_CATEGORIES)
def test_what_could_be_no_category_of_the_schema_becomes_other_and_the_fit_is_whole(file, values, tmp_path):
    made = fitted(table_of("fine", *values), schema=schema_of(file), epsilon=8.0)
    assert made.categories == {"code": ("fine",)}
    settled = made.schema.settled(made.categories)
    settled.save(tmp_path / "s.yaml")
    assert Schema.load(tmp_path / "s.yaml") == settled
    drawn = made.sample(1_000, seed=1)
    assert abs((drawn["code"] == "fine").mean() - 1 / (1 + len(values))) < 0.06


@pytest.mark.parametrize(("file", "values"), [*NO_CATEGORIES.values()][:2], ids=[*NO_CATEGORIES][:2])
def test_a_double_that_takes_such_a_value_fails_once_it_is_paid(file, values, monkeypatch):
    monkeypatch.setattr(discovered, "_text", lambda column, _, length, known, value: column.text(value, length, known))
    with pytest.raises(SchemaError):
        fitted(table_of("fine", *values), schema=schema_of(file), epsilon=8.0)


def test_an_encoding_is_asked_of_each_value_by_itself():
    """One value that cannot be written takes none of the others with it."""
    rows = table_of("fine", "café")
    rows.loc[0, "code"] = "Łódź"
    assert found(rows, schema_of(FileFormat(encoding="latin-1"))) == ("café", "fine")


@pytest.mark.parametrize("sign", ["\n", "\r", "\t", "\x00", "\x1b", "\x7f", "\x85"])
def test_control_signs_are_in_no_category_of_a_release(sign):
    assert found(table_of("fine", f"a{sign}b", f"{sign}c{sign}".strip("\x00"))) in {("c", "fine"), ("fine",)}
    assert OpenCategorical().text(f"a{sign}b") is None


def test_a_release_of_any_kind_can_be_written_whatever_was_found(tmp_path, run):
    rows = table_of('quote "a"', "comma, here", "semi; here", " blanks ", "e\u0301", "é", "1e5", "=1+1", "true", "null")
    rows.to_parquet(tmp_path / "p.parquet")
    schema_of().save(tmp_path / "s.yaml")
    for ending in ("csv", "jsonl", "feather"):
        line = f"release {tmp_path}/p.parquet -s {tmp_path}/s.yaml --epsilon 8 --format {ending}"
        assert run(f"{line} --ledger {tmp_path}/l{ending} -o {tmp_path}/r{ending}")[0] == 0
    again = pd.read_csv(tmp_path / "rcsv" / "synthetic.csv", dtype=str, keep_default_na=False)
    names = {*Schema.load(tmp_path / "rcsv" / "schema.yaml").columns["code"].categories}
    assert {*again["code"]} <= names
    assert len(names) == 11


# How a value is read hangs on that value alone.

ODD = [
    True,
    b"bytes",
    1.5,
    -0.0,
    10**30,
    np.float32(0.1),
    float("inf"),
    pd.Timestamp("2020-01-01"),
    ("a", "tuple"),
    ["a", "list"],
    {"a": "dict"},
    {1, 2},
    object(),
    "\ud800",
    "x" * 201,
    pd.NA,
    None,
    3 + 0j,
]


def test_odd_values_are_read_one_by_one_and_by_the_codec_as_they_were_counted():
    """Each of them among others, and alone: found alike; and what is found is the cell that its rows lie in."""
    whole = found(table_of("A", *ODD))
    alone = {name for value in ODD for name in found(table_of("A", value))}
    assert {*whole} == alone
    assert {"A", "bytes", "1.5", "0", "3"} <= alone
    codec = codec_for(OpenCategorical().settled(whole))
    cells = [(*whole, "OTHER")[code] for code in codec.encode(pd.Series(["A", *ODD], dtype=object))]
    assert {*cells} - {"OTHER"} == {*whole}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_two_forms_of_a_sign_are_two_categories_as_a_declared_one_would_have_them(form):
    text = unicodedata.normalize(form, "é")
    column = OpenCategorical().settled(found(table_of("é", "e\u0301")))
    assert len(column.categories) == 3
    assert column.categories[codec_for(column).encode([text])[0]] == text


def test_dictionaries_of_arrow_count_rows_and_not_entries():
    """Entries that no row has, that come twice, and null entries, in several chunks with dictionaries of their own."""
    first = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None] * 400), pa.array(["a", "a", None, "ghost"]))
    second = pa.DictionaryArray.from_arrays(pa.array([1, 1] * 400), pa.array(["ghost", "b"]))
    code = pa.chunked_array([first, second])
    n = len(code)
    table = pa.table({"who": np.arange(n), "code": code, "age": np.ones(n, dtype=int)})
    assert found(table, schema_of(nullable=True)) == ("a", "b")


def test_a_prefix_that_ends_in_a_blank_is_none():
    column = OpenCategorical(levels=[1, 3])
    assert [column.text(t, 3) for t in ("12 345", "123 45", " 12345")] == [None, "123", "123"]
    assert column.text("12 345", 1) == "1"


# What is told by the way.


def heard(data, caplog, *, fit=fitted) -> list[str]:
    caplog.clear()
    with caplog.at_level(logging.DEBUG):
        fit(data, unsafe_seed=3)
    return [record.getMessage() for record in caplog.records]


def test_no_log_line_names_a_value_or_changes_by_one_person(caplog, capfd):
    one, other = (heard(rows, caplog) for rows in (patients(3_000), with_one_more(patients(3_000))))
    assert one == other
    said = " ".join(other) + "".join(capfd.readouterr())
    assert not any(name in said for name in (*OFTEN, RARE, "only me"))


def test_the_same_replay_refutes_a_double_that_logs_what_it_does_not_know(caplog, monkeypatch):
    honest = discovered._text

    def talks(column, file, length, known, value):
        text = honest(column, file, length, known, value)
        logging.getLogger("dpsynth").debug("not declared: %s", text)
        return text

    monkeypatch.setattr(discovered, "_text", talks)
    one, other = (heard(rows, caplog) for rows in (patients(3_000), with_one_more(patients(3_000))))
    assert one != other


def test_a_failure_while_values_are_counted_says_nothing_of_them(monkeypatch):
    def breaks(self, *_):
        raise MemoryError(f"{RARE} is too much")

    monkeypatch.setattr("dpsynth.discovery.held._numbered", breaks)
    with pytest.raises(RowsError) as caught:
        fitted(with_one_more(patients(500)))
    assert RARE not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_refusal_before_the_fit_and_a_plan_open_no_data(tmp_path):
    """What is refused, and what is planned, follows from schema, budget and account: the file does not exist."""
    made = dpsynth.Synthesizer(SCHEMA, "independent", epsilon=1.0, delta=1e-6, ledger=tmp_path / "l")
    assert made.plan(100).summary() == made.plan(100).summary()
    assert not (tmp_path / "l").exists()


def test_a_person_counts_once_for_a_category_however_many_rows_name_it():
    """So many people, with two rows each, are three fifths of the threshold; as many rows of others are above it."""
    schema = schema_of()
    threshold = discovered.search(schema, dpsynth.Budget(8.0, 1e-6), None).events[0].threshold(UNIT)
    people = threshold * 3 // 5
    rows = pd.DataFrame({"who": np.repeat(np.arange(people), 2), "code": "twice", "age": 1})
    several = [fitted(rows, schema=schema, epsilon=8.0, unsafe_seed=seed).categories["code"] for seed in range(12)]
    assert several.count(()) >= 10
    each = rows.assign(who=np.arange(len(rows)))
    finds = [fitted(each, schema=schema, epsilon=8.0, unsafe_seed=seed).categories["code"] for seed in range(12)]
    assert finds.count(("twice",)) >= 7


def test_the_text_of_a_value_is_a_function_of_that_value():
    column = OpenCategorical(levels=[1])
    read = partial(discovered._text, column, FileFormat(), None, frozenset())
    values = ["A", 1.0, "\ud800x", "x" * 300, ""]
    seen = []
    for value in [*values, *values[::-1]]:
        try:
            seen.append(read(value))
        except UnicodeEncodeError:
            seen.append(None)
    assert seen[:5] == seen[5:][::-1] == ["A", "1", None, None, None]
