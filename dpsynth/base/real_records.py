"""The stamp of tables that contain real records: a column, which every kind of file keeps.

It stands in tables that were made from real and synthetic rows, or from rows that were given and
whose missing values were drawn. They may train a program; no command takes them for synthetic or
for whole real ones. A Parquet file that pandas wrote says it in its metadata too, where the column
was dropped.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

STAMP = "contains_real_records"
"""The column, which is true in every row, and the name in a frame's `attrs`."""


def carries(names: Collection[Any], attrs: Mapping[Any, Any]) -> bool:
    """Whether a table with these columns and attributes is stamped."""
    return STAMP in names or bool(attrs.get(STAMP))
