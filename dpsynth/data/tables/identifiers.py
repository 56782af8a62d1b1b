"""New identifiers: they follow the public pattern, and no real identifier is read."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from dpsynth.schema.columns import Identifier, SchemaError

_ALPHABETS = {"#": "0123456789", "?": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
"""What a character of a pattern stands for; all others stand for themselves."""

_MOST = 1 << 62
"""Different numbers are drawn below this, which int64 holds with room to spare."""


def generate_identifiers(column: Identifier, n: int, rng: np.random.Generator) -> pd.Series[str]:
    """n different identifiers in random order, dtype `string`.

    Without a pattern they are the numbers 1 to n, padded with zeros. SchemaError for a pattern of
    fewer than n identifiers.
    """
    if column.pattern is None:
        width = len(str(n))
        shuffled = (rng.permutation(n) + 1).tolist()
        return pd.Series([f"{i:0{width}d}" for i in shuffled], dtype="string")
    alphabets = [np.array(list(_ALPHABETS.get(sign, sign))) for sign in column.pattern]
    capacity = math.prod(len(alphabet) for alphabet in alphabets)
    if capacity < n:
        raise SchemaError(
            f"pattern {column.pattern!r} has {capacity} identifiers, fewer than {n}: lengthen it"
        )
    return pd.Series(_spelled(n, alphabets, rng), dtype="string")


def _spelled(n: int, alphabets: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """n different identifiers: different numbers, written with these alphabets from the right.

    Where the places have more than 2^62 numbers, those to the left are filled at random.
    """
    numbered = 0
    capacity = 1
    for alphabet in reversed(alphabets):
        if capacity * len(alphabet) > _MOST:
            break
        numbered += 1
        capacity *= len(alphabet)
    rest = distinct_numbers(n, capacity, rng)
    characters = np.empty((n, len(alphabets)), dtype="U1")
    for place in reversed(range(len(alphabets))):
        alphabet = alphabets[place]
        if len(alphabets) - place > numbered:
            characters[:, place] = rng.choice(alphabet, n)
        else:
            rest, digit = np.divmod(rest, len(alphabet))
            characters[:, place] = alphabet[digit]
    return characters.view(f"U{len(alphabets)}").ravel().astype(object)


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
