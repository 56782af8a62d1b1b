"""The part of the page of figures on tables of ten million rows and more, and what follows from it for a billion."""

from __future__ import annotations

from typing import Any

BILLION = 10**9


def section(small: dict[str, Any], large: dict[str, Any], spark: list[dict[str, Any]]) -> list[str]:
    """small, large: what `scale.py` found of ten and of a hundred million rows; spark: what `scale_spark.py` found."""
    return [
        "15 columns like Adult's, at epsilon 1, each job by a program of its own. The floor is what reading, coding and"
        " counting the pairs of columns takes alone. (`benchmarks/scale.py`)",
        _table("rows", [(f"{each['rows']:,}", name, facts) for each in (small, large) for name, facts in _fits(each)]),
        f"`canopy` of {small['database rows']:,} rows, by where they are:",
        _table("from", [(name, "", facts) for name, facts in small["in a database"].items()]),
        "Writing rows of `canopy` into Parquet files; the files of one and of two threads are the same:",
        _table(
            "rows",
            [
                (f"{each['written rows' if 'written rows' in each else 'rows']:,}", f"{threads} at a time", facts)
                for each in (small, large)
                for threads, facts in each["written"].items()
                if threads.isdigit()
            ],
        ),
        _extrapolated(small, large, [table for result in spark for table in result["tables"]]),
    ]


def _fits(found: dict[str, Any]) -> list[tuple[str, dict[str, float]]]:
    return [("the floor", found["floor"]), *found["Parquet"].items()]


def _table(title: str, rows: list[tuple[str, str, dict[str, float]]]) -> str:
    lines = [f"| {title} | | CPU s | MB | time (s) |", "|---|---|---|---|---|"]
    for one, other, facts in rows:
        lines.append(f"| {one} | {other} | {facts['CPU s']:.1f} | {facts['peak MB']:,.0f} | {facts['wall s']:.0f} |")
    return "\n".join(lines)


def _extrapolated(small: dict[str, Any], large: dict[str, Any], spark: list[dict[str, Any]]) -> str:
    own = [(each["rows"], each["Parquet"]["canopy"]["CPU s"]) for each in (small, large)]
    tasks = sorted((table["rows"], table["files"]["spark"]["cpu"]) for table in spark if "files" in table)
    return (
        "**A billion rows were not measured.** On the straight line through the two sizes that were, `canopy` would"
        f" take {_on_line(own):,.0f} CPU seconds from Parquet files, and {_on_line(tasks):,.0f} on Spark, from"
        f" {tasks[0][0]:,} and {tasks[-1][0]:,} rows."
    )


def _on_line(sizes: list[tuple[int, float]]) -> float:
    (few, least), (many, most) = sizes[0], sizes[-1]
    return most + (most - least) / (many - few) * (BILLION - many)
