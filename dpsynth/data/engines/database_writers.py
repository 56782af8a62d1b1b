"""Connections that write to PostgreSQL, DuckDB and SQLite, each in one transaction."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from dpsynth.data.engines.databases import Database, path_of, quoted

Place: TypeAlias = Sequence[str]
"""The parts of a table's name."""


class Connection(Protocol):
    """A connection in a transaction."""

    errors: tuple[type[Exception], ...]
    """What its statements raise."""

    times: bool
    """Whether it has types of times and of decimals; otherwise times are stored as the text that a
    file has, and decimals as real numbers.
    """

    def fault(self, place: Place, columns: Sequence[str]) -> str | None:
        """In words, why no table here can have these names; None where one can."""
        ...

    def same(self, one: str, other: str) -> bool:
        """Whether these are one name."""
        ...

    def hold(self, place: Place, manifest: Place) -> None:
        """Lets no other write of this kind to this table, or that makes the manifest, begin until
        the transaction ends. Raises one of its errors where another one is under way.
        """
        ...

    def is_table(self, place: Place) -> bool | None:
        """Whether what has this name is a table that stays; None where nothing that stays does."""
        ...

    def columns(self, place: Place) -> list[str]: ...

    def has_rows(self, place: Place) -> bool: ...

    def count(self, place: Place) -> int: ...

    def read(self, place: Place, columns: Sequence[str]) -> list[tuple[Any, ...]]: ...

    def make(self, place: Place, types: pa.Schema) -> None: ...

    def add(self, place: Place, rows: pa.Table, *, made: bool) -> None:
        """made: whether `make` made the table, so that its types are those of the rows."""
        ...

    def remove(self, place: Place, column: str, value: str) -> None:
        """Removes the rows that have this value."""
        ...

    def commit(self) -> None: ...

    def close(self, kept: bool) -> None:
        """kept: whether the transaction is kept; otherwise nothing of it stays."""
        ...


