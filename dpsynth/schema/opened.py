"""Constraints about columns whose categories a fit finds, once it has found some.

A value that was not found counts as its parent, where the column has levels and that was found, and
else as OTHER. So do the values that a rule lists. A rule says the same whatever is found: a row of
public categories and OTHER that keeps it keeps it with more categories, too.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from dpsynth.schema.columns import Categorical, Column, OpenCategorical
from dpsynth.schema.constraint_facts import Key
from dpsynth.schema.constraints import Constraint, Derived, FixedCombinations
from dpsynth.schema.open_categorical import OTHER, text_of

Open = Mapping[str, OpenCategorical]


def open_columns(columns: Mapping[str, Column]) -> dict[str, OpenCategorical]:
    """Those of the columns whose categories a fit finds."""
    return {name: each for name, each in columns.items() if isinstance(each, OpenCategorical)}


def listed_values(
    rules: Sequence[Constraint], columns: Mapping[str, Column]
) -> dict[str, tuple[str, ...]]:
    """For each open column the values that tables list and that are not public."""
    open_ = open_columns(columns)
    found: dict[str, dict[str, None]] = {name: {} for name in open_}
    for rule in rules:
        for name, place in _places(rule, open_).items():
            values = (row[place] for row in rule.keys)  # type: ignore[union-attr]
            found[name] |= dict.fromkeys(text_of(each) for each in values if each is not None)
    known = {name: {*column.public, OTHER} for name, column in open_.items()}
    return {name: tuple(t for t in texts if t not in known[name]) for name, texts in found.items()}


def settled_rules(
    rules: Sequence[Constraint], columns: Mapping[str, Column], found: Mapping[str, Column]
) -> list[Constraint]:
    """The rules about the categories that were found. found: what the columns became."""
    return [_settled(rule, open_columns(columns), found) for rule in rules]


def _places(rule: Constraint, columns: Open) -> dict[str, int]:
    """At what place of a table's rows each open column stands."""
    if not isinstance(rule, FixedCombinations | Derived) or not hasattr(rule.keys, "__len__"):
        return {}
    names = rule.columns if isinstance(rule, FixedCombinations) else rule.parts
    return {name: place for place, name in enumerate(names) if name in columns}


def _settled(rule: Constraint, columns: Open, found: Mapping[str, Column]) -> Constraint:
    places = _places(rule, columns)
    if not places:
        return rule
    categories = {
        name: {*map(str, column.categories)}
        for name, column in found.items()
        if name in places and isinstance(column, Categorical)
    }

    def ways(row: Key) -> list[Sequence[Any]]:
        """For each value what it may have become."""
        became: list[Sequence[Any]] = [[value] for value in row]
        for name, place in places.items():
            became[place] = _became(columns[name], categories[name], row[place])
        return became

    if isinstance(rule, FixedCombinations):
        rows = dict.fromkeys(key for row in rule.keys for key in product(*ways(row)))
        return replace(rule, public=[*rows], together=False)
    assert isinstance(rule, Derived)
    return replace(rule, table=[[*key, value] for key, value in _looked_up(rule, ways, places)])


def _became(column: OpenCategorical, categories: Container[str], value: Any) -> Sequence[Any]:
    if value is None:
        return [None]
    text = text_of(value)
    if text in (*column.public, OTHER):
        return [text]
    parents = [text[:length] for length in reversed(column.levels) if length < len(text)]
    return [each for each in (text, *parents, OTHER) if each in categories]


def _looked_up(rule: Derived, ways: Any, places: Mapping[str, int]) -> list[tuple[Key, Any]]:
    """The rows of a table whose values were found; a parent has what all of its codes have."""
    exact: dict[Key, Any] = {}
    shared: dict[Key, set[Any]] = {}
    for *given, value in rule.keys:
        named = list(given)
        for place in places.values():
            named[place] = None if named[place] is None else text_of(named[place])
        for key in product(*ways(tuple(given))):
            became = [key[place] for place in places.values() if key[place] != named[place]]
            if not became:
                exact[key] = value
            elif OTHER not in became:
                shared.setdefault(key, set()).add(value)
    agreed = {key: values.pop() for key, values in shared.items() if len(values) == 1}
    rows = [*exact.items(), *((key, v) for key, v in agreed.items() if key not in exact)]
    if rows:
        return rows
    nothing = list(rule.keys[0][:-1])  # none of the values was found: no row has a result
    for place in places.values():
        nothing[place] = OTHER
    return [(tuple(nothing), None)]
