"""Quality: how far a release is from real records, column by column, pair by pair.

Internal, never to be published.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dpsynth.base.text import percent, printable
from dpsynth.evaluation.advice import advice
from dpsynth.evaluation.analyses import AnalysisQuality, record_of, said_of
from dpsynth.evaluation.association import Association, matrix, mean_difference
from dpsynth.evaluation.blind_spots import BlindSpot
from dpsynth.evaluation.discriminator import Discriminator
from dpsynth.evaluation.downstream import Downstream
from dpsynth.evaluation.group_distances import GroupDistance
from dpsynth.evaluation.pattern import Pattern
from dpsynth.evaluation.plots import Plotted
from dpsynth.evaluation.scores import Scores
from dpsynth.evaluation.shares import Compared
from dpsynth.evaluation.structure import CalendarPart, MissingTogether, Quantiles
from dpsynth.evidence.pages import render
from dpsynth.evidence.verdict import verdict

VERSION = 1
INTERNAL = (
    "These are exact comparisons with real records, for internal use. They are not differentially"
    " private, and no budget was charged for them. Do not publish them, and do not send them where"
    " the real records may not go."
)
WORST = 5
"""How many of the worst pairs a caller gets who names no number."""

_RECORDED_PAIRS = 50
"""How many of the worst pairs stand in the file; all distances stand in `pairs`."""


@dataclass(frozen=True)
class ColumnQuality:
    """How far one column of a release is from the real column.

    Parameters
    ----------
    name, type : str
        Of the column; the type in lower case, such as "numeric".
    ordered : bool
        Whether its values have an order.
    values : int
        How many of the bins hold values; after them comes at most one for missing values.
    measured_on : str
        The bins in words.
    distance, floor : float
        Total-variation distance from the real column, 0 to 1, of the release and of the
        yardstick.
    missing_real, missing_synthetic : float
        Missing values, as shares of the rows.
    outside_domain : int
        Synthetic values that the schema does not allow.
    range_real, range_synthetic : (float, float) or None
        The smallest and largest number; None where there is none.
    labels : tuple of str
        The names of the bins.
    real, synthetic : tuple of float
        The shares of the rows in each bin.

    Examples
    --------
    >>> import pandas as pd
    >>> from dpsynth import Categorical, Schema, evaluate
    >>> schema = Schema({"sex": Categorical(["f", "m"])})
    >>> real = pd.DataFrame({"sex": ["f"] * 50 + ["m"] * 50})
    >>> sex = evaluate(real[25:], real, schema).columns[0]
    >>> sex.measured_on, sex.labels[:2], sex.real[:2]
    ('all 2 categories', ('f', 'm'), (0.5, 0.5))
    """

    name: str
    type: str
    ordered: bool
    values: int
    measured_on: str
    distance: float
    floor: float
    missing_real: float
    missing_synthetic: float
    outside_domain: int
    range_real: tuple[float, float] | None
    range_synthetic: tuple[float, float] | None
    labels: tuple[str, ...]
    real: tuple[float, ...]
    synthetic: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class DetailQuality(Compared):
    """How far a release is from the real rows in something that the schema declares of a column.

    Parameters
    ----------
    distance, floor : float
        Total-variation distance from the real rows, 0 to 1, of the release and of the yardstick.
    labels : tuple of str
        The names of the bins.
    real, synthetic : tuple of float
        The shares of the rows in each bin, of those that are not missing.
    column : str
        Its name.
    what : str
        "weekday", "hour" or "month" of a column with such `parts`; "multiples of 5", say, of one
        with `heaping`.

    Examples
    --------
    >>> import pandas as pd
    >>> from dpsynth import Numeric, Schema, evaluate
    >>> schema = Schema({"age": Numeric(0, 120, integer=True, heaping=5)})
    >>> real = pd.DataFrame({"age": [40, 45, 50, 61]})
    >>> fives = evaluate(pd.DataFrame({"age": [40, 41, 42, 43]}), real, schema).details[0]
    >>> fives.what, fives.real[0], fives.synthetic[0], fives.distance
    ('multiples of 5', 0.75, 0.25, 0.5)
    """

    column: str
    what: str


@dataclass(frozen=True)
class WayQuality:
    """The mean distance over sets of columns: single ones, pairs, or triples.

    Parameters
    ----------
    columns : int
        How many columns a set has, 1 to 3.
    sets : int
        Over how many sets the mean is taken.
    distance, floor : float
        The mean total-variation distance, 0 to 1, of the release and of the yardstick.

    Examples
    --------
    >>> WayQuality(columns=2, sets=6, distance=0.04, floor=0.03).distance
    0.04
    """

    columns: int
    sets: int
    distance: float
    floor: float


@dataclass(frozen=True, repr=False)
class Quality(Plotted):
    """The comparison of a release with real records.

    It is exact and not differentially private, and so internal. `evaluate` makes it.

    Parameters
    ----------
    rows_real, rows_synthetic, rows_yardstick : int
        The number of rows in each table.
    yardstick : {"holdout", "bootstrap"}
        What each `floor` compares with the real records: other real records, or these drawn anew
        with replacement.
    ways : tuple of WayQuality
        Mean distances over single columns, pairs and triples.
    columns : tuple of ColumnQuality
        Each column by itself, in the schema's order.
    pairs, pair_floors : tuple of tuple of float
        The distances of all pairs, of the release and of the yardstick: square matrices in the
        order of `columns`, with the columns alone on the diagonal. None of pairs that are not
        compared: of more than 100 columns 4,950 are, drawn by the names of the columns alone.
    details : tuple of DetailQuality
        Declared calendar parts and round values, in the schema's order.
    repeated_real, repeated_synthetic : float
        Rows that equal an earlier row of their own table, as shares of the rows.
    patterns : tuple of Pattern
        What distances hide, such as heaping, tails and dependencies, and what became of it.
    associations : tuple of Association
        The pairs of columns that are compared.
    quantiles : tuple of Quantiles
        Of all columns of numbers and moments.
    calendar : tuple of CalendarPart
        Hours, weekdays, months and days of the month of columns of moments.
    missing_together : MissingTogether or None
        Which values are missing together; None where no value is missing.
    scores : Scores
        By the definitions of SDMetrics.
    blind_spots : tuple of BlindSpot
        Regions that the release has too few rows of, or made up.
    groups : tuple of GroupDistance
        Of the columns that were named as groups: how far the release is in each.
    doubts : tuple of str
        What makes the comparison itself doubtful, in sentences: a release of few rows, a holdout of
        rows that are also real ones.
    discriminator : Discriminator or None
        How well a model tells the release from the holdout; None where it was not asked for.
    downstream : Downstream or None
        What models trained on the release are worth; None where no target was named.
    analyses : tuple of AnalysisQuality
        Those that were asked for, on both tables.
    measured : mapping or None
        What the fit has measured beside the release, where it was given.

    Examples
    --------
    >>> import pandas as pd
    >>> from dpsynth import Boolean, Categorical, Schema, evaluate
    >>> schema = Schema({"sex": Categorical(["f", "m"]), "died": Boolean()})
    >>> real = pd.DataFrame({"sex": ["f", "m"] * 50, "died": [False, True] * 50})
    >>> release = pd.DataFrame({"sex": ["f", "m"] * 50, "died": [False, False, True, True] * 25})
    >>> quality = evaluate(release, real, schema)
    >>> quality.worst_pairs(1)[0]["columns"], quality.worst_pairs(1)[0]["distance"]
    (['sex', 'died'], 0.5)
    >>> quality.outside_domain
    0
    """

    rows_real: int
    rows_synthetic: int
    rows_yardstick: int
    yardstick: str
    ways: tuple[WayQuality, ...]
    columns: tuple[ColumnQuality, ...]
    pairs: tuple[tuple[float | None, ...], ...]
    pair_floors: tuple[tuple[float | None, ...], ...]
    details: tuple[DetailQuality, ...]
    repeated_real: float
    repeated_synthetic: float
    patterns: tuple[Pattern, ...]
    associations: tuple[Association, ...]
    quantiles: tuple[Quantiles, ...]
    calendar: tuple[CalendarPart, ...]
    missing_together: MissingTogether | None
    scores: Scores
    blind_spots: tuple[BlindSpot, ...]
    groups: tuple[GroupDistance, ...]
    doubts: tuple[str, ...]
    discriminator: Discriminator | None = None
    downstream: Downstream | None = None
    analyses: tuple[AnalysisQuality, ...] = ()
    measured: Mapping[str, Any] | None = None

    @property
    def record(self) -> dict[str, Any]:
        """All of it as plain data, with the version `dpsynth_quality: 1`."""
        return {
            "dpsynth_quality": VERSION,
            "internal": INTERNAL,
            "advice": self.advice,
            "verdict": self.verdict,
            **asdict(self),
            "worst_pairs": self.worst_pairs(_RECORDED_PAIRS),
            "association_differences": matrix(
                [column.name for column in self.columns], self.associations
            ),
            "mean_association_difference": mean_difference(self.associations),
            "left_out": self.left_out,
            "told_apart": self.discriminator.sentence() if self.discriminator else None,
            "blind_spots_said": [spot.sentence() for spot in self.blind_spots],
            "analyses_kept": record_of(self.analyses),
            "analyses_said": said_of(self.analyses),
            "predictions": self.downstream.sentences() if self.downstream else [],
        }

    @property
    def verdict(self) -> dict[str, Any]:
        """What it comes to in words: "grade", "ways", "uses" and "remarks"; see `verdict`."""
        return verdict([asdict(way) for way in self.ways], [asdict(c) for c in self.columns])

    @property
    def left_out(self) -> str | None:
        """How many pairs of columns are not compared, in a sentence; None where all are."""
        pairs = math.comb(len(self.columns), 2)
        compared = sum(way.sets for way in self.ways if way.columns == 2)
        if compared == pairs:
            return None
        return (
            f"of {pairs:,} pairs of columns {compared:,} were compared, drawn by the names of the"
            " columns alone"
        )

    @property
    def advice(self) -> tuple[str, str]:
        """What the release is good for, and what to avoid: one sentence each."""
        return advice(
            self.verdict,
            [asdict(column) for column in self.columns],
            self.patterns,
            self.blind_spots,
            self.groups,
            self.downstream,
            self.analyses,
        )

    @property
    def outside_domain(self) -> int:
        """How many synthetic values the schema does not allow: 0 in a sound release."""
        return sum(column.outside_domain for column in self.columns)

    def worst_pairs(self, most: int = WORST) -> list[dict[str, Any]]:
        """The pairs at the greatest distance, worst first: columns, distance, floor."""
        found: list[dict[str, Any]] = []
        for i, later in enumerate(self.columns):
            for j, earlier in enumerate(self.columns[:i]):
                if (distance := self.pairs[i][j]) is not None:
                    pair = {
                        "columns": [earlier.name, later.name],
                        "distance": distance,
                        "floor": self.pair_floors[i][j],
                    }
                    found.append(pair)
        return sorted(found, key=lambda pair: -pair["distance"])[:most]

    def to_frame(self) -> pd.DataFrame:
        """One row for each column, in the schema's order."""
        rows = [{name: getattr(column, name) for name in _SHOWN} for column in self.columns]
        index = pd.Index([column.name for column in self.columns], name="column")
        return pd.DataFrame(rows, index=index)

    def to_json(self) -> str:
        return render.to_json(self.record)

    def to_html(self) -> str:
        """One self-contained page, stamped INTERNAL."""
        return render.page("quality", self.record)

    def save(self, directory: str | Path) -> Path:
        """Writes quality.json and quality.html into a directory, which is made if it is not there.

        Parameters
        ----------
        directory : str or Path
            An older report in it is replaced.

        Returns
        -------
        Path
            The directory.
        """
        files = {"quality.json": self.to_json(), "quality.html": self.to_html()}
        return render.save(directory, files)

    def summary(self) -> str:
        """A few lines for a terminal."""
        means = []
        for way in self.ways:
            numbers = f"{percent(way.distance):>12} {percent(way.floor):>12}"
            means.append(f"  {_WAYS[way.columns]:<15} {numbers}")
        worst = []
        for pair in self.worst_pairs(3):
            worst.append(f"{' x '.join(pair['columns'])} ({percent(pair['distance'])})")
        repeated = f"{percent(self.repeated_synthetic)} (real {percent(self.repeated_real)})"
        lines = [
            f"INTERNAL, not differentially private: {self.rows_synthetic:,} synthetic rows beside"
            f" {self.rows_real:,} real ones",
            *(f"  {said}" for said in (*self.advice, *self.verdict["uses"])),
            *(f"  {doubt}" for doubt in self.doubts),
            f"  {'mean distance':<15} {'synthetic':>12} {self.yardstick:>12}",
            *means,
            *([f"  {self.left_out}"] if self.left_out else []),
            f"  {self.yardstick:<15} {_YARDSTICKS[self.yardstick]}: nothing comes much closer",
            f"  worst pairs     {', '.join(worst) or 'none'}",
            f"  outside schema  {self.outside_domain:,} synthetic values",
            f"  repeated rows   {repeated}",
            *([f"  {self.discriminator.sentence()}"] if self.discriminator else []),
            *(f"  {said}" for said in said_of(self.analyses)),
            *(f"  {said}" for said in (self.downstream.sentences() if self.downstream else [])),
        ]
        return str(printable("\n".join(lines)))

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return render.fragment("quality", self.record)


_YARDSTICKS = {
    "bootstrap": "the real rows drawn anew with replacement",
    "holdout": "real rows set aside",
}
_WAYS = {1: "single columns", 2: "pairs", 3: "triples"}
_SHOWN = (
    "type",
    "distance",
    "floor",
    "missing_real",
    "missing_synthetic",
    "outside_domain",
    "measured_on",
)
"""What `to_frame` says of each column."""
