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
    """Whether it has types of times; otherwise they are stored as the text that a file has."""

    def is_table(self, place: Place) -> bool | None:
        """Whether what has this name is a table; None where nothing has it."""
        ...

    def columns(self, place: Place) -> list[str]: ...

    def has_rows(self, place: Place) -> bool: ...

    def read(self, place: Place, columns: Sequence[str]) -> list[tuple[Any, ...]]: ...

    def make(self, place: Place, types: pa.Schema) -> None: ...

    def add(self, place: Place, rows: pa.Table, *, made: bool) -> None:
        """made: whether `make` made the table, so that its types are those of the rows."""
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

    _ROWS = "dpsynth_rows"

    def __init__(self, database: Database) -> None:
        from adbc_driver_postgresql import dbapi

        self.errors = (dbapi.Error,)
        self._connection = dbapi.connect(database.address)

    def _answered(self, statement: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            names = [name for name, *_ in cursor.description or ()]
            return names, [*cursor.fetchall()] if names else []

    def is_table(self, place: Place) -> bool | None:
        oid = f"to_regclass({_text(_named(place))})"
        found = self._fetched(f"select relkind::text from pg_class where oid = {oid}")
        return found[0][0] in ("r", "p") if found else None

    def add(self, place: Place, rows: pa.Table, *, made: bool) -> None:
        with self._connection.cursor() as cursor:
            if made:
                schema = place[-2] if len(place) > 1 else None
                cursor.adbc_ingest(place[-1], rows, mode="append", db_schema_name=schema)
                return
            cursor.adbc_ingest(self._ROWS, rows, mode="create", temporary=True)
            names = _columns(rows.column_names)
            source = f"select {names} from pg_temp.{self._ROWS}"
            cursor.execute(f"insert into {_named(place)} ({names}) {source}")
            cursor.execute(f"drop table pg_temp.{self._ROWS}")

    def commit(self) -> None:
        self._connection.commit()

    def close(self, kept: bool) -> None:
        if not kept:
            with contextlib.suppress(Exception):
                self._connection.rollback()
        self._connection.close()


class _OfAFile(_Statements):
    """A database in a file, which is removed where this write made it and was not kept."""

    def __init__(self, database: Database) -> None:
        self._path = Path(path_of(database))
        self._new = not self._path.exists()
        self._connection: Any = self._opened(str(self._path))
        self._fetched(self._BEGIN)

    _BEGIN = "begin"

    def _opened(self, path: str) -> Any:
        raise NotImplementedError

    def _answered(self, statement: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        found = self._connection.execute(statement)
        return [name for name, *_ in found.description or ()], [*found.fetchall()]

    def commit(self) -> None:
        self._fetched("commit")

    def close(self, kept: bool) -> None:
        self._connection.close()  # which takes back what was not committed
        if self._new and not kept:
            for beside in ("", ".wal", "-journal"):
                self._path.with_name(self._path.name + beside).unlink(missing_ok=True)


class _IntoDuckDB(_OfAFile):
    def _opened(self, path: str) -> Any:
        import duckdb

        self.errors = (duckdb.Error,)
        return duckdb.connect(path)

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
        self._connection.register("dpsynth_rows", rows)
        self._fetched(f"insert into {_named(place)} ({names}) select {names} from dpsynth_rows")
        self._connection.unregister("dpsynth_rows")


class _IntoSQLite(_OfAFile):
    """Decimals are stored as real numbers and times as text, for SQLite has no types of them."""

    errors: tuple[type[Exception], ...] = (sqlite3.Error,)
    times = False
    _BEGIN = "begin immediate"

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
        return column.cast(pa.float64())
    if pa.types.is_timestamp(column.type):
        return pc.strftime(column.cast(pa.timestamp("s")), "%Y-%m-%d %H:%M:%S")
    return column


OPENERS: dict[str, Callable[[Database], Connection]] = {
    "postgresql": _IntoPostgres,
    "postgres": _IntoPostgres,
    "duckdb": _IntoDuckDB,
    "sqlite": _IntoSQLite,
}
