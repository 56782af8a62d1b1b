"""Synthetic rows into tables of databases: those of the files, all of them or none, and nobody's table is touched."""

from __future__ import annotations

import json
import resource
import sqlite3
import subprocess
import sys
import traceback

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth import Boolean, Categorical, Database, Datetime, Identifier, Numeric, Schema
from dpsynth.data.engines import database_writers, into_databases
from dpsynth.synthesizers import block_job
from tests.data.test_databases import run_on

RNG = np.random.default_rng(4)
N = 2_000
COLUMNS = {
    "record": Identifier(),
    "age": Numeric(0, 120, integer=True, nullable=True),
    "pay": Numeric(0, 10_000, decimals=2),
    "weight": Numeric(0, 300, nullable=True),
    "ward": Categorical(["north", "so'uth", 'a"b']),
    "grade": Categorical([1, 2, 3], nullable=True),
    "smoker": Boolean(nullable=True),
    "day of birth": Datetime("1920-01-01", "2020-12-31"),
    "seen": Datetime("2020-01-01 00:00:00", "2020-12-31 23:59:59", resolution="s", nullable=True),
    "german": Datetime("2020-01-01", "2020-12-31", format="%d.%m.%Y", nullable=True),
}
SCHEMA = Schema(COLUMNS)


def rows() -> pd.DataFrame:
    days = pd.to_datetime("2020-01-01") + pd.to_timedelta(RNG.integers(0, 366, N), "D")
    found = pd.DataFrame(
        {
            "age": RNG.integers(0, 100, N),
            "pay": np.round(RNG.uniform(0, 9_000, N), 2),
            "weight": RNG.normal(70, 10, N),
            "ward": RNG.choice(["north", "so'uth", 'a"b'], N),
            "grade": RNG.integers(1, 4, N),
            "smoker": RNG.random(N) < 0.3,
            "day of birth": pd.to_datetime("1950-01-01") + pd.to_timedelta(RNG.integers(0, 9_000, N), "D"),
            "seen": days + pd.to_timedelta(RNG.integers(0, 86_400, N), "s"),
            "german": days.strftime("%d.%m.%Y"),
        }
    )
    return found.mask(RNG.random(found.shape) < np.array([[0.1, 0, 0.1, 0, 0.1, 0.1, 0, 0.1, 0.1]]))


@pytest.fixture(scope="module")
def synth():
    return dpsynth.Synthesizer(SCHEMA, epsilon=20, delta=1e-6, ledger=None, unsafe_seed=1).fit(rows())


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(block_job, "ROWS_OF_A_BLOCK", 300)


@pytest.fixture(params=["sqlite", "duckdb", "postgres"])
def kind(request):
    if request.param != "sqlite":
        pytest.importorskip("duckdb" if request.param == "duckdb" else "adbc_driver_postgresql", reason="no driver")
    return request.param


@pytest.fixture
def address(kind, request, tmp_path):
    """A database without tables."""
    if kind == "postgres":
        server = request.getfixturevalue("postgres")
        run_on(server, "drop schema public cascade", "create schema public", "drop schema if exists care cascade")
        return server.get_uri()
    return {"sqlite": f"sqlite:///{tmp_path}/n.db", "duckdb": f"duckdb:///{tmp_path}/n.duckdb"}[kind]


def do(address: str, *statements: str) -> list[tuple]:
    """Runs statements on a database as its own program would; gives the rows of the last."""
    path = address.partition(":///")[2]
    if address.startswith("sqlite"):
        with sqlite3.connect(path) as connection:
            found = [connection.execute(each).fetchall() for each in statements]
        connection.close()
        return found[-1]
    if address.startswith("duckdb"):
        import duckdb

        with duckdb.connect(path) as connection:
            return [connection.execute(each).fetchall() for each in statements][-1]
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(address, autocommit=True) as connection, connection.cursor() as cursor:
        for each in statements:
            cursor.execute(each)
        return [*cursor.fetchall()] if cursor.description else []


