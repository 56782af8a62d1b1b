"""PrivacyUnit: whom the guarantee protects, and what it means for two tables to be neighbours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Adjacency = Literal["add-remove", "replace"]
MAX_RECORDS = 2**40


@dataclass(frozen=True)
class PrivacyUnit:
    """Neighbouring tables differ in the records of one unit.

    Parameters
    ----------
    id_column : str, optional
        The column that says whose record a row is. All rows without an id are one unit together. Without a column the
        unit is any `max_records` rows, whoever they belong to.
    max_records : int
        How many rows of a unit are used at most (`door/bounding.py` enforces it).
    adjacency : {"add-remove", "replace"}
        Whether the unit's records are in one table only, or stand in one where another unit's stand in the other.
    """

    id_column: str | None = None
    max_records: int = 1
    adjacency: Adjacency = "add-remove"

    def __post_init__(self) -> None:
        whole = isinstance(self.max_records, int) and not isinstance(self.max_records, bool)
        if not whole or not 1 <= self.max_records <= MAX_RECORDS:
            raise ValueError(f"max_records must be a whole number from 1 to 2^40, got {self.max_records!r}")
        if self.adjacency not in ("add-remove", "replace"):
            raise ValueError(f'adjacency must be "add-remove" or "replace", got {self.adjacency!r}')
        if self.id_column is not None and (not isinstance(self.id_column, str) or not self.id_column):
            raise ValueError(f"id_column must be a column name or None, got {self.id_column!r}")

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

    def describe(self) -> str:
        rows = "1 record" if self.max_records == 1 else f"{self.max_records} records"
        who = f"every {self.id_column!r}, of whom at most {rows} are used" if self.id_column else f"any {rows}"
        verb = "added or removed" if self.adjacency == "add-remove" else "replaced by others"
        return f"{who}, {verb}"
