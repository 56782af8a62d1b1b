"""Tables of databases: a fit of one is the fit of the table in memory, in one snapshot, and no message names it."""

from __future__ import annotations

import datetime
import functools
import sqlite3
import traceback
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth import Boolean, Categorical, Database, Datetime, Numeric, PrivacyUnit, RowsError, Schema, SchemaError
from dpsynth.data.engines import databases
from dpsynth.data.engines import source as source_module
from dpsynth.data.engines.files import open_source
from dpsynth.door.bounded import _parts, bound_table

RNG = np.random.default_rng(8)
N = 4_000
ROWS = pd.DataFrame(
    {
        "who": RNG.integers(0, 500, N),
        "age": RNG.integers(0, 100, N),
        "pay": np.round(RNG.lognormal(7, 1, N), 2),
        "ward": RNG.choice(["north", "so'uth", 'a"b'], N, p=[0.6, 0.3, 0.1]),
        "day": (pd.to_datetime("2020-01-01") + pd.to_timedelta(RNG.integers(0, 300, N), "D")),
        "smoker": RNG.random(N) < 0.3,
    }
)
COLUMNS = {
    "age": Numeric(0, 120, integer=True, nullable=True),
    "pay": Numeric(0, None),
    "ward": Categorical(["north", "so'uth", 'a"b']),
    "day": Datetime("2020-01-01", "2020-12-31"),
    "smoker": Boolean(),
}
SCHEMA = Schema(COLUMNS, unit=PrivacyUnit("who", 3))
ONCE = PrivacyUnit("who")


def records():
    """The rows as Python has them; an age is missing in the first."""
    for number, row in enumerate(ROWS.itertuples(index=False)):
        day = row.day.date()
        age = None if number == 0 else int(row.age)
        yield int(row.who), age, float(row.pay), row.ward, day, bool(row.smoker)


MISSING = ROWS.astype({"age": "Int64"})
MISSING.loc[0, "age"] = None

TABLE = (
    'create table "visits of 2020" (who bigint, age integer, pay numeric(12, 2), ward text, day date, smoker boolean)'
)
INSERT = 'insert into "visits of 2020" values '


def literal(value) -> str:
    if value is None:
        return "null"
    if isinstance(value, str | datetime.date):
        return "'" + str(value).replace("'", "''") + "'"
    return str(value)


def filled() -> list[str]:
    values = [f"({', '.join(map(literal, record))})" for record in records()]
    return [TABLE, *(INSERT + ", ".join(values[start : start + 500]) for start in range(0, N, 500))]


def sqlite_address(folder: Path) -> str:
    with sqlite3.connect(folder / "c.db") as connection:
        for statement in filled():
            connection.execute(statement)
    connection.close()
    return f"sqlite:///{folder}/c.db"


def duckdb_address(folder: Path) -> str:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed: pip install duckdb")
    with duckdb.connect(str(folder / "c.duckdb")) as connection:
        for statement in filled():
            connection.execute(statement)
    return f"duckdb:///{folder}/c.duckdb"


def run_on(server, *statements: str) -> None:
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(server.get_uri(), autocommit=True) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def table(postgres):
    run_on(postgres, 'drop table if exists "visits of 2020"', *filled())
    return postgres.get_uri()


@pytest.fixture(params=["sqlite", "duckdb", "postgres"])
def address(request, tmp_path):
    if request.param == "postgres":
        return request.getfixturevalue("table")
    return {"sqlite": sqlite_address, "duckdb": duckdb_address}[request.param](tmp_path)


def sampled(data, schema=SCHEMA) -> pd.DataFrame:
    synth = dpsynth.Synthesizer(schema, "canopy", epsilon=20, delta=1e-4, unsafe_seed=3, ledger=None)
    return synth.fit(data).sample(1_000, seed=1)


@functools.cache
def sampled_in_memory() -> pd.DataFrame:
    """What is sampled of the same table where it lies in memory."""
    return sampled(MISSING)


@pytest.mark.parametrize("parts", [100, 1 << 19])
def test_a_fit_of_a_database_is_the_fit_of_the_table(address, parts, monkeypatch):
    for module in (databases, source_module):
        monkeypatch.setattr(module, "ROWS_OF_A_PART", parts)
    pd.testing.assert_frame_equal(sampled(Database(address, table="visits of 2020")), sampled_in_memory())


