"""The analyses that a comparison makes on both tables, as a YAML or JSON file lists them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpsynth.base.mappings import read_mapping
from dpsynth.base.text import likely
from dpsynth.schema.columns import Boolean, Categorical, Column, Numeric
from dpsynth.schema.table import Schema

MOST_GROUPS = 20
"""Categories of a column that splits an analysis, or is a side of a table."""

KEYS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "linear": (("outcome", "predictors"), ()),
    "logistic": (("outcome", "predictors"), ()),
    "cox": (("time", "event", "predictors"), ()),
    "mean": (("column",), ("by",)),
    "quantile": (("column", "at"), ("by",)),
    "table": (("columns",), ()),
    "correlation": (("columns",), ()),
    "survival": (("time", "event"), ("by",)),
}
"""For each kind the keys that it needs, and those that it may have."""


@dataclass(frozen=True)
class Analysis:
    """One analysis. kind: one of KEYS. Its other fields are names of columns; `at` is a share."""

    kind: str
    outcome: str = ""
    predictors: tuple[str, ...] = ()
    time: str = ""
    event: str = ""
    column: str = ""
    columns: tuple[str, ...] = ()
    at: float = 0.5
    by: str = ""

    @property
    def name(self) -> str:
        """What it is, in words."""
        split = f" by {self.by}" if self.by else ""
        match self.kind:
            case "linear" | "logistic":
                return f"{self.kind} regression of {self.outcome} on {', '.join(self.predictors)}"
            case "cox":
                of = f"{self.event} in {self.time}"
                return f"Cox regression of {of} on {', '.join(self.predictors)}"
            case "mean":
                return f"mean of {self.column}{split}"
            case "quantile":
                return f"{self.at:g} quantile of {self.column}{split}"
            case "survival":
                return f"survival curve of {self.event} in {self.time}{split}"
        return f"{self.kind} of {', '.join(self.columns)}"


def read_analyses(path: str | Path) -> tuple[Analysis, ...]:
    """The analyses in a file `analyses: [...]`; ValueError, in one sentence, for any slip."""
    try:
        stated = read_mapping(path)
        if [*stated] != ["analyses"]:
            raise ValueError("the file has one key, analyses, with a list: write analyses:")
        return analyses_of(stated["analyses"])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def analyses_of(stated: Any) -> tuple[Analysis, ...]:
    """The analyses of a list of mappings; ValueError, in one sentence, for any slip."""
    if not isinstance(stated, Sequence) or isinstance(stated, str) or not stated:
        raise ValueError("analyses must be a list with at least one: write - kind: mean")
    return tuple(_analysis(number, each) for number, each in enumerate(stated, 1))


def _analysis(number: int, stated: Any) -> Analysis:
    if isinstance(stated, Analysis):
        return stated
    where = f"analysis {number}"
    kind = stated.get("kind") if isinstance(stated, Mapping) else None
    if not isinstance(kind, str) or kind not in KEYS:
        raise ValueError(
            f"{where} needs a kind, one of {', '.join(KEYS)}: got {kind!r}, correct it"
        )
    needed, allowed = KEYS[kind]
    for name in stated:
        if name not in ("kind", *needed, *allowed):
            known = (*needed, *allowed)
            raise ValueError(
                f"{where}, {kind}, has no key {name!r}: {likely(name, known)}it may have"
                f" {', '.join(known)}"
            )
    for name in needed:
        if name not in stated:
            raise ValueError(f"{where}, {kind}, needs {name}: add it")
    return Analysis(**{name: _value(where, name, value) for name, value in stated.items()})


def _value(where: str, name: str, value: Any) -> Any:
    if name == "at":
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
            raise ValueError(f"{where}: at must lie between 0 and 1, got {value!r}: correct it")
        return float(value)
    if name in ("predictors", "columns"):
        texts = isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
        if not texts or not value:
            raise ValueError(
                f"{where}: {name} must be a list of columns, got {value!r}: correct it"
            )
        if len(set(value)) < len(value):
            raise ValueError(f"{where}: {name} names a column twice: keep one of the two")
        return tuple(value)
    if not isinstance(value, str):
        raise ValueError(f"{where}: {name} must be a column, got {value!r}: correct it")
    return value


def check_analyses(asked: Sequence[Analysis], schema: Schema) -> None:
    """ValueError where an analysis cannot be made with the schema's columns."""
    for number, one in enumerate(asked, 1):
        where = f"analysis {number}, {one.name}"
        names = [
            one.outcome,
            *one.predictors,
            one.time,
            one.event,
            one.column,
            *one.columns,
            one.by,
        ]
        named = [name for name in names if name]
        for name in named:
            if name not in schema.coded:
                raise ValueError(
                    f"{where}: {name!r} is no column that is compared: name one of"
                    f" {list(schema.coded)[:10]}"
                )
        if len(set(named)) < len(named):
            raise ValueError(f"{where}: a column is named twice: name it once")
        for name, wanted in _wanted(one):
            if not _FITS[wanted](schema.coded[name]):
                raise ValueError(f"{where}: {name!r} must be {wanted}: name another column")
        if one.kind == "correlation" and len(one.columns) != 2:
            raise ValueError(f"{where}: a correlation is of two columns: name two")
        if one.kind == "table" and len(one.columns) > 3:
            raise ValueError(f"{where}: a table has at most 3 columns: name fewer")


def check_survival(schema: Schema, time: str, event: str) -> None:
    """ValueError where a column is no time, or no event that ends it."""
    for name, wanted in ((time, _TIME), (event, _TWO)):
        if name not in schema.coded:
            raise ValueError(
                f"{name!r} is no column that is compared: name one of {list(schema.coded)[:10]}"
            )
        if not _FITS[wanted](schema.coded[name]):
            raise ValueError(f"{name!r} must be {wanted}: name another column")


_TIME = "a column of numbers of 0 or more"
_TWO = "a column of two values, of which the second is the event"
_NUMBER = "a column of numbers or of true and false"
_GROUPS = f"a column of {MOST_GROUPS} categories at most"
_FEW = "a column of numbers, dates, or 50 categories at most"


def is_two(column: Column) -> bool:
    """Whether a column has two values."""
    return isinstance(column, Boolean) or (
        isinstance(column, Categorical) and len(column.categories) == 2
    )


def _is_grouping(column: Column) -> bool:
    return isinstance(column, Boolean) or (
        isinstance(column, Categorical) and len(column.categories) <= MOST_GROUPS
    )


_FITS: Mapping[str, Callable[[Column], bool]] = {
    _TIME: lambda c: isinstance(c, Numeric) and (c.low is None or c.low >= 0),
    _TWO: is_two,
    _NUMBER: lambda c: isinstance(c, Numeric | Boolean),
    _GROUPS: _is_grouping,
    _FEW: lambda c: not isinstance(c, Categorical) or len(c.categories) <= 50,
}


def _wanted(one: Analysis) -> list[tuple[str, str]]:
    """Each column of an analysis with what it must be."""
    outcome = _TWO if one.kind == "logistic" else _NUMBER
    found = [(one.outcome, outcome), (one.time, _TIME), (one.event, _TWO), (one.by, _GROUPS)]
    found += [(one.column, _NUMBER), *((name, _FEW) for name in one.predictors)]
    sides = _GROUPS if one.kind == "table" else _NUMBER
    found += [(name, sides) for name in one.columns]
    return [(name, wanted) for name, wanted in found if name]
