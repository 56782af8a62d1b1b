"""Tables of databases: PostgreSQL, DuckDB and SQLite, read in parts and in one snapshot.

All passes over the rows run in one transaction that only reads, so that they see one table. The
bounding needs the rows in one order: a stored table has one; the rows of a view or a query are held
in memory where the unit has ids.
"""

from __future__ import annotations

import codecs
import contextlib
import re
import sqlite3
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlencode

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from dpsynth.data.engines.arrow import without_views
from dpsynth.data.engines.source import ROWS_OF_A_PART, Rows, Source, of_cells, recut
from dpsynth.schema.columns import Numeric, SchemaError
from dpsynth.schema.table import Schema

_OF_ADDRESSES = frozenset(";=@?")

_OWN = ("table", "query")
"""What an address says of the rows; all else of it is the database's."""


@dataclass(frozen=True)
class Database:
    """A table of a database, or the rows of a query.

    Parameters
    ----------
    address : str
        postgresql://host/database, duckdb:///path/of/a.duckdb or sqlite:///path/of/a.db. It may end
        in ?table=claims. A password is better left to the environment (PGPASSWORD, ~/.pgpass); no
        message, ledger or certificate repeats the address.
    table : str or None
        The table's name, with that of its schema before it if need be: "billing.claims".
    query : str or None
        A query in the place of a table. Its rows are what is protected: it must make each of them
        from the records of one person alone, so without `limit` and sums over people.

    Raises
    ------
    SchemaError
        For an address that names no database of these kinds, or no table.

    Examples
    --------
    >>> Database("postgresql://host/clinic", table="visits")
    Database(postgresql, table='visits')
    """

    address: str = field(repr=False)
    table: str | None = None
    query: str | None = None

    def __post_init__(self) -> None:
        place, _, asked = self.address.strip().partition("?")
        if kind_of_database(place) not in _OPENERS:
            raise SchemaError(
                f"an address of a database begins with one of {[*_OPENERS]}: write it as"
                " postgresql://host/database?table=claims"
            )
        options = dict(parse_qsl(asked))
        for name in _OWN:
            if name in options and getattr(self, name) is None:
                object.__setattr__(self, name, options[name])
        kept = urlencode({n: value for n, value in options.items() if n not in _OWN})
        object.__setattr__(self, "address", f"{place}?{kept}" if kept else place)
        if (self.table is None) == (self.query is None):
            raise SchemaError(
                "an address of a database names a table or a query, and one of them only: add"
                " ?table=claims to it, or give Database(address, query=...)"
            )
        if self.table is not None and not all(self.place):
            raise SchemaError(
                f"the name of a table has an empty part, got {self.table!r}: write it as claims, or"
                " as billing.claims"
            )
        if {*(self.table or "")} & _OF_ADDRESSES:  # such as "claims;password=...", which is shown
            raise SchemaError(
                f"the name of a table has one of {sorted(_OF_ADDRESSES)}, which divide an address:"
                " write & between the facts of an address, or give Database(address, query=...)"
            )

    def __arrow_c_schema__(self) -> Any:
        """The names and the types, as Arrow takes them; no row is read."""
        return open_database(self).without_rows().schema.__arrow_c_schema__()

    def __repr__(self) -> str:
        what = f"table={self.table!r}" if self.table is not None else "a query"
        return f"Database({kind_of_database(self.address)}, {what})"

    def selected(self, values: Iterable[str] = ("*",)) -> str:
        """The statement that reads these values, in SQL, of each row."""
        names = ", ".join(values)
        if self.query is not None:
            return f"select {names} from ({self.query.strip().rstrip(';')}) as rows_of_query"
        return f"select {names} from {'.'.join(map(quoted, self.place))}"

    @property
    def place(self) -> list[str]:
        """The parts of the table's name."""
        return (self.table or "").split(".")


class _Connection(Protocol):
    names: list[str]
    types: pa.Schema | None
    stored: bool
    """Whether the rows are those of a stored table, which come in one order."""

    def parts(self, columns: Sequence[str]) -> Iterator[Rows]:
        """The rows with these columns."""
        ...


def open_database(database: Database, schema: Schema | None = None) -> Source:
    """The source of a table of a database, of which names and types have been read.

    Raises
    ------
    SchemaError
        Where the driver is absent, and where the database or the table cannot be opened. It repeats
        nothing of the address, and nothing that the database says.
    """
    opener = _OPENERS[kind_of_database(database.address)]
    connection: _Connection | None = None
    with contextlib.suppress(Exception):
        connection = opener(database)
    if connection is None:  # raised here: the context of an exception would quote the address
        raise SchemaError(_fault(database))
    opened = connection

    marks = _marks(schema, opened.types)

    def parts(columns: Sequence[str]) -> Iterator[Rows]:
        wanted = [name for name in opened.names if name in {*columns}]
        for rows in opened.parts(wanted or opened.names[:1]):
            yield _marked(rows, marks)

    def read() -> Rows:
        found = [*parts(opened.names)] or [of_cells([], opened.names)]
        if isinstance(found[0], pa.Table):
            return pa.concat_tables(found)
        return pd.concat(found, ignore_index=True)

    ordered = opened.stored or schema is None or schema.unit.id_column is None
    return Source(opened.names, read, opened.types, parts=parts if ordered else None)


