"""What one record a person costs against five: the bias of what tells about coming back, and the noise of more rows.

    python benchmarks/units.py
    python benchmarks/units.py --table diabetic_data.csv --id patient_nbr --back readmitted

For each max_records: the share of rows kept; how far the distribution of the column on coming back is off by the cut
alone (exact, no noise), and in a release of canopy with everything that a fit adds (total variation distance, median
of the seeds); the mean distance of all columns; and what `dpsynth.rows_per_unit` recommends.

Tables: the invoices of online_retail, a visit each, by customer; the measurements of physionet2012_icu, by stay, where
coming back is the same measurement again; and made-up stays, as many as in a table of 130 hospitals (101,766 of 71,518
patients). --table: a table of your own, of which only the two columns are taken.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _record import RESULTS, write
from _tables import published, require_data

import dpsynth
from dpsynth.door.bounding import bounded_rows

MOST = (1, 2, 3, 5, 8, 12, 20, 40)
MANY = (1, 5, 20, 50, 100, 200, 400, 800)
"""For units of hundreds of rows."""

DRAWN = 200_000
"""Rows of a release, at most, that are compared."""

DELTA = 1e-6
LOOK, CEILING = 0.2, 1000
BACK = dpsynth.Categorical(["<30", ">30", "no"])
"""Whether somebody comes back within 30 days of this visit, later, or not at all."""

AGAIN = dpsynth.Categorical(["<60", ">60", "no"])
"""Whether the same is measured again within 60 minutes, later, or not at all."""


def coming_back(rows: pd.DataFrame, who: list[str], when: str, soon: int) -> pd.Series:
    """For each row whether the next one of the same unit is nearer than `soon`: days of dates, or numbers."""
    ordered = rows.sort_values([*who, when])
    gap = ordered.groupby(who)[when].shift(-1) - ordered[when]
    gap = gap.dt.days if gap.dtype.kind == "m" else gap
    found = np.where(gap.isna(), "no", np.where(gap < soon, f"<{soon}", f">{soon}"))
    return pd.Series(found, index=ordered.index).reindex(rows.index)


def invoices() -> tuple[pd.DataFrame, dpsynth.Schema]:
    lines = pd.read_parquet(require_data() / "online_retail" / "data.parquet").dropna(subset="CustomerID")
    lines["paid"] = lines["Quantity"] * lines["UnitPrice"]
    grouped = lines.groupby("InvoiceNo")
    rows = grouped.agg(
        who=("CustomerID", "first"), day=("InvoiceDate", "min"), paid=("paid", "sum"), lines=("paid", "size")
    )
    rows = rows[rows["paid"] > 0].reset_index(drop=True)
    rows["back"] = coming_back(rows, ["who"], "day", 30)
    columns = {
        "day": dpsynth.Datetime("2010-12-01", "2011-12-31"),
        "paid": dpsynth.Numeric(0, 20_000, decimals=2),
        "lines": dpsynth.Numeric(1, 500, integer=True),
        "back": BACK,
    }
    return rows, dpsynth.Schema(columns, unit=dpsynth.PrivacyUnit("who"))


def stays() -> tuple[pd.DataFrame, dpsynth.Schema]:
    """A few patients come often, and are older and sicker; most come once."""
    rng = np.random.default_rng(130)
    patients, wanted = 71_518, 101_766
    frailty = rng.gamma(0.28, 1.5, patients)
    held = 1 + rng.poisson(frailty)
    who = np.repeat(np.arange(patients), held)
    frail = np.log1p(frailty)[who]
    rows = pd.DataFrame(
        {
            "who": who,
            "day": pd.Timestamp("1999-01-01") + pd.to_timedelta(rng.integers(0, 3650 / (1 + 3 * frail)), unit="D"),
            "age": np.clip(rng.normal(60 + 8 * frail, 15), 0, 99).astype(int),
            "nights": np.clip(rng.poisson(3 + 2 * frail), 1, 14),
            "medicines": np.clip(rng.poisson(12 + 6 * frail), 1, 81),
        }
    )[:wanted]
    rows["back"] = coming_back(rows, ["who"], "day", 30)
    columns = {
        "age": dpsynth.Numeric(0, 99, integer=True),
        "nights": dpsynth.Numeric(1, 14, integer=True),
        "medicines": dpsynth.Numeric(1, 81, integer=True),
        "back": BACK,
    }
    return rows.drop(columns="day"), dpsynth.Schema(columns, unit=dpsynth.PrivacyUnit("who"))


def measurements() -> tuple[pd.DataFrame, dpsynth.Schema]:
    table = published("physionet2012_icu/measurements")
    rows = table.rows.rename(columns={table.whose: "who"})[["who", "Minutes", "Parameter"]]
    rows["back"] = coming_back(rows, ["who", "Parameter"], "Minutes", 60)
    rows["Parameter"] = rows["Parameter"].astype(str)
    columns = {name: replace(table.schema.columns[name], nullable=False) for name in ("Minutes", "Parameter")}
    return rows, dpsynth.Schema({**columns, "back": AGAIN}, unit=dpsynth.PrivacyUnit("who"))


def of_file(path: Path, who: str, back: str) -> tuple[pd.DataFrame, dpsynth.Schema]:
    """A table of one's own, of which the column on coming back is a category and all others are left out."""
    rows = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    rows = rows[[who, back]].rename(columns={who: "who", back: "back"}).astype({"back": str})
    values = sorted(rows["back"].unique())  # of a public table, for a benchmark alone: a fit would leak by it
    return rows, dpsynth.Schema({"back": dpsynth.Categorical(values)}, unit=dpsynth.PrivacyUnit("who"))


