r"""DP-SGD: the loop over private rows, of which only noisy sums of clipped gradients come out.

**What is released** (Abadi et al., arXiv 1607.00133, Algorithm 1). In each step a row takes part with the probability
that was billed, independently of all others, by the operating system's randomness; the gradient of each row that takes
part is clipped to a 2-norm of C and brought to integers; the integers are summed, and the rounded Gaussian of
`noise.py` is added, in an empty step too. The sum is divided by `rate * assumed_rows`, which is public or was charged
for: never by how many rows took part, nor by how many there are. The step after the last is refused, whichever process
takes it: the ledger counts steps before they are taken (`steps.py`).

**Sensitivity.** Gradients are measured in grains of C / 2^20 and *cut towards zero*, which lengthens no vector. Then
the sum of squares, an exact integer, is compared with 2^40, and a gradient above it counts as zero (infinities,
not-a-numbers, an error of rounding). So a row moves the sum by 2^20 grains at most, whatever the network computed (see
PIECE for why no other row's gradient changes with it), and rounding adds nothing. With k rows a unit: their k clipped
gradients move the sum by k C at most, so the noise is k times as large, and each row takes part with probability 1 -
(1 - rate)^(1/k), so that *any* of the k does with the billed rate. Given that one does, the sum is a mixture of
Gaussians shifted by k C at most, and the hockey-stick divergence is convex in it.

**What is trusted.** A gradient is computed from the row, so the callback that computes it sees raw rows. Python has no
walls: a callback that keeps what it sees, or lets it reach a file, is not stopped here. What is made sure of is that
honest use needs nothing else: the callback is given codes only, in pieces of one fixed size filled up with zeros, and
what it returns reaches nobody before noise. Before the first step, made-up rows show whether what it returns for a row
depends on the rows beside it (batch normalisation, packs of rows) or on chance, and such a callback is refused. The
tests run every mechanism with answers that ignore what the callback returned: two tables must then give one and the
same release, so a callback that lets a row out another way is seen there.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from dpsynth.base.closed import Closed
from dpsynth.kernel.events import Progress, positive
from dpsynth.kernel.noise import MAX_STDDEV, Bits, rounded_gaussian
from dpsynth.kernel.rows import SensitiveRows, _exact_codes
from dpsynth.training.steps import Claims

Gradients = Callable[[np.ndarray], np.ndarray]
"""Codes of PIECE rows, shape (PIECE, columns), to the gradient of each row's own loss, shape (PIECE, parameters)."""

PIECE = 64
"""Rows that a callback sees at a time: always as many, so that the arithmetic of a row does not depend on how many.

Nor does it depend on which rows: libraries may round differently from place to place, and one row more would move all
rows after it. So each row is given a place by random bits of its own (two tables then give the rows that they share the
same places, and the bound holds for each draw), and places that nobody has are filled up with zeros.

Any number that divides 256 is as private. More rows a piece leave more places empty, fewer take more calls: 64 is near
the least time for 128 to 1,024 rows a step. Places that fill up better (a shuffle, two to choose from) would hang on
who else takes part.
"""

MOST_PARAMETERS = 10_000_000

_GRAINS = 2.0**20
_SCALE = _GRAINS * (1 - 2.0**-30)  # double precision errs by less than this gives away
_MOST_NOISE = MAX_STDDEV / _GRAINS / 2
_BLOCK = 2**18  # numbers that are clipped at a time, 2 MiB
_LINE = 8  # numbers in 64 bytes, the most that any library aligns to


class Schedule(Protocol):
    """What was paid for: a DpSgd event."""

    @property
    def rate(self) -> float: ...
    @property
    def noise_multiplier(self) -> float: ...
    @property
    def steps(self) -> int: ...


