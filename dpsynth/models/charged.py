"""The noisy counts that charges answered, as a model file keeps them.

They were paid for, and are as public as the model. A file names the groups of cells that most of
them share, each cell by itself or the model's bins, and holds any others as arrays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dpsynth.base.domain import Domain
from dpsynth.models.base import RoughMeasurement, code_dtype

_KEY = "measured"
_CELLS, _BINS, _OWN = "cells", "bins", "own"
"""How cells were grouped: not at all, as the model's bins, or as an array of its own says."""


def stored_charges(
    charged: Sequence[RoughMeasurement], bins: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Plain fields and arrays; none where nothing was measured."""
    if not charged:
        return {}
    lines: list[dict[str, Any]] = []
    saved: dict[str, Any] = {_KEY: lines}
    for i, m in enumerate(charged):
        kinds = [_kind(g, bins[a]) for a, g in zip(m.clique, m.groups, strict=True)]
        lines.append({"columns": [*m.clique], "groups": kinds, "stddev": float(m.stddev)})
        saved[f"{_KEY}:{i}"] = np.asarray(m.values, dtype=np.float64)
        for j, (kind, group) in enumerate(zip(kinds, m.groups, strict=True)):
            if kind == _OWN:
                saved[f"{_KEY}:{i}:{j}"] = group.astype(code_dtype(int(group.max()) + 1))
    return saved


def charged_from(
    saved: Mapping[str, Any], domain: Domain, bins: Mapping[str, np.ndarray]
) -> tuple[RoughMeasurement, ...]:
    """What `stored_charges` gave; nothing of a file that was written before it.

    Raises
    ------
    ValueError, KeyError
        For what does not fit the domain.
    """
    return tuple(_read(saved, i, line, domain, bins) for i, line in enumerate(saved.get(_KEY, ())))


def _kind(group: np.ndarray, bins: np.ndarray) -> str:
    if np.array_equal(group, np.arange(group.size)):
        return _CELLS
    return _BINS if np.array_equal(group, bins) else _OWN


def _read(
    saved: Mapping[str, Any],
    i: int,
    line: Mapping[str, Any],
    domain: Domain,
    bins: Mapping[str, np.ndarray],
) -> RoughMeasurement:
    clique, kinds = tuple(map(str, line["columns"])), line["groups"]
    groups = []
    for j, (a, kind) in enumerate(zip(clique, kinds, strict=True)):
        if kind == _CELLS:
            groups.append(np.arange(domain.size(a)))
        else:
            groups.append(bins[a] if kind == _BINS else np.asarray(saved[f"{_KEY}:{i}:{j}"]))
    values, stddev = np.asarray(saved[f"{_KEY}:{i}"], dtype=np.float64), float(line["stddev"])
    sizes = tuple(int(g.max()) + 1 for g in groups)
    fits = all(g.shape == (domain.size(a),) for a, g in zip(clique, groups, strict=True))
    whole = values.shape == sizes and np.isfinite(values).all()
    if not fits or not whole or not (math.isfinite(stddev) and stddev > 0):
        raise ValueError(f"the measurement of {clique} does not fit the schema")
    return RoughMeasurement(clique, tuple(groups), values, stddev)
