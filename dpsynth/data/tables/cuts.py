"""Cuts in which single numbers have codes of their own."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from dpsynth.door.codes import Cuts


def exact_cuts(codes: Mapping[float, int], otherwise: int) -> Cuts:
    """The cuts in which these numbers have these codes, and all other numbers have `otherwise`."""
    if not codes:
        return Cuts([], [otherwise])
    keys = sorted(codes)
    edges = np.unique([*keys, *np.nextafter(keys, math.inf)])
    after = [codes.get(edge, otherwise) for edge in edges.tolist()]
    return Cuts(edges, [otherwise, *after])


def with_exact(cuts: Cuts, number: float, code: int) -> Cuts:
    """The same cuts, but that this one number has this code; NaN changes nothing."""
    return with_span(cuts, number, math.nextafter(number, math.inf), code)


def with_span(cuts: Cuts, first: float, after: float, code: int) -> Cuts:
    """The same cuts, but that numbers from `first` to below `after` have this code.

    NaN changes nothing.
    """
    if math.isnan(first):
        return cuts
    edges = np.union1d(cuts.edges, [first, after])
    codes = np.where((first <= edges) & (edges < after), code, cuts.at(edges))
    return Cuts(edges, [cuts.codes[0], *codes])
