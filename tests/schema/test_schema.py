"""Schema: public facts, checked when written, the same in YAML and in JSON."""

from __future__ import annotations

import copy
import hashlib
import json
import pickle
import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dpsynth.data.engines.files import open_rows
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.schema import drafts as drafting
from dpsynth.schema.table import (
    Boolean,
    Categorical,
    Column,
    Datetime,
    Identifier,
    Numeric,
    Schema,
    SchemaDraft,
    SchemaError,
    Text,
)

TRAPS = [
    "yes",
    "no",
    "null",
    "~",
    "",
    "01",
    "1e5",
    "1:30",
    "2020-01-01",
    "0x1F",
    "True",
    "NaN",
    "<<",
    "=",
    "- a",
    "é\n",
    "\x85",
    "\u2028 ",
]
"""Words that one version of YAML or another reads as something else than text."""

texts = st.sampled_from(TRAPS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
names = texts.filter(bool)
numbers = st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6)
COLUMNS: st.SearchStrategy[Column] = st.one_of(
    st.builds(Categorical, st.lists(texts, min_size=1, unique=True), ordered=st.booleans(), nullable=st.booleans()),
    st.builds(Categorical, st.lists(numbers, min_size=1, unique=True)),
    st.builds(lambda a, b: Numeric(min(a, b), max(a, b), nullable=True, missing_marker="N"), numbers, numbers),
    st.builds(lambda a, n: Numeric(a, a + n, integer=True), st.integers(-99, 99), st.integers(0, 10**9)),
    st.builds(Numeric, st.none(), st.none() | numbers),
    st.builds(
        lambda day, resolution: Datetime(day, "2050-01-01", resolution=resolution),
        st.dates(date(1, 1, 1), date(2049, 1, 1)),
        st.sampled_from(["D", "h", "min", "s"]),
    ),
    st.builds(Boolean, nullable=st.booleans()),
    st.builds(lambda a, b: Boolean(true=["yes", a], false=["no", b]), st.just("true"), numbers.filter(bool)),
    st.builds(lambda d, m: Numeric(0, 5, decimals=d, decimal=m, suffix="%€"), st.integers(0, 9), st.sampled_from(".,")),
    st.builds(Datetime, st.just("2020-01-01"), st.just("2021-01-01"), format=st.sampled_from(["%d.%m.%y", "%b %d %Y"])),
    st.builds(Identifier, pattern=st.none() | st.sampled_from(["P-####", "??-#"])),
    st.just(Text()),
)
SCHEMAS = st.builds(
    lambda columns, most: Schema(columns, unit=PrivacyUnit("who is it", most)),
    st.dictionaries(names, COLUMNS, min_size=1, max_size=5),
    st.integers(1, 5),
)


@settings(max_examples=40)
@given(schema=SCHEMAS)
def test_a_schema_survives_both_file_formats(tmp_path_factory: pytest.TempPathFactory, schema: Schema) -> None:
    folder = tmp_path_factory.mktemp("schema")
    for name in ("a.yaml", "a.yml", "a.json"):
        schema.save(folder / name)
        loaded = Schema.load(folder / name)
        assert loaded == schema
        assert list(loaded.columns) == list(schema.columns)
        assert loaded.fingerprint() == schema.fingerprint()


@settings(max_examples=40)
@given(schema=SCHEMAS)
def test_equal_schemas_hash_and_copy_alike(schema: Schema) -> None:
    for other in (copy.deepcopy(schema), pickle.loads(pickle.dumps(schema)), Schema.from_dict(schema.to_dict())):
        assert other == schema
        assert hash(other) == hash(schema)


def test_the_fingerprint_is_that_of_the_canonical_json() -> None:
    schema = Schema({"sex": Categorical(["f", "m"]), "age": Numeric(0, 120, integer=True)})
    assert schema.to_dict() == {
        "dpsynth_schema": 1,
        "unit": {},
        "columns": {
            "sex": {"type": "categorical", "categories": ["f", "m"]},
            "age": {"type": "numeric", "low": 0, "high": 120, "integer": True},
        },
    }
    canonical = (
        '{"columns":[["sex",{"categories":["f","m"],"type":"categorical"}],'
        '["age",{"high":120,"integer":true,"low":0,"type":"numeric"}]],"dpsynth_schema":1,"unit":{}}'
    )
    assert schema.fingerprint() == hashlib.sha256(canonical.encode()).hexdigest()


