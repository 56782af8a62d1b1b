"""When in the week times lie: each counted once, drawn as counted, and seen through charges only."""

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.base.domain import Domain
from dpsynth.data.tables.codec import codec_for
from dpsynth.data.tables.inside import Inside
from dpsynth.data.tables.weeks import WeekCoding, with_week, with_weeks
from dpsynth.door.bounded import bound_table
from dpsynth.door.codes import codes_of
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.sensitive import _integers
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms import inside, weeks
from dpsynth.mechanisms.weeks import look_at_weeks, weeks_cost, weeks_of
from dpsynth.schema.table import Datetime, Numeric, Schema
from dpsynth.testing import BlindAccountant

BUDGET = Budget(1.0, 1e-6)
HOURS = Datetime("2022-01-01T06:00", "2023-03-01T21:00", resolution="h")
MINUTES = Datetime("2022-01-01T06:30", "2022-02-01T21:15", resolution="min")
DAYS = Datetime("1995-01-01", "2022-12-31")
MARKER = "2022-05-05T05:00"
NULLABLE = Datetime("2021-12-31T23:00", "2022-12-30T22:00", resolution="h", nullable=True, missing_marker=MARKER)
COLUMNS = {"hours": HOURS, "minutes": MINUTES, "days": DAYS, "nullable": NULLABLE}
every_column = pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS.keys())


def between(column: Datetime, n: int, seed: int) -> pd.Series:
    low, high = (np.datetime64(bound, "s").astype(np.int64) for bound in (column.low, column.high))
    drawn = np.random.default_rng(seed).integers(low, high + 1, n)
    return pd.Series(drawn.astype("datetime64[s]"))


def in_week(times: pd.Series, column: Datetime) -> np.ndarray:
    days = times.dt.day_of_week.to_numpy()
    return days if column.resolution == "D" else 24 * days + times.dt.hour.to_numpy()


@every_column
def test_codes_are_the_hours_of_the_week_that_the_calendar_has(column):
    times = between(column, 4000, 0)
    coding = WeekCoding(column)
    marked = times.dt.floor("h") == pd.Timestamp(MARKER)
    expected = np.where(marked & (column is NULLABLE), coding.null, in_week(times, column))
    assert codes_of(times, coding).tolist() == expected.tolist()
    assert codes_of(times.astype(str), coding).tolist() == expected.tolist()
    assert codes_of(pd.Series(["x", None, "", 7, True], dtype=object), coding).tolist() == [coding.null] * 5


@every_column
def test_times_outside_of_the_bounds_count_where_the_bounds_do(column):
    coding = WeekCoding(column)
    low, high = (in_week(pd.Series([pd.Timestamp(bound)]), column)[0] for bound in (column.low, column.high))
    assert codes_of(pd.Series(pd.to_datetime(["1970-02-03T05:00", "2090-01-01T01:00"])), coding).tolist() == [low, high]


def test_a_week_is_looked_at_only_where_a_cell_spans_several_parts_of_it():
    assert set(with_weeks(Schema({**COLUMNS, "x": Numeric(0, 9)}))) == {"hours", "days", "nullable"} | (
        {"minutes"} if max(codec_for(MINUTES).widths) > 60 else set()
    )
    assert not with_weeks(Schema({"a": Datetime("2022-01-01", "2023-12-31")}))
    assert not with_weeks(Schema({"a": Datetime("2022-01-01", "2022-01-05", resolution="min")}))
    assert not with_weeks(Schema({"a": Datetime("1800-01-01", "2000-01-01", resolution="s")}))


@every_column
@pytest.mark.parametrize("conditioned", [False, True])
def test_parts_hold_each_step_once_and_count_as_the_week_says(column, conditioned):
    """Beside an oracle that goes through every step."""
    codec = codec_for(column)
    size = 7 if column.resolution == "D" else 168
    week = np.random.default_rng(1).dirichlet(np.full(size, 0.2))
    middle = pd.Timestamp("2022-01-15T11:00")
    holds = (lambda shown: (shown >= middle).to_numpy()) if conditioned else (lambda shown: np.ones(len(shown), bool))
    parts = with_week(codec.parts(holds, [middle] if conditioned else []), column, codec, tuple(week))
    steps = np.arange(codec.grid.edges[-1])
    shown = codec._shown(steps, np.zeros(len(steps), dtype=bool))
    cells = np.searchsorted(codec.grid.edges, steps, side="right") - 1
    mass = (week + 1e-4 / size)[in_week(shown, column)]
    whole = np.bincount(cells, mass)
    lengths = parts.last - parts.first + 1
    held = np.repeat(parts.first - np.append(0, np.cumsum(lengths)[:-1]), lengths) + np.arange(lengths.sum())
    assert held.tolist() == steps[holds(shown)].tolist()
    density = np.repeat(parts.shares / lengths, lengths)
    np.testing.assert_allclose(density, (mass / whole[cells])[holds(shown)], rtol=1e-9)
    assert (np.diff(parts.cells) >= 0).all()


