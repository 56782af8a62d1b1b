"""Columns of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from decimal import Decimal

from dpsynth.schema.declared import (
    Facts,
    Scalar,
    SchemaError,
    as_number,
    check_flags,
    check_marker,
    refuse,
)
from dpsynth.schema.formats import number_fault
from dpsynth.schema.heaping import as_heaping, grids_of, heaping_fault, shares_of

LATTICE = 2**50
"""The most steps from zero of a bound: neighbouring values stay apart in float64 arithmetic."""

MAX_DECIMALS = 15
"""Digits after the decimal mark beyond which float64 keeps no number from 1 on exactly."""


@dataclass(frozen=True, repr=False)
class Numeric(Facts):
    """A column of numbers from `low` to `high`; numbers outside are clipped.

    Text is read as Python writes numbers, and besides with marks between groups of three digits
    ("1,234.50", "1 234.50", "1'234.50"), with a currency sign before or after ("$5", "5 €"), and
    with a per cent sign ("12 %" is 12). docs/values.md has the rules.

    Parameters
    ----------
    low, high : float or None
        Public bounds, in the column's own unit. None asks for a bound that is learned from the
        rows by a charged query.
    integer : bool
        Whether values are whole numbers, which decode as pandas `Int64`.
    step : float or None
        The distance between neighbouring values, low + k * step; None for a continuous column.
    decimals : int or None
        How many digits values have after the decimal mark: 2 says what step=0.01 says.
    nullable : bool
        Whether values may be missing.
    missing_marker : str, int, float or None
        A value that stands for missing, such as -1 or "N".
    decimal : {".", ","} or None
        The decimal mark in text. With ",", "1.234,50" is 1234.5. None for that of the schema's
        `file`, which is "." where it says nothing.
    thousands : {",", ".", " ", "'"} or None
        The mark between groups of three digits in text; None for any that is no decimal mark.
    prefix, suffix : str or None
        What may stand before or after a number, such as "EUR" or "kg", and is left out.
    percent : bool
        Whether a number with a per cent sign is a share of one: "12 %" is then 0.12.
    heaping : int, sequence of int or mapping of int to float
        Whole numbers of which people report multiples: 5, or (5, 10), each a multiple of the one
        before. How many values are such multiples is then counted by a charge; {5: 0.6} declares
        it, and costs nothing: three values in five are multiples of 5, those of 10 among them.

    Raises
    ------
    SchemaError
        For bounds that are not finite or in the wrong order, for a step that does not divide their
        difference or is too fine for float64, for a marker of a column without missing values, for
        marks that are not known or do not go together, and for a heaping that the steps do not
        meet.

    Examples
    --------
    >>> Numeric(0, 10.0) == Numeric(0, 10)
    True
    >>> Numeric(0, None).bounded
    False
    >>> Numeric(0, 120, integer=True, step=5).spacing
    5
    >>> Numeric(0, 10_000, decimals=2, decimal=",", suffix="EUR").spacing
    0.01
    """

    low: float | None
    high: float | None
    _: KW_ONLY
    integer: bool = False
    step: float | None = None
    decimals: int | None = None
    nullable: bool = False
    missing_marker: Scalar | None = None
    decimal: str | None = None
    thousands: str | None = None
    prefix: str | None = None
    suffix: str | None = None
    percent: bool = False
    heaping: int | Sequence[int] | Mapping[int, float] = ()

    def __post_init__(self) -> None:
        check_flags(self, "integer", "nullable", "percent")
        affixes = {"prefix": self.prefix, "suffix": self.suffix}
        refuse(number_fault(self.mark, self.thousands, affixes))
        for name in ("low", "high", "step"):
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, as_number(given, name))
        if self.low is not None and self.high is not None and self.low > self.high:
            raise SchemaError(f"low={self.low} is above high={self.high}: exchange them")
        if self.step is not None and self.step <= 0:
            raise SchemaError(
                f"step must be positive, got {self.step}: leave it out for a column without steps"
            )
        self._check_decimals()
        self._check_lattice()
        check_marker(self)
        object.__setattr__(self, "heaping", as_heaping(self.heaping))
        refuse(heaping_fault(self.heaps, (self.low, self.high), self.spacing))

    @property
    def mark(self) -> str:
        """The decimal mark."""
        return "." if self.decimal is None else self.decimal

    @property
    def spacing(self) -> float | None:
        """The distance between neighbouring values; None for a continuous column."""
        if self.step is not None:
            return self.step
        if self.decimals is not None:
            return as_number(Decimal(1).scaleb(-self.decimals), "decimals")
        return 1 if self.integer else None

    @property
    def heaps(self) -> tuple[int, ...]:
        """The grids of `heaping`, ascending."""
        return grids_of(self.heaping)

    @property
    def heaped(self) -> tuple[float, ...]:
        """For each of them the declared share of values that are its multiples; empty for none."""
        return shares_of(self.heaping)

    @property
    def bounded(self) -> bool:
        """Whether both bounds are public; else at least one is learned from the rows."""
        return self.low is not None and self.high is not None

    def _check_decimals(self) -> None:
        if self.decimals is None:
            return
        if type(self.decimals) is not int or not 0 <= self.decimals <= MAX_DECIMALS:
            raise SchemaError(
                f"decimals must be a whole number from 0 to {MAX_DECIMALS}, got {self.decimals!r}:"
                " write how many digits come after the decimal mark"
            )
        if self.integer or self.step is not None:
            raise SchemaError("decimals says what step and integer say: keep one of the three")

    def _check_lattice(self) -> None:
        """SchemaError where the values of a column with steps are not all exact, or not apart."""
        if self.spacing is None:
            return
        facts = {"low": self.low, "high": self.high, "step": self.step}
        for name, value in facts.items():
            if self.integer and isinstance(value, float):
                raise SchemaError(
                    f"{name}={value} of an integer column must be a whole number below 2**53:"
                    " round it"
                )
            if name != "step" and value is not None and abs(value) > LATTICE * self.spacing:
                raise SchemaError(
                    f"{name}={value} is more than 2**50 steps of {self.spacing} from zero, too fine"
                    " for float64: take a larger step, or declare a continuous column"
                )
        if self.low is not None and self.high is not None:
            self._check_division(self.low, self.high, self.spacing)

    def _check_division(self, low: float, high: float, spacing: float) -> None:
        steps = (high - low) / spacing
        # Decimal steps such as 0.1 are not exact in float64: an error of 1e-9 is rounding.
        if abs(steps - round(steps)) > 1e-9 * max(1.0, steps):
            raise SchemaError(
                f"step={spacing} does not divide [{low}, {high}]: move a bound, or change step"
            )
