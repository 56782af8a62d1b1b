"""A domain of google/dpsynth (YAML): for each column the attributes of its class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dpsynth.schema.importing.facts import ColumnFacts, Imported
from dpsynth.schema.importing.public import set_aside
from dpsynth.schema.importing.reading import bounds, list_of, mapping_of

_MARKS = {
    "possible_values": "CategoricalAttribute",
    "min_value": "NumericalAttribute",
    "max_tokens": "FreeFormTextAttribute",
    "default_value": "OpenSetCategoricalAttribute",
}
"""The field by which an attribute is known where its type is not stated."""


def recognised(content: Any) -> bool:
    return isinstance(content, Mapping) and any(
        isinstance(each, Mapping) and _kind(each) in _MARKS.values() for each in content.values()
    )


def read(content: Mapping[str, Any]) -> Imported:
    columns, refused = [], set()
    for name, given in content.items():
        facts, more = set_aside(mapping_of(f"column {name!r}", given))
        refused |= more
        columns.append(_column(name, facts))
    return Imported(tuple(columns), frozenset(refused))


def _kind(facts: Mapping[str, Any]) -> str | None:
    marks = (kind for mark, kind in _MARKS.items() if mark in facts)
    return facts["type"] if isinstance(facts.get("type"), str) else next(marks, None)


def _column(name: str, facts: Mapping[str, Any]) -> ColumnFacts:
    kind = _kind(facts)
    if kind == "CategoricalAttribute":
        return _categorical(name, list_of("possible_values", facts.get("possible_values")), facts)
    if kind == "NumericalAttribute":
        ends, note = bounds("numeric", facts.get("min_value"), facts.get("max_value"))
        stated = {**ends, "integer": facts.get("dtype", "float") == "int"}
        return ColumnFacts(name, "numeric", stated, facts.get("clip_to_range") is False, note=note)
    if kind == "FreeFormTextAttribute":
        return ColumnFacts(name, "text")
    if kind == "OpenSetCategoricalAttribute":
        listed = ", ".join(
            map(repr, list_of("public_possible_values", facts.get("public_possible_values") or []))
        )
        note = f"an open set, of which these are public: {listed}" if listed else ""
        return ColumnFacts(name, "categorical", note=note)
    return ColumnFacts(name, note=f"the attribute {kind!r} is not known")


def _categorical(name: str, values: Any, facts: Mapping[str, Any]) -> ColumnFacts:
    """A value that is not listed becomes the one at out_of_domain_index, as there."""
    if values and all(isinstance(each, bool) for each in values):
        return ColumnFacts(name, "boolean", nullable=False)
    index = facts.get("out_of_domain_index", 0)
    other = values[index] if type(index) is int and 0 <= index < len(values) else None
    return ColumnFacts(name, "categorical", {"categories": values, "other": other}, nullable=False)
