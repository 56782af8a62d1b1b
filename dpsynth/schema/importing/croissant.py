"""Croissant metadata (JSON-LD): the fields of a record set, and values that others enumerate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dpsynth.schema.importing.facts import ColumnFacts, Imported
from dpsynth.schema.importing.public import set_aside
from dpsynth.schema.importing.reading import chosen_table, list_of, mapping_of

_WHOLE = ("integer", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_REAL = ("float", "number", "double", "float16", "float32", "float64", "decimal")
_KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    **dict.fromkeys(_WHOLE, ("numeric", {"integer": True})),
    **dict.fromkeys(_REAL, ("numeric", {"integer": False})),
    "boolean": ("boolean", {}),
    "text": ("categorical", {}),
    "string": ("categorical", {}),
    "date": ("datetime", {"resolution": "D"}),
    "datetime": ("datetime", {"resolution": "s"}),
}
_ROWS = "data"
"""The key under which a record set holds its rows."""


def recognised(content: Any) -> bool:
    return isinstance(content, Mapping) and isinstance(content.get("recordSet"), list)


def read(content: Mapping[str, Any], table: str | None = None) -> Imported:
    sets = [mapping_of("a record set", each) for each in list_of("recordSet", content["recordSet"])]
    listed = {_name(each): each for each in sets if "enumeration" in _types(each)}
    named = {_name(each): each for each in sets if _name(each) not in listed}
    chosen, refused = set_aside(chosen_table(named, table))
    if _ROWS in chosen:
        refused.add(_ROWS)
    columns = []
    for each in list_of("field", chosen.get("field")):
        facts, more = set_aside(mapping_of("a field", each))
        refused |= more
        columns.append(_column(facts, listed))
    return Imported(tuple(columns), frozenset(refused))


def _column(field: Mapping[str, Any], listed: Mapping[str, Any]) -> ColumnFacts:
    name = _column_name(field)
    if field.get("repeated") or field.get("isArray") or field.get("subField"):
        return ColumnFacts(name, note="is nested: flatten it into single values, or leave it out")
    values = _enumerated(field, listed)
    if values is not None:
        return ColumnFacts(name, "categorical", {"categories": values})
    types = _types(field)
    kind = next((each for each in types if each in _KINDS), None)
    if kind is None:
        return ColumnFacts(name, note=f"the type {types} has no counterpart: choose one")
    return ColumnFacts(name, *_KINDS[kind])


def _enumerated(field: Mapping[str, Any], listed: Mapping[str, Any]) -> list[Any] | None:
    """The values of the enumeration that a field refers to; None where it refers to none."""
    reference = field.get("references")
    target = reference.get("field") if isinstance(reference, Mapping) else None
    key = target.get("@id") if isinstance(target, Mapping) else target
    owner = listed.get(str(key).rpartition("/")[0])
    if owner is None:
        return None
    records = [mapping_of("a record", each) for each in list_of(_ROWS, owner.get(_ROWS, []))]
    short = str(key).rpartition("/")[2]
    return [each.get(str(key), each.get(short)) for each in records] or None


def _column_name(field: Mapping[str, Any]) -> str:
    """The column of the file that a field is taken from, or the field's own name."""
    source = field.get("source")
    extract = source.get("extract") if isinstance(source, Mapping) else None
    column = extract.get("column") if isinstance(extract, Mapping) else None
    return column if isinstance(column, str) else _name(field).rpartition("/")[2]


def _name(of: Mapping[str, Any]) -> str:
    return str(of.get("name") or of.get("@id") or "")


def _types(of: Mapping[str, Any]) -> list[str]:
    """The types in lower case, without the vocabulary: "sc:Integer" is "integer"."""
    said = of.get("dataType", [])
    each = said if isinstance(said, list) else [said]
    return [str(one).rpartition(":")[2].rpartition("/")[2].lower() for one in each]
