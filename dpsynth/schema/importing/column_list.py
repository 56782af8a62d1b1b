"""A list of columns in JSON or YAML: for each the fields that a line of a spreadsheet has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from dpsynth.schema.importing.facts import ColumnFacts, Imported
from dpsynth.schema.importing.reading import chosen_table
from dpsynth.schema.importing.sheets import Sheet
from dpsynth.schema.importing.spreadsheet import read as read_lines
from dpsynth.schema.importing.spreadsheet import titles_of_facts


def recognised(content: Any) -> bool:
    return bool(_tables(content))


def _tables(content: Any) -> dict[str, list[Mapping[str, Any]]]:
    """The lists of columns by table; of a file with one list alone, under no name."""
    if not isinstance(content, Mapping):
        return {}
    tables = content.get("tables")
    named = tables if isinstance(tables, Mapping) else {"": content}
    lists = {
        str(name): each["columns"]
        for name, each in named.items()
        if isinstance(each, Mapping) and isinstance(each.get("columns"), list)
    }
    return {name: columns for name, columns in lists.items() if columns and _named(columns)}


def _named(columns: list[Any]) -> bool:
    return all(isinstance(each, Mapping) and "name" in titles_of_facts(each) for each in columns)


def read(content: Any, table: str | None = None) -> Imported:
    columns = chosen_table(_tables(content), table)
    told = [str(title) for each in columns for title in each]
    facts = {*titles_of_facts(told).values()}
    beside = [{title: each[title] for title in each if title not in facts} for each in columns]
    within = [title for each in beside for title in _within(each)]
    titles = tuple(dict.fromkeys((*told, *within)))
    lines = tuple({title: _said(each.get(title)) for title in titles} for each in columns)
    imported = read_lines(Sheet(titles, lines))
    label, name = (titles_of_facts(titles).get(fact) for fact in ("labels", "name"))
    listed = {_said(each.get(name)): each.get(label) for each in columns}
    kept = (_with_codes(column, listed[column.name]) for column in imported.columns)
    return replace(imported, columns=tuple(kept))


def _within(column: Mapping[str, Any]) -> Iterator[str]:
    """The keys of mappings within, such as a profile of rows, beside which ends were observed."""
    for fact in column.values():
        if isinstance(fact, Mapping):
            yield from map(str, fact)
            yield from _within(fact)


def _said(fact: Any) -> str:
    """A fact as a spreadsheet has it."""
    if fact is None:
        return ""
    return "|".join(map(str, fact)) if isinstance(fact, list | Mapping) else str(fact).strip()


def _with_codes(column: ColumnFacts, listed: Any) -> ColumnFacts:
    """The column with the codes of a list as they are: numbers stay numbers."""
    if "categories" not in column.facts or not isinstance(listed, list | Mapping):
        return column
    return replace(column, facts={**column.facts, "categories": list(listed)})
