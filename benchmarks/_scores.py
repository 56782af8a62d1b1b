"""Scores that more than one benchmark gives: a fixed split, the workload error of the AIM paper, where releases lie."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd


def train_test(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A fixed random split: 70 % of the rows to learn from, 30 % to test on."""
    order = np.random.default_rng(20240607).permutation(len(rows))
    cut = round(0.7 * len(rows))
    return rows.iloc[np.sort(order[:cut])].reset_index(drop=True), rows.iloc[np.sort(order[cut:])].reset_index(
        drop=True
    )


def workload_error(real: pd.DataFrame, synthetic: pd.DataFrame, sizes: dict[str, int]) -> float:
    """Mean L1 distance of all three-way marginals, each as shares: from 0 to 2, twice the total-variation distance.

    McKenna et al., AIM (arXiv 2201.12677), section 2: sum of |counts - counts| over the marginals of the workload, over
    their number and the number of rows; weights 1. With as many synthetic rows as real ones the two are the same.
    """
    tables = [{c: rows[c].to_numpy(dtype=np.int64) for c in sizes} for rows in (real, synthetic)]
    errors = []
    for a, b in itertools.combinations(sizes, 2):
        pairs = [t[a] * sizes[b] + t[b] for t in tables]
        for c in list(sizes)[list(sizes).index(b) + 1 :]:
            cells = sizes[a] * sizes[b] * sizes[c]
            shares = [
                np.bincount(p * sizes[c] + t[c], minlength=cells) / len(p) for p, t in zip(pairs, tables, strict=True)
            ]
            errors.append(float(np.abs(shares[0] - shares[1]).sum()))
    return float(np.mean(errors))


def release_path(folder: Path, split: str, table: str, method: str, epsilon: float, seed: int) -> Path:
    """Where `peers/run.py` keeps the synthetic rows of "library/mechanism"."""
    return folder / "releases" / split / table / f"{method.replace('/', '-')}-eps{epsilon:g}-seed{seed}.parquet"
