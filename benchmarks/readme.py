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
from statistics import geometric_mean
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
WAYS = ("1-way", "2-way", "3-way")


def figures() -> str:
    utility, raw = load("utility"), load("raw_tables")
    counting, noise, sampling = load("counting"), load("noise"), load("sampling")
    rows = utility["results"]["rows"]
    parts = [
        f"Machine: {utility['machine']['processor']}, {utility['machine']['cores']} cores, shared with others; commit"
        f" {utility['commit']}. Made by `benchmarks/`, written here by `benchmarks/readme.py`.",
        "**Discrete tables, delta 1e-9**: total-variation distance from the real table, mean over all one-way (1), all"
        " two-way (2) and 200 fixed three-way (3) marginals, and CPU seconds of the fit. Ours: mean of"
        f" {utility['results']['seeds']} seeds through the front door (± their standard deviation). Smaller is better."
        " *Bootstrap* is the real table drawn anew, *exact* has independent columns and no noise; neither is private."
        " *Best peer*: for each cell the smallest that any peer reached within 600 CPU s, one seed, and the CPU seconds"
        " of the one that is best on three-way marginals (`results/peers.json`, `results/peers_earlier.json`).",
    ]
    for epsilon in sorted({r["epsilon"] for r in rows if "epsilon" in r}):
        parts += [f"*Epsilon {epsilon:g}.* {summary(rows, epsilon)}", table(rows, epsilon)]
    parts += [
        "**Raw tables of mixed types, epsilon 1, delta 1e-9**, schema from their publishers' documentation alone."
        " One-way distance on at most 20 bins a column.",
        raw_rows(raw["results"]["tables"]),
        f"**Counting**: {counting['results']['ours ns']:.1f} ns a row and two-way marginal"
        f" ({counting['results']['rows']:,} rows, 105 pairs), against"
        f" {counting['results']['fused bincount ns']:.1f} for numpy's bincount on fused codes in the same run."
        f" **Noise**: {noise_line(noise['results'])} **Sampling**: {sampling_line(sampling['results'])}",
    ]
    return "\n\n".join(parts)


def table(rows: list[dict[str, Any]], epsilon: float) -> str:
    lines = [
        line("table", "", "bootstrap", "exact", "independent", "mst", "canopy", "best peer", "CPU s: canopy", "peer"),
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(r["table"] for r in rows):
        own = {r["mechanism"]: r for r in rows if r["table"] == name and r.get("epsilon", epsilon) == epsilon}
        peers = [p for p in every_peer() if p["table"] == name and p["epsilon"] == epsilon]
        for way in WAYS:
            best = min(peers, key=lambda p: p[way], default=None)
            ours = (cell(own[k], way) for k in ("bootstrap", "exact independent", "independent", "mst", "canopy"))
            last = way == "3-way"
            lines.append(
                line(
                    name if way == "1-way" else "",
                    way[0],
                    *ours,
                    f"{best[way]:.4f} ({best['method']})" if best else "none finished",
                    cpu(own["canopy"]) if last else "",
                    f"{best['fit CPU s']:.0f}" if best and last else "",
                )
            )
    return "\n".join(lines)


def summary(rows: list[dict[str, Any]], epsilon: float) -> str:
    """How canopy compares with the best peer on three-way marginals, over the tables where one finished."""
    ratios, times = [], []
    for name in dict.fromkeys(r["table"] for r in rows):
        peers = [p for p in every_peer() if p["table"] == name and p["epsilon"] == epsilon]
        found = [r for r in rows if (r["table"], r["mechanism"], r.get("epsilon")) == (name, "canopy", epsilon)]
        if peers and found:
            best = min(peers, key=lambda p: p["3-way"])
            ratios.append(found[0]["3-way"]["mean"] / best["3-way"])
            times.append(found[0]["fit CPU s"]["mean"] / best["fit CPU s"])
    return (
        f"Against the best peer, `canopy`'s three-way distance is {1 - geometric_mean(ratios):.0%} smaller"
        f" (geometric mean of {len(ratios)} tables) in 1/{1 / geometric_mean(times):.0f} of its CPU time."
    )


def every_peer() -> list[dict[str, Any]]:
    """Every run of a peer that finished, with the CPU seconds of its fit."""
    finished = [r for r in load("peers")["results"]["rows"] if r["outcome"] == "finished" and r["split"] == "all"]
    return [r for r in finished if not r["method"].startswith("dpsynth/")] + load("peers_earlier")["rows"]


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


def sampling_line(results: dict[str, Any]) -> str:
    codes, frame = results["mst"], results["mst to DataFrame"]
    return (
        f"{results['rows']:,} rows of {results['columns']} columns from mst's model of adult take"
        f" {codes['CPU s']:.1f} CPU s as codes, {frame['CPU s']:.1f} as a DataFrame."
    )


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
