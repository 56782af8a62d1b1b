"""What a validation found: for each number whether a release and the real rows agree."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from dpsynth.base.text import exact, short
from dpsynth.kernel.budget import Budget
from dpsynth.synthesizers.answers import Interval

Verdict = Literal["agrees", "disagrees", "undecided"]


@dataclass(frozen=True)
class Compared:
    """One number of an analysis, on the release and on the real rows.

    Parameters
    ----------
    question : str
        As it was asked.
    release : float
        What the release says.
    real : float
        What the charged look at the real rows says, with noise.
    difference : tuple of float
        Where the exact answer on the real rows, less that of the release, lies.
    verdict : {"agrees", "disagrees", "undecided"}
        Whether all of that lies within the tolerance, none of it, or a part.
    group : mapping of str to object
        The values that it is for, by column; of a coefficient its term.

    Examples
    --------
    >>> Compared("mean(age)", 46.0, 46.3, (-0.2, 0.8), "agrees").verdict
    'agrees'
    """

    question: str
    release: float
    real: float
    difference: Interval
    verdict: Verdict
    group: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Validation:
    """Whether a release's answers agree with the real rows; it was paid for, and may be published.

    Parameters
    ----------
    budget : Budget
        What the look spent.
    within : float
        The tolerance, in the unit of the answers.
    level : float
        How often an interval holds the truth.
    parts : tuple of Compared
        One for each number of each question.

    Examples
    --------
    >>> found = Compared("mean(age)", 46.0, 46.3, (-0.2, 0.8), "agrees")
    >>> Validation(Budget(0.1, 1e-6), 1.0, 0.9, (found,)).verdict
    'agrees'
    """

    budget: Budget
    within: float
    level: float
    parts: tuple[Compared, ...]

    @property
    def verdict(self) -> Verdict:
        """ "disagrees" where one number does, "agrees" where all do, else "undecided"."""
        found = {each.verdict for each in self.parts}
        if "disagrees" in found:
            return "disagrees"
        return "agrees" if found == {"agrees"} else "undecided"

    def to_frame(self) -> pd.DataFrame:
        """A row for each number."""
        return pd.DataFrame(
            [
                {
                    "question": each.question,
                    **each.group,
                    "release": each.release,
                    "real": each.real,
                    "difference_low": each.difference[0],
                    "difference_high": each.difference[1],
                    "verdict": each.verdict,
                }
                for each in self.parts
            ]
        )

    def record(self) -> dict[str, Any]:
        """The validation as JSON can hold it; null for what is not known."""
        parts = [
            {
                "question": each.question,
                "group": {name: str(value) for name, value in each.group.items()},
                "release": _finite(each.release),
                "real": _finite(each.real),
                "difference": [*map(_finite, each.difference)],
                "verdict": each.verdict,
            }
            for each in self.parts
        ]
        facts = {"within": self.within, "level": self.level, "verdict": self.verdict}
        return {**self.budget.claim, **facts, "answers": parts}

    def summary(self) -> str:
        """A few lines for a terminal."""
        lines = [
            f"{self.verdict} within {short(self.within)} ({exact(100 * self.level)}% intervals)"
        ]
        return "\n".join([*lines, *map(_line, self.parts)])


def _line(each: Compared) -> str:
    group = "".join(f", {name} {value}" for name, value in each.group.items())
    low, high = each.difference
    if math.isnan(each.release):
        compared = "the release has no rows that answer it"
    elif math.isinf(low) and math.isinf(high):
        compared = f"the release says {short(each.release, 5)}, and noise hides the real answer"
    else:
        compared = (
            f"the release says {short(each.release, 5)}, and the real answer is"
            f" {_apart(low)} to {_apart(high)}"
        )
    return f"{each.question}{group}: {each.verdict}; {compared}"


def _apart(difference: float) -> str:
    return f"{short(abs(difference), 4)} {'less' if difference < 0 else 'more'}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
