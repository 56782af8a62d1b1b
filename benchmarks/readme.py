"""Writes the figures in README.md from the JSON files of the benchmarks, so that no figure is typed by hand.

python benchmarks/readme.py            # rewrite README.md
python benchmarks/readme.py --check    # exit code 1 if it would change
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PEERS = {  # measured on the same table, metric and budget, one seed; CPU seconds of the fit
    "google/dpsynth 0.3.0, MST": (0.0166, 0.0692, 0.1389, 46.3),
    "google/dpsynth 0.3.0, SWIFT": (0.0120, 0.0463, 0.0996, 241.7),
    "mbi 1.0.0, MST": (0.0086, 0.0524, 0.1140, 141.3),
    "smartnoise-synth 1.0.8, MST": (0.0080, 0.1359, 0.3011, 97.0),
}


def figures() -> str:
    utility, raw = load("utility"), load("raw_tables")
    counting, noise = load("counting"), load("noise")
    parts = [
        f"Machine: {utility['machine']['processor']}, {utility['machine']['cores']} cores, shared with others; commit"
        f" {utility['commit']}. Made by `benchmarks/`, written here by `benchmarks/readme.py`.",
        "**Adult, 14 discrete columns, epsilon 1, delta 1e-9** (48,842 rows): mean total-variation distance from the"
        " real table over all one-way, all two-way and 200 fixed three-way marginals, and CPU seconds of the fit; ours"
        f" the mean of {utility['results']['seeds']} seeds through the front door. Smaller is better. The bootstrap is"
        " the real table drawn anew; exact independent columns are not private.",
        adult_table(utility["results"]["rows"]),
        "**Other discrete tables, epsilon 1, delta 1e-9**: three-way distance, and CPU seconds of the fit.",
        other_tables(utility["results"]["rows"]),
        "**Raw tables of mixed types, epsilon 1, delta 1e-9**, schema from their publishers' documentation alone."
        " One-way distance on at most 20 bins a column.",
        raw_rows(raw["results"]["tables"]),
        f"**Counting**: {counting['results']['ours ns']:.1f} ns a row and two-way marginal"
        f" ({counting['results']['rows']:,} rows, 105 pairs), against"
        f" {counting['results']['fused bincount ns']:.1f} for numpy's bincount on fused codes in the same run."
        f" **Noise**: {noise_line(noise['results'])}",
    ]
    return "\n\n".join(parts)


def adult_table(rows: list[dict[str, Any]]) -> str:
    lines = ["| | 1-way | 2-way | 3-way | fit, CPU s |", "|---|---|---|---|---|"]
    for row in rows:
        if row["table"] == "adult_discretised" and row.get("epsilon", 1.0) == 1.0:
            ours = "" if "epsilon" not in row else "dpsynth, "
            lines.append(line(f"{ours}{row['mechanism']}", *(cell(row, k) for k in WAYS), cpu(row)))
    lines += [line(name, *(f"{x:.4f}" for x in p[:3]), f"{p[3]:.0f}") for name, p in PEERS.items()]
    return "\n".join(lines)


WAYS = ("1-way", "2-way", "3-way")


def other_tables(rows: list[dict[str, Any]]) -> str:
    names = dict.fromkeys(r["table"] for r in rows if r["table"] != "adult_discretised")
    kinds = ("bootstrap", "exact independent", "independent", "mst")
    lines = [line("", *kinds, "mst fit, CPU s"), "|---|---|---|---|---|---|"]
    for name in names:
        own = {r["mechanism"]: r for r in rows if r["table"] == name and r.get("epsilon", 1.0) == 1.0}
        lines.append(line(name, *(cell(own[k], "3-way") for k in kinds), cpu(own["mst"])))
    return "\n".join(lines)


def raw_rows(tables: list[dict[str, Any]]) -> str:
    lines = [
        "| | rows | columns | bounds learned | mean 1-way | worst column | fit, CPU s |",
        "|---|---|---|---|---|---|---|",
    ]
    for t in tables:
        worst = max(t["1-way"], key=t["1-way"].get)
        own = (f"{t['rows']:,}", t["columns"], t["bounds learned"], f"{t['mean 1-way']:.4f}")
        lines.append(line(t["table"], *own, f"{worst} {t['1-way'][worst]:.3f}", f"{t['fit CPU s']:.1f}"))
    return "\n".join(lines)


def noise_line(results: dict[str, Any]) -> str:
    rates = {r["stddev"]: r["draws_per_cpu_second"] / 1e6 for r in results["rounded_gaussian"]}
    chosen = ", ".join(f"{rate:.0f} million at {stddev:g}" for stddev, rate in rates.items())
    return f"rounded Gaussian draws a CPU second, the operating system's randomness included, by stddev: {chosen}."


def cell(row: dict[str, Any], way: str) -> str:
    spread = f" ± {row[way]['sd']:.4f}" if row[way]["sd"] else ""
    return f"{row[way]['mean']:.4f}{spread}"


def cpu(row: dict[str, Any]) -> str:
    return f"{row['fit CPU s']['mean']:.2f}" if "fit CPU s" in row else ""


def line(*cells: Any) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def load(name: str) -> dict[str, Any]:
    return json.loads((RESULTS / f"{name}.json").read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    readme = ROOT / "README.md"
    old = readme.read_text()
    block = f"<!-- figures -->\n\n{figures()}\n\n<!-- /figures -->"
    lines = sum(len(f.read_text().splitlines()) for f in (ROOT / "dpsynth" / "privacy").glob("*.py"))
    counted = re.sub(r"(<!-- kernel-lines -->)[\d,]+", rf"\g<1>{lines:,}", old)
    new = re.sub(r"<!-- figures -->.*<!-- /figures -->", lambda _: block, counted, flags=re.S)
    if options.check:
        sys.exit(new != old)
    readme.write_text(new)


if __name__ == "__main__":
    main()