def is_address(data: object) -> bool:
    """Whether this is text that is the address of a database."""
    return isinstance(data, str) and re.match(rf"\s*({'|'.join(_OPENERS)})://", data) is not None


def _marks(schema: Schema | None, types: pa.Schema | None) -> dict[str, str]:
    """Columns whose numbers a database hands on as text, and that the schema reads with another
    decimal mark.
    """
    exact = {f.name for f in types or () if pa.types.is_decimal(f.type)}
    declared = schema.columns if schema is not None else {}
    numeric = {n: c for n, c in declared.items() if n in exact and isinstance(c, Numeric)}
    return {name: column.mark for name, column in numeric.items() if column.mark != "."}


def _marked(rows: Rows, marks: Mapping[str, str]) -> Rows:
    """The rows with the decimal marks that the schema declares."""
    if not isinstance(rows, pa.Table):
        return rows
    for name in marks:
        if name in rows.column_names and not pa.types.is_decimal(rows.schema.field(name).type):
            texts = rows.column(name).cast(pa.string())
            place = rows.column_names.index(name)
            written = pc.replace_substring(texts, ".", marks[name])
            rows = rows.set_column(place, name, written)
    return rows


def _fault(database: Database) -> str:
    package, extra = PACKAGES[kind_of_database(database.address)]
    if find_spec(package) is None:
        return (
            f"databases of this kind are read by {package}, which is not installed: pip install"
            f" 'dpsynth[{extra}]'"
        )
    kind = kind_of_database(database.address)
    where = f"the path of its file ({kind}:///a.db is in this folder, {kind}:////data/a.db is not)"
    if kind.startswith("postgres"):
        where = "host, user, password"
    what = "the query" if database.query is not None else "the name of the table"
    return f"{database!r} cannot be read: check {where} and {what}, and that it may be read"


def kind_of_database(address: str) -> str:
    return address.partition("://")[0]


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def path_of(database: Database) -> str:
    """duckdb:///a.duckdb is a file in this folder, duckdb:////data/a.duckdb another one."""
    return unquote(database.address.partition(":///")[2].partition("?")[0])


class _Postgres:
    """One transaction that only reads. Scans begin at the table's start and run in one process, so
    that rows come in one order.
    """

    _BEGIN = (
        "set transaction isolation level repeatable read read only",
        "set local synchronize_seqscans = off",
        "set local max_parallel_workers_per_gather = 0",
        "set local enable_indexscan = off",  # an index of the ids has them in another order
        "set local enable_indexonlyscan = off",
        "set local enable_bitmapscan = off",
        "set local client_encoding = 'SQL_ASCII'",  # what converts texts fails at some
    )

    def __init__(self, database: Database) -> None:
        from adbc_driver_postgresql import dbapi

        self._database = database
        self._connection = dbapi.connect(database.address)
        weakref.finalize(self, self._connection.close)
        with self._connection.cursor() as cursor:
            for statement in self._BEGIN:
                cursor.execute(statement)
            cursor.execute("select current_setting('server_encoding')")
            self._encoding = _codec(cursor.fetchone()[0])
            cursor.execute(database.selected() + " limit 0")
            fields = cursor.fetch_arrow_table().schema
            self._values = {field.name: _readable(field) for field in fields}
            cursor.execute(database.selected(self._values.values()) + " limit 0")
            types = cursor.fetch_arrow_table().schema
            self.stored = database.query is None
            if self.stored:
                place = ".".join(map(quoted, database.place))
                cursor.execute("select relkind from pg_class where oid = $1::regclass", (place,))
                self.stored = cursor.fetchone() in [("r",), ("p",), ("m",)]
        self.names = fields.names
        self.types = pa.schema([pa.field(f.name, _number_or(f.type)) for f in types])

    def parts(self, columns: Sequence[str]) -> Iterator[Rows]:
        with self._connection.cursor() as cursor:
            cursor.execute(self._database.selected(map(self._values.__getitem__, columns)))
            batches = cursor.fetch_record_batch()
            tables = (without_views(pa.Table.from_batches([each])) for each in batches)
            yield from recut(_in_utf_8(table, self._encoding) for table in tables)


