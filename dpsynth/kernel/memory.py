"""Coded rows held in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dpsynth.base.domain import Domain


class MemoryBackend:
    """codes: for each attribute of the domain a one-dimensional integer array, all of one length.

    A code outside the domain is brought to the nearest cell: a value never makes a fit fail.
    """

    def __init__(self, codes: Mapping[str, np.ndarray], domain: Domain) -> None:
        missing = [a for a in domain.attributes if a not in codes]
        if missing:
            raise ValueError(f"codes lack the attributes {missing}")
        if len({len(codes[a]) for a in domain.attributes}) > 1:
            raise ValueError("codes must have one length for every attribute")
        for a in domain.attributes:
            if np.asarray(codes[a]).dtype.kind not in "iu":
                raise TypeError(f"codes of {a!r} must be integers")
        self._codes = {a: np.clip(codes[a], 0, domain.size(a) - 1) for a in domain.attributes}

    def partitions(self, attributes: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
        yield {a: self._codes[a] for a in attributes}
