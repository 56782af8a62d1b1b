"""The tables and figures of docs/audit.md, from the benchmarks' JSON files; `readme.py` writes them there.

A test compares the page with these files, so that neither says what the other does not.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "audit.md"
NEAR = ("distance", "calibrated distance")
LEAKS = {
    "ten_copies": "ten verbatim copies in a thousand rows",
    "bootstrap": "a bootstrap of the training table",
    "jitter": "copies with a little jitter",
    "one_column_moved": "every record moved along one column",
    "tenth_with_secrets": "one secret of every tenth person",
}


def page(text: str) -> str:
    """The page with its blocks as the files have them."""
    for name, block in (("linkability", linkability()), ("instruments", instruments()), ("figures", figures())):
        start, rest = text.split(f"<!-- {name} -->")
        text = f"{start}<!-- {name} -->\n\n{block}\n\n<!-- /{name} -->{rest.split(f'<!-- /{name} -->')[1]}"
    return text


def linkability() -> str:
    """What ours and anonymeter say of the same releases, and the areas by ranks and by spreads."""
    found = load("audit_links")
    few, more = found["releases"][0]["links"]
    lines = [
        f"| release of {found['rows']:,} rows of adult | linked, {few} neighbour | anonymeter | {more} neighbours"
        " | anonymeter | pairs told apart, by ranks | by spreads |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in found["releases"]:
        links = [each[k]["risk"] for k in (few, more) for each in (row["links"], row["anonymeter"])]
        areas = [max(row["areas"][f"{name}{end}"] for name in NEAR) for end in ("", " in spreads")]
        lines.append(f"| {row['release']} | " + " | ".join(f"{x:.3f}" for x in [*links, *areas]) + " |")
    versions = {row["version"] for row in found["releases"]}
    lines += ["", f"anonymeter {', '.join(versions)}. Pairs told apart by distance or calibrated distance, the larger."]
    return "\n".join(lines)


def instruments() -> str:
    """Which instrument saw which fault; ● seen, · nothing to look at or not tried, ○ not seen."""
    lines = ["| fault | release | DP (runs on each table) | mechanism |", "|---|---|---|---|"]
    for row in load("audit_release")["caught"]:
        if row["release"] in LEAKS:
            seen = row["verdicts"].get("FAIL", 0)
            lines.append(f"| {LEAKS[row['release']]} | {mark(seen == row['repetitions'])} | · | · |")
    for row in load("audit_faults")["faults"]:
        runs = f" {row['runs']:,}" if row.get("runs") else ""
        lines.append(f"| {row['fault']} | · | {mark(row['DP'])}{runs} | {mark(row.get('mechanism'))} |")
    return "\n".join(lines)


def mark(seen: bool | None) -> str:
    return "·" if seen is None else "●" if seen else "○"


def figures() -> str:
    """What was measured, in words."""
    return "\n".join([releases(), "", mechanisms(), "", gate()])


def releases() -> str:
    found, faults = load("audit_release"), load("audit_faults")["faults"]
    times = {t["level"]: t for t in found["times"]}
    caught = {row["release"]: row for row in found["caught"]}
    calm = caught["strangers"]
    leaks = [row for name, row in caught.items() if name in LEAKS]
    all_caught = sum(row["verdicts"].get("FAIL", 0) for row in leaks)
    quick = times["quick"]
    return (
        f"`benchmarks/audit.py release`: {quick['rows']:,} + {quick['rows']:,} + {quick['rows']:,} invented people of"
        f" {quick['columns']} columns take {quick['CPU s']:.0f} CPU seconds at level `quick`"
        f" ({quick['verdict']}) and {times['standard']['CPU s']:.0f} at `standard` ({times['standard']['verdict']})."
        f" Releases of 1,000 rows: {calm['repetitions']} of strangers,"
        f" {calm['verdicts'].get('FAIL', 0)} failed; {sum(row['repetitions'] for row in leaks)} with a leak of the"
        f" table above, {all_caught} failed. `benchmarks/audit.py faults`: {len(faults)} faults,"
        f" {sum(bool(row['DP'] or row.get('mechanism')) for row in faults)} seen."
    )


def mechanisms() -> str:
    white, black = load("audit_white_box")["audits"], load("audit_black_box")["audits"]
    lines = [
        "Our own mechanisms at epsilon 1, delta 1e-2, as parts of the mu that this implies"
        f" ({white[0]['mu claimed']:.4f}); in brackets the 95 % lower bound:",
        "",
        "| access | mechanism | runs on each table | by counted guesses | by pairs told apart |",
        "|---|---|---|---|---|",
    ]
    for audit in white:
        for name, pool in audit["pooled"].items():
            area = both(pool, "by area, mu")
            runs = pool["counts"]["n0"]
            lines.append(f"| white-box, {name} | {audit['mechanism']} | {runs:,} | {both(pool, 'mu')} | {area} |")
    lines += [f"| black-box | {a['mechanism']} | {a['runs']:,}, a fifth to learn | {both(a, 'mu')} | |" for a in black]
    refuted = sum(a["refuted at .001"] for a in white)
    audits = sum(a["repetitions"] for a in white)
    error = white[0]["pooled"]["first half"]["error / claimed"]
    lines += [
        "",
        f"Of {audits} audits of {white[0]['runs']} runs, {refuted} refute the claim at .001. The standard error of a"
        f" share by counted guesses is {error:.3f} at {white[0]['pooled']['first half']['counts']['n0']:,} runs.",
    ]
    return "\n".join(lines)


def both(pool: dict[str, Any], name: str) -> str:
    return f"{pool[f'{name} / claimed']:.2f} ({pool[f'{name} at least / claimed']:.2f})"


def gate() -> str:
    found = load("audit_gate")
    return (
        f"`benchmarks/audit.py gate`, what a pull request waits for: the noise of two mechanisms and"
        f" {found['pairs']} pairs with {found['runs']} runs on each table take {found['CPU s']:.0f} CPU seconds,"
        f" {found['wall s']:.0f} by the clock, in {found['processes']} processes."
    )


def load(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text())["results"]