def look(rows, columns, accountant=None):
    accountant = accountant or Accountant(BUDGET)
    cost = weeks_cost(accountant.cost_left, len(columns))
    return look_at_weeks(bound_table(lambda columns: [rows], PrivacyUnit()), columns, accountant, cost)


def told_apart():
    """Whether two unlike columns can be told apart when no charge looks at them."""

    def run(values):
        accountant = BlindAccountant(BUDGET)
        return look(pd.DataFrame({"t": values}), {"t": HOURS}, accountant), accountant.ledger.entries()

    return run(between(HOURS, 9000, 0)) != run(pd.Series(["x", None, 5, "2022-05-05T01:00"], dtype=object))


def test_what_is_seen_depends_on_the_rows_through_its_charge_only():
    assert not told_apart()


def peeks(rows, codings, accountant, cost, purposes):
    """A mutant: it charges, and gives exact counts."""
    found = inside.look(rows, codings, accountant, cost, purposes)
    table = PrivateTable.encoded(rows, codings, Domain.of({name: c.size for name, c in codings.items()}))
    exact = table.marginals([(name,) for name in codings])
    return {n: (_integers(exact[n,])[:-1].astype(float), min(noise, 1.0)) for n, (_, noise) in found.items()}


def test_a_look_that_peeks_is_found(monkeypatch):
    monkeypatch.setattr(weeks, "look", peeks)
    assert told_apart()


def test_a_look_costs_what_was_said_and_is_one_charge():
    accountant = Accountant(BUDGET)
    before = accountant.cost_left
    rows = pd.DataFrame({name: between(column, 500, 3) for name, column in COLUMNS.items()})
    look(rows, COLUMNS, accountant)
    cost = weeks_cost(before, 4)
    assert 4 * cost * 0.999 <= before - accountant.cost_left <= 4 * cost <= before * 0.05
    charges = [line for line in accountant.ledger.entries() if line["kind"] == "charge"]
    assert [line["purpose"] for line in charges] == [f"see when in the week {name} lies" for name in COLUMNS]


def test_noise_alone_is_no_week():
    """A week stands out of noise alone once in three million looks."""
    nothing = pd.DataFrame({"t": []})
    assert not any(look(nothing, {"t": HOURS}, Accountant(BUDGET, unsafe_seed=seed)) for seed in range(200))


def office(n, seed):
    rng = np.random.default_rng(seed)
    days = pd.Timestamp("2022-01-03") + pd.to_timedelta(7 * rng.integers(0, 60, n) + rng.integers(0, 5, n), unit="D")
    return pd.DataFrame({"t": days + pd.to_timedelta(rng.integers(9, 17, n), unit="h"), "x": rng.normal(0, 1, n)})


def test_office_hours_come_back_and_conditions_are_kept():
    """20,000 rows at epsilon 1: nights and weekends had two rows in three of a release when drawn evenly."""
    schema = Schema({"t": HOURS, "x": Numeric(-5, 5)})
    fitted = dpsynth.Synthesizer(schema, "independent", epsilon=1.0, delta=1e-6, ledger=None, unsafe_seed=4).fit(
        office(20_000, 0)
    )
    release = fitted.sample(20_000, seed=1)["t"]
    open_ = (release.dt.day_of_week < 5) & release.dt.hour.between(9, 16)
    assert open_.mean() > 0.97
    some = fitted.sample(2000, seed=2, where="t >= '2022-06-08T12:00' and t < '2022-06-10'")["t"]
    assert some.between("2022-06-08T12:00", "2022-06-09T23:00").all()
    assert some.dt.hour.between(9, 16).mean() > 0.9


def test_it_is_in_the_model_file_and_in_its_digest(tmp_path):
    schema = Schema({"t": HOURS, "x": Numeric(-5, 5)})
    fitted = dpsynth.Synthesizer(schema, "independent", epsilon=1.0, delta=1e-6, ledger=None).fit(office(5000, 0))
    fitted.save(tmp_path / "model.dpsynth")
    loaded = dpsynth.Synthesizer.load(tmp_path / "model.dpsynth")
    pd.testing.assert_frame_equal(fitted.sample(100, seed=4), loaded.sample(100, seed=4))
    assert len(fitted.fitted_.inside["t"].week) == 168


def test_shares_of_a_week_sum_to_one_and_are_stored():
    seen = look(office(20_000, 2), {"t": HOURS})["t"]
    inside = weeks_of(seen)
    assert sum(inside.week) == pytest.approx(1.0)
    assert Inside.of(inside.stored()) == inside
    assert "week" not in Inside(atoms=(1.0,), shares=(0.5,)).stored()
