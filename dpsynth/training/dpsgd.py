r"""DP-SGD: the loop over private rows, of which only noisy sums of clipped gradients come out.

**What is released** (Abadi et al., arXiv 1607.00133, Algorithm 1). In each step a row takes part with the probability
that was billed, independently of all others, by the operating system's randomness; the gradient of each row that takes
part is clipped to a 2-norm of C and brought to integers; the integers are summed, and the rounded Gaussian of
`noise.py` is added, in an empty step too. The sum is divided by `rate * assumed_rows`, which is public or was charged
for: never by how many rows took part, nor by how many there are. The step after the last is refused, whichever process
takes it: the ledger counts steps before they are taken (`steps.py`).

**Sensitivity.** A row moves the sum by C at most, whatever the network computed (`clipping.py`, which also says what a
function that sees raw rows is trusted with). With k rows a unit: their k clipped gradients move the sum by k C at most,
so the noise is k times as large, and each row takes part with probability 1 - (1 - rate)^(1/k), so that *any* of the k
does with the billed rate. Given that one does, the sum is a mixture of Gaussians shifted by k C at most, and the
hockey-stick divergence is convex in it.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from dpsynth.base.code_name import code_name
from dpsynth.base.numbers import positive, whole
from dpsynth.kernel.events import Grant
from dpsynth.kernel.noise import MAX_STDDEV, Bits, rounded_gaussian
from dpsynth.kernel.rows import SensitiveRows, _exact_codes
from dpsynth.kernel.wall import behind_the_wall
from dpsynth.training.clipping import GRAINS, MAX_PARAMETERS, Vectors, refuse_coupling, sum_of_rows
from dpsynth.training.steps import Claims

_MAX_NOISE = MAX_STDDEV / GRAINS / 2


class Training(Claims):
    """The steps that a DpSgd event paid for: each `step` is one of them. block: how many are claimed at a time."""

    __slots__ = (
        "__bits",
        "__block",
        "__code",
        "__noise",
        "__probed",
        "__rate",
        "__rows",
        "clip",
        "parameters",
        "scale",
    )

    def __init__(
        self,
        rate: float,
        noise_multiplier: float,
        grant: Grant,
        rows: SensitiveRows,
        *,
        parameters: int,
        clip: float,
        assumed_rows: float,
        block: int | None = None,
    ) -> None:
        super().__init__(grant)
        unit = rows.protects
        if unit.adjacency != "add-remove":
            raise ValueError(
                "training is accounted for units that are added or removed, and this table's units are replaced:"
                ' use a unit with adjacency="add-remove"'
            )
        self.__noise = noise_multiplier * unit.max_records
        if self.__noise > _MAX_NOISE:
            raise ValueError(
                f"a noise multiplier of {self.__noise:g} a unit is more than can be drawn, at most {_MAX_NOISE:g}:"
                " use a larger budget, or fewer steps"
            )
        self.parameters = whole("parameters", parameters, MAX_PARAMETERS)
        self.clip = positive("clip", clip)
        self.__block = self.steps.paid if block is None else whole("block", block, 2**32)
        self.__rate = row_rate(rate, unit.max_records)
        expected = self.__rate * positive("assumed_rows", assumed_rows)
        self.scale = self.clip / GRAINS / expected
        self.__bits = grant.bits
        self.__code = grant.code
        self.__rows = rows
        self.__probed: object = None

    @property
    def stddev(self) -> float:
        """Standard deviation of the noise in each coordinate of what `step` returns."""
        return self.__noise * GRAINS * self.scale

    def step(self, gradients: Vectors) -> np.ndarray:
        """The noisy mean of the clipped gradients over a fresh Poisson sample; float64, shape (parameters,).

        Raises RuntimeError after the last step; ValueError when the charge names other code, or made-up rows show that
        `gradients` is no function of each row by itself; RowsError, which says nothing of them, when it fails on rows.
        """
        body = getattr(gradients, "__code__", gradients)  # a step may bring a new closure, no other function or object
        if body is not self.__probed:
            if code_name(gradients) != self.__code:
                raise ValueError(
                    f"the gradients are computed by {code_name(gradients)}, the charge names {self.__code}: name the"
                    " function when you charge, charge(event, purpose, reads=function)"
                )
            refuse_coupling(gradients, self.__rows.sizes, self.parameters)
            self.__probed = body
        self._take(self.__block)
        total = behind_the_wall(partial(self._sum, gradients))
        stddev = np.full(self.parameters, math.nextafter(self.__noise, math.inf) * GRAINS)
        return np.asarray((total + rounded_gaussian(stddev, self.__bits)) * self.scale)

    def _sum(self, gradients: Vectors) -> np.ndarray:
        codes = _exact_codes(self.__rows)
        chosen = codes[poisson_sample(len(codes), self.__rate, self.__bits)]
        return sum_of_rows(chosen, gradients, self.parameters, self.clip, self.__bits)


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
