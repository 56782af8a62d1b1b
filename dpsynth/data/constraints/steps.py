"""Steps between the columns of a release and those that are modelled.

Each makes one modelled column of released ones, record by record, before a fit, or none; and
released columns of others when rows are decoded. Nothing here sees more than one record at a time,
but for keys, which are made without any.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import pandas as pd

from dpsynth.data.constraints.calendar import CalendarStep
from dpsynth.data.constraints.lookup import Lookup
from dpsynth.data.constraints.scale import Scale
from dpsynth.data.tables.codec import codec_for
from dpsynth.schema.columns import Boolean, Categorical, Column, Datetime, Numeric
from dpsynth.schema.datetimes import UNITS
from dpsynth.schema.formulas import Formula

Rows = dict[str, Any]
"""Columns of a release by name, as pandas Series."""

_DIGITS = 12


class Step(Protocol):
    """How some columns of a release follow.

    makes: these columns. needs: the released columns that they follow from.
    """

    makes: tuple[str, ...]
    needs: tuple[str, ...]

    def decode(self, rows: Rows, rng: np.random.Generator) -> None:
        """Add the columns that it makes; a modelled one that they follow from is taken out."""
        ...


class _ModelledStep(ABC):
    """A step of which one modelled column, `attribute`, is made."""

    attribute: str

    @property
    def attributes(self) -> tuple[str, ...]:
        """The modelled columns that it makes of released ones."""
        return (self.attribute,)

    def columns(self) -> dict[str, Column]:
        """Each of them by name."""
        return {self.attribute: self.column()}

    def encoded(self, values: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Their raw values by name."""
        return {self.attribute: self.encode(values)}

    @abstractmethod
    def column(self) -> Column:
        """The modelled column as a fit reads it."""

    @abstractmethod
    def encode(self, values: Mapping[str, Any]) -> np.ndarray:
        """Its raw value for each record. No value makes it raise."""


class CombinedStep(_ModelledStep):
    """Columns that have one of some public combinations together: one modelled column for all."""

    def __init__(self, lookup: Lookup) -> None:
        self.lookup = lookup
        self.attribute = ", ".join(lookup.names)
        self.makes = lookup.names
        self.needs: tuple[str, ...] = ()

    def column(self) -> Column:
        """A category for each combination; what is none counts as any undeclared value."""
        return Categorical(range(len(self.lookup.codes)))

    def encode(self, values: Mapping[str, Any]) -> np.ndarray:
        """For each record the number of its combination, -1 for none. No value makes it raise."""
        return self.lookup.rows_of(values)

    def decode(self, rows: Rows, rng: np.random.Generator) -> None:
        places = rows.pop(self.attribute).cat.codes.to_numpy()
        for codes, name, codec in zip(
            self.lookup.codes.T, self.makes, self.lookup.codecs, strict=True
        ):
            rows[name] = codec.decode(codes[places], rng)


class GapStep(_ModelledStep):
    """A column that is never below (or above) another one: the gap between them is modelled.

    It is missing where the other one is. What lies beyond the column's bounds is to be redrawn.
    """

    def __init__(
        self, base: tuple[str, Column], other: tuple[str, Column], *, above: bool, strict: bool
    ) -> None:
        self._base, self._other = base[0], other[0]
        self._from, self._to = Scale(base[1]), Scale(other[1])
        self.above = above
        self._sign = 1 if above else -1
        self._strict = strict
        self._nullable = bool(getattr(other[1], "nullable", False))
        self.attribute = f"{base[0]} to {other[0]}"
        self.makes: tuple[str, ...] = (other[0],)
        self.needs: tuple[str, ...] = (base[0],)

    def column(self) -> Column:
        """Whole steps where both columns have the same ones, else a real number."""
        low, high = self._bounds()
        if self._to.spacing is None:
            return Numeric(low, _known(high), nullable=self._nullable)
        return Numeric(
            int(low),
            None if np.isinf(high) else int(high),
            integer=True,
            nullable=self._nullable,
        )

    @property
    def step(self) -> tuple[float, str]:
        """What a gap of 1 is in the columns' numbers, or the name of such times."""
        if isinstance(self._to.column, Datetime):
            return 1.0, UNITS[self._to.column.resolution] + "s"
        return self._to.spacing or 1.0, ""

    @property
    def possible(self) -> bool:
        """Whether there is a gap that keeps the order between the bounds."""
        low, high = self._bounds()
        return low <= high

    def _bounds(self) -> tuple[float, float]:
        """The least and the largest gap."""
        ends = [
            self._sign * (a - b)
            for a, b in ((self._to.low, self._from.high), (self._to.high, self._from.low))
        ]
        least, most = min(ends), max(ends)
        if self._to.spacing is None:
            return max(0.0, least), most
        steps = float(np.rint(least / self._to.spacing)), float(np.rint(most / self._to.spacing))
        return max(float(self._strict), steps[0]), steps[1]

    def allowed(self, gap: np.ndarray) -> np.ndarray:
        """Whether gaps keep the order between the bounds, or are missing."""
        low, high = self._bounds()
        above = gap > 0 if self._strict and self._to.spacing is None else gap >= low
        return np.isnan(gap) | (above & (gap <= high))

    def encode(self, values: Mapping[str, Any]) -> np.ndarray:
        """For each record its gap, NaN where it has none. No value makes it raise."""
        with np.errstate(all="ignore"):  # of infinite numbers in a column with an open bound
            base, other = self._from.read(values[self._base]), self._to.read(values[self._other])
            gap = self._sign * (other - base)
            return gap if self._to.spacing is None else np.rint(gap / self._to.spacing)

    def decode(self, rows: Rows, rng: np.random.Generator) -> None:
        gap = rows.pop(self.attribute).to_numpy(np.float64, na_value=np.nan)
        base = self._from.released(rows[self._base])
        if self._to.spacing is not None:
            found = self._to.at(self._to.steps(base) + self._sign * gap)
        else:
            found = self._beside(base, gap)
        rows[self._other] = self._to.series(found)

    def _beside(self, base: np.ndarray, gap: np.ndarray) -> np.ndarray:
        """The sum or difference, with no digits that neither has, and never on the wrong side."""
        found = _shortened(base + self._sign * gap, np.maximum(np.abs(base), np.abs(gap)))
        nearest = np.nextafter(base, self._sign * np.inf) if self._strict else base
        return np.maximum(found, nearest) if self._sign > 0 else np.minimum(found, nearest)


