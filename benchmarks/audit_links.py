"""Linkability beside anonymeter's, and a distance in spreads beside ranks: leaky releases of adult.

    PEERS_FOLDER=DIR python benchmarks/audit_links.py [--rows 1000] [--out FOLDER]

anonymeter runs in its own environment (benchmarks/peers/prepare.py DIR --peers anonymeter makes it), on the same rows
and the same two halves of the columns: see peers/links_worker.py.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _record import RESULTS, write
from _tables import raw_table
from scipy.spatial import cKDTree

from dpsynth.auditing.attacks.anonymity import SHARED, halves, linked
from dpsynth.auditing.attacks.membership import Scene, membership_scores
from dpsynth.auditing.attacks.records import read_tables
from dpsynth.auditing.statistics.intervals import area_under_curve
from dpsynth.schema.table import Categorical, Column, Numeric, Schema

sys.path.append(str(Path(__file__).parent / "peers"))
from prepare import interpreter

WORKER = Path(__file__).parent / "peers" / "links_worker.py"
PEERS_FOLDER = Path(os.environ.get("PEERS_FOLDER", ""))
NEIGHBOURS = (1, SHARED)
SCORES = ("distance", "calibrated distance", "distance in spreads", "calibrated distance in spreads")


def adult(rows: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Training records, a holdout and strangers; numbers as floats, so that noise changes no type."""
    table = raw_table("adult")[0].sample(3 * rows, random_state=0)
    table = table.astype({name: float for name in table if table[name].dtype.kind in "iu"})
    first, second, third = (table.iloc[i * rows : (i + 1) * rows].reset_index(drop=True) for i in range(3))
    return first, second, third


def numbers(table: pd.DataFrame) -> list[str]:
    return [name for name in table if table[name].dtype.kind == "f"]


def noisy(train: pd.DataFrame, part: float, rng: np.random.Generator) -> pd.DataFrame:
    """Noise of a part of each number's standard deviation."""
    moved = {c: train[c] + rng.normal(scale=part * train[c].std(), size=len(train)) for c in numbers(train)}
    return train.assign(**moved)


def smoothed(train: pd.DataFrame, k: int) -> pd.DataFrame:
    """Each record's numbers are the mean of those of its k nearest and its own."""
    values = train[numbers(train)].to_numpy()
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    near = cKDTree(scaled).query(scaled, k + 1)[1]
    return train.assign(**dict(zip(numbers(train), values[near].mean(axis=1).T, strict=True)))


def releases(train: pd.DataFrame, strangers: pd.DataFrame) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(1)
    third = len(train) // 3
    return {
        "a bootstrap": train.sample(len(train), replace=True, random_state=1).reset_index(drop=True),
        "noise of a tenth of a standard deviation": noisy(train, 0.1, rng),
        "noise of half a standard deviation": noisy(train, 0.5, rng),
        "means of five neighbours": smoothed(train, 5),
        "a third of the records": pd.concat([train[:third], strangers[third:]], ignore_index=True),
        "strangers": strangers,
    }


def schema_of(table: pd.DataFrame) -> Schema:
    columns: dict[str, Column] = {name: Numeric(None, None) for name in numbers(table)}
    for name in table.columns.difference(numbers(table)):
        columns[name] = Categorical(sorted(table[name].unique()))
    return Schema({name: columns[name] for name in table})


def ours(tables: dict[str, pd.DataFrame], parts: Any, schema: Schema) -> dict[str, Any]:
    read = read_tables(tables, schema, real=("train", "holdout"))
    records = read["train"].joined(read["holdout"])
    scene = Scene(records, read["release"])
    member = np.arange(len(records)) < len(read["train"])
    links = {}
    for k, flags in linked(scene, *parts).items():
        training, holdout = float(flags[member].mean()), float(flags[~member].mean())
        links[str(k)] = {"training": training, "holdout": holdout, "risk": (training - holdout) / (1 - holdout)}
    scores = membership_scores(scene)
    return {"links": links, "areas": {name: area_under_curve(scores[name], member).value for name in SCORES}}


def theirs(tables: dict[str, pd.DataFrame], parts: Any) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for title, table in tables.items():
            table.to_parquet(folder / f"{title}.parquet")
        (folder / "job.json").write_text(json.dumps({"halves": parts, "neighbours": NEIGHBOURS}))
        command = [interpreter(PEERS_FOLDER, "anonymeter"), "-W", "ignore", WORKER, folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        found: dict[str, Any] = json.loads((folder / "found.json").read_text())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder")
    given = parser.parse_args()
    train, holdout, strangers = adult(given.rows)
    schema = schema_of(pd.concat([train, holdout, strangers]))
    parts = halves(tuple(schema.columns), np.random.default_rng(0))
    found = []
    for name, release in releases(train, strangers).items():
        tables = {"release": release, "train": train, "holdout": holdout}
        mine, other = ours(tables, parts, schema), theirs(tables, parts)
        found.append({"release": name, **mine, "anonymeter": other["found"], "version": other["version"]})
        print(found[-1], file=sys.stderr)
    results = {"rows": given.rows, "columns": len(schema.columns), "halves": parts, "releases": found}
    print(write(given.out / "audit_links.json", results))


if __name__ == "__main__":
    main()
