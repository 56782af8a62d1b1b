"""Looks into cells: values that many rows share and how numbers are written, seen by charges and drawn again."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpsynth import Categorical, Datetime, Numeric, PrivacyUnit, Schema, Synthesizer
from dpsynth.base.domain import Domain
from dpsynth.data.tables.codec import codec_for
from dpsynth.data.tables.inside import (
    FINER_PIECES,
    PIECES,
    DecimalsCoding,
    Inside,
    PiecesCoding,
    cells_of,
    first_edges,
    shortest,
    single_values,
    with_inside,
    with_several_values,
)
from dpsynth.door.bounded import bound_table
from dpsynth.door.codes import codes_of
from dpsynth.kernel.budget import Budget
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.inside import Seen, inside_costs, inside_of, look_inside
from dpsynth.models.base import LinearMeasurement
from dpsynth.models.engines import estimate
from tests.rings.blind import BlindAccountant

ROWS = 20_000
BUDGET = Budget(1.0, 1e-6)
REAL = Numeric(0, 120)


def table(seed: int) -> pd.DataFrame:
    """Two spikes, zeros, ages of which most are whole, cents, wide whole numbers, and nothing of the kind."""
    rng = np.random.default_rng(seed)
    smooth = rng.gamma(3, 12, ROWS)
    ages = rng.normal(55, 18, ROWS).clip(0, 119)
    part = rng.random(ROWS)
    return pd.DataFrame(
        {
            "spike": np.where(part < 0.93, 45.0, smooth),
            "filled": np.where(part < 0.2, 33.3125, np.where(part < 0.5, 0, smooth)),
            "age": np.where(part < 0.88, np.rint(ages), ages),
            "cents": np.round(rng.lognormal(4, 1, ROWS), 2),
            "gain": np.where(part < 0.9, 0, np.where(part < 0.95, 15_024, rng.integers(1, 99_999, ROWS))),
            "smooth": smooth,
        }
    )


SCHEMA = Schema(
    {
        **{name: Numeric(0, 120, nullable=True) for name in ("spike", "filled", "age", "smooth")},
        "cents": Numeric(0, 1e5),
        "gain": Numeric(0, 99_999, integer=True),
    }
)


def whole(values: pd.Series) -> float:
    return float((values.dropna() % 1 == 0).mean())


@pytest.mark.parametrize("epsilon", [1, 10])
def test_spikes_zeros_and_whole_numbers_come_back_undeclared(epsilon: int) -> None:
    """20,000 rows, noise of seed 7; of ten seeds, shares lay within 0.004 and those of whole ages within 0.013."""
    real = table(1)
    made = Synthesizer(SCHEMA, "independent", epsilon=epsilon, delta=1e-6, ledger=None, unsafe_seed=7)
    fitted = made.fit(real)
    release = fitted.sample(ROWS, seed=2)
    near = 0.02 if epsilon == 1 else 0.005
    assert abs((release["spike"] == 45.0).mean() - (real["spike"] == 45.0).mean()) < near
    assert abs((release["filled"] == 33.3125).mean() - 0.2) < near
    assert abs((release["filled"] == 0).mean() - 0.3) < near
    assert abs(whole(release["age"]) - whole(real["age"])) < 2 * near
    assert abs((release["gain"] == 15_024).mean() - 0.05) < near
    assert (release["cents"].round(2) == release["cents"]).mean() > 0.98
    assert whole(release["smooth"]) < 0.05
    for name in real:
        assert abs(release[name].mean() - real[name].mean()) < 0.1 * real[name].std()
    assert release["spike"].dropna().between(0, 120).all()


def test_a_table_without_shared_values_has_none() -> None:
    """Of 20 tables of 4 smooth columns, one atom at the most: one in forty columns has one by chance (seeds 0-19)."""
    columns = {name: Numeric(-300, 300) for name in "abcd"}
    found = 0
    for seed in range(20):
        rows = pd.DataFrame(np.random.default_rng(seed).normal(0, 60, (5000, 4)), columns=list("abcd"))
        seen = look(rows, Schema(columns), Accountant(BUDGET, unsafe_seed=seed))
        found += sum(len(each.atoms) for each in seen.values())
    assert found <= 6


def look(rows: pd.DataFrame, schema: Schema, accountant: Accountant | None = None) -> dict[str, Seen]:
    accountant = accountant or Accountant(BUDGET)
    wanted = with_several_values(schema, {})
    costs = inside_costs(accountant.cost_left, len(wanted))
    return look_inside(bound_table(lambda columns: [rows], PrivacyUnit()), wanted, accountant, costs)


def test_what_is_seen_depends_on_the_rows_through_its_charges_only() -> None:
    def run(rows: pd.DataFrame) -> object:
        accountant = BlindAccountant(BUDGET)
        return look(rows, Schema({"x": REAL}), accountant), accountant.ledger.entries()

    one = run(pd.DataFrame({"x": [45.0] * 900 + [1.5]}))
    assert one == run(pd.DataFrame({"x": ["a", None, 3, "$7"]}))


def test_the_looks_cost_what_was_said_and_each_is_a_charge() -> None:
    accountant = Accountant(BUDGET)
    before = accountant.cost_left
    wanted = with_several_values(SCHEMA, {})
    costs = inside_costs(before, len(wanted))
    look(table(3), SCHEMA, accountant)
    spent = before - accountant.cost_left
    assert len(wanted) * sum(costs) * 0.999 <= spent <= len(wanted) * sum(costs) <= before * 0.05
    charges = [line for line in accountant.ledger.entries() if line["kind"] == "charge"]
    assert len(charges) == 3 * len(wanted)


def test_columns_whose_cells_hold_one_value_each_are_not_looked_into() -> None:
    columns = {"age": Numeric(0, 120, integer=True), "day": Datetime("1900-01-01", "2020-01-01")}
    assert not with_several_values(Schema({**columns, "sex": Categorical(["f", "m"])}), {})
    assert not with_several_values(Schema({"x": Numeric(0, 10, decimals=2)}), {})
    assert set(with_several_values(SCHEMA, {})) == set(SCHEMA.columns)


@pytest.mark.parametrize(
    "column", [REAL, Numeric(-50, 1e6), Numeric(0, 99_999, integer=True), Numeric(0, 5000, step=0.5)]
)
def test_pieces_refine_cells_and_count_each_number_once(column: Numeric) -> None:
    codec = codec_for(column)
    edges = first_edges(codec)
    assert np.isin(codec.grid.edges, edges).all()
    assert (np.diff(edges) > 0).all()
    values = codec.decode(np.random.default_rng(0).integers(0, len(codec.widths), 4000), np.random.default_rng(1))
    pieces = PiecesCoding(column, codec, edges)
    codes = np.array([pieces.numbers.of(value) for value in values.astype(float)])
    cells = np.searchsorted(codec.grid.edges, edges[:-1], side="right") - 1
    assert np.array_equal(cells[codes], codec.encode(values))
    outer = codec.grid.edges[[0, -1]]
    finer = np.union1d(outer, codec.grid.split(edges[40:41], edges[41:42], FINER_PIECES))
    inside = PiecesCoding(column, codec, finer)
    assert inside.size == len(finer)  # a cell for each piece, for each gap, and for what is no number
    assert len(edges) <= (PIECES + 1) * len(codec.widths)


@given(places=st.integers(0, 5), steps=st.integers(1, 10**6), finer=st.integers(7, 9))
def test_a_value_is_named_by_its_fewest_digits(places: int, steps: int, finer: int) -> None:
    codec = codec_for(Numeric(0, 10**6))
    value = float(Decimal(steps).scaleb(-places))
    if value % 10 == 0:
        return
    width = 10.0**-finer
    assert shortest(codec, value - width / 3, value + width) == value


def test_decimals_are_counted_of_numbers_in_every_container() -> None:
    coding = DecimalsCoding(Numeric(0, 100, nullable=True, missing_marker=-1, suffix="kg"))
    values = [1, 2.0, "3.5 kg", 0.125, "1e-7", -1, "-1", None, "x", True]
    expected = [0, 0, 1, 3, 6, 7, 7, 7, 7, 0]
    assert codes_of(values, coding).tolist() == expected
    assert codes_of(pd.Series([1.0, 0.5, np.nan, -1]), coding).tolist() == [0, 1, 7, 7]


def with_atoms() -> tuple:
    """A column of one cell [44.5, 45.5) or so, 60 % of whose rows are 45, and 20 % 45.2; and its codec."""
    codec = codec_for(REAL)
    cell = int(cells_of(codec, np.array([45.0]))[0])
    second = float(codec.ends()[1].iloc[cell]) - 0.01
    return codec, cell, Inside((45.0, second), (0.6, 0.2))


@pytest.mark.parametrize(
    ("holds", "constants", "expected"),
    [
        (lambda x: x == 45.0, [45.0], 0.6),
        (lambda x: x != 45.0, [45.0], 0.4),
        (lambda x: x > 0, [0], 1.0),
        (lambda x: x < 0, [0], 0.0),
    ],
)
def test_a_condition_counts_atoms_by_their_rows(holds, constants, expected) -> None:
    """Of the other rows in the cell a few say 45, too: those whose three decimals round to it."""
    codec, cell, inside = with_atoms()
    first, last = (float(each.iloc[cell]) for each in codec.ends())
    half = 10.0 ** -math.ceil(1 - math.log10(last - first)) / 2
    others = 0.2 * (45.0 + half - max(first, 45.0 - half)) / (last - first)
    expected += others * {0.6: 1, 0.4: -1}.get(expected, 0)
    parts = with_inside(codec.parts(holds, constants), codec, inside, holds, free=False)
    assert codec.weights(parts)[cell] == pytest.approx(expected, abs=1e-9)
    if expected:
        drawn = codec.decode(np.full(5000, cell), np.random.default_rng(1), parts)
        assert holds(drawn).all()
        assert (drawn == 45.0).mean() == pytest.approx(0.6 / expected if holds(45.0) else 0.0, abs=0.03)
    assert (codec.encode(codec.decode(np.full(50, cell), np.random.default_rng(1))) == cell).all()


def test_values_under_a_condition_meet_it_however_they_are_written() -> None:
    fitted = Synthesizer(SCHEMA, "independent", epsilon=10, delta=1e-6, ledger=None).fit(table(2))
    for where, share in (("age > 40.2 and age < 40.9", 0.0), ("age >= 40 and age <= 60", 0.6)):
        rows = fitted.sample(500, where=where, seed=1)
        assert len(rows) == 500
        assert rows.eval("age > 40 - 1e-9 and age < 60 + 1e-9").all()
        assert whole(rows["age"]) >= share
    assert (fitted.sample(20, where="spike == 45", seed=1)["spike"] == 45.0).all()
    assert (fitted.sample(200, where="spike != 45", seed=1)["spike"] != 45.0).all()


def test_shares_of_cells_are_those_of_the_model_and_never_more_than_all() -> None:
    codec = codec_for(REAL)
    cell = int(cells_of(codec, np.array([45.0]))[0])
    counts = np.zeros(codec.size)
    counts[cell], counts[0] = 500.0, 300.0  # the first cell is zero alone
    measured = LinearMeasurement(("x",), counts, 0.01)
    model = estimate(Domain.of({"x": codec.size}), [measured], total=800.0)
    found = inside_of(codec, Seen((45.0,), (300.0,), (700.0, 0, 0, 0, 0, 0, 100.0)), model, "x")
    assert found.shares == pytest.approx((0.6,), abs=0.01)
    assert found.every[0] == pytest.approx(7 / 8)
    assert found.decimals[0] == pytest.approx(0.5, abs=0.01)  # 700 whole ones less 300 zeros and 300 of 45
    assert inside_of(codec, Seen((45.0,), (900.0,), (0.0,) * 7), model, "x").shares == pytest.approx((1.0,))
    assert 0 in single_values(codec)[0]
    assert Inside.of(found.stored()) == found


def test_a_saved_model_draws_the_same_rows(tmp_path) -> None:
    fitted = Synthesizer(SCHEMA, "independent", epsilon=5, delta=1e-6, ledger=None).fit(table(4))
    fitted.save(tmp_path / "m.dpsynth")
    again = Synthesizer.load(tmp_path / "m.dpsynth")
    assert again.fitted_.inside == fitted.fitted_.inside
    assert again.fitted_.inside
    pd.testing.assert_frame_equal(again.sample(300, seed=1), fitted.sample(300, seed=1))
