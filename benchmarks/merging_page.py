"""The measured part of docs/merging.md, from benchmarks/results/merging.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import networks_page

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "merging.md"
RESULTS = ROOT / "benchmarks" / "results" / "merging.json"


def page(text: str) -> str:
    """The page, with its figures as they were measured."""
    return networks_page.replaced(text, "merging", measured(json.loads(RESULTS.read_text())["results"]))


def measured(results: dict[str, Any]) -> str:
    conflicts, half = results["conflicts"], results["rows"] // 2
    lines = [
        "| epsilon | half of the rows | both halves, added | all rows | two of all rows, averaged | CPU s of a merge |",
        "|---|---|---|---|---|---|",
    ]
    for row in results["distances"]:
        shown = " | ".join(f"{100 * row[name]:.2f} %" for name in ("half", "added", "whole", "average"))
        lines.append(f"| {row['epsilon']:g} | {shown} | {row['CPU s']:.1f} |")
    table, mechanism, rows = results["table"], results["mechanism"], f"{results['rows']:,}"
    told = (
        f"{rows} rows of `{table}`, fits by `{mechanism}`: the mean distance of pairs of columns from these rows, of"
        f" {results['seeds']} seeds. The halves are disjoint, so that a merge of two promises what the fit of all rows"
        " does. (`benchmarks/merging.py`)"
    )
    clean, compared, planted = conflicts["clean"], f"{conflicts['comparisons']:,}", conflicts["planted"]
    named = (
        f"Of {clean} pairs of halves of {half:,} rows, {conflicts['named']} had a conflict that was named, of"
        f" {compared} comparisons. Where two codes of a column were exchanged in one half, it was named in"
        f" {conflicts['found']} of {planted}."
    )
    return "\n\n".join([told, "\n".join(lines), named])
