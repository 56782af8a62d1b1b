"""Metadata of SDV (JSON): the sdtypes of one table or of several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dpsynth.schema.importing.facts import ColumnFacts, Imported, joined
from dpsynth.schema.importing.public import set_aside
from dpsynth.schema.importing.reading import (
    chosen_table,
    date_format,
    identifier,
    mapping_of,
    text_of,
)
from dpsynth.schema.importing.sdv_constraints import Rules, rules_of

_PATTERNS = {"email": "email", "phone_number": "phone", "ssn": "ssn", "ipv4_address": "ipv4"}


def recognised(content: Any) -> bool:
    if not isinstance(content, Mapping):
        return False
    return "METADATA_SPEC_VERSION" in content or any(
        isinstance(column, Mapping) and "sdtype" in column
        for table in _tables(content).values()
        for column in _columns(table).values()
    )


def read(content: Mapping[str, Any], table: str | None = None) -> Imported:
    chosen = mapping_of("a table", chosen_table(_tables(content), table))
    refused: set[str] = set()
    columns = []
    for name, given in mapping_of("columns", chosen.get("columns")).items():
        facts, more = set_aside(mapping_of(f"column {name!r}", given))
        refused |= more
        columns.append(_column(name, facts, name == chosen.get("primary_key")))
    rules = rules_of(chosen.get("constraints", content.get("constraints", [])))
    kept = rules.kept({column.name: column.kind for column in columns})
    told = tuple(_with_rules(column, rules) for column in columns)
    return Imported(told, frozenset(refused), constraints=tuple(kept))


def _with_rules(column: ColumnFacts, rules: Rules) -> ColumnFacts:
    """The column with the bounds that constraints state, and what they say besides."""
    bounds = rules.bounds.get(column.name, {}) if column.kind in ("numeric", "datetime") else {}
    note = joined([column.note, rules.notes.get(column.name, "")])
    return replace(column, facts={**column.facts, **bounds}, note=note)


def _tables(content: Mapping[str, Any]) -> Mapping[str, Any]:
    tables = content.get("tables")
    return tables if isinstance(tables, Mapping) else {"table": content}


def _columns(table: Any) -> Mapping[str, Any]:
    columns = table.get("columns") if isinstance(table, Mapping) else None
    return columns if isinstance(columns, Mapping) else {}


def _column(name: str, facts: Mapping[str, Any], key: bool) -> ColumnFacts:
    said = facts.get("sdtype")
    if said == "id" or key or facts.get("pii") is True:
        return identifier(name, text_of("regex_format", facts.get("regex_format")))
    if said == "numerical":
        number = str(facts.get("computer_representation", ""))
        whole = True if "Int" in number else False if number == "Float" else None
        return ColumnFacts(name, "numeric", {"integer": whole})
    if said == "categorical":
        order = facts.get("order")
        return ColumnFacts(
            name, "categorical", {"categories": order, "ordered": bool(order) or None}
        )
    if said == "boolean":
        return ColumnFacts(name, "boolean")
    if said == "datetime":
        stated, note = date_format(text_of("datetime_format", facts.get("datetime_format")))
        return ColumnFacts(name, "datetime", stated, note=note)
    note = f"the sdtype {said!r} has no counterpart: declare identifier, categorical or text"
    return ColumnFacts(name, pattern=_PATTERNS.get(str(said)), note=note)
