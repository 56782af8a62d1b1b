"""Makes sdmetrics.json: figures of SDMetrics for two small tables, in an environment of its own.

python -m venv sdmetrics && sdmetrics/bin/pip install sdmetrics==0.32.0
sdmetrics/bin/python tests/golden/make_sdmetrics.py
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sdmetrics
from sdmetrics import column_pairs, single_column
from sdmetrics.reports.single_table import QualityReport

MEASURED = ("age", "income", "seen")
KINDS = {"age": "numerical", "income": "numerical", "seen": "datetime", "town": "categorical", "ill": "boolean"}


def table(seed: int, rows: int, shift: float) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = np.clip(rng.normal(50 + shift, 15, rows), 0, 100).round()
    income = np.where(rng.random(rows) < 0.1, np.nan, np.exp(rng.normal(8 + age / 50, 0.5)).round(2))
    town = rng.choice(["a", "b", "c", "d"][: 4 if shift else 3], rows)
    day = rng.integers(0, 300 + int(10 * shift), rows)
    return pd.DataFrame(
        {
            "age": age,
            "income": income,
            "seen": pd.Timestamp("2020-01-01") + pd.to_timedelta(day, unit="D"),
            "town": np.where(rng.random(rows) < 0.05, None, town),
            "ill": rng.random(rows) < age / 120,
        }
    )


def written(frame: pd.DataFrame) -> dict[str, list[Any]]:
    rows = frame.assign(seen=frame["seen"].dt.date.astype(str)).astype(object)
    return {name: [None if pd.isna(v) else v for v in rows[name]] for name in rows}


def column(name: str, real: pd.Series[Any], synthetic: pd.Series[Any]) -> dict[str, float]:
    if name in MEASURED:
        shape, coverage, adherence = (
            single_column.KSComplement,
            single_column.RangeCoverage,
            single_column.BoundaryAdherence,
        )
    else:
        shape, coverage, adherence = (
            single_column.TVComplement,
            single_column.CategoryCoverage,
            single_column.CategoryAdherence,
        )
    found = {"shape": shape, "coverage": coverage, "adherence": adherence}
    found["missing"] = single_column.MissingValueSimilarity
    return {key: float(metric.compute(real, synthetic)) for key, metric in found.items()}


def main() -> None:
    real, synthetic = table(1, 160, 0.0), table(2, 120, 6.0)
    report = QualityReport()
    report.real_correlation_threshold = report.real_association_threshold = 0  # every pair counts, as with us
    metadata = {"columns": {name: {"sdtype": kind} for name, kind in KINDS.items()}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report.generate(real, synthetic, metadata, verbose=False)
        properties = report.get_properties().set_index("Property")["Score"]
        record = {
            "program": f"sdmetrics {sdmetrics.__version__}",
            "real": written(real),
            "synthetic": written(synthetic),
            "columns": {name: column(name, real[name], synthetic[name]) for name in KINDS},
            "pearson": {
                f"{a}, {b}": column_pairs.CorrelationSimilarity.compute_breakdown(real[[a, b]], synthetic[[a, b]])
                for a, b in (("age", "income"), ("age", "seen"), ("income", "seen"))
            },
            "column_shapes": float(properties["Column Shapes"]),
            "pair_trends": float(properties["Column Pair Trends"]),
            "overall": float(report.get_score()),
        }
    text = json.dumps(record, default=float) + "\n"
    Path(__file__).with_name("sdmetrics.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
