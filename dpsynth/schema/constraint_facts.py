"""What constraints are made of, checked and in one form: flags, names of columns, public tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from dpsynth.schema.columns import Scalar, SchemaError

Key = tuple[Scalar | bool | None, ...]
"""Values of several columns in one row; None is a missing one."""


def check_flag(name: str, value: Any) -> None:
    """SchemaError for what is neither true nor false."""
    if not isinstance(value, bool):
        raise SchemaError(f"{name} must be true or false, got {value!r}: write one of them")


def check_apart(names: Sequence[str], what: str) -> None:
    """SchemaError where `what` names a column twice, or by something that is no text."""
    if wrong := [name for name in names if not isinstance(name, str)]:
        raise SchemaError(f"{what} names {wrong[0]!r}, which is no text: name a column")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SchemaError(f"{what} names {twice!r} twice: name different columns")


def names_of(what: str, given: Any, least: int) -> tuple[str, ...]:
    """The columns that a field lists; SchemaError for no list, and for fewer than `least`."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise SchemaError(f"{what} must be a list of columns, got {given!r}: put them in brackets")
    names = tuple(given)
    if len(names) < least:
        raise SchemaError(f"{what} must name {least} or more columns, got {names}: add some")
    return names


def as_row(key: Any) -> list[Any]:
    """The values of a table's row, or a single one as a row."""
    return list(key) if isinstance(key, tuple | list) else [key]


def rows_of(what: str, given: Any, columns: Sequence[str]) -> tuple[Key, ...]:
    """The rows of a public table as they are kept, each once."""
    if hasattr(given, "columns") and hasattr(given, "itertuples"):
        if lacking := [name for name in columns if name not in given.columns]:
            raise SchemaError(f"{what} lacks the columns {lacking}: add them to the public table")
        given = given[list(columns)].itertuples(index=False, name=None)
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
        raise SchemaError(
            f"{what} must be a table of public values, got {type(given).__name__}: give a"
            " DataFrame, or a list of rows"
        )
    rows = tuple(dict.fromkeys(tuple(map(_value, as_row(row))) for row in given))
    if not rows:
        raise SchemaError(f"{what} has no rows: list the values that are possible")
    if wrong := [row for row in rows if len(row) != len(columns)]:
        raise SchemaError(
            f"{what} has a row of {len(wrong[0])} values for the {len(columns)} columns"
            f" {list(columns)}: give one value for each"
        )
    return rows


def _value(value: Any) -> Any:
    """A value of a public table: text, a number, a truth value, or None for a missing one."""
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64):
        value = value.item()
    if value is None or (isinstance(value, float) and math.isnan(value)) or str(value) == "<NA>":
        return None
    if isinstance(value, str | bool | int | float):
        return int(value) if isinstance(value, float) and value.is_integer() else value
    text = str(value)  # of a date, which is written as ISO text
    return None if text == "NaT" else text