def held(address: str, table: str = "made") -> pd.DataFrame:
    """The rows of a table as the schema reads them."""
    source = dpsynth.data.engines.files.open_source(Database(address, table=table), SCHEMA)
    found = source.read()
    return found if isinstance(found, pd.DataFrame) else found.to_pandas()


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """The same values in types that any container has."""
    found = {}
    for name, column in COLUMNS.items():
        values = frame[name]
        if isinstance(column, Datetime):
            form = column.format if isinstance(values.dropna().iloc[0], str) else None
            found[name] = pd.to_datetime(values, format=form).astype("datetime64[s]")
        elif isinstance(column, Numeric) or name in ("grade", "smoker"):
            found[name] = pd.to_numeric(values.astype(object).map(lambda v: np.nan if pd.isna(v) else float(v)))
        else:
            found[name] = values.astype(str).astype(object)
    return pd.DataFrame(found).reset_index(drop=True)


def of_files(synth, folder, n, **asked) -> pd.DataFrame:
    files = synth.write(folder, n, **asked).files
    return pd.concat([pd.read_parquet(path) for path in files], ignore_index=True)


@pytest.mark.parametrize("workers", [1, 3])
def test_a_table_has_the_rows_of_the_files(synth, address, tmp_path, workers):
    written = synth.write(Database(address, table="made"), 1_000, seed=7, workers=workers)
    assert (written.count, written.seed) == (1_000, 7)
    expected = of_files(synth, tmp_path / "files", 1_000, seed=7)
    pd.testing.assert_frame_equal(plain(held(address)), plain(expected))
    assert expected["age"].isna().any()


def test_another_seed_gives_other_rows_and_conditions_hold(synth, address, tmp_path):
    asked = {"where": "age >= 50", "seed": 3}
    synth.write(Database(address, table="made"), 700, **asked)
    found = plain(held(address))
    pd.testing.assert_frame_equal(found, plain(of_files(synth, tmp_path / "files", 700, **asked)))
    assert found["age"].ge(50).all()
    synth.write(Database(address, table="other"), 700, where="age >= 50", seed=4)
    assert not plain(held(address, "other")).equals(found)


def test_columns_have_the_types_that_the_schema_says(synth, address, kind):
    synth.write(Database(address, table="made"), 50, seed=1, support=True)
    types = {
        "sqlite": "select name, lower(type) from pragma_table_info('made')",
        "duckdb": "select column_name, lower(data_type) from duckdb_columns() where table_name = 'made'",
        "postgres": "select attname::text, format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = 'made'::regclass and attnum > 0",
    }[kind]
    found = dict(do(address, types))
    assert [*found] == [*COLUMNS, "support", "extrapolated"]
    words = {"decimal": "numeric", "varchar": "text", "double": "double precision", "timestamp without time zone": ""}
    of = {name: words.get(kind := text.partition("(")[0], kind) or "timestamp" for name, text in found.items()}
    assert of == {
        "record": "text",
        "age": "bigint",
        "pay": "numeric",
        "weight": "double precision",
        "ward": "text",
        "grade": "bigint",
        "smoker": "boolean",
        "day of birth": "timestamp",
        "seen": "timestamp",
        "german": "timestamp" if kind != "sqlite" and not address.startswith("sqlite") else "text",
        "support": "double precision",
        "extrapolated": "boolean",
    }
    assert found["pay"].endswith(("(18,2)", "(18, 2)"))


def test_what_was_written_can_be_fitted_by_the_same_schema(synth, address):
    synth.write(Database(address, table="made"), 1_500, seed=3)
    again = dpsynth.Synthesizer(SCHEMA, "independent", epsilon=20, delta=1e-6, ledger=None, unsafe_seed=1)
    released = again.fit(Database(address, table="made")).certificate.record["released"]
    assert released["rows"] == pytest.approx(1_500, abs=50)


def lines(address) -> list[tuple]:
    order = 'select table_name, model, "rows", seed, asked from dpsynth_manifest order by seed'
    return do(address, order)


