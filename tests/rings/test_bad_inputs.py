"""Whatever is handed in, the answer is one typed sentence, nothing is charged, and nothing hangs."""

from __future__ import annotations

import math
import sys
from dataclasses import FrozenInstanceError, dataclass, replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from dpsynth.kernel.budget import Budget, BudgetExceededError
from dpsynth.kernel.cost import Cost
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.sensitive import Sensitive
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.names import event_from_dict, event_to_dict
from dpsynth.ledger.opening import Accountant
from dpsynth.training.event import DpSgd
from tests.pace import soon


class Thing:
    def __repr__(self):
        return "thing"


REFUSED = (ValueError, TypeError)
NO_NUMBERS = [
    math.nan, math.inf, -math.inf, -1, -1e-300, 10**400, -(10**400), True, False, "1", b"1", None, 1j, [1.0], (1.0,),
    {}, Decimal(1), Fraction(1), np.array(1.0), np.array([1.0]), np.float32(1), np.int64(1), np.nan, Thing(), float,
]  # fmt: skip
ZEROS = [0, 0.0, -0.0]


@dataclass(frozen=True)
class Cheaper(Gaussian):
    @property
    def cost(self) -> int:
        return 0


class Free(Thing):
    cost = 0


NO_EVENTS = [None, 1.0, "gaussian", {"event": "gaussian", "noise_multiplier": 1.0}, Gaussian, Cheaper(1.0), Free(), []]


@pytest.fixture
def accountant() -> Accountant:
    return Accountant(Budget(1.0, 1e-6))


def unspent(accountant: Accountant) -> bool:
    kinds = [line["kind"] for line in accountant.ledger.entries()]
    nothing = kinds == ["open", "run"] and accountant.spent().epsilon == 0
    accountant.close()
    return nothing and accountant.ledger.spent().epsilon == 0


@pytest.mark.parametrize("bad", [*NO_NUMBERS, *ZEROS], ids=repr)
def test_an_event_needs_a_positive_number(bad):
    with pytest.raises(REFUSED):
        Gaussian(bad)
    with pytest.raises(REFUSED):
        event_from_dict({"event": "gaussian", "noise_multiplier": bad})


@pytest.mark.parametrize("bad", [*NO_NUMBERS, *ZEROS, 1.5, 2**33, 1e9], ids=repr)
@pytest.mark.parametrize("field", ["rate", "noise_multiplier", "steps"])
def test_training_needs_a_probability_a_positive_number_and_a_whole_number(field, bad, accountant):
    if field == "noise_multiplier" and bad in (1.5, 2**33, 1e9):
        return
    fields = {"rate": 0.01, "noise_multiplier": 1.0, "steps": 10, field: bad}
    with pytest.raises(REFUSED):
        accountant.charge(DpSgd(**fields), "train")
    with pytest.raises(REFUSED):
        accountant.charge(event_from_dict({"event": "dp_sgd", **fields}), "train")
    assert unspent(accountant)


def test_training_that_was_paid_for_is_no_noise_for_a_count():
    event = DpSgd(0.01, 100.0, 10)
    charge = Accountant(Budget(1.0, 1e-6), reserve=[event]).charge(event, "train")
    with pytest.raises(TypeError, match="paid for DpSgd"):
        charge.gaussian(Sensitive(np.array([1]), l1=1, l2=1))


@pytest.mark.parametrize("bad", [*NO_NUMBERS, 100.00001], ids=repr)
def test_a_budget_needs_a_finite_epsilon(bad):
    with pytest.raises(REFUSED):
        Budget(bad, 1e-6)


@pytest.mark.parametrize("bad", [*NO_NUMBERS, *ZEROS, 1, 1.0, 2.0, 1 + 1e-15], ids=repr)
def test_a_budget_needs_a_delta_between_0_and_1(bad):
    with pytest.raises(REFUSED):
        Budget(1.0, bad)


