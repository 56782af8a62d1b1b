"""What the values of a table without a schema say, however each table spells them.

39, 39.0 and "39.0" are one number, True, 1 and "true" one truth, a date and its midnight one
datetime; texts are compared without case and without blanks at their ends. A column is of numbers,
datetimes or truths only where all values of all tables are; any other is one of categories.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.engines.files import Rows, column_names, open_rows
from dpsynth.data.values import epoch_seconds, is_null, number, read
from dpsynth.schema.columns import TRUTHS, Boolean, Categorical, Column, Datetime, Numeric
from dpsynth.schema.table import Schema, SchemaError

_NOTHING = frozenset(["", "nan", "nat", "none", "null", "<na>"])
"""What libraries write for a missing value."""
_MISSING = -1
_NUMBER, _MOMENT, _TEXT = range(3)
_MANY = 0.1
_FIRST, _LAST = -62_135_596_800, 253_402_300_799
"""The seconds of the years 1 to 9999, which a schema can state."""


class Meanings:
    """Numbers what the values of one column say, from 0, in whatever table they stand.

    A reader of `data.values.read`; a missing value has number -1.
    """

    def __init__(self) -> None:
        self._codes: dict[tuple[int, float | str], int] = {}
        self._truths = False

    def objects(self, values: Iterable[object]) -> np.ndarray:
        return np.array([self._of(value) for value in values], dtype=np.int64)

    def numbers(self, values: np.ndarray) -> np.ndarray:
        return self._all(_NUMBER, values)

    def datetimes(self, values: np.ndarray) -> np.ndarray:
        return self._all(_MOMENT, values)

    @property
    def kinds(self) -> np.ndarray:
        """Of each meaning its kind: a number, a datetime or a text."""
        return np.array([kind for kind, _ in self._codes], dtype=np.int64)

    @property
    def amounts(self) -> np.ndarray:
        """Of each meaning the number, or the seconds since 1970; NaN for a text."""
        said = (math.nan if isinstance(what, str) else what for _, what in self._codes)
        return np.fromiter(said, dtype=np.float64)

    def truths(self, tables: Sequence[np.ndarray]) -> np.ndarray | None:
        """Of each meaning 1 for true and 0 for false; None where it is of no column of truths.

        There a value is a truth or one of its words, and no table spells one in two ways.
        """
        found = np.array([_truth(*each) for each in self._codes], dtype=np.float64)
        if not self._truths or np.isnan(found).any():
            return None
        return found if all(np.unique(t[t >= 0]).size <= 2 for t in tables) else None

    def places(self) -> np.ndarray:
        """Of each meaning its place among all: numbers, datetimes, texts, each in their order."""
        meanings = list(self._codes)
        order = sorted(range(len(meanings)), key=meanings.__getitem__)
        places = np.empty(len(order), dtype=np.int64)
        places[order] = np.arange(len(order))
        return places

    def _all(self, kind: int, values: np.ndarray) -> np.ndarray:
        distinct, inverse = np.unique(values, return_inverse=True)
        codes = [
            _MISSING if math.isnan(value) else self._code(kind, value)
            for value in distinct.tolist()
        ]
        return np.array(codes, dtype=np.int64)[inverse]

    def _of(self, value: object) -> int:
        if is_null(value):
            return _MISSING
        text = unicodedata.normalize("NFKC", str(value)).casefold()
        folded = " ".join(text.split())
        self._truths |= isinstance(value, bool | np.bool_) or folded in TRUTHS
        for kind, amount in enumerate((number(value), epoch_seconds(value))):
            if not math.isnan(amount):
                return self._code(kind, amount)
        return _MISSING if folded in _NOTHING else self._code(_TEXT, folded)

    def _code(self, kind: int, what: float | str) -> int:
        return self._codes.setdefault((kind, what), len(self._codes))


def open_alike(tables: Mapping[str, Any]) -> dict[str, Rows]:
    """The tables' rows; SchemaError where their columns have not the same names, each once.

    The order of the columns may differ. A message shows places and no names: of a file without a
    header line, the first record stands for the names.
    """
    opened = {}
    for title, table in tables.items():
        try:
            opened[title] = open_rows(table)
        except SchemaError as error:
            raise SchemaError(f"{title}: {error}") from None
    first = next(iter(opened))
    wanted = {*column_titles(opened[first])}
    for title, rows in opened.items():
        names = column_titles(rows)
        if len({*names}) < len(names):
            repeated = [str(i) for i, name in enumerate(names, 1) if name in names[: i - 1]]
            which = "a name, at place" if len(repeated) == 1 else "names, at places"
            raise SchemaError(
                f"{title} repeats {which} {', '.join(repeated)}: give each column its own name"
            )
        if {*names} != wanted:
            raise SchemaError(
                f"{title} has other columns than {first}: give tables with the same columns, or"
                " the schema where no line names them"
            )
        if not len(rows):
            raise SchemaError(f"{title} has no rows: give a table with rows")
    return opened


@dataclass(frozen=True)
class Drafted:
    """A schema from the values themselves, and tables in the one spelling that it reads.

    mixed: the columns of which the release has a tenth of its values or more of a kind (number,
    datetime or text) that no real value has, or the other way round. Private facts, which never
    leave the audit.
    """

    schema: Schema
    tables: dict[str, Rows]
    mixed: tuple[str, ...]


def drafted(tables: Mapping[str, Rows]) -> Drafted:
    """What the tables say, the release being the one named "synthetic"."""
    columns: dict[str, Column] = {}
    spelled: dict[str, dict[str, pd.Series[Any]]] = {title: {} for title in tables}
    mixed = []
    for name in column_titles(next(iter(tables.values()))):
        meanings = Meanings()
        codes = {title: read(_column(rows, name), meanings) for title, rows in tables.items()}
        columns[name], values = _drafted(meanings, list(codes.values()))
        for title, code in codes.items():
            spelled[title][name] = pd.Series(values).reindex(code).reset_index(drop=True)
        kinds = {title: meanings.kinds[code[code >= 0]] for title, code in codes.items()}
        released = kinds.pop("synthetic")
        if isinstance(columns[name], Categorical) and _differ(released, [*kinds.values()]):
            mixed.append(name)
    frames: dict[str, Rows] = {title: pd.DataFrame(found) for title, found in spelled.items()}
    return Drafted(Schema(columns), frames, tuple(mixed))


def _drafted(meanings: Meanings, tables: Sequence[np.ndarray]) -> tuple[Column, np.ndarray]:
    """The type of a column, and of each meaning the value that stands for it."""
    amounts = meanings.amounts
    kinds = {*meanings.kinds.tolist()}
    truths = meanings.truths(tables)
    if truths is not None:
        return Boolean(nullable=True), truths
    if kinds <= {_NUMBER}:
        return Numeric(None, None, nullable=True), amounts
    if kinds == {_MOMENT}:
        ends = np.clip([amounts.min(), amounts.max()], _FIRST, _LAST).astype("datetime64[s]")
        first, last = ends.astype(str).tolist()
        datetimes = amounts.astype("datetime64[s]")
        return Datetime(first, last, resolution="s", nullable=True), datetimes
    return Categorical(range(amounts.size), nullable=True), meanings.places()


def _differ(one: np.ndarray, tables: Sequence[np.ndarray]) -> bool:
    """Whether a tenth or more of the values of one are of a kind that the others have not at all.

    Or the other way round.
    """
    other = np.concatenate(tables)
    if not (one.size and other.size):
        return False
    shares = [np.bincount(kinds, minlength=3) / kinds.size for kinds in (one, other)]
    low, high = np.sort(shares, axis=0)
    return bool(((low == 0) & (high >= _MANY)).any())


def _truth(kind: int, what: float | str) -> float:
    """1 for true, 0 for false, NaN for anything else."""
    if kind == _NUMBER and what in (0.0, 1.0):
        return float(what)
    return float(TRUTHS[str(what)]) if kind == _TEXT and what in TRUTHS else math.nan


def column_titles(rows: Rows) -> list[str]:
    """The names of the columns, as text."""
    return [str(name) for name in column_names(rows)]


def _column(rows: Rows, name: str) -> Any:
    place = column_titles(rows).index(name)
    return rows.iloc[:, place] if isinstance(rows, pd.DataFrame) else rows.column(place)
