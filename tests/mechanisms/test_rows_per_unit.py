"""The charged look at rows per unit: what it says, its noise against its price, and broken doubles."""

from __future__ import annotations

import json
import math
from functools import cache
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dpsynth import (
    Budget,
    BudgetExceededError,
    Datetime,
    Ledger,
    Numeric,
    Policy,
    PolicyRefusedError,
    PrivacyUnit,
    Schema,
    SchemaError,
    rows_per_unit,
)
from dpsynth.accounting import currencies
from dpsynth.auditing.claim import PrivacyClaim
from dpsynth.auditing.mechanism.dp import DPAuditor
from dpsynth.auditing.mechanism.pairs import Pair
from dpsynth.auditing.statistics.epsilon_bounds import power
from dpsynth.data.tables.rows_of_units import RowsOfUnits
from dpsynth.door.bounded import Bounded, bound_table
from dpsynth.door.sizes import unit_sizes
from dpsynth.kernel import accountant as accountant_module
from dpsynth.kernel.accountant import Charge
from dpsynth.kernel.events import Gaussian, Grant
from dpsynth.kernel.noise import operating_system_bits, rounded_gaussian
from dpsynth.kernel.sensitive import Sensitive, _integers
from dpsynth.mechanisms.rows_per_unit import Sizes, ends, look_at_sizes, rows_of_units
from dpsynth.synthesizers.units import noise_of_look

SCHEMA = Schema({"age": Numeric(0, 120)}, unit=PrivacyUnit("who", 1))
HELD = np.random.default_rng(3).choice([1, 2, 3, 5, 8, 12], 30_000, p=[0.55, 0.2, 0.12, 0.08, 0.04, 0.01])


def table(held=HELD) -> pd.DataFrame:
    return pd.DataFrame({"who": np.repeat(np.arange(len(held)), held), "age": 30})


def look(data=None, schema=SCHEMA, **facts):
    given = {"epsilon": 1.0, "delta": 1e-6, "ledger": None, **facts}
    return rows_per_unit(table() if data is None else data, schema, **given)


def test_what_each_choice_cuts_is_what_it_would_cut():
    found = look(unsafe_seed=1)
    assert [choice.max_records for choice in found.choices] == list(ends(12))
    for choice in found.choices:
        rows, units = np.maximum(HELD - choice.max_records, 0).sum() / HELD.sum(), (choice.max_records < HELD).mean()
        # in the middle of a coarse count a unit has up to an eighth more rows or fewer
        assert abs(choice.rows_cut - rows) <= 5 * choice.rows_cut_stddev + 0.02
        assert abs(choice.units_cut - units) <= 5 * choice.units_cut_stddev
    assert abs(found.units - len(HELD)) < 10 * found.stddev
    share = {most: np.maximum(HELD - most, 0).sum() / HELD.sum() for most in ends(12)}
    assert found.recommended == next(most for most, cut in share.items() if cut <= 0.05) == 8
    assert look(cut=0.3, unsafe_seed=1).recommended == next(most for most, cut in share.items() if cut <= 0.3)


def test_the_shares_noise_is_the_one_that_is_told():
    """Of 200 looks at one table; the standard deviation of 200 is told within a fifth, five sigma."""
    last = ends(6)
    exact = np.array([(most == HELD).sum() for most in last], dtype=float)
    rng = np.random.default_rng(5)
    looks = [Sizes(last, tuple(exact + rng.normal(0, 60, 6)), 60.0) for _ in range(200)]
    seen = [each for each in looks if each.seen == looks[0].seen]
    assert len(seen) > 190
    for most in (1, 2, 3):
        found = np.array([each.cut(most) for each in seen])
        truth = found[:, :, 1].mean(axis=0)
        np.testing.assert_allclose(found[:, :, 0].std(axis=0), truth, rtol=0.3)


def test_what_does_not_stand_out_is_not_seen_and_nothing_is_recommended():
    found = look(table(np.array([1, 2, 2, 1])), epsilon=0.1, unsafe_seed=1)
    assert (found.choices, found.recommended, found.rows) == ((), None, 0.0)
    assert "nothing is recommended" in found.summary()
    assert Sizes((1, 2), (-5.0, -9.0), 1.0).seen == 0


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12), st.floats(0.1, 1e3))
@example([-30.0, 0.0, 9.0], 2.0)  # the third stands out, and with it the first three are no units
def test_whatever_the_noise_what_is_seen_has_units(counts, stddev):
    """So that no fit and no look fails by the noise it drew."""
    sizes = Sizes(tuple(range(1, len(counts) + 1)), tuple(counts), stddev)
    told = rows_of_units(sizes)
    assert RowsOfUnits.of(told.stored()) == told
    assert math.fsum(told.told().values()) == pytest.approx(1) or not told.told()
    assert len(told.draw(20, np.random.default_rng(1))) == 20
    if sizes.seen:
        assert all(0 <= share <= 1 for most in sizes.ends for share, _ in sizes.cut(most))


