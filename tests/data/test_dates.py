"""Dates that stand for missing, and dates outside the bounds: each against a count by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import dpsynth
from dpsynth.data.tables.check import check_rows
from dpsynth.data.tables.codec import codec_for
from dpsynth.evaluation.reading import as_numbers, missing_and_outside
from dpsynth.schema.columns import Datetime, Numeric, SchemaError
from dpsynth.schema.table import Schema

MARKED = ["9999-12-31", "9999-12-31T00:00:00", "9999-12-31T23:59:59Z"]
PLAIN = ["2015-01-01", "2019-06-01T12:00", "2024-12-31", "9999-12-30", "2014-12-31"]


def end(marker: object = "9999-12-31", **facts: object) -> Datetime:
    return Datetime("2015-01-01", "2024-12-31", nullable=True, missing_marker=marker, **facts)  # type: ignore[arg-type]


CONTAINERS = {
    "text": lambda texts: pd.Series(texts, dtype=object),
    "arrow text": lambda texts: pa.chunked_array([texts]),
    "datetimes": lambda texts: pd.Series(np.array([t.rstrip("Z") for t in texts], dtype="datetime64[s]")),
    "objects": lambda texts: pd.Series([pd.Timestamp(t).to_pydatetime() for t in texts], dtype=object),
}


@pytest.mark.parametrize("make", CONTAINERS.values(), ids=CONTAINERS)
def test_a_marked_date_is_missing_in_every_container_and_its_neighbours_are_not(make):
    codec = codec_for(end())
    assert (codec.encode(make(MARKED)) == codec.size - 1).all()
    codes = codec.encode(make(PLAIN))
    assert (codes < codec.size - 1).all()
    assert codes.tolist() == codec_for(end(None)).encode(make(PLAIN)).tolist()
    missing, outside = missing_and_outside(make([*MARKED, *PLAIN]), end(), None)
    assert missing.tolist() == [True] * 3 + [False] * 5
    assert outside.tolist() == [False] * 6 + [True] * 2
    assert np.isnan(as_numbers(make(MARKED), end())).all()
    assert np.isfinite(as_numbers(make(PLAIN), end())).all()


@pytest.mark.parametrize("marker", ["1900-01-01", "2015-01-01", "2018-03-04", "2024-12-31"])
def test_a_marker_may_lie_anywhere(marker):
    codec = codec_for(end(marker))
    days = pd.Series(pd.date_range("2014-12-30", "2025-01-02").strftime("%Y-%m-%d"))
    codes, before = codec.encode(days), codec_for(end(None)).encode(days)
    marked = (days == marker).to_numpy()
    assert (codes[marked] == codec.size - 1).all()
    assert (codes[~marked] == before[~marked]).all()


@pytest.mark.parametrize(
    "column",
    [
        Datetime("2020-01-01", "2020-01-05", nullable=True, missing_marker="2020-01-03"),
        Numeric(0, 4, integer=True, nullable=True, missing_marker=3),
        Numeric(0, 4, nullable=True, missing_marker=0),
    ],
)
def test_a_cell_of_which_the_only_value_is_the_marker_decodes_as_missing_and_meets_no_condition(column):
    codec = codec_for(column)
    plain = codec_for(replace(column, missing_marker=None))
    codes = np.arange(codec.size)
    values = codec.decode(codes, np.random.default_rng(0))
    lost = values.isna() & plain.decode(codes, np.random.default_rng(0)).notna()
    assert lost.sum() == 1
    assert (codec.encode(values[~lost]) == codes[~lost]).all()
    weights = codec.weights(codec.parts(lambda x: x.notna().to_numpy(), ()))
    assert weights[:-1].tolist() == [float(not each) for each in lost[:-1]]


def test_a_marker_is_kept_in_the_file_and_cut_as_the_bounds_are(tmp_path):
    schema = Schema({"end": end("9999-12-31T23:59:59")})
    assert schema.columns["end"] == end()
    schema.save(tmp_path / "s.yaml")
    assert Schema.load(tmp_path / "s.yaml") == schema
    assert Schema({"end": end(None)}).fingerprint() != schema.fingerprint()


@pytest.mark.parametrize("marker", ["never", 99991231, "0000-00-00"])
def test_a_marker_that_is_no_date_is_refused(marker):
    with pytest.raises(SchemaError, match="missing_marker must be an ISO-8601 date"):
        end(marker)


def test_a_marker_needs_a_column_with_missing_values():
    with pytest.raises(SchemaError, match="add nullable=True"):
        Datetime("2015-01-01", "2024-12-31", missing_marker="9999-12-31")


def test_open_ends_stay_open_in_a_release():
    rng = np.random.default_rng(11)
    days = rng.choice(pd.date_range("2015-01-01", "2024-12-31").strftime("%Y-%m-%d"), 5000).astype(object)
    days[rng.random(5000) < 0.3] = "9999-12-31"
    synth = dpsynth.Synthesizer({**Schema({"end": end()}).to_dict()}, epsilon=3, delta=1e-6, ledger=None)
    drawn = synth.fit(pd.DataFrame({"end": days})).sample(5000, seed=1)["end"]
    assert abs(drawn.isna().mean() - 0.3) < 0.03
    assert drawn.dropna().between("2015-01-01", "2024-12-31").all()


@pytest.mark.parametrize("resolution", ["D", "h", "min", "s"])
@pytest.mark.parametrize("years", [1, 30, 200])
def test_only_dates_outside_the_bounds_count_as_clipped(resolution, years):
    low, high = pd.Timestamp("1900-01-01"), pd.Timestamp(f"{1900 + years}-01-01")
    inside = [low + pd.Timedelta(days=k) for k in range(100)] + [high - pd.Timedelta(days=k) for k in range(100)]
    outside = [low - pd.Timedelta(days=1), high + pd.Timedelta(days=1), high + pd.Timedelta(days=900)]
    declared = Datetime(low, high, resolution=resolution, nullable=True, missing_marker="9999-12-31")
    texts = [day.isoformat() for day in inside + outside] + ["9999-12-31T00:00:00", None, "soon"]
    (found,) = check_rows(pd.DataFrame({"day": texts}), Schema({"day": declared}))
    assert (found.clipped, found.missing, found.undeclared) == (3, 2, 1)
