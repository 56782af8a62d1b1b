r"""Sums over private rows of a vector that a function computes of each, clipped, so that no row counts for much.

**Sensitivity.** Vectors are measured in grains of C / 2^20 and *cut towards zero*, which lengthens none. Then the sum
of squares, an exact integer, is compared with 2^40, and a vector above it counts as zero (infinities, not-a-numbers, an
error of rounding). So a row moves the sum by 2^20 grains at most, whatever the function computed (see PIECE for why no
other row's vector changes with it), and rounding adds nothing.

**What is trusted.** A vector is computed from the row, so the function that computes it sees raw rows. Python has no
walls: a function that keeps what it sees, or lets it reach a file, is not stopped here. What is made sure of is that
honest use needs nothing else: the function is given codes only, in pieces of one fixed size filled up with zeros, and
what it returns reaches nobody before noise. Before the first row, made-up rows show whether what it returns for a row
depends on the rows beside it (batch normalisation, packs of rows) or on chance, and such a function is refused. The
tests run every mechanism with answers that ignore what the function returned: two tables must then give one and the
same release, so a function that lets a row out another way is seen there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from dpsynth.kernel.noise import Bits

PIECE = 64
"""Rows that a function sees at a time: always as many, so that the arithmetic of a row does not depend on how many.

Nor does it depend on which rows: libraries may round differently from place to place, and one row more would move all
rows after it. So each row is given a place by random bits of its own (two tables then give the rows that they share the
same places, and the bound holds for each draw), and places that nobody has are filled up with zeros.

Any number that divides 256 is as private. More rows a piece leave more places empty, fewer take more calls: 64 is near
the least time for 128 to 1,024 rows a step. Places that fill up better (a shuffle, two to choose from) would hang on
who else takes part.
"""

Vectors = Callable[[np.ndarray], np.ndarray]
"""Codes of PIECE rows, shape (PIECE, columns), to a vector of each row by itself, shape (PIECE, length)."""

MAX_PARAMETERS = 10_000_000
GRAINS = 2.0**20
_SCALE = GRAINS * (1 - 2.0**-30)  # double precision errs by less than this gives away
_BLOCK = 2**18  # numbers that are clipped at a time, 2 MiB
_LINE = 8  # numbers in 64 bytes, the most that any library aligns to
_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def sum_of_rows(codes: np.ndarray, vectors: Vectors, length: int, clip: float, bits: Bits) -> np.ndarray:
    """The exact sum of the clipped vectors of all rows, in grains; int64, (length,)."""
    places = np.frombuffer(bits(len(codes)), dtype=np.uint8) % PIECE
    total = np.zeros(length, dtype=np.int64)
    for piece, taken in _pieces(codes, places):
        total += clipped_sum(_answers(vectors, piece, length)[taken], clip)
    return total


def clipped_sum(vectors: np.ndarray, clip: float) -> np.ndarray:
    """The sum over rows of the vectors (rows, length), each clipped to 2^20 grains; int64, (length,).

    A row's grains are its own: each is scaled and cut by itself; the length that scales them is summed along the row
    only, from memory that is aligned alike for all rows, so that it is rounded alike in any place. Sums of grains are
    whole numbers below 2^53 for up to 2^33 rows: exact in any order.
    """
    rows, columns = vectors.shape
    total = np.zeros(columns)
    block = _aligned(min(rows, max(1, _BLOCK // columns)), columns)
    for start in range(0, rows, max(1, len(block))):
        some = vectors[start : start + len(block)]
        grains = block[: len(some)]
        grains[...] = some
        with np.errstate(all="ignore"):  # a vector without a finite length counts as zero, below
            length = np.sqrt(np.vecdot(grains, grains))
            grains *= (_SCALE / np.maximum(length, clip))[:, None]
            np.trunc(grains, out=grains)
            kept = np.vecdot(grains, grains) <= GRAINS**2  # whole numbers below 2^53: exact
        grains[~kept] = 0
        total += np.ones(len(grains)) @ grains
    return total.astype(np.int64)


def refuse_coupling(vectors: Vectors, sizes: tuple[int, ...], length: int) -> None:
    """ValueError if made-up rows show that the answer for a row depends on the rows beside it, or on chance."""
    one, two = np.random.default_rng(0).integers(0, sizes, size=(2, PIECE, len(sizes)))
    shared = slice(None, None, PIECE // 4)
    two[shared] = one[shared]
    alone, beside_others = (_answers(vectors, piece, length)[shared].copy() for piece in (one, two))
    if not np.array_equal(alone, beside_others, equal_nan=True):
        raise ValueError(
            "what is computed of a row changes with the rows beside it, or by chance, so clipping it bounds nothing:"
            " use no batch normalisation, no packs of rows, no dropout"
        )


def checked(what: str, answers: Any, shape: tuple[int, ...], dtypes: tuple[np.dtype[Any], ...]) -> np.ndarray:
    """What a function of private rows returned, when it has this shape and one of these types; else one sentence."""
    array = np.asarray(answers)
    if array.shape == shape and array.dtype in dtypes:
        return array
    raise ValueError(f"{what} of shape {shape}, got {array.dtype} of shape {array.shape}")


def _answers(vectors: Vectors, piece: np.ndarray, length: int) -> np.ndarray:
    what = "what is computed of rows must be floating-point numbers"
    return checked(what, vectors(piece), (PIECE, length), _FLOATS)


def _pieces(chosen: np.ndarray, places: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pieces in which every row has its place, zeros where nobody has one; and the places that are taken."""
    order = np.argsort(places, kind="stable")
    queued = places[order]
    turn = np.arange(len(queued)) - np.searchsorted(queued, queued)  # how many before it wait for the same place
    for now in range(int(turn.max(initial=-1)) + 1):
        piece = np.zeros((PIECE, chosen.shape[1]), dtype=np.int64)
        taken = queued[turn == now]
        piece[taken] = chosen[order[turn == now]]
        yield piece, taken


def _aligned(rows: int, columns: int) -> np.ndarray:
    """Room for so many numbers, in which every row begins at a multiple of 64 bytes; float64, (rows, columns)."""
    width = -(-columns // _LINE) * _LINE
    room = np.empty(rows * width + _LINE)
    first = -(room.ctypes.data // room.itemsize) % _LINE
    return room[first : first + rows * width].reshape(rows, width)[:, :columns]
