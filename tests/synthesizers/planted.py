"""A synthesizer whose model is known cell by cell, and a chi-square test of its rows against brute force."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from dpsynth import Boolean, Categorical, Identifier, Numeric, Schema, Synthesizer
from dpsynth.models.graphical import GraphicalModel
from dpsynth.synthesizers.model_file import in_stored_form

SCHEMA = Schema(
    {
        "visit": Identifier(pattern="V-####"),
        "in": Numeric(0, 9, integer=True),
        "out": Numeric(0, 9, integer=True, nullable=True),
        "ward": Categorical(["a", "b", "c"]),
        "fraud": Boolean(),
        "size": Numeric(0, 3, integer=True),
    }
)
SIZES = {"in": 10, "out": 11, "ward": 3, "fraud": 2, "size": 4}


def planted(seed=3) -> Synthesizer:
    """A synthesizer whose model is known cell by cell: frauds are one row in a thousand, and unlike the others."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({"in": [1, 2], "out": [1, 2], "ward": ["a", "b"], "fraud": [True, False], "size": [1, 2]})
    fitted = Synthesizer(SCHEMA, "independent", epsilon=1, delta=1e-6, unsafe_seed=1, ledger=None).fit(rows)
    domain = fitted._fitted().model.domain
    tables = {c: rng.normal(0, 1.5, domain.shape(c)) for c in itertools.pairwise(domain.attributes)}
    for name in ("ward", "fraud"):  # the last cell is of values that are not declared: none
        size = domain.size(name)
        tables[(name,)] = np.where(np.arange(size) == size - 1, -60.0, 0.0) if size > SIZES[name] else np.zeros(size)
    for name in ("in", "size"):
        tables[(name,)] = np.where(np.arange(domain.size(name)) >= SIZES[name], -60.0, 0.0)
    true = 1
    model = GraphicalModel.of(domain, 1e4, tables)
    share = model.project(("fraud",))[true] / 1e4
    tables[("fraud",)] = tables[("fraud",)] + np.where(
        np.arange(domain.size("fraud")) == true, np.log(0.001 * (1 - share) / (0.999 * share)), 0
    )
    fitted.fitted_ = replace(fitted._fitted(), model=in_stored_form(GraphicalModel.of(domain, 1e4, tables)))
    return fitted


def every_row(fitted) -> pd.DataFrame:
    """Every possible row, with its share in the model."""
    names = list(SIZES)
    shares = fitted._fitted().model.project(tuple(names))[tuple(slice(n) for n in SIZES.values())]
    values = {
        "in": range(10), "out": [*range(10), None], "ward": ["a", "b", "c"], "fraud": [False, True], "size": range(4),
    }  # fmt: skip
    grid = pd.DataFrame(list(itertools.product(*(values[n] for n in names))), columns=names)
    return grid.assign(out=grid["out"].astype("Int64"), share=shares.ravel() / shares.sum())


def cells(rows) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(rows[list(SIZES)].assign(out=rows["out"].fillna(-1)).astype(str))


def p_value(rows, every, holds) -> float:
    """Of a chi-square test of the rows' cells against the brute-force distribution."""
    kept = every[holds(every).fillna(False).astype(bool)]
    wanted = pd.Series(kept["share"].to_numpy() / kept["share"].sum() * len(rows), index=cells(kept))
    seen = cells(rows).value_counts()
    assert set(seen.index) <= set(wanted.index), "a row does not meet the condition"
    both = pd.DataFrame({"wanted": wanted, "seen": seen.reindex(wanted.index).fillna(0)})
    small = both["wanted"] < 8
    both = pd.concat([both[~small], both[small].sum().to_frame().T])
    both = both[both["wanted"] > 1e-9]
    return float(stats.chisquare(both["seen"], both["wanted"] * both["seen"].sum() / both["wanted"].sum()).pvalue)