def test_an_address_may_name_the_table_and_a_query_may_stand_for_one(address):
    sign = "&" if "?" in address else "?"
    expected = sampled_in_memory()
    pd.testing.assert_frame_equal(sampled(f"{address}{sign}table=visits%20of%202020"), expected)
    query = 'select * from "visits of 2020";'
    pd.testing.assert_frame_equal(sampled(Database(address, query=query)), expected)


def test_rows_without_an_order_of_their_own_are_held_where_the_unit_has_ids(address, postgres):
    """A view, and a query, that are in another order each time; stored tables are read in parts."""
    shuffled = Database(address, query='select * from "visits of 2020" order by random()')
    pd.testing.assert_frame_equal(sampled(shuffled), sampled_in_memory())
    alone = Schema({**COLUMNS, "who": dpsynth.Identifier()})
    assert open_source(shuffled, SCHEMA).parts is None
    assert open_source(shuffled, alone).parts is not None
    assert open_source(Database(address, table="visits of 2020"), SCHEMA).parts is not None
    pd.testing.assert_frame_equal(sampled(shuffled, alone), sampled(MISSING, alone))
    if address == postgres.get_uri():
        run_on(postgres, 'create or replace view v as select * from "visits of 2020" order by random()')
        view = Database(address, table="public.v")
        assert open_source(view, SCHEMA).parts is None
        pd.testing.assert_frame_equal(sampled(view), sampled_in_memory())
        run_on(postgres, "drop view v")


def test_the_rows_are_read_by_commands_too(address, tmp_path, run):
    sign = "&" if "?" in address else "?"
    place = f"{address}{sign}table=visits%20of%202020"
    SCHEMA.save(tmp_path / "s.yaml")
    code, out, err = run(f"schema check {tmp_path}/s.yaml {place}")
    assert code == 0, err
    code, out, err = run(
        f"release {place} --schema {tmp_path}/s.yaml --epsilon 1 --ledger {tmp_path}/l.ledger -o {tmp_path}/release"
    )
    assert code == 0, err
    assert address not in out + err
    assert not any(address.encode() in path.read_bytes() for path in (tmp_path / "release").iterdir())
    assert run(f"verify {tmp_path}/release")[0] == 0
    assert run(f"split {place} --schema {tmp_path}/s.yaml -o {tmp_path}/a.parquet {tmp_path}/b.parquet")[0] == 2


def test_a_table_without_rows_is_fitted(postgres):
    run_on(postgres, "drop table if exists none", "create table none (age integer)")
    synth = dpsynth.Synthesizer(Schema({"age": Numeric(0, 9)}), "independent", epsilon=1, delta=1e-6, ledger=None)
    assert len(synth.fit(Database(postgres.get_uri(), table="public.none")).sample(5)) == 5


