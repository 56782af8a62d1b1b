"""Times of a zone: what states a zone of its own is converted, all else is local; each value by itself."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import dpsynth
from dpsynth.data.engines import zones
from dpsynth.data.engines.files import open_rows, open_source
from dpsynth.data.tables.writing import write_rows
from dpsynth.data.values import steps_of
from dpsynth.schema.columns import Datetime, SchemaError
from dpsynth.schema.table import Schema

BERLIN = ZoneInfo("Europe/Berlin")
LOCAL = [
    datetime(2020, 1, 31, 0, 30),
    datetime(2020, 7, 1, 23, 59),
    datetime(2020, 3, 29, 3, 0),
    datetime(1960, 5, 5, 5, 5),
    None,
]


def schema(zone: str | None = "Europe/Berlin", **facts: Any) -> Schema:
    facts = {"resolution": "min", "nullable": True, "zone": zone, **facts}
    return Schema({"t": Datetime("1950-01-01", "2024-12-31", **facts)})


def aware(other: Any) -> list[datetime | None]:
    return [None if t is None else t.replace(tzinfo=BERLIN).astimezone(other) for t in LOCAL]


def texts(times: list[datetime | None]) -> list[str | None]:
    return [None if t is None else t.isoformat() for t in times]


TOKYO = ZoneInfo("Asia/Tokyo")
SERIES = pd.to_datetime(pd.Series(aware(UTC)), utc=True)
GIVEN: dict[str, Callable[[], Any]] = {
    "local times": lambda: pd.DataFrame({"t": LOCAL}),
    "local texts": lambda: pd.DataFrame({"t": texts(LOCAL)}),
    "texts of UTC": lambda: pd.DataFrame({"t": texts(aware(UTC))}),
    "texts with offsets": lambda: pd.DataFrame({"t": texts(aware(timezone(timedelta(hours=-7))))}),
    "objects of several zones": lambda: pd.DataFrame(
        {"t": [aware(TOKYO)[0], LOCAL[1], aware(UTC)[2], texts(aware(UTC))[3], None]}, dtype=object
    ),
    "pandas, of UTC": lambda: pd.DataFrame({"t": SERIES}),
    "pandas, of Tokyo": lambda: pd.DataFrame(
        {"t": pd.to_datetime(pd.Series(aware(UTC)), utc=True).dt.tz_convert(TOKYO)}
    ),
    "pandas, categories": lambda: pd.DataFrame(
        {"t": pd.to_datetime(pd.Series(aware(UTC)), utc=True).astype("category")}
    ),
    "pandas, of Arrow": lambda: pd.DataFrame(
        {"t": pd.arrays.ArrowExtensionArray(pa.chunked_array([pa.array(aware(UTC), pa.timestamp("ms", "UTC"))]))}
    ),
    **{
        f"Arrow, {unit} of {zone}": lambda unit=unit, zone=zone: pa.table(
            {"t": pa.array(aware(UTC), pa.timestamp(unit, zone))}
        )
        for unit in ("s", "us", "ns")
        for zone in ("UTC", "Asia/Tokyo", "+05:30")
    },
    "Arrow, a dictionary": lambda: pa.table({"t": pa.array(aware(UTC), pa.timestamp("s", "UTC")).dictionary_encode()}),
    "Arrow, local": lambda: pa.table({"t": pa.array(LOCAL, pa.timestamp("us"))}),
}
MEANT = np.array([math.nan if t is None else (t - datetime(1970, 1, 1)) // timedelta(minutes=1) for t in LOCAL])


def steps(given: Any, declared: Schema) -> np.ndarray:
    """The steps since 1970 that a fit sees: finer than its cells."""
    return steps_of(open_source(given, declared).read()["t"], declared.columns["t"])


@pytest.mark.parametrize("name", GIVEN)
def test_a_time_is_the_local_time_of_its_columns_zone(name):
    np.testing.assert_array_equal(steps(GIVEN[name](), schema()), MEANT)


@pytest.mark.parametrize("name", [name for name in GIVEN if "UTC" in name])
def test_without_a_zone_times_are_of_utc(name):
    utc = steps(pd.DataFrame({"t": [t and t.replace(tzinfo=None) for t in aware(UTC)]}), schema(None))
    np.testing.assert_array_equal(steps(GIVEN[name](), schema(None)), utc)
    assert (utc[:-1] != MEANT[:-1]).all()


def test_the_day_of_a_time_is_that_of_its_zone():
    """Half past midnight in Berlin is still the day before in UTC."""
    day = schema(resolution="D")
    given = pd.DataFrame({"t": ["2020-01-30T23:30:00Z", "2020-01-31T00:30:00+01:00", "2020-01-31"]})
    assert len({*steps(given, day).tolist()}) == 1


def test_a_format_with_an_offset_is_read_and_written(tmp_path):
    declared = schema(format="%d.%m.%Y %H:%M %z")
    given = pd.DataFrame({"t": ["31.01.2020 00:30 +0100", "30.01.2020 23:30 +0000", "01.07.2020 23:59 +0200"]})
    codes = steps(given, declared)
    assert codes[0] == codes[1] == MEANT[0]
    assert codes[2] == MEANT[1]
    write_rows(pd.DataFrame({"t": pd.Series(LOCAL, dtype="datetime64[s]")}), tmp_path / "r.csv", declared)
    assert (tmp_path / "r.csv").read_text().splitlines()[1:3] == ["31.01.2020 00:30 +0100", "01.07.2020 23:59 +0200"]
    np.testing.assert_array_equal(steps(tmp_path / "r.csv", declared), MEANT)


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".feather", ".jsonl"])
def test_a_release_has_local_times_that_its_schema_reads(ending, tmp_path):
    write_rows(pd.DataFrame({"t": pd.Series(LOCAL, dtype="datetime64[s]")}), tmp_path / f"r{ending}", schema())
    np.testing.assert_array_equal(steps(tmp_path / f"r{ending}", schema()), MEANT)


FAR = [np.iinfo(np.int64).min + 1, np.iinfo(np.int64).max, 10**15, -(10**15)]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("far", FAR)
def test_a_time_beyond_all_years_moves_no_other(unit, far):
    times = pa.array(aware(UTC), pa.timestamp(unit, "UTC"))
    odd = pa.concat_arrays([times, pa.array([far], pa.int64()).cast(pa.timestamp(unit, "UTC"))])
    for given in (pa.table({"t": odd}), pd.DataFrame({"t": pd.arrays.ArrowExtensionArray(pa.chunked_array([odd]))})):
        np.testing.assert_array_equal(steps(given, schema())[:-1], MEANT)
    objects = [
        *aware(UTC),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-9))),
        datetime.min.replace(tzinfo=UTC),
    ]
    given = pd.DataFrame({"t": objects, "n": 0}, dtype=object)[["t"]]
    np.testing.assert_array_equal(steps(given, schema())[:-2], MEANT)


def test_an_offset_that_all_rows_share_is_found(monkeypatch):
    """The double: one offset for the whole column, that of its first row, as many scripts add one."""

    def by_the_first(utc: Any, zone: ZoneInfo) -> np.ndarray:
        times = np.asarray(utc)
        return times + np.timedelta64(zones._offset(times.astype("datetime64[s]")[0], zone), "s")

    monkeypatch.setattr(zones, "_shifted", by_the_first)
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(steps(GIVEN["Arrow, us of UTC"](), schema()), MEANT)


def test_bounds_with_an_offset_are_of_the_zone_and_a_schema_keeps_it(tmp_path: Path):
    declared = Datetime("2019-12-31T23:00:00Z", "2020-12-31", zone="Europe/Berlin", resolution="min")
    assert declared.low == "2020-01-01T00:00"
    whole = Schema({"t": declared})
    whole.save(tmp_path / "schema.json")
    assert Schema.load(tmp_path / "schema.json") == whole
    assert json.loads((tmp_path / "schema.json").read_text())["columns"]["t"]["zone"] == "Europe/Berlin"
    assert "zone" not in schema(None).to_dict()["columns"]["t"]


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", 7, "UTC\0"])
def test_a_zone_that_is_none_is_refused_in_one_sentence(zone):
    with pytest.raises(SchemaError, match=r"^zone must be the name of a time zone such as [^\n]+$"):
        Datetime("2020-01-01", "2020-12-31", zone=zone)


def test_a_fit_of_times_of_utc_gives_local_times():
    hours = pa.array([datetime(2020, 6, 1, 22, 30, tzinfo=UTC)] * 300, pa.timestamp("us", "UTC"))
    declared = Schema({"t": Datetime("2020-06-01", "2020-06-03", resolution="h", zone="Europe/Berlin")})
    synth = dpsynth.Synthesizer(declared, "independent", epsilon=50, delta=1e-6, ledger=None)
    drawn = synth.fit(pa.table({"t": hours})).sample(200, seed=1)["t"]
    assert (drawn == pd.Timestamp("2020-06-02T00:00")).mean() > 0.9
    assert open_rows(pa.table({"t": hours}), declared)["t"].type.tz is None


BESIDE = {
    "nothing but nulls": pa.nulls(2),
    "nanoseconds": pa.array(aware(UTC)[:2], pa.timestamp("ns", "UTC")),
    "another zone": pa.array(aware(UTC)[:2], pa.timestamp("us", "Asia/Tokyo")),
    "times without a zone": pa.array(LOCAL[:2], pa.timestamp("us")),
    "texts": pa.array(texts(aware(UTC))[:2]),
    "a word": pa.array(["soon", None]),
    "no rows": pa.array([], pa.timestamp("us", "UTC")),
}


@pytest.mark.parametrize("beside", BESIDE.values(), ids=BESIDE.keys())
def test_a_file_of_another_type_leaves_the_times_of_other_files(beside, tmp_path):
    """Of one record a file may have another type: the times of everybody else stay local times."""
    from pyarrow import parquet

    times = pa.array(aware(UTC), pa.timestamp("us", "UTC"))
    parquet.write_table(pa.table({"t": times}), tmp_path / "a.parquet")
    parquet.write_table(pa.table({"t": beside}), tmp_path / "b.parquet")
    expected = steps_of(pd.Series(LOCAL), schema().columns["t"])
    rows = open_source(tmp_path, schema()).read()
    read = rows["t"] if isinstance(rows, pd.DataFrame) else rows.column("t")
    np.testing.assert_array_equal(steps_of(read, schema().columns["t"])[: len(LOCAL)], expected)
