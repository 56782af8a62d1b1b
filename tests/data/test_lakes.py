"""Delta and Iceberg tables: a fit of one is the fit of the table in memory, at one version, and no message names it."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

import dpsynth
from dpsynth import PrivacyUnit, RowsError, Schema, SchemaError
from dpsynth.base.real_records import STAMP
from dpsynth.data.engines import lakes
from dpsynth.data.engines import source as source_module
from dpsynth.data.engines.files import open_rows, open_source
from tests.data import test_streams as streams

SCHEMA = streams.SCHEMAS["people"]
ROWS = streams.ROWS.astype({"day": "datetime64[us]", "end": "datetime64[us]"})
TABLE = pa.Table.from_pandas(ROWS, preserve_index=False).replace_schema_metadata()


class Delta:
    """A table in two writings, of which one is divided into folders by ward; a third comes after it."""

    def __init__(self, place: Path) -> None:
        self.delta = pytest.importorskip("deltalake", reason="deltalake is not installed: pip install 'dpsynth[delta]'")
        self.place = place / "visits"
        self.address = f"delta:///{self.place}"
        self.append(TABLE[:1700])
        self.append(TABLE[1700:])

    def append(self, rows: pa.Table) -> None:
        self.delta.write_deltalake(str(self.place), rows, mode="append", partition_by=["ward"])

    def version(self) -> int:
        return self.table().version()

    def table(self):
        return self.delta.DeltaTable(str(self.place))

    def lose(self) -> None:
        next(self.place.rglob("*.parquet")).unlink()


class Iceberg:
    def __init__(self, place: Path, monkeypatch) -> None:
        reason = "pyiceberg is not installed: pip install 'dpsynth[iceberg]' 'pyiceberg[sql-sqlite]'"
        pytest.importorskip("sqlalchemy", reason=reason)
        catalog = pytest.importorskip("pyiceberg.catalog", reason=reason)
        from pyiceberg.utils.config import Config

        (place / "stock").mkdir()
        for name, value in {
            "TYPE": "sql",
            "URI": f"sqlite:///{place}/c.db",
            "WAREHOUSE": f"file://{place}/stock",
        }.items():
            monkeypatch.setenv(f"PYICEBERG_CATALOG__CLINIC__{name}", value)
        monkeypatch.setattr(catalog, "_ENV_CONFIG", Config())  # which is read once, at the import
        self.place, self.address = place, "iceberg://clinic/care.visits"
        self.catalog = catalog.load_catalog("clinic")
        self.catalog.create_namespace("care")
        self.made = self.catalog.create_table("care.visits", schema=TABLE.schema)
        self.append(TABLE[:1700])
        self.append(TABLE[1700:])

    def append(self, rows: pa.Table) -> None:
        self.made.append(rows)

    def version(self) -> int:
        return self.table().current_snapshot().snapshot_id

    def table(self):
        return self.catalog.load_table("care.visits")

    def lose(self) -> None:
        next((self.place / "stock").rglob("*.parquet")).unlink()

    def close(self) -> None:
        self.catalog.close() if hasattr(self.catalog, "close") else self.catalog.engine.dispose()


@pytest.fixture(params=["delta", "iceberg"])
def lake(request, tmp_path, monkeypatch):
    monkeypatch.setattr(source_module, "ROWS_OF_A_PART", 450)
    if request.param == "delta":
        yield Delta(tmp_path)
    else:
        made = Iceberg(tmp_path, monkeypatch)
        yield made
        made.close()


@pytest.mark.parametrize("unit", streams.SCHEMAS)
def test_a_fit_of_a_lake_is_the_fit_of_the_table(unit, lake):
    schema = streams.SCHEMAS[unit]
    expected = streams.sampled(ROWS, schema)
    for data in (lake.address, lake.table()):
        pd.testing.assert_frame_equal(streams.sampled(data, schema), expected)


def test_all_passes_see_the_version_of_the_first_look(lake):
    given, version = lake.table(), lake.version()
    sources = [open_source(data, SCHEMA) for data in (lake.address, given)]
    lake.append(TABLE[:500])
    if hasattr(given, "update_incremental"):
        given.update_incremental()
    else:
        given.refresh()
    sources.append(open_source(f"{lake.address}?version={version}", SCHEMA))
    for source in sources:
        assert sum(map(len, source.parts(["age"]))) == len(ROWS)
    assert sum(map(len, open_source(lake.address, SCHEMA).parts(["age"]))) == len(ROWS) + 500
    assert sum(map(len, open_source(given, SCHEMA).parts(["age"]))) == len(ROWS) + 500


def test_parts_have_the_columns_that_are_asked_for_and_are_cut_alike(lake):
    source = open_source(lake.address, SCHEMA)
    lengths = []
    for names in (["who"], ["age"], ["pay", "who", "ward"], []):
        parts = [*source.parts(names)]
        assert all({*part.column_names} == {*(names or source.names[:1])} for part in parts)
        lengths.append([*map(len, parts)])
    assert all(each == lengths[0] for each in lengths)
    assert len(open_rows(lake.address)) == len(ROWS)


def test_a_draft_has_the_types_of_the_lake_and_reads_no_row(lake, monkeypatch):
    def never(parts):
        raise AssertionError("rows were read")

    monkeypatch.setattr(lakes, "recut", never)
    source = open_source(lake.address)
    draft = Schema.draft(source.without_rows(), PrivacyUnit("who", 3)).to_dict()["columns"]
    kinds = {name: facts["type"] for name, facts in draft.items()}
    assert kinds == {
        "who": "identifier", "age": "numeric", "pay": "numeric", "ward": "categorical", "code": "categorical",
        "day": "datetime", "end": "datetime", "smoker": "boolean", "note": "categorical",
    }  # fmt: skip


def test_a_release_of_a_lake_does_not_repeat_its_address(lake, tmp_path, run):
    SCHEMA.save(tmp_path / "s.yaml")
    code, out, err = run(
        f"release {lake.address} --schema {tmp_path}/s.yaml --epsilon 1 --ledger {tmp_path}/l.ledger"
        f" -o {tmp_path}/release"
    )
    assert code == 0, err
    told = (tmp_path / "l.ledger").read_bytes()
    told += b"".join(path.read_bytes() for path in (tmp_path / "release").iterdir() if path.is_file())
    assert lake.address not in out + err
    assert lake.address.encode() not in told
    assert run(f"verify {tmp_path}/release")[0] == 0


def test_a_file_that_is_gone_ends_the_fit_and_says_nothing(lake):
    source = open_source(lake.address, SCHEMA)
    lake.lose()
    with pytest.raises(RowsError) as caught:
        dpsynth.Synthesizer(SCHEMA, epsilon=1, delta=1e-6, ledger=None).fit(lake.table())
    assert caught.value.__context__ is None
    with pytest.raises(Exception, match=r".+"):
        list(source.parts(["age"]))
    with pytest.raises(SchemaError, match=r"^the (Delta|Iceberg) table cannot be read: check") as told:
        open_rows(lake.address)
    assert str(lake.place) not in str(told.value)


def test_a_stamped_table_is_refused(lake):
    stamped = pa.table({STAMP: [True], "age": [1]})
    if isinstance(lake, Delta):
        lake.delta.write_deltalake(f"{lake.place}-2", stamped)
        data = lake.delta.DeltaTable(f"{lake.place}-2")
    else:
        data = lake.catalog.create_table("care.mixed", schema=stamped.schema)
    with pytest.raises(SchemaError, match="stamped as one that contains real records"):
        open_source(data)


WRONG = ["delta:///geheim/anna", "delta+s3://anna:geheim@clinic/t?version=x", "iceberg://geheim/anna.t", "iceberg:///"]


@pytest.mark.parametrize("address", WRONG)
def test_what_cannot_be_opened_is_refused_and_its_address_not_repeated(address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ledger = dpsynth.Ledger.create(tmp_path / "l", dpsynth.Budget(1, 1e-6), dataset="d", unit=SCHEMA.unit)
    with pytest.raises(SchemaError, match=r"check its place|not installed: pip install") as caught:
        dpsynth.Synthesizer(SCHEMA, epsilon=1, delta=1e-6, ledger=ledger).fit(address)
    shown = "".join(traceback.format_exception(caught.value)).replace(__file__, "")
    assert "geheim" not in shown
    assert "anna" not in shown
    assert ledger.runs() == []


@pytest.mark.parametrize("version", ["9999", "newest"])
def test_a_version_that_is_not_there_is_said_to_be_what_to_check(lake, version):
    with pytest.raises(SchemaError, match=r"its place and the version, which may be gone \(\?version=") as caught:
        open_source(f"{lake.address}?version={version}", SCHEMA)
    assert str(lake.place) not in str(caught.value)


@pytest.mark.parametrize(("kind", "package"), [("delta", "deltalake"), ("iceberg", "pyiceberg")])
def test_where_the_package_is_absent_the_message_names_the_extra(kind, package, monkeypatch):
    monkeypatch.setattr(lakes, "find_spec", lambda name: None)
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SchemaError, match=rf"{package}, which is not installed: pip install 'dpsynth\[{kind}\]'$"):
        open_source(f"{kind}:///claims")


DAYS = pa.array([18_000, 3_000_000, -800_000], pa.int32()).cast(pa.date32())
FAR = {
    "days": DAYS,
    "moments": pa.array([1, 2**62, -(2**62)]).cast(pa.timestamp("us")),
    "moments of a zone": pa.array([1, 2**62, -(2**62)]).cast(pa.timestamp("us", "UTC")),
    "numbers": pa.array([1.5, float("nan"), None]),
    "texts": pa.array(["a b/\u00fc%+", None, "\ufeff"]),
}


def odd_table(place: Path, values: pa.Array, divided: bool) -> str:
    delta = pytest.importorskip("deltalake", reason="deltalake is not installed: pip install 'dpsynth[delta]'")
    rows = pa.table({"number": [1.0, 2.0, 3.0], "odd": values})
    delta.write_deltalake(str(place), rows, partition_by=["odd"] if divided else None)
    return f"delta:///{place}"


@pytest.mark.parametrize("divided", [False, True], ids=["one folder", "a folder for each"])
@pytest.mark.parametrize("name", FAR)
def test_no_value_decides_whether_a_table_opens_or_is_read(name, divided, tmp_path):
    source = open_source(odd_table(tmp_path / "t", FAR[name], divided))
    found = pa.concat_tables([*source.parts(["number", "odd"])]).sort_by("number")
    assert found["number"].to_pylist() == [1.0, 2.0, 3.0]
    bits = pa.int32() if name == "days" else pa.int64()
    temporal = pa.types.is_temporal(FAR[name].type)
    came, was = (each.cast(bits) if temporal else each for each in (found["odd"], FAR[name]))
    assert str(came.to_pylist()) == str(was.to_pylist())  # NaN is not equal to itself


def test_a_reader_that_looks_at_the_log_when_it_opens_is_moved_by_one_value(tmp_path):
    """The double: it was read so."""
    address = odd_table(tmp_path / "t", FAR["days"], divided=False)
    with pytest.raises(ValueError, match="Invalid isoformat string"):
        lakes._delta(address, None).to_pyarrow_dataset()


def test_each_file_of_a_table_is_read_by_its_own_types(tmp_path):
    address = odd_table(tmp_path / "t", pa.array([1, 2**40, None]), divided=False)
    (log,) = (tmp_path / "t" / "_delta_log").glob("*.json")
    log.write_text(log.read_text().replace('\\"long\\"', '\\"integer\\"'))
    source = open_source(address)
    assert source.types.field("odd").type == pa.int32()
    (part,) = source.parts(["number", "odd"])
    assert part["odd"].to_pylist() == [1, 2**40, None]
    assert source.read()["odd"].to_pylist() == [1, 2**40, None]


def test_a_column_that_came_later_is_missing_before(tmp_path):
    address = odd_table(tmp_path / "t", pa.array([1, 2, 3]), divided=False)
    import deltalake

    rows = pa.table({"number": [4.0], "odd": [4], "later": ["x"]})
    deltalake.write_deltalake(str(tmp_path / "t"), rows, mode="append", schema_mode="merge")
    source = open_source(address)
    found = pa.concat_tables([*source.parts(["number", "later"])]).sort_by("number")
    assert found["later"].to_pylist() == [None, None, None, "x"]
    assert sum(map(len, source.parts(["later"]))) == 4
