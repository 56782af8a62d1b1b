"""What Figures says of raw tables, from benchmarks/results/raw_tables.json."""

from __future__ import annotations

from typing import Any


def parts(tables: list[dict[str, Any]]) -> list[str]:
    """A table of distances, one of what else comes back, and what they mean."""
    right = all(t["columns in order"] and not t["wrong dtypes"] and not t["values outside the domain"] for t in tables)
    kept = "In all of them columns, their order and their types come back, and no value lies outside the domain."
    odd = "Not all of them come back with all columns in order, their types, and values inside the domain."
    return [
        "Every table with rows and columns in the folder of public data, epsilon 1, delta 1e-9, by canopy"
        " (`benchmarks/raw_tables.py`). The schema has the facts that the publisher documents, or that anybody could"
        " write down; all other bounds and categories are found by charges of the same epsilon. All columns may be"
        " missing, and free text is left out. Distances on at most 20 bins a column, in brackets that of the real rows"
        f" drawn anew. {kept if right else odd}",
        distances(tables),
        "*Found by charges*: numeric columns with an open bound, and categories of open columns. *Rates within noise*:"
        " columns whose share of missing values, in the release beside the rows, is off by at most three standard"
        " deviations of its own count and of drawing. *Missing together*: total variation distance of which columns a"
        " row lacks; *redrawn* of the real rows drawn anew, *apart* of rows that lack each value at its rate,"
        " whatever the others do. *Constraints*: those that the documentation states (`benchmarks/public_rules.yaml`),"
        " and the share of rows that keep the one that most break, in the release and in the real rows.",
        besides(tables),
        *units(tables),
    ]


def distances(tables: list[dict[str, Any]]) -> str:
    lines = [
        "| | rows | columns | found by charges | columns | pairs | triples | worst column | fit, CPU s | draw, CPU s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for t in tables:
        worst = max(t["1-way"], key=t["1-way"].get)
        ways = [f"{way['synthetic']:.4f} ({way['bootstrap']:.4f})" for way in t["mean of all ways"]]
        ways += [""] * (3 - len(ways))
        found = [f"{t['bounds learned']} bounds"] if t["bounds learned"] else []
        if t["categories found"]:
            found.append(f"{sum(t['categories found'].values())} categories of {len(t['categories found'])}")
        spent = (f"{t['fit CPU s']:.1f}", f"{t['sample CPU s']:.1f}")
        cells = (t["table"], f"{t['rows']:,}", t["columns"], ", ".join(found), *ways)
        lines.append(line(*cells, f"{worst} {t['1-way'][worst]:.3f}", *spent))
    return "\n".join(lines)


def besides(tables: list[dict[str, Any]]) -> str:
    lines = [
        "| | columns with missing values | rates within noise | furthest rate | missing together | redrawn | apart"
        " | constraints | kept | by real rows |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for t in tables:
        m, c = t["missing"], t["constraints"]
        together = [f"{m['pattern'][what]:.3f}" for what in ("synthetic", "bootstrap", "independent")]
        kept = [f"{100 * c[f'kept, {who}']:.1f} %" if c["declared"] else "" for who in ("synthetic", "real")]
        furthest = f"{m['furthest']}, {m['furthest, sd']:.1f} sd"
        within = f"{m['within noise']} of {m['counted']}"
        lines.append(line(t["table"], m["columns with real ones"], within, furthest, *together, c["declared"], *kept))
    return "\n".join(lines)


def units(tables: list[dict[str, Any]]) -> list[str]:
    """A sentence for each table whose units have several rows."""
    found = []
    for t in tables:
        if u := t["unit"]:
            how = (
                "which `dpsynth unit` recommends"
                if u["recommended"]
                else "the fewest that cut at most half of the rows, as `dpsynth unit` recommends nothing"
            )
            found.append(
                f"*{t['table']}* protects each of {u['units']:,} in `{u['unit']}`, with at most {u['max_records']}"
                f" rows: {how} (epsilon {u['epsilon of looks']:g} besides)."
            )
    return found


def line(*cells: Any) -> str:
    return f"| {' | '.join(map(str, cells))} |"
