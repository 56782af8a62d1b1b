"""Files that are read in parts: the same fits as of a table in memory, whatever the kind of file and its parts."""

from __future__ import annotations

import gzip
import os
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

import dpsynth
from dpsynth import Boolean, Categorical, Datetime, Numeric, OpenCategorical, Order, PrivacyUnit, RowsError, Schema
from dpsynth.data.engines import arrow, delimited, folders
from dpsynth.data.engines import source as source_module
from dpsynth.data.engines.files import column_names, open_source
from dpsynth.data.engines.partitions import Partitions
from dpsynth.data.tables.codec import codec_for
from dpsynth.data.tables.records import record_codings
from dpsynth.door.bounded import _parts, bound_table
from dpsynth.door.codes import code_of, codes_of
from dpsynth.door.keeping import Held

RNG = np.random.default_rng(5)
N = 3_000
ROWS = pd.DataFrame(
    {
        "who": [f"p{number}" for number in RNG.integers(0, 400, N)],
        "age": RNG.integers(0, 100, N),
        "pay": np.round(RNG.lognormal(7, 1, N), 2),
        "ward": RNG.choice(["north", "south", "a\nb"], N, p=[0.6, 0.3, 0.1]),
        "code": RNG.choice(["I10", "E11", "J45"], N),
        "day": pd.to_datetime("2020-01-01") + pd.to_timedelta(RNG.integers(0, 300, N), "D"),
        "end": pd.to_datetime("2021-01-01") + pd.to_timedelta(RNG.integers(0, 300, N), "D"),
        "smoker": RNG.random(N) < 0.3,
        "note": "never read",
    }
)
COLUMNS = {
    "age": Numeric(0, 120, integer=True),
    "pay": Numeric(0, None),
    "ward": Categorical(["north", "south", "a\nb"]),
    "code": OpenCategorical(),
    "day": Datetime("2020-01-01", "2020-12-31"),
    "end": Datetime("2020-01-01", "2021-12-31"),
    "smoker": Boolean(),
    "note": dpsynth.Identifier(),
}
RULES = [Order("day", "<=", "end")]
SCHEMAS = {
    "rows": Schema({**COLUMNS, "who": dpsynth.Identifier()}, constraints=RULES),
    "people": Schema(COLUMNS, unit=PrivacyUnit("who", 3), constraints=RULES),
    "months": Schema(COLUMNS, unit=PrivacyUnit(["who", "month(day)"], 2)),
}


def write_parquet(rows: pd.DataFrame, place: Path) -> Path:
    parquet.write_table(pa.Table.from_pandas(rows, preserve_index=False), place / "r.parquet", row_group_size=700)
    return place / "r.parquet"


def write_feather(rows: pd.DataFrame, place: Path) -> Path:
    feather.write_feather(pa.Table.from_pandas(rows, preserve_index=False), place / "r.feather", chunksize=333)
    return place / "r.feather"