def _codec(encoding: str) -> str | None:
    """Python's name of a server's encoding; None where bytes are left as they are."""
    if encoding in ("UTF8", "SQL_ASCII"):
        return None
    with contextlib.suppress(LookupError):
        return codecs.lookup(encoding.replace("WIN", "cp").replace("KOI8", "koi8-")).name
    return None


def _in_utf_8(table: pa.Table, encoding: str | None) -> pa.Table:
    """The rows with texts of this encoding, of which a byte may say nothing, in UTF-8."""
    for place, name in enumerate(table.column_names if encoding is not None else ()):
        if pa.types.is_string(table.column(place).type):
            raw = table.column(place).cast(pa.binary()).to_pylist()
            texts = [None if v is None else v.decode(encoding, "replace") for v in raw]
            table = table.set_column(place, name, pa.array(texts, pa.string()))
    return table


_FIRST, _LAST = "0001-01-01 00:00+00", "9999-12-31 12:00+00"
"""Between the years of Python, as bounds are: the driver takes 'infinity' for a time long ago."""


def _readable(field: pa.Field) -> str:
    """The value of a column, in SQL, of a type of which the driver reads every value as it is."""
    name, kind, types = quoted(field.name), field.type, pa.types
    if types.is_date(kind) or types.is_timestamp(kind):
        within = f"least(greatest({name}, '{_FIRST}'), '{_LAST}')"
        return f"case when {name} is not null then {within} end as {name}"
    if getattr(kind, "type_name", None) == "numeric":  # 7.0 and 7.00 are one number, and one id
        return f"trim_scale({name}) as {name}"
    if (field.metadata or {}).get(b"POSTGRESQL:type") == b"money":  # read as cents
        return f"{name}::numeric as {name}"
    opaque = isinstance(kind, pa.BaseExtensionType) and types.is_binary(kind.storage_type)
    if opaque or types.is_nested(kind) or types.is_interval(kind):
        return f"{name}::text as {name}"
    return name


def _number_or(kind: pa.DataType) -> pa.DataType:
    """The type of a column, of which numeric is handed on as text."""
    return pa.decimal128(38, 9) if getattr(kind, "type_name", None) == "numeric" else kind


class _DuckDB:
    def __init__(self, database: Database) -> None:
        import duckdb

        self._database = database
        self._connection = duckdb.connect(path_of(database), read_only=True)
        weakref.finalize(self, self._connection.close)
        self._connection.begin()
        empty = self._connection.sql(database.selected() + " limit 0")
        self.names = empty.columns
        self.types = empty.to_arrow_table().schema
        views = self._connection.execute("select view_name from duckdb_views() where not internal")
        found = {name.lower() for (name,) in views.fetchall()}
        self.stored = database.query is None and database.place[-1].lower() not in found

    def parts(self, columns: Sequence[str]) -> Iterator[Rows]:
        relation = self._connection.sql(self._database.selected(map(quoted, columns)))
        batches = relation.to_arrow_reader(ROWS_OF_A_PART)
        yield from recut(without_views(pa.Table.from_batches([each])) for each in batches)


class _SQLite:
    """Values are read one by one, as a column may hold values of any type."""

    types = None

    def __init__(self, database: Database) -> None:
        path = Path(path_of(database)).resolve(strict=True)
        self._database = database
        self._connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        weakref.finalize(self, self._connection.close)
        self._connection.text_factory = _text  # bytes that are no UTF-8 do not end a fit
        self._connection.execute("begin")
        cursor = self._connection.execute(database.selected() + " limit 0")
        self.names = [name for name, *_ in cursor.description]
        tables = "select 1 from sqlite_master where type = 'table' and name = ?"
        found = database.query is None and self._connection.execute(tables, database.place[-1:])
        self.stored = bool(found and found.fetchone())

    def parts(self, columns: Sequence[str]) -> Iterator[Rows]:
        in_order = " not indexed" if self.stored else ""  # an index of the ids has another order
        statement = self._database.selected(map(quoted, columns)) + in_order
        cursor = self._connection.execute(statement)
        while records := cursor.fetchmany(ROWS_OF_A_PART):
            yield of_cells(records, [*columns])


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


_OPENERS: dict[str, Callable[[Database], _Connection]] = {
    "postgresql": _Postgres,
    "postgres": _Postgres,
    "duckdb": _DuckDB,
    "sqlite": _SQLite,
}

PACKAGES = {
    "postgresql": ("adbc_driver_postgresql", "postgres"),
    "postgres": ("adbc_driver_postgresql", "postgres"),
    "duckdb": ("duckdb", "duckdb"),
    "sqlite": ("sqlite3", ""),
}
"""What reads each kind, and the extra that installs it."""