def test_every_public_fact_moves_the_fingerprint() -> None:
    base = {"a": Categorical(["x", "y"]), "b": Numeric(0, 10)}
    variants = [
        Schema(base),
        Schema(dict(reversed(base.items()))),
        Schema(base, unit=PrivacyUnit("a person")),
        Schema(base, unit=PrivacyUnit(max_records=2)),
        Schema(base, unit=PrivacyUnit(adjacency="replace")),
        Schema({**base, "a": Categorical(["y", "x"])}),
        Schema({**base, "a": Categorical(["x", "y"], ordered=True)}),
        Schema({**base, "a": Categorical(["x", "y"], nullable=True)}),
        Schema({**base, "a": Categorical(["x", "y"], nullable=True, missing_marker="?")}),
        Schema({**base, "a": Categorical(["x", "y"], other="x")}),
        Schema({**base, "b": Numeric(0, None)}),
        Schema({**base, "b": Numeric(0, 10, integer=True)}),
        Schema({**base, "b": Numeric(0, 10, step=0.5)}),
        Schema({**base, "b": Numeric(0, 10, decimals=1)}),
        Schema({**base, "b": Numeric(0, 10, decimal=",")}),
        Schema({**base, "b": Numeric(0, 10, suffix="kg")}),
        Schema({**base, "a": Boolean()}),
        Schema({**base, "a": Boolean(true=["x"], false=["y"])}),
        Schema({**base, "a": Boolean(true=["x", "z"], false=["y"])}),
    ]
    assert len({schema.fingerprint() for schema in variants}) == len(set(variants)) == len(variants)


