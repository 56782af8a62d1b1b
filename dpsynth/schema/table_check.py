"""Whether a schema's facts fit each other: no row is looked at."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.schema.columns import (
    COLUMN_TYPES,
    SECONDS,
    Boolean,
    Categorical,
    Column,
    Datetime,
    Identifier,
    Numeric,
    OpenCategorical,
    SchemaError,
    matches_any,
    plain_word,
)
from dpsynth.schema.entries import check_name
from dpsynth.schema.files import FileFormat
from dpsynth.schema.texts import moment_reader, number_reader

Columns = Mapping[str, Column]


def check_columns(columns: Columns) -> None:
    """SchemaError for no columns, a name that is none, and something that is no column type."""
    if not columns:
        raise SchemaError("a schema needs one column or more, got none: add a column")
    for name, column in columns.items():
        check_name(name)
        if not isinstance(column, tuple(COLUMN_TYPES.values())):
            raise SchemaError(
                f"column {name!r} must be one of {sorted(COLUMN_TYPES)}, got"
                f" {type(column).__name__}: choose one"
            )


def check_unit(columns: Columns, unit: PrivacyUnit) -> None:
    """SchemaError where the columns that say whose a row is cannot say it."""
    _check_repeating(columns, unit)
    for name, period in unit.parts:
        column = columns.get(name)
        if period is None and not isinstance(column, Identifier | None):
            raise SchemaError(
                f"column {name!r} says whose record a row is and may not be released:"
                " declare it Identifier(), or leave it out of the columns"
            )
        if period is not None and not isinstance(column, Datetime):
            raise SchemaError(
                f"the unit is by {period} of {name!r}, which is not declared as a date:"
                " declare it Datetime with its bounds, or take it out of the unit"
            )


def repeating_of(columns: Columns) -> tuple[str, ...]:
    """The identifiers whose new names are to repeat as units do."""
    return tuple(name for name, column in columns.items() if getattr(column, "repeats", False))


def _check_repeating(columns: Columns, unit: PrivacyUnit) -> None:
    repeating = repeating_of(columns)
    ids = [name for name, period in unit.parts if period is None]
    if strange := [name for name in repeating if name not in ids]:
        raise SchemaError(
            f"column {strange[0]!r} repeats, and only id columns of the unit can: name it in"
            " id_column, or leave out repeats"
        )
    made = {name: column for name, column in columns.items() if isinstance(column, Identifier)}
    keys = {made[name].key or name for name in repeating}
    alone = [n for n in ids if n in made and not made[n].repeats and made[n].key not in keys]
    if keys and alone:
        raise SchemaError(
            f"of the unit's columns {repeating[0]!r} repeats and {alone[0]!r} does not, so"
            f" that rows of one unit would differ in it: declare {alone[0]!r} repeats, too, or"
            f" give it the key {next(iter(sorted(keys)))!r}"
        )


def check_encoding(content: Mapping[str, Any], encoding: str | None) -> None:
    """SchemaError where the content of a schema's file cannot be written in its encoding."""
    try:
        json.dumps(content, ensure_ascii=False).encode(encoding or "utf-8")
    except UnicodeEncodeError as error:
        raise SchemaError(
            f"the schema has {error.object[error.start]!r}, which cannot be written in its"
            f" file's encoding {encoding!r}: declare another encoding, or leave the"
            " sign out"
        ) from None


def check_markers(columns: Columns, file: FileFormat) -> None:
    """SchemaError where a missing marker of all columns is a value of one."""
    for name, column in columns.items():
        for marker in file.missing_markers:
            if _is_value(marker, column):
                raise SchemaError(
                    f"missing_markers holds {marker!r}, which is a value of column {name!r}:"
                    " take it out, and declare it as missing_marker of the columns that it"
                    " holds for"
                )


def cleared(given: Any, columns: Columns) -> tuple[str, ...]:
    """The argument `not_identifying`, where it is a list of columns."""
    listed = tuple(given) if isinstance(given, list | tuple) else (given,)
    if strange := [name for name in listed if not isinstance(name, str) or name not in columns]:
        raise SchemaError(
            f"not_identifying must be a list of the schema's columns, and has {strange[:10]!r}:"
            " name columns that are declared"
        )
    return listed


def _is_value(marker: str, column: Column) -> bool:
    """Whether a text is a category, a number or a time within the bounds, or says true or false."""
    match column:
        case Categorical():
            return matches_any(marker, column.categories)
        case OpenCategorical():
            return matches_any(marker, column.public)
        case Numeric():
            low = -math.inf if column.low is None else column.low
            high = math.inf if column.high is None else column.high
            return low <= number_reader(column)(marker) <= high
        case Datetime():
            first, last = column.steps
            step = moment_reader(column)(marker) // SECONDS[column.resolution]
            return first <= step <= last
        case Boolean():
            return plain_word(marker) in {plain_word(word) for word in column.words}
    return False
