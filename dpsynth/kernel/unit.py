"""PrivacyUnit: whom the guarantee protects, and what it means for two tables to be neighbours."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Adjacency = Literal["add-remove", "replace"]
MAX_RECORDS = 2**40
_PERIOD = re.compile(r"(day|week|month|year)\((.+)\)", re.DOTALL)


@dataclass(frozen=True)
class PrivacyUnit:
    """Neighbouring tables differ in the records of one unit.

    Parameters
    ----------
    id_column : str or sequence of str, optional
        The column that says whose record a row is. All rows without an id are one unit together. Without a column the
        unit is any `max_records` rows, whoever they belong to. Of several columns, rows are one unit that agree in all
        of them, in what is missing too. Beside a column of ids, "month(visit)" is the month of a date: the unit is then
        a month of a person and not the person. So are day, week and year.
    max_records : int
        How many rows of a unit are used at most (`door/bounding.py` enforces it).
    adjacency : {"add-remove", "replace"}
        Whether the unit's records are in one table only, or stand in one where another unit's stand in the other.
    """

    id_column: str | Sequence[str] | None = None
    max_records: int = 1
    adjacency: Adjacency = "add-remove"

    def __post_init__(self) -> None:
        whole = isinstance(self.max_records, int) and not isinstance(self.max_records, bool)
        if not whole or not 1 <= self.max_records <= MAX_RECORDS:
            raise ValueError(f"max_records must be a whole number from 1 to 2^40, got {self.max_records!r}")
        if self.adjacency not in ("add-remove", "replace"):
            raise ValueError(f'adjacency must be "add-remove" or "replace", got {self.adjacency!r}')
        object.__setattr__(self, "id_column", _id_column(self.id_column))

    @property
    def parts(self) -> tuple[tuple[str, str | None], ...]:
        """Each column that says whose record a row is, with the period that its dates are cut to, if they are."""
        if self.id_column is None or isinstance(self.id_column, str):
            return () if self.id_column is None else ((self.id_column, None),)
        found = ((text, _PERIOD.fullmatch(text)) for text in self.id_column)
        return tuple((text, None) if period is None else (period[2], period[1]) for text, period in found)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that say whose record a row is."""
        return tuple(column for column, _ in self.parts)

    @property
    def periods(self) -> dict[str, str]:
        """For each column of dates among them the period that makes a unit of its own."""
        return {column: period for column, period in self.parts if period is not None}

    def using(self, max_records: int | None) -> PrivacyUnit:
        """The same unit, of whose records a run uses another number at most; None changes nothing.

        With ids, neighbouring tables differ in all rows of one unit, however many a run uses: what protects them from
        one run adds up with what does from the next. Without ids the number says who is protected: ValueError.
        """
        if max_records is not None and self.id_column is None:
            raise ValueError("max_records of a run needs a unit with ids: without them it says who is protected")
        return self if max_records is None else replace(self, max_records=max_records)

    def within(self, stated: PrivacyUnit) -> bool:
        """Whether this is the stated unit, of whom it uses no more records than stated.

        With ids, tables that are neighbours by one are neighbours by the other: they differ in all rows of one unit,
        however many a value uses, and how far it moves then its own number of records says. Without ids the number says
        who is protected, and must be the same.
        """
        if self == stated:
            return True
        with_ids = self.id_column is not None and self.id_column == stated.id_column
        return with_ids and self.adjacency == stated.adjacency and self.max_records <= stated.max_records

    def count_sensitivity(self, cells: int) -> tuple[float, float]:
        """How far (l1, l2) one unit can move the counts of one marginal with this many cells.

        add-remove: at most k records enter or leave, at worst all in one cell: (k, k).
        replace: at most k leave and at most k enter, at worst from one cell to another: (2k, sqrt(2) k).
        With a single cell there is no other cell, and the count moves by at most k.
        """
        k = float(self.max_records)
        if self.adjacency == "add-remove" or cells == 1:
            return k, k
        return 2 * k, math.nextafter(math.sqrt(2) * k, math.inf)

    @property
    def name(self) -> str:
        """What says whose record a row is, in words."""
        if self.id_column is None or isinstance(self.id_column, str):
            return repr(self.id_column)
        return f"combination of {' and '.join(map(repr, self.id_column))}"

    def describe(self) -> str:
        rows = "1 record" if self.max_records == 1 else f"{self.max_records} records"
        who = f"every {self.name}, of whom at most {rows} are used" if self.id_column else f"any {rows}"
        verb = "added or removed" if self.adjacency == "add-remove" else "replaced by others"
        return f"{who}, {verb}"


def _id_column(given: str | Sequence[str] | None) -> str | tuple[str, ...] | None:
    """One column, several, or none; ValueError for what names no unit."""
    named = [given] if isinstance(given, str) else given
    if named is None:
        return None
    if not isinstance(named, list | tuple) or not named or not all(isinstance(n, str) and n for n in named):
        raise ValueError(f"id_column must be a column name, a list of them, or None, got {given!r}")
    if isinstance(given, str):
        return given
    cut = [_PERIOD.fullmatch(name) for name in named]
    columns = [name if period is None else period[2] for name, period in zip(named, cut, strict=True)]
    if all(cut) or len(set(columns)) < len(columns):
        raise ValueError(f"id_column must name a column of ids, and none twice, got {given!r}: correct the list")
    return tuple(named) if len(named) > 1 else named[0]