ModelledStep = CombinedStep | GapStep | CalendarStep
"""Has modelled columns of its own, `attributes`, that the columns that it makes follow from."""


class FormulaStep:
    """A column that is computed from others, to its own steps."""

    def __init__(self, name: str, formula: Formula, columns: Mapping[str, Column]) -> None:
        self._formula = formula
        self._scales = {part: Scale(columns[part]) for part in formula.columns}
        self._result = Scale(columns[name])
        self.makes: tuple[str, ...] = (name,)
        self.needs = formula.columns

    def computed(self, rows: Mapping[str, Any]) -> np.ndarray:
        """The number for each row, on the column's steps."""
        read = {part: scale.read(rows[part], clip=False) for part, scale in self._scales.items()}
        return self._result.snapped(self._formula(read))

    def result(
        self, rows: Mapping[str, Any], instead: Mapping[str, np.ndarray] = MappingProxyType({})
    ) -> np.ndarray:
        """The number for each row of a release, before it is moved to a step; with the numbers in
        `instead` in the place of some columns.
        """
        read = {
            part: instead[part] if part in instead else scale.released(rows[part])
            for part, scale in self._scales.items()
        }
        return self._formula(read)

    def decode(self, rows: Rows, rng: np.random.Generator) -> None:
        found = self._result.snapped(self.result(rows))
        rows[self.makes[0]] = self._result.series(found)


class TableStep:
    """A column that is looked up by others in a public table; missing where that has no row."""

    def __init__(
        self, name: str, lookup: Lookup, result: Column, codes: np.ndarray, numbers: np.ndarray
    ) -> None:
        self.lookup = lookup
        self._result = result
        self._codes, self._numbers = codes, numbers
        self.makes: tuple[str, ...] = (name,)
        self.needs = lookup.names

    def decode(self, rows: Rows, rng: np.random.Generator) -> None:
        rows[self.makes[0]] = self.valued(self.lookup.rows_of(rows), rng)

    def valued(self, places: np.ndarray, rng: np.random.Generator) -> pd.Series[Any]:
        """The column's value for each row of the table; -1 stands for none."""
        if isinstance(self._result, Categorical | Boolean):
            codec = codec_for(self._result)
            return codec.decode(np.append(self._codes, codec.size - 1)[places], rng)
        return Scale(self._result).series(np.append(self._numbers, np.nan)[places])


class CopyStep:
    """A column that equals another one."""

    def __init__(self, base: tuple[str, Column], other: tuple[str, Column]) -> None:
        self._from, self._to = Scale(base[1]), Scale(other[1])
        self.makes: tuple[str, ...] = (other[0],)
        self.needs: tuple[str, ...] = (base[0],)

    def decode(self, rows: Rows, rng: np.random.Generator) -> None:
        numbers = self._from.released(rows[self.needs[0]])
        rows[self.makes[0]] = self._to.series(self._to.snapped(numbers))


def _shortened(numbers: np.ndarray, size: np.ndarray) -> np.ndarray:
    """The numbers with twelve digits of `size`: without what adding two of them leaves behind."""
    with np.errstate(all="ignore"):
        unit = 10.0 ** np.clip(_DIGITS - np.ceil(np.log10(size)), 0, 22)
        short = np.rint(numbers * unit) / unit
    return np.where(np.isfinite(short), short, numbers)


def _known(bound: float) -> float | None:
    """An open bound is None, and learned by a charge."""
    return None if np.isinf(bound) else bound
