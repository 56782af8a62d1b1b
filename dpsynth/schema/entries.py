"""Entries of a schema file, and the records that they state: columns, units, forms, rules."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import MISSING, fields
from typing import Any

from dpsynth.base.text import some
from dpsynth.schema.columns import COLUMN_TYPES, Column, SchemaError

VERSION = 1
"""Of the file's format. A file of another version is refused."""

TODO = "TODO"
"""What stands in a draft for a fact that a person has to write."""


def facts(record: Any) -> dict[str, Any]:
    """Fields that differ from their default, as plain data."""
    stated = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if field.default is MISSING or value != field.default:
            stated[field.name] = _plain(value)
    return stated


def _plain(value: Any) -> Any:
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def column_of(name: str, facts: Any) -> Column:
    """The column that a file states under this name."""
    facts = dict(mapping(f"column {name!r}", facts))
    kind = facts.pop("type", None)
    if not isinstance(kind, Hashable) or kind not in COLUMN_TYPES:
        raise SchemaError(f"column {name!r} has type {kind!r}: use one of {listed(COLUMN_TYPES)}")
    column: Column = build(f"column {name!r}", COLUMN_TYPES[kind], facts)
    return column


def build(what: str, kind: type[Any], facts: Mapping[str, Any]) -> Any:
    """The object of these facts; SchemaError, beginning with `what`, where they are not valid."""
    refuse_unknown(what, facts, [field.name for field in fields(kind)])
    needed = [field.name for field in fields(kind) if field.default is MISSING]
    if absent := [name for name in needed if name not in facts]:
        raise SchemaError(f"{what} lacks {listed(absent)}: add what is missing")
    try:
        return kind(**facts)
    except ValueError as error:
        raise SchemaError(f"{what}: {error}") from None


def mapping(what: str, value: Any) -> Mapping[str, Any]:
    """The value, where it is a mapping; else SchemaError, beginning with `what`."""
    if not isinstance(value, Mapping):
        raise SchemaError(
            f"{what} must be a mapping, got {type(value).__name__}: write `name: value` lines"
        )
    return value


def refuse_unknown(what: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
    """SchemaError, beginning with `what`, where a field is none of those that are known."""
    known = tuple(known)
    if unknown := [key for key in given if key not in known]:
        raise SchemaError(f"{what} has unknown fields {listed(unknown)}: use only {listed(known)}")


def refuse_todo(columns: Mapping[str, Any]) -> None:
    """SchemaError where a column lacks a fact that a person has to write."""
    mappings = {name: facts for name, facts in columns.items() if isinstance(facts, Mapping)}
    todo = {name: [k for k, v in facts.items() if v == TODO] for name, facts in mappings.items()}
    if open_ := [f"{name!r} ({', '.join(keys)})" for name, keys in todo.items() if keys]:
        raise SchemaError(
            f"{len(open_)} of {len(columns)} columns still have a TODO, {some(open_, 3)}: write a"
            " public fact in the place of each, as docs/schema.md shows for every type"
        )


def check_name(name: object) -> None:
    """SchemaError for what no column can be called."""
    if not isinstance(name, str) or not name:
        raise SchemaError(f"a column name must be text, got {name!r}: put it in quotes")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise SchemaError(
            f"a column name is not valid Unicode, {name!a}: rename the column"
        ) from None


def listed(names: Iterable[object]) -> str:
    """The names in one line."""
    return ", ".join(repr(name) for name in names)
