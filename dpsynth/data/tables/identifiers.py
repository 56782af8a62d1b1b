"""New identifiers: they follow the public pattern or range, and no real identifier is read."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data.tables.faked import faked
from dpsynth.schema.columns import Identifier, SchemaError
from dpsynth.schema.identifier import ALPHABETS

_MOST = 1 << 62
"""Different numbers are drawn below this, which int64 holds with room to spare."""

_ROUNDS = 6


def generate_identifiers(column: Identifier, n: int, rng: np.random.Generator) -> pd.Series[Any]:
    """n different identifiers in random order, dtype `string`, or `Int64` of a range.

    Without a pattern they are the numbers 1 to n, padded with zeros; what Faker makes up may come
    twice. SchemaError for a pattern or a range of fewer than n identifiers.
    """
    if column.faker is not None:
        return faked(column, "", np.arange(n), int(rng.integers(_MOST)))
    if column.range is None and column.pattern is None:
        width = len(str(n))
        shuffled = (rng.permutation(n) + 1).tolist()
        return pd.Series([f"{i:0{width}d}" for i in shuffled], dtype="string")
    alphabets = _alphabets(column)
    capacity = math.prod(map(len, alphabets)) if alphabets else _capacity(column)
    _refuse_few(column, capacity, n)
    if not alphabets:
        return _of_range(column, distinct_numbers(n, capacity, rng))
    numbered = _numbered(alphabets)
    rest = distinct_numbers(n, math.prod(map(len, alphabets[numbered:])), rng)
    left = [rng.choice(alphabet, n) for alphabet in reversed(alphabets[:numbered])]
    return pd.Series(_spelled(rest, alphabets, left[::-1]), dtype="string")


def keyed_identifiers(
    column: Identifier, name: str, owners: np.ndarray, seed: Any, total: int | None = None
) -> pd.Series[Any]:
    """The identifiers of units by their number: the same for one key, form and seed in every file.

    name: of the column, which stands for its key where it states none. total: how many units there
    are at most, where these are some of them; without a pattern or a range their identifiers are
    numbers up to it. SchemaError where the pattern or range has too few.
    """
    if total is not None and column.faker is None and not (column.range or column.pattern):
        column = Identifier(key=column.key, pattern="#" * len(str(total)))
    if column.faker is not None:
        return faked(column, column.key or name, owners, seed)
    form = [column.key or name, column.pattern, column.range, repr(seed)]
    key = hashlib.blake2b(repr(form).encode()).digest()
    words = np.frombuffer(key, dtype=np.uint64)
    alphabets = _alphabets(column)
    numbered = _numbered(alphabets)
    capacity = math.prod(map(len, alphabets[numbered:])) if alphabets else _capacity(column)
    _refuse_few(column, capacity, int(owners.max(initial=-1)) + 1 if total is None else total)
    numbers = _permuted(owners, capacity, words)
    if not alphabets:
        return _of_range(column, numbers)
    entries, places = np.unique(numbers, return_inverse=True)
    left = [alphabet[int(words[-1]) % len(alphabet)] for alphabet in alphabets[:numbered]]
    return pd.Series(_spelled(entries, alphabets, left)[places], dtype="string")


def _alphabets(column: Identifier) -> list[np.ndarray]:
    """What each place of the pattern may hold; empty for a range."""
    return [np.array(list(ALPHABETS.get(sign, sign))) for sign in column.pattern or ""]


def _capacity(column: Identifier) -> int:
    assert column.range is not None
    return column.range[1] - column.range[0] + 1


def _refuse_few(column: Identifier, capacity: int, n: int) -> None:
    if capacity < n:
        form = f"pattern {column.pattern!r}" if column.range is None else f"range {column.range}"
        raise SchemaError(
            f"{form} has {capacity:,} identifiers, fewer than {n:,}: draw at most {capacity:,}"
            " rows, or lengthen it before a fit"
        )


def _of_range(column: Identifier, numbers: np.ndarray) -> pd.Series[Any]:
    assert column.range is not None
    return pd.Series(numbers.astype(np.int64) + column.range[0], dtype="Int64")


def _numbered(alphabets: list[np.ndarray]) -> int:
    """The first place from which on all names can be numbered below 2^62."""
    capacity = 1
    for place in reversed(range(len(alphabets))):
        capacity *= len(alphabets[place])
        if capacity > _MOST:
            return place + 1
    return 0


def _spelled(rest: np.ndarray, alphabets: list[np.ndarray], left: Sequence[Any]) -> np.ndarray:
    """Different numbers, written with these alphabets from the right; `left`: the first places."""
    characters = np.empty((len(rest), len(alphabets)), dtype="U1")
    for place in reversed(range(len(left), len(alphabets))):
        rest, digit = np.divmod(rest, len(alphabets[place]))
        characters[:, place] = alphabets[place][digit]
    for place, signs in enumerate(left):
        characters[:, place] = signs
    return characters.view(f"U{len(alphabets)}").ravel().astype(object)


def _permuted(places: np.ndarray, capacity: int, words: np.ndarray) -> np.ndarray:
    """A keyed permutation of the numbers below `capacity`: no two places have one number.

    A Feistel network on the next even number of bits; what falls beyond the capacity goes through
    it again, until it does not (Black and Rogaway, CT-RSA 2002). Nothing here is a secret.
    """
    half = max(1, (max(1, (capacity - 1).bit_length()) + 1) // 2)
    low, shift = np.uint64((1 << half) - 1), np.uint64(half)
    found = places.astype(np.uint64)
    outside = np.arange(found.size)
    while outside.size:
        left, right = found[outside] >> shift, found[outside] & low
        for word in words[:_ROUNDS]:
            mixed = (right + word) * (word | np.uint64(1))
            mixed ^= mixed >> np.uint64(29)
            mixed *= np.uint64(0xBF58476D1CE4E5B9)
            left, right = right, left ^ (mixed >> np.uint64(64 - half))
        found[outside] = (left << shift) | right
        outside = outside[found[outside] >= capacity]
    return found.astype(np.int64)


def distinct_numbers(n: int, below: int, rng: np.random.Generator) -> np.ndarray:
    """n different numbers below `below`, in random order."""
    if below <= 4 * n:  # few enough to shuffle them all
        return rng.permutation(below)[:n]
    # So many more than n that repeats are rare: draw those again until there are none.
    drawn = np.sort(rng.integers(0, below, n))
    while len(repeats := np.flatnonzero(drawn[1:] == drawn[:-1])):
        drawn[repeats] = rng.integers(0, below, len(repeats))
        drawn.sort()
    return rng.permutation(drawn)
