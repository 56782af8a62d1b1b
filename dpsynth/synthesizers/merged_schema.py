"""The schema and the learned bounds of a merge: those of its sources, where they fit together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dpsynth.base.text import some
from dpsynth.schema.columns import Column
from dpsynth.schema.table import Schema, SchemaError


def merged_schema(schemas: Sequence[Schema]) -> Schema:
    """All columns of the sources, those of the first one first.

    schemas: with the categories that were found. SchemaError where they do not fit together.
    """
    first, *others = schemas
    for other in others:
        if other.unit != first.unit:
            raise SchemaError(
                f"the sources protect {first.unit.describe()} and {other.unit.describe()}: merge"
                " sources of one unit, declared alike"
            )
    if all(other.named == first.named for other in others):
        if all(other.constraints == first.constraints for other in others):
            return first
        raise SchemaError(
            "the sources have different constraints, which no table keeps together: declare the"
            " same ones, and fit again"
        )
    if any(each.constraints for each in schemas):
        raise SchemaError(
            "sources with constraints need the same columns to be merged: declare the same, and fit"
            " again"
        )
    columns: dict[str, Column] = {}
    for each in schemas:
        odd = [n for n, column in each.named if columns.setdefault(n, column) != column]
        if odd:
            raise SchemaError(
                f"the sources declare {some([*map(repr, odd)])} differently, or have found other"
                " categories there: declare these columns alike, with all their categories, and fit"
                " again"
            )
    if not all({*first.coded} & {*other.coded} for other in others):
        raise SchemaError("the sources have no column in common: there is nothing to merge")
    named = tuple(dict.fromkeys(n for each in schemas for n in each.not_identifying))
    return Schema(columns, unit=first.unit, file=first.file, not_identifying=named)


def merged_bounds(
    bounds: Sequence[Mapping[str, tuple[float, float]]],
) -> dict[str, tuple[float, float]]:
    """The bounds that were learned; SchemaError for a column that has others in each source."""
    found: dict[str, tuple[float, float]] = {}
    for each in bounds:
        if odd := [n for n, ends in each.items() if found.setdefault(n, ends) != ends]:
            raise SchemaError(
                f"the fits of the sources have learned different bounds of {odd[0]!r}: declare its"
                " bounds, and fit again"
            )
    return found
