"""The tables of docs/networks.md, from `results/gan.json` and `results/opacus.json`.

`readme.py` writes them.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "networks.md"
OURS = ("dp-ctgan", "pate-gan", "hybrid")
PEERS = ("smartnoise/dpctgan", "smartnoise/patectgan")
ORDER = ("independent", "mst", "canopy", *OURS, *PEERS)
COLUMNS = ("1-way", "2-way", "3-way", "AUC boosting", "AUC logistic", "CPU s")

Cell = dict[str, Any]
Cells = dict[tuple[str, float, str], Cell]


def page(text: str) -> str:
    """The page with its blocks as the files have them."""
    for name, block in (("figures", figures()), ("opacus", beside_opacus()), ("summary", summary())):
        text = replaced(text, name, block)
    return text


def replaced(text: str, name: str, block: str) -> str:
    start, rest = text.split(f"<!-- {name} -->")
    return f"{start}<!-- {name} -->\n\n{block}\n\n<!-- /{name} -->{rest.split(f'<!-- /{name} -->')[1]}"


def cells() -> Cells:
    """The mean over seeds of each table, epsilon and method; for runs that did not finish what became of them."""
    record = json.loads((ROOT / "benchmarks" / "results" / "gan.json").read_text())
    found: Cells = {}
    for row in record["results"]["rows"]:
        key = (row["table"], row["epsilon"], row["method"].removeprefix("dpsynth/"))
        found.setdefault(key, {"rows": []})["rows"].append(row)
    for cell in found.values():
        done = [row for row in cell["rows"] if row["outcome"] == "finished"]
        cell |= {"seeds": len(done), **{c: mean(row[c] for row in done) for c in COLUMNS if done}}
        cell["outcome"] = cell["rows"][0]["outcome"]
    return found


def figures() -> str:
    found = cells()
    tables = sorted({table for table, _, _ in found}, reverse=True)
    parts = [
        "`benchmarks/gan.py` on one core, fitted to 70 % of the rows, delta 1e-9, means over seeds: total-variation"
        " distances from the rows fitted to, area under the curve on the other 30 % of models trained on the release,"
        " CPU seconds of the whole process (importing PyTorch included). *Bootstrap*: the rows drawn anew, *shuffled*:"
        " exact columns without dependence; neither is private.",
        *[table_of(found, table) for table in tables],
        *[f"* {sentence}" for sentence in verdicts(found)],
    ]
    return "\n\n".join(parts[: 1 + len(tables)]) + "\n\n" + "\n".join(parts[1 + len(tables) :])


def table_of(found: Cells, table: str) -> str:
    epsilons = sorted({e for t, e, _ in found if t == table and e > 0})
    lines = [
        f"| {table} | epsilon | 1-way | 2-way | 3-way | AUC boosting | AUC logistic | CPU s | seeds |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for method, name in (("bootstrap", "bootstrap"), ("exact independent", "shuffled")):
        lines.append(line_of(name, "", found[table, 0.0, method]))
    for epsilon in epsilons:
        lines += [line_of(m, f"{epsilon:g}", found[table, epsilon, m]) for m in ORDER]
    return "\n".join(lines)


def line_of(name: str, epsilon: str, cell: Cell) -> str:
    if not cell["seeds"]:
        return f"| {name} | {epsilon} | {cell['outcome']} | | | | | | |"
    distances = " | ".join(f"{cell[c]:.4f}" for c in COLUMNS[:3])
    areas = " | ".join(f"{cell[c]:.3f}" for c in COLUMNS[3:5])
    seconds = f"{cell['CPU s']:.0f}" if cell["CPU s"] >= 10 else f"{cell['CPU s']:.1f}" if cell["CPU s"] else ""
    return f"| {name} | {epsilon} | {distances} | {areas} | {seconds} | {cell['seeds']} |"


def verdicts(found: Cells) -> list[str]:
    """For each network of ours: its two-way distance, area and time beside those of the peers' networks."""
    return [verdict(found, table, ours) for table in sorted({t for t, _, _ in found}, reverse=True) for ours in OURS]