class _Statements:
    """What all of them say alike."""

    errors: tuple[type[Exception], ...]
    times = True

    def _fetched(self, statement: str) -> list[tuple[Any, ...]]:
        return self._answered(statement)[1]

    def _answered(self, statement: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The names and the rows of an answer."""
        raise NotImplementedError

    def columns(self, place: Place) -> list[str]:
        return self._answered(f"select * from {_named(place)} limit 0")[0]

    def has_rows(self, place: Place) -> bool:
        return bool(self._fetched(f"select 1 from {_named(place)} limit 1"))

    def count(self, place: Place) -> int:
        return int(self._fetched(f"select count(*) from {_named(place)}")[0][0])

    def remove(self, place: Place, column: str, value: str) -> None:
        self._fetched(f"delete from {_named(place)} where {quoted(column)} = {_text(value)}")

    def read(self, place: Place, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        return self._fetched(f"select {_columns(columns)} from {_named(place)}")

    def make(self, place: Place, types: pa.Schema) -> None:
        columns = ", ".join(f"{quoted(each.name)} {_sql_type(each.type)}" for each in types)
        self._fetched(f"create table {_named(place)} ({columns})")


def _named(place: Place) -> str:
    return ".".join(map(quoted, place))


def _columns(columns: Sequence[str]) -> str:
    return ", ".join(map(quoted, columns))


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _beside(place: Place) -> str:
    """A name for rows on their way to a table, which is not that table's."""
    return "dpsynth_rows" if place[-1].lower() != "dpsynth_rows" else "dpsynth_rows_new"


def _sql_type(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"numeric({kind.precision}, {kind.scale})"
    return _SQL_TYPES[kind]


_SQL_TYPES = {
    pa.int64(): "bigint",
    pa.float64(): "double precision",
    pa.bool_(): "boolean",
    pa.timestamp("us"): "timestamp",
    pa.string(): "text",
}


class _IntoPostgres(_Statements):
    """Rows are copied in binary. A table that was there has types of its own, to which only the
    server can turn values: it takes them from a temporary table.
    """

    _BEGIN = (
        "set transaction isolation level read committed",  # sees what others have committed
        "set local standard_conforming_strings = on",
    )
    _LONGEST = 63
    """Bytes of a name: the server cuts off the rest."""

    def __init__(self, database: Database) -> None:
        from adbc_driver_postgresql import dbapi

        self.errors = (dbapi.Error,)
        self._connection = dbapi.connect(database.address)
        for statement in self._BEGIN:
            self._fetched(statement)

    def fault(self, place: Place, columns: Sequence[str]) -> str | None:
        long = [each for each in (*place, *columns) if len(each.encode()) > self._LONGEST]
        words = f"has names of up to {self._LONGEST} bytes, and {{!r}} is longer: shorten it"
        return words.format(long[0]) if long else None

    def same(self, one: str, other: str) -> bool:
        return one == other

    def hold(self, place: Place, manifest: Place) -> None:
        self._fetched("set local lock_timeout = '5s'")
        for name in (place, manifest):
            if name is place or self.is_table(manifest) is None:
                key = f"hashtext('dpsynth'), hashtext({_text(name[-1])})"
                self._fetched(f"select pg_advisory_xact_lock({key})::text")
        self._fetched("set local lock_timeout to default")

    def _answered(self, statement: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            names = [name for name, *_ in cursor.description or ()]
            return names, [*cursor.fetchall()] if names else []

    def is_table(self, place: Place) -> bool | None:
        oid = f"to_regclass({_text(_named(place))})"
        kinds = f"select relkind::text from pg_class where oid = {oid} and relpersistence <> 't'"
        found = self._fetched(kinds)
        return found[0][0] in ("r", "p") if found else None

    def add(self, place: Place, rows: pa.Table, *, made: bool) -> None:
        with self._connection.cursor() as cursor:
            if made:
                schema = place[-2] if len(place) > 1 else None
                cursor.adbc_ingest(place[-1], rows, mode="append", db_schema_name=schema)
                return
            name = _beside(place)  # a temporary table hides another one of its name
            cursor.adbc_ingest(name, rows, mode="create", temporary=True)
            names = _columns(rows.column_names)
            source = f"select {names} from pg_temp.{name}"
            cursor.execute(f"insert into {_named(place)} ({names}) {source}")
            cursor.execute(f"drop table pg_temp.{name}")

    def commit(self) -> None:
        self._connection.commit()

    def close(self, kept: bool) -> None:
        if not kept:
            with contextlib.suppress(Exception):
                self._connection.rollback()
        self._connection.close()


class _OfAFile(_Statements):
    """A database in a file, which is removed where this write made it and nothing is kept in it."""

    _SCHEMAS: tuple[str, ...] | None
    """Of a table's name those that are kept in the file; None where any may be."""

    def __init__(self, database: Database) -> None:
        self._path = Path(path_of(database))
        self._new = not self._path.exists()
        self._connection: Any = self._opened(str(self._path))
        self._fetched(self._BEGIN)
        self._file = self._path.stat().st_ino  # raises for what is kept in memory

    _BEGIN = "begin"

    def _opened(self, path: str) -> Any:
        raise NotImplementedError

    def _answered(self, statement: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        found = self._connection.execute(statement)
        return [name for name, *_ in found.description or ()], [*found.fetchall()]

    def fault(self, place: Place, columns: Sequence[str]) -> str | None:
        if len(place) > 2:
            return "has a name of more than two parts, a schema and a table: write these alone"
        if len(place) == 2 and self._SCHEMAS is not None and place[0].lower() not in self._SCHEMAS:
            return "names a schema, and SQLite has none: name the table alone"
        alike: dict[str, str] = {}
        for name in columns:
            if (first := alike.setdefault(name.lower(), name)) != name:
                return (
                    f"takes no columns of which only the case differs, as of {first!r} and"
                    f" {name!r}: rename one of them"
                )
        return None

    def same(self, one: str, other: str) -> bool:
        return one.lower() == other.lower()

    def commit(self) -> None:
        self._fetched("commit")
        with contextlib.suppress(OSError):
            if self._path.stat().st_ino == self._file:
                return
        raise self.errors[0]  # somebody removed the file, and the rows with it

    def close(self, kept: bool) -> None:
        if self._new and not kept:
            with contextlib.suppress(*self.errors):
                self._fetched("rollback")
            if not self._fetched(self._TABLES):  # others may have written to it meanwhile
                for beside in ("", ".wal", "-journal"):
                    self._path.with_name(self._path.name + beside).unlink(missing_ok=True)
        self._connection.close()  # which takes back what was not committed

    _TABLES: str
    """Asks for a table or a view that is kept in it."""


class _IntoDuckDB(_OfAFile):
    _SCHEMAS = None
    _TABLES = "select 1 from information_schema.tables limit 1"

    def _opened(self, path: str) -> Any:
        import duckdb

        self.errors = (duckdb.Error,)
        return duckdb.connect(path)

    def hold(self, place: Place, manifest: Place) -> None:
        """Two transactions cannot remove the same lines, although both may add some."""
        if self.is_table(manifest):
            lines = self._connection.sql(f"select * from {_named(manifest)}").to_arrow_table()
            self._fetched(f"delete from {_named(manifest)}")
            self.add(manifest, lines, made=True)

    def is_table(self, place: Place) -> bool | None:
        schema = _text(place[-2]) if len(place) > 1 else "current_schema()"
        found = self._fetched(
            "select table_type from information_schema.tables where table_catalog ="
            f" current_database() and lower(table_name) = lower({_text(place[-1])}) and"
            f" lower(table_schema) = lower({schema})"
        )
        return found[0][0] == "BASE TABLE" if found else None

    def add(self, place: Place, rows: pa.Table, *, made: bool) -> None:
        names = _columns(rows.column_names)
        name = _beside(place)
        self._connection.register(name, rows)
        self._fetched(f"insert into {_named(place)} ({names}) select {names} from {name}")
        self._connection.unregister(name)


class _IntoSQLite(_OfAFile):
    """Decimals are stored as real numbers and times as text, for SQLite has no types of them."""

    errors: tuple[type[Exception], ...] = (sqlite3.Error,)
    times = False
    _BEGIN = "begin immediate"  # one writer at a time
    _SCHEMAS = ("main",)
    _TABLES = "select 1 from sqlite_master limit 1"

    def hold(self, place: Place, manifest: Place) -> None:
        pass

    def _opened(self, path: str) -> Any:
        return sqlite3.connect(path, isolation_level=None)

    def is_table(self, place: Place) -> bool | None:
        named = f"lower(name) = lower({_text(place[-1])}) and type in ('table', 'view')"
        found = self._fetched(f"select type from sqlite_master where {named}")
        return found[0][0] == "table" if found else None

    def add(self, place: Place, rows: pa.Table, *, made: bool) -> None:
        values = [_of_sqlite(column).to_pylist() for column in rows.columns]
        marks = ", ".join("?" * len(values))
        statement = f"insert into {_named(place)} ({_columns(rows.column_names)}) values ({marks})"
        self._connection.executemany(statement, zip(*values, strict=True))


def _of_sqlite(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_decimal(column.type):
        return column.cast(pa.string()).cast(pa.float64())  # Arrow's own cast is off by a bit
    if pa.types.is_timestamp(column.type):
        return pc.strftime(column.cast(pa.timestamp("s")), "%Y-%m-%d %H:%M:%S")
    return column


OPENERS: dict[str, Callable[[Database], Connection]] = {
    "postgresql": _IntoPostgres,
    "postgres": _IntoPostgres,
    "duckdb": _IntoDuckDB,
    "sqlite": _IntoSQLite,
}