def test_one_meaning_has_one_form() -> None:
    assert Numeric(0, 10.0) == Numeric(np.int64(0), Decimal("10"))
    assert Categorical([1, 2.0]) == Categorical(np.array([1.0, 2.0])) == Categorical((1, 2))
    assert Categorical(pd.Series(["a", "b"])) == Categorical(iter("ab")) == Categorical(["a", "b"])
    plus_two = timezone(timedelta(hours=2))
    assert Datetime(datetime(2020, 1, 1, 1, tzinfo=plus_two), "2020-02-01") == Datetime("2019-12-31", date(2020, 2, 1))
    assert Datetime("2020-01-01T05:59", "2021-01-01", resolution="h").low == "2020-01-01T05:00"
    assert Datetime(pd.Timestamp("2020-01-01 12:00:01.5"), np.datetime64("2021"), resolution="s") == Datetime(
        datetime(2020, 1, 1, 12, 0, 1, tzinfo=UTC), "2021-01-01T00:00:00", resolution="s"
    )
    assert Datetime("1969-12-31", "1970-01-02").steps == (-1, 1)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Categorical([]), "empty"),
        (lambda: Categorical("abc"), "list"),
        (lambda: Categorical({"a", "b"}), "list"),
        (lambda: Categorical(3), "list"),
        (lambda: Categorical(["a", "b", "a"]), "twice"),
        (lambda: Categorical([1, 1.0]), "twice"),
        (lambda: Categorical(["1", 1]), "mix"),
        (lambda: Categorical([True, False]), "Boolean"),
        (lambda: Categorical([1, True]), "Boolean"),
        (lambda: Categorical(["a", None]), "nullable"),
        (lambda: Categorical([1.0, float("nan")]), "nullable"),
        (lambda: Categorical([1.0, float("inf")]), "finite"),
        (lambda: Categorical([2**53]), "2\\*\\*53"),
        (lambda: Categorical([["a"]]), "text or a number"),
        (lambda: Categorical([date(2020, 1, 1)]), "quotes"),
        (lambda: Categorical(["\ud800"]), "Unicode"),
        (lambda: Categorical(["a"], other="b"), "other="),
        (lambda: Categorical(["a"], nullable=True, missing_marker="a"), "also a category"),
        (lambda: Categorical(["1"], nullable=True, missing_marker=1.0), "also a category"),
        (lambda: Categorical([1], nullable=True, missing_marker=" 1"), "also a category"),
        (lambda: Categorical(["a"], missing_marker="?"), "nullable"),
        (lambda: Categorical(["a"], nullable=1), "true or false"),  # type: ignore[arg-type]
        (lambda: Categorical(range(2**24 + 1)), "group"),
        (lambda: Numeric(2, 1), "above"),
        (lambda: Numeric(float("nan"), 1), "finite"),
        (lambda: Numeric(0, float("inf")), "finite"),
        (lambda: Numeric(0, 10**400), "finite"),
        (lambda: Numeric("0", 1), "number"),  # type: ignore[arg-type]
        (lambda: Numeric(False, True), "number"),
        (lambda: Numeric(0, 1, step=0), "positive"),
        (lambda: Numeric(0, 1, step=-1), "positive"),
        (lambda: Numeric(0, 1, step=0.3), "divide"),
        (lambda: Numeric(0, 10, integer=True, step=3), "divide"),
        (lambda: Numeric(0, 10, integer=True, step=0.5), "whole"),
        (lambda: Numeric(0.5, 10, integer=True), "whole"),
        (lambda: Numeric(0, 2**52, integer=True), "too fine"),
        (lambda: Numeric(0, 1e20, step=1), "too fine"),
        (lambda: Numeric(0, 1, missing_marker=-1), "nullable"),
        (lambda: Numeric(0, 1, decimals=16), "decimals must be a whole number"),
        (lambda: Numeric(0, 1, decimals=True), "decimals must be a whole number"),
        (lambda: Numeric(0, 1, decimals=2, step=0.01), "keep one of the three"),
        (lambda: Numeric(0, 1, decimals=2, integer=True), "keep one of the three"),
        (lambda: Numeric(0, 0.125, decimals=2), "divide"),
        (lambda: Numeric(0, 1, decimal=2), "for how many digits"),  # type: ignore[arg-type]
        (lambda: Numeric(0, 1, decimal=";"), "decimal must be"),
        (lambda: Numeric(0, 1, thousands="_"), "thousands must be"),
        (lambda: Numeric(0, 1, decimal=",", thousands=","), "both ','"),
        (lambda: Numeric(0, 1, prefix="EUR "), "without blanks"),
        (lambda: Numeric(0, 1, suffix="m2"), "without digits"),
        (lambda: Numeric(0, 1, suffix=""), "without digits"),
        (lambda: Numeric(0, 1, percent=1), "true or false"),  # type: ignore[arg-type]
        (lambda: Datetime("2020-01-01", "2021-01-01", format="%d.%m"), "lacks the year"),
        (lambda: Datetime("2020-01-01", "2021-01-01", format="%x %Y"), "%x, which is not known"),
        (lambda: Datetime("2020-01-01", "2021-01-01", format="%d.%m.%Y %"), "which is not known"),
        (lambda: Datetime("2020-01-01", "2021-01-01", format="%d %m %d %Y"), "twice"),
        (lambda: Datetime("2020-01-01", "2021-01-01", format="%d %m %y %Y"), "twice"),
        (lambda: Datetime("2020-01-01", "2021-01-01", format="%d %m %Y %I"), "%I and %p"),
        (lambda: Datetime("2020-01-01", "2021-01-01", format=1), "format must be text"),  # type: ignore[arg-type]
        (lambda: Boolean(true=["ja"]), "belong together"),
        (lambda: Boolean(true="ja", false="nein"), "brackets"),
        (lambda: Boolean(true=[], false=["nein"]), "no words"),
        (lambda: Boolean(true=["ja", " "], false=["nein"]), "is empty"),
        (lambda: Boolean(true=[True], false=["nein"]), "in quotes"),
        (lambda: Boolean(true=["ja"], false=[0]), "two texts, or with two numbers"),
        (lambda: Boolean(true=["ja", "1"], false=["nein", 1]), "twice"),
        (lambda: Boolean(true=["ja", " JA"], false=["nein"]), "twice"),
        (lambda: Boolean(true=["ja"], false=["nein"], nullable=True, missing_marker="Nein"), "already means"),
        (lambda: Categorical(["a", "A"], ignore_case=True), "ignore_case"),
        (lambda: Categorical(["a"], ignore_case=True, nullable=True, missing_marker="A"), "ignore_case"),
        (lambda: Datetime("2021-01-01", "2020-01-01"), "after"),
        (lambda: Datetime("yesterday", "2020-01-01"), "ISO"),
        (lambda: Datetime(20200101, "2020-01-01"), "ISO"),  # type: ignore[arg-type]
        (lambda: Datetime(pd.NaT, "2020-01-01"), "ISO"),  # type: ignore[arg-type]
        (lambda: Datetime("2020-01-01", "2020-01-02", resolution="ms"), "resolution"),  # type: ignore[arg-type]
        (lambda: Boolean(nullable=True, missing_marker="Yes"), "true or false"),
        (lambda: Boolean(nullable=True, missing_marker=1), "true or false"),
        (lambda: Boolean(missing_marker="?"), "nullable"),
        (lambda: Identifier(pattern=""), "empty"),
        (lambda: Identifier(pattern="a\0"), "printable"),
        (lambda: Schema({}), "one column"),
        (lambda: Schema({"": Boolean()}), "name"),
        (lambda: Schema({3: Boolean()}), "quotes"),  # type: ignore[dict-item]
        (lambda: Schema({"a\ud800": Boolean()}), "Unicode"),
        (lambda: Schema({"a": "boolean"}), "'a' must be one of"),  # type: ignore[dict-item]
        (lambda: Schema([("a", Boolean())]), "mapping"),  # type: ignore[arg-type]
        (lambda: Schema({"pid": Boolean()}, unit=PrivacyUnit("pid")), "Identifier"),
    ],
)
def test_an_impossible_fact_is_refused_in_one_sentence(make: object, sentence: str) -> None:
    with pytest.raises(SchemaError, match=sentence) as refusal:
        make()  # type: ignore[operator]
    assert "\n" not in str(refusal.value)


