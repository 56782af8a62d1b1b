"""JSON Schema of a record, or of a list of records; also what pydantic models export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from dpsynth.schema.columns import SchemaError
from dpsynth.schema.importing.facts import ColumnFacts, Imported
from dpsynth.schema.importing.public import set_aside
from dpsynth.schema.importing.reading import (
    bounds,
    date_format,
    identifier,
    inside,
    list_of,
    mapping_of,
    number_of,
    text_of,
    whole_pattern,
)

_DATES = {"date": "D", "date-time": "s"}


def recognised(content: Any) -> bool:
    if not isinstance(content, Mapping):
        return False
    keys = ("properties", "$defs", "definitions")
    return "json-schema.org" in str(content.get("$schema")) or any(
        isinstance(content.get(key), Mapping) for key in keys
    )


def read(content: Mapping[str, Any]) -> Imported:
    record = _resolved(content, content)
    if "items" in record:
        record = _resolved(mapping_of("items", record["items"]), content)
    required, refused = list_of("required", record.get("required", [])), set()
    columns = []
    for name, facts in mapping_of("properties", record.get("properties")).items():
        kept, more = _merged(mapping_of(f"property {name!r}", facts), content)
        refused |= more
        columns.append(_column(name, kept, name in required))
    return Imported(tuple(columns), frozenset(refused))


def _resolved(
    schema: Mapping[str, Any], root: Mapping[str, Any], depth: int = 0
) -> Mapping[str, Any]:
    """A schema with what its $ref, into the same file, refers to."""
    if "$ref" not in schema:
        return schema
    target: Any = root
    for part in str(schema["$ref"]).removeprefix("#").split("/")[1:]:
        target = (
            target.get(part.replace("~1", "/").replace("~0", "~"))
            if isinstance(target, Mapping)
            else None
        )
    if not isinstance(target, Mapping) or depth > 20 or not str(schema["$ref"]).startswith("#"):
        raise SchemaError(
            f"$ref {schema['$ref']!r} does not lead to a schema in this file: put that schema in"
        )
    others = {key: value for key, value in schema.items() if key != "$ref"}
    return {**_resolved(target, root, depth + 1), **others}


def _merged(schema: Mapping[str, Any], root: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """The facts of a property, with "null" for a value that may be missing; and what is refused.

    The branches of anyOf and oneOf are one where all but null is one branch, or all are constants.
    """
    facts, refused = set_aside(_resolved(schema, root))
    branches: list[dict[str, Any]] = []
    either = facts.pop("anyOf", None) or facts.pop("oneOf", None) or []
    for each in list_of("anyOf or oneOf", either):
        inner, more = _merged(mapping_of("a branch", each), root)
        branches.append(inner)
        refused |= more
    for each in list_of("allOf", facts.pop("allOf", [])):
        inner, more = _merged(mapping_of("a branch", each), root)
        facts = {**inner, **facts}
        refused |= more
    if branches:
        facts = {**facts, **_one_of(branches)}
    return facts, refused


def _one_of(branches: list[dict[str, Any]]) -> dict[str, Any]:
    others = [each for each in branches if each.get("type") != "null"]
    null = {"null": True} if len(others) < len(branches) else {}
    if others and all("const" in each for each in others):
        return {"enum": [each["const"] for each in others], **null}
    numbers = [each for each in others if each.get("type") == "number"]
    if len(numbers) == 1 and all(each.get("type") in ("number", "string") for each in others):
        others = numbers  # pydantic's Decimal: a number, or the text that writes it
    return {**others[0], **null} if len(others) == 1 else {"several": True, **null}


def _column(name: str, facts: Mapping[str, Any], required: bool) -> ColumnFacts:
    said = facts.get("type", [])
    types = [text_of("type", each) for each in (said if isinstance(said, list) else [said])]
    listed = [facts["const"]] if "const" in facts else facts.get("enum")
    listed = None if listed is None else list_of("enum", listed)
    null = "null" in types or bool(facts.get("null")) or (listed is not None and None in listed)
    format, regex = text_of("format", facts.get("format")), text_of("pattern", facts.get("pattern"))
    if format == "uuid":
        return identifier(name)
    single = [each for each in types if each not in (None, "null")]
    kind, stated, note = _facts(single, facts, listed)
    nullable = null or not required
    follows = whole_pattern(regex)
    return ColumnFacts(name, kind, stated, nullable, format or regex, note, follows)


def _facts(
    types: list[str], facts: Mapping[str, Any], listed: Sequence[Any] | None
) -> tuple[str | None, dict[str, Any], str]:
    """The type, its facts, and a note on what cannot be declared."""
    if listed is not None:
        values = [each for each in listed if each is not None]
        if values and all(isinstance(each, bool) for each in values):
            return "boolean", {}, ""
        return "categorical", {"categories": values}, ""
    if types in (["integer"], ["number"], ["integer", "number"], ["number", "integer"]):
        return _number(types == ["integer"], facts)
    if types == ["boolean"]:
        return "boolean", {}, ""
    if types == ["string"] and facts.get("format") in _DATES:
        ends, odd = bounds("datetime", facts.get("formatMinimum"), facts.get("formatMaximum"))
        return "datetime", {**ends, **date_format(None, _DATES[facts["format"]])[0]}, odd
    if types == ["string"]:
        return "categorical", {}, ""
    if {"object", "array"} & set(types):
        return None, {}, "is nested: flatten it into columns of single values, or leave it out"
    return None, {}, "has no one type" if facts.get("several") or types else ""


def _number(whole: bool, facts: Mapping[str, Any]) -> tuple[str, dict[str, Any], str]:
    low, high = _end("inimum", 1, whole, facts), _end("aximum", -1, whole, facts)
    ends, note = bounds("numeric", low, high)
    return "numeric", {**ends, **_steps(whole, facts.get("multipleOf"))}, note


def _end(name: str, side: int, whole: bool, facts: Mapping[str, Any]) -> Any:
    """The bound on one side. name: of it without its first letter, as in exclusiveMinimum."""
    stated, excluded = facts.get(f"m{name}"), facts.get(f"exclusiveM{name}")
    if isinstance(excluded, bool):  # draft 4 says whether `minimum` itself is excluded
        return inside(stated, side, whole) if excluded else stated
    return inside(excluded, side, whole) if stated is None else stated


def _steps(whole: bool, multiple: Any) -> dict[str, Any]:
    """What multipleOf says: 1 of whole numbers, 0.01 of decimals; other steps are left out."""
    step = number_of(multiple)
    if whole or (step is not None and step == int(step)):
        return {"integer": True}
    parts = Decimal(str(step or 0)).normalize().as_tuple()
    return {"decimals": -int(parts.exponent)} if parts.digits == (1,) else {}
