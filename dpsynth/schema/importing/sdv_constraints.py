"""Constraints of SDV, as those of a schema: all but the combinations, which SDV reads from rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dpsynth.schema.columns import SchemaError
from dpsynth.schema.entries import TODO
from dpsynth.schema.importing.facts import joined

_RELATIONS = (">", ">=", "<", "<=")

_KEYS = ("identifier", "numeric", None)
"""Kinds of columns whose values can be unique; None is one that a person still has to choose."""


@dataclass
class Rules:
    """What SDV's constraints become: entries of a schema's file, bounds of columns, and notes.

    names: of the columns of each entry.
    """

    entries: list[dict[str, Any]] = field(default_factory=list)
    names: list[list[str]] = field(default_factory=list)
    bounds: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def add(self, names: Sequence[str], **entry: Any) -> None:
        """An entry, which is about these columns."""
        self.entries.append(entry)
        self.names.append(list(names))

    def kept(self, kinds: Mapping[str, str | None]) -> list[dict[str, Any]]:
        """The entries that columns of these kinds bear; notes say what is left out."""
        found = []
        for names, entry in zip(self.names, self.entries, strict=True):
            strange = [name for name in names if name not in kinds]
            left = f"the constraint {entry['type']} is left out: "
            if strange:
                told = [name for name in names if name in kinds] or [*kinds][:1]
                why = f"it names {strange[0]!r}, which the table lacks"
            elif entry["type"] == "unique" and kinds[names[0]] not in _KEYS:
                told, why = names, "only identifiers and numbers in steps can be unique"
            else:
                found.append(entry)
                continue
            for name in told:
                self.notes[name] = joined([self.notes.get(name, ""), left + why])
        return found

    def bound(self, name: str, **ends: float | None) -> None:
        """A low or a high of a column; None is no bound."""
        known = {end: value for end, value in ends.items() if value is not None}
        self.bounds.setdefault(name, {}).update(known)

    def within(self, name: str, strict: bool, **ends: Any) -> None:
        """Bounds of a column, which its values do not reach if `strict`: an implication says so."""
        self.bound(name, **ends)
        if strict:
            quoted = "`" + name.replace("`", "``") + "`"
            ops = {"low": ">", "high": "<"}
            kept = " and ".join(f"{quoted} {ops[end]} {value!r}" for end, value in ends.items())
            when = f"{quoted} is not None"
            self.add([name], type="implies", when=when, then=kept)


def rules_of(listed: Any) -> Rules:
    """What a list of SDV's constraints says; SchemaError for something that is no list of them."""
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        raise SchemaError(
            f"constraints must be a list, got {type(listed).__name__}: save what SDV's"
            " get_constraints() gives"
        )
    rules = Rules()
    for place, each in enumerate(listed, start=1):
        if not isinstance(each, Mapping):
            raise SchemaError(f"constraint {place} must be a mapping: leave it out")
        name, facts = _named(each)
        try:
            _add(rules, name, facts)
        except KeyError as error:
            raise SchemaError(
                f"constraint {place}, {name}, lacks {error.args[0]!r}: add it, or leave it out"
            ) from None
    return rules


def _named(each: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The name of a constraint and its parameters, in either form that SDV has written."""
    said = str(each.get("constraint_class", each.get("constraint", "")))
    given = each.get("constraint_parameters", each.get("parameters"))
    facts = given if isinstance(given, Mapping) else each
    return said.rpartition(".")[2], facts


def _add(rules: Rules, name: str, facts: Mapping[str, Any]) -> None:
    match name:
        case "FixedCombinations" | "UniqueCombinations":
            columns = list(facts["column_names"])
            rules.add(columns, type="fixed_combinations", columns=columns, public=TODO)
        case "Inequality":
            op = "<" if facts.get("strict_boundaries") else "<="
            left, right = facts["low_column_name"], facts["high_column_name"]
            rules.add([left, right], type="order", left=left, op=op, right=right)
        case "Range":
            ends = (facts[f"{which}_column_name"] for which in ("low", "middle", "high"))
            entry = dict(zip(("low", "column", "high"), ends, strict=True))
            strict = {"strict": True} if facts.get("strict_boundaries", True) else {}
            rules.add([*entry.values()], type="range", **entry, **strict)
        case "FixedIncrements":
            step = facts["increment_value"]
            column = facts["column_name"]
            rules.add([column], type="fixed_increments", column=column, step=step)
        case "OneHotEncoding":
            columns = list(facts["column_names"])
            rules.add(columns, type="one_hot", columns=columns)
            for each in columns:
                rules.bound(each, low=0, high=1)
        case "Unique" if len(facts["column_names"]) == 1:
            rules.add(facts["column_names"], type="unique", column=facts["column_names"][0])
        case _:
            _add_bounds(rules, name, facts)


def _add_bounds(rules: Rules, name: str, facts: Mapping[str, Any]) -> None:
    """Constraints of one column, which are its bounds; others are told of."""
    match name:
        case "ScalarRange":
            low, high = facts["low_value"], facts["high_value"]
            strict = facts.get("strict_boundaries", True)
            rules.within(facts["column_name"], strict, low=low, high=high)
        case "ScalarInequality" if facts["relation"] in _RELATIONS:
            end = "low" if facts["relation"] in (">", ">=") else "high"
            strict = facts["relation"] in (">", "<")
            rules.within(facts["column_name"], strict, **{end: facts["value"]})
        case "Positive":
            rules.within(facts["column_name"], facts.get("strict_boundaries", False), low=0)
        case "Negative":
            rules.within(facts["column_name"], facts.get("strict_boundaries", False), high=0)
        case _:
            columns = facts.get("column_names") or [facts.get("column_name", "a constraint")]
            what = f"the constraint {name or 'without a name'}"
            note = f"{what} has no counterpart: see Implies, Derived"
            rules.notes.update({str(column): note for column in columns})