def test_what_is_possible_is_allowed() -> None:
    Numeric(3, 3)
    Numeric(0, 1, step=1 / 3)
    Numeric(None, None, integer=True, step=5)
    Numeric(-1, 10, integer=True, nullable=True, missing_marker=-1)
    Datetime("2020-01-01", "2020-01-01")
    Schema({"pid": Identifier()}, unit=PrivacyUnit("pid"))
    Schema({"a": Boolean()}, unit=PrivacyUnit("pid"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"dpsynth_schema": 2}, "must be 1, got 2"),
        ({"dpsynth_schema": True}, "must be 1, got True"),
        ({"dpsynth_schema": None}, "must be 1"),
        ({"constraint": []}, "the schema has unknown fields 'constraint'"),
        ({"unit": {"id_colunm": "x"}}, "unit has unknown fields 'id_colunm'"),
        ({"unit": {"max_records": 0}}, "unit: max_records"),
        ({"columns": ["age"]}, "columns must be a mapping"),
        ({"columns": {"age": "numeric"}}, "column 'age' must be a mapping"),
        ({"columns": {"age": {"low": 0}}}, "column 'age' has type None"),
        ({"columns": {"age": {"type": ["numeric"]}}}, "column 'age' has type"),
        ({"columns": {"age": {"type": "number"}}}, "use one of 'categorical'"),
        ({"columns": {"age": {"type": "numeric", "low": 0}}}, "column 'age' lacks 'high'"),
        ({"columns": {"age": {"type": "numeric", "low": 0, "hihg": 1}}}, "column 'age' has unknown fields 'hihg'"),
        ({"columns": {"age": {"type": "numeric", "low": 1, "high": 0}}}, "column 'age': low=1 is above high=0"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, change: dict[str, object], sentence: str) -> None:
    spec = {**Schema({"age": Numeric(0, 1)}).to_dict(), **change}
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(spec))
    with pytest.raises(SchemaError, match=sentence):
        Schema.load(path)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.yaml", "dpsynth_schema: 1\ncolumns: {a: {type: boolean}, a: {type: text}}", "'a' is given twice"),
        ("a.json", '{"dpsynth_schema": 1, "columns": {"a": {"type": "boolean"}, "a": {}}}', "'a' is given twice"),
        ("a.yaml", "dpsynth_schema: 1\ncolumns: {2019: {type: boolean}}", "2019 must be text: put it in quotes"),
        ("a.yaml", "- a\n", "must hold a mapping"),
        ("a.yaml", "a: [", "not readable as YAML"),
        ("a.yaml", "a: !!python/object:os.system x", "not readable as YAML"),
        ("a.json", "{", "not readable as JSON"),
        ("a.toml", "", "must end in"),
    ],
)
def test_an_unreadable_file_is_refused_in_one_sentence(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SchemaError, match=sentence) as refusal:
        Schema.load(tmp_path / name)
    assert "\n" not in str(refusal.value)