def distance(one: pd.Series, other: pd.Series, bins: Any = None) -> float:
    """Total variation distance of two columns; numbers and dates in twenty bins of the first one's ranks."""
    if bins is not None:
        one, other = (pd.Series(np.searchsorted(bins, each.to_numpy())) for each in (one, other))
    shares = (each.astype(str).value_counts(normalize=True) for each in (one, other))
    return float(next(shares).sub(next(shares), fill_value=0).abs().sum() / 2)


def bins_of(column: pd.Series) -> Any:
    if column.dtype == object or isinstance(column.dtype, pd.StringDtype):
        return None
    return np.unique(column.quantile(np.arange(0.05, 1, 0.05)).to_numpy())


def measured(
    rows: pd.DataFrame, schema: dpsynth.Schema, epsilons: list[float], seeds: int, numbers: Sequence[int] = MOST
) -> dict[str, Any]:
    found = []
    for most in numbers:
        unit = dpsynth.PrivacyUnit("who", most)
        kept = rows.iloc[bounded_rows(rows["who"], unit)]
        line: dict[str, Any] = {
            "max_records": most,
            "rows kept": len(kept) / len(rows),
            "back, cut alone": distance(rows["back"], kept["back"]),
            "releases": {},
        }
        for epsilon in epsilons:
            releases = [released(rows, schema, unit, epsilon, seed) for seed in range(seeds)]
            medians = {name: statistics.median(each[name] for each in releases) for name in releases[0]}
            line["releases"][f"{epsilon:g}"] = medians
        found.append(line)
        print(line, flush=True)
    look = dpsynth.rows_per_unit(rows, schema, epsilon=LOOK, delta=DELTA, ledger=None, ceiling=CEILING)
    return {
        "rows": len(rows),
        "people": int(rows["who"].nunique()),
        "most rows of a person": int(rows["who"].value_counts().max()),
        "recommended": look.recommended,
        "epsilon of the look": LOOK,
        "by max_records": found,
    }


def released(
    rows: pd.DataFrame, schema: dpsynth.Schema, unit: dpsynth.PrivacyUnit, epsilon: float, seed: int
) -> dict[str, float]:
    facts = dpsynth.Schema(schema.columns, unit=unit)
    made = dpsynth.Synthesizer(facts, "canopy", epsilon=epsilon, delta=DELTA, ledger=None).fit(rows)
    drawn = made.sample(min(len(rows), DRAWN), seed=seed)
    apart = {name: distance(rows[name], drawn[name], bins_of(rows[name])) for name in schema.columns}
    return {"back": apart["back"], "mean of columns": statistics.fmean(apart.values())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epsilons", type=float, nargs="+", default=[0.3, 1.0, 3.0])
    parser.add_argument("--table", type=Path, help="a .csv or .parquet file; nothing is written then")
    parser.add_argument("--id", default="patient_nbr")
    parser.add_argument("--back", default="readmitted")
    options = parser.parse_args()
    if options.table is not None:
        print(measured(*of_file(options.table, options.id, options.back), options.epsilons, options.seeds))
        return
    tables = {
        "online_retail, invoices": (invoices(), MOST),
        "physionet2012_icu, measurements": (measurements(), MANY),
        "stays, made up": (stays(), MOST),
    }
    results = {
        name: measured(*table, options.epsilons, options.seeds, numbers) for name, (table, numbers) in tables.items()
    }
    print(write(RESULTS / "units.json", {"seeds": options.seeds, "delta": DELTA, "tables": results}))


if __name__ == "__main__":
    main()