def verdict(found: Cells, table: str, ours: str) -> str:
    parts = []
    for epsilon in sorted({e for t, e, _ in found if t == table and e > 0}):
        mine = found[table, epsilon, ours]
        theirs = [found[table, epsilon, peer] for peer in PEERS if found[table, epsilon, peer]["seeds"]]
        if not theirs:
            parts.append(f"epsilon {epsilon:g}: no network of theirs finished")
            continue
        near = min(theirs, key=lambda cell: float(cell["2-way"]))
        area, other = mine["AUC boosting"], max(cell["AUC boosting"] for cell in theirs)
        parts.append(
            f"epsilon {epsilon:g}: {mine['2-way'] / near['2-way']:.2f} of the nearer one's two-way distance,"
            f" AUC {area:.3f} to {other:.3f}, {mine['CPU s'] / near['CPU s']:.2f} of its CPU time"
        )
    return f"`{ours}` beside smartnoise-synth's networks on {table}: {'; '.join(parts)}."


def beside_opacus() -> str:
    """Two tables: CPU time of a step and of a run, epsilon and noise."""
    record = json.loads((ROOT / "benchmarks" / "results" / "opacus.json").read_text())
    found, machine = record["results"], record["machine"]
    versions = found["versions"]
    said = (
        f"`benchmarks/beside_opacus.py`, commit {record['commit']}, {machine['processor']}, one thread, PyTorch"
        f" {versions['torch']}, Opacus {versions['opacus']}. CPU milliseconds, least (median) of several; a run is"
        f" {found['steps']} steps with noise and Adam, the rows prepared for Opacus beforehand, for ours in the run."
    )
    times = [
        "| critic | rows a step | gradients: `torch.func` | ours | Opacus | the same in pieces | step: ours | Opacus"
        " | run: ours | Opacus |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    ways = [f"gradients, {way}" for way in ("torch.func", "ours", "Opacus")]
    ways += ["gradients in pieces, ours", "step, ours", "step, Opacus", "run, ours", "run, Opacus"]
    for row in found["times"]:
        cells = [f"{milliseconds(row[way]['least'])} ({milliseconds(row[way]['median'])})" for way in ways]
        times.append(f"| {row['critic']}, {row['parameters']:,} parameters | {row['rows']:,} | {' | '.join(cells)} |")
    prices = [
        "| rate | noise | steps | epsilon: fixed | account | Opacus PRV | Opacus RDP | noise for epsilon 3:"
        " account | Opacus PRV | Opacus RDP |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in found["prices"]:
        epsilons = [f"{row[way]:.3f}" for way in ("fixed", "account", "PRV", "RDP")]
        noises = [f"{row[f'noise for 3, {way}']:.3f}" for way in ("account", "PRV", "RDP")]
        cells = " | ".join([*epsilons, *noises])
        prices.append(f"| {row['rate']:g} | {row['noise']:g} | {row['steps']:,} | {cells} |")
    return "\n\n".join([said, "\n".join(times), f"Epsilon at delta {found['delta']:g}.", "\n".join(prices)])


def milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:,.0f}" if seconds >= 0.1 else f"{1e3 * seconds:.2g}"


def summary() -> str:
    """Networks beside marginals and beside other networks, in two sentences."""
    found = cells()
    ratios = {
        table: [
            (e, found[table, e, ours]["2-way"] / min(c["2-way"] for c in theirs))
            for e in sorted({e for t, e, _ in found if t == table and e > 0})
            if (theirs := [found[table, e, peer] for peer in PEERS if found[table, e, peer]["seeds"]])
            for ours in ("dp-ctgan",)
        ]
        for table in sorted({t for t, _, _ in found})
    }
    said = [
        f"on {table} {', '.join(f'{ratio:.2f} (epsilon {e:g})' for e, ratio in rows)}" for table, rows in ratios.items()
    ]
    adult = {m: found["adult", 1.0, m] for m in ("canopy", "dp-ctgan")}
    return (
        f"Two-way distance of `dp-ctgan` as a part of that of smartnoise-synth's nearest network: {'; '.join(said)}."
        f" On Adult at epsilon 1 `canopy` is at"
        f" {adult['canopy']['2-way']:.3f} in {adult['canopy']['CPU s']:.0f} CPU s, `dp-ctgan` at"
        f" {adult['dp-ctgan']['2-way']:.3f} in {adult['dp-ctgan']['CPU s']:.0f}."
    )