def test_yaml_words_stay_the_text_that_was_written(tmp_path: Path) -> None:
    path = tmp_path / "schema.yaml"
    path.write_text(
        "dpsynth_schema: 1\ncolumns:\n"
        "  zip: {type: categorical, categories: [01, 0123, yes, no, on, 1:30, 2020-01-31, 0x10, +-]}\n"
        "  day: {type: datetime, low: 2020-01-01, high: 2020-12-31}\n"
        "  pay: {type: numeric, low: -.5, high: 1e3, nullable: true}\n"
        "  smokes: {type: boolean, true: [yes, 'true'], false: [no]}\n"
        '  paid: {type: numeric, low: 0, high: 9, decimal: ",", suffix: €, decimals: 2}\n'
        "  seen: {type: datetime, low: 2020-01-01, high: 2020-12-31, format: '%d.%m.%Y'}\n"
    )
    columns = Schema.load(path).columns
    assert columns["zip"] == Categorical(["01", "0123", "yes", "no", "on", "1:30", "2020-01-31", "0x10", "+-"])
    assert columns["day"] == Datetime("2020-01-01", "2020-12-31")
    assert columns["pay"] == Numeric(-0.5, 1000, nullable=True)
    assert columns["smokes"] == Boolean(true=["yes", "true"], false=["no"])
    assert columns["paid"] == Numeric(0, 9, decimal=",", suffix="€", decimals=2)
    assert columns["seen"] == Datetime("2020-01-01", "2020-12-31", format="%d.%m.%Y")


FRAME = pd.DataFrame(
    {
        "patient_id": ["CANARY-1", "CANARY-2"],
        "caseId": [77777, 88888],
        "paid": [123456, 654321],
        "score": [0.123456, 0.5],
        "smokes": pd.array([True, False], "boolean"),
        "ward": pd.Categorical(["CANARY-3", "CANARY-4"]),
        "note": ["CANARY-5", "CANARY-6"],
        "admitted": pd.to_datetime(["1912-01-01", "1999-01-01"]),
        "birth_date": ["CANARY-7", "CANARY-8"],
    }
)


def test_a_draft_is_made_of_types_and_names() -> None:
    columns = Schema.draft(FRAME).to_dict()["columns"]
    assert {name: facts["type"] for name, facts in columns.items()} == {
        "patient_id": "identifier",
        "caseId": "identifier",
        "paid": "numeric",
        "score": "numeric",
        "smokes": "boolean",
        "ward": "categorical",
        "note": "categorical",
        "admitted": "datetime",
        "birth_date": "datetime",
    }
    assert columns["paid"] == {"type": "numeric", "low": "TODO", "high": "TODO", "integer": "TODO", "nullable": True}
    assert columns["ward"] == {"type": "categorical", "categories": "TODO", "nullable": True}


def test_of_a_table_of_text_alone_as_in_csv_no_type_is_said_that_a_name_does_not_suggest(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "rows.csv", index=False)
    draft = Schema.draft(open_rows(tmp_path / "rows.csv"))
    kinds = {name: facts["type"] for name, facts in draft.to_dict()["columns"].items()}
    assert kinds == dict.fromkeys(FRAME, "TODO") | {
        "patient_id": "identifier",
        "caseId": "identifier",
        "birth_date": "datetime",
    }
    draft.save(tmp_path / "draft.yaml")
    text = (tmp_path / "draft.yaml").read_text()
    said = r"7 of 9 columns still have a TODO, 'paid' \(type\), 'score' \(type\), 'smokes' \(type\) and 4 more: write"
    with pytest.raises(SchemaError, match=said):
        Schema.load(tmp_path / "draft.yaml")
    shown = re.findall(r"^#   (\{type: .*?\})", text, re.MULTILINE)
    assert len(shown) == 7
    schema = Schema.from_dict(
        {"dpsynth_schema": 1, "columns": {f"c{i}": yaml.safe_load(s) for i, s in enumerate(shown)}}
    )
    assert [type(column).__name__ for _, column in schema.named] == [
        "Numeric", "Numeric", "Categorical", "OpenCategorical", "Datetime", "Boolean", "Identifier",
    ]  # fmt: skip


def test_a_draft_leaves_open_how_finely_times_are_kept_and_keeps_the_days_of_dates() -> None:
    times = pa.table(
        {
            "seen": pa.array([0], pa.timestamp("ns")),
            "born": pa.array([0], pa.date32()),
            "visit date": pa.array(["2020-01-01"]),
            "created_at": pa.array(["2020-01-01"]),
        }
    )
    columns = Schema.draft(times).to_dict()["columns"]
    assert {name: facts["resolution"] for name, facts in columns.items()} == {
        "seen": "TODO", "born": "D", "visit date": "D", "created_at": "TODO",
    }  # fmt: skip
    assert Schema.draft(FRAME).todo()["low, high, resolution"] == ["admitted"]


