"""A table in parts that functions give: rows of Dask, of Ray, of Beam or of a program of one's own.

Nothing says of such a function whether it gives the same rows again. So what each part says is
compared, at each reading, with what it said before: by a hash of each column that is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any

import pandas as pd
import pyarrow as pa

from dpsynth.data.engines.arrow import without_views
from dpsynth.data.engines.folders import joined
from dpsynth.data.engines.source import Rows, Source, refuse_real_records, written_attrs
from dpsynth.door.ids import digest
from dpsynth.schema.columns import SchemaError
from dpsynth.schema.table import Schema


class Partitions:
    """A table in parts, each of which a function gives; `partitions` makes one."""

    def __init__(
        self, parts: Sequence[Callable[[], Any]], columns: Sequence[str] | pa.Schema | None
    ) -> None:
        self._parts = parts
        self.types = columns if isinstance(columns, pa.Schema) else None
        self.names = columns.names if isinstance(columns, pa.Schema) else columns

    def __repr__(self) -> str:
        return f"partitions({len(self._parts)} parts)"

    def __arrow_c_schema__(self) -> Any:
        """The names and the types, as Arrow takes them; no part is read."""
        return open_partitions(self, None).without_rows().schema.__arrow_c_schema__()

    def read(self) -> Iterator[Rows]:
        """All parts, one after another, as frames and Arrow tables."""
        for part in self._parts:
            yield from _tables(part())


def partitions(
    parts: Iterable[Callable[[], Any]], columns: Sequence[str] | pa.Schema | None = None
) -> Partitions:
    """A table in parts, each of which a function gives, anew for each pass over the rows.

    Parameters
    ----------
    parts : list of callables
        Each is called without arguments, again and again, and gives one part of the table: a
        DataFrame, an Arrow table or record batch, another table that Arrow can read, or an iterator
        of these. It must give the same rows in the same order each time: a fit ends where it does
        not. A person's rows may lie in several parts.
    columns : list of str, pyarrow.Schema or None
        The names of the columns, or names and types. Without them the schema of the fit names the
        columns, and further columns of the parts are not read.

    Returns
    -------
    Partitions
        What `fit`, `audit` and all others that take rows take. Nothing has been called yet.

    Raises
    ------
    SchemaError
        For what is no list of callables, and names that are no texts.

    Examples
    --------
    >>> import pandas as pd
    >>> north, south = pd.DataFrame({"age": [30, 41]}), pd.DataFrame({"age": [7]})
    >>> partitions([lambda: north, lambda: south], columns=["age"])
    partitions(2 parts)
    """
    listed = list(parts) if isinstance(parts, Iterable) else []
    if not listed or not all(map(callable, listed)):
        raise SchemaError(
            "partitions takes a list of functions, each of which gives one part of the table: wrap"
            " what computes a part, as in partitions([partial(read, place) for place in places])"
        )
    if columns is None or isinstance(columns, pa.Schema):
        return Partitions(listed, columns)
    names = list(columns) if isinstance(columns, Iterable) and not isinstance(columns, str) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise SchemaError(
            "columns must be the names of the columns as texts, or an Arrow schema: give"
            " columns=[str(name) for name in names]"
        )
    return Partitions(listed, names)


def open_partitions(table: Partitions, schema: Schema | None) -> Source:
    """The source of a table in parts, of which no part has been read.

    Raises
    ------
    SchemaError
        Where neither the table nor a schema names the columns.
    """
    if table.names is not None:
        names = [*table.names]
    elif schema is not None:
        names = [*dict.fromkeys([*schema.columns, *schema.unit.columns])]
    else:
        raise SchemaError(
            "the columns of partitions are not named, and no part is read to learn them: give"
            " partitions(parts, columns=[...])"
        )
    seen = _Seen()

    def parts(columns: Sequence[str]) -> Iterator[Rows]:
        wanted = [name for name in names if name in {*columns}] or names[:1]
        yield from seen.as_before(map(_selected, table.read(), repeat(wanted)))

    return Source(names, lambda: joined([*parts(names)]), table.types, parts=parts)


def _tables(given: Any) -> Iterator[Rows]:
    """What a function gave, as frames and Arrow tables."""
    if isinstance(given, pd.DataFrame):
        yield given
    elif isinstance(given, pa.RecordBatch):
        yield without_views(pa.Table.from_batches([given]))
    elif isinstance(given, pa.Table) or (
        hasattr(given, "__arrow_c_stream__") and not isinstance(given, pa.RecordBatchReader)
    ):
        yield without_views(pa.table(given))
    elif isinstance(given, Iterable) and not isinstance(given, (str, bytes, dict)):
        for each in given:
            yield from _tables(each)
    else:
        raise TypeError("a part is no table")


def _selected(rows: Rows, wanted: Sequence[str]) -> Rows:
    """These columns. It raises where one is absent or comes twice, and for a stamped table."""
    given = [*(rows.column_names if isinstance(rows, pa.Table) else rows.columns)]
    refuse_real_records(
        given, rows.attrs if isinstance(rows, pd.DataFrame) else written_attrs(rows.schema)
    )
    titles = [name if isinstance(name, str) else str(name) for name in given]
    places = [titles.index(name) for name in wanted]
    if any(titles.count(name) > 1 for name in wanted):
        raise ValueError("a part has two columns of one name")
    if isinstance(rows, pa.Table):
        return rows.select(places).rename_columns([*wanted])
    return rows.iloc[:, places].set_axis([*wanted], axis=1)


class _Seen:
    """What the parts of a table said when they were read, as far as they were."""

    def __init__(self) -> None:
        self._parts: list[tuple[int, dict[str, bytes]]] = []
        self._whole = False

    def as_before(self, parts: Iterable[Rows]) -> Iterator[Rows]:
        """The parts; it raises where one is another than it was, or more or fewer come."""
        count = 0
        for rows in parts:
            if count == len(self._parts) and not self._whole:
                self._parts.append((len(rows), {}))
            if count == len(self._parts) or not self._same(rows, *self._parts[count]):
                raise ValueError("the parts have other rows than when they were read before")
            count += 1
            yield rows
        if count < len(self._parts):
            raise ValueError("there are fewer parts than when they were read before")
        self._whole = True

    def _same(self, rows: Rows, length: int, said: dict[str, bytes]) -> bool:
        names = rows.column_names if isinstance(rows, pa.Table) else rows.columns
        found = {name: digest(rows[name]) for name in names}
        return len(rows) == length and all(said.setdefault(n, d) == d for n, d in found.items())
