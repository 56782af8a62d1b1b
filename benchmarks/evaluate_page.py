"""The section of docs/figures.md on `evaluate`, from `results/evaluate.json`; `readme.py` writes it."""

from __future__ import annotations

from typing import Any


def section(results: dict[str, Any], wide: dict[str, Any]) -> list[str]:
    cost, models, planted, limits = (results[part] for part in ("cost", "models", "planted", "limits"))
    false = ["| real rows | synthetic rows | comparisons | with a false finding |", "|---|---|---|---|"]
    for row in results["false findings"]:
        false.append(f"| {row['real']:,} | {row['synthetic']:,} | {row['comparisons']} | {row['wrong']} |")
    told = ["| planted | tables | told as kept | as lost | as invented | as undecided |", "|---|---|---|---|---|---|"]
    for row in planted:
        invented = "not looked for" if row["kind"] == "sum" else row["invented"]
        told.append(
            f"| {row['kind']} | {row['plantings']} | {row['kept']} | {row['lost']} | {invented} | {row['undecided']} |"
        )
    survival = results["survival"]
    clean = [f"{row['wrong']} of {row['comparisons']}" for row in results["false regions"]]
    regions = [
        f"{row['told']} of {row['plantings']} where it has {100 * row['share']:.1f} % of the real rows"
        for row in results["planted regions"]
    ]
    costs = [f"{each['CPU s']:.0f} CPU s of {each['columns']}" for each in wide["costs"]]
    pairs = wide["costs"][-1]["pairs"]
    return [
        f"`evaluate` of {cost['rows']:,} made-up rows of {cost['columns']} columns beside as many takes"
        f" {cost['CPU s']:.0f} CPU s, and its two files {cost['CPU s of the page']:.1f} more: a page of"
        f" {cost['page bytes'] / 1e6:.1f} MB, and JSON of {cost['JSON bytes'] / 1e6:.1f} MB."
        f" Models of a target, with {models['groups']} groups and a holdout of as many rows, take"
        f" {models['CPU s']:.0f} CPU s more; the benchmark fails over {limits['CPU s']} CPU s, and over"
        f" {limits['CPU s with models']} with these models."
        f" Models of a time until an event take {survival['CPU s']:.0f} CPU s, and {survival['analyses']} analyses"
        f" {survival['CPU s of analyses']:.1f}."
        " (`benchmarks/evaluate.py`)",
        f"Of more than 100 columns {pairs:,} pairs are compared, as many as 100 have: as many rows take"
        f" {' columns, and '.join(costs)} (`benchmarks/evaluate.py --wide`).",
        "**Patterns where nothing was planted**: two samples of one law, 12 columns. A lost or invented pattern there"
        " is a false finding.",
        "\n".join(false),
        "**Patterns that were planted** in 5,000 rows of the same laws: in both tables, in the real one alone, in the"
        " release alone. So often was the right fate told:",
        "\n".join(told),
        f"**Blind spots**: in comparisons of clean tables of {_sizes(results)} rows one was told in"
        f" {', '.join(clean)}. Of a corner of two columns that the release lacks but for a tenth, in tables of"
        f" 10,000 rows, it was told in {'; in '.join(regions)}.",
    ]


def _sizes(results: dict[str, Any]) -> str:
    return ", ".join(f"{row['real']:,} and {row['synthetic']:,}" for row in results["false regions"])
