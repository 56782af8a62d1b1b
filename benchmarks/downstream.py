"""Does a model learned from synthetic rows work on real ones?

    python benchmarks/downstream.py [--mechanisms mst] [--epsilon 0.1 1 10] [--seeds 5]
    PEERS_FOLDER=DIR python benchmarks/downstream.py --mechanisms --peers smartnoise/mst dpmm/mst

A fixed split of each table: fit on 70 % of the rows, sample as many, train gradient boosting (codes as numbers) and
logistic regression (one-hot) on the sample, and score both on the other 30 %, real rows. AUC, against the same models
trained on the real 70 %. Beside it the workload error of all three-way marginals to the rows that were fitted.

Rows of peers are read from the files that `python benchmarks/peers/run.py --split train` left; a seed without a file is
left out and said. Rows of other methods that the result file holds stay. Needs the extra `benchmarks`.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _record import RESULTS, write
from _scores import release_path, train_test, workload_error
from _tables import discrete_schema, discrete_table
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from utility import summary

import dpsynth
from dpsynth.mechanisms.registry import MECHANISMS

TARGETS = {"adult": "income", "credit_default": "default payment", "bank_marketing": "y"}
TARGETED = ("canopy:target", "aim:target")
"""With a workload that names the column to be predicted."""

DELTA = 1e-9


def areas(train: pd.DataFrame, test: pd.DataFrame, sizes: dict[str, int], target: str) -> dict[str, float]:
    """AUC on `test` of both models trained on `train`; 0.5 where `train` has one class only and no model can be."""
    features = [c for c in sizes if c != target]
    one_hot = OneHotEncoder(categories=[np.arange(sizes[c]) for c in features])
    models = {
        "AUC boosting": HistGradientBoostingClassifier(early_stopping=False, random_state=0),
        "AUC logistic": make_pipeline(one_hot, LogisticRegression(max_iter=2000)),
    }
    if train[target].nunique() < 2:
        return dict.fromkeys(models, 0.5)
    found = {}
    for name, model in models.items():
        model.fit(train[features].to_numpy(), train[target].to_numpy())
        found[name] = float(roc_auc_score(test[target], model.predict_proba(test[features].to_numpy())[:, 1]))
    return found


def release(train: pd.DataFrame, sizes: dict[str, int], mechanism: str, epsilon: float, seed: int) -> pd.DataFrame:
    """As many synthetic rows from one of our mechanisms, through the front door."""
    schema = discrete_schema(sizes)
    name, _, target = mechanism.partition(":")
    settings = {"workload": dpsynth.Workload(target=target)} if target else {}
    synthesizer = dpsynth.Synthesizer(schema, name, epsilon=epsilon, delta=DELTA, ledger=None, **settings).fit(train)
    return synthesizer.sample(len(train), seed=seed).astype("int64")


def releases(table: str, method: str, epsilon: float, seeds: int, folder: Path | None) -> list[pd.DataFrame]:
    """One release a seed; those of peers that are there."""
    rows, sizes = discrete_table(table)
    library, _, mechanism = method.partition("/")
    if library == "dpsynth":
        mechanism = mechanism.replace(":target", f":{TARGETS[table]}")
        return [release(train_test(rows)[0], sizes, mechanism, epsilon, seed) for seed in range(seeds)]
    if folder is None:
        raise ValueError(f"say with --folder or PEERS_FOLDER where the releases of {method} are")
    files = [release_path(folder, "train", table, method, epsilon, seed) for seed in range(seeds)]
    return [pd.read_parquet(file) for file in files if file.exists()]


def row(table: str, method: str, epsilon: float, synthetic: list[pd.DataFrame]) -> dict[str, Any]:
    """One row of the result file: mean and spread over the releases."""
    rows, sizes = discrete_table(table)
    train, test = train_test(rows)
    runs = [{**areas(s, test, sizes, TARGETS[table]), "3-way L1": workload_error(train, s, sizes)} for s in synthetic]
    return {"table": table, "method": method, "epsilon": epsilon, "seeds": len(runs), **summary(runs)}


def reference(table: str) -> dict[str, Any]:
    """What the real training rows give."""
    rows, sizes = discrete_table(table)
    train, test = train_test(rows)
    return {
        "table": table,
        "method": "real",
        "epsilon": None,
        "seeds": 1,
        **summary([areas(train, test, sizes, TARGETS[table])]),
    }


def keep(path: Path, new: dict[str, Any]) -> None:
    """Adds a row to the result file, in the place of one for the same table, method and epsilon."""
    same = ("table", "method", "epsilon")
    rows = json.loads(path.read_text())["results"]["rows"] if path.exists() else []
    rows = [r for r in rows if any(r[k] != new[k] for k in same)]
    write(path, {"delta": DELTA, "rows": [*rows, new]})
    cells = [f"{k} {new[k]['mean']:.4f} ± {new[k]['sd']:.4f}" for k in new if k.startswith(("AUC", "3-way"))]
    print(f"{new['table']:16} {new['method']:20} eps {new['epsilon']!s:5} seeds {new['seeds']}", *cells, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", default=list(TARGETS), choices=TARGETS)
    parser.add_argument("--mechanisms", nargs="*", default=[*MECHANISMS, *TARGETED], choices=[*MECHANISMS, *TARGETED])
    parser.add_argument("--peers", nargs="*", default=[], metavar="LIBRARY/MECHANISM")
    parser.add_argument("--folder", type=Path, default=os.environ.get("PEERS_FOLDER"), help="what peers/run.py filled")
    parser.add_argument("--epsilon", nargs="+", type=float, default=[0.1, 1.0, 10.0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS / "downstream.json")
    options = parser.parse_args()
    methods = [*(f"dpsynth/{name}" for name in options.mechanisms), *options.peers]
    for table in options.tables:
        keep(options.out, reference(table))
        for method in methods:
            for epsilon in options.epsilon:
                found = releases(table, method, epsilon, options.seeds, options.folder)
                if found:
                    keep(options.out, row(table, method, epsilon, found))
                else:
                    print(f"{table} {method} eps {epsilon:g}: no release was found")


if __name__ == "__main__":
    main()
