"""Times modelled by calendar parts: what a fit keeps of them, and what a sample may be asked for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import dpsynth as d
from dpsynth.data.constraints import recoding
from dpsynth.data.constraints.calendar import CalendarStep
from dpsynth.mechanisms.marginal.canopy import Canopy
from dpsynth.synthesizers import table as module
from dpsynth.testing.blind import BlindAccountant

KINDS = ["planned", "emergency", "transfer"]


def visits(n: int, seed: int) -> pd.DataFrame:
    """Planned visits in office hours, others at night and on weekends, two kinds of diagnosis by season."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(3, n, p=[0.6, 0.3, 0.1])
    day = np.where(kind == 0, 7 * rng.integers(0, 150, n) + rng.integers(0, 5, n), rng.integers(0, 1095, n))
    day = np.where(day < 1095, day, 5)
    hour = np.where(kind == 0, rng.integers(7, 15, n), (18 + rng.integers(0, 12, n)) % 24)
    times = np.datetime64("2018-01-01T00:00", "s") + day * 86_400 + hour * 3600 + 60 * rng.integers(0, 60, n)
    winter = np.isin(pd.Series(times).dt.month, [11, 12, 1, 2])
    return pd.DataFrame(
        {
            "admitted": times,
            "kind": np.array(KINDS)[kind],
            "diagnosis": np.where(rng.random(n) < 0.9, np.where(winter, "flu", "fracture"), "other"),
            "age": rng.integers(0, 100, n),
        }
    )


def schema(parts: tuple[str, ...], **more: object) -> d.Schema:
    times = d.Datetime("2018-01-01", "2020-12-31T23:59", resolution="min", parts=parts, **more)
    return d.Schema(
        {
            "admitted": times,
            "kind": d.Categorical(KINDS),
            "diagnosis": d.Categorical(["flu", "fracture", "other"]),
            "age": d.Numeric(0, 99, integer=True),
        }
    )


def fitted(parts: tuple[str, ...], rows: pd.DataFrame, mechanism: str = "canopy", **more: object) -> d.Synthesizer:
    made = d.Synthesizer(schema(parts, **more), mechanism, epsilon=1.0, delta=1e-6, ledger=None, unsafe_seed=1)
    return made.fit(rows)


def distance(real: pd.DataFrame, release: pd.DataFrame, part: str, beside: str) -> float:
    """Total variation of a calendar part together with another column, or with a second part."""

    def shares(rows: pd.DataFrame) -> pd.Series:
        times = rows["admitted"].dt
        other = rows[beside].astype(str) if beside in rows else getattr(times, beside)
        return pd.DataFrame({"a": getattr(times, part), "b": other}).value_counts(normalize=True)

    return float(shares(real).sub(shares(release), fill_value=0.0).abs().sum() / 2)


PAIRS = [("hour", "kind"), ("day_of_week", "kind"), ("month", "diagnosis"), ("hour", "day_of_week")]


@pytest.mark.parametrize("mechanism", ["canopy", "mst"])
def test_parts_come_back_together_with_other_columns_and_with_each_other(mechanism: str) -> None:
    """10,000 rows at epsilon 1. As one place on a line the first three pairs are off by .08 and more."""
    real = visits(10_000, 0)
    release = fitted(("month", "weekday", "hour"), real, mechanism).sample(10_000, seed=1)
    off = {pair: distance(real, release, *pair) for pair in PAIRS}
    assert max(off.values()) < 0.1, off
    line = fitted((), real, mechanism).sample(10_000, seed=1)
    assert all(distance(real, line, *pair) > max(0.08, 1.5 * off[pair]) for pair in PAIRS[:3])


def test_a_release_has_times_between_the_bounds_and_missing_ones_as_often() -> None:
    real = visits(5000, 1)
    real.loc[real["kind"] == "transfer", "admitted"] = pd.NaT
    release = fitted(("weekday", "hour"), real, nullable=True).sample(5000, seed=1)
    missing = release["admitted"].isna()
    assert missing.mean() == pytest.approx(real["admitted"].isna().mean(), abs=0.02)
    assert missing[release["kind"] == "transfer"].mean() > 0.9
    assert str(release["admitted"].dtype) == "datetime64[s]"
    assert release["admitted"].dropna().between("2018-01-01", "2020-12-31T23:59").all()
    assert (release["admitted"].dropna().dt.second == 0).all()


@pytest.fixture(scope="module")
def model() -> d.Synthesizer:
    return fitted(("month", "weekday", "hour"), visits(10_000, 0))


