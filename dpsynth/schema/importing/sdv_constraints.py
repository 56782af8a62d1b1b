"""Constraints of SDV, as those of a schema: all but the combinations, which SDV reads from rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dpsynth.schema.columns import SchemaError
from dpsynth.schema.entries import TODO

_RELATIONS = (">", ">=", "<", "<=")


@dataclass
class Rules:
    """What SDV's constraints become: entries of a schema's file, bounds of columns, and notes."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    bounds: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

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
            self.entries.append({"type": "implies", "when": when, "then": kept})


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
            rules.entries.append({"type": "fixed_combinations", "columns": columns, "public": TODO})
        case "Inequality":
            op = "<" if facts.get("strict_boundaries") else "<="
            left, right = facts["low_column_name"], facts["high_column_name"]
            rules.entries.append({"type": "order", "left": left, "op": op, "right": right})
        case "Range":
            ends = (facts[f"{which}_column_name"] for which in ("low", "middle", "high"))
            entry = dict(zip(("low", "column", "high"), ends, strict=True))
            strict = {"strict": True} if facts.get("strict_boundaries", True) else {}
            rules.entries.append({"type": "range", **entry, **strict})
        case "FixedIncrements":
            step = facts["increment_value"]
            rules.entries.append(
                {"type": "fixed_increments", "column": facts["column_name"], "step": step}
            )
        case "OneHotEncoding":
            rules.entries.append({"type": "one_hot", "columns": list(facts["column_names"])})
            for each in facts["column_names"]:
                rules.bound(each, low=0, high=1)
        case "Unique" if len(facts["column_names"]) == 1:
            rules.entries += [{"type": "unique", "column": each} for each in facts["column_names"]]
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
