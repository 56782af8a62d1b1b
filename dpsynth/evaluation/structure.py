"""Quantiles of numbers, hours and weekdays of moments, and which values are missing together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dpsynth.evaluation.numbers import Numbers, is_measured, value_of
from dpsynth.evaluation.shares import Compared
from dpsynth.models.distances import total_variation
from dpsynth.schema.columns import Datetime
from dpsynth.schema.table import Schema

LEVELS = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)
MOST_PATTERNS = 10
"""Of missing values, how many are named; the distance is over all."""

_DAY = 86_400
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = "January February March April May June July August September October November December"


@dataclass(frozen=True)
class Quantiles:
    """Quantiles of a column of numbers or moments.

    Parameters
    ----------
    name : str
        Of the column.
    levels : tuple of float
        0 to 1.
    real, synthetic, floor : tuple of float
        Of the real records, the release and the yardstick, in the column's units; moments in
        seconds since 1970.
    written_real, written_synthetic : tuple of str
        The same in words.

    Examples
    --------
    >>> Quantiles("age", (0.5,), (40.0,), (42.0,), (40.0,), ("40",), ("42",)).real
    (40.0,)
    """

    name: str
    levels: tuple[float, ...]
    real: tuple[float, ...]
    synthetic: tuple[float, ...]
    floor: tuple[float, ...]
    written_real: tuple[str, ...]
    written_synthetic: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class CalendarPart(Compared):
    """The hours, weekdays, months or days of the month of a column of moments.

    Parameters
    ----------
    distance, floor : float
        Total-variation distance from the real records, of the release and of the yardstick.
    labels : tuple of str
        The values of the part.
    real, synthetic : tuple of float
        Their shares.
    name, part : str
        The column, and "hour", "weekday", "month" or "day of the month".

    Examples
    --------
    >>> import pandas as pd
    >>> from dpsynth import Datetime, Schema, evaluate
    >>> schema = Schema({"seen": Datetime("2024-01-01", "2024-12-31")})
    >>> real = pd.DataFrame({"seen": pd.to_datetime(["2024-01-01", "2024-01-02"])})
    >>> weekday = evaluate(real, real, schema).calendar[0]
    >>> weekday.part, weekday.labels[:2], weekday.real[:3]
    ('weekday', ('Monday', 'Tuesday'), (0.5, 0.5, 0.0))
    """

    name: str
    part: str


@dataclass(frozen=True)
class MissingTogether:
    """Which columns' values are missing together.

    Parameters
    ----------
    distance, floor : float
        Total-variation distance of the patterns of missing values, of the release and of the
        yardstick.
    columns : tuple of tuple of str
        Up to ten of the patterns: the columns whose values are missing, none for complete rows.
    real, synthetic : tuple of float
        Their shares of the rows.

    Examples
    --------
    >>> MissingTogether(0.1, 0.02, ((), ("age",)), (0.9, 0.1), (1.0, 0.0)).columns[1]
    ('age',)
    """

    distance: float
    floor: float
    columns: tuple[tuple[str, ...], ...]
    real: tuple[float, ...]
    synthetic: tuple[float, ...]


def quantiles(tables: Sequence[Numbers], schema: Schema) -> tuple[Quantiles, ...]:
    """Of all columns of numbers and moments that have values in all three tables."""
    found = []
    for name, column in schema.coded.items():
        values = [table.present(name) for table in tables]
        if not is_measured(column) or not all(v.size for v in values):
            continue
        r, s, floor = (
            tuple(np.quantile(v, LEVELS, method="inverted_cdf").tolist()) for v in values
        )
        written = (tuple(value_of(column, x) for x in each) for each in (r, s))
        found.append(Quantiles(name, LEVELS, r, s, floor, *written))
    return tuple(found)


def calendar(tables: Sequence[Numbers], schema: Schema) -> tuple[CalendarPart, ...]:
    """Of all columns of moments, by the parts that their resolution has."""
    return tuple(
        part
        for name, column in schema.coded.items()
        if isinstance(column, Datetime)
        for part in _parts_of(name, column, [table.present(name) for table in tables])
    )


def _parts_of(name: str, column: Datetime, values: Sequence[np.ndarray]) -> Iterator[CalendarPart]:
    for part, labels in _LABELS.items():
        if part == "hour" and column.resolution == "D":
            continue
        shares = [
            np.bincount(PLACES[part](v), minlength=len(labels)) / max(v.size, 1) for v in values
        ]
        yield CalendarPart.of(labels, shares, name=name, part=part)


def _hours(seconds: np.ndarray) -> np.ndarray:
    return (np.floor(seconds / 3600) % 24).astype(np.int64)


def _weekdays(seconds: np.ndarray) -> np.ndarray:
    return ((np.floor(seconds / _DAY) + 3) % 7).astype(np.int64)  # 1 January 1970 was a Thursday


def _months(seconds: np.ndarray) -> np.ndarray:
    months: np.ndarray = seconds.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)
    return months % 12


def _days(seconds: np.ndarray) -> np.ndarray:
    moments = seconds.astype("datetime64[s]")
    days = moments.astype("datetime64[D]") - moments.astype("datetime64[M]").astype("datetime64[D]")
    found: np.ndarray = days.astype(np.int64)
    return found


PLACES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "hour": _hours,
    "weekday": _weekdays,
    "month": _months,
    "day of the month": _days,
}
"""Which value of a part, from 0 on, each number of seconds since 1970 has."""

_LABELS: Mapping[str, tuple[str, ...]] = {
    "hour": tuple(f"{h:02d}" for h in range(24)),
    "weekday": _WEEKDAYS,
    "month": tuple(_MONTHS.split()),
    "day of the month": tuple(str(d) for d in range(1, 32)),
}


def missing_together(tables: Sequence[Numbers], schema: Schema) -> MissingTogether | None:
    """Of the columns with missing values in any of the tables; None where there are none."""
    gone = [{n: np.isnan(t.values[n]) for n in schema.coded} for t in tables]
    names = [n for n in schema.coded if any(each[n].any() for each in gone)]
    if not names:
        return None
    rows = [np.stack([each[n] for n in names], axis=1) for each in gone]
    packed = np.packbits(np.concatenate(rows), axis=1)
    kinds, place = np.unique(packed, axis=0, return_inverse=True)
    place = place.ravel()
    ends = np.cumsum([len(each) for each in rows])[:-1]
    shares = [
        np.bincount(part, minlength=len(kinds)) / max(part.size, 1)
        for part in np.split(place, ends)
    ]
    r, s, floor = shares
    largest = np.argsort(-np.maximum(r, s), kind="stable")[:MOST_PATTERNS]
    flags = np.unpackbits(kinds, axis=1, count=len(names)).astype(bool)
    return MissingTogether(
        total_variation(r, s),
        total_variation(r, floor),
        tuple(tuple(n for n, gone in zip(names, flags[i], strict=True) if gone) for i in largest),
        tuple(r[largest].tolist()),
        tuple(s[largest].tolist()),
    )
