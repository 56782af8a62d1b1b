"""Tables of other packages come in by way of Arrow, and are read as in pandas: of polars, and whatever has a stream."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import dpsynth
from dpsynth.data.engines import known_frames
from dpsynth.data.engines.files import open_rows, open_source
from dpsynth.data.tables.codec import codecs, encode_frame
from dpsynth.door.codes import codes_of

SCHEMA = dpsynth.Schema(
    {
        "age": dpsynth.Numeric(0, 120, integer=True, nullable=True),
        "cost": dpsynth.Numeric(0, 100),
        "ward": dpsynth.Categorical(["a", "b"], nullable=True),
        "smokes": dpsynth.Boolean(),
        "seen": dpsynth.Datetime("2024-01-01", "2024-12-31"),
    }
)


class Stream:
    """A table that only Arrow's stream leads into, text as views, as polars hands it over."""

    def __init__(self, table: pa.Table) -> None:
        views = [pa.field(f.name, pa.string_view() if f.type == pa.string() else f.type) for f in table.schema]
        self.table = table.cast(pa.schema(views))

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


class Broken:
    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        raise RuntimeError("Mrs Miller, 34")


def frame(rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "age": pd.array(rng.integers(0, 120, rows), dtype="Int64"),
            "cost": rng.uniform(0, 100, rows),
            "ward": np.where(rng.random(rows) < 0.1, None, rng.choice(["a", "b"], rows)),
            "smokes": rng.random(rows) < 0.3,
            "seen": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, rows), unit="D"),
        }
    )


def polars(rows: pd.DataFrame):
    pl = pytest.importorskip("polars", reason="polars is not installed here: pip install polars runs this test")
    return pl.from_arrow(pa.Table.from_pandas(rows, preserve_index=False)).with_columns(
        pl.col("ward").cast(pl.Categorical)
    )


def stream(rows: pd.DataFrame) -> Stream:
    return Stream(pa.Table.from_pandas(rows, preserve_index=False))


@pytest.mark.parametrize("other", [stream, polars])
def test_a_fit_of_a_table_of_another_package_is_that_of_the_same_rows_in_pandas(other):
    rows = frame()
    fits = [
        dpsynth.Synthesizer(SCHEMA, "independent", epsilon=1, delta=1e-6, unsafe_seed=4, ledger=None).fit(given)
        for given in (rows, other(rows))
    ]
    one, two = (fit.sample(50, seed=1) for fit in fits)
    pd.testing.assert_frame_equal(one, two)


@pytest.mark.parametrize("other", [stream, polars])
def test_evaluate_audit_and_draft_take_it_too(other):
    rows, release, holdout = frame(), frame().sample(frac=1, random_state=1), frame(300).iloc[::-1]
    given = [other(each) for each in (release, rows)]
    assert dpsynth.evaluate(*given, SCHEMA).record == dpsynth.evaluate(release, rows, SCHEMA).record
    checked = dpsynth.audit(*given, other(holdout), schema=SCHEMA, seed=1)
    assert checked.verdict == dpsynth.audit(release, rows, holdout, schema=SCHEMA, seed=1).verdict
    kinds = {name: facts["type"] for name, facts in dpsynth.Schema.draft(other(rows)).to_dict()["columns"].items()}
    assert kinds == dict(zip(rows, ("numeric", "numeric", "categorical", "boolean", "datetime"), strict=True))


def test_a_table_that_cannot_be_read_is_refused_and_not_quoted():
    for act in (open_source, open_rows):
        with pytest.raises(dpsynth.SchemaError, match="Broken cannot be read by pyarrow: convert it first") as caught:
            act(Broken())
        assert caught.value.__context__ is None


def lazy(rows: pd.DataFrame):
    pytest.importorskip("narwhals", reason="lazy frames are read by narwhals")
    return polars(rows).lazy()


def relation(rows: pd.DataFrame):
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")
    return duckdb.from_arrow(pa.Table.from_pandas(rows, preserve_index=False))


@pytest.mark.parametrize("other", [lazy, relation])
def test_a_table_that_is_not_computed_yet_is_read_when_it_is_fitted(other):
    rows = frame()
    source = open_source(other(rows), SCHEMA)
    assert source.names == list(rows)
    codes = encode_frame(source.read().to_pandas(types_mapper=pd.ArrowDtype), SCHEMA)
    for name, meant in encode_frame(rows, SCHEMA).items():
        np.testing.assert_array_equal(codes[name], meant, err_msg=name)


def test_without_narwhals_a_lazy_frame_is_refused_in_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "narwhals", None)
    with pytest.raises(dpsynth.SchemaError, match="convert it first, as by its to_pandas"):
        open_source(SimpleNamespace(collect=None))


def narwhals_of(rows: pd.DataFrame):
    return pytest.importorskip("narwhals", reason="narwhals is not installed").from_native(rows)


def test_a_word_in_a_column_of_a_pandas_like_package_moves_no_other_value():
    """To Arrow a column of words and numbers cannot go, and one record would end the fit."""
    rows = frame().astype(object)
    odd = pd.concat([rows, pd.DataFrame([["odd"] * 5], columns=rows.columns)], ignore_index=True)
    known = known_frames.known_source(narwhals_of(odd))
    codes, meant = encode_frame(known.read(), SCHEMA), encode_frame(rows, SCHEMA)
    for name in meant:
        np.testing.assert_array_equal(codes[name][:-1], meant[name], err_msg=name)
    with pytest.raises(pa.ArrowException):  # the double: by way of Arrow
        narwhals_of(odd).to_arrow()


TYPES = {
    "age": [pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.decimal128(23, 2),
            pa.dictionary(pa.int32(), pa.int64())],
    "ward": [pa.large_string(), pa.string_view(), pa.binary(), pa.dictionary(pa.int8(), pa.large_string()),
             pa.dictionary(pa.uint16(), pa.string())],
    "seen": [pa.date32(), pa.date64(), pa.timestamp("s"), pa.timestamp("ms"), pa.timestamp("ns"),
             pa.timestamp("us", "UTC"), pa.timestamp("us", "Asia/Tokyo"), pa.string()],
    "smokes": [pa.bool_(), pa.int8(), pa.string(), pa.dictionary(pa.int8(), pa.string())],
}  # fmt: skip


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name in TYPES for kind in TYPES[name]], ids=str)
def test_a_column_of_every_type_of_arrow_has_the_codes_of_its_values(name, kind):
    values = frame(60)[name].astype(object).tolist()
    if name == "seen":
        plain = pa.array(values, pa.timestamp("s"))
        array = plain.cast(pa.timestamp("s", kind.tz) if getattr(kind, "tz", None) else plain.type).cast(kind)
    else:
        plain = pa.array(values, from_pandas=True)
        base = kind.value_type if pa.types.is_dictionary(kind) else kind
        array = plain.cast(pa.int8()).cast(base) if pa.types.is_integer(base) and name == "smokes" else plain.cast(base)
        array = array.dictionary_encode().cast(kind) if base != kind else array
    assert array.type == kind
    for given in (pa.table({name: array}), Plain(pa.table({name: array}))):
        rows = open_source(given, dpsynth.Schema({name: SCHEMA.columns[name]})).read()
        codes = codes_of(rows.column(name), codecs(SCHEMA)[name])
        meant = codes_of(pd.Series(values, dtype=object), codecs(SCHEMA)[name])
        np.testing.assert_array_equal(codes, meant)


class Plain(Stream):
    def __init__(self, table: pa.Table) -> None:
        self.table = table