def test_the_manifest_beside_it_says_model_rows_seed_and_condition(synth, address):
    synth.write(Database(address, table="made"), 400, seed=7 + 2**70, where="age > 5")
    ((table, model, count, seed, asked),) = lines(address)
    assert (table, model, count, seed) == ("made", synth.certificate.model, 400, str(7 + 2**70))
    assert json.loads(asked) == {"where": "age > 5"}


def test_rows_are_added_only_where_it_is_said_and_only_to_rows_of_ours(synth, address):
    table = Database(address, table="made")
    synth.write(table, 400, seed=1)
    with pytest.raises(ValueError, match="has rows already: name another table, or add to them with append"):
        synth.write(table, 400, seed=2)
    assert len(held(address)) == 400
    synth.write(table, 350, seed=2, append=True)
    assert len(held(address)) == 750
    assert [line[2:4] for line in lines(address)] == [(400, "1"), (350, "2")]
    with pytest.raises(ValueError, match="has these rows already, of this model and this seed"):
        synth.write(table, 350, seed=2, append=True)
    do(address, "delete from dpsynth_manifest")
    with pytest.raises(ValueError, match="dpsynth_manifest does not list, which may be of real records"):
        synth.write(table, 350, seed=3, append=True)
    assert len(held(address)) == 750
    assert lines(address) == []


def test_a_table_with_other_columns_is_refused_and_stays(synth, address):
    do(address, "create table made (age bigint, geheim text)", "insert into made values (5, 'x')")
    with pytest.raises(ValueError, match=r"lacks 'record', .* and has 1 that the sample lacks: name another") as caught:
        synth.write(Database(address, table="made"), 400, append=True)
    assert "geheim" not in str(caught.value)
    assert do(address, "select * from made") == [(5, "x")]


def test_a_view_and_a_query_take_no_rows(synth, address):
    do(address, "create table t (age bigint)", "create view made as select * from t")
    with pytest.raises(ValueError, match="is a view, and rows are written to a table"):
        synth.write(Database(address, table="made"), 10)
    with pytest.raises(ValueError, match="is a query, and rows are written to a table"):
        synth.write(Database(address, query="select 1 as a"), 10)


def test_a_table_without_rows_keeps_its_own_types(synth, address, tmp_path):
    """As a person may have made it: other types, another order of columns."""
    types = {
        "age": "integer",
        "pay": "double precision",
        "ward": "varchar(20)",
        "day of birth": "date",
        "grade": "real",
    }
    if address.startswith("sqlite"):
        types["day of birth"] = "text"
    named = ", ".join(f'"{name}" {types.get(name, sql)}' for name, sql in reversed(MADE.items()))
    do(address, f"create table made ({named})")
    synth.write(Database(address, table="made"), 700, seed=7)
    found = held(address)
    assert [*found] == [*reversed(COLUMNS)]
    pd.testing.assert_frame_equal(plain(found), plain(of_files(synth, tmp_path / "files", 700, seed=7)))


MADE = {
    "record": "text",
    "age": "bigint",
    "pay": "numeric(12, 2)",
    "weight": "double precision",
    "ward": "text",
    "grade": "bigint",
    "smoker": "boolean",
    "day of birth": "timestamp",
    "seen": "timestamp",
    "german": "timestamp",
}


def failing(monkeypatch, error: BaseException, at: int) -> None:
    """The drawing of a block ends with this error."""
    real = dpsynth.Synthesizer.drawn

    def drawn(self, n, asked, seed, block=None):
        if block is not None and block.number == at:
            raise error
        return real(self, n, asked, seed, block)

    monkeypatch.setattr(dpsynth.Synthesizer, "drawn", drawn)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError], ids=["interrupt", "memory"])
