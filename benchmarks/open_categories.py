"""Categories that nobody listed: which of them a fit finds, by how many people have each, and what that takes.

    python benchmarks/open_categories.py

Groups: a made-up table in which 40 categories are held by 10 people each, 40 by 20 and so on, and 100,000 by one;
found is the share of a group, the mean over five fits. Tables: real ones, and made-up diagnoses, as if nobody knew
their categories; "kept" is the share of rows whose value is a category, "parent" of those that keep a prefix of it,
and the rest is OTHER. Distinct: up to a million values, one row each, beside one that 2,000 rows have; CPU seconds and
the peak of memory of a fit in a process of its own. All fits by `independent` at delta 1e-6, in an account of their
own; they are seeded so that they can be repeated: not private.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _record import RESULTS, ROOT, write

import dpsynth as d
from dpsynth.data.tables.codec import codec_for
from dpsynth.mechanisms.discovered import search

DATA = ROOT.parent / "shared" / "data"
EPSILONS = (0.1, 1.0, 10.0)
HELD = (5, 10, 20, 50, 100, 200, 500, 1_000, 2_000)
OF_EACH, ALONE, SEEDS = 40, 100_000, 5
DISTINCT = (10, 10_000, 100_000, 1_000_000)


def fitted(rows: pd.DataFrame, columns: dict[str, Any], epsilon: float, seed: int, unit: Any = None) -> d.Synthesizer:
    schema = d.Schema(columns, unit=unit)
    made = d.Synthesizer(schema, "independent", epsilon=epsilon, delta=1e-6, ledger=None, unsafe_seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", d.CautionWarning)
        return made.fit(rows)


def threshold(columns: dict[str, Any], epsilon: float, unit: Any = None) -> int:
    """How many must have a category for half of all fits to find it."""
    schema = d.Schema(columns, unit=unit)
    return search(schema, d.Budget(epsilon, 1e-6), None).events[0].threshold(schema.unit)


def groups(epsilon: float) -> dict[str, Any]:
    """The share that is found of the categories that so many people have each."""
    names = [f"{held}:{i}" for held in HELD for i in range(OF_EACH) for _ in range(held)]
    rows = pd.DataFrame({"code": [*names, *(f"1:{i}" for i in range(ALONE))]})
    columns = {"code": d.OpenCategorical()}
    found = dict.fromkeys((1, *HELD), 0)
    for seed in range(SEEDS):
        for name in fitted(rows, columns, epsilon, seed).categories["code"]:
            found[int(name.split(":")[0])] += 1
    of = {held: SEEDS * (ALONE if held == 1 else OF_EACH) for held in found}
    shares = {str(held): found[held] / of[held] for held in found}
    return {"epsilon": epsilon, "threshold": threshold(columns, epsilon), "found": shares}


def diagnoses() -> pd.DataFrame:
    """30,000 made-up diagnoses with codes as in ICD-10, a few frequent and thousands rare."""
    rng = np.random.default_rng(0)
    chapter = rng.choice(list("ABCDEFGHIJKLMN"), 30_000, p=rng.dirichlet(np.full(14, 1.0)))
    three = np.char.zfill(np.minimum(rng.zipf(1.6, 30_000), 99).astype(str), 2)
    leaf = np.minimum(rng.zipf(1.8, 30_000), 9).astype(str)
    code = np.char.add(np.char.add(chapter, three), np.char.add(".", leaf))
    return pd.DataFrame({"patient": np.arange(30_000) // 3, "diagnosis": code})


def tables() -> dict[str, tuple[pd.DataFrame, str, dict[str, Any]]]:
    """For each name the rows, the open column, and what is declared of it and of whose rows they are."""
    retail = pd.read_parquet(DATA / "online_retail" / "data.parquet")
    retail = retail.assign(CustomerID=retail["CustomerID"].astype(str))
    of_customers = {"unit": d.PrivacyUnit("CustomerID", 20)}
    stays = pd.read_parquet(DATA / "physionet2012_icu" / "measurements.parquet")
    of_stays = {"unit": d.PrivacyUnit("RecordID", 50)}
    of_patients = {"unit": d.PrivacyUnit("patient", 3)}
    made_up = diagnoses()
    return {
        "online_retail, rows": (retail, "Country", {}),
        "online_retail, rows ": (retail, "StockCode", {}),
        "online_retail, rows  ": (retail, "Description", {}),
        "online_retail, customers with 20 rows": (retail, "Country", of_customers),
        "online_retail, customers with 20 rows ": (retail, "StockCode", of_customers),
        "physionet2012_icu, stays with 50 rows": (stays, "Parameter", of_stays),
        "made-up diagnoses, patients with 3 rows": (made_up, "diagnosis", of_patients),
        "made-up diagnoses, patients with 3 rows ": (made_up, "diagnosis", {**of_patients, "levels": [1, 3]}),
    }


def of_table(rows: pd.DataFrame, name: str, facts: dict[str, Any], epsilon: float) -> dict[str, Any]:
    """How many categories are found, and what becomes of the rows; of two seeds the mean."""
    facts = dict(facts)
    unit = facts.pop("unit", None)
    columns = {name: d.OpenCategorical(nullable=True, **facts)}
    kept = rows[[name, *(unit.columns if unit else ())]]
    text = rows[name].astype("string")
    counted = []
    for seed in range(2):
        categories = fitted(kept, columns, epsilon, seed, unit).categories[name]
        column = columns[name].settled(categories)
        codes = codec_for(column).encode(rows[name])
        cell = pd.Series([*column.categories, pd.NA], dtype="string").iloc[codes].reset_index(drop=True)
        known = text.notna().to_numpy()
        same = (cell == text.str.strip().reset_index(drop=True)).fillna(False).to_numpy()[known].mean()
        other = (cell == "OTHER").fillna(False).to_numpy()[known].mean()
        counted.append((len(categories), same, 1 - same - other, other))
    found, same, parent, other = (float(np.mean(each)) for each in zip(*counted, strict=True))
    shares = {"kept": same, "parent": parent, "other": other}
    distinct = int(rows[name].nunique())
    asked = {"levels": list(facts.get("levels", ())), "threshold": threshold(columns, epsilon, unit)}
    return {"epsilon": epsilon, "column": name, "distinct": distinct, **asked, "found": found, **shares}


def once(distinct: int) -> dict[str, float]:
    """One fit of so many values, in this process: its CPU seconds, and its peak of memory in megabytes."""
    rows = pd.DataFrame({"code": [f"C{i:07d}" for i in range(distinct)] + ["often"] * 2_000})
    start = time.process_time()
    made = fitted(rows, {"code": d.OpenCategorical()}, 1.0, 0)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert made.categories == {"code": ("often",)}
    spent = made.certificate.record["spent"]["epsilon"]
    return {"seconds": seconds, "megabytes": peak, "epsilon": spent}


def by_distinct() -> list[dict[str, Any]]:
    """The same for several numbers of values, each in a process of its own."""
    found = []
    for distinct in DISTINCT:
        command = [sys.executable, str(Path(__file__)), "--once", str(distinct)]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        found.append({"distinct": distinct, "threshold": threshold({"code": d.OpenCategorical()}, 1.0), **told})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--once", type=int, help="only one fit of so many values")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS / "open_categories.json")
    options = parser.parse_args()
    if options.once is not None:
        print(json.dumps(once(options.once)))
        return
    results: dict[str, Any] = {"by distinct": by_distinct(), "groups": [groups(e) for e in EPSILONS]}
    results["tables"] = [
        {"table": name.strip(), **of_table(rows, column, facts, epsilon)}
        for name, (rows, column, facts) in tables().items()
        for epsilon in EPSILONS
    ]
    write(options.output, results)


if __name__ == "__main__":
    main()
