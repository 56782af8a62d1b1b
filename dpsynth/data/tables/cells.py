"""Codecs of the column types: raw values to cell numbers and back.

The valid cells come first, in order. After them comes at most one special cell:

| column                    | nulls, marker | unknown, wrong type | special cell, decodes as                    |
|---------------------------|---------------|---------------------|---------------------------------------------|
| nullable                  | special       | special             | missing                                     |
| nullable, `other=`        | special       | other               | missing                                     |
| not nullable, `other=`    | other         | other               | none                                        |
| not nullable              | special       | special             | a draw from the valid codes being decoded   |
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data import values as raw
from dpsynth.data.tables.grid import Grid, RealGrid, StepGrid, moment_edges, number_edges
from dpsynth.schema.columns import (
    LATTICE,
    SECONDS,
    TRUTHS,
    Boolean,
    Categorical,
    Datetime,
    Numeric,
    number_of_text,
    text_of_number,
)

_FIRST = tuple("-0123456789")  # what the text of a number begins with


class _Cells(ABC):
    """What all codecs share: the special cell, the smallest code type, redrawing of invalid cells."""

    widths: tuple[float, ...] | None

    def __init__(self, valid: int, nullable: bool, other: int | None = None) -> None:
        self._valid, self._nullable = valid, nullable
        special = nullable or other is None
        self.size = valid + special
        self._null = valid if special else int(other or 0)
        self._bad = valid if other is None else other
        self._dtype = np.uint8 if self.size <= 1 << 8 else np.uint16 if self.size <= 1 << 16 else np.int32

    def encode(self, values: Any) -> np.ndarray:
        """Cell numbers, one for each value, in the smallest of uint8, uint16 and int32. No value makes it raise."""
        return raw.read(values, self).astype(self._dtype, copy=False)

    def decode(self, codes: np.ndarray, rng: np.random.Generator) -> pd.Series[Any]:
        """Values drawn from the cells; the dtype follows from the column alone."""
        cells = np.asarray(codes)
        missing = cells >= self._valid
        if not self._nullable and missing.any():
            cells, missing = self._redrawn(cells, missing, rng), np.zeros(len(cells), dtype=bool)
        return self._shown(self._draw(np.where(missing, 0, cells), rng), missing)

    def ends(self) -> tuple[pd.Series[Any], pd.Series[Any]]:
        """The first and the last value of each valid cell, with the dtype of `decode`."""
        first, last = self._ends()
        known = np.zeros(self._valid, dtype=bool)
        return self._shown(first, known), self._shown(last, known)

    @abstractmethod
    def objects(self, values: Iterable[object]) -> np.ndarray:
        """Cells of Python objects, one by one."""

    def numbers(self, values: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(values), self._null, self._bad)

    def moments(self, values: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(values), self._null, self._bad)

    def _draw(self, cells: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return cells

    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        return np.arange(self._valid), np.arange(self._valid)

    @abstractmethod
    def _shown(self, drawn: np.ndarray, missing: np.ndarray) -> pd.Series[Any]:
        """What was drawn, as a Series of the column's dtype."""

    def _redrawn(self, cells: np.ndarray, invalid: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        known = cells[~invalid]
        if len(known):
            drawn = rng.choice(known, int(invalid.sum()))
        else:
            weights = np.ones(self._valid) if self.widths is None else np.asarray(self.widths)
            drawn = rng.choice(self._valid, int(invalid.sum()), p=weights / weights.sum())
        cells = cells.copy()
        cells[invalid] = drawn
        return cells


class _Named(_Cells):
    """Cells with names: tables from texts, numbers and truth values to codes, for each way a name may be written."""

    def __init__(self, valid: int, nullable: bool, other: int | None = None) -> None:
        super().__init__(valid, nullable, other)
        self._texts: dict[str, int] = {}
        self._numbers: dict[float, int] = {}
        self._truths: dict[bool, int] = {}

    def objects(self, values: Iterable[object]) -> np.ndarray:
        return np.fromiter(map(self._code, values), dtype=np.int64)

    def numbers(self, values: np.ndarray) -> np.ndarray:
        keys, codes = self._sorted
        position = np.minimum(np.searchsorted(keys, values), len(keys) - 1)
        found = np.where(keys[position] == values, codes[position], self._bad)
        return np.where(np.isnan(values), self._null, found)

    @cached_property
    def _sorted(self) -> tuple[np.ndarray, np.ndarray]:
        keys = sorted(self._numbers)
        return np.array([*keys, math.inf]), np.array([*(self._numbers[key] for key in keys), self._bad])

    def _code(self, value: object) -> int:
        if isinstance(value, str):
            return self._code_of_text(str.__str__(value))
        if isinstance(value, bool | np.bool_):  # before the numbers: True == 1 must not merge them
            return self._truths.get(bool(value), self._bad)
        if raw.is_null(value):
            return self._null
        return self._numbers.get(raw.plain_number(value), self._bad)

    def _code_of_text(self, text: str) -> int:
        code = self._texts.get(text)
        return self._numbers.get(number_of_text(text), self._bad) if code is None else code


class CategoricalCodec(_Named):
    """One cell for each category. Decodes to pandas `category` with the declared categories and order."""

    def __init__(self, column: Categorical) -> None:
        names: tuple[str | float, ...] = tuple(column.categories)
        super().__init__(len(names), column.nullable, None if column.other is None else names.index(column.other))
        self.widths = (1.0,) * len(names) if column.ordered else None
        self._column = column
        self._textual = isinstance(names[0], str)
        for code, name in enumerate(names):
            self._add(name, code)
        if column.missing_marker is not None:
            self._add(column.missing_marker, self._null)
        if self._textual:
            self._truths = {truth: self._texts[str(truth)] for truth in (False, True) if str(truth) in self._texts}

    def _add(self, name: str | float, code: int) -> None:
        """A name and what matches it: for text the number of that name, for a number the same number."""
        if not self._textual:
            if isinstance(name, str):
                self._texts[name] = code
            number = number_of_text(name) if isinstance(name, str) else float(name)
            if not math.isnan(number):
                self._numbers[number] = code
            return
        text = name if isinstance(name, str) else text_of_number(float(name))
        if text is not None:
            self._texts[text] = code
            if text[0:1] in _FIRST and text_of_number(number := number_of_text(text)) == text:
                self._numbers[number] = code

    def _code_of_text(self, text: str) -> int:
        return self._texts.get(text, self._bad) if self._textual else super()._code_of_text(text)

    @cached_property
    def _categories(self) -> pd.CategoricalDtype:
        return pd.CategoricalDtype(list(self._column.categories), ordered=self._column.ordered)

    def _shown(self, drawn: np.ndarray, missing: np.ndarray) -> pd.Series[Any]:
        codes: Any = drawn.astype(np.int8 if self._valid <= 127 else np.int16 if self._valid <= 32767 else np.int32)
        codes[missing] = -1
        return pd.Series(pd.Categorical.from_codes(codes, dtype=self._categories, validate=False))


class BooleanCodec(_Named):
    """False, True; also written 0/1, yes/no, y/n, t/f in any case. Decodes to pandas `boolean`."""

    def __init__(self, column: Boolean) -> None:
        super().__init__(2, column.nullable)
        self.widths = None
        self._truths = {False: 0, True: 1}
        self._numbers = {0.0: 0, 1.0: 1}
        self._texts = {word: int(truth) for word, truth in TRUTHS.items()}
        marker = column.missing_marker
        if isinstance(marker, str):
            self._texts[marker.strip().lower()] = self._null
        elif marker is not None:
            self._numbers[float(marker)] = self._null

    def _code_of_text(self, text: str) -> int:
        return super()._code_of_text(text.strip().lower())

    def _shown(self, drawn: np.ndarray, missing: np.ndarray) -> pd.Series[Any]:
        return pd.Series(pd.arrays.BooleanArray(drawn == 1, missing))


class _Gridded(_Cells):
    """Cells of a public grid (see `grid`)."""

    def __init__(self, grid: Grid, nullable: bool) -> None:
        super().__init__(len(grid.widths), nullable)
        self._grid, self.widths = grid, grid.widths

    def _draw(self, cells: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return self._grid.draw(cells.astype(np.int64), rng)

    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        return self._grid.ends()


class NumericCodec(_Gridded):
    """Numbers. Decodes to `Int64` for integer columns, else to float64."""

    def __init__(self, column: Numeric, bounds: tuple[float, float] | None) -> None:
        self._low, self._high = settled_bounds(column, bounds)
        self._spacing = column.spacing
        self._integer = column.integer
        self._marker = math.nan if column.missing_marker is None else raw.number(column.missing_marker)
        super().__init__(_number_grid(self._low, self._high, column.spacing), column.nullable)

    def objects(self, values: Iterable[object]) -> np.ndarray:
        return self.numbers(np.fromiter(map(raw.number, values), dtype=np.float64))

    def numbers(self, values: np.ndarray) -> np.ndarray:
        missing = np.isnan(values) | (values == self._marker)
        return np.where(missing, self._null, self._grid.cell(np.where(missing, self._low, values)))

    def _shown(self, drawn: np.ndarray, missing: np.ndarray) -> pd.Series[Any]:
        if self._integer:
            return pd.Series(pd.arrays.IntegerArray(int(self._low) + drawn * int(self._spacing or 1), missing))
        if self._spacing is not None:
            exact = np.round(self._low + drawn * self._spacing, _decimals(self._low, self._spacing))
            drawn = np.clip(exact, self._low, self._high)
        return pd.Series(np.where(missing, np.nan, drawn))


class DatetimeCodec(_Gridded):
    """Moments, cut to the resolution. Decodes to `datetime64[s]`."""

    def __init__(self, column: Datetime) -> None:
        self._first, last = column.steps
        self._seconds = SECONDS[column.resolution]
        super().__init__(StepGrid(self._first, 1, moment_edges(last - self._first + 1)), column.nullable)

    def objects(self, values: Iterable[object]) -> np.ndarray:
        return self.moments(np.fromiter(map(raw.moment, values), dtype=np.float64))

    def moments(self, values: np.ndarray) -> np.ndarray:
        missing = np.isnan(values)
        steps = np.floor(np.where(missing, 0.0, values) / self._seconds)
        return np.where(missing, self._null, self._grid.cell(steps))

    def _shown(self, drawn: np.ndarray, missing: np.ndarray) -> pd.Series[Any]:
        moments = ((self._first + drawn) * self._seconds).astype("datetime64[s]")
        moments[missing] = np.datetime64("NaT")
        return pd.Series(moments)


def _number_grid(low: float, high: float, spacing: float | None) -> Grid:
    if spacing is None:
        return RealGrid(low, high)
    return StepGrid(low, spacing, number_edges(low, spacing, round((high - low) / spacing) + 1))


def settled_bounds(column: Numeric, learned: tuple[float, float] | None) -> tuple[float, float]:
    """Public bounds where there are any, else learned ones; learned ones are moved outwards to a step."""
    if column.low is not None and column.high is not None:
        return column.low, column.high
    if learned is None:
        raise ValueError("a Numeric column without low or high needs bounds=(low, high), learned by a charged query")
    low, high = (float(bound) for bound in learned)
    if not -math.inf < low <= high < math.inf:
        raise ValueError(f"bounds must be two finite numbers, the lower first, got {learned}")
    return _outward(column, low if column.low is None else column.low, high if column.high is None else column.high)


def _outward(column: Numeric, low: float, high: float) -> tuple[float, float]:
    spacing = column.spacing
    limit = 1e300 if spacing is None else LATTICE * spacing
    low, high = (min(max(bound, -limit), limit) for bound in (low, high))
    if spacing is not None:
        anchor = next((bound for bound in (column.low, column.high) if bound is not None), 0)
        digits = _decimals(anchor, spacing)
        low = round(anchor + math.floor((low - anchor) / spacing + 1e-9) * spacing, digits)
        high = round(anchor + math.ceil((high - anchor) / spacing - 1e-9) * spacing, digits)
    return (low, max(low, high)) if column.high is None else (min(low, high), high)


def _decimals(*numbers: float) -> int:
    """Decimal places in which all of these numbers are exact as they are written."""
    exponents = (Decimal(repr(number)).as_tuple().exponent for number in numbers)
    return min(300, max(0, *(-exponent for exponent in exponents if isinstance(exponent, int))))
