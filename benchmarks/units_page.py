"""The measured part of docs/units.md, from benchmarks/results/units.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import networks_page

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "units.md"
RESULTS = ROOT / "benchmarks" / "results" / "units.json"
EPSILONS = ("0.3", "1", "3")


def page(text: str) -> str:
    """The page, with its figures as they were measured."""
    return networks_page.replaced(text, "units", measured(json.loads(RESULTS.read_text())["results"]))


def measured(results: dict[str, Any]) -> str:
    parts = []
    for name, found in results["tables"].items():
        by_most = {line["max_records"]: line for line in found["by max_records"]}
        one, five = (by_most[most]["releases"]["1"]["back"] for most in (1, 5))
        recommended = found["recommended"]
        look = "recommends nothing" if recommended is None else f"recommends {recommended}"
        parts += [
            f"**{name.capitalize()}**: {found['rows']:,} rows of {found['people']:,} units, at most"
            f" {found['most rows of a person']}. In a release at epsilon 1 coming back is {one:.3f} off with one record"
            f" a unit and {five:.3f} with five. `dpsynth unit` at epsilon {found['epsilon of the look']:g} {look}.",
            table(by_most),
        ]
    return "\n\n".join(parts)


def table(by_most: dict[int, dict[str, Any]]) -> str:
    heads = [*(f"in a release, epsilon {e}" for e in EPSILONS), *(f"mean of columns, epsilon {e}" for e in EPSILONS)]
    lines = [["max_records", "rows kept", "by the cut alone", *heads], ["---"] * (3 + len(heads))]
    for most, found in by_most.items():
        figures = [found["releases"][epsilon][name] for name in ("back", "mean of columns") for epsilon in EPSILONS]
        cut = [f"{100 * found['rows kept']:.0f} %", f"{found['back, cut alone']:.3f}"]
        lines.append([str(most), *cut, *(f"{figure:.3f}" for figure in figures)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
