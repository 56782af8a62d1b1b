"""Answers: estimates with intervals, and what they rest on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from dpsynth.base.text import exact, short

Interval = tuple[float, float]


@dataclass(frozen=True)
class Estimate:
    """One number of an answer.

    Parameters
    ----------
    value : float
        In rows for a count, from 0 to 1 for a share, in the column's own unit for a mean or a
        quantile, in log odds for a coefficient. NaN where nothing stands out from the noise.
    privacy_interval : tuple of float or None
        Where the exact answer on the private rows lies, by the noise alone.
    population_interval : tuple of float or None
        Where the answer on the population lies, by the noise and by the draw of the rows.
    group : mapping of str to object
        The values that it is for, by column; of a coefficient its term.

    Examples
    --------
    >>> Estimate(120.0, (110.0, 130.0), (95.0, 145.0)).group
    {}
    """

    value: float
    privacy_interval: Interval | None = None
    population_interval: Interval | None = None
    group: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What a release says to a question.

    Parameters
    ----------
    question : str
        As it was asked.
    basis : {"measured", "model"}
        "measured": by noisy counts that the fit has paid for, without bias, with intervals.
        "model": by the model, with no interval, because nothing says how far it is off.
    level : float
        How often an interval holds the truth.
    parts : tuple of Estimate
        One, or one for each group or coefficient.
    notes : tuple of str
        What was assumed, a sentence each.

    Examples
    --------
    >>> answer = Answer("count", "measured", 0.9, (Estimate(120.0, (110.0, 130.0)),))
    >>> answer.estimate, answer.privacy_interval
    (120.0, (110.0, 130.0))
    """

    question: str
    basis: Literal["measured", "model"]
    level: float
    parts: tuple[Estimate, ...]
    notes: tuple[str, ...] = ()

    @property
    def estimate(self) -> float:
        """Of an answer with one number, that number; ValueError for others."""
        return self._only().value

    @property
    def privacy_interval(self) -> Interval | None:
        """Likewise, where the exact answer on the private rows lies."""
        return self._only().privacy_interval

    @property
    def population_interval(self) -> Interval | None:
        """Likewise, where the answer on the population lies."""
        return self._only().population_interval

    def _only(self) -> Estimate:
        if len(self.parts) != 1:
            raise ValueError(
                f"this answer has {len(self.parts)} numbers: use to_frame(), which has a row for"
                " each"
            )
        return self.parts[0]

    def to_frame(self) -> pd.DataFrame:
        """A row for each number: its group, estimate, ends of both intervals, and the basis."""
        rows = []
        for each in self.parts:
            low, high = each.privacy_interval or (None, None)
            lower, upper = each.population_interval or (None, None)
            numbers = {"estimate": each.value, "privacy_low": low, "privacy_high": high}
            ends = {"population_low": lower, "population_high": upper}
            rows.append({**each.group, **numbers, **ends, "basis": self.basis})
        return pd.DataFrame(rows)

    def record(self) -> dict[str, Any]:
        """The answer as JSON can hold it: null for what is not known, and for ends at infinity."""
        parts = [
            {
                "group": {name: _plain(value) for name, value in each.group.items()},
                "estimate": _finite(each.value),
                "privacy_interval": _ends(each.privacy_interval),
                "population_interval": _ends(each.population_interval),
            }
            for each in self.parts
        ]
        facts = {"question": self.question, "basis": self.basis, "level": self.level}
        return {**facts, "answers": parts, "notes": [*self.notes]}

    def to_json(self) -> str:
        """`record` as text."""
        return json.dumps(self.record(), indent=2, allow_nan=False)

    def summary(self) -> str:
        """A few lines for a terminal."""
        lines = [self.question, f"basis: {self.basis}", *map(self._line, self.parts), *self.notes]
        return "\n".join(lines)

    def _line(self, each: Estimate) -> str:
        group = ", ".join(f"{name} {value}" for name, value in each.group.items())
        found = f"{group}: " if group else ""
        found += short(each.value, 5)
        for what, ends in (
            ("on the private rows", each.privacy_interval),
            ("in the population", each.population_interval),
        ):
            if ends is not None:
                found += f"; {what} {short(ends[0], 5)} to {short(ends[1], 5)}"
        return f"{found} ({exact(100 * self.level)}%)" if self.basis == "measured" else found

    def __repr__(self) -> str:
        return f"Answer\n{self.summary()}"


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None


def _ends(interval: Interval | None) -> list[float | None] | None:
    return None if interval is None else [_finite(end) for end in interval]


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