def test_of_a_write_that_ends_early_nothing_is_kept(synth, address, monkeypatch, error, tmp_path):
    with monkeypatch.context() as patch:
        failing(patch, error(), at=2)
        with pytest.raises(error):
            synth.write(Database(address, table="made"), 1_000, seed=7)
    assert [path for path in tmp_path.iterdir() if path.suffix in (".db", ".duckdb", ".wal")] == []
    synth.write(Database(address, table="made"), 1_000, seed=7)
    assert len(held(address)) == 1_000
    assert len(lines(address)) == 1


def test_nobody_sees_half_of_the_rows(synth, address, monkeypatch):
    if not address.startswith("postgres"):
        pytest.skip("a file is held by one program at a time")
    seen = []
    real = into_databases.Destination.add

    def add(self, rows):
        real(self, rows)
        seen.append(do(address, "select to_regclass('made') is null"))

    monkeypatch.setattr(into_databases.Destination, "add", add)
    synth.write(Database(address, table="made"), 900, seed=7)
    assert seen == [[(True,)]] * 3


def test_a_server_that_ends_in_the_middle_keeps_nothing_and_is_told_of_in_one_sentence(synth, address, monkeypatch):
    if not address.startswith("postgres"):
        pytest.skip("a file has no server")
    real = into_databases.Destination.add

    def add(self, rows):
        real(self, rows)
        do(address, "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()")

    with monkeypatch.context() as patch:
        patch.setattr(into_databases.Destination, "add", add)
        with pytest.raises(OSError, match=r"^Database\(postgresql, table='made'\) took no rows, as [^\n]+$") as caught:
            synth.write(Database(address, table="made"), 900, seed=7)
    assert caught.value.__context__ is None
    assert do(address, "select to_regclass('made') is null") == [(True,)]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("53100", "its disk is full"),
        ("23505", "a rule of the table, such as a key, refuses one"),
        ("22003", "a column has a type that cannot hold them"),
        ("42501", "this user may not write there"),
        ("55P03", "another program writes to it"),
        ("XX000", "the database ended or refused the write"),
    ],
)
def test_what_a_server_refuses_is_told_in_our_words(synth, postgres, code, words):
    """A trigger that raises what the server raises, in its place."""
    uri = postgres.get_uri()
    run_on(postgres, "drop schema public cascade", "create schema public")
    columns = ", ".join(f'"{name}" {sql}' for name, sql in MADE.items())
    run_on(
        postgres,
        f"create table made ({columns})",
        "create function refuse() returns trigger language plpgsql as"
        f" $$ begin raise exception 'geheim' using errcode = '{code}'; end $$",
        "create trigger refuse before insert on made for each row execute function refuse()",
    )
    with pytest.raises(OSError, match=words) as caught:
        synth.write(Database(uri, table="made"), 100, seed=7)
    shown = "".join(traceback.format_exception(caught.value))
    assert "geheim" not in shown.replace(__file__, "")
    assert do(uri, "select count(*) from made") == [(0,)]


def test_a_key_that_a_row_breaks_and_a_type_that_cannot_hold_one_are_told(synth, address):
    named = ", ".join(f'"{name}" {sql}' for name, sql in MADE.items())
    do(address, f"create table keyed ({named}, primary key (ward))")
    with pytest.raises(OSError, match="a rule of the table, such as a key, refuses one"):
        synth.write(Database(address, table="keyed"), 100, seed=7)
    if not address.startswith("sqlite"):
        short = named.replace('"ward" text', '"ward" date')
        do(address, f"create table short ({short})")
        with pytest.raises(OSError, match="a column has a type that cannot hold them"):
            synth.write(Database(address, table="short"), 100, seed=7)


def test_a_full_sqlite_file_is_told_and_takes_nothing(synth, tmp_path, monkeypatch):
    address = f"sqlite:///{tmp_path}/n.db"
    do(address, "create table other (a bigint)", "insert into other values (1)")
    real = database_writers._IntoSQLite._opened

    def small(self, path):
        connection = real(self, path)
        connection.execute("pragma max_page_count = 20")
        return connection

    monkeypatch.setattr(database_writers._IntoSQLite, "_opened", small)
    with pytest.raises(OSError, match="its disk is full"):
        synth.write(Database(address, table="made"), 3_000, seed=7)
    assert do(address, "select name from sqlite_master") == [("other",)]


