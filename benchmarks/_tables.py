"""The tables that benchmarks run on, and the distance they are judged by."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import dpsynth

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
DISCRETE = (
    "adult_discretised",
    "adult",
    "bank_marketing",
    "nist_acs_national2019",
    "credit_default",
    "german_credit",
    "brfss2015_diabetes",
    "support2",
)


def require_data() -> Path:
    """The folder of real tables; ends the benchmark with a sentence where there is none."""
    if not DATA.is_dir():
        sys.exit(f"this benchmark needs the real tables in {DATA}, which are not part of the project; nothing was run")
    return DATA


def discrete_table(name: str) -> tuple[pd.DataFrame, dict[str, int]]:
    """A table of integer codes, and the size of each column's domain."""
    data = require_data()
    if name == "adult_discretised":
        rows, domain = data / name / "data.parquet", data / name / "domain.json"
    else:
        rows = data / "benchmark_discretised" / f"{name}.parquet"
        domain = data / "benchmark_discretised" / f"{name}.domain.json"
    sizes = json.loads(domain.read_text())
    return pd.read_parquet(rows)[list(sizes)].astype("int64"), sizes


def discrete_schema(sizes: dict[str, int]) -> dpsynth.Schema:
    """The schema of a table of codes. All are categories: german_credit's "telephone" says whether somebody has one."""
    columns = {name: dpsynth.Categorical(range(size)) for name, size in sizes.items()}
    return dpsynth.Schema(columns, not_identifying=[*sizes])


def fixed_triples(columns: list[str]) -> list[tuple[str, ...]]:
    """200 fixed random triples of columns, or all where there are fewer."""
    triples = list(itertools.combinations(sorted(columns), 3))
    if len(triples) <= 200:
        return triples
    chosen = np.random.default_rng(20240607).choice(len(triples), 200, replace=False)
    return [triples[i] for i in sorted(chosen)]


def distances(real: pd.DataFrame, synthetic: pd.DataFrame, sizes: dict[str, int]) -> dict[str, float]:
    """Mean total-variation distance over all 1-way, all 2-way, and 200 fixed 3-way marginals."""
    columns = list(sizes)
    kinds = {
        "1-way": [(c,) for c in columns],
        "2-way": list(itertools.combinations(columns, 2)),
        "3-way": fixed_triples(columns),
    }
    return {k: float(np.mean([_distance(real, synthetic, sizes, c) for c in cs])) for k, cs in kinds.items()}


def _distance(real: pd.DataFrame, synthetic: pd.DataFrame, sizes: dict[str, int], clique: tuple[str, ...]) -> float:
    return 0.5 * float(np.abs(_shares(real, sizes, clique) - _shares(synthetic, sizes, clique)).sum())


def _shares(rows: pd.DataFrame, sizes: dict[str, int], clique: tuple[str, ...]) -> np.ndarray:
    shape = [sizes[c] for c in clique]
    cells = np.ravel_multi_index([rows[c].to_numpy() for c in clique], shape)
    return np.bincount(cells, minlength=int(np.prod(shape))) / len(rows)


def raw_table(name: str) -> tuple[pd.DataFrame, dpsynth.Schema]:
    """A table as its publisher gives it, and the schema that its schema.json makes: public facts only.

    A bound that the file does not state is None, to be learned by a charge. Missing markers are read as missing where
    the column is numeric, and stay a category of their own where it is not. Nullable where the file says that the
    publisher marks missing values; and everywhere in `support2`, whose publisher leaves them empty, and in
    `credit_default`, whose published lists lack codes that the rows have: those come back as missing.
    """
    data = require_data() / name
    spec = json.loads((data / "schema.json").read_text())["tables"]["data.parquet"]["columns"]
    columns = {column["name"]: _column(column, nullable=name in ("support2", "credit_default")) for column in spec}
    return pd.read_parquet(data / "data.parquet"), dpsynth.Schema(columns)


def _column(spec: dict[str, Any], *, nullable: bool) -> dpsynth.Categorical | dpsynth.Numeric:
    marker = spec.get("missing_marker")
    if "categories" in spec:
        categories = list(spec["categories"])
        if marker is not None and marker not in categories:
            categories.append(marker)
        return dpsynth.Categorical(categories, ordered=spec["type"] == "ordinal", nullable=nullable)
    return dpsynth.Numeric(
        spec.get("min"),
        spec.get("max"),
        integer=spec["type"] == "integer",
        nullable=nullable or marker is not None,
        missing_marker=marker,
    )
