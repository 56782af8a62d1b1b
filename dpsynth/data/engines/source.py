"""Rows that may not have been read yet, and what all readers of files share."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import pandas as pd
import pyarrow as pa

from dpsynth.base.real_records import STAMP, carries
from dpsynth.door.keeping import Held
from dpsynth.door.shares import Spread
from dpsynth.schema.columns import SchemaError
from dpsynth.schema.files import FileFormat
from dpsynth.schema.table import Schema

Rows: TypeAlias = pd.DataFrame | pa.Table


class ChangedSpread(Spread, Protocol):
    """A table on other machines, whose rows are changed there."""

    def changed(
        self,
        change: Callable[[Rows], Rows],
        needed: Callable[[Sequence[str]], Sequence[str]],
    ) -> ChangedSpread:
        """The rows after a change of each. needed: what columns that are asked for are made of."""
        ...


@dataclass(frozen=True)
class Source:
    """Rows that may not have been read yet.

    names: of the columns, which are public. read: returns the rows. types: what the container
    states of its columns; None where it states nothing. form: how a file is written, as far as its
    header tells. parts: reads these columns, or more, one part of the rows after another, of what
    is too large to be held; each time the same parts, or it raises. spread: the same rows where
    they lie on other machines, and are counted there.
    """

    names: list[Any]
    read: Callable[[], Rows]
    types: pa.Schema | None = None
    form: FileFormat = field(default_factory=FileFormat)
    parts: Callable[[Sequence[str]], Iterator[Rows]] | None = None
    spread: ChangedSpread | None = None

    def for_the_door(self) -> Callable[[Sequence[str]], Iterable[Rows]] | Spread:
        """The rows as they are bounded: on the machines where they lie, or by a reader."""
        return self.reader() if self.spread is None else self.spread

    def reader(self) -> Callable[[Sequence[str]], Iterable[Rows]]:
        """Reads the rows again and again, with these columns or more: what is held, once."""
        if self.parts is not None:
            return self.parts
        return Held(self.read)

    def changed(
        self,
        change: Callable[[Rows], Rows],
        needed: Callable[[Sequence[str]], Sequence[str]] = lambda columns: columns,
    ) -> Source:
        """The rows after a change of each. needed: what columns that are asked for are made of."""
        parts = self.parts
        changed = None if parts is None else lambda names: map(change, parts(needed(names)))
        spread = None if self.spread is None else self.spread.changed(change, needed)
        return replace(self, read=lambda: change(self.read()), parts=changed, spread=spread)

    def without_rows(self) -> pa.Table:
        """A table of no rows with the names and the types; all of them text where none is stated.

        No row is read.
        """
        types = pa.schema([(str(name), pa.string()) for name in self.names])
        return (self.types if self.types is not None else types).empty_table()


LARGE = 1 << 26
"""Bytes of a file from which on it is read in parts, and anew for each pass over its rows."""

ROWS_OF_A_PART = 1 << 19


def recut(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The rows in parts of one length: how a reader cuts them hangs on the columns it reads."""
    left: list[pa.Table] = []
    rows = 0
    for part in parts:
        left.append(part)
        rows += len(part)
        while rows >= ROWS_OF_A_PART:
            whole = pa.concat_tables(left)
            yield whole.slice(0, ROWS_OF_A_PART)
            left, rows = [whole.slice(ROWS_OF_A_PART)], rows - ROWS_OF_A_PART
    if rows:
        yield pa.concat_tables(left)


def unchanged(path: Path) -> Callable[[], None]:
    """A check that a file is the one that it is now: where it is not, it raises."""
    as_now = _state(path)

    def check() -> None:
        if _state(path) != as_now:
            raise ValueError("the file was written while it was read")

    return check


def _state(path: Path) -> tuple[int, ...]:
    facts = path.stat()
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


def of_cells(records: list[tuple[Any, ...]], names: list[str]) -> pd.DataFrame:
    """Records whose values are read one by one, whatever stands above and below them."""
    return pd.DataFrame(records, columns=names, dtype=object)


def unmarked(value: Any, markers: frozenset[str]) -> Any:
    """A value as it is; None for a text or a number that is written as a missing marker."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return None if str(value) in markers else value
    return value


def ids_of(schema: Schema | None) -> tuple[str, ...]:
    """The columns of ids of a schema's unit, in which missing markers are ids as others are.

    So whose row a row is does not hang on markers: one ledger pays for runs that declare others,
    and for frames, which have none.
    """
    parts = () if schema is None else schema.unit.parts
    return tuple(column for column, period in parts if period is None)


def markers_of(
    names: list[str], schema: Schema | None, form: FileFormat
) -> tuple[frozenset[str], ...]:
    """For each column its missing markers."""
    markers, ids = frozenset(form.missing_markers), ids_of(schema)
    return tuple(frozenset() if name in ids else markers for name in names)


def form_of(schema: Schema | None, form: FileFormat | None) -> FileFormat:
    """How a file is written: what its schema says, or else this form."""
    if schema is not None:
        return schema.file
    return form if form is not None else FileFormat()


def named_by(path: Path, schema: Schema | None) -> list[str]:
    """The columns of a file that names none itself; SchemaError where no schema names them."""
    if schema is None:
        raise SchemaError(
            f"{path} has no line that names its columns, and its first record is not public: give"
            " a schema, which names them"
        )
    return [*schema.columns]


def refuse_nested(types: pa.Schema | None, schema: Schema | None) -> None:
    """SchemaError where a column that is to be read holds lists or records, by its declared type.

    A name is shown only where the schema has it: of a file without a header a record might be one.
    """
    for place, column in enumerate(types if types is not None else (), 1):
        if not pa.types.is_nested(column.type) or pa.types.is_dictionary(column.type):
            continue
        which = f"number {place}"
        if schema is not None and column.name in schema.columns:
            if column.name not in (*schema.coded, *schema.unit.columns):
                continue
            which = repr(column.name)
        raise SchemaError(
            f"column {which} holds lists or records, and a column has one value a row: flatten it"
            " into columns of single values, or leave it out"
        )


def refuse_real_records(names: Collection[Any], attrs: Mapping[Any, Any]) -> None:
    """SchemaError for a table that carries the stamp."""
    if carries(names, attrs):
        raise SchemaError(
            f"the table is stamped as one that contains real records ({STAMP}): it is for training"
            " beside real data, so give the real rows by themselves, or synthetic ones"
        )


def written_attrs(types: pa.Schema | None) -> Mapping[Any, Any]:
    """The attributes of the frame that pandas turned into these columns; none of another's."""
    with contextlib.suppress(ValueError, TypeError, AttributeError):
        written = ((types.metadata if types is not None else None) or {}).get(b"pandas", b"{}")
        return dict(json.loads(written).get("attributes", {}))
    return {}
