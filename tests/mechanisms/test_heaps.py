"""Heaps: multiples that people report come back as often, within bounds and conditions, and by charges only."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dpsynth as d
from dpsynth.base.domain import Domain
from dpsynth.data.tables.cells import NumericCodec
from dpsynth.data.tables.codec import codec_for
from dpsynth.data.tables.heaps import Heaps, coarsest, heaps_in_cells
from dpsynth.data.tables.inside import DecimalsCoding, Inside, with_inside, with_several_values
from dpsynth.data.tables.parts import Parts
from dpsynth.door.bounded import bound_table
from dpsynth.door.codes import codes_of
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.sensitive import _integers
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms import heaps, inside
from dpsynth.mechanisms.heaps import heaps_cost, look_at_heaps, with_declared, with_heaps, with_heaps_unknown
from dpsynth.mechanisms.inside import Seen, inside_of
from dpsynth.models.base import LinearMeasurement
from dpsynth.models.engines import estimate
from dpsynth.models.refined import RefinedModel
from dpsynth.testing import BlindAccountant

BUDGET = Budget(1.0, 1e-6)


def heaped(values: np.ndarray, share: float, grid: int, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random(len(values)) < share, np.rint(values / grid) * grid, np.rint(values))


def people(n: int, seed: int) -> pd.DataFrame:
    """Ages and weights of which 60 % are multiples of 5: half are rounded, and of the others one in five is."""
    rng = np.random.default_rng(seed)
    amounts = rng.lognormal(9, 0.8, n).clip(0, 2e5)
    return pd.DataFrame(
        {
            "age": heaped(rng.normal(50, 15, n).clip(3, 97), 0.5, 5, rng).astype(int),
            "weight": heaped(rng.gamma(30, 2.5, n).clip(32, 198), 0.5, 5, rng).astype(int),
            "income": heaped(amounts, 0.6, 1000, rng).astype(int),
            "dose": np.where(rng.random(n) < 0.4, np.rint(amounts / 500) * 50, (amounts / 10).round(2)),
            "smooth": rng.normal(0, 1, n),
            "ward": rng.choice(list("abc"), n),
        }
    )


def schema(heaping: object = (), income: object = ()) -> d.Schema:
    return d.Schema(
        {
            "age": d.Numeric(0, 100, integer=True, heaping=heaping),
            "weight": d.Numeric(30, 200, integer=True, heaping=heaping),
            "income": d.Numeric(0, 200_000, integer=True, heaping=income),
            "dose": d.Numeric(0, 25_000),
            "smooth": d.Numeric(-5, 5),
            "ward": d.Categorical(list("abc")),
        }
    )


def fitted(of: d.Schema, rows: pd.DataFrame, epsilon: float = 1.0, mechanism: str = "canopy") -> d.Synthesizer:
    return d.Synthesizer(of, mechanism, epsilon=epsilon, delta=1e-6, ledger=None, unsafe_seed=5).fit(rows)


def on(values: pd.Series, grid: int) -> float:
    return float((values % grid == 0).mean())


def test_round_amounts_come_back_undeclared() -> None:
    """20,000 rows at epsilon 1. Without the look at grids one income in ten was a multiple of 1,000, of six."""
    real = people(20_000, 0)
    release = fitted(schema(), real).sample(20_000, seed=1)
    for name, grid in (("income", 1000), ("dose", 50), ("age", 5), ("weight", 5)):
        assert on(release[name], grid) == pytest.approx(on(real[name], grid), abs=0.05), name
    assert on(release["smooth"], 1) < 0.02
    assert release["income"].between(0, 200_000).all()
    assert release["dose"].between(0, 25_000).all()


@pytest.mark.parametrize("mechanism", ["canopy", "independent", "mst"])
def test_a_declared_share_is_the_share_of_the_release_and_costs_nothing(mechanism: str) -> None:
    """600 rows at epsilon 0.5: noise leaves next to nothing of single ages."""
    real = people(600, 1)
    told = fitted(schema({5: 0.6, 10: 0.4}, {1000: 0.7}), real, 0.5, mechanism)
    release = told.sample(20_000, seed=1)
    for name in ("age", "weight"):
        assert on(release[name], 5) == pytest.approx(0.6, abs=0.03)
        assert on(release[name], 10) == pytest.approx(0.4, abs=0.03)
    assert on(release["income"], 1000) == pytest.approx(0.7, abs=0.06)
    plain = fitted(schema(), real, 0.5, mechanism)
    assert not any("multiples" in charge["line"]["purpose"] for charge in told.certificate.record["charges"])
    assert abs(on(plain.sample(20_000, seed=1)["age"], 5) - 0.6) > 0.03


def test_a_named_grid_is_counted_by_a_charge_which_the_plan_shows() -> None:
    real = people(3000, 2)
    of = schema(5)
    release = fitted(of, real)
    charges = [charge["line"]["purpose"] for charge in release.certificate.record["charges"]]
    looks = [f"see how many values of {name} are multiples of 5" for name in ("age", "weight")]
    assert [each for each in charges if "multiples" in each] == looks
    rows = release.sample(10_000, seed=3)
    assert on(rows["age"], 5) == pytest.approx(on(real["age"], 5), abs=0.08)
    queries = {
        each.what: each.charges for each in d.Synthesizer(of, epsilon=1, delta=1e-6, ledger=None).plan(3000).queries
    }
    assert queries["round values of a column"] == (2, 2)
    assert "round values of a column" not in {
        each.what for each in d.Synthesizer(schema({5: 0.6}), epsilon=1, delta=1e-6, ledger=None).plan(3000).queries
    }


@pytest.mark.parametrize("where", ["age > 41 and age < 44", "age >= 40 and age != 45 and age <= 46", "income == 12001"])
def test_heaps_keep_conditions(where: str) -> None:
    rows = fitted(schema({5: 0.6}, {1000: 0.9}), people(5000, 3)).sample(500, where=where, seed=1)
    assert len(rows) == 500
    assert rows.eval(where).all()


def test_heaps_keep_constraints_and_a_column_that_follows_has_none() -> None:
    columns = {
        "low": d.Numeric(0, 100_000, integer=True, heaping={1000: 0.8}),
        "high": d.Numeric(0, 150_000, integer=True),
    }
    rng = np.random.default_rng(0)
    low = rng.integers(0, 100_000, 3000)
    rows = pd.DataFrame({"low": low, "high": low + rng.integers(0, 40_000, 3000)})
    of = d.Schema(columns, constraints=[d.Order("low", "<=", "high")])
    release = fitted(of, rows).sample(3000, seed=1)
    assert (release["low"] <= release["high"]).all()
    assert on(release["low"], 1000) == pytest.approx(0.8, abs=0.05)
    total = {**columns, "high": d.Numeric(0, 150_000, integer=True, heaping=1000)}
    with pytest.raises(d.SchemaError, match=r"computes 'high', which declares heaping: leave heaping out"):
        d.Schema(total, constraints=[d.Derived("high", "low * 2")])
    turned = {**columns, "high": d.Numeric(0, 150_000, integer=True, heaping=1000)}
    with pytest.raises(d.SchemaError, match="'high' has heaps, and follows from other columns"):
        fitted(d.Schema(turned, constraints=[d.Order("low", "<=", "high")]), rows)


def test_it_is_saved_with_the_model(tmp_path) -> None:
    made = fitted(schema(5), people(5000, 4))
    made.save(tmp_path / "m.dpsynth")
    again = d.Synthesizer.load(tmp_path / "m.dpsynth")
    assert again.fitted_.inside == made.fitted_.inside
    assert again.fitted_.inside["income"].heaps
    pd.testing.assert_frame_equal(again.sample(300, seed=1), made.sample(300, seed=1))
    assert "heaps" not in Inside(atoms=(1.0,), shares=(0.5,)).stored()


# Draws


DRAWN = {
    "real": d.Numeric(-2000, 30_000),
    "whole": d.Numeric(3, 40_003, integer=True, nullable=True, missing_marker=1000),
    "fives": d.Numeric(-500, 99_500, step=5),
    "tenths": d.Numeric(0.5, 3000, decimals=1),
}


def all_parts(codec: NumericCodec, heaps: Heaps) -> Parts:
    """All cells, as they are drawn without a condition."""

    def every(values: pd.Series) -> np.ndarray:
        return np.ones(len(values), bool)

    return with_inside(codec.parts(every, []), codec, Inside(heaps=heaps.grids, heaped=heaps.shares), every, free=True)


@pytest.mark.parametrize("column", DRAWN.values(), ids=DRAWN.keys())
@pytest.mark.parametrize("seed", [0, 1])
def test_a_value_that_is_moved_stays_in_its_cell_and_is_a_multiple(column: d.Numeric, seed: int) -> None:
    codec = codec_for(column)
    rng = np.random.default_rng(seed)
    cells = rng.integers(0, len(codec.widths), 20_000)
    values = codec.decode(cells, rng, all_parts(codec, Heaps((50.0, 500.0), (1.0, 1.0))))
    assert (codec.encode(values) == cells).all()
    numbers = values.to_numpy(float)
    first, last = (each.to_numpy(float)[cells] for each in codec.ends())
    holds = {grid: np.ceil(first / grid) * grid <= last for grid in (50, 500)}
    several = first < last
    plain = (first > 1000) | (last < 1000)  # a multiple that says missing is not drawn
    assert (numbers[several & holds[500] & plain] % 500 == 0).mean() > 0.99
    assert (numbers[several & holds[50] & ~holds[500]] % 50 == 0).mean() > 0.99
    assert column.missing_marker not in numbers[several & holds[500]]


@given(
    st.lists(st.integers(0, 4000), min_size=12, max_size=12),
    st.tuples(st.floats(0, 0.5), st.floats(0, 0.4)),
)
def test_as_many_rows_are_drawn_on_each_grid_as_are_wanted_where_cells_can_hold_them(counts, shares) -> None:
    """Beside a draw of 40,000 rows and more, by five standard deviations."""
    codec = codec_for(d.Numeric(0, 12_000, integer=True))
    ends = codec.grid.ends()
    rows = np.zeros(len(codec.widths))
    wide = np.flatnonzero(ends[1] - ends[0] >= 20)[10:22]
    rows[wide] = 100 + np.array(counts)
    total = rows.sum()
    wanted = np.array(shares) * total * 0.8 + total * np.array([0.1, 0.1])
    found = heaps_in_cells(codec.lattice, ends, rows, (5, 10), wanted, 1.0)
    cells = np.repeat(np.arange(len(rows)), np.rint(rows).astype(int))
    numbers = codec.decode(cells, np.random.default_rng(1), all_parts(codec, found))
    places = coarsest(numbers.to_numpy(float), (5, 10))
    for place in (0, 1):
        assert abs((places == place).sum() - wanted[place]) < 5 * np.sqrt(total) + 0.02 * total


def test_grids_that_the_steps_do_not_meet_are_left_out_and_the_others_are_drawn() -> None:
    """Of a column in steps of 50, whose values are all multiples of 5, 10 and 50."""
    codec = codec_for(d.Numeric(0, 500_000, step=50))
    first, last = codec.grid.ends()
    rows = np.where(last > first, 100.0, 0.0)
    wanted = np.array([0.0, 0.0, 0.0, 0.3, 0.4]) * rows.sum()
    found = heaps_in_cells(codec.lattice, (first, last), rows, (5, 10, 50, 100, 1000), wanted, 50.0)
    assert found.grids == (100, 1000)
    cells = np.repeat(np.flatnonzero(rows), 100)
    numbers = codec.decode(cells, np.random.default_rng(0), all_parts(codec, found)).to_numpy(float)
    assert (numbers % 1000 == 0).mean() == pytest.approx(0.4, abs=0.05)
    assert ((numbers % 100 == 0) & (numbers % 1000 > 0)).mean() == pytest.approx(0.3, abs=0.05)
    of_threes = codec_for(d.Numeric(1, 30_001, step=3))
    ends = of_threes.grid.ends()
    assert not heaps_in_cells(of_threes.lattice, ends, np.ones(len(ends[0])), (5, 10), np.ones(2), 3.0).grids


def test_single_values_take_the_rows_of_their_grids_and_bins_keep_theirs() -> None:
    column = d.Numeric(0, 39, integer=True, nullable=True, heaping={5: 0.5, 10: 0.3})
    coarse = estimate(
        Domain.of({"x": 5}), [LinearMeasurement(("x",), np.array([100.0, 300, 200, 150, 50]), 0.01)], total=800.0
    )
    bins = {"x": np.append(np.arange(40) // 10, 4)}
    model = RefinedModel(Domain.of({"x": 41}), coarse, bins, {"x": np.ones(41)})
    found = with_heaps(model, d.Schema({"x": column}), {}, {})
    held = found.project(("x",))
    np.testing.assert_allclose(np.bincount(bins["x"], held), [100, 300, 200, 150, 50], rtol=1e-3)
    values = np.arange(40)
    assert held[:40][values % 5 == 0].sum() == pytest.approx(0.5 * 750, rel=1e-3)
    assert held[:40][values % 10 == 0].sum() == pytest.approx(0.3 * 750, rel=1e-3)
    assert held[40] == pytest.approx(50, rel=1e-3)
    assert (held[:40] * values).sum() == pytest.approx((model.project(("x",))[:40] * values).sum(), abs=750 * 5)
    assert with_heaps(model, d.Schema({"x": d.Numeric(0, 39, integer=True, nullable=True)}), {}, {}).masses is not None


def test_a_value_seen_already_is_not_heaped_a_second_time() -> None:
    """All rows share one value, a multiple of each grid: nothing is left to be moved to another."""
    codec = codec_for(d.Numeric(0, 100_000, integer=True))
    cell = int(codec.encode([50_000])[0])
    counts = np.zeros(codec.size)
    counts[cell] = 1000.0
    model = estimate(Domain.of({"x": codec.size}), [LinearMeasurement(("x",), counts, 0.01)], total=1000.0)
    seen = Seen((50_000.0,), (1000.0,), (1000.0,) + (0.0,) * 6, (), (5.0, 1000.0, 50_000.0), (0.0, 0.0, 1000.0))
    assert not inside_of(codec, seen, model, "x").heaps


def test_a_declared_share_needs_no_look_into_cells() -> None:
    """As of a mechanism that makes none: half of the values of one cell are multiples of 100."""
    column = d.Numeric(0, 10_000_000, heaping={100: 0.5})
    codec = codec_for(column)
    counts = np.zeros(codec.size)
    cell = int(codec.encode([5_000_050])[0])
    counts[cell] = 1000.0
    model = estimate(Domain.of({"x": codec.size}), [LinearMeasurement(("x",), counts, 0.01)], total=1000.0)
    found = inside_of(codec, with_declared(Seen(), column, codec, model.project(("x",))), model, "x")
    assert found.heaps == (100.0,)
    assert found.heaped[0] == pytest.approx(0.5, abs=0.01)
    assert not found.decimals


# Privacy


HEAPED = {
    "age": d.Numeric(0, 100, integer=True, heaping=(5, 10)),
    "weight": d.Numeric(30, 200, integer=True, heaping=5),
}


def look(rows: pd.DataFrame, accountant: Accountant | None = None) -> dict[str, Seen]:
    accountant = accountant or Accountant(BUDGET)
    cost = heaps_cost(accountant.cost_left, len(HEAPED))
    return look_at_heaps(bound_table(lambda columns: [rows], PrivacyUnit()), HEAPED, accountant, cost)


def told_apart() -> bool:
    """Whether two unlike tables can be told apart when no charge looks at them."""

    def run(rows: pd.DataFrame) -> object:
        accountant = BlindAccountant(BUDGET)
        return look(rows, accountant), accountant.ledger.entries()

    odd = pd.DataFrame({"age": ["x", None, 7, 10**30], "weight": [50, 55, 60, None]}, dtype=object)
    return run(people(3000, 0)) != run(odd)


def test_what_is_seen_depends_on_the_rows_through_its_charge_only() -> None:
    assert not told_apart()


def peeks(rows, codings, accountant, cost, purposes):
    """A mutant: it charges, and gives exact counts."""
    found = inside.look(rows, codings, accountant, cost, purposes)
    domain = Domain.of({name: coding.size for name, coding in codings.items()})
    exact = PrivateTable.encoded(rows, codings, domain).marginals([(name,) for name in codings])
    return {name: (_integers(exact[name,])[:-1].astype(float), min(noise, 1.0)) for name, (_, noise) in found.items()}


def test_a_look_that_peeks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heaps, "look", peeks)
    assert told_apart()


def test_a_look_costs_what_was_said_and_is_one_charge_a_column() -> None:
    accountant = Accountant(BUDGET)
    before = accountant.cost_left
    look(people(500, 0), accountant)
    cost = heaps_cost(before, 2)
    assert 2 * cost * 0.999 <= before - accountant.cost_left <= 2 * cost <= before * 0.02
    charges = [line for line in accountant.ledger.entries() if line["kind"] == "charge"]
    assert [line["purpose"] for line in charges] == [
        "see how many values of age are multiples of 5, 10",
        "see how many values of weight are multiples of 5",
    ]


def test_a_code_says_the_coarsest_grid_in_every_container() -> None:
    coding = DecimalsCoding(d.Numeric(0, 100, nullable=True, missing_marker=20, suffix="kg"), (5, 10))
    values = [7, 15.0, "30 kg", 0.5, 20, "20", None, "x", 0, 100]
    assert codes_of(values, coding).tolist() == [0, 7, 8, 1, 9, 9, 9, 9, 8, 8]
    assert codes_of(pd.Series([15.0, np.nan, 20, 10]), coding).tolist() == [7, 9, 9, 8]


def test_columns_are_looked_at_where_a_cell_has_one_value_and_no_share_is_declared() -> None:
    columns = {
        "a": d.Numeric(0, 99, integer=True, heaping=5),
        "b": d.Numeric(0, 99, integer=True, heaping={5: 0.5}),
        "c": d.Numeric(0, 9999, integer=True, heaping=5),
        "e": d.Numeric(0, 99, integer=True),
    }
    assert set(with_heaps_unknown(d.Schema(columns), {})) == {"a"}
    assert set(with_several_values(d.Schema(columns), {})) == {"c"}


# The schema


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"heaping": 1}, "whole numbers from 2 to .* got 1"),
        ({"heaping": 2.5}, "got 2.5: write one such as 5"),
        ({"heaping": [5, 7]}, "names 5 and 7, and each must be a multiple"),
        ({"heaping": {5: 1.2}}, "must be a number from 0 to 1, got 1.2"),
        ({"heaping": {5: 0.2, 10: 0.3}}, "multiples of 10 are among those of 5"),
        ({"heaping": [5, [10, 0.3]]}, "with and without a share"),
        ({"heaping": [5, 5]}, "leave one of them out"),
        ({"heaping": [10, 1000]}, "heaping=1000 has no multiple but 0 between low=0 and high=120"),
        ({"heaping": 5, "step": 10}, "no more than the step 10"),
        ({"heaping": 5, "step": 3}, "does not meet the steps of 3 from 0 on"),
    ],
)
def test_a_heaping_that_is_none_is_refused(facts, said) -> None:
    with pytest.raises(d.SchemaError, match=said):
        d.Numeric(0, 120, **facts)


@pytest.mark.parametrize("heaping", [5, [10, 5], {5: 0.6, 10: 0.4}, {"5": 0.6}, [[5, 0.6]]])
def test_a_heaping_is_a_fact_of_the_file(heaping, tmp_path) -> None:
    of = d.Schema({"age": d.Numeric(0, 120, integer=True, heaping=heaping)})
    for ending in ("yaml", "json"):
        of.save(tmp_path / f"s.{ending}")
        assert d.Schema.load(tmp_path / f"s.{ending}") == of
    assert "heaping" not in d.Schema({"age": d.Numeric(0, 120)}).to_dict()["columns"]["age"]
    assert Heaps() == Heaps((), ())