@pytest.mark.parametrize(
    ("where", "first", "last"),
    [
        ("admitted >= '2019-03-05T14:30' and admitted < '2019-03-07'", "2019-03-05T14:30", "2019-03-06T23:59"),
        ("admitted == '2019-03-05T14:30'", "2019-03-05T14:30", "2019-03-05T14:30"),
        ("admitted > '2020-12-31T20:00'", "2020-12-31T20:01", "2020-12-31T23:59"),
        ("kind == 'planned' and admitted < '2018-01-02T10:00'", "2018-01-01", "2018-01-02T09:59"),
    ],
)
def test_all_rows_meet_a_condition_on_the_time(model: d.Synthesizer, where: str, first: str, last: str) -> None:
    rows = model.sample(300, where=where, seed=2)
    assert len(rows) == 300
    assert rows["admitted"].between(first, last).all()
    pd.testing.assert_frame_equal(rows, model.sample(300, where=where, seed=2))


def test_rows_under_a_condition_follow_the_model_s_distribution_given_it(model: d.Synthesizer) -> None:
    """Beside those of a large sample that meet it: 3,000 and about 6,000 rows of 24 hours and 3 kinds."""
    where = "admitted >= '2019-03-01T10:00' and admitted < '2019-06-01'"
    some = model.sample(3000, where=where, seed=3)
    every = model.sample(60_000, seed=4)
    own = every[every["admitted"].between("2019-03-01T10:00", "2019-05-31T23:59")]
    assert distance(own, some, "hour", "kind") < 0.08
    assert distance(own, every.sample(3000, random_state=0), "month", "kind") > 0.5  # a sample that meets it not


def test_given_values_balance_scenarios_and_support(model: d.Synthesizer) -> None:
    moment = pd.Timestamp("2019-05-02T03:15")
    rows = model.sample(50, given={"admitted": "2019-05-02T03:15"}, seed=1)
    assert (rows["admitted"] == moment).all()
    assert (rows["kind"] != "planned").mean() > 0.9  # at night
    some = pd.DataFrame({"admitted": [str(moment), None, "2018-01-01"], "kind": ["planned", "planned", None]})
    whole = model.sample(given=some, seed=1)
    assert whole["admitted"].tolist()[::2] == [moment, pd.Timestamp("2018-01-01")]
    assert whole["admitted"].notna().all()
    halves = model.sample(200, balance={"admitted": {"admitted < '2018-02-01'": 0.5}}, seed=1)
    assert (halves["admitted"] < "2018-02-01").sum() == 100
    parts = [
        {"name": "late", "share": 0.5, "where": "admitted >= '2020-12-24'", "shift": {"age": 5}},
        {"name": "mixed", "share": 0.5, "balance": {"kind": {"transfer": 0.8}}},
    ]
    drawn = model.sample(100, scenario=d.Scenario.from_dict({"dpsynth_scenario": 1, "parts": parts}), seed=1)
    assert (drawn["admitted"][:50] >= "2020-12-24").all()
    assert (drawn["kind"][50:] == "transfer").sum() == 40
    assert model.sample(50, support=True, seed=1)["support"].notna().all()


def test_imputing_keeps_what_is_known_and_leaves_nothing_missing(model: d.Synthesizer) -> None:
    real = visits(300, 5)
    holes = real.assign(
        admitted=real["admitted"].where(real.index % 3 > 0), kind=real["kind"].where(real.index % 3 > 1)
    )
    found = model.impute(holes, seed=1)
    assert list(found) == [*real, "contains_real_records"]
    assert found[[*real]].notna().all().all()
    known = holes["admitted"].notna()
    assert (found["admitted"][known] == real["admitted"][known]).all()


def test_orders_hold_and_the_second_column_keeps_its_distance() -> None:
    real = visits(5000, 2)
    stay = np.random.default_rng(0).integers(60, 14_400, 5000)
    real["discharged"] = (real["admitted"] + pd.to_timedelta(stay, unit="min")).where(real.index % 10 > 0)
    columns = schema(("weekday", "hour")).columns
    end = d.Datetime("2018-01-01", "2021-03-01", resolution="min", nullable=True)
    ordered = d.Schema({**columns, "discharged": end}, constraints=[d.Order("admitted", "<=", "discharged")])
    synth = d.Synthesizer(ordered, epsilon=1.0, delta=1e-6, ledger=None, unsafe_seed=2).fit(real)
    rows = synth.sample(5000, seed=1)
    known = rows["discharged"].notna()
    assert (rows["admitted"] <= rows["discharged"])[known].all()
    assert known.mean() == pytest.approx(0.9, abs=0.03)
    one_day = synth.sample(200, where="discharged >= '2019-03-05' and discharged < '2019-03-06'", seed=1)
    assert one_day["discharged"].between("2019-03-05", "2019-03-05T23:59").all()
    assert (one_day["admitted"] <= one_day["discharged"]).all()


def test_times_that_cannot_be_read_are_counted_once_by_the_name_of_the_column() -> None:
    real = visits(5000, 3)
    real.loc[real.index % 4 == 0, "admitted"] = pd.NaT
    with pytest.warns(d.CautionWarning, match="admitted"):
        made = fitted(("weekday", "hour"), real, "independent")
    counted = made.certificate.record["released"]["undeclared"]
    assert set(counted) == set(schema(()).columns)
    assert counted["admitted"]["rows"] == pytest.approx(1250, abs=200)


