"""Metadata of smartnoise-sql (YAML): database, schema, table, columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dpsynth.schema.importing.facts import ColumnFacts, Imported
from dpsynth.schema.importing.public import set_aside
from dpsynth.schema.importing.reading import bounds, by_name, chosen_table, identifier, text_of

_TYPES = ("boolean", "datetime", "float", "int", "string")


def recognised(content: Any) -> bool:
    if not isinstance(content, Mapping):
        return False
    columns = (
        column
        for table in _tables(content).values()
        for column in table.values()
        if isinstance(column, Mapping)
    )
    return any(column.get("type") in _TYPES for column in columns)


def _tables(content: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return by_name(
        (str(schema), str(name), table)
        for database in content.values()
        for schema, tables in _mappings(database)
        for name, table in _mappings(tables)
    )


def _mappings(of: Any) -> list[tuple[str, Any]]:
    """What a mapping holds that are mappings themselves, by their names."""
    inner = of.items() if isinstance(of, Mapping) else ()
    return [(name, each) for name, each in inner if isinstance(each, Mapping)]


def read(content: Mapping[str, Any], table: str | None = None) -> Imported:
    whole = chosen_table(_tables(content), table)
    described = dict(_mappings(whole))
    chosen, refused = set_aside(whole, described)
    columns, unit = [], {}
    for name, given in described.items():
        facts, more = set_aside(given)
        refused |= more
        if facts.get("private_id") is True:
            unit = {"id_column": name, "max_records": chosen.get("max_ids", 1)}
        columns.append(_column(name, facts))
    return Imported(tuple(columns), frozenset(refused), unit)


def _column(name: str, facts: Mapping[str, Any]) -> ColumnFacts:
    said = text_of("type", facts.get("type"))
    if facts.get("private_id") is True:
        return identifier(name)
    nullable = facts.get("nullable") is not False
    if said in ("int", "float"):
        ends, note = bounds("numeric", facts.get("lower"), facts.get("upper"))
        missing = facts.get("missing_value")
        stated = {**ends, "integer": said == "int", "missing_marker": missing}
        return ColumnFacts(name, "numeric", stated, nullable, note=note)
    kinds = {"string": "categorical", "boolean": "boolean", "datetime": "datetime"}
    note = "" if said in kinds else f"the type {said!r} is not known"
    facts = {"resolution": "s"} if said == "datetime" else {}
    return ColumnFacts(name, kinds.get(str(said)), facts, nullable, note=note)
