"""Tails: what learning a bound has counted is told to the column's shape as well.

A column whose bounds were learned has noisy counts of its magnitudes, paid for already: a whole
octave each, and four together. A long tail is seen in them that is below the noise in finer cells.
Public mathematics on charged answers: it costs nothing.

Cells share their bin's rows by these masses, so that bins keep what the pairs gave them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from dpsynth.data.tables.cells import NumericCodec
from dpsynth.data.tables.codec import codec_for
from dpsynth.data.tables.magnitude import GROUPS, Magnitudes
from dpsynth.mechanisms.learned_bounds import Learned
from dpsynth.models.base import Model
from dpsynth.models.blocks import blocks_of, masses_of
from dpsynth.models.counted import Counted
from dpsynth.models.refined import RefinedModel
from dpsynth.schema.columns import Numeric
from dpsynth.schema.table import Schema

_EDGE = 1e-6
"""Of a cell: what may reach into the next octave, as float64 has the edges only nearly."""


def with_magnitudes(model: Model, schema: Schema, learned: Mapping[str, Learned]) -> Model:
    """The model with the shapes of these columns as their counted magnitudes say, too.

    A model that does not say what was measured of its columns stays as it is.
    """
    if not isinstance(model, RefinedModel):
        return model
    masses = dict(model.masses)
    for name in learned.keys() & model.counted.keys():
        column, widths = schema.columns[name], model.domain.width(name)
        blocks = blocks_of(model.domain, name)
        assert isinstance(column, Numeric)
        assert widths is not None
        assert blocks is not None
        codec = codec_for(column, learned[name].bounds)
        assert isinstance(codec, NumericCodec)
        told = told_by(model.counted[name], column, codec, learned[name])
        masses[name] = masses_of(told, widths, model.total, blocks)
    return replace(model, masses=masses)


def told_by(counted: Counted, column: Numeric, codec: NumericCodec, learned: Learned) -> Counted:
    """What was counted of a column's cells, and what was counted of its magnitudes."""
    low, high = _magnitudes(column, codec)
    for counts, stddev, group in zip(
        (learned.counts, learned.groups),
        learned.stddev,
        (np.arange(GROUPS.size), GROUPS),
        strict=True,
    ):
        begins = np.append(True, group[high[:-1]] < group[low[1:]])
        runs = np.cumsum(begins) - 1
        first, last = group[low[begins]], group[high[np.append(begins[1:], True)]]
        upto = np.append(0.0, np.cumsum(counts))
        sums = upto[last + 1] - upto[first]
        noise = stddev * np.sqrt(last + 1 - first)
        # of missing values these looks say nothing
        special = np.full(counted.pull.size - runs.size, runs[-1] + 1)
        counted = counted.with_sums(
            np.append(runs, special), np.append(sums, 0.0), np.append(noise, math.inf)
        )
    return counted


def _magnitudes(column: Numeric, codec: NumericCodec) -> tuple[np.ndarray, np.ndarray]:
    """The magnitudes of the first and the last number of each cell."""
    first, last = codec.grid.ends()
    if first.dtype.kind == "i":  # a power of two is the last number of its octave
        ends = (np.minimum(first + 1, last), last)
    else:  # nor is it exactly where a cell begins
        edge = _EDGE * (last - first)
        ends = (first + edge, last - edge)
    low, high = (
        Magnitudes(column).numbers.at(np.asarray(codec.shown(each), dtype=np.float64))
        for each in ends
    )
    return np.asarray(low), np.asarray(high)
