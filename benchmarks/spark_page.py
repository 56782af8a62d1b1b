"""The part of the page of figures that says what a fit costs on Spark."""

from __future__ import annotations

from typing import Any

KINDS = {
    "files": "Parquet files, read by the tasks",
    "one": "the same, one task at a time",
    "frame": "another frame, read by Spark",
    "ids": "Parquet files, with ids",
    "worker": "a cluster of its own, one worker of one core",
    "workers": "the same, two workers of one core",
}


def section(results: list[dict[str, Any]]) -> list[str]:
    """A sentence and a table."""
    rows = [
        f"| {table['rows']:,} | {words} | {each['memory']['cpu']:.1f} | {each['spark']['started']:.0f}"
        f" | {each['spark']['cpu']:.1f} | {each['spark']['cpu'] / each['memory']['cpu']:.1f}"
        f" | {each['spark']['seconds']:.0f} |"
        for table in (each for result in results for each in result["tables"])
        for kind, words in KINDS.items()
        if (each := table.get(kind)) is not None
    ]
    return [
        "`canopy` at epsilon 1 of 15 columns, on Spark as local[2] and without it: CPU seconds of all processes, and"
        " the time of the fit. The start of Spark is that of the JVM, of its first task and of a Python worker, and is"
        " there once for all fits. (`benchmarks/scale_spark.py`)",
        "\n".join(
            [
                "| rows | of | without Spark | start of Spark | fit on Spark | ratio without the start | time (s) |",
                "|---|---|---|---|---|---|---|",
                *rows,
            ]
        ),
    ]
