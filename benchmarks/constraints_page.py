"""The table of docs/constraints.md, from `results/constraints.json`. `readme.py` writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import networks_page

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "constraints.md"


def page(text: str) -> str:
    """The page with its block as the file has it."""
    return networks_page.replaced(text, "constraints", block())


def block() -> str:
    results = json.loads((ROOT / "benchmarks" / "results" / "constraints.json").read_text())["results"]
    together = {name: results[name]["all together"] for name in ("canopy", "independent")}
    lines = [
        "| constraint | rows that keep it | without | time of `canopy` | of `independent` | distance | without |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind, found in results["canopy"].items():
        other = results["independent"][kind]
        lines.append(
            f"| {kind} | {100 * min(found['satisfied'], other['satisfied']):g} %"
            f" | {100 * found['satisfied without']:.1f} % | {change(found)} | {change(other)}"
            f" | {found['distance']:.4f} | {found['distance without']:.4f} |"
        )
    slowest = {name: max(results[name].values(), key=lambda each: each["ratio"]) for name in together}
    rows, columns, seeds, turns = (results[name] for name in ("rows", "columns", "seeds", "turns"))
    explained = (
        f"{rows:,} made-up visits of {columns} columns, epsilon 1, as many rows drawn from each of {seeds} fits"
        " (`benchmarks/constraints.py`). Rows that keep it: by tests that share no code with what draws the rows, the"
        " least of all fits; *without*: of rows of `canopy` without the constraint. Time: CPU seconds of `sample`"
        f" against the same schema without the constraint, medians of {turns} turns. Distance: mean two-way distance to"
        " the input of the columns that are in no constraint, by `canopy`."
    )
    told = (
        f"With `canopy` all together take {share(together['canopy'])} of the time without them (fewer columns are"
        f" modelled, other tables measured), and the slowest kind {share(slowest['canopy'])}. With `independent` these"
        f" are {share(together['independent'])} and {share(slowest['independent'])}: it knows no"
        " dependence, so that many rows break an implication and are drawn again. Part of each figure is that another"
        " model was fitted."
    )
    return "\n".join([explained, "", *lines, "", told])


def change(found: dict[str, Any]) -> str:
    """How much longer or shorter a sample takes."""
    return f"{100 * (found['ratio'] - 1):+.0f} %"


def share(found: dict[str, Any]) -> str:
    """Of the time without a constraint."""
    return f"{100 * found['ratio']:.0f} %"