def write_stream(rows: pd.DataFrame, place: Path) -> Path:
    table = pa.Table.from_pandas(rows, preserve_index=False)
    with pa.OSFile(str(place / "r.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=500)
    return place / "r.arrow"


def write_csv(rows: pd.DataFrame, place: Path) -> Path:
    rows.to_csv(place / "r.csv", index=False)
    return place / "r.csv"


def write_packed(rows: pd.DataFrame, place: Path) -> Path:
    with gzip.open(place / "r.csv.gz", "wt", newline="") as file:
        rows.to_csv(file, index=False)
    return place / "r.csv.gz"


def write_wide(rows: pd.DataFrame, place: Path) -> Path:
    rows.to_csv(place / "r.csv", index=False, encoding="utf-16")
    return place / "r.csv"


def write_folder(rows: pd.DataFrame, place: Path) -> Path:
    """Of one file whole numbers are fractions, of one numbers are texts, and one has no rows."""
    whole = rows.astype({"age": float})
    texts = rows.astype({"pay": str})
    for name, part in {"a": rows[:1000], "b": whole[1000:2000], "c": texts[2000:], "d": rows[:0]}.items():
        (place / "f").mkdir(exist_ok=True)
        parquet.write_table(
            pa.Table.from_pandas(part, preserve_index=False), place / "f" / f"{name}.parquet", row_group_size=400
        )
    return place / "f"


def write_pattern(rows: pd.DataFrame, place: Path) -> Path:
    for start in range(0, N, 1000):
        rows[start : start + 1000].to_csv(place / f"r{start}.csv", index=False)
    return place / "r*.csv"


def write_shuffled(rows: pd.DataFrame, place: Path) -> Path:
    return write_parquet(rows.sample(frac=1, random_state=1), place)


def write_partitions(rows: pd.DataFrame, place: Path) -> Partitions:
    """Frames, tables, batches and iterators of them, of other types and lengths, the columns in another order."""
    whole = pa.Table.from_pandas(rows, preserve_index=False)
    return dpsynth.partitions(
        [
            lambda: rows[:700].copy(),
            lambda: rows[700:700],
            lambda: rows[700:1200].astype({"age": object, "ward": "category", "pay": str}),
            lambda: whole.slice(1200, 300).select(whole.column_names[::-1]),
            lambda: iter(whole.slice(1500, 900).to_batches(max_chunksize=200)),
            lambda: [rows[2400:2500], whole.slice(2500, 100)],
            lambda: pa.RecordBatchReader.from_stream(whole.slice(2600)),
        ]
    )


KINDS = {f.__name__.removeprefix("write_"): f for k, f in [*globals().items()] if k.startswith("write_")}


FILES = {name: write for name, write in KINDS.items() if name != "partitions"}


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    for module in (arrow, delimited, folders):
        monkeypatch.setattr(module, "LARGE", 40_000)
    for module in (arrow, source_module):
        monkeypatch.setattr(module, "ROWS_OF_A_PART", 450)


def sampled(data, schema: Schema) -> pd.DataFrame:
    mechanism = "canopy" if schema is SCHEMAS["people"] else "independent"
    synth = dpsynth.Synthesizer(schema, mechanism, epsilon=20, delta=1e-4, unsafe_seed=3, ledger=None)
    return synth.fit(data).sample(2_000, seed=1)


@pytest.fixture(scope="module", params=SCHEMAS)
def expected(request):
    return SCHEMAS[request.param], sampled(ROWS, SCHEMAS[request.param])


@pytest.mark.parametrize("write", KINDS.values(), ids=KINDS.keys())
def test_a_fit_of_parts_is_the_fit_of_the_table(write, expected, tmp_path):
    schema, rows = expected
    path = write(ROWS, tmp_path)
    assert open_source(path, schema).parts is not None
    pd.testing.assert_frame_equal(sampled(path, schema), rows)


@pytest.mark.parametrize("write", KINDS.values(), ids=KINDS.keys())
def test_parts_are_cut_alike_whatever_columns_are_read(write, tmp_path):
    source = open_source(write(ROWS, tmp_path), SCHEMAS["people"])
    assert source.parts is not None
    lengths = [[*map(len, source.parts(names))] for names in (["who"], ["age"], ["who", "ward", "pay"], [*ROWS])]
    assert all(each == lengths[0] for each in lengths)


@pytest.mark.parametrize("block", range(60, 76))
def test_no_line_end_within_quotes_is_lost_where_a_block_ends(block, tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "LARGE", block)
    (tmp_path / "r.csv").write_bytes(("who,ward\n" + '1,"a\r\nb"\n2,"a\r\nb"\n' * 500).encode())
    source = open_source(tmp_path / "r.csv", Schema({"ward": Categorical(["a\r\nb"]), "who": dpsynth.Identifier()}))
    assert source.parts is not None
    found = [value for part in source.parts(["ward"]) for value in part["ward"].to_pylist()]
    assert found == ["a\r\nb"] * 1000


@pytest.mark.parametrize("odd", [Decimal("1.50"), "word", 2.5, None, Decimal("9" * 20)], ids=repr)
def test_one_record_moves_nobody_elses_rows_whatever_it_makes_of_a_column(odd):
    """A decimal turns whole numbers into decimals: what others say stays what they said."""
    rng = np.random.default_rng(3)
    who, codes = np.repeat(np.arange(200), 5), rng.integers(0, 10**6, 1000)
    schema = Schema({"code": OpenCategorical(nullable=True)}, unit=PrivacyUnit("who", 2))
    more = [*map(type(odd) if isinstance(odd, Decimal) else int, codes.tolist()), odd]
    kept = []
    for values, ids in ((codes, who), (pd.Series(more, dtype=object), [*who, 999])):
        table = pd.DataFrame({"who": ids, "code": values, "row": range(len(ids))})
        rows = bound_table(Held(lambda table=table: table), schema.unit, {}, record_codings(schema))
        ((part, taken),) = _parts(rows, [])
        kept.append({*part[taken].loc[part["who"] != 999, "row"]})
    assert kept[0] == kept[1]


HOURS = [0, 1, 30, 5_000]
SPANS = [timedelta(hours=hours) for hours in HOURS]
PAIRS = [(hours, hours + 1) for hours in HOURS]
SAID = {
    "spans": (pa.array(SPANS), pa.array(SPANS, pa.duration("ns")), pd.Series(SPANS), pd.Series(SPANS, dtype=object)),
    "intervals": (
        pd.Series(pd.arrays.IntervalArray.from_tuples(PAIRS)),
        pd.Series([pd.Interval(*map(float, pair)) for pair in PAIRS], dtype=object),
    ),
    "records": (pa.array([{"a": h} for h in HOURS]), pa.array([{"a": h, "b": None} for h in HOURS])),
    "lists": (pa.array([[h] for h in HOURS]), pa.array([[float(h)] for h in HOURS]), [[h] for h in HOURS]),
    "dates": (
        pa.array([date(2020, 1, 1) + timedelta(days=h) for h in HOURS]),
        pd.Series([pd.Timestamp(2020, 1, 1) + timedelta(days=h) for h in HOURS]),
    ),
    "numbers": (HOURS, np.array(HOURS, dtype=complex), pa.array(map(str, HOURS)), pa.array(map(Decimal, HOURS))),
}


@pytest.mark.parametrize("kind", SAID)
def test_a_record_says_the_same_in_every_container_and_others_say_something_else(kind):
    coding = record_codings(Schema({"code": OpenCategorical()}))["code"]
    found = [codes_of(column, coding).tolist() for column in SAID[kind]]
    assert all(each == found[0] for each in found)
    assert len({*found[0]}) == len(HOURS)


@pytest.mark.parametrize("write", KINDS.values(), ids=KINDS.keys())
def test_no_column_is_read_that_is_not_asked_for(write, tmp_path):
    path = write(ROWS, tmp_path)
    source = open_source(path, SCHEMAS["rows"])
    assert source.parts is not None
    for wanted in (["age"], ["ward", "age"], []):
        parts = [*source.parts(wanted)]
        assert all(len(column_names(part)) <= max(1, len(wanted)) for part in parts)
        assert sum(map(len, parts)) == N


@pytest.mark.parametrize("write", FILES.values(), ids=FILES.keys())
def test_a_file_that_changes_while_it_is_read_is_refused(write, tmp_path):
    path = write(ROWS, tmp_path)
    source = open_source(path, SCHEMAS["rows"])
    reading = source.parts(["age"])
    next(reading)
    last = max((p for p in tmp_path.rglob("*") if p.is_file()), key=str)
    os.utime(last, ns=(1, 1))
    with pytest.raises(ValueError, match="written while it was read"):
        list(reading)
    with pytest.raises(ValueError, match="written while it was read"):
        list(source.parts(["age"]))


def test_a_fit_of_a_file_that_changes_says_nothing_and_names_the_remedy(tmp_path, monkeypatch):
    path = write_parquet(ROWS, tmp_path)
    counted = []

    def unchanged(path):
        def check():
            counted.append(path)
            if len(counted) > 4:
                raise ValueError("CANARY")

        return check

    monkeypatch.setattr(arrow, "unchanged", unchanged)
    with pytest.raises(RowsError) as caught:
        dpsynth.Synthesizer(SCHEMAS["people"], epsilon=1, delta=1e-6, ledger=None).fit(path)
    assert "CANARY" not in str(caught.value)
    assert caught.value.__context__ is None


WRITERS = [pd.DataFrame.to_csv, pd.DataFrame.to_parquet, pd.DataFrame.to_feather, pd.DataFrame.to_excel]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("several", [False, True])
def test_a_small_file_that_was_written_since_it_was_opened_is_refused(write, several, tmp_path):
    if several and write is pd.DataFrame.to_excel:
        pytest.skip("several workbooks are no table")
    path = tmp_path / f"t.{write.__name__.removeprefix('to_').replace('excel', 'xlsx')}"
    write(pd.DataFrame({"age": [1, 2]}), path)
    source = open_source(tmp_path if several else path)
    assert len(source.read()) == 2
    os.utime(path, ns=(1, 1))
    with pytest.raises(ValueError, match="written while it was read"):
        source.read()


def test_a_small_file_is_read_once_and_not_in_parts(tmp_path, monkeypatch):
    monkeypatch.undo()
    path = write_parquet(ROWS, tmp_path)
    source = open_source(path, SCHEMAS["people"])
    assert source.parts is None
    read = source.reader()
    assert read(["age"])[0] is read(["ward"])[0]


ENDS = [np.iinfo(kind) for kind in (np.int8, np.uint8, np.int16, np.int64, np.uint64)]


@pytest.mark.parametrize("kind", ENDS, ids=lambda kind: str(kind.dtype))
def test_whole_numbers_have_the_codes_that_each_has_alone(kind):
    """Many of few are looked up; near the ends of their type, too."""
    coding = codec_for(Numeric(-100, 100, integer=True, nullable=True))
    near = [kind.min + i for i in range(6)] + [kind.max - i for i in range(6)]
    for few in (near[:6], near[6:], [v for v in near if kind.bits == 8] or near[:1]):
        column = np.array(few * 60, dtype=kind.dtype)
        alone = [code_of(value, coding) for value in few]
        np.testing.assert_array_equal(codes_of(column, coding), alone * 60)
        np.testing.assert_array_equal(codes_of(pa.array(column), coding), alone * 60)
