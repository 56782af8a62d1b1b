"""Columns of every kind, and values of every kind that a column may hold."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dpsynth.data.tables.codec import Codec, codec_for
from dpsynth.schema.columns import Boolean, Categorical, Column, Datetime, Numeric

COLUMNS: dict[str, Column] = {
    "words": Categorical(["a", "b", "1", "2.5", "-0", "True", "", "é"]),
    "words, nullable": Categorical(["a", "1", "nan", "None"], nullable=True, missing_marker=2),
    "words, other": Categorical(["a", "other", "10", "False"], other="other"),
    "words, nullable, other": Categorical(["b", "x", "1"], nullable=True, other="x", missing_marker="?", ordered=True),
    "numbers": Categorical([1, 2, 0], ordered=True),
    "numbers, other": Categorical([1, 2.5, -1], other=-1),
    "numbers, nullable": Categorical([3, 1e3], nullable=True, missing_marker="a"),
    "boolean": Boolean(),
    "boolean, nullable": Boolean(nullable=True, missing_marker="a"),
    "boolean, words": Boolean(true=["a", "1"], false=["b"]),
    "boolean, numbers": Boolean(true=[1], false=[2.5, 0], nullable=True),
    "any case": Categorical(["a", "TRUE", "é"], ignore_case=True),
    "prefixes": Categorical(["E11.9", "E11", "E", "1"], levels=[1, 3]),
    "real": Numeric(-10, 10.5),
    "real, nullable": Numeric(0, 1e6, nullable=True, missing_marker=2),
    "integer": Numeric(-3, 50, integer=True),
    "wide integer": Numeric(0, 10**9, integer=True, nullable=True, missing_marker="-1"),
    "step": Numeric(0.05, 1000.05, step=0.1),
    "decimal comma": Numeric(-10, 10.5, decimal=",", suffix="a", nullable=True, missing_marker="1"),
    "decimals": Numeric(0, 99.95, decimals=2, percent=True),
    "one value": Numeric(1, 1),
    "day": Datetime("1999-12-31", "2021-03-01"),
    "day first": Datetime("1999-12-31", "2021-03-01", format="%d.%m.%Y", nullable=True),
    "hour": Datetime("2020-01-20", "2020-02-20", resolution="h", nullable=True),
    "second, nullable": Datetime("1969-12-31", "2030-01-01", resolution="s", nullable=True),
}
CODECS: dict[str, Codec] = {name: codec_for(column) for name, column in COLUMNS.items()}
every_column = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())


class Colour(str, Enum):  # noqa: UP042 (str() of a StrEnum is its value, of this one it is not)
    A = "a"


class Level(IntEnum):
    ONE = 1


class Hostile:
    """Fails whatever is asked of it."""

    __hash__ = None  # type: ignore[assignment]

    def fail(self, *args: object) -> Any:
        raise RuntimeError("CANARY")

    __eq__ = __bool__ = __float__ = __int__ = __str__ = __repr__ = __len__ = fail  # type: ignore[assignment]


ODDITIES: list[Any] = [
    *(None, math.nan, pd.NA, pd.NaT, np.float32("nan"), np.datetime64("NaT"), np.timedelta64("NaT", "ns")),
    *(Decimal("NaN"), Decimal("sNaN"), complex("nan")),
    *(True, False, np.True_, np.False_),
    *(
        1,
        1.0,
        np.int8(1),
        np.uint64(1),
        np.float32(1),
        np.float16(2.5),
        np.longdouble(2),
        Decimal("1.00"),
        Fraction(5, 2),
    ),
    *(Level.ONE, 1 + 0j, 2.5 + 0j, 1 + 1j, -0.0, 10, 10.0),
    *(math.inf, -math.inf, 10**400, -(10**400), Fraction(10**400), 2**53, 2**53 + 1, 2**64, -(2**63), 1e308),
    *(
        "a",
        "b",
        "1",
        "1.0",
        " 1 ",
        "01",
        "1_0",
        "2.5",
        "nan",
        "inf",
        "-0",
        "",
        "é",
        "٣",
        "\ud800",
        "True",
        "true",
        "None",
    ),
    *("yes", "N", "?", Colour.A, np.str_("a"), b"a", b"1", bytearray(b"a")),
    *(date(2020, 1, 31), datetime(2020, 1, 31, 23, 59, 59, 999999), datetime(2020, 1, 31, 1, tzinfo=UTC)),
    *(
        datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=5))),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))),
    ),
    *(pd.Timestamp("2020-01-31 12:00:00.000000001"), pd.Timestamp("2020-01-31", tz="Asia/Tokyo")),
    *(np.datetime64("2020-01-31"), np.datetime64("2020-01"), np.datetime64("1969-12-31T23:59:59.5")),
    *("2020-01-31", "2020-01-31T12:00", "2020-01-31 12:00:00.123456789+02:00", "20200131", "31.1.2020", "2020-1-31"),
    *(timedelta(1), np.timedelta64(1, "D"), np.timedelta64(1, "ns"), time(1), pd.Period("2020-01"), pd.Interval(0, 1)),
    *([1], ["a"], {"a": 1}, ("a",), {1}, np.array([1]), object(), type, Hostile()),
]