@pytest.mark.parametrize(
    "bad", [None, (1.0, 1e-6), 1.0, "1", {"epsilon": 1.0, "delta": 1e-6}, Budget(0, 1e-6)], ids=repr
)
def test_an_accountant_and_a_ledger_need_a_budget_that_is_one(bad, tmp_path):
    ledger = Ledger.create(None, Budget(1.0, 1e-6), dataset="d", unit=PrivacyUnit())
    for account in (None, ledger):
        with pytest.raises(REFUSED):
            Accountant(bad, ledger=account)
    assert len(ledger.entries()) == 1
    for path in (None, tmp_path / "ledger"):
        with pytest.raises(REFUSED):
            Ledger.create(path, bad, dataset="d", unit=PrivacyUnit())
    assert not (tmp_path / "ledger").exists()


@pytest.mark.parametrize(
    "facts", [{"dataset": None}, {"dataset": math.nan}, {"dataset": 3}, {"unit": None}, {"unit": {}}]
)
def test_a_ledger_that_cannot_be_written_leaves_no_file(facts, tmp_path):
    with pytest.raises(REFUSED):
        Ledger.create(tmp_path / "l", Budget(1.0, 1e-6), **{"dataset": "d", "unit": PrivacyUnit(), **facts})
    assert not (tmp_path / "l").exists()


@pytest.mark.parametrize("bad", ["ledger", 3, True, Thing()])
def test_an_accountant_needs_a_ledger_that_is_one(bad):
    with pytest.raises(TypeError, match="ledger"):
        Accountant(Budget(1.0, 1e-6), ledger=bad)


@pytest.mark.parametrize("bad", [1.5, "seed", -1, Thing()])
def test_a_seed_that_is_none_is_refused(bad):
    with pytest.raises(REFUSED):
        Accountant(Budget(1.0, 1e-6), unsafe_seed=bad)


@pytest.mark.parametrize("bad", NO_EVENTS, ids=repr)
def test_an_unknown_event_is_refused_and_nothing_is_charged(bad, accountant):
    with pytest.raises(TypeError, match="a charge pays for"):
        accountant.charge(bad, "work")
    with pytest.raises(TypeError, match="a charge pays for"):
        accountant.ledger.charge("run", bad, "work")
    with pytest.raises(TypeError, match="a charge pays for"):
        event_to_dict(bad)
    assert unspent(accountant)


@pytest.mark.parametrize("bad", [None, 1, b"work", ["work"], math.nan, Sensitive(np.array([7]), l1=1, l2=1)], ids=repr)
def test_a_purpose_must_be_text_and_nothing_is_charged_without(bad, accountant):
    with pytest.raises(TypeError, match="purpose"):
        accountant.charge(Gaussian(100.0), bad)
    assert unspent(accountant)


@pytest.mark.parametrize("purpose", ["", "\ud800", "two\nlines", "\r\u2028\x00", '"}', "x" * 100_000], ids=ascii)
def test_any_text_is_a_purpose(purpose, tmp_path):
    ledger = Ledger.create(tmp_path / "l", Budget(1.0, 1e-6), dataset=purpose, unit=PrivacyUnit())
    Accountant(Budget(1.0, 1e-6), ledger=ledger).charge(Gaussian(100.0), purpose)
    assert Ledger.open(tmp_path / "l").entries()[-1]["purpose"] == purpose
    Ledger.open(tmp_path / "l").export(tmp_path / "lines")
    assert len((tmp_path / "lines").read_bytes().split(b"\n")) == 5


@pytest.mark.parametrize("multiplier", [5e-324, 1e-300, 1e-100, 1e-9, 1e-3, 0.1])
@pytest.mark.parametrize("delta", [1e-50, 1e-20, 1e-6, 0.5])
def test_what_is_far_too_dear_is_refused_soon_and_nothing_is_charged(multiplier, delta):
    accountant = Accountant(Budget(1.0, delta))

    def refused():
        with pytest.raises(BudgetExceededError, match="nothing was spent"):
            accountant.charge(Gaussian(multiplier), "work")

    soon(2, refused)
    assert unspent(accountant)


