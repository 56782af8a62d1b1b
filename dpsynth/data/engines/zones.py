"""Times that state a zone become local times of the zone that their column declares.

Each value is converted by itself. A time without a zone is a local time already.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa

from dpsynth.data.engines.source import Rows, Source
from dpsynth.schema.columns import Datetime
from dpsynth.schema.table import Schema


def in_zones(source: Source, schema: Schema | None) -> Source:
    """The same rows, with local times in columns that declare a zone."""
    columns = {} if schema is None else schema.columns
    zones = {
        name: ZoneInfo(column.zone)
        for name, column in columns.items()
        if isinstance(column, Datetime) and column.zone is not None
    }
    return source.changed(lambda rows: _local_rows(rows, zones)) if zones else source


def _local_rows(rows: Rows, zones: Mapping[str, ZoneInfo]) -> Rows:
    if isinstance(rows, pd.DataFrame):
        present = {name: zone for name, zone in zones.items() if name in rows.columns}
        return rows.assign(**{name: _local_series(rows[name], z) for name, z in present.items()})
    for place, field in enumerate(rows.schema):
        if field.name in zones:
            local = _local_arrow(rows.column(place), zones[field.name])
            rows = rows.set_column(place, field.name, local)
    return rows


def _local_arrow(values: pa.ChunkedArray, zone: ZoneInfo) -> pa.ChunkedArray:
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if not pa.types.is_timestamp(kind) or kind.tz is None:
        return values
    plain = values.cast(kind).cast(pa.timestamp(kind.unit))  # of UTC, without its name
    local = [pa.array(_shifted(chunk, zone)) for chunk in plain.chunks]
    return pa.chunked_array(local, pa.timestamp(kind.unit))


def _local_series(values: Any, zone: ZoneInfo) -> Any:
    array = values.array
    if isinstance(array, pd.arrays.DatetimeArray) and array.tz is not None:
        return _shifted(array.tz_convert(None).to_numpy(), zone)
    if isinstance(array, pd.arrays.ArrowExtensionArray):
        local = _local_arrow(pa.chunked_array(array.__arrow_array__()), zone)
        return pd.arrays.ArrowExtensionArray(local)
    if isinstance(array, pd.Categorical):
        return _local_series(values.astype(array.categories.dtype), zone)
    if values.dtype != object:
        return values
    return pd.Series([_local(value, zone) for value in values], index=values.index, dtype=object)


def _shifted(utc: Any, zone: ZoneInfo) -> np.ndarray:
    """Local times of times in UTC."""
    times = np.asarray(utc)
    distinct, places = np.unique(times.astype("datetime64[s]"), return_inverse=True)
    offsets = np.array([_offset(each, zone) for each in distinct], dtype="timedelta64[s]")
    shifted: np.ndarray = times + offsets[places]
    return shifted


def _offset(utc: np.datetime64, zone: ZoneInfo) -> int:
    """Seconds by which local time is ahead; beyond the years of Python those of its ends."""
    if np.isnat(utc):
        return 0
    inside: datetime = min(max(utc, _FIRST), _LAST).astype("datetime64[s]").tolist()
    when = inside.replace(tzinfo=UTC).astimezone(zone)
    return int((when.utcoffset() or timedelta(0)).total_seconds())


_FIRST, _LAST = np.datetime64("0001-01-03", "s"), np.datetime64("9999-12-29", "s")


def _local(value: Any, zone: ZoneInfo) -> Any:
    if not isinstance(value, datetime) or value.tzinfo is None:
        return value
    try:
        return value.astimezone(zone).replace(tzinfo=None)
    except Exception:  # it lies beyond the years of Python, and of every schema
        return value
