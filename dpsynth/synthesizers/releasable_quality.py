"""The releasable edition of the quality report: what it holds, in words, and as a page.

Every number about real rows in it is the noisy answer of a charge, with an interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dpsynth.base.text import exact, percent, printable, short
from dpsynth.evidence.bundle.checks import NAME
from dpsynth.evidence.manifest import add_lines, line_of, refuse_other_release
from dpsynth.evidence.pages import render
from dpsynth.evidence.verdict import verdict
from dpsynth.kernel.budget import Budget

VERSION = 1
FILES = ("releasable.json", "releasable.html")
"""What `save` writes."""

RELEASABLE = (
    "Releasable: all numbers charged. Each number about real rows is the noisy answer of a charge"
    " that the ledger lists, with an interval; the questions were fixed before any row was read."
)
_WAYS = {1: "single columns", 2: "pairs", 3: "triples"}


@dataclass(frozen=True)
class Distance:
    """How far a release is from the real rows, by a charge.

    Parameters
    ----------
    columns : tuple of str
        The columns that are compared together; none for a mean over several sets.
    sets : int
        Over how many sets of columns the mean is taken.
    distance, low, high : float
        As a share of the rows: with noise, so that it may be below 0, and where the exact one lies.
    yardstick : float
        The distance of as many rows that are drawn from the release itself.
    group : tuple of str, or None
        A column and one of its values, where it is of the rows with that value.

    Examples
    --------
    >>> Distance(("age",), 1, 0.021, 0.018, 0.024, 0.006).high
    0.024
    """

    columns: tuple[str, ...]
    sets: int
    distance: float
    low: float
    high: float
    yardstick: float
    group: tuple[str, str] | None = None


@dataclass(frozen=True)
class Beside:
    """A number of the real rows, by a charge, beside that of the release.

    Parameters
    ----------
    columns : tuple of str
        What it is of.
    release : float
        Of the release, exactly; NaN where it has none.
    real, low, high : float
        Of the real rows: with noise, and where the exact one lies.

    Examples
    --------
    >>> Beside(("age",), 0.04, 0.05, 0.04, 0.06).real
    0.05
    """

    columns: tuple[str, ...]
    release: float
    real: float
    low: float
    high: float


@dataclass(frozen=True)
class Charged:
    """One charge of the report.

    Parameters
    ----------
    purpose : str
        As the ledger has it.
    noise_multiplier : float
        What was paid: the noise in sensitivities.
    sensitivity : float
        How far one unit moves all answers together, as an L2 norm.
    answers : int
        How many numbers it answered.
    stddev : float
        Of the noise of each, in rows.

    Examples
    --------
    >>> Charged("rows", 40.0, 1.0, 1, 40.0).answers
    1
    """

    purpose: str
    noise_multiplier: float
    sensitivity: float
    answers: int
    stddev: float


@dataclass(frozen=True, repr=False)
class ReleasableQuality:
    """How far a release is from the real rows, paid for, so that it may be published.

    `evaluate_releasable` makes it.

    Parameters
    ----------
    budget : Budget
        What it spent.
    level : float
        How often an interval holds the exact number.
    rows : Beside
        The row counts.
    ways : tuple of Distance
        The mean distances over single columns, pairs and triples.
    columns, pairs, triples : tuple of Distance
        Of each set of columns.
    groups : tuple of Distance
        Of the rows of each group: the mean over single columns.
    missing : tuple of Beside
        Shares of missing values.
    correlations : tuple of Beside
        Rank correlations of columns of numbers.
    charges : tuple of Charged
        What was paid for them.
    model : str or None
        The SHA-256 of the model, as the ledger has it.
    measured : mapping or None
        The record of `Synthesizer.measured_report`, which costs nothing.

    Examples
    --------
    >>> sex = Distance(("sex",), 1, 0.02, 0.01, 0.03, 0.004)
    >>> rows = Beside((), 1000, 998.0, 990.0, 1006.0)
    >>> budget = Budget(0.2, 1e-6)
    >>> made = ReleasableQuality(budget, 0.9, rows, (sex,), (sex,), (), (), (), (), (), (), None)
    >>> made.verdict["grade"]
    'good'
    """

    budget: Budget
    level: float
    rows: Beside
    ways: tuple[Distance, ...]
    columns: tuple[Distance, ...]
    pairs: tuple[Distance, ...]
    triples: tuple[Distance, ...]
    groups: tuple[Distance, ...]
    missing: tuple[Beside, ...]
    correlations: tuple[Beside, ...]
    charges: tuple[Charged, ...]
    model: str | None
    measured: Mapping[str, Any] | None = None

    @property
    def verdict(self) -> dict[str, Any]:
        """In words: "grade", "ways", "uses" and "remarks". Means are graded by the upper end of
        their interval.
        """
        kinds = {1: self.columns, 2: self.pairs, 3: self.triples}
        numbers = [k for k, sets in kinds.items() if sets]
        ways = [
            {"columns": k, "distance": way.high, "floor": way.yardstick}
            for k, way in zip(numbers, self.ways, strict=True)
        ]
        missing = {each.columns[0]: (each.real, each.release) for each in self.missing}
        columns = []
        for each in self.columns:
            real, release = missing.get(each.columns[0], (0.0, 0.0))
            facts = {"name": each.columns[0], "distance": each.distance, "floor": each.yardstick}
            columns.append({**facts, "missing_real": real, "missing_synthetic": release})
        return verdict(ways, columns)

    @property
    def record(self) -> dict[str, Any]:
        """All of it as plain data; None for what is not known."""
        kinds = ("ways", "columns", "pairs", "triples", "groups", "missing", "correlations")
        figures = {kind: [_plain(asdict(each)) for each in getattr(self, kind)] for kind in kinds}
        return {
            "dpsynth_releasable_quality": VERSION,
            "releasable": RELEASABLE,
            "model": self.model,
            **self.budget.claim,
            "level": self.level,
            "verdict": self.verdict,
            "rows": _plain(asdict(self.rows)),
            **figures,
            "charges": [asdict(each) for each in self.charges],
            "measured": self.measured,
        }

    def to_frame(self) -> pd.DataFrame:
        """A row for each distance: the set, its distance with both ends, and its yardstick."""
        sets = (*self.columns, *self.pairs, *self.triples)
        rows = [{**asdict(each), "columns": " x ".join(each.columns)} for each in sets]
        return pd.DataFrame(rows).drop(columns=["group", "sets"])

    def to_json(self) -> str:
        """`record` as text."""
        return render.to_json(self.record)

    def to_html(self) -> str:
        """A page for a reader, stamped as releasable."""
        return render.page("releasable", self.record)

    def save(self, folder: str | Path) -> Path:
        """Writes releasable.json and releasable.html; the manifest of a release there lists both.

        Parameters
        ----------
        folder : str or Path
            A folder, such as that of the release.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        OSError, ValueError
            Where they cannot be written, where the folder is the release of another model, or
            where its manifest was changed.
        """
        texts = (self.to_json(), self.to_html())
        refuse_other_release(Path(folder), self.model)
        made = render.save(folder, dict(zip(FILES, texts, strict=True)))
        if (made / NAME).exists():
            list_report(made)
        return made

    def summary(self) -> str:
        """A few lines for a terminal."""
        facts = f"epsilon {short(self.budget.epsilon, 4)} at delta {self.budget.delta:g}"
        held = f"{exact(100 * self.level)}% intervals"
        lines = [
            f"RELEASABLE, all numbers charged: {facts}; {held}",
            *(f"  {use}" for use in self.verdict["uses"]),
            f"  rows            {short(self.rows.real, 6)} ({_ends(self.rows, short)})",
            *map(_way, self.ways, _numbers(self)),
            *(f"  {remark}" for remark in self.verdict["remarks"]),
        ]
        return str(printable("\n".join(lines)))

    def __repr__(self) -> str:
        return self.summary()


def list_report(folder: Path) -> None:
    """Lists a report in the manifest of a release's folder; ValueError where that was changed."""
    kinds = zip(FILES, ("releasable", "releasable page"), strict=True)
    add_lines(folder, *(line_of(folder / name, kind) for name, kind in kinds))


def _numbers(quality: ReleasableQuality) -> Sequence[int]:
    kinds = {1: quality.columns, 2: quality.pairs, 3: quality.triples}
    return [k for k, sets in kinds.items() if sets]


def _way(way: Distance, columns: int) -> str:
    ends = f"{percent(max(way.distance, 0.0))} ({_ends(way, percent)})"
    return f"  {_WAYS[columns]:<15} {ends}; by chance {percent(way.yardstick)}"


def _ends(figure: Distance | Beside, words: Any) -> str:
    return f"{words(figure.low)} to {words(figure.high)}"


def _plain(figure: Mapping[str, Any]) -> dict[str, Any]:
    """Without what JSON cannot hold: NaN."""
    return {name: None if value != value else value for name, value in figure.items()}
