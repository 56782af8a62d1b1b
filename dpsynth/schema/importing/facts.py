"""What a data dictionary says of a table: a list of column facts, and the schema that follows.

Every reader of a form gives an `Imported`. A fact that the source lacks is a "TODO" in the schema.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dpsynth.schema.columns import SchemaError
from dpsynth.schema.drafts import SchemaDraft
from dpsynth.schema.entries import TODO, VERSION, check_name, column_of
from dpsynth.schema.identifying import direct_identifier

NEEDED: dict[str, tuple[str, ...]] = {
    "numeric": ("low", "high", "integer"),
    "datetime": ("low", "high"),
    "categorical": ("categories",),
}
"""The facts that a schema states of a column of each type: a TODO where the source lacks them."""

SAY_NULLABLE = ("boolean", "categorical", "datetime", "numeric")
"""The types that say whether values may be missing."""


@dataclass(frozen=True)
class ColumnFacts:
    """What a source says of one column, in the words of a schema's file.

    kind: the name of a column type; None where the source does not tell. facts: fields of that
    type; None stands for a fact that the source lacks. pattern: a declared format or regular
    expression. note: what a person should know besides. follows: a regular expression, as Python
    writes them, that all texts follow.
    """

    name: str
    kind: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    nullable: bool = True
    pattern: str | None = None
    note: str = ""
    follows: str | None = None

    def entry(self) -> dict[str, Any]:
        """The column in a schema's file; SchemaError where the facts contradict each other."""
        if self.kind is None:
            return {"type": TODO}
        stated = {name: fact for name, fact in self.facts.items() if fact is not None}
        needed = (name for name in NEEDED.get(self.kind, ()) if not _settled(name, stated))
        first = {name: stated.get(name, TODO) for name in needed}
        entry = {"type": self.kind, **first, **stated}
        if self.nullable and self.kind in SAY_NULLABLE:
            entry["nullable"] = True
        elif "missing_marker" in entry:
            del entry["missing_marker"]
        if self.kind == "categorical" and entry["categories"] == TODO:
            return entry
        column_of(self.name, {**entry, **self._tried(entry)})
        return entry

    def _tried(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """What stands for each TODO while the other facts are checked."""
        open_ = [name for name, fact in entry.items() if fact == TODO]
        if self.kind != "datetime":
            return {name: False if name == "integer" else None for name in open_}
        known = [entry[name] for name in ("low", "high") if name not in open_]
        return dict.fromkeys(open_, known[0] if known else "2000-01-01")


def _settled(name: str, stated: Mapping[str, Any]) -> bool:
    """Whether a fact follows from another one."""
    return name == "integer" and bool({"decimals", "step"} & set(stated))


@dataclass(frozen=True)
class Imported:
    """What a source says of a table.

    refused: keys and titles whose values are of rows, and were not taken. unit: the fields of the
    privacy unit, where the source states one. constraints: entries of a schema's file. labelled:
    columns whose categories were not taken, since their labels may have been made from the rows.
    """

    columns: tuple[ColumnFacts, ...]
    refused: frozenset[str] = frozenset()
    unit: Mapping[str, Any] = field(default_factory=dict)
    constraints: tuple[Mapping[str, Any], ...] = ()
    labelled: tuple[str, ...] = ()

    def draft(self) -> SchemaDraft:
        """The schema, with "TODO" for each fact that is lacking."""
        if not self.columns:
            raise SchemaError("the source describes no column: give one that describes a table")
        times = Counter(column.name for column in self.columns)
        if twice := [name for name, count in times.items() if count > 1]:
            raise SchemaError(f"the source describes columns twice, {twice[:10]}: keep one of each")
        for name in times:
            check_name(name)
        columns = {column.name: column.entry() for column in self.columns}
        spec = {"dpsynth_schema": VERSION, "unit": dict(self.unit), "columns": columns}
        rules = [dict(each) for each in (*self.constraints, *self._patterns())]
        return SchemaDraft({**spec, **({"constraints": rules} if rules else {})})

    def _patterns(self) -> Iterator[Mapping[str, Any]]:
        """The constraints of texts whose categories the source does not list."""
        for each in self.columns:
            if each.follows and each.kind == "categorical" and not each.facts.get("categories"):
                yield {"type": "pattern", "column": each.name, "pattern": each.follows}

    def direct_identifiers(self) -> dict[str, str]:
        """Columns to be modelled that look like direct identifiers, and why."""
        modelled = (column for column in self.columns if column.kind != "identifier")
        reasons = {each.name: direct_identifier(each.name, each.pattern) for each in modelled}
        return {name: why for name, why in reasons.items() if why is not None}

    def notes(self) -> dict[str, str]:
        """What a person should know of single columns."""
        return {column.name: column.note for column in self.columns if column.note}


def joined(notes: Iterable[str]) -> str:
    """Several notes in one line."""
    return "; ".join(note for note in notes if note)