@pytest.mark.parametrize("budget", [Budget(1.0, 5e-324), Budget(1.0, 1e-300), Budget(1e-12, 1e-12)], ids=repr)
def test_a_budget_that_buys_only_noise_is_refused_before_anything_is_recorded(budget):
    ledger = Ledger.create(None, Budget(1.0, 1e-6), dataset="d", unit=PrivacyUnit())

    def refused():
        with pytest.raises(ValueError, match="is too small, with noise of billions of rows"):
            Accountant(budget, ledger=ledger)

    soon(2, refused)
    assert len(ledger.entries()) == 1


@pytest.mark.parametrize("delta", [1e-15, 1e-20, 1e-40])
def test_a_very_small_delta_still_buys_something(delta):
    accountant = Accountant(Budget(1.0, delta))
    accountant.charge(Gaussian.spending(accountant.cost_left), "everything")
    assert 0.999 < accountant.spent().epsilon <= 1.0


@pytest.mark.parametrize("cost", [0, -1])
def test_a_cost_that_no_event_has_is_refused(cost):
    with pytest.raises(ValueError, match="must be a finite number above 0"):
        Gaussian.spending(cost)


@pytest.mark.parametrize("bad", [None, 3, np.ones(3), [1, 2], "x", {}, Thing()], ids=repr)
def test_a_charge_reads_sensitive_values_only_and_is_still_good(bad, accountant):
    charge = accountant.charge(Gaussian(100.0), "work")
    with pytest.raises(TypeError, match="reads a Sensitive value"):
        charge.gaussian(bad)
    charge.gaussian(Sensitive(np.array([1]), l1=1, l2=1))


def test_whole_numbers_are_numbers():
    assert Budget(1, 1e-6) == Budget(1.0, 1e-6)
    assert Gaussian(3) == Gaussian(3.0)
    assert repr(Gaussian(np.float64(3))) == "Gaussian(noise_multiplier=3.0)"
    assert repr(Budget(np.float64(1), np.float64(0.5))) == repr(Budget(1.0, 0.5, 0.0, 0.0))


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"event": None},
        {"event": []},
        {"event": "laplace", "scale": 1.0},
        {"event": "Gaussian", "noise_multiplier": 1.0},
        {"event": "gaussian"},
        {"event": "gaussian", "noise_multiplier": 1.0, "count": 2},
        {"event": "gaussian", "noise": 1.0},
        {"event": "dpsynth.kernel.events.Gaussian", "noise_multiplier": 1.0},
        [],
        None,
        3,
        "gaussian",
    ],
    ids=repr,
)
def test_an_event_that_the_ledger_cannot_mean_is_refused(record):
    with pytest.raises(REFUSED):
        event_from_dict(record)


def test_events_survive_the_ledgers_language():
    for multiplier in (0.1, 1 / 3, 1e-300, 30.205847446909623):
        for event in (Gaussian(multiplier), DpSgd(0.1, multiplier, 2**31)):
            assert event_from_dict(event_to_dict(event)) == event


@pytest.mark.parametrize("fact", [Budget(1.0, 1e-6), Gaussian(3.0), PrivacyUnit()], ids=repr)
def test_public_facts_are_equal_by_value_and_cannot_be_changed(fact):
    for field in vars(fact):
        with pytest.raises(FrozenInstanceError):
            setattr(fact, field, 1)
    assert replace(fact) == fact
    assert hash(replace(fact)) == hash(fact)


def test_the_least_noise_and_the_most_are_events():
    assert Gaussian(sys.float_info.max).cost == Cost(1)
    assert Gaussian(5e-324).cost.gaussian > 2**2000
