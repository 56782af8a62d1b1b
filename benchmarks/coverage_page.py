"""The measured part of docs/answers.md, from benchmarks/results/coverage.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import imputations_page
import networks_page

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "answers.md"
RESULTS = ROOT / "benchmarks" / "results" / "coverage.json"


def page(text: str) -> str:
    """The page, with its figures as they were measured."""
    text = networks_page.replaced(text, "coverage", measured(json.loads(RESULTS.read_text())["results"]))
    return imputations_page.added(text)


def measured(results: dict[str, Any]) -> str:
    lines = [
        "| table | epsilon | question | measured in | private rows | population | naive |",
        "|---|---|---|---|---|---|---|",
    ]
    rates: list[float] = []
    for table, by_epsilon in results["tables"].items():
        for epsilon, by_kind in by_epsilon.items():
            for kind, found in by_kind.items():
                held = [found[each] / found["measured"] for each in ("private rows", "population")]
                rates += held
                shown = " | ".join(f"{rate:.3f}" for rate in held)
                naive = found["naive"] / found["releases"]
                lines.append(f"| {table} | {epsilon} | {kind} | {found['measured']} | {shown} | {naive:.3f} |")
    naive = [f["naive"] / f["releases"] for t in results["tables"].values() for f in t["0.1"].values()]
    told = (
        f"Releases by `{results['mechanism']}` of {results['rows']:,} rows, each drawn anew from a real table;"
        f" {results['level']:.0%} intervals; 500 releases a line, so that a rate of 0.9 has a standard error of 0.013"
        f" where all measured the question. Rates lie from {min(rates):.3f} to {max(rates):.3f}. Naive intervals, from"
        f" as many synthetic rows as if they were real, hold the truth of the population in {min(naive):.2f} to"
        f" {max(naive):.2f} of releases at epsilon 0.1. (`benchmarks/coverage.py`)"
    )
    return f"{told}\n\n" + "\n".join(lines)
