"""The section of docs/figures.md on tables of a thousand columns and more, from the results of `wide.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

TITLES = ("mechanism", "CPU s", "planned", "MB", "planned", "columns", "pairs of a group", "other pairs")


def section(records: Sequence[dict[str, Any]]) -> list[str]:
    """records: what `wide.py` found, one for each number of columns."""
    found = [
        "Columns of eight levels in groups of ten that follow each other; errors are total variation distances, and the"
        " plan was made from the schema before (`benchmarks/wide.py`)."
    ]
    for record in records:
        for name, mechanisms in record.items():
            if isinstance(mechanisms, dict):
                lines = [f"| {' | '.join(TITLES)} |", "|---" * len(TITLES) + "|"]
                lines += [f"| {each} | {' | '.join(_facts(row))} |" for each, row in mechanisms.items()]
                found += [f"{record['rows']:,} rows of {name}:", "\n".join(lines)]
    return found


def _facts(row: dict[str, Any]) -> list[str]:
    least, most = row["plan"]["seconds"]
    errors = [f"{row[f'error of {what}']:.3f}" for what in ("columns", "related pairs", "other pairs")]
    planned = f"{row['plan']['megabytes']:,.0f}"
    return [f"{row['CPU s']:.0f}", f"{least:.0f} to {most:.0f}", f"{row['peak MB']:,.0f}", planned, *errors]
