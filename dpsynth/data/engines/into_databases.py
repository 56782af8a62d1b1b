"""Tables of databases that synthetic rows are written to: PostgreSQL, DuckDB and SQLite.

All of a write is one transaction. Nobody sees half of the rows, and of a write that ends early
nothing is kept. No table is dropped, emptied or changed: rows are added to one that is made here,
that has none, or that got all of its rows here, as many as are listed. What was written is listed
in a table beside it, `dpsynth_manifest`, by the same transaction.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import pyarrow as pa

from dpsynth.base.text import some
from dpsynth.data.engines.database_writers import OPENERS, Connection
from dpsynth.data.engines.databases import PACKAGES, Database, kind_of_database

MANIFEST = "dpsynth_manifest"
"""The table that lists what was written, in the schema of the tables that it lists."""

_LISTED = pa.schema(
    {
        "table_name": pa.string(),
        "model": pa.string(),
        "rows": pa.int64(),
        "seed": pa.string(),
        "asked": pa.string(),
        "versions": pa.string(),
    }
)


class Destination:
    """A table within a transaction, to which rows can be added."""

    def __init__(self, database: Database, connection: Connection) -> None:
        self._database = database
        self._connection = connection
        self._manifest = [*database.place[:-1], MANIFEST]
        self._made = False

    def prepare(self, types: pa.Schema, facts: Mapping[str, Any], *, append: bool) -> None:
        """Makes the table, or sees that rows of these types may be added to the one that is there.

        facts: the model, the rows, the seed, and what was asked, which become a line of the
        manifest. ValueError where the table may not take the rows.
        """
        self._told(lambda: self._prepare(types, facts, append=append))

    def add(self, rows: pa.Table) -> None:
        """Adds rows, which have the types that `prepare` was given."""
        place = self._database.place
        self._told(lambda: self._connection.add(place, rows, made=self._made))

    def keep(self) -> None:
        """Ends the transaction, and keeps what was written."""
        self._told(self._connection.commit)

    @property
    def times(self) -> bool:
        """Whether it has types of times and of decimals; otherwise times are text as in a file."""
        return self._connection.times

    def _told(self, do: Callable[[], None]) -> None:
        """Does it; OSError where the database refuses, in words of ours."""
        fault: str | None = None
        try:
            do()
        except self._connection.errors as error:
            fault = _why(error)
        if fault is not None:  # raised here: the context of an exception would quote the database
            raise OSError(f"{self._database!r} took no rows, as {fault}")

    def _prepare(self, types: pa.Schema, facts: Mapping[str, Any], *, append: bool) -> None:
        connection, place, name = self._connection, self._database.place, repr(self._database)
        if (fault := connection.fault(place, types.names)) is not None:
            raise ValueError(f"{name} {fault}")
        connection.hold(place, self._manifest)
        listed = self._is_listed()
        lines = connection.read(self._manifest, _LISTED.names) if listed else []
        ours = [line for line in lines if connection.same(line[0], place[-1])]
        line = _line(place[-1], facts)
        if connection.is_table(place) is None:
            connection.make(place, types)
            self._made = True
            if not connection.is_table(place):
                raise ValueError(
                    f"{name} would be gone when it is written, as it is a temporary one: name"
                    " another schema"
                )
        else:
            self._refuse(types, append, ours, again=line in ours)
        if not listed:
            connection.make(self._manifest, _LISTED)
        if not connection.has_rows(place):  # earlier lines are of rows that are gone
            for gone in {each[0] for each in ours}:
                connection.remove(self._manifest, "table_name", gone)
        values = dict(zip(_LISTED.names, line, strict=True))
        connection.add(self._manifest, pa.Table.from_pylist([values], _LISTED), made=True)

    def _is_listed(self) -> bool:
        """Whether the manifest is there; ValueError where what has its name is none."""
        kind = self._connection.is_table(self._manifest)
        if kind is None:
            return False
        if not kind or self._connection.columns(self._manifest) != _LISTED.names:
            raise ValueError(
                f"{MANIFEST} beside {self._database!r} is not the table that dpsynth writes:"
                " rename it, or name a table in another schema"
            )
        return True

    def _refuse(
        self, types: pa.Schema, append: bool, ours: Sequence[tuple[Any, ...]], *, again: bool
    ) -> None:
        """ValueError where the table that is there may not take the rows. ours: the lines of the
        manifest about it.
        """
        name = repr(self._database)
        if not self._connection.is_table(self._database.place):
            raise ValueError(f"{name} is a view, and rows are written to a table: name a table")
        there = self._connection.columns(self._database.place)
        lacking = [each for each in types.names if each not in there]
        others = [each for each in there if each not in types.names]
        if lacking or others:
            faults = [f"lacks {some([*map(repr, lacking)])}"] if lacking else []
            faults += [f"has {len(others)} that the sample lacks"] if others else []
            raise ValueError(
                f"{name} is there with other columns, as it {' and '.join(faults)}: name another"
                " table"
            )
        if not self._connection.has_rows(self._database.place):
            return
        if again:
            raise ValueError(
                f"{name} has these rows already, of this model and this seed: give another seed"
            )
        if not append:
            raise ValueError(
                f"{name} has rows already: name another table, or add to them with append"
            )
        if sum(line[2] for line in ours) != self._connection.count(self._database.place):
            raise ValueError(
                f"{name} has rows that {MANIFEST} does not list, which may be of real records: name"
                " another table"
            )


def _line(table: str, facts: Mapping[str, Any]) -> tuple[Any, ...]:
    """The values of a line of the manifest; a seed may be larger than a number of a database."""
    plain = {"rows": facts["rows"], "seed": str(facts["seed"]), "model": facts["model"]}
    told = {name: json.dumps(facts[name], sort_keys=True) for name in ("asked", "versions")}
    values = {"table_name": table, **plain, **told}
    return tuple(values[name] for name in _LISTED.names)


@contextlib.contextmanager
def writing_to(database: Database) -> Iterator[Destination]:
    """A table of a database, to be written to within one transaction, which is kept at the end.

    Raises
    ------
    ValueError
        For a query.
    ImportError
        Where the driver is absent.
    OSError
        Where the database cannot be opened, and where it ends or refuses the rows; nothing of them
        is kept then. It repeats nothing of the address, and nothing that the database says.
    """
    if database.query is not None:
        raise ValueError(f"{database!r} is a query, and rows are written to a table: name a table")
    kind = kind_of_database(database.address)
    package, extra = PACKAGES[kind]
    if find_spec(package) is None:
        raise ImportError(
            f"databases of this kind are written by {package}, which is not installed: pip install"
            f" 'dpsynth[{extra}]'"
        )
    connection: Connection | None = None
    with contextlib.suppress(Exception):
        connection = OPENERS[kind](database)
    if connection is None:  # raised here: the context of an exception would quote the address
        server = kind.startswith("postgres")
        check = "host, user and password" if server else "that its folder is there"
        held = "that the server runs" if server else "that no other program has the file open"
        raise OSError(f"{database!r} cannot be opened to be written: check {check}, and {held}")
    kept = False
    destination = Destination(database, connection)
    try:
        yield destination
        destination.keep()
        kept = True
    finally:
        with contextlib.suppress(Exception):
            connection.close(kept)


def _why(error: Exception) -> str:
    """What went wrong, by the error's code or class alone: its words may quote an address."""
    codes = (getattr(error, "sqlstate", None), getattr(error, "sqlite_errorname", None))
    found = next((code for code in codes if code), type(error).__name__)
    return next(words for pattern, words in _REASONS if re.fullmatch(pattern, found))


_REASONS = (
    (
        r"53100|SQLITE_FULL|SQLITE_IOERR.*|IOException",
        "its disk is full or lets nothing be written: make room, and write again",
    ),
    (
        r"23\w{3}|SQLITE_CONSTRAINT.*|ConstraintException",
        "a rule of the table, such as a key, refuses one of them: name a table without that rule",
    ),
    (
        r"22\w{3}|42804|SQLITE_MISMATCH|ConversionException|BinderException",
        "a column has a type that cannot hold them: name another table, or one that is not there",
    ),
    (
        r"42501|25006|SQLITE_READONLY.*|PermissionException",
        "this user may not write there: ask for the right to, or name another table",
    ),
    (
        r"3F000|42P0\d|CatalogException",
        "its name is not free, or names no schema that is there: name another table",
    ),
    (
        r"55P03|40\w{3}|SQLITE_BUSY.*|SQLITE_LOCKED.*|TransactionException",
        "another program writes to it: wait for that one, and write again",
    ),
    (
        r".*",
        "the database ended or refused the write: see that it runs and has room, and write again",
    ),
)
