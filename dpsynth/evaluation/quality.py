"""Quality: how far a release is from real records, column by column, pair by pair.

Internal, never to be published.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dpsynth.base.text import percent, printable
from dpsynth.evidence.pages import render

VERSION = 1
INTERNAL = (
    "These are exact comparisons with real records, for internal use. They are not differentially private, and no "
    "budget was charged for them. Do not publish them, and do not send them where the real records may not go."
)
WORST = 5


@dataclass(frozen=True)
class ColumnQuality:
    """One column. distance, floor: total variation from the real column, of the release and of the
    yardstick.

    labels, real, synthetic: the bins compared, with their shares of the rows; after the first
    `values` of them comes at most one for what is no value. missing_*: shares of the rows.
    outside_domain: how many synthetic values the schema does not allow. range_*: of numbers, else
    None.
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


@dataclass(frozen=True)
class WayQuality:
    """The mean distance over sets of `columns` columns, with the yardstick's, and how many sets
    there were.
    """

    columns: int
    sets: int
    distance: float
    floor: float


@dataclass(frozen=True, repr=False)
class Quality:
    """The comparison of a release with real records: exact, hence not differentially private, hence
    internal.

    yardstick: what `floor` compares with the real records: "holdout" or "bootstrap". ways: means
    over single columns, pairs, triples. pairs: distances of all pairs, in the order of `columns`,
    on the diagonal of the columns alone. repeated_*: shares of the rows that equal an earlier row
    of their own table.
    """

    rows_real: int
    rows_synthetic: int
    rows_yardstick: int
    yardstick: str
    ways: tuple[WayQuality, ...]
    columns: tuple[ColumnQuality, ...]
    pairs: tuple[tuple[float, ...], ...]
    pair_floors: tuple[tuple[float, ...], ...]
    repeated_real: float
    repeated_synthetic: float

    @property
    def record(self) -> dict[str, Any]:
        """All of it as plain data, with the version `dpsynth_quality: 1`."""
        return {"dpsynth_quality": VERSION, "internal": INTERNAL, **asdict(self), "worst_pairs": self.worst_pairs(50)}

    @property
    def outside_domain(self) -> int:
        """How many synthetic values the schema does not allow: 0 in a sound release."""
        return sum(column.outside_domain for column in self.columns)

    def worst_pairs(self, most: int = WORST) -> list[dict[str, Any]]:
        """The pairs at the greatest distance, worst first: columns, distance, floor."""
        n = len(self.columns)
        order = sorted(((i, j) for i in range(n) for j in range(i)), key=lambda ij: -self.pairs[ij[0]][ij[1]])
        return [
            {
                "columns": [self.columns[j].name, self.columns[i].name],
                "distance": self.pairs[i][j],
                "floor": self.pair_floors[i][j],
            }
            for i, j in order[:most]
        ]

    def to_frame(self) -> pd.DataFrame:
        """One row for each column, in the schema's order."""
        names = ("type", "distance", "floor", "missing_real", "missing_synthetic", "outside_domain", "measured_on")
        rows = [{name: getattr(column, name) for name in names} for column in self.columns]
        return pd.DataFrame(rows, index=pd.Index([column.name for column in self.columns], name="column"))

    def to_json(self) -> str:
        return render.to_json(self.record)

    def to_html(self) -> str:
        """One self-contained page, stamped INTERNAL."""
        return render.page("quality", self.record)

    def save(self, directory: str | Path) -> Path:
        """Writes quality.json and quality.html into a directory, made if need be; returns the
        directory.
        """
        return render.save(directory, {"quality.json": self.to_json(), "quality.html": self.to_html()})

    def summary(self) -> str:
        """A few lines for a terminal."""
        means = [f"  {_WAYS[w.columns]:<15} {percent(w.distance):>12} {percent(w.floor):>12}" for w in self.ways]
        worst = [f"{' x '.join(p['columns'])} ({percent(p['distance'])})" for p in self.worst_pairs(3)]
        repeated = f"{percent(self.repeated_synthetic)} (real {percent(self.repeated_real)})"
        lines = [
            f"INTERNAL, not DP: {self.rows_synthetic:,} synthetic rows against {self.rows_real:,} real ones",
            f"  {'mean distance':<15} {'synthetic':>12} {self.yardstick:>12}",
            *means,
            f"  {self.yardstick:<15} {_YARDSTICKS[self.yardstick]}: nothing comes much closer",
            f"  worst pairs     {', '.join(worst) or 'none'}",
            f"  outside domain  {self.outside_domain:,} synthetic values",
            f"  repeated rows   {repeated}",
        ]
        return str(printable("\n".join(lines)))

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return render.fragment("quality", self.record)


_YARDSTICKS = {"bootstrap": "the real rows drawn anew with replacement", "holdout": "real rows set aside"}
_WAYS = {1: "single columns", 2: "pairs", 3: "triples"}