class Training(Closed):
    """The steps that a DpSgd event paid for: each `step` is one of them. block: how many are claimed at a time."""

    _closed_because = "a training cannot be copied: its steps would be taken twice"
    __slots__ = (
        "__bits", "__block", "__claims", "__event", "__probed", "__process", "__rows", "clip", "parameters", "scale",
    )  # fmt: skip
    clip: float
    parameters: int
    scale: float

    def __init__(
        self,
        event: Schedule,
        bits: Bits,
        rows: SensitiveRows,
        claims: Claims,
        *,
        parameters: int,
        clip: float,
        assumed_rows: float,
        block: int | None = None,
    ) -> None:
        if rows.protects.adjacency != "add-remove":
            raise ValueError(
                "training is accounted for units that are added or removed, and this table's units are replaced:"
                ' use a unit with adjacency="add-remove"'
            )
        if type(parameters) is not int or not 1 <= parameters <= MOST_PARAMETERS:
            raise ValueError(f"parameters must be a whole number from 1 to {MOST_PARAMETERS:,}, got {parameters!r}")
        if block is not None and (type(block) is not int or block < 1):
            raise ValueError(f"block must be a whole number of steps, 1 or more, got {block!r}")
        self.parameters, self.clip = parameters, positive("clip", clip)
        if event.noise_multiplier * rows.protects.max_records > _MOST_NOISE:
            raise ValueError(f"{event} asks for more noise than can be drawn: use a larger budget, or fewer steps")
        expected = row_rate(event.rate, rows.protects.max_records) * positive("assumed_rows", assumed_rows)
        self.scale = self.clip / _GRAINS / expected
        self.__event, self.__bits, self.__rows, self.__claims = event, bits, rows, claims
        self.__block, self.__process = block or event.steps, os.getpid()
        self.__probed: object = None

    @property
    def steps(self) -> Progress:
        """What the ledger says of them: how many are paid for, claimed, lost."""
        return self.__claims.steps

    @property
    def steps_left(self) -> int:
        return self.__claims.steps.left + self.__claims.granted

    @property
    def done(self) -> int:
        """Steps taken, by this process and by those that it goes on from."""
        return self.steps.upto - self.steps.lost - self.__claims.granted

    @property
    def between_blocks(self) -> bool:
        """Whether all steps that are claimed were taken or lost, so that a process that ends here loses none."""
        return self.__claims.granted == 0

    @property
    def charge(self) -> int:
        """The number of the ledger line that pays."""
        return self.__claims.charge

    @property
    def stddev(self) -> float:
        """Standard deviation of the noise in each coordinate of what `step` returns."""
        return self.__event.noise_multiplier * self.__rows.protects.max_records * _GRAINS * self.scale

    def step(self, gradients: Gradients) -> np.ndarray:
        """The noisy mean of the clipped gradients over a fresh Poisson sample; float64, shape (parameters,).

        Raises RuntimeError after the last step, and ValueError when `gradients` is no function of each row by itself.
        """
        if self.__process != os.getpid():
            raise RuntimeError("this training belongs to another process: a fork cannot spend it a second time")
        code = getattr(gradients, "__code__", gradients)  # a step may bring a new closure, but no other function
        if code is not self.__probed:
            _refuse_coupling(gradients, self.__rows.sizes, self.parameters)
            self.__probed = code
        self.__claims.take(self.__block)
        total = self._sum(gradients)
        multiplier = self.__event.noise_multiplier * self.__rows.protects.max_records
        stddev = np.full(self.parameters, math.nextafter(multiplier, math.inf) * _GRAINS)
        return np.asarray((total + rounded_gaussian(stddev, self.__bits)) * self.scale)

    def _sum(self, gradients: Gradients) -> np.ndarray:
        """The exact sum of the clipped gradients of a Poisson sample, in grains; int64."""
        codes = _exact_codes(self.__rows)
        rate = row_rate(self.__event.rate, self.__rows.protects.max_records)
        chosen = codes[np.flatnonzero(poisson_sample(len(codes), rate, self.__bits))]
        places = np.frombuffer(self.__bits(len(chosen)), dtype=np.uint8) % PIECE
        total = np.zeros(self.parameters, dtype=np.int64)
        for piece, taken in _pieces(chosen, places):
            total += clipped_sum(_checked(gradients(piece), self.parameters)[taken], self.clip)
        return total


