"""Scenarios: what a sample should consist of, in named parts, as a file says it.

A scenario says only what is asked of a model, and nothing of private rows: it may be written,
shared and versioned by anybody.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from dpsynth.base.mappings import read_mapping
from dpsynth.base.places import expanded
from dpsynth.models.base import ConditionError
from dpsynth.synthesizers.balance import shared_out
from dpsynth.synthesizers.support import EXTRAPOLATED, SUPPORT

PART = "part"
"""The column that names the part of each row."""

REFUSE, SKIP, EXTRAPOLATE = "refuse", "skip", "extrapolate"
_NEAR = 1e-9
_FORMAT, _VERSION = "dpsynth_scenario", 1
_FIELDS = ("name", "where", "impossible", "parts", "grid", _FORMAT)
_OF_A_PART = ("name", "share", "where", "given", "balance", "tilt", "shift")
_MAPPINGS = ("given", "balance", "tilt", "shift")


@dataclass(frozen=True)
class ScenarioPart:
    """One part of a scenario, as it was written; `Scenario` says what the fields mean."""

    name: str
    share: float
    where: str | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    balance: Mapping[str, Any] = field(default_factory=dict)
    tilt: Mapping[str, Any] = field(default_factory=dict)
    shift: Mapping[str, Any] = field(default_factory=dict)
    cells: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scenario:
    """Named parts of a sample, each with its share and its conditions.

    `Scenario.load` reads one from a file, `Scenario.from_dict` from what the file holds.

    Parameters
    ----------
    parts : tuple of ScenarioPart
        Their shares sum to 1. `where` and `given` are conditions, as of `Synthesizer.sample`;
        `balance` sets the shares of a column's values in the part; `tilt` makes values more or less
        frequent, by factors; `shift` adds to a column's numbers, within its bounds.
    name : str
        What it is called.
    where : str or None
        A condition that all parts meet.
    impossible : str
        What becomes of a part of which the model has no row: "refuse" (a ConditionError), "skip",
        or "extrapolate": values that the condition names and the model excludes are drawn from
        their bounds, beside a row of the model.
    written : mapping
        What `from_dict` was given, for `to_dict`.

    Examples
    --------
    >>> night = Scenario.from_dict(
    ...     {
    ...         "parts": [
    ...             {"name": "old", "share": 0.25, "where": "age >= 65"},
    ...             {"name": "anybody", "share": 0.75},
    ...         ]
    ...     }
    ... )
    >>> [(part.name, part.share) for part in night.parts], night.rows(10)
    ([('old', 0.25), ('anybody', 0.75)], [3, 7])
    """

    parts: tuple[ScenarioPart, ...]
    name: str = ""
    where: str | None = None
    impossible: str = REFUSE
    written: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_dict(cls, spec: Mapping[str, Any]) -> Scenario:
        """The scenario that a file with this content has.

        Parameters
        ----------
        spec : mapping
            With `parts`, a list; or with `grid`, for some columns a list of values or conditions:
            then every combination is a part.

        Returns
        -------
        Scenario
            With the shares of all parts.

        Raises
        ------
        ConditionError
            For anything that a scenario does not have.
        """
        if not isinstance(spec, Mapping):
            raise ConditionError(
                f"a scenario must be a mapping, got {type(spec).__name__}: write `parts: [...]`"
            )
        _refuse_unknown("a scenario", spec, _FIELDS)
        if type(spec.get(_FORMAT, 1)) is not int or spec.get(_FORMAT, 1) != _VERSION:
            raise ConditionError(
                f"{_FORMAT} must be {_VERSION}, got {spec[_FORMAT]!r}: correct it, or update"
                " dpsynth"
            )
        if ("parts" in spec) == ("grid" in spec):
            raise ConditionError("a scenario has either parts or a grid: give one of the two")
        impossible = spec.get("impossible", REFUSE)
        if impossible not in (REFUSE, SKIP, EXTRAPOLATE):
            raise ConditionError(
                f"impossible must be {REFUSE}, {SKIP} or {EXTRAPOLATE}, got {impossible!r}: choose"
                " one of them"
            )
        parts = _listed(spec["parts"]) if "parts" in spec else _combined(spec["grid"])
        return cls(
            parts, _text("name", spec.get("name", "")), _condition(spec), impossible, dict(spec)
        )

    @classmethod
    def load(cls, path: str | Path) -> Scenario:
        """Reads a .yaml, .yml or .json file.

        Parameters
        ----------
        path : str or Path
            Of the file.

        Returns
        -------
        Scenario
            What the file says.

        Raises
        ------
        OSError
            Where the file cannot be read.
        ConditionError
            Where it holds no scenario; the message has the path.
        """
        try:
            return cls.from_dict(read_mapping(expanded(path)))
        except ValueError as error:
            raise ConditionError(f"{path}: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        """What `from_dict` was given.

        Returns
        -------
        dict
            Of plain values.
        """
        return dict(self.written)

    def rows(self, n: int) -> list[int]:
        """How many of n rows each part has.

        Parameters
        ----------
        n : int
            Rows in all.

        Returns
        -------
        list of int
            In the order of the parts; they sum to n.
        """
        return [int(count) for count in shared_out(n, [part.share for part in self.parts])]

    def coverage(self, rows: pd.DataFrame, n: int | None = None) -> pd.DataFrame:
        """How a sample covers the scenario.

        Parameters
        ----------
        rows : DataFrame
            Drawn by `Synthesizer.sample(..., scenario=self)`.
        n : int or None
            How many rows were asked for; None for as many as there are.

        Returns
        -------
        DataFrame
            For each part how many rows were asked for and given, the median of their support, and
            how many of them are extrapolated.
        """
        asked = self.rows(len(rows) if n is None else n)
        found = []
        for part, wanted in zip(self.parts, asked, strict=True):
            own = rows[rows[PART] == part.name]
            support = own[SUPPORT].median() if len(own) else math.nan
            beyond = int(own[EXTRAPOLATED].fillna(False).sum())
            found.append((part.name, wanted, len(own), support, beyond))
        return pd.DataFrame(found, columns=[PART, "asked", "given", SUPPORT, EXTRAPOLATED])


def _refuse_unknown(what: str, spec: Mapping[str, Any], known: Sequence[str]) -> None:
    if strange := [name for name in spec if name not in known]:
        raise ConditionError(f"{what} has no {strange[0]!r}: use {', '.join(known)}")


def _text(field_: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ConditionError(f"{field_} must be text, got {type(value).__name__}: put it in quotes")
    return value


def _condition(spec: Mapping[str, Any]) -> str | None:
    return None if spec.get("where") is None else _text("where", spec["where"])


def _listed(parts: Any) -> tuple[ScenarioPart, ...]:
    if not isinstance(parts, list) or not parts:
        raise ConditionError("parts must be a list of one part or more: write `- name: ...`")
    for part in parts:
        if not isinstance(part, Mapping):
            raise ConditionError("each of the parts must be a mapping: write `- name: ...`")
        _refuse_unknown("a part", part, _OF_A_PART)
        for name in _MAPPINGS:
            if not isinstance(part.get(name) or {}, Mapping):
                raise ConditionError(f"{name} of a part must be a mapping: write `column: value`")
    names = [_text("the name of a part", part.get("name")) for part in parts]
    if len({*names}) < len(names):
        raise ConditionError("two parts have the same name: give each its own")
    shares = _shares([part.get("share") for part in parts])
    return tuple(
        ScenarioPart(
            name,
            share,
            _condition(part),
            **{each: dict(part.get(each) or {}) for each in _MAPPINGS},
        )
        for name, share, part in zip(names, shares, parts, strict=True)
    )


def _shares(stated: Sequence[Any]) -> list[float]:
    """The share of each part; those that state none share evenly what is left."""
    given = [share for share in stated if share is not None]
    numbers = [isinstance(s, int | float) and not isinstance(s, bool) and s >= 0 for s in given]
    left = 1 - math.fsum(given) if all(numbers) else -1.0
    open_ = len(stated) - len(given)
    if left < -_NEAR or (not open_ and left > _NEAR):
        raise ConditionError(
            "the shares of the parts must be numbers of 0 or more that add up to 1: correct them,"
            " or leave out those that share what is left"
        )
    return [max(0.0, left) / open_ if share is None else float(share) for share in stated]


def _combined(grid: Any) -> tuple[ScenarioPart, ...]:
    """A part for each combination of the grid's values."""
    if (
        not isinstance(grid, Mapping)
        or not grid
        or not all(isinstance(values, list) and values for values in grid.values())
    ):
        raise ConditionError(
            'grid must have a list of values for each of its columns: write `ward: ["a", "b"]`'
        )
    cells = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    names = [", ".join(_of_cell(name, value) for name, value in cell.items()) for cell in cells]
    if len({*names}) < len(names):
        raise ConditionError("a column of the grid has the same value twice: leave one of them out")
    return tuple(
        ScenarioPart(name, 1 / len(cells), cells=cell)
        for name, cell in zip(names, cells, strict=True)
    )


def _of_cell(name: str, value: Any) -> str:
    return value if isinstance(value, str) and name in value else f"{name} = {value}"
