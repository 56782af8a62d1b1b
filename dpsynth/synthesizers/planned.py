"""What a plan says: what a fit would spend, and how noisy its answers would be."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from dpsynth.base.text import short, written
from dpsynth.evidence.pages import render
from dpsynth.evidence.statement import claim
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.mechanisms.allocation import Preview
from dpsynth.synthesizers.numbers import MeanNoise

_SHOWN = ("mechanism", "rows", "columns", "cells", "pairs", "megabytes", "notes")


@dataclass(frozen=True)
class Query:
    """One kind of charge.

    Parameters
    ----------
    what : str
        What is charged for.
    charges : tuple of int
        The fewest and the most of them.
    stddev : tuple of float
        The least and the most standard deviation of the noise on a count, in rows. The most is
        infinite where charged answers decide how the budget is shared, so that a charge may get
        next to nothing of it. Both are NaN where the noise is another program's.

    Examples
    --------
    >>> Query("single columns", (4, 4), (12.5, 12.5)).charges
    (4, 4)
    """

    what: str
    charges: tuple[int, int]
    stddev: tuple[float, float]


@dataclass(frozen=True)
class Plan:
    """What a fit would do.

    Parameters
    ----------
    mechanism : str
        Its name.
    budget : Budget
        What the fit spends.
    unit : PrivacyUnit
        Whom it protects.
    rows : int
        How many rows are assumed.
    columns, cells, pairs : int
        How many columns are modelled, how many cells these have together, and how many pairs of
        them there are.
    queries : tuple of Query
        The charges, kind by kind.
    training : Preview or None
        The steps of a training, where there is one.
    columns_error : float or None
        The most that the one-way marginals are off on average (total variation distance, 0 to 1);
        None where it is not known.
    means : tuple of MeanNoise
        The noise of the mean of each numeric column with public bounds; empty where columns are not
        measured one by one.
    seconds : tuple of float
        CPU seconds on one core of the machine of our benchmarks, from and to. Of 108 measured fits
        105 took as long (benchmarks/results/forecast.json). The first is 0 where only a limit is
        known, the second infinite where nothing is.
    megabytes : float
        Memory that a fit takes, from the same source.
    notes : tuple of str
        Sentences for a reader.

    Examples
    --------
    >>> from dpsynth import Boolean, Numeric, Schema, Synthesizer
    >>> schema = Schema({"age": Numeric(0, 120, integer=True), "smoker": Boolean()})
    >>> synth = Synthesizer(schema, "independent", epsilon=1.0, delta=1e-6, ledger=None)
    >>> plan = synth.plan(rows=5000)
    >>> plan.columns, plan.cells, plan.training
    (2, 125, None)
    """

    mechanism: str
    budget: Budget
    unit: PrivacyUnit
    rows: int
    columns: int
    cells: int
    pairs: int
    queries: tuple[Query, ...]
    training: Preview | None
    columns_error: float | None
    means: tuple[MeanNoise, ...]
    seconds: tuple[float, float]
    megabytes: float
    notes: tuple[str, ...]

    @property
    def likely_seconds(self) -> float | None:
        """CPU seconds that are likely; None where they are not known."""
        least, most = self.seconds
        return math.sqrt(least * most) if least > 0 and math.isfinite(most) else None

    def record(self) -> dict[str, Any]:
        """The plan as JSON can hold it: None stands for what is infinite or not a number."""
        queries = [{**asdict(query), "stddev": _finite(query.stddev)} for query in self.queries]
        seconds = {"seconds": _finite(self.seconds), "likely_seconds": self.likely_seconds}
        return {**asdict(self), "queries": queries, **seconds}

    def table(self) -> list[tuple[str, str, str]]:
        """For each kind of query: what is charged for, the number of charges, and the noise."""
        found = []
        for query in self.queries:
            charges = _range(*map(str, query.charges))
            found.append((query.what, charges, _noise(query)))
        return found

    def summary(self, tables: bool = True) -> str:
        """A few lines for a terminal. tables: with a line for each query and each mean."""
        spends = f"epsilon {self.budget.epsilon:g} at delta {written(self.budget.delta)}"
        pairs = "1 pair" if self.pairs == 1 else f"{self.pairs:,} pairs"
        sizes = f"{self.columns} columns with {self.cells:,} cells, {pairs}"
        queries = [
            f"  {what:<48} {charges:>12} charges, noise {noise}"
            for what, charges, noise in self.table()
        ]
        lines = [
            f"one fit by {self.mechanism} spends {spends} for {self.unit.describe()}",
            f"{sizes}; {self.rows:,} rows assumed",
            *(queries if tables else ()),
            *([self.training.describe()] if self.training else []),
            f"single columns: {self._columns_error()}",
            *((mean.describe() for mean in self.means) if tables else ()),
            f"CPU seconds: {self._seconds()}; memory: up to {self.megabytes:,.0f} MB",
            *self.notes,
        ]
        return "\n".join(lines)

    def to_html(self) -> str:
        """The text of one self-contained page, for those who decide about a budget."""
        misplaced = None if self.columns_error is None else short(100 * self.columns_error, 2)
        facts = {name: getattr(self, name) for name in _SHOWN}
        facts |= {"unit": self.unit.describe(), "misplaced": misplaced, "time": self._seconds()}
        return render.page(
            "plan",
            {
                **facts,
                "epsilon": self.budget.epsilon,
                "delta": self.budget.delta,
                "meaning": claim(True, self.budget, self.unit)["meaning"],
                "queries": self.table(),
                "training": self.training.describe() if self.training else None,
                "means": [(mean.column, *mean.cells()) for mean in self.means],
            },
        )

    def _columns_error(self) -> str:
        if self.columns_error is None:
            return "how far off they will be is not known"
        moved = short(100 * self.columns_error, 2)
        return f"noise misplaces {moved} of 100 rows at most on average, and the model fewer"

    def _seconds(self) -> str:
        least, most = self.seconds
        if self.likely_seconds is not None:
            return f"about {short(self.likely_seconds, 2)} ({short(least, 2)} to {short(most, 2)})"
        return f"{short(most, 2)} at most" if math.isfinite(most) else "not known"


def _finite(figures: Iterable[float]) -> list[float | None]:
    return [figure if math.isfinite(figure) else None for figure in figures]


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _noise(query: Query) -> str:
    """The noise in words. Where charged answers decide how charges share the budget, that of one
    which gets all of it, and of all in equal shares.
    """
    least, most = query.stddev
    if math.isnan(least):
        return "not known"
    if math.isfinite(most):
        return _range(short(least, 3), short(most, 3))
    shares = query.charges[1]
    if shares < 2:
        return short(least, 3)
    alike = short(least * math.sqrt(shares), 3)
    return f"{short(least, 3)} for one alone, {alike} for {shares:,} alike"
