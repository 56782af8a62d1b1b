"""Rows as a CSV file has them: numbers and dates in the formats that the schema declares.

So the file is read with the schema that it was made by. What has no declared format is written as
pandas writes it.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from dpsynth.schema.columns import Column, Datetime, Numeric
from dpsynth.schema.table import Schema


def as_declared(rows: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """The rows with text in place of numbers with a decimal comma, and of dates with a format."""
    return rows.assign(
        **{name: _as_text(rows[name], column) for name, column in schema.columns.items()}
    )


def _as_text(values: pd.Series[Any], column: Column) -> pd.Series[Any]:
    match column:
        case Numeric(decimal=",") if not column.integer:
            return values.map(lambda number: repr(float(number)).replace(".", ","), "ignore")
        case Datetime(format=str() as format):
            return values.dt.strftime(format.replace("%z", "+0000"))
    return values
