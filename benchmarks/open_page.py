"""What docs/figures.md says of categories that a fit finds, from benchmarks/results/open_categories.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results" / "open_categories.json"


def section() -> list[str]:
    """The parts of the section, without its heading."""
    results = json.loads(RESULTS.read_text())["results"]
    alone = sum(group["found"]["1"] for group in results["groups"])
    return [
        "Columns of which nobody listed the categories (`OpenCategorical`), by `independent` at delta 1e-6, each fit in"
        " an account of its own. Found: the share of categories that so many people have each, one row a person. Of"
        f" 100,000 that one person has each, {'none' if alone == 0 else 'some'} was found in any fit."
        " (`benchmarks/open_categories.py`)",
        groups(results["groups"]),
        "Of real tables, and of made-up diagnoses, as if nobody knew their categories: how many are found, and which"
        " part of the rows keep their value, keep a prefix of it, or become `OTHER`.",
        tables(results["tables"]),
        "The number of distinct values changes neither threshold nor cost, only time and memory. One fit at epsilon 1:",
        distinct(results["by distinct"]),
    ]


def groups(found: list[dict[str, Any]]) -> str:
    held = [each for each in found[0]["found"] if each != "1"]
    heads = ["epsilon", "half are found at", *(f"{int(each):,} people" for each in held)]
    lines = [[f"{g['epsilon']:g}", f"{g['threshold']:,}", *(f"{g['found'][each]:.2f}" for each in held)] for g in found]
    return table(heads, lines)


def tables(found: list[dict[str, Any]]) -> str:
    heads = ["table, unit", "column", "distinct", "epsilon", "half at", "found", "kept", "prefix", "`OTHER`"]
    lines = []
    for each in found:
        levels = f", levels {each['levels']}" if each["levels"] else ""
        shares = [f"{abs(each[name]):.2f}" for name in ("kept", "parent", "other")]
        facts = [f"{each['epsilon']:g}", f"{each['threshold']:,}", f"{each['found']:,.1f}".removesuffix(".0")]
        lines.append([each["table"], each["column"] + levels, f"{each['distinct']:,}", *facts, *shares])
    return table(heads, lines)


def distinct(found: list[dict[str, Any]]) -> str:
    heads = ["distinct values", "half at", "epsilon spent", "CPU seconds", "MB at the peak"]
    lines = []
    for each in found:
        takes = [f"{each['seconds']:.1f}", f"{each['megabytes']:,.0f}"]
        lines.append([f"{each['distinct']:,}", str(each["threshold"]), f"{each['epsilon']:.3f}", *takes])
    return table(heads, lines)


def table(heads: list[str], lines: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heads, ["---"] * len(heads), *lines])
