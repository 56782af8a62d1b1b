"""Writes the figures and counts in README.md and on the pages of docs/ from the benchmarks' JSON files, none by hand.

python benchmarks/readme.py            # rewrite all
python benchmarks/readme.py --check    # exit code 1 if it would change
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
from pathlib import Path
from statistics import geometric_mean
from typing import Any

import audit_page
import constraints_page
import coverage_page
import evaluate_page
import images_page
import merging_page
import networks_page
import open_page
import raw_tables_page
import releasable_page
import scale_page
import spark_page
import units_page
import wide_page

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
KINDS = ("bootstrap", "exact independent", "independent", "mst", "aim", "canopy")
WAYS = ("1-way", "2-way", "3-way")


def short_figures() -> str:
    """What README shows: a sentence for each budget."""
    rows = load("utility")["results"]["rows"]
    return "\n".join(f"* Epsilon {e:g}: {summary(rows, e)}" for e in epsilons(rows))


def long_figures() -> str:
    """The page of all figures."""
    utility, raw, ablation = load("utility"), load("raw_tables"), load("ablation")
    counting, noise, sampling = load("counting"), load("noise"), load("sampling")
    rows = utility["results"]["rows"]
    spark = [load(name)["results"] for name in ("scale_spark", "scale_spark_large", "scale_spark_workers")]
    parts = ["# Figures", origin(utility), "## Distances", explained(utility)]
    for epsilon in epsilons(rows):
        parts += [f"### Epsilon {epsilon:g}", f"{summary(rows, epsilon)} {losses(rows, epsilon)}", table(rows, epsilon)]
    parts += [
        "## Downstream accuracy",
        downstream_text(),
        downstream_table(sorted({r["epsilon"] for r in load("downstream")["results"]["rows"] if r["epsilon"]})),
        "## What each choice of canopy is worth",
        "Each row replaces one choice by the plain alternative: three-way distance as a ratio to canopy as it is, mean"
        f" of {ablation['results']['seeds']} seeds, so that above 1 the choice pays. Last column: geometric mean."
        " (`benchmarks/ablation.py`)",
        ablation_table(ablation["results"]["rows"]),
        "## Raw tables of mixed types",
        *raw_tables_page.parts(raw["results"]["tables"]),
        "## Categories that nobody listed",
        *open_page.section(),
        "## Rare classes, small tables",
        *rare_and_small(load("rare_and_small")["results"]),
        "## Comparing a release with real rows",
        *evaluate_page.section(load("evaluate")["results"], load("evaluate_wide")["results"]),
        "## Images",
        *images_page.section(load("mnist"), load("image_faults")),
        "## Tables of a thousand columns and more",
        *wide_page.section([load(path.stem)["results"] for path in sorted(RESULTS.glob("wide*.json"))]),
        "## Speed",
        f"One core. {speed_line()}",
        f"**Counting**: {counting['results']['ours ns']:.1f} ns a row and two-way marginal"
        f" ({counting['results']['rows']:,} rows, 105 pairs), against"
        f" {counting['results']['fused bincount ns']:.1f} for numpy's bincount on fused codes in the same run. All"
        f" pairs of columns of 4,000 rows: {wide_line(counting['results']['wide'])}.",
        f"**Noise**: {noise_line(noise['results'])}",
        f"**Sampling**: {sampling_line(sampling['results'])}",
        speed_table(),
        "## Tables of ten million rows and more",
        *scale_page.section(load("scale")["results"], load("scale_huge")["results"], spark),
        "## Spark",
        *spark_page.section(spark),
    ]
    return "\n\n".join(parts) + "\n"


def origin(utility: dict[str, Any]) -> str:
    return (
        f"Machine: {utility['machine']['processor']}, {utility['machine']['cores']} cores, shared with others; commit"
        f" {utility['commit']}. Made by `benchmarks/`, written here by `benchmarks/readme.py`."
    )


def explained(utility: dict[str, Any]) -> str:
    return (
        "**Discrete tables, delta 1e-9**: total-variation distance from the real table, mean over all one-way (1), all"
        " two-way (2) and 200 fixed three-way (3) marginals, and CPU seconds of the fit. Ours: mean of"
        f" {utility['results']['seeds']} seeds through the front door (± their standard deviation). Smaller is better."
        " *Bootstrap* is the real table drawn anew, *exact* has independent columns and no noise; neither is private."
        " *Best peer*: for each cell the smallest that any peer reached within 600 CPU s, one seed, and the CPU seconds"
        " of the one that is best on three-way marginals (`results/peers.json`, `results/peers_earlier.json`)."
    )


def epsilons(rows: list[dict[str, Any]]) -> list[float]:
    return sorted({r["epsilon"] for r in rows if "epsilon" in r})


def losses(rows: list[dict[str, Any]], epsilon: float = 1.0) -> str:
    """Where a peer is nearer than canopy by more than its spread, or `independent` beyond single columns; in words."""
    lost = []
    for name in dict.fromkeys(r["table"] for r in rows):
        own = {r["mechanism"]: r for r in rows if r["table"] == name and r.get("epsilon") == epsilon}
        for way in WAYS:
            ours = round(own["canopy"][way]["mean"] - 2 * own["canopy"][way]["sd"], 4)  # as the earlier peers' figures
            peers = [p for p in every_peer() if p["table"] == name and p["epsilon"] == epsilon]
            rivals = {p["method"]: p[way] for p in peers}
            if way != "1-way":
                rivals["independent"] = own["independent"][way]["mean"]
            if rivals and ours > min(rivals.values()):
                lost.append(f"{name} {way} ({min(rivals, key=lambda m: rivals[m])})")
    alone = "`independent` spends everything on single columns and is nearer there."
    if not lost:
        return f"No peer is nearer than `canopy` anywhere by more than two standard deviations. {alone}"
    return f"Nearer than `canopy` by more than two standard deviations: {', '.join(lost)}. {alone}"


def downstream_text() -> str:
    return (
        "**Learning from the release**: area under the curve on real rows that were held out, of gradient boosting and"
        " of logistic regression trained on synthetic rows; *gap* to the same models trained on real rows."
        " `:target` has a workload that names the column to be predicted."
    )


def downstream_table(budgets: list[float]) -> str:
    rows = load("downstream")["results"]["rows"]
    lines = [
        line("table", "epsilon", "method", "boosting", "gap", "logistic", "gap", "seeds"),
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(r["table"] for r in rows):
        real = next(r for r in rows if r["table"] == name and r["method"] == "real")
        own = [r for r in rows if r["table"] == name and r["epsilon"] in budgets]
        for row in [real, *sorted(own, key=lambda r: (r["epsilon"], -r["AUC boosting"]["mean"]))]:
            cells = []
            for model in ("AUC boosting", "AUC logistic"):
                gap = real[model]["mean"] - row[model]["mean"]
                spread = f" ± {row[model]['sd']:.3f}" if row[model]["sd"] else ""
                cells += [f"{row[model]['mean']:.3f}{spread}", "" if row is real else f"{gap:.3f}"]
            epsilon = "" if row is real else f"{row['epsilon']:g}"
            method = row["method"].removeprefix("dpsynth/")
            lines.append(line(name if row is real else "", epsilon, method, *cells, row["seeds"]))
    return "\n".join(lines)


def ablation_table(rows: list[dict[str, Any]]) -> str:
    cases = list(dict.fromkeys((r["table"], r["epsilon"]) for r in rows))
    lines = [
        line("instead", *(f"{name} {epsilon:g}" for name, epsilon in cases), "all"),
        "|---" * (len(cases) + 2) + "|",
    ]
    for variant in dict.fromkeys(r["variant"] for r in rows):
        found = {(r["table"], r["epsilon"]): r["3-way"] for r in rows if r["variant"] == variant}
        lines.append(line(variant, *(f"{found[c]:.2f}" for c in cases), f"{geometric_mean(found.values()):.2f}"))
    return "\n".join(lines)


def speed_line() -> str:
    runs = load("speed")["results"]["measurements"]
    fits = [f"{r['mechanism']} {r['CPU s']:.1f}" for r in runs if r["work"] == "fit adult"]
    wide = [f"{r['mechanism']} {r['CPU s']:.0f} CPU s and {r['peak MB']} MB" for r in runs if r["work"] == "fit wide"]
    return f"CPU seconds to fit adult: {', '.join(fits)}; 233 columns of intensive care: {', '.join(wide)}."


def speed_table() -> str:
    lines = [line("work", "mechanism", "rows", "columns", "CPU s", "peak MB"), "|---|---|---|---|---|---|"]
    for r in load("speed")["results"]["measurements"]:
        seconds = f"{r['CPU s']:.2f}" if "CPU s" in r else r["outcome"]
        shape = (f"{r['rows']:,}", r["columns"]) if "rows" in r else ("", "")
        lines.append(line(r["work"], r["mechanism"], *shape, seconds if "rows" in r else "", r["peak MB"]))
    return "\n".join(lines)


def table(rows: list[dict[str, Any]], epsilon: float) -> str:
    lines = [
        line(
            "table",
            "",
            "bootstrap",
            "exact",
            "independent",
            "mst",
            "aim",
            "canopy",
            "best peer",
            "CPU s: canopy",
            "peer",
        ),
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(r["table"] for r in rows):
        own = {r["mechanism"]: r for r in rows if r["table"] == name and r.get("epsilon", epsilon) == epsilon}
        peers = [p for p in every_peer() if p["table"] == name and p["epsilon"] == epsilon]
        for way in WAYS:
            best = min(peers, key=lambda p: p[way], default=None)
            ours = (cell(own[k], way) for k in KINDS)
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


def rare_and_small(results: dict[str, Any]) -> list[str]:
    """What is kept of a rare class, and the spread of small tables over seeds."""
    rare = {name: f"{min(shares):.2f} to {max(shares):.2f}" for name, shares in results["rare"].items()}
    lines = ["| | rows | mechanism | mean | sd | best seed | worst seed |", "|---|---|---|---|---|---|---|"]
    for row in results["small"]:
        found = row["3-way"]
        figures = (statistics.mean(found), statistics.stdev(found), min(found), max(found))
        lines.append(line(row["table"], f"{row['rows']:,}", row["mechanism"], *(f"{x:.4f}" for x in figures)))
    seeds = len(results["small"][0]["3-way"])
    return [
        "Of about 500 frauds in 280,000 made-up transactions, all of which happen before six in the morning, this share"
        f" does in `canopy`'s release at epsilon 1, over {len(results['rare']['default'])} seeds: {rare['default']} by"
        f" default, {rare['target']} with the column named as the target. Of all transactions it is a quarter."
        " (`benchmarks/rare_and_small.py`)",
        f"Three-way distance of small tables at epsilon 1, delta 1e-9, {seeds} seeds:",
        "\n".join(lines),
    ]


def wide_line(found: list[dict[str, Any]]) -> str:
    return ", ".join(f"{each['CPU s']:.1f} CPU s of {each['columns']}" for each in found)


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
    argument = ROOT / "docs" / "privacy.md"
    counted = argument.read_text()
    for ring in ("kernel", "door", "prices", "discovery", "training", "programs", "ledger"):
        lines = sum(len(f.read_text().splitlines()) for f in (ROOT / "dpsynth" / ring).glob("*.py"))
        counted = re.sub(rf"(\| `dpsynth/{ring}/` \|) [\d,]+", rf"\g<1> {lines:,}", counted)
    shown = networks_page.replaced(readme.read_text(), "figures", short_figures())
    wanted = {readme: shown, argument: counted, ROOT / "docs" / "figures.md": long_figures()}
    pages = (audit_page, constraints_page, coverage_page, merging_page, networks_page, releasable_page, units_page)
    wanted |= {m.PAGE: m.page(m.PAGE.read_text()) for m in pages}
    if options.check:
        sys.exit(any(path.read_text() != text for path, text in wanted.items()))
    for path, text in wanted.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
