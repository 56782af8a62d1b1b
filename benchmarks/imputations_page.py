"""The measured part of docs/answers.md on imputations, from benchmarks/results/imputations.json."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import networks_page

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "imputations.json"


def added(text: str) -> str:
    """The page, with its figures as they were measured."""
    return networks_page.replaced(text, "imputations", measured(json.loads(RESULTS.read_text())["results"]))


def measured(results: dict[str, Any]) -> str:
    lines = [
        "| mechanism | epsilon | analysis | releases | covered | intervals hold | not covered, would hold | naive |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rates: list[float] = []
    others: list[float] = []
    naive: list[float] = []
    for mechanism, by_epsilon in results["found"].items():
        for epsilon, by_table in by_epsilon.items():
            releases = sum(cell["releases"] for cell in by_table.values())
            whole: dict[str, Counter[str]] = {}
            for cell in by_table.values():
                for kind, counts in cell["kinds"].items():
                    whole.setdefault(kind, Counter()).update(counts)
            for kind, found in whole.items():
                outside = found["coefficients"] - found["measured"]
                held = found["held"] / found["measured"] if found["measured"] else None
                other = found["held, not measured"] / outside if outside else None
                rates += [held] if held is not None else []
                others += [other] if other is not None else []
                naive.append(found["naive"] / found["coefficients"])
                share = f"{found['measured'] / found['coefficients']:.0%}"
                shown = " | ".join("-" if rate is None else f"{rate:.2f}" for rate in (held, other, naive[-1]))
                lines.append(f"| {mechanism} | {epsilon} | {kind} | {releases} | {share} | {shown} |")
    told = (
        f"Releases of {results['rows']:,} rows, each drawn anew from one of two real tables"
        f" ({' and '.join(next(iter(next(iter(results['found'].values())).values())))}), four columns each;"
        f" {results['imputations']} imputations; {results['level']:.0%} intervals for the population. Where noisy"
        f" counts cover an analysis, intervals hold in {min(rates):.2f} to {max(rates):.2f} of coefficients. Where"
        f" they do not, the same rules would hold in as few as {min(others):.2f}, so that there is no interval."
        f" Naive intervals, of one synthetic table as if it were real, hold in {min(naive):.2f} to {max(naive):.2f}."
        " 100 releases with one coefficient each give a rate of 0.9 a standard error of 0.03. The two limits that"
        " say what is covered (the share of rows in merged cells, and how far noise moves a column) were chosen on"
        " earlier releases of the same tables. (`benchmarks/imputations.py`)"
    )
    return f"{told}\n\n" + "\n".join(lines)
