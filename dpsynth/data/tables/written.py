"""Rows as a CSV file has them: numbers and dates in the formats that the schema declares.

So the file is read with the schema that it was made by. Numbers are written as people write them:
45 and not 45.0, 0.00001 and not 1e-05. What has no declared format besides is written as pandas
writes it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from dpsynth.data.tables.bounds import decimals
from dpsynth.schema.columns import (
    Boolean,
    Categorical,
    Column,
    Datetime,
    Identifier,
    Numeric,
    OpenCategorical,
)
from dpsynth.schema.table import Schema

_PLACES = 22
"""A number with its first digit more places from the decimal mark than these keeps a power of ten.
"""


def as_declared(rows: pd.DataFrame, schema: Schema, *, numbers: bool = True) -> pd.DataFrame:
    """The rows with text in place of numbers that may have decimals, and of dates with a format.

    Parameters
    ----------
    rows : pandas.DataFrame
        Of a release, or beside real rows: their columns may be some of the schema's or others, and
        what stands as text already stays.
    schema : Schema
        That it was made by.
    numbers : bool
        Whether numbers become text.

    Returns
    -------
    pandas.DataFrame
        Another one. The text of a number is read as the same number again.

    Examples
    --------
    >>> schema = Schema({"pay": Numeric(0, 1e6), "share": Numeric(0, 1, decimal=",")})
    >>> rows = pd.DataFrame({"pay": [45478.0, 0.5], "share": [1e-05, 1.0]})
    >>> as_declared(rows, schema).to_dict("list")
    {'pay': ['45478', '0.5'], 'share': ['0,00001', '1']}
    """
    return rows.assign(
        **{
            name: _as_text(rows[name], column, numbers)
            for name, column in schema.columns.items()
            if name in rows and not _has_text(rows[name])
        }
    )


def _has_text(values: pd.Series[Any]) -> bool:
    """Whether values are as a file had them, with text among them."""
    return pd.api.types.infer_dtype(values) in ("string", "mixed", "mixed-integer")


def _has_times(values: pd.Series[Any]) -> bool:
    """Whether values are times, also as Python's own, or are all missing."""
    return pd.api.types.infer_dtype(values) in ("datetime64", "datetime", "date", "empty")


def _as_text(values: pd.Series[Any], column: Column, numbers: bool) -> pd.Series[Any]:
    match column:
        case Numeric(integer=False) if numbers:
            return _numbers(values, column.mark)
        case Categorical(categories=[float(), *_]) if numbers:
            return _numbers(values.astype(float), ".")
        case Datetime(format=str() as format) if _has_times(values):
            times = values.astype("datetime64[us]") if values.dtype == object else values
            return _with_zone(times, format, column.zone).dt.strftime(format)
    return values


def _numbers(values: pd.Series[Any], mark: str) -> pd.Series[Any]:
    """The shortest text that is read as each number; None for a missing one."""
    numbers = values.to_numpy(np.float64, na_value=np.nan) + 0.0  # no zero is below zero
    texts = (_plain(text).replace(".", mark) for text in numbers.astype(str).tolist())
    shown = [None if text == "nan" else text for text in texts]
    return pd.Series(shown, values.index, dtype=object)


def _plain(text: str) -> str:
    """What Python writes for a number, without the zero of a whole one and without powers of ten.

    Examples
    --------
    >>> _plain("45478.0"), _plain("1e-05"), _plain("2.5e+18"), _plain("1e-300")
    ('45478', '0.00001', '2500000000000000000', '1e-300')
    """
    if text.endswith(".0"):
        return text[:-2]
    if "e" not in text or abs((number := Decimal(text)).adjusted()) > _PLACES:
        return text
    return f"{number:f}"


def _with_zone(values: pd.Series[Any], format: str, zone: str | None) -> pd.Series[Any]:
    """Times with the offset that their format writes. An hour that comes twice is the later one,
    and one that is left out in spring is the first after it.
    """
    if "%z" not in format:
        return values
    later = np.zeros(len(values), dtype=bool)
    return values.dt.tz_localize(zone or "UTC", ambiguous=later, nonexistent="shift_forward")


def as_numbers_and_texts(rows: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """The rows in the types that statistical programs have: float64, text without nulls, times."""
    columns = {name: _as_plain(rows[name], column) for name, column in schema.columns.items()}
    return rows.assign(**columns)


def _as_plain(values: pd.Series[Any], column: Column) -> pd.Series[Any]:
    if isinstance(column, Datetime):
        return values.astype("datetime64[ms]")
    plain = values.astype(object)
    if _is_text(column):
        return plain.where(plain.notna(), "").astype(object)
    return plain.where(plain.notna(), None).astype("float64")


def _is_text(column: Column) -> bool:
    match column:
        case Categorical():
            return isinstance(column.categories[0], str)
        case Boolean():
            return isinstance(column.written[0], str)
    return isinstance(column, Identifier | OpenCategorical)


_DIGITS = 18
"""Of a decimal number in a database, the most that DuckDB holds in eight bytes."""


def as_typed(rows: pd.DataFrame, schema: Schema, *, times: bool) -> pa.Table:
    """The rows in the types that databases have, which follow from the schema alone.

    Parameters
    ----------
    rows : pandas.DataFrame
        Of a release, with the schema's columns and others.
    schema : Schema
        That it was made by.
    times : bool
        Whether dates and times stay what they are; otherwise those with a declared format become
        text.

    Returns
    -------
    pyarrow.Table
        Of int64, float64, bool, timestamp[us], string, and decimals where a column has public
        bounds and steps; a missing value is null.

    Examples
    --------
    >>> schema = Schema({"pay": Numeric(0, 1e6, decimals=2), "age": Numeric(0, 99, integer=True)})
    >>> rows = pd.DataFrame({"pay": [45478.05, 0.5], "age": pd.array([5, None], "Int64")})
    >>> as_typed(rows, schema, times=True).schema.types
    [Decimal128Type(decimal128(18, 2)), DataType(int64)]
    """
    shown = rows if times else as_declared(rows, schema, numbers=False)
    table = pa.Table.from_pandas(shown, preserve_index=False).replace_schema_metadata()
    fields = [pa.field(each.name, _plain_type(each.type)) for each in table.schema]
    table = table.cast(pa.schema(fields))
    for place, name in enumerate(table.column_names):
        kind = _decimal(schema.columns.get(name))
        if kind is not None:
            table = table.set_column(place, name, table[name].cast(kind))
    return table


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """The one type that stands for all that are like it."""
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    alike = (
        (pa.types.is_boolean, pa.bool_()),
        (pa.types.is_integer, pa.int64()),
        (pa.types.is_floating, pa.float64()),
        (pa.types.is_timestamp, pa.timestamp("us")),
    )
    return next((plain for holds, plain in alike if holds(kind)), pa.string())


def _decimal(column: Column | None) -> pa.DataType | None:
    """The type of a column whose values have a public number of decimals, and are not too long."""
    if not isinstance(column, Numeric) or column.integer or column.spacing is None:
        return None
    if column.low is None or column.high is None:
        return None
    places = decimals(column.low, column.spacing)
    largest = max(abs(column.low), abs(column.high))
    return pa.decimal128(_DIGITS, places) if largest < 10.0 ** (_DIGITS - places - 1) else None