def test_nothing_is_recommended_where_units_that_are_not_seen_may_have_most_of_the_rows():
    """Of 4,000 people with a heavy tail the tenth with most rows have more than half of all."""
    held = np.floor(np.random.default_rng(4).pareto(1.0, 4000) + 1).clip(max=100).astype(int)
    found = look(table(held), epsilon=0.05, unsafe_seed=1)
    last = found.choices[-1].max_records
    assert np.maximum(held - last, 0).sum() > 0.3 * held.sum()
    assert found.recommended is None
    assert "Nothing is recommended, as each of these numbers may cut more than 5 % of the rows" in found.summary()
    assert look(table(held), epsilon=8.0, unsafe_seed=1).recommended is None  # 1 in 100 may have more than the ceiling
    clear = look(table(held), epsilon=8.0, unsafe_seed=1, ceiling=200)
    cut = np.maximum(held - clear.recommended, 0).sum() / held.sum()
    assert 0.01 < cut < 0.06


def test_the_share_of_what_is_not_seen_is_the_one_that_is_stated():
    sizes = Sizes((1, 2, 3, 4), (900.0, 100.0, 3.0, -1.0), 10.0)
    assert sizes.seen == 2
    assert sizes.unseen == (2.0, pytest.approx(10 * 2**0.5))
    hidden = 2  # with 4 rows each
    assert sizes.cut_at_most(1) == pytest.approx((100 * (2**0.5 * 2**0.5 - 1) + 3 * hidden) / (1100 + 4 * hidden))
    whole = Sizes((1, 2), (900.0, 100.0), 1.0)  # the hundred count with the ceiling, and have 4 rows each
    assert whole.cut_at_most(1) == pytest.approx(100 * 3 / (900 + 100 * 4))
    assert whole.cut_at_most(2) == pytest.approx(100 * 2 / (900 + 100 * 4))


def test_the_ceiling_is_not_recommended_where_most_units_have_as_many_rows_or_more():
    held = np.full(4000, 40)
    assert look(table(held), ceiling=10).recommended is None
    assert look(table(held), ceiling=50).recommended == 40


def test_a_unit_with_more_rows_than_the_ceiling_counts_as_one_with_so_many():
    found = look(ceiling=5)
    assert found.choices[-1].max_records == 5
    assert found.choices[-1].rows_cut == 0
    assert "look with a larger ceiling" in found.summary()
    assert abs(found.counts[-1][2] - (HELD >= 5).sum()) < 6 * found.stddev


def test_months_of_a_person_and_rows_without_id_are_units_too():
    dates = {"visit": Datetime("2020-01-01", "2020-12-31")}
    schema = Schema(dates, unit=PrivacyUnit(["who", "month(visit)"]))
    days = np.tile(["2020-01-02", "2020-01-30", "2020-05-05"], 20_000)
    data = pd.DataFrame({"who": [*range(20_000)] * 3, "visit": np.repeat(days[:3], 20_000)})
    data.loc[len(data)] = [None, None]
    found = look(data, schema, ceiling=3)
    counts = [units for _, _, units in found.counts]
    np.testing.assert_allclose(counts, [20_001, 20_000, 0], atol=6 * found.stddev)


