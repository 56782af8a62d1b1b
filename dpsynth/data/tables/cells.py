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
from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data import values as raw
from dpsynth.data.tables.grid import Grid, RealGrid, StepGrid, moment_edges, number_edges
from dpsynth.door.codes import Cuts, codes_of
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
        self._valid, self.nullable = valid, nullable
        special = nullable or other is None
        self.size = valid + special
        self.null = valid if special else int(other or 0)
        self.bad = valid if other is None else other
        self.numbers = self.moments = Cuts([], [self.bad])

    def encode(self, values: Any) -> np.ndarray:
        """Cell numbers, one for each value, in the smallest of uint8, uint16 and int32. No value makes it raise."""
        with np.errstate(all="ignore"):  # a long double beyond any double is infinite, which is what it ought to be
            return codes_of(values, self)

    @abstractmethod
    def code(self, value: object) -> int:
        """The cell of one value that is neither missing nor a number nor a moment."""

    def decode(self, codes: np.ndarray, rng: np.random.Generator) -> pd.Series[Any]:
        """Values drawn from the cells; the dtype follows from the column alone."""
        cells = np.asarray(codes)
        missing = cells >= self._valid
        if not self.nullable and missing.any():
            cells, missing = self._redrawn(cells, missing, rng), np.zeros(len(cells), dtype=bool)
        return self._shown(self._draw(np.where(missing, 0, cells), rng), missing)

    def ends(self) -> tuple[pd.Series[Any], pd.Series[Any]]:
        """The first and the last value of each valid cell, with the dtype of `decode`."""
        first, last = self._ends()
        known = np.zeros(self._valid, dtype=bool)
        return self._shown(first, known), self._shown(last, known)

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

    def _settle(self) -> None:
        """To be called once all names are there."""
        self.numbers = exact_cuts(self._numbers, self.bad)

    def code(self, value: object) -> int:
        if isinstance(value, str):
            return self._code_of_text(str.__str__(value))
        if isinstance(value, bool | np.bool_):  # True == 1 must not merge them
            return self._truths.get(bool(value), self.bad)
        if raw.is_null(value):
            return self.null
        return self._numbers.get(raw.plain_number(value), self.bad)

    def _code_of_text(self, text: str) -> int:
        code = self._texts.get(text)
        return self._numbers.get(number_of_text(text), self.bad) if code is None else code


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
            self._add(column.missing_marker, self.null)
        if self._textual:
            self._truths = {truth: self._texts[str(truth)] for truth in (False, True) if str(truth) in self._texts}
        self._settle()

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
        return self._texts.get(text, self.bad) if self._textual else super()._code_of_text(text)

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
            self._texts[marker.strip().lower()] = self.null
        elif marker is not None:
            self._numbers[float(marker)] = self.null
        self._settle()

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
        super().__init__(_number_grid(self._low, self._high, column.spacing), column.nullable)
        self.numbers = Cuts(self._grid.starts, np.arange(len(self._grid.widths)))
        if column.missing_marker is not None:
            self.numbers = with_exact(self.numbers, raw.number(column.missing_marker), self.null)

    def code(self, value: object) -> int:
        number = raw.number(value)
        return self.null if math.isnan(number) else self.numbers.of(number)

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
        edges = moment_edges(last - self._first + 1)
        super().__init__(StepGrid(self._first, 1, edges), column.nullable)
        self.moments = Cuts((self._first + edges[1:-1]) * float(self._seconds), np.arange(len(edges) - 1))

    def code(self, value: object) -> int:
        seconds = raw.moment(value)
        return self.null if math.isnan(seconds) else self.moments.of(seconds)

    def _shown(self, drawn: np.ndarray, missing: np.ndarray) -> pd.Series[Any]:
        moments = ((self._first + drawn) * self._seconds).astype("datetime64[s]")
        moments[missing] = np.datetime64("NaT")
        return pd.Series(moments)


def exact_cuts(codes: Mapping[float, int], otherwise: int) -> Cuts:
    """The codes of these numbers; all others have another."""
    cuts = Cuts([], [otherwise])
    keys = sorted(codes)
    if keys:
        edges = np.unique([*keys, *np.nextafter(keys, math.inf)])
        cuts = Cuts(edges, [otherwise, *(codes.get(edge, otherwise) for edge in edges.tolist())])
    return cuts


def with_exact(cuts: Cuts, number: float, code: int) -> Cuts:
    """The same cuts but for one number, which has this code."""
    if math.isnan(number):
        return cuts
    after = math.nextafter(number, math.inf)
    edges = np.union1d(cuts.edges, [number, after])
    codes = [code if edge == number else cuts.of(edge) for edge in edges.tolist()]
    return Cuts(edges, [cuts.codes[0], *codes])


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
