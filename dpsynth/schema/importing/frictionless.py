"""Frictionless Table Schema (JSON or YAML), by itself or in a data package or resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dpsynth.schema.importing.facts import ColumnFacts, Imported, joined
from dpsynth.schema.importing.public import set_aside
from dpsynth.schema.importing.reading import (
    bounds,
    chosen_table,
    date_format,
    identifier,
    inside,
    list_of,
    mapping_of,
    text_of,
    whole_pattern,
)

DECLARED = ("unique",)
"""Constraints of Table Schema that another form would use for what was counted."""

_DATES = {"date": "D", "datetime": "s"}
_OTHER = ("any", "array", "duration", "geojson", "geopoint", "list", "object", "time", "yearmonth")


def recognised(content: Any) -> bool:
    if not isinstance(content, Mapping):
        return False
    inner = content.get("schema")
    within = isinstance(inner, Mapping) and isinstance(inner.get("fields"), list)
    return within or any(isinstance(content.get(key), list) for key in ("fields", "resources"))


def read(content: Mapping[str, Any], table: str | None = None) -> Imported:
    refused: set[str] = set()
    if "resources" in content:
        resources = [
            mapping_of("a resource", each) for each in list_of("resources", content["resources"])
        ]
        named = {str(each.get("name", number)): each for number, each in enumerate(resources)}
        content = chosen_table(named, table)
    if "fields" not in content:
        content, refused = set_aside(content)
        content = mapping_of("schema", content.get("schema"))
    content, more = set_aside(content)
    refused |= more
    columns = []
    for each in list_of("fields", content.get("fields")):
        facts, more = set_aside(mapping_of("a field", each))
        limits, others = set_aside(
            mapping_of("constraints", facts.get("constraints", {})), DECLARED, each
        )
        refused |= more | others
        columns.append(_column({**facts, "constraints": limits}, content))
    return Imported(tuple(columns), frozenset(refused))


def _column(field: Mapping[str, Any], schema: Mapping[str, Any]) -> ColumnFacts:
    name, said = str(field.get("name", "")), str(field.get("type", "any"))
    limits = field["constraints"]
    format, regex = (
        text_of("format", field.get("format")),
        text_of("pattern", limits.get("pattern")),
    )
    format = None if format in ("default", "any") else format
    pattern = regex or (format if said == "string" else None)
    if [name] == _listed(schema.get("primaryKey")):
        return identifier(name, regex)
    nullable = not limits.get("required", False)
    if references := _reference(name, schema):
        note = f"refers to {references}: declare identifier where it names people, else its codes"
        return ColumnFacts(name, nullable=nullable, pattern=pattern, note=note)
    kind, facts, note = _facts(said, field, limits, format)
    marker, more = _marker(field.get("missingValues", schema.get("missingValues", [""])))
    if kind in ("boolean", "categorical", "numeric") and marker not in (
        facts.get("categories") or ()
    ):
        facts["missing_marker"] = marker
    follows = whole_pattern(regex, part=False)
    return ColumnFacts(name, kind, facts, nullable, pattern, joined([note, more]), follows)


def _listed(key: Any) -> list[str]:
    """A key of one column, or of several."""
    return [key] if isinstance(key, str) else [str(each) for each in list_of("a key", key or [])]


def _reference(name: str, schema: Mapping[str, Any]) -> str | None:
    """The resource that a column refers to by a foreign key of its own."""
    for key in list_of("foreignKeys", schema.get("foreignKeys", [])):
        if _listed(mapping_of("a foreign key", key).get("fields")) == [name]:
            reference = mapping_of("reference", key.get("reference"))
            return repr(reference.get("resource") or "its own table")
    return None


def _facts(
    said: str, field: Mapping[str, Any], limits: Mapping[str, Any], format: str | None
) -> tuple[str | None, dict[str, Any], str]:
    """The type, its facts, and a note on what cannot be declared."""
    listed = list_of("enum", limits.get("enum") or field.get("categories") or [])
    if said == "boolean":
        true, false = field.get("trueValues"), field.get("falseValues")
        return "boolean", {"true": true, "false": false} if true and false else {}, ""
    if listed and said not in _DATES:
        values = [each.get("value") if isinstance(each, Mapping) else each for each in listed]
        ordered = field.get("categoriesOrdered") or None
        return "categorical", {"categories": values, "ordered": ordered}, ""
    if said in ("integer", "number", "year"):
        return _number(said, field, limits)
    if said in _DATES:
        ends, odd = bounds("datetime", limits.get("minimum"), limits.get("maximum"))
        facts, note = date_format(format, _DATES[said])
        return "datetime", {**ends, **facts}, joined([odd, note])
    if said == "string":
        return "categorical", {}, ""
    known = "" if said in _OTHER else " is not known"
    note = f"the type {said!r}{known or ' has no counterpart'}: choose one, or leave it out"
    return None, {}, note


def _number(
    said: str, field: Mapping[str, Any], limits: Mapping[str, Any]
) -> tuple[str, dict[str, Any], str]:
    whole = said != "number"
    low, high = limits.get("minimum"), limits.get("maximum")
    low = inside(limits.get("exclusiveMinimum"), 1, whole) if low is None else low
    high = inside(limits.get("exclusiveMaximum"), -1, whole) if high is None else high
    ends, note = bounds("numeric", low, high)
    facts = {
        **ends,
        "integer": True if whole else None,
        "thousands": field.get("groupChar") or None,
    }
    facts["decimal"] = field.get("decimalChar") or None
    return "numeric", facts, note


def _marker(values: Any) -> tuple[str | None, str]:
    """The one marker that a column can have, and a note on further ones."""
    listed = list_of("missingValues", values)
    texts = [each.get("value") if isinstance(each, Mapping) else each for each in listed]
    first, *others = [text for text in texts if text] or [None]
    note = f"further markers of missing values, {others}, are not declared" if others else ""
    return first, note