def row_rate(rate: float, max_records: int) -> float:
    """With what probability a row takes part, so that any of a unit's `max_records` rows does with at most `rate`."""
    if max_records == 1 or rate == 1:
        return rate
    each = -math.expm1(math.log1p(-rate) / max_records)
    return each * (1 - 2.0**-40)


def poisson_sample(rows: int, rate: float, bits: Bits) -> np.ndarray:
    """Which rows take part: independent, each with probability `rate`, rounded down to a multiple of 2^-64."""
    if rate >= 1:
        return np.ones(rows, dtype=bool)
    threshold = np.uint64(int(math.ldexp(rate, 64)))
    return np.frombuffer(bits(8 * rows), dtype="<u8") < threshold


def clipped_sum(gradients: np.ndarray, clip: float) -> np.ndarray:
    """The sum over rows of the gradients (rows, parameters), each clipped to 2^20 grains; int64, (parameters,).

    A row's grains are its own: each is scaled and cut by itself; the length that scales them is summed along the row
    only, from memory that is aligned alike for all rows, so that it is rounded alike in any place. Sums of grains are
    whole numbers below 2^53 for up to 2^33 rows: exact in any order.
    """
    rows, parameters = gradients.shape
    total = np.zeros(parameters)
    block = _aligned(min(rows, max(1, _BLOCK // parameters)), parameters)
    for start in range(0, rows, max(1, len(block))):
        some = gradients[start : start + len(block)]
        grains = block[: len(some)]
        grains[...] = some
        with np.errstate(all="ignore"):  # a gradient without a finite length counts as zero, below
            length = np.sqrt(np.vecdot(grains, grains))
            grains *= (_SCALE / np.maximum(length, clip))[:, None]
            np.trunc(grains, out=grains)
            kept = np.vecdot(grains, grains) <= _GRAINS**2  # whole numbers below 2^53: exact
        grains[~kept] = 0
        total += np.ones(len(grains)) @ grains
    return total.astype(np.int64)


def _aligned(rows: int, columns: int) -> np.ndarray:
    """Room for so many numbers, in which every row begins at a multiple of 64 bytes; float64, (rows, columns)."""
    width = -(-columns // _LINE) * _LINE
    room = np.empty(rows * width + _LINE)
    first = -(room.ctypes.data // room.itemsize) % _LINE
    return room[first : first + rows * width].reshape(rows, width)[:, :columns]


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


def _checked(gradients: Any, parameters: int) -> np.ndarray:
    array = np.asarray(gradients)
    if array.shape != (PIECE, parameters) or array.dtype not in (np.float32, np.float64):
        raise ValueError(
            f"what is computed of rows must be floating-point numbers of shape ({PIECE}, {parameters}),"
            f" got {array.dtype} of shape {array.shape}"
        )
    return array


def _refuse_coupling(gradients: Gradients, sizes: tuple[int, ...], parameters: int) -> None:
    """ValueError if made-up rows show that the answer for a row depends on the rows beside it, or on chance."""
    made_up = np.random.default_rng(0).integers(0, sizes, size=(2, PIECE, len(sizes)))
    other = made_up[1].copy()
    other[:: PIECE // 4] = made_up[0][:: PIECE // 4]
    one = _checked(gradients(made_up[0].copy()), parameters)[:: PIECE // 4]
    two = _checked(gradients(other), parameters)[:: PIECE // 4]
    if not np.array_equal(one, two, equal_nan=True):
        raise ValueError(
            "what is computed of a row changes with the rows beside it, or by chance, so clipping it bounds nothing:"
            " use no batch normalisation, no packs of rows, no dropout"
        )