def test_all_passes_see_one_table(table):
    """Rows that come after the first look, and rows that go, change nothing."""
    source = open_source(Database(table, table="visits of 2020"), SCHEMA)
    before = source.read()
    first = source.parts(["age"])
    next(first)
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(table, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute('delete from "visits of 2020" where age > 20')
        cursor.execute('insert into "visits of 2020" (who) select 7 from generate_series(1, 1000)')
    after = source.read()
    assert after.equals(before)
    assert len(open_source(Database(table, table="visits of 2020"), SCHEMA).read()) != len(before)


def test_ids_of_many_digits_are_told_apart_and_no_number_ends_a_fit(postgres):
    """A numeric as a floating-point number would make one person of a thousand."""
    rows = "select 1234567890123456000 + i as who, i % 50 as pay from generate_series(0, 999) i"
    run_on(
        postgres,
        "drop table if exists long",
        "create table long (who numeric, pay numeric)",
        f"insert into long {rows}",
        "insert into long values (1, 1e400), (2, 1e-400), (3, 'NaN')",
    )
    source = open_source(Database(postgres.get_uri(), table="long"), Schema({"pay": Numeric(0, 50)}, unit=ONCE))
    kept = [len(np.arange(len(part))[kept]) for part, kept in _parts(bound_table(source.reader(), ONCE), [])]
    assert sum(kept) == 1003
    synth = dpsynth.Synthesizer(Schema({"pay": Numeric(0, 50)}, unit=ONCE), epsilon=1, delta=1e-6, ledger=None)
    assert len(synth.fit(Database(postgres.get_uri(), table="long")).sample(5)) == 5


def test_numbers_of_one_value_are_one_id_whatever_their_scale(postgres):
    run_on(
        postgres,
        "drop table if exists scaled",
        "create table scaled (who numeric, pay numeric)",
        "insert into scaled select ('7.' || repeat('0', i))::numeric, 1.50 from generate_series(1, 100) i",
        "insert into scaled values (7, 1.5), (70, 1.5), (null, 1.5)",
    )
    database = Database(postgres.get_uri(), table="scaled")
    source = open_source(database, Schema({"pay": Numeric(0, 50)}, unit=ONCE))
    kept = [len(np.arange(len(part))[kept]) for part, kept in _parts(bound_table(source.reader(), ONCE), [])]
    assert sum(kept) == 3
    for marks in ({"decimal": ","}, {"decimal": ",", "thousands": "."}):
        german = Schema({"pay": Numeric(0, 50)}, unit=ONCE, file=dpsynth.FileFormat(**marks))
        assert {*open_source(database, german).read()["pay"].to_pylist()} == {"1,5"}


ODD = [
    ("interval", "2562047788 hours", "2562047788:00:00"),
    ("interval", "1 day", "1 day"),
    ("interval[]", "{2562047788 hours}", "{2562047788:00:00}"),
    ("int[]", "{{1,2},{3,4}}", "{{1,2},{3,4}}"),
    ("money", "12.50", "12.50"),
    ("money", "92233720368547758.07", "92233720368547758.07"),
    ("inet", "::1/64", "::1/64"),
    ("cidr", "10.0.0.0/8", "10.0.0.0/8"),
    ("timetz", "24:00-15:59", "24:00:00-15:59"),
    ("varbit", "101", "101"),
    ("int4range", "empty", "empty"),
    ("point", "(1,2)", "(1,2)"),
    ("jsonb", "[1]", "[1]"),
    ("text", "a\nb", "a\nb"),
    ("bytea", "\\xff", b"\xff"),
    ("bigint", "-9223372036854775808", -(2**63)),
    ("float8", "-infinity", -np.inf),
    ("boolean", "true", True),
    ("date", "infinity", datetime.date(9999, 12, 31)),
    ("date", "-infinity", datetime.date(1, 1, 1)),
    ("date", "2020-02-29", datetime.date(2020, 2, 29)),
    ("timestamp", "2020-02-29 12:30:01.5", datetime.datetime(2020, 2, 29, 12, 30, 1, 500_000)),
    ("timestamp", "4713-01-01 BC", datetime.datetime(1, 1, 1)),
    ("timestamptz", "infinity", datetime.datetime(9999, 12, 31, 12, tzinfo=datetime.UTC)),
    ("timestamptz", "2020-06-01 10:00+02", datetime.datetime(2020, 6, 1, 8, tzinfo=datetime.UTC)),
]


def test_no_value_of_any_type_ends_a_fit_and_each_says_what_it_does(postgres):
    """A driver that cannot read one value would tell that somebody has it."""
    names = [f"c{number}" for number, _ in enumerate(ODD)]
    columns = ", ".join(f"{name} {kind}" for name, (kind, _, _) in zip(names, ODD, strict=True))
    values = ", ".join(f"'{value}'" for _, value, _ in ODD)
    empty = f"insert into odd select {', '.join(['null'] * len(ODD))} from generate_series(1, 5)"
    run_on(postgres, "drop table if exists odd", f"create table odd ({columns})", empty)
    table = Database(postgres.get_uri(), table="odd")
    before = open_source(table).read()
    run_on(postgres, f"insert into odd values ({values})")
    after = open_source(table).read()
    assert after.schema == before.schema
    assert all(column == [None] * 5 for column in before.to_pydict().values())
    for name, (kind, value, expected) in zip(names, ODD, strict=True):
        assert after[name].to_pylist() == [*before[name].to_pylist(), expected], (kind, value)
    for column in (dpsynth.OpenCategorical(), Categorical(["1 day"], nullable=True), dpsynth.Identifier()):
        columns = {**dict.fromkeys(names[1:], column), "c17": Boolean(nullable=True)}
        schema = Schema(columns, unit=PrivacyUnit("c0", 1))
        synth = dpsynth.Synthesizer(schema, "independent", epsilon=1, delta=1e-6, ledger=None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dpsynth.CautionWarning)  # that none was found
            assert len(synth.fit(table).sample(3)) == 3


@pytest.mark.parametrize(
    ("encoding", "odd"), [("UTF8", None), ("LATIN1", "\\201"), ("WIN1252", "\\201"), ("SQL_ASCII", "\\377")]
)
def test_no_text_ends_a_fit_whatever_the_encoding_of_the_server_and_the_client(encoding, odd, postgres, monkeypatch):
    monkeypatch.setenv("PGCLIENTENCODING", "UTF8")
    name = f"in_{encoding.lower()}"
    run_on(postgres, f"create database {name} template template0 encoding '{encoding}' lc_collate 'C' lc_ctype 'C'")
    address = postgres.get_uri().replace("/postgres?", f"/{name}?")
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(address, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("set client_encoding = 'SQL_ASCII'")
        cursor.execute("create table t (ward text, who int)")
        coffee = "\\303\\251" if encoding in ("UTF8", "SQL_ASCII") else "\\351"
        cursor.execute(f"insert into t values (E'caf{coffee}', 1), (null, 2)")
        if odd is not None:
            cursor.execute(f"insert into t values (E'{odd}', 3)")
    schema = Schema({"ward": Categorical(["café", "bar"], nullable=True)}, unit=ONCE)
    table = Database(address, table="t")
    (column,) = (part["ward"] for part in open_source(table, schema).parts(["ward"]))
    assert [value.as_buffer().to_pybytes() for value in column[:1]] == ["café".encode()]
    synth = dpsynth.Synthesizer(schema, "independent", epsilon=1, delta=1e-6, ledger=None)
    assert len(synth.fit(table).sample(3)) == 3


def test_a_draft_has_the_types_of_the_database_and_reads_no_row(address, monkeypatch):
    table = Database(address, table="visits of 2020")

    def never(self, columns):
        raise AssertionError("rows were read")

    for kind in (databases._Postgres, databases._DuckDB, databases._SQLite):
        monkeypatch.setattr(kind, "parts", never)
    draft = Schema.draft(table, PrivacyUnit("who", 3)).to_dict()["columns"]
    assert [*draft] == [*ROWS.columns]
    assert draft["who"] == {"type": "identifier"}
    kinds = {name: facts["type"] for name, facts in draft.items()}
    if address.startswith("sqlite"):
        assert {*kinds.values()} == {"identifier", "TODO"}
    else:
        numbers = dict.fromkeys(("age", "pay"), "numeric")
        assert kinds == {"who": "identifier", **numbers, "ward": "categorical", "day": "datetime", "smoker": "boolean"}


def test_a_column_of_lists_is_refused_by_its_type_before_anything_is_spent(tmp_path):
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed: pip install duckdb")
    with duckdb.connect(str(tmp_path / "l.duckdb")) as connection:
        connection.execute("create table t as select [1, 2] as a, 3 as b")
    place = Database(f"duckdb:///{tmp_path}/l.duckdb", table="t")
    with pytest.raises(SchemaError, match="column 'a' holds lists or records"):
        open_source(place, Schema({"a": Categorical([1]), "b": Numeric(0, 9)}))
    assert open_source(place, Schema({"a": dpsynth.Identifier(), "b": Numeric(0, 9)})).names == ["a", "b"]


def test_an_index_on_the_ids_changes_no_order(table, postgres, tmp_path):
    run_on(postgres, 'create index on "visits of 2020" (who)', 'analyze "visits of 2020"', 'vacuum "visits of 2020"')
    pd.testing.assert_frame_equal(sampled(Database(table, table="visits of 2020")), sampled_in_memory())
    address = sqlite_address(tmp_path)
    with sqlite3.connect(tmp_path / "c.db") as connection:
        connection.execute('create index i on "visits of 2020" (who)')
    connection.close()
    pd.testing.assert_frame_equal(sampled(Database(address, table="visits of 2020")), sampled_in_memory())


def test_text_that_is_no_utf_8_ends_no_fit(tmp_path):
    address = sqlite_address(tmp_path)
    with sqlite3.connect(tmp_path / "c.db") as connection:
        connection.execute(INSERT + "(1, 5, 3.5, cast(x'ff41' as text), '2020-01-01', 1)")
    connection.close()
    synth = dpsynth.Synthesizer(SCHEMA, epsilon=1, delta=1e-6, ledger=None)
    assert len(synth.fit(Database(address, table="visits of 2020")).sample(5)) == 5


def test_a_read_that_fails_on_its_way_repeats_no_address(postgres, tmp_path, run):
    run_on(postgres, "drop view if exists broken", "create view broken as select 1 / (random() * 0)::int as age")
    Schema({"age": Numeric(0, 9)}).save(tmp_path / "s.yaml")
    place = f"{postgres.get_uri()}&table=broken&application_name=geheim"
    code, out, err = run(f"schema check {tmp_path}/s.yaml {place}")
    assert code == 2
    assert "Database(postgresql, table='broken') cannot be read" in (out + err).replace("\n", " ")
    assert "geheim" not in out + err


def test_what_is_read_cannot_be_changed(table):
    source = open_source(Database(table, query='select * from "visits of 2020"'), SCHEMA)
    assert source.names == [*ROWS.columns]
    with pytest.raises(SchemaError):
        open_source(Database(table, query='with x as (delete from "visits of 2020" returning *) select * from x'))
    with pytest.raises(SchemaError):
        open_source(Database(table, query='select 1 as a); delete from "visits of 2020"; select * from (select 1'))
    assert len(source.read()) == N


def test_a_server_that_goes_away_ends_the_fit_and_what_was_reserved_stays_spent(table, postgres, tmp_path):
    ledger = dpsynth.Ledger.create(tmp_path / "l.ledger", dpsynth.Budget(1, 1e-6), dataset="visits", unit=SCHEMA.unit)
    synth = dpsynth.Synthesizer(SCHEMA, epsilon=1, delta=1e-6, ledger=ledger)
    real = databases._Postgres.parts

    def ending(self, columns):
        run_on(postgres, "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()")
        yield from real(self, columns)

    databases._Postgres.parts, kept = ending, real
    try:
        with pytest.raises(RowsError) as caught:
            synth.fit(Database(table, table="visits of 2020"))
    finally:
        databases._Postgres.parts = kept
    assert caught.value.__context__ is None
    assert ledger.runs()[0].state == "drawing"


WRONG = [
    "postgresql://anna:geheim@127.0.0.1:1/claims?table=t",
    "  postgresql://anna:geheim@127.0.0.1:1/claims?table=t",
    "postgresql:///nowhere?host=/nonexistent&table=t&user=anna&password=geheim",
    "sqlite:///geheim/anna.db?table=t",
    "duckdb:///geheim/anna.duckdb?table=t",
]


@pytest.mark.parametrize("address", WRONG)
def test_a_database_that_cannot_be_opened_is_refused_and_its_address_not_repeated(address, tmp_path):
    ledger = dpsynth.Ledger.create(tmp_path / "l", dpsynth.Budget(1, 1e-6), dataset="d", unit=SCHEMA.unit)
    with pytest.raises(
        SchemaError,
        match=r"check .* and the name of the table,|not installed: pip install",
    ) as caught:
        dpsynth.Synthesizer(SCHEMA, epsilon=1, delta=1e-6, ledger=ledger).fit(address)
    shown = "".join(traceback.format_exception(caught.value))
    assert "geheim" not in shown.replace(__file__, "")
    assert "anna" not in shown.replace(__file__, "")
    assert ledger.runs() == []


def test_what_is_no_table_is_refused(postgres):
    uri = postgres.get_uri()
    for given in ({"table": "no such"}, {"query": "select 1/0"}, {"query": "drop table t"}):
        with pytest.raises(SchemaError, match="cannot be read: check host") as caught:
            open_source(Database(uri, **given))
        assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "given",
    [
        {"address": "mysql://db/claims", "table": "t"},
        {"address": "sqlite:///a.db"},
        {"address": "sqlite:///a.db?table=t", "query": "select 1"},
        {"address": "a.db", "table": "t"},
        {"address": "postgresql://db/claims?table=t;password=geheim"},
        {"address": "postgresql://db/claims?table=t?password=geheim"},
        {"address": "postgresql://db/claims", "table": "t?password=geheim"},
        {"address": "sqlite:///a.db?table=anna:geheim@t"},
    ],
)
def test_what_names_no_table_is_refused_in_one_sentence(given):
    with pytest.raises(SchemaError, match=r"^[^\n]+: \w+") as caught:
        Database(**given)
    assert "geheim" not in str(caught.value)


def test_a_database_shows_neither_address_nor_query():
    found = Database("postgresql://anna:geheim@db/claims", query="select 'geheim'")
    assert repr(found) == "Database(postgresql, a query)"