def test_a_draft_reads_no_row() -> None:
    draft = Schema.draft(FRAME).to_dict()
    assert Schema.draft(FRAME.iloc[:0]).to_dict() == draft
    assert Schema.draft(pa.Table.from_pandas(FRAME)).to_dict() == draft
    assert not any(secret in json.dumps(draft) for secret in ("CANARY", "123456", "0.5", "77777", "1912"))


NEIGHBOURS = {
    "whole numbers": ([1, 2], "numeric"),
    "numbers": ([1.5, 2.5], "numeric"),
    "booleans": ([True, False], "TODO"),
    "text": (["a", "b"], "TODO" if pd.Series(["a"]).dtype == object else "categorical"),
    "dates": ([datetime(2020, 1, 1), datetime(2020, 1, 2)], "datetime"),
    "nullable booleans": (pd.array([True, False], "boolean"), "boolean"),
    "nullable whole numbers": (pd.array([1, 2], "Int64"), "numeric"),
    "declared text": (pd.array(["a", "b"], "string"), "categorical"),
    "declared categories": (pd.Categorical(["a", "b"]), "categorical"),
}
"""Values of two rows, and the type that a draft beside a column of numbers says of them."""


def with_one_missing(values: Any) -> Any:
    """The same column of the neighbour, in whose second row the value is missing."""
    if isinstance(values, list):
        return [values[0], None]
    return type(values)._from_sequence([values[0], None], dtype=values.dtype)


@pytest.mark.parametrize("beside", [{}, {"paid": [1, 2]}, {"smokes": [True, False]}], ids=str)
def test_a_missing_value_changes_no_draft(beside: dict[str, list[Any]]) -> None:
    """Whatever it is missing in, and whichever other columns there are."""
    for name, (values, kind) in NEIGHBOURS.items():
        whole = pd.DataFrame({"x": values, **beside})
        missing = pd.DataFrame({"x": with_one_missing(values), **beside})
        for tables in ((whole, missing), (pa.table(whole), pa.table(missing))):
            drafts = [Schema.draft(table).to_dict() for table in tables]
            assert drafts[0] == drafts[1], name
        if "paid" in beside:
            assert Schema.draft(whole).to_dict()["columns"]["x"]["type"] == kind, name


def test_a_draft_that_goes_by_all_dtypes_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    """As drafts once did: one missing value made a column of booleans one of categories."""
    monkeypatch.setattr(drafting, "_is_guessed", lambda dtype: False)
    whole, missing = (pd.DataFrame({"x": x, "paid": [1, 2]}) for x in ([True, False], [True, None]))
    assert Schema.draft(whole).to_dict() != Schema.draft(missing).to_dict()


def test_a_draft_is_not_a_schema_until_its_todos_are_written(tmp_path: Path) -> None:
    for name in ("draft.yaml", "draft.json"):
        path = tmp_path / name
        Schema.draft(FRAME).save(path)
        with pytest.raises(SchemaError) as caught:
            Schema.load(path)
        assert str(caught.value).endswith(
            f"6 of {len(FRAME.columns)} columns still have a TODO, 'paid' (low, high, integer),"
            " 'score' (low, high, integer), 'ward' (categories) and 3 more: write a public fact in"
            " the place of each, as docs/schema.md shows for every type"
        )
    spec = Schema.draft(FRAME).to_dict()
    for facts in spec["columns"].values():
        filled = {"categories": ["a"], "low": "2000-01-01", "high": "2001-01-01", "resolution": "h"}
        filled |= {"low": 0, "high": 9, "integer": True} if facts["type"] == "numeric" else {}
        facts |= {key: filled[key] for key, value in facts.items() if value == "TODO"}
    assert list(Schema.from_dict(spec).columns) == list(FRAME.columns)
    assert SchemaDraft(spec).to_dict() == spec


def test_a_draft_of_columns_with_one_name_is_refused() -> None:
    with pytest.raises(SchemaError, match="one name, 'a': rename"):
        Schema.draft(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_text_may_be_declared_but_not_fitted() -> None:
    schema = Schema({"age": Numeric(0, None), "note": Text(), "who": Identifier()})
    assert list(schema.coded) == ["age"]
    assert schema.unbounded == ("age",)
    with pytest.raises(SchemaError, match="'note' is declared Text: remove it from the schema and from the data"):
        schema.refuse_text()
    Schema({"age": Numeric(0, None)}).refuse_text()
