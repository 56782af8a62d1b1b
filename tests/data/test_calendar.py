"""Calendar parts: each time has those of the calendar, and whatever parts are drawn together, a time has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import dpsynth as d
from dpsynth.data.constraints import recoding as module
from dpsynth.data.constraints.calendar import CalendarStep
from dpsynth.data.constraints.recoding import is_recoded, recoding_of
from dpsynth.data.constraints.scale import Scale
from dpsynth.data.tables.codec import codecs
from dpsynth.synthesizers.cases import cases_of
from tests.data.test_recoding import ODD, codes

COLUMNS = {
    "years of hours": d.Datetime("2020-01-01T05:00", "2022-12-30T21:00", resolution="h", parts=["weekday", "hour"]),
    "a week and a bit": d.Datetime("2020-02-25T13:00", "2020-03-08", resolution="min", parts=["hour", "weekday"]),
    "a day": d.Datetime("2019-12-31T23:59:30", "2020-01-02T00:00:10", resolution="s", parts=["hour"]),
    "months and hours": d.Datetime("2018-06-15", "2021-03-07T04:00", resolution="h", parts=("month", "hour")),
    "all parts": d.Datetime("2019-11-20", "2021-01-02", resolution="h", parts=["hour", "month", "weekday"]),
    "weekdays of days": d.Datetime("1969-12-25", "1970-02-02", parts=["weekday"], nullable=True),
    "months of days": d.Datetime("1995-03-31", "2024-02-29", parts=["month", "weekday"]),
    "several weeks": d.Datetime("1950-01-01", "2024-12-31", parts=["weekday"]),
    "several days": d.Datetime("2010-01-01", "2024-12-31", resolution="h", parts=["hour"]),
    "a marker": d.Datetime("2020-01-01", "2020-03-01", parts=["weekday"], nullable=True, missing_marker="2020-01-15"),
}  # fmt: skip
every_column = pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS.keys())


def every_step(column: d.Datetime) -> np.ndarray:
    """All steps between the bounds, or 50,000 of them with those near the bounds."""
    low, high = column.steps
    if high - low < 60_000:
        found = np.arange(low, high + 1)
    else:
        inner = np.random.default_rng(0).integers(low, high + 1, 50_000)
        found = np.concatenate([np.arange(low, low + 500), inner, np.arange(high - 500, high + 1)])
    return found[found != column.marker_step]


def every_combination(step: CalendarStep) -> dict[str, np.ndarray]:
    sizes = [column.size for column in codecs(d.Schema(plain(step))).values()]
    return dict(zip(step.attributes, np.indices(sizes).reshape(len(sizes), -1), strict=True))


def plain(step: CalendarStep) -> dict[str, d.Categorical]:
    """The modelled columns without missing values."""
    return {name: d.Categorical(c.categories, other=c.categories[0]) for name, c in step.columns().items()}


def as_rows(step: CalendarStep, cells: Mapping[str, np.ndarray]) -> dict[str, pd.Series]:
    return {
        name: pd.Series(pd.Categorical.from_codes(cells[name], categories=list(column.categories)))
        for name, column in step.columns().items()
    }


@every_column
def test_parts_are_those_of_the_calendar(column: d.Datetime) -> None:
    times = Scale(column).series(every_step(column).astype(float))
    found = CalendarStep("t", column).encoded({"t": times})
    calendar = {"month": times.dt.month - 1, "weekday": times.dt.day_of_week, "hour": times.dt.hour}
    for part in column.parts:
        assert np.array_equal(found[f"{part} of t"], calendar[part]), part


@every_column
def test_periods_follow_each_other_and_have_whole_units(column: d.Datetime) -> None:
    step = CalendarStep("t", column)
    low, high = column.steps
    steps = np.arange(low, high + 1) if high - low < 1e6 else np.sort(every_step(column))
    periods = step.encoded({"t": Scale(column).series(steps.astype(float))})[step.period]
    known = periods[periods >= 0]
    assert set(np.diff(known)) <= {0, 1}
    assert known[0] == 0
    assert known[-1] + 1 == step.columns()[step.period].categories[-1] + 1
    first, last = step.ends()
    assert (first[0], last[-1]) == (low, high)
    assert np.array_equal(first[1:], last[:-1] + 1)
    inside = (first[known] <= steps[periods >= 0]) & (steps[periods >= 0] <= last[known])
    assert inside.all()
    unit = {"year": 316 * 86_400, "week": 7 * 86_400, "day": 86_400}[step.period.partition(" ")[0]]
    seconds = (last - first + 1) * {"D": 86_400, "h": 3600, "min": 60, "s": 1}[column.resolution]
    assert (seconds >= unit).all()


@every_column
def test_whatever_parts_are_drawn_together_there_is_a_time_that_has_them(column: d.Datetime) -> None:
    step = CalendarStep("t", column)
    cells = every_combination(step)
    rows = as_rows(step, cells)
    step.decode(rows, np.random.default_rng(3))
    assert list(rows) == ["t"]
    steps = Scale(column).released(rows["t"])
    assert (steps >= column.steps[0]).all()
    assert (steps <= column.steps[1]).all()
    found = step.encoded({"t": rows["t"]})
    moved = steps == column.marker_step + 1  # beside the marker, where that alone had the parts
    for name in step.attributes:
        assert np.array_equal(found[name][~moved], cells[name][~moved]), name


@pytest.mark.parametrize("name", ["a week and a bit", "weekdays of days", "a marker"])
def test_times_with_the_same_parts_are_drawn_alike(name: str) -> None:
    """Each of 40 draws a time: of 10,000 of a mean of 40 none is below 5 but by chance of 1e-6."""
    column, steps = COLUMNS[name], every_step(COLUMNS[name])
    step = CalendarStep("t", column)
    own = step.encoded({"t": Scale(column).series(steps.astype(float))})
    rows = as_rows(step, {part: np.repeat(cells, 40) for part, cells in own.items()})
    step.decode(rows, np.random.default_rng(0))
    drawn = Scale(column).released(rows["t"]).astype(np.int64)
    assert column.marker_step not in drawn
    assert np.bincount(drawn - column.steps[0])[steps - column.steps[0]].min() > 5


@pytest.mark.parametrize("name", ["a week and a bit", "all parts", "weekdays of days", "several weeks", "a marker"])
@pytest.mark.parametrize(
    "where",
    ["t >= '{0}'", "t == '{0}'", "t < '{0}'", "t != '{0}'", "t > '{0}' and t <= '{1}'", "t is None", "t is not None"],
)
def test_a_condition_implies_exactly_the_parts_of_the_times_that_meet_it(name: str, where: str) -> None:
    column, steps = COLUMNS[name], every_step(COLUMNS[name])
    one, two = (Scale(column).series(steps[[len(steps) * k // 7]].astype(float)).iloc[0] for k in (2, 5))
    schema = d.Schema({"t": column})
    try:
        (case,) = cases_of(where.format(one, two), None, schema)
    except d.ConditionError:
        assert "None" in where
        return
    step = CalendarStep("t", column)
    times = Scale(column).series(steps.astype(float))
    holds = np.logical_and.reduce([term.holds(times) for term in case.terms])
    cells = step.encoded({"t": times})
    for name, column_ in step.columns().items():
        able = np.logical_and.reduce(
            [
                step.able(term.holds, term.constants).get(name, np.ones(len(column_.categories) + 1, bool))
                for term in case.terms
            ]
        )
        wanted = {*cells[name][holds].tolist()}
        assert wanted <= {*np.flatnonzero(able[:-1]).tolist()}
        if len(case.terms) == 1 and able[:-1].sum() < len(column_.categories):
            assert wanted == {*np.flatnonzero(able[:-1]).tolist()}


def test_a_missing_time_is_missing_in_all_parts_and_comes_back_as_one() -> None:
    column = COLUMNS["a marker"]
    step = CalendarStep("t", column)
    odd = pd.Series(["2020-02-02", None, "x", "2020-01-15", 7, pd.NaT], dtype=object)
    cells = step.encoded({"t": odd})
    assert all(np.array_equal(each < 0, [False, True, True, True, True, True]) for each in cells.values())
    rows = as_rows(step, {step.period: np.array([-1, 3, -1]), "weekday of t": np.array([2, -1, -1])})
    step.decode(rows, np.random.default_rng(0))
    assert rows["t"].isna().tolist() == [True, False, True]
    assert rows["t"].dt.day_of_week[1] == 2  # of another row, where a time has none


def test_times_outside_of_the_bounds_have_the_parts_of_the_bounds() -> None:
    for column in COLUMNS.values():
        step = CalendarStep("t", column)
        ends = step.encoded({"t": pd.Series([str(column.low), str(column.high)])})
        beyond = step.encoded({"t": pd.Series(["1900-01-01", "2100-01-01"])})
        assert all(np.array_equal(ends[name], beyond[name]) for name in ends)


# Record by record


def schema_of(*names: str) -> d.Schema:
    return d.Schema({name: COLUMNS[name] for name in names})


def odd_times(seed: int, n: int, names: tuple[str, ...]) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    good = ["2020-03-01T05:00", pd.Timestamp("2020-02-28 13:30"), "1970-01-05", np.datetime64("2021-07-01")]
    return pd.DataFrame(
        {
            name: pd.Series([(good if rng.random() < 0.6 else ODD)[rng.integers(4)] for _ in range(n)], dtype=object)
            for name in names
        }
    )


NAMES = ("years of hours", "all parts", "weekdays of days", "a marker")


def joins(seed: int) -> bool:
    schema = schema_of(*NAMES)
    one, other = odd_times(seed, 30, NAMES), odd_times(seed + 100, 5, NAMES)
    both = codes(schema, pd.concat([one, other], ignore_index=True))
    parts = [codes(schema, each) for each in (one, other)]
    return all(both[name] == parts[0][name] + parts[1][name] for name in both)


@pytest.mark.parametrize("seed", range(10))
def test_the_parts_of_a_record_depend_on_that_record_alone(seed: int) -> None:
    assert joins(seed)


class _FromTheFirst(CalendarStep):
    """Counts periods from the first one that occurs: the leak of a minimum read from the rows."""

    def encoded(self, values: Mapping[str, Any]) -> dict[str, np.ndarray]:
        found = super().encoded(values)
        own = found[self.period]
        return {**found, self.period: own - own[own >= 0].min(initial=10**6)}


class _Filled(CalendarStep):
    """Gives a missing time the most frequent parts of the others."""

    def encoded(self, values: Mapping[str, Any]) -> dict[str, np.ndarray]:
        found = super().encoded(values)
        return {n: np.where(c < 0, np.bincount(c[c >= 0], minlength=1).argmax(), c) for n, c in found.items()}


@pytest.mark.parametrize("double", [_FromTheFirst, _Filled])
def test_parts_that_hang_on_other_records_are_found_by_the_law(
    double: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CalendarStep", double)
    recoding_of.cache_clear()
    try:
        assert not all(joins(seed) for seed in range(10))
    finally:
        recoding_of.cache_clear()


def test_no_value_makes_it_raise_and_containers_say_the_same() -> None:
    schema = schema_of("a week and a bit")
    assert all(
        len(found) == len(ODD)
        for found in codes(schema, pd.DataFrame({"a week and a bit": pd.Series(ODD, dtype=object)})).values()
    )
    times = pd.DataFrame({"a week and a bit": pd.to_datetime(["2020-03-01T05:00", None, "2020-03-07T23:59"])})
    assert codes(schema, times) == codes(schema, pa.Table.from_pandas(times)) == codes(schema, times.astype(str))


# The schema


def test_parts_are_a_fact_of_the_file_and_none_changes_nothing() -> None:
    column = d.Datetime("2020-01-01", "2021-01-01", resolution="h", parts=["hour", "weekday"])
    assert column.parts == ("weekday", "hour")
    schema = d.Schema({"t": column})
    assert d.Schema.from_dict(schema.to_dict()) == schema
    assert schema.to_dict()["columns"]["t"]["parts"] == ["weekday", "hour"]
    bare = d.Schema({"t": d.Datetime("2020-01-01", "2021-01-01")})
    assert "parts" not in bare.to_dict()["columns"]["t"]
    assert is_recoded(schema)
    assert not is_recoded(bare)
    assert recoding_of(bare).modelled is bare


@pytest.mark.parametrize(
    ("low", "high", "resolution", "parts", "said"),
    [
        ("2020-01-01", "2021-01-01", "D", ["year"], "got 'year'"),
        ("2020-01-01", "2021-01-01", "D", "hour", "keeps no hours"),
        ("2020-01-01", "2020-01-06", "D", ["weekday"], "need 7 whole days between the bounds, and .* has 6"),
        ("2020-01-01T01:00", "2020-01-02T22:00", "h", ["hour"], "need 1 whole days"),
        ("2020-01-01", "2020-11-30", "D", ["month"], "needs 12 months between the bounds, and .* has 11"),
        ("1700-01-01", "2024-11-30", "h", ["hour"], "at most 1,048,576 hours or days"),
    ],
)
def test_parts_that_a_column_does_not_bear_are_refused(low, high, resolution, parts, said) -> None:
    with pytest.raises(d.SchemaError, match=said):
        d.Datetime(low, high, resolution=resolution, parts=parts)


def test_parts_of_a_column_that_follows_from_another_are_refused() -> None:
    column = d.Datetime("2020-01-01", "2021-01-01", parts=["weekday"])
    schema = d.Schema({"a": column, "b": column}, constraints=[d.Order("a", "<=", "b")])
    with pytest.raises(d.SchemaError, match="'b' has calendar parts, and follows from other columns"):
        recoding_of(schema)


def test_a_column_with_the_name_of_a_part_is_refused() -> None:
    column = d.Datetime("2020-01-01", "2021-01-01", parts=["weekday"])
    with pytest.raises(d.SchemaError, match="a column is called 'weekday of t'"):
        recoding_of(d.Schema({"t": column, "weekday of t": d.Boolean()}))