FULL = """
import resource, sys
import dpsynth
from dpsynth.synthesizers import block_job
block_job.ROWS_OF_A_BLOCK = 200_000
synth = dpsynth.Synthesizer.load(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, 4_000_000))
try:
    synth.write(sys.argv[2], 1_000_000, seed=1)
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="this system limits no file's size")
@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_disk_that_takes_no_more_is_told_and_leaves_nothing(synth, tmp_path, kind):
    if kind == "duckdb":
        pytest.importorskip("duckdb", reason="duckdb is not installed")
    synth.save(tmp_path / "m.dpsynth")
    place = f"{kind}:///{tmp_path}/n.{kind}?table=made"
    command = [sys.executable, "-W", "ignore", "-c", FULL, str(tmp_path / "m.dpsynth"), place]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout == (
        f"Database({kind}, table='made') took no rows, as its disk is full or lets nothing be written: make room, and"
        " write again\n"
    ), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["m.dpsynth"]


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://anna:geheim@127.0.0.1:1/claims?table=t",
        "postgresql:///nowhere?host=/nonexistent&table=t&user=anna&password=geheim",
        "sqlite:///geheim/anna.db?table=t",
        "duckdb:///geheim/anna.duckdb?table=t",
    ],
)
def test_a_database_that_cannot_be_opened_is_told_and_its_address_not_repeated(synth, address, tmp_path, run):
    with pytest.raises((OSError, ImportError), match=r"cannot be opened to be written: check|not installed") as caught:
        synth.write(address, 10)
    shown = "".join(traceback.format_exception(caught.value)).replace(__file__, "")
    assert "geheim" not in shown
    assert "anna" not in shown
    synth.save(tmp_path / "m.dpsynth")
    code, out, err = run(f"sample {tmp_path}/m.dpsynth -n 10 -o {address}")
    assert code == 2
    assert "geheim" not in out + err


def test_a_schema_of_the_database_is_named_before_the_table(synth, address):
    if address.startswith("sqlite"):
        pytest.skip("SQLite has no schemas")
    do(address, "create schema care")
    synth.write(Database(address, table="care.made"), 400, seed=7)
    assert do(address, "select count(*) from care.made") == [(400,)]
    assert do(address, "select table_name from care.dpsynth_manifest") == [("made",)]
    with pytest.raises(OSError, match="names no schema that is there"):
        synth.write(Database(address, table="nowhere.made"), 400, seed=7)


def test_the_command_writes_a_table_and_adds_to_it(synth, address, tmp_path, run):
    synth.save(tmp_path / "m.dpsynth")
    place = f"{address}{'&' if '?' in address else '?'}table=made"
    base = f"sample {tmp_path}/m.dpsynth -n 1e3 -o {place}"
    code, out, err = run(f"{base} --seed 7 --workers 2")
    assert code == 0, err
    assert "table='made'): 1,000 synthetic rows, seed 7" in out
    assert address not in out + err
    code, out, err = run(f"{base} --seed 8 --json --append")
    assert (code, json.loads(out)["rows"], json.loads(out)["seed"]) == (0, 1_000, 8)
    assert len(held(address)) == 2_000
    assert run(f"{base} --seed 9")[0] == 2
    assert run(f"sample {tmp_path}/m.dpsynth -o {place}")[0] == 2


def test_what_only_one_kind_of_place_takes_is_refused_for_the_other(synth, tmp_path):
    with pytest.raises(ValueError, match="only a table of a database can be appended to"):
        synth.write(tmp_path / "out", 10, append=True)
    with pytest.raises(ValueError, match="has no format, got 'csv'"):
        synth.write(f"sqlite:///{tmp_path}/n.db?table=t", 10, format="csv")
    with pytest.raises(dpsynth.SchemaError, match="an address of a database begins with"):
        synth.write("s3://bucket/folder", 10)
    assert [*tmp_path.iterdir()] == []
