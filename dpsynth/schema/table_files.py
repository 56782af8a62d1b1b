"""The content of a schema's file, and what a schema is made of by it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.schema.columns import Column, Numeric, SchemaError
from dpsynth.schema.constraint_files import constraint_of, facts_of
from dpsynth.schema.constraints import Constraint
from dpsynth.schema.entries import (
    VERSION,
    build,
    column_of,
    facts,
    mapping,
    refuse_todo,
    refuse_unknown,
)
from dpsynth.schema.files import FileFormat

_FIELDS = ("dpsynth_schema", "unit", "file", "not_identifying", "columns", "constraints")


def content_of(
    columns: Mapping[str, Column],
    unit: PrivacyUnit,
    file: FileFormat,
    not_identifying: Sequence[str],
    constraints: Sequence[Constraint],
) -> dict[str, Any]:
    """The content of a schema's file; fields at their default are left out."""
    stated = {
        name: {"type": type(column).__name__.lower(), **facts(_unmarked(column, file))}
        for name, column in columns.items()
    }
    form = facts(file)
    declared: dict[str, Any] = {"file": form} if form else {}
    if not_identifying:
        declared["not_identifying"] = list(not_identifying)
    kept = [facts_of(constraint) for constraint in constraints]
    rules = {"constraints": kept} if kept else {}
    return {"dpsynth_schema": VERSION, "unit": facts(unit), **declared, "columns": stated, **rules}


def arguments_of(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of the schema whose file has this content; SchemaError where it is none."""
    if any(isinstance(value, Column) for value in spec.values()):
        raise SchemaError("the mapping holds columns, and a file has fields: write Schema(columns)")
    if type(spec.get("dpsynth_schema")) is not int or spec["dpsynth_schema"] != VERSION:
        raise SchemaError(
            f"dpsynth_schema must be {VERSION}, got {spec.get('dpsynth_schema')!r}: correct it,"
            " or update dpsynth"
        )
    refuse_unknown("the schema", spec, _FIELDS)
    columns = mapping("columns", spec.get("columns"))
    refuse_todo(columns)
    return {
        "unit": build("unit", PrivacyUnit, mapping("unit", spec.get("unit", {}))),
        "file": build("file", FileFormat, mapping("file", spec.get("file", {}))),
        "columns": {name: column_of(name, facts) for name, facts in columns.items()},
        "not_identifying": spec.get("not_identifying", ()),
        "constraints": _listed_rules(spec.get("constraints", [])),
    }


def digest(content: Any) -> str:
    """SHA-256 (hex) of plain data as canonical JSON."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def marked(column: Any, file: FileFormat) -> Any:
    """A column with the marks of the file's numbers, where it declares no others."""
    if not isinstance(column, Numeric):
        return column
    if column.mark == file.decimal == ".":
        column = replace(column, decimal=None)
    elif column.decimal is None:
        column = replace(column, decimal=file.decimal)
    own = column.mark != file.decimal or column.thousands is not None
    return column if own else replace(column, thousands=file.thousands)


def _unmarked(column: Column, file: FileFormat) -> Column:
    """The column without the marks that `marked` gives it again."""
    if not isinstance(column, Numeric) or column.mark != file.decimal:
        return column
    thousands = None if column.thousands == file.thousands else column.thousands
    return replace(column, decimal=None, thousands=thousands)


def _listed_rules(given: Any) -> list[Constraint]:
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence):
        raise SchemaError(
            f"constraints must be a list, got {type(given).__name__}: begin each with a dash"
        )
    return [constraint_of(place, facts) for place, facts in enumerate(given, start=1)]
