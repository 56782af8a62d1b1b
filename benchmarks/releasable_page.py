"""The measured part of docs/quality.md, from benchmarks/results/releasable.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import networks_page

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "quality.md"
RESULTS = ROOT / "benchmarks" / "results" / "releasable.json"
PARTS = {"columns": "single columns", "pairs": "pairs", "triples": "triples"}


def page(text: str) -> str:
    """The page, with its figures as they were measured."""
    return networks_page.replaced(text, "releasable", measured(json.loads(RESULTS.read_text())["results"]))


def measured(results: dict[str, Any]) -> str:
    lines = [
        "| epsilon of the fit | of the report | mean distance of | exact | reported | from | to | reach of one set |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for each in results["by epsilon"]:
        for part, words in PARTS.items():
            found = each["means"][part]
            shown = [found[name] for name in ("exact", "reported", "low", "high", "reach of one")]
            figures = " | ".join(f"{100 * value:.2f} %" for value in shown)
            budgets = f"{each['epsilon of the fit']:g} | {each['epsilon of the report']:.2g}"
            lines.append(f"| {budgets} | {words} | {figures} |")
    held = {part: [each["held"][part] for each in results["by epsilon"]] for part in (*PARTS, "means")}
    single = [rate for part in PARTS for rate in held[part]]
    numbers = sum(sum(each["numbers held"][part] for part in PARTS) for each in results["by epsilon"])
    back = [each["held back"] for each in results["by epsilon"]]
    reaches = ", ".join(f"{100 * each['distance']:.2f} ± {100 * each['reach']:.3f} %" for each in back)
    fits = ", ".join(f"{each['epsilon of the fit']:g}" for each in results["by epsilon"])
    return "\n".join(
        [
            f"{results['rows']:,} made-up rows of {results['columns']} columns, released by `canopy`; reports of a"
            f" twentieth of the fit's cost at {results['level']:.0%}. The last column is how far the interval of a"
            " single set reaches to both sides. (`benchmarks/releasable.py`)",
            "",
            *lines,
            "",
            f"Of {numbers:,} intervals of single sets {min(single):.3f} to {max(single):.3f} held the exact distance;"
            f" of those of means {min(held['means']):.3f} or more, as they allow for the row count besides. A report"
            f" took at most {max(each['CPU s'] for each in results['by epsilon']):.1f} CPU s. The figure that each of"
            f" these fits held back a twentieth for: {reaches} at epsilon {fits}.",
        ]
    )