def test_it_is_saved_with_the_model(model: d.Synthesizer, tmp_path) -> None:
    model.save(tmp_path / "m.dpsynth")
    again = d.Synthesizer.load(tmp_path / "m.dpsynth")
    pd.testing.assert_frame_equal(again.sample(200, seed=1), model.sample(200, seed=1))


def test_parts_are_charged_as_columns_and_the_week_is_not_looked_at_besides(model: d.Synthesizer) -> None:
    purposes = [charge["line"]["purpose"] for charge in model.certificate.record["charges"]]
    assert not any("in the week" in each for each in purposes)
    for name in ("year of admitted", "month of admitted", "weekday of admitted", "hour of admitted"):
        assert f"measure {name}" in purposes
    line = fitted((), visits(500, 0)).certificate.record["charges"]
    assert any("in the week" in charge["line"]["purpose"] for charge in line)
    planned = d.Synthesizer(schema(("weekday", "hour")), epsilon=1.0, delta=1e-6, ledger=None).plan(10_000)
    assert planned.columns == 6


def told_apart(monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether two unlike tables can be told apart when charges say nothing of rows."""
    monkeypatch.setattr(module, "accountant_for", lambda named, unit, budget, *_, **__: BlindAccountant(budget))
    one, other = visits(900, 0), visits(900, 1).assign(admitted=pd.NaT, kind="planned")
    found = [fitted(("weekday", "hour"), rows, nullable=True).sample(300, seed=1) for rows in (one, other)]
    return not found[0].equals(found[1])


def test_a_release_depends_on_the_times_through_charges_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not told_apart(monkeypatch)


class _Remembers(CalendarStep):
    """A mutant: the first time that it has read comes back in a release."""

    def encoded(self, values):
        self.first = values["admitted"].dropna().head(1)
        return super().encoded(values)

    def decode(self, rows, rng):
        super().decode(rows, rng)
        rows["admitted"].iloc[: len(self.first)] = self.first


def test_a_step_that_remembers_a_row_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recoding, "CalendarStep", _Remembers)
    recoding.recoding_of.cache_clear()
    try:
        assert told_apart(monkeypatch)
    finally:
        recoding.recoding_of.cache_clear()


def test_messages_and_plans_name_columns_of_the_release() -> None:
    """All patients come on one day: other days have no row in the model, and parts are called by their column."""
    columns = {
        "admitted": d.Datetime("2020-01-01", "2020-12-31", resolution="h", parts=["weekday", "hour"]),
        "discharged": d.Datetime("2020-01-01", "2021-03-31", resolution="h"),
        "net": d.Numeric(0, 50, decimals=2),
        "gross": d.Numeric(0, 90, decimals=2),
    }
    rules = [d.Order("admitted", "<=", "discharged"), d.Order("net", "<=", "gross")]
    synth = d.Synthesizer(d.Schema(columns, constraints=rules), epsilon=20, delta=1e-6, ledger=None, unsafe_seed=1)
    plan = synth.plan(1000)
    means = {mean.column: mean for mean in plan.means}
    assert means["admitted to discharged"].unit == "hours"
    assert "hours" in means["admitted to discharged"].describe()
    assert means["net to gross"].stddev < 90
    assert means["net to gross"].unit == ""
    parts = ", ".join(f"`{part} of admitted`" for part in ("week", "weekday", "hour"))
    assert plan.notes[-1] == f"`admitted` is modelled by {parts}, which count as columns"
    rows = pd.DataFrame(
        {"admitted": ["2020-01-05 05:00"], "discharged": ["2020-01-05 09:00"], "net": 1.0, "gross": 2.0}
    )
    synth.fit(pd.concat([rows] * 1000, ignore_index=True))
    with pytest.raises(d.ConditionError, match="condition on `admitted`: widen it") as caught:
        synth.sample(5, where="admitted > '2020-11-01'")
    assert "week of" not in str(caught.value)
    named = d.Synthesizer(
        d.Schema(columns, constraints=rules),
        Canopy(workload=d.Workload(target="admitted")),
        epsilon=1,
        delta=1e-6,
        ledger=None,
    )
    with pytest.raises(ValueError, match="'admitted', which a fit models by 'admitted to discharged', 'week of"):
        named.fit(rows)


def test_parts_are_named_once_and_not_of_a_column_that_is_computed() -> None:
    with pytest.raises(d.SchemaError, match="parts names 'hour' more than once: name it once"):
        d.Datetime("2020-01-01", "2020-12-31", resolution="h", parts=["hour", "hour"])
    columns = {
        "seen": d.Datetime("2020-01-01", "2020-12-31"),
        "stay": d.Numeric(0, 9, integer=True),
        "left": d.Datetime("2020-01-01", "2021-12-31", parts=["weekday"]),
    }
    with pytest.raises(d.SchemaError, match="computes 'left', which declares parts: leave parts out"):
        d.Schema(columns, constraints=[d.Derived("left", "seen + stay")])
