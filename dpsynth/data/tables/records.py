"""What a record says, by which records of one person are told apart where there are too many.

Each value has a code that follows from it alone, and not from its container: 39, 39.0 and the text
"39" of a column of numbers say the same. All of it is public.
"""

from __future__ import annotations

import math
import zlib
from decimal import Decimal
from typing import Any

import numpy as np

from dpsynth.data.tables.codec import codec_for
from dpsynth.data.values import epoch_seconds, number
from dpsynth.door.codes import Codes, Coding
from dpsynth.door.columns import real
from dpsynth.door.ids import key
from dpsynth.schema.columns import Column, Datetime, Numeric, OpenCategorical
from dpsynth.schema.declared import text_of_number
from dpsynth.schema.table import Schema
from dpsynth.schema.texts import moment_reader, number_of, number_reader

_CODES = 1 << 30
"""Different numbers have different codes but for one pair in a billion; such records are told apart
by their order."""

_MISSING = _CODES
_UNREAD = _CODES + 1


def record_codings(schema: Schema) -> dict[str, Coding]:
    """For each column that a fit reads the coding of what its values say.

    Parameters
    ----------
    schema : Schema
        Of the modelled columns.

    Returns
    -------
    dict of str to Coding
        Codes have no order, and as many values as float64 has may have codes of their own.
    """
    return {name: _coding(column) for name, column in schema.coded.items()}


def _coding(column: Column) -> Coding:
    match column:
        case Numeric():
            return _Numbers(column)
        case Datetime():
            return _Times(column)
        case OpenCategorical():
            return _Texts()
    return codec_for(column)


class _Hashed:
    """The codes of numbers: hashes of their 64 bits."""

    def of(self, number: float) -> int:
        return int(self.at(np.array([number]))[0])

    def at(self, numbers: np.ndarray) -> np.ndarray:
        bits = (numbers + 0.0).view(np.uint64)  # 0.0 and -0.0 are one number
        bits = (bits ^ (bits >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
        return np.asarray(bits >> np.uint64(34)).astype(np.int64)


class _Unread:
    """The codes of values that say nothing of this kind, such as a number among times."""

    def of(self, number: float) -> int:
        return _UNREAD

    def at(self, numbers: np.ndarray) -> np.ndarray:
        return np.full(len(numbers), _UNREAD)


class _Said:
    size = _CODES + 2
    null = _MISSING
    bad = _UNREAD
    numbers: Codes = _Unread()
    datetimes: Codes = _Unread()


class _Numbers(_Said):
    numbers: Codes = _Hashed()

    def __init__(self, column: Numeric) -> None:
        self._of_text = number_reader(column)

    def code(self, value: Any) -> int:
        said = number(value, self._of_text)
        return self.bad if math.isnan(said) else self.numbers.of(said)


class _Times(_Said):
    datetimes: Codes = _Hashed()

    def __init__(self, column: Datetime) -> None:
        self._of_text = moment_reader(column)

    def code(self, value: Any) -> int:
        said = epoch_seconds(value, self._of_text)
        return self.bad if math.isnan(said) else self.datetimes.of(said)


class _Texts(_Said):
    """Texts that stand for a number say that number; what is no text says what it does as an id."""

    numbers: Codes = _Hashed()
    datetimes: Codes = _Hashed()

    def code(self, value: Any) -> int:
        if isinstance(value, Decimal):
            return self.numbers.of(real(value))
        if not isinstance(value, str | bool):
            return zlib.crc32(key(value)) % _CODES
        text = str(value).rstrip("\0").strip()
        said = number_of(text)
        if math.isfinite(said) and text_of_number(said) == text:
            return self.numbers.of(said)
        return zlib.crc32(text.encode("utf-8", "surrogatepass")) % _CODES