def test_a_look_is_a_line_of_the_ledger_that_fits_are_paid_from_too(tmp_path):
    path = tmp_path / "a.ledger"
    ledger = Ledger.create(path, Budget(1, 1e-6), dataset="a", unit=SCHEMA.unit)
    found = look(ledger=path, epsilon=0.05, purpose="research", ceiling=50)
    (run,) = ledger.runs()
    assert (run.job.mechanism, run.job.max_records, run.state) == ("rows-per-unit", 50, "committed")
    assert run.release is not None
    (line,) = (entry for entry in ledger.entries() if entry["kind"] == "charge")
    assert line["purpose"] == "count the rows of each unit"
    assert line["event"]["noise_multiplier"] == pytest.approx(found.stddev, rel=1e-9)
    assert found.stddev == pytest.approx(noise_of_look(0.05, 1e-6, SCHEMA), rel=1e-9)
    assert 0.049 < ledger.spent().epsilon <= 0.05
    with pytest.raises(BudgetExceededError):
        look(ledger=path, epsilon=1.0)
    ledger.set_policy(Policy(mechanisms=("canopy",)))
    with pytest.raises(PolicyRefusedError):
        look(ledger=path, epsilon=0.05)
    json.dumps(found.record(), allow_nan=False)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"schema": Schema(SCHEMA.columns)}, "names no id_column"),
        ({"ledger": "no-such.ledger"}, "make it first"),
        ({"cut": 0}, "cut must lie strictly between"),
        ({"ceiling": 0}, "max_records must be a whole number"),
        ({"ceiling": 2.5}, "max_records must be a whole number"),
        ({"epsilon": 0}, "epsilon"),
        ({"data": pd.DataFrame({"age": [1]})}, "the table lacks 'who'"),
    ],
)
def test_what_cannot_be_looked_at_is_refused_before_a_row_is_read(facts, message):
    with pytest.raises((SchemaError, ValueError), match=message):
        look(**facts)


# Audits: a person with 10,000 rows, who moves one count by one, so that the likelihood ratio is exact.

EVENT = Gaussian(1.0)
CLAIM = PrivacyClaim(mu=currencies.mu_of(EVENT.cost.gaussian))
ALPHA, FEW, CEILING = 1e-3, 400, 50
BASE = [f"u{i}" for i in range(30)]
PAIR = Pair(
    "a person with 10,000 rows", pd.DataFrame({"who": BASE}), pd.DataFrame({"who": [*BASE, *["many"] * 10_000]})
)
UNIT = PrivacyUnit("who", CEILING)


@cache
def bounded(rows: int) -> Bounded:
    (frame,) = (table for table in (PAIR.first, PAIR.second) if len(table) == rows)
    return bound_table(lambda columns: [frame], UNIT)


def measured(frame: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    accountant = mock.Mock()
    accountant.charge = lambda event, purpose: Charge(EVENT, Grant(operating_system_bits, None, "", 0), UNIT)
    return np.array(look_at_sizes(bounded(len(frame)), {}, accountant, EVENT.cost.gaussian).counts)


def audit(statistic=lambda counts: float(counts[-1]) - 0.5, runs=FEW):
    options = {"runs": runs, "statistic": statistic, "threshold": 0.0, "alpha": ALPHA, "seed": 5}
    return DPAuditor(measured, CLAIM, [PAIR], "white-box", **options).run()


@pytest.mark.parametrize("runs", [FEW, pytest.param(2000, marks=pytest.mark.slow)])
def test_the_look_keeps_its_claim_on_a_person_with_ten_thousand_rows_and_the_audit_sees_most_of_it(runs):
    """What is missing is the interval's width, 3.1 standard errors, and 4 more of chance."""
    found = audit(runs=runs)
    assert not found.refuted, found.summary()
    assert found.pairs[0].mu_lower > (1 - 7.1 * 1.88 / runs**0.5) * CLAIM.mu
    assert power(2 * CLAIM.mu, CLAIM.mu, runs, ALPHA) > 0.9999


def half_the_noise(honest):
    return mock.patch.object(accountant_module, "rounded_gaussian", lambda stddev, bits: honest(stddev / 2, bits))


def double(change):
    """The sizes with other counts and the sensitivity that they had."""

    def sizes(rows, starts, dates):
        answer = unit_sizes(rows, starts, dates)
        changed = change(_integers(answer), np.array(starts))
        return Sensitive(changed, l1=answer.l1, l2=answer.l2, protects=answer.protects)

    return mock.patch("dpsynth.mechanisms.rows_per_unit.unit_sizes", sizes)


CELLS = len(ends(CEILING))
DOUBLES = {
    "half the noise": (half_the_noise(rounded_gaussian), lambda c: float(c[-1]) - 0.5),
    "a count of rows": (double(lambda counts, starts: counts * starts), lambda c: float(c[-1]) - 20.0),
    "in all sizes up to its own": (
        double(lambda counts, starts: counts[::-1].cumsum()[::-1]),
        lambda c: float(sum(c)) - len(BASE) - CELLS / 2,
    ),
}


@pytest.mark.parametrize("name", DOUBLES)
def test_a_person_who_moves_more_than_one_count_by_one_is_refuted(name):
    broken, statistic = DOUBLES[name]
    with broken:
        assert audit(statistic).refuted
