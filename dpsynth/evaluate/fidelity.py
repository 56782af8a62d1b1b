"""Fidelity: how far a release is from real records, beside how far another sample of real people would be.

Numbers alone say little: two samples of the same people differ too. So each distance stands beside a floor, the same
distance for a holdout of real records, or, without one, for the real records drawn anew with replacement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from dpsynth.columns import EPOCH, SECONDS, Boolean, Categorical, Column, Datetime, Numeric
from dpsynth.data.codec import Bounds, encode_frame, schema_domain
from dpsynth.domain import Domain
from dpsynth.evaluate.distances import all_ways, binned, choose_bins, distances, frequencies
from dpsynth.evaluate.quality import ColumnQuality, Quality, WayQuality
from dpsynth.evaluate.reading import missing_and_outside, repeated_share, span
from dpsynth.models.base import Codes
from dpsynth.report.text import short
from dpsynth.schema import Schema

ONE_WAY_BINS = 20
PAIR_BINS = 12
SHOWN = 20

_BOOTSTRAP_SEED = 20240607

Rows = pd.DataFrame | pa.Table


def evaluate(
    synthetic: Rows, real: Rows, schema: Schema, *, holdout: Rows | None = None, bounds: Bounds | None = None
) -> Quality:
    """Compares a release with the real records: data frames or Arrow tables with the schema's columns.

    holdout: real records that the release was not made from, as a yardstick. bounds: of the columns whose bounds
    were learned; without them the common range of the real and the synthetic values serves as a grid.
    The result is exact and internal: it is not differentially private.
    """
    if not schema.coded:
        raise ValueError("the schema has no column to compare: all are identifiers or text")
    if holdout is not None and not len(holdout):
        raise ValueError("the holdout has no rows: leave it out, or give one with rows")
    learned = dict(bounds or {})
    grid = {**_spans(schema, real, synthetic), **learned}
    tables = _Tables(*(encode_frame(t, schema, grid) if t is not None else None for t in (real, synthetic, holdout)))
    domain = schema_domain(schema, grid)
    ones = _measured(tables, domain, ONE_WAY_BINS, nominal=False)
    twos = _measured(tables, domain, PAIR_BINS, nominal=True)
    ways = all_ways(domain.attributes)
    found = {1: ones.distances(ways[1])} | {k: twos.distances(ways[k]) for k in ways if k > 1}
    return Quality(
        rows_real=len(real),
        rows_synthetic=len(synthetic),
        rows_yardstick=len(real) if holdout is None else len(holdout),
        yardstick="bootstrap" if holdout is None else "holdout",
        ways=tuple(_mean(k, list(found[k].values())) for k in ways),
        columns=tuple(
            _column(name, column, ones, found[1][name,], (real, synthetic), grid, learned.get(name))
            for name, column in schema.coded.items()
        ),
        pairs=_matrix(domain, {**found[1], **found.get(2, {})}, 0),
        pair_floors=_matrix(domain, {**found[1], **found.get(2, {})}, 1),
        repeated_real=_repeated(real, schema),
        repeated_synthetic=_repeated(synthetic, schema),
    )
