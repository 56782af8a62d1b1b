"""Total-variation distances between two coded tables, and the bins on which they are taken.

The total-variation distance of two distributions is half the sum of their absolute differences: the
share of rows that would have to change for one table to have the other's frequencies. It is 0 for
equal and 1 for disjoint ones. An empty table has no frequencies: it is at distance 0 from an empty
table and 1 from any other.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from functools import lru_cache, partial

import numpy as np

from dpsynth.base.domain import Clique, Domain
from dpsynth.models.base import Codes

TRIPLES = 200
"""How many sets of three columns are compared at most: a table of 50 columns has 19,600."""
MOST_COLUMNS = 100
"""Of how many columns all pairs are compared: of 500 there are 124,750."""
_TRIPLES_SEED, _PAIRS_SEED = 20240607, 20261130
"""Any numbers: they make every comparison of the same columns use the same sets of them."""


def equal_mass(counts: np.ndarray, most: int) -> np.ndarray:
    """For each cell of an ordered column its bin, about equally many rows in each.

    counts: rows in each cell. most: the largest number of bins, 3 or more. If there are no more
    cells than that, each is its own bin. Cells below the first row and above the last get bins of
    their own, so that values where there should be none are not hidden among others.
    """
    if counts.size <= most:
        return np.arange(counts.size)
    inhabited = np.flatnonzero(counts)
    if not inhabited.size:
        return np.arange(counts.size) * most // counts.size
    first = int(inhabited[0])
    end = int(inhabited[-1]) + 1
    below = int(first > 0)
    above = int(end < counts.size)
    inner = _runs(counts[first:end], most - below - above) + below
    lower = np.zeros(first, dtype=np.int64)
    upper = np.full(counts.size - end, inner[-1] + 1)
    return np.concatenate([lower, inner, upper])


def _runs(counts: np.ndarray, most: int) -> np.ndarray:
    """Bins of neighbouring cells, filled one after the other.

    A cell that holds as many rows as a bin should stands alone; the others share the rest evenly.
    """
    bins = np.empty(counts.size, dtype=np.int64)
    current = 0
    held = 0
    left = int(counts.sum())
    for cell, count in enumerate(counts.tolist()):
        enough = left / (most - current)  # rows for each bin that is still to be filled
        if held and current < most - 1 and max(held, count) >= enough:
            current += 1
            left -= held
            held = 0
        bins[cell] = current
        held += count
    return bins


def most_frequent(counts: np.ndarray, most: int) -> np.ndarray:
    """For each cell of a column without an order its bin.

    The most frequent cells stand alone, the others share the last bin.
    """
    if counts.size <= most:
        return np.arange(counts.size)
    bins = np.full(counts.size, most - 1)
    bins[np.argsort(-counts, kind="stable")[: most - 1]] = np.arange(most - 1)
    return bins


def choose_bins(counts: np.ndarray, ordered: int, most: int) -> np.ndarray:
    """Bins of a column whose first `ordered` cells have an order (0: it has none).

    The special cells after them, such as the one for missing values, keep bins of their own.
    """
    if not ordered:
        return most_frequent(counts, most)
    bins = equal_mass(counts[:ordered], most - (counts.size - ordered))
    return np.concatenate([bins, bins.max() + 1 + np.arange(counts.size - ordered)])


def bins_of(codes: Codes, domain: Domain, attribute: str, most: int) -> np.ndarray:
    """Bins of a column by how a public table fills its cells."""
    counts = np.bincount(codes[attribute], minlength=domain.size(attribute))
    return choose_bins(counts, len(domain.width(attribute) or ()), most)


def frequencies(codes: Codes, clique: Clique, domain: Domain) -> np.ndarray:
    """Shares of the rows in each cell, flattened; all zero for an empty table."""
    cell = np.asarray(codes[clique[0]], dtype=np.intp)
    for a in clique[1:]:
        cell = cell * domain.size(a)
        cell += codes[a]
    counts = np.bincount(cell, minlength=domain.cells(clique))
    return counts / max(cell.size, 1)


def total_variation(p: np.ndarray, q: np.ndarray) -> float:
    """Half the sum of the absolute differences of two arrays of frequencies.

    Frequencies that are all zero are those of an empty table.
    """
    if not (p.any() and q.any()):
        return float(p.any() != q.any())
    return min(1.0, 0.5 * math.fsum(np.abs(p - q)))


def all_ways(attributes: Clique) -> dict[int, list[Clique]]:
    """The sets of columns over which distances are averaged, by how many columns they have.

    All columns, the pairs of `compared_pairs`, and up to 200 triples, which are the same for the
    same names, whatever their order.
    """
    pairs = compared_pairs(attributes)
    triples = some_sets(tuple(sorted(attributes)), 3, TRIPLES, _TRIPLES_SEED)
    ways: dict[int, list[Clique]] = {1: [(a,) for a in attributes], 2: [*pairs], 3: triples}
    return {k: cliques for k, cliques in ways.items() if cliques}


@lru_cache(maxsize=8)
def compared_pairs(attributes: Clique) -> tuple[tuple[str, str], ...]:
    """The pairs of columns that are compared, in the order of these columns.

    All of them up to MOST_COLUMNS columns. Of more, as many as these have: drawn by the names
    alone, so that they are the same whatever the rows, and whatever the columns' order.
    """
    names = tuple(sorted(attributes))
    drawn = some_sets(names, 2, math.comb(MOST_COLUMNS, 2), _PAIRS_SEED)
    place = {a: i for i, a in enumerate(attributes)}
    places = sorted(tuple(sorted((place[a], place[b]))) for a, b in drawn)
    return tuple((attributes[i], attributes[j]) for i, j in places)


def compared_columns(attributes: Clique) -> tuple[str, ...]:
    """Up to MOST_COLUMNS of the columns, of which all pairs are compared; drawn as pairs are."""
    if len(attributes) <= MOST_COLUMNS:
        return attributes
    rng = np.random.default_rng(_PAIRS_SEED)
    drawn = {*rng.permutation(sorted(attributes))[:MOST_COLUMNS].tolist()}
    return tuple(a for a in attributes if a in drawn)


def some_sets(
    attributes: Clique, size: int, most: int, rng: np.random.Generator | int
) -> list[Clique]:
    """Up to `most` of all sets of so many attributes, drawn without listing the others.

    In the order of `itertools.combinations`. rng: a generator, or the seed of one.
    """
    total = math.comb(len(attributes), size)
    if total <= most:
        return list(itertools.combinations(attributes, size))
    drawn = np.random.default_rng(rng).choice(total, most, replace=False)
    return [_nth_set(attributes, size, place) for place in sorted(drawn.tolist())]


def _nth_set(attributes: Clique, size: int, place: int) -> Clique:
    """The set at this place, from 0, of `itertools.combinations(attributes, size)`."""
    found: list[str] = []
    start = 0
    for left in range(size, 0, -1):
        # How many sets of the attributes from `start` on begin before each of these.
        n = len(attributes)
        before = partial(_sets_before, n - start, n, left)
        i = start + bisect_right(range(start, n), place, key=before) - 1
        place -= before(i)
        found.append(attributes[i])
        start = i + 1
    return tuple(found)


def _sets_before(there: int, n: int, size: int, i: int) -> int:
    return math.comb(there, size) - math.comb(n - i, size)
