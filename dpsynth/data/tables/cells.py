"""Codecs of the column types: raw values to cell numbers and back.

The valid cells come first, in order. After them comes at most one special cell:

| column                 | null, marker | unknown, wrong type | special cell, decodes as        |
|------------------------|--------------|---------------------|---------------------------------|
| nullable               | special      | special             | missing                         |
| nullable, `other=`     | special      | other               | missing                         |
| not nullable, `other=` | other        | other               | none                            |
| not nullable           | special      | special             | a valid code, drawn at random   |

In the last row the special cell is drawn from the valid codes that are being decoded.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from dpsynth.data import values as raw
from dpsynth.data.tables.bounds import decimals, settled_bounds
from dpsynth.data.tables.cuts import exact_cuts, with_exact, with_span
from dpsynth.data.tables.grid import Grid, StepGrid, moment_edges, number_grid
from dpsynth.data.tables.heaps import Lattice
from dpsynth.data.tables.parts import Parts, cut, only_points, shares
from dpsynth.door.codes import Cuts, codes_of
from dpsynth.schema.columns import (
    SECONDS,
    Boolean,
    Categorical,
    Datetime,
    Numeric,
    folded,
    number_of_text,
    text_of_number,
)
from dpsynth.schema.texts import moment_reader, number_reader

_FIRST = tuple("-0123456789")
"""What the text of a number begins with: most texts need not be read as numbers to know better."""


_ROUNDING = 1e-9
"""In steps: float64 has decimal steps only nearly."""


class _Cells(ABC):
    """What all codecs share: the special cell, and new values for the invalid ones.

    valid: how many valid cells there are. nullable: whether the special cell decodes as missing.
    other: the valid cell of values that cannot be read, where the column has one.
    """

    widths: tuple[float, ...] | None
    _empty: int | None = None
    """A valid cell of which the only value stands for missing: no record is in it, and rows that a
    model's noise puts there are as those of the special cell.
    """

    def __init__(self, valid: int, nullable: bool, other: int | None = None) -> None:
        self._valid = valid
        self.nullable = nullable
        special = nullable or other is None
        self.size = valid + special
        self.bad = valid if other is None else other
        self.null = valid if special else self.bad
        # Numbers and datetimes cannot be read, until a codec says otherwise.
        self.numbers = Cuts([], [self.bad])
        self.datetimes = Cuts([], [self.bad])

    def encode(self, values: Any) -> np.ndarray:
        """The cell of each value, in the smallest of uint8, uint16 and int32.

        No value makes it raise.
        """
        # A long double beyond the largest double becomes infinite, as it should, without a warning.
        with np.errstate(all="ignore"):
            return codes_of(values, self)

    @abstractmethod
    def code(self, value: object) -> int:
        """The cell of one value that is neither missing nor a number nor a date."""

    def decode(
        self, codes: np.ndarray, rng: np.random.Generator, parts: Parts | None = None
    ) -> pd.Series[Any]:
        """Values drawn from the cells, or from parts of them, if these cells have some.

        The dtype follows from the column alone.
        """
        cells = self.settled(codes, rng)
        missing = cells >= self._valid
        if parts is None or missing.all():
            drawn = self._draw(np.where(missing, 0, cells), rng)
        else:
            chosen = parts.choose(np.where(missing, parts.cells[0], cells), rng)
            drawn = self._chosen(chosen, parts, rng)
        return self._shown(drawn, missing)

    def settled(self, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The cells, of a column that is not nullable another one in place of each invalid one."""
        cells = np.asarray(codes)
        if self._empty is not None:
            cells = np.where(cells == self._empty, self.null, cells).astype(cells.dtype)
        missing = cells >= self._valid
        if self.nullable or not missing.any():
            return cells
        return self._redrawn(cells, missing, rng)

    @cached_property
    def single(self) -> bool:
        """Whether each cell holds one value."""
        first, last = self._ends()
        return bool((first == last).all())

    def parts(
        self, holds: Callable[[pd.Series[Any]], np.ndarray], constants: Sequence[Any]
    ) -> Parts:
        """The parts of the valid cells whose values meet a condition.

        holds: for each value whether it meets the condition, which changes at `constants` only.
        """
        first, last = self._ends()
        cells, begin, end = cut(first, last, self._breaks(constants))
        known = np.zeros(len(begin), dtype=bool)
        kept = holds(self._shown(begin, known)) & (cells != self._empty)
        one = np.zeros(1, dtype=np.int64)
        special = self.nullable and bool(holds(self._shown(one, one == 0))[0])
        cells, begin, end = cells[kept], begin[kept], end[kept]
        whole = self._lengths(first[cells], last[cells])
        lengths = self._lengths(begin, end)
        points = only_points(lengths, whole, special)
        return Parts(cells, begin, end, shares(lengths, whole, special), special, points=points)

    def told(
        self, holds: Callable[[pd.Series[Any]], np.ndarray], constants: Sequence[Any]
    ) -> np.ndarray:
        """For each cell 1 where all of its values meet a condition, 0 where none does, else NaN.

        holds, constants: as for `parts`. Values that could not be read meet none.
        """
        cells, begin, _ = cut(*self._ends(), self._breaks(constants))
        met = holds(self._shown(begin, np.zeros(len(begin), dtype=bool)))
        share = np.bincount(cells, met, self._valid) / np.bincount(cells, minlength=self._valid)
        one = np.zeros(1, dtype=np.int64)
        special = self.nullable and bool(holds(self._shown(one, one == 0))[0])
        found = np.where((share == 0) | (share == 1), share, np.nan)
        return np.append(found, np.full(self.size - self._valid, float(special)))

    def weights(self, parts: Parts) -> np.ndarray:
        """For each cell how much of it meets a condition."""
        return parts.weights(self._valid, self.size)

    def ends(self) -> tuple[pd.Series[Any], pd.Series[Any]]:
        """The first and the last value of each valid cell, with the dtype of `decode`."""
        first, last = self._ends()
        known = np.zeros(self._valid, dtype=bool)
        return self._shown(first, known), self._shown(last, known)

    def _draw(self, cells: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """For each cell the number of a value in it: here the cell holds that value only."""
        return cells

    def _between(self, first: np.ndarray, last: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """For each pair the number of a value from first to last: here these are the same."""
        return first

    def _chosen(self, chosen: np.ndarray, parts: Parts, rng: np.random.Generator) -> np.ndarray:
        """Numbers of values from the parts of these numbers."""
        return self._between(parts.first[chosen], parts.last[chosen], rng)

    def _lengths(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """How many values there are from first to last, or how long the way is."""
        return np.ones(len(first))

    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of the first and the last value of each valid cell."""
        single = np.arange(self._valid)
        return single, single

    def _breaks(self, constants: Sequence[Any]) -> np.ndarray:
        """Numbers of values at which a condition with these constants may change inside a cell."""
        return np.zeros(0)

    @abstractmethod
    def _shown(self, drawn: np.ndarray, missing: np.ndarray) -> pd.Series[Any]:
        """The values of these numbers, as a Series of the column's dtype."""

    def _redrawn(
        self, cells: np.ndarray, invalid: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """The cells, and for each invalid one another, drawn from the valid ones.

        Where all are invalid, they are drawn from the domain, in proportion to the widths.
        """
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
    """Cells with names, which may be written in several ways.

    Tables lead from texts, from numbers and from truth values to codes.
    """

    def __init__(self, valid: int, nullable: bool, other: int | None = None) -> None:
        super().__init__(valid, nullable, other)
        self._texts: dict[str, int] = {}
        self._numbers: dict[float, int] = {}
        self._truths: dict[bool, int] = {}

    def _settle(self) -> None:
        """Make the cuts of the numbers, once all names are in the tables."""
        self.numbers = exact_cuts(self._numbers, self.bad)

    def code(self, value: object) -> int:
        if isinstance(value, str):
            return self._code_of_text(str.__str__(value))
        if isinstance(value, bool | np.bool_):  # before numbers: True == 1, and they may differ
            return self._truths.get(bool(value), self.bad)
        if raw.is_null(value):
            return self.null
        return self._numbers.get(raw.plain_number(value), self.bad)

    def _code_of_text(self, text: str) -> int:
        code = self._texts.get(text)
        if code is None:
            code = self._numbers.get(number_of_text(text), self.bad)
        return code


class CategoricalCodec(_Named):
    """One cell for each category.

    Decodes to pandas `category`, with the declared categories in their order.
    """

    def __init__(self, column: Categorical) -> None:
        names: tuple[str | float, ...] = tuple(column.categories)
        other = None if column.other is None else names.index(column.other)
        super().__init__(len(names), column.nullable, other)
        self.widths = (1.0,) * len(names) if column.ordered else None
        self._column = column
        self._textual = isinstance(names[0], str)
        for code, name in enumerate(names):
            self._add(name, code)
        if column.missing_marker is not None:
            self._add(column.missing_marker, self.null)
        if self._textual:
            # The values True and False match the categories "True" and "False".
            for truth in (False, True):
                if str(truth) in self._texts:
                    self._truths[truth] = self._texts[str(truth)]
        cases = self._texts.items() if column.ignore_case else ()
        self._folded = {folded(text): code for text, code in cases}
        self._settle()

    def _add(self, name: str | float, code: int) -> None:
        """Let all values that match this name have this code."""
        if self._textual:
            self._add_text(name if isinstance(name, str) else text_of_number(float(name)), code)
            return
        if isinstance(name, str):  # a marker that is text, in a column of numbers
            self._texts[name] = code
        number = number_of_text(name) if isinstance(name, str) else float(name)
        if not math.isnan(number):
            self._numbers[number] = code

    def _add_text(self, text: str | None, code: int) -> None:
        """The text, and the number that it writes: 1 matches "1", but not "01"."""
        if text is None:  # of a number that matches no text
            return
        self._texts[text] = code
        if text[0:1] in _FIRST:
            number = number_of_text(text)
            if text_of_number(number) == text:
                self._numbers[number] = code

    def _code_of_text(self, text: str) -> int:
        for table, spelled in ((self._texts, text), (self._texts, text.strip())):
            if spelled in table:
                return table[spelled]
        if self._column.ignore_case and folded(text) in self._folded:
            return self._folded[folded(text)]
        return self._code_of_prefix(text.strip()) if self._textual else super()._code_of_text(text)

    def _code_of_prefix(self, text: str) -> int:
        """The cell of the longest prefix that has a meaning and is a category."""
        for length in reversed(self._column.levels):
            prefix = text[:length]
            code = self._texts.get(prefix)
            if code is None and self._column.ignore_case:
                code = self._folded.get(folded(prefix))
            if code is not None and code < self._valid:  # not a marker of missing values
                return code
        return self.bad

    @cached_property
    def _categories(self) -> pd.CategoricalDtype:
        return pd.CategoricalDtype(list(self._column.categories), ordered=self._column.ordered)

    def _shown(self, drawn: np.ndarray, missing: np.ndarray) -> pd.Series[Any]:
        # The smallest type that pandas itself would take for so many categories.
        sizes = (np.int8, np.int16, np.int32)
        smallest = next(size for size in sizes if self._valid <= np.iinfo(size).max)
        codes: Any = drawn.astype(smallest)
        codes[missing] = -1
        return pd.Series(pd.Categorical.from_codes(codes, dtype=self._categories, validate=False))


class BooleanCodec(_Named):
    """False and True, by their words in any case.

    Decodes to pandas `boolean`, or to the words that the schema declares: numbers as `Int64` or
    float64, texts as `category`.
    """

    def __init__(self, column: Boolean) -> None:
        super().__init__(2, column.nullable)
        self.widths = None
        self._truths = {False: 0, True: 1}
        self._written = column.written
        words: dict[str | int | float, int] = dict(column.words)
        if column.missing_marker is not None:
            words[column.missing_marker] = self.null
        for word, code in words.items():
            number = number_of_text(word) if isinstance(word, str) else float(word)
            if isinstance(word, str):
                self._texts[folded(word)] = code
            if not math.isnan(number):
                self._numbers[number] = code
        self._settle()

    def _code_of_text(self, text: str) -> int:
        return super()._code_of_text(folded(text))

    def _shown(self, drawn: np.ndarray, missing: np.ndarray) -> pd.Series[Any]:
        if isinstance(self._written[0], bool):
            return pd.Series(pd.arrays.BooleanArray(drawn == 1, missing))
        if isinstance(self._written[0], str):
            codes: Any = np.where(missing, -1, drawn == 1).astype(np.int8)
            words: pd.CategoricalDtype[Any] = pd.CategoricalDtype(list(self._written))
            return pd.Series(pd.Categorical.from_codes(codes, dtype=words))
        numbers = np.array(self._written)[(drawn == 1).astype(np.intp)]
        if numbers.dtype.kind == "i":
            return pd.Series(pd.arrays.IntegerArray(numbers, missing))
        return pd.Series(np.where(missing, np.nan, numbers))


class _Gridded(_Cells):
    """Cells of a public grid (see `grid`)."""

    def __init__(self, grid: Grid, nullable: bool) -> None:
        super().__init__(len(grid.widths), nullable)
        self.grid = grid
        self.widths = grid.widths

    def _empty_cell(self, marker: float) -> int | None:
        """The cell that holds the marker of missing values and no other value, if there is one."""
        first, last = self._ends()
        found = np.flatnonzero((first == marker) & (last == marker))
        return int(found[0]) if len(found) else None

    def _draw(self, cells: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return self.grid.draw(cells.astype(np.int64), rng)

    def _between(self, first: np.ndarray, last: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return self.grid.between(first, last, rng)

    def _lengths(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        return self.grid.lengths(first, last)

    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        return self.grid.ends()

    def _breaks(self, constants: Sequence[Any]) -> np.ndarray:
        """For each constant the first value from it on, and the first one beyond it."""
        first, last = self._ends()
        wanted = np.array(constants, dtype=object)
        if first.dtype.kind == "f":
            real = wanted.astype(np.float64)
            return np.append(real, np.nextafter(real, np.inf))
        end = int(last[-1]) + 1
        found = []
        for reached in (np.greater_equal, np.greater):
            low, high = np.zeros(len(wanted), np.int64), np.full(len(wanted), end, np.int64)
            while (low < high).any():
                middle = np.minimum((low + high) // 2, end - 1)
                shown = self._shown(middle, np.zeros(len(wanted), dtype=bool))
                yes = reached(shown.astype(object).to_numpy(), wanted).astype(bool)
                high, low = np.where(yes, middle, high), np.where(yes, low, middle + 1)
                low = np.minimum(low, high)
            found.append(low)
        return np.concatenate(found)


def _beside(drawn: np.ndarray, first: np.ndarray, last: np.ndarray, marker: float) -> np.ndarray:
    """The whole numbers, and in place of a marker of missing values one beside it, if there is."""
    beside = np.where(drawn < last, drawn + 1, np.maximum(drawn - 1, first))
    return np.where(drawn == marker, beside, drawn)


class NumericCodec(_Gridded):
    """Numbers between the bounds. Decodes to `Int64` for integer columns, else to float64."""

    def __init__(self, column: Numeric, bounds: tuple[float, float] | None) -> None:
        self.low, self.high = settled_bounds(column, bounds)
        self.spacing = column.spacing
        self._integer = column.integer
        super().__init__(number_grid(self.low, self.high, column.spacing), column.nullable)
        self.numbers = Cuts(self.grid.starts, np.arange(len(self.grid.widths)))
        self._of_text = number_reader(column)
        self._marker = raw.number(column.missing_marker, self._of_text)
        self.numbers = with_exact(self.numbers, self._marker, self.null)
        self._empty = self._empty_cell(self.lattice.marker)

    def code(self, value: object) -> int:
        number = raw.number(value, self._of_text)
        return self.null if math.isnan(number) else self.numbers.of(number)

    def _draw(self, cells: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if self.single:
            return super()._draw(cells, rng)
        first, last = self._ends()
        return self._between(first[cells], last[cells], rng)

    def _between(self, first: np.ndarray, last: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """No number that is drawn says missing, but where the range holds no other."""
        drawn = super()._between(first, last, rng)
        if self.spacing is None:
            return np.where(drawn == self._marker, np.nextafter(drawn, math.inf), drawn)
        return _beside(drawn, first, last, self.lattice.marker)

    def _chosen(self, chosen: np.ndarray, parts: Parts, rng: np.random.Generator) -> np.ndarray:
        found = super()._chosen(chosen, parts, rng)
        if parts.written is None:
            return found
        first, last, written = parts.first[chosen], parts.last[chosen], parts.written.take(chosen)
        for place, way in enumerate(written.ways):
            at = np.flatnonzero(written.which == place)
            drawn = self.grid.evenly(written.begin[at], written.end[at], rng)
            moved, able = way.nearest(drawn, first[at], last[at])
            if way.reach:
                beside = np.clip(way.beside(drawn), self.low, self.high)
                near = np.abs(beside - drawn) <= way.reach * (last[at] - first[at])
                moved, able = np.where(able, moved, beside), able | near
            able &= moved != self.lattice.marker  # such a row stays as it is drawn
            found[at[able]] = moved[able]
        return found

    @property
    def lattice(self) -> Lattice:
        """Where multiples lie among the numbers that the grid draws."""
        marker = self._marker
        if self.spacing is not None:
            steps = (marker - self.low) / self.spacing
            marker = np.rint(steps) if abs(steps - np.rint(steps)) < _ROUNDING else math.nan
        return Lattice(self.low, self.spacing, marker)

    def drawn(self, values: np.ndarray) -> np.ndarray:
        """These values as the grid draws them."""
        if self.spacing is None:
            return np.asarray(values, dtype=np.float64)
        return np.rint((np.asarray(values) - self.low) / self.spacing).astype(np.int64)

    def shown(self, drawn: np.ndarray) -> pd.Series[Any]:
        """What the grid draws, as values of the column."""
        return self._shown(drawn, np.zeros(len(drawn), dtype=bool))

    def _shown(self, drawn: np.ndarray, missing: np.ndarray) -> pd.Series[Any]:
        if self._integer:
            whole = int(self.low) + drawn * int(self.spacing or 1)
            return pd.Series(pd.arrays.IntegerArray(whole, missing))
        if self.spacing is not None:
            # As people write it: 0.3, where 3 * 0.1 is 0.30000000000000004.
            exact = np.round(self.low + drawn * self.spacing, decimals(self.low, self.spacing))
            drawn = np.clip(exact, self.low, self.high)
        return pd.Series(np.where(missing, np.nan, drawn))


class DatetimeCodec(_Gridded):
    """Dates and times, cut to the resolution. Decodes to `datetime64[s]`."""

    def __init__(self, column: Datetime) -> None:
        self._first, last = column.steps
        self._seconds = SECONDS[column.resolution]
        self._of_text = moment_reader(column)
        edges = moment_edges(last - self._first + 1)
        super().__init__(StepGrid(self._first, 1, edges), column.nullable)
        starts = (self._first + edges[1:-1]) * float(self._seconds)
        cells = Cuts(starts, np.arange(len(edges) - 1))
        self._marker = column.marker_step - self._first
        marked = column.marker_step * self._seconds
        self.datetimes = with_span(cells, marked, marked + self._seconds, self.null)
        self._empty = self._empty_cell(self._marker)

    def code(self, value: object) -> int:
        seconds = raw.epoch_seconds(value, self._of_text)
        return self.null if math.isnan(seconds) else self.datetimes.of(seconds)

    def _draw(self, cells: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        first, last = self._ends()
        return _beside(super()._draw(cells, rng), first[cells], last[cells], self._marker)

    def _between(self, first: np.ndarray, last: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _beside(super()._between(first, last, rng), first, last, self._marker)

    def _shown(self, drawn: np.ndarray, missing: np.ndarray) -> pd.Series[Any]:
        datetimes = ((self._first + drawn) * self._seconds).astype("datetime64[s]")
        datetimes[missing] = np.datetime64("NaT")
        return pd.Series(datetimes)
