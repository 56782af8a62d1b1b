"""Accountant and Charge: check, record, then grant; and the noise that a charge adds is the noise that was paid for."""

from __future__ import annotations

import contextlib
import copy
import math
import pickle
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from dpsynth.kernel.accountant import Charge
from dpsynth.kernel.budget import Budget, BudgetExceededError, affordable
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.gaussian_dp import COST_UNIT
from dpsynth.kernel.sensitive import Sensitive
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.opening import Accountant
from tests.rings import kernel, ledger_laws
from tests.rings.processes import in_children, needs_fork

BUDGET = Budget(1.0, 1e-6)


def counts(*values: int, l1: float = 1.0, l2: float = 1.0) -> Sensitive:
    return Sensitive(np.array(values), l1=l1, l2=l2)


def account(epsilon: float = 1.0) -> Ledger:
    return Ledger.create(None, Budget(epsilon, 1e-6), dataset="d", unit=PrivacyUnit())


# Charges.


def test_a_charge_is_good_once():
    charge = Accountant(BUDGET).charge(Gaussian(50.0), "work")
    charge.gaussian(counts(1, 2))
    with pytest.raises(RuntimeError, match="good once"):
        charge.gaussian(counts(1, 2))


def test_a_charge_raced_by_threads_is_good_once():
    charge = Accountant(BUDGET).charge(Gaussian(50.0), "work")
    outcomes: list[str] = []
    together = threading.Barrier(8)

    def use():
        together.wait()
        try:
            charge.gaussian(counts(1))
            outcomes.append("read")
        except RuntimeError:
            outcomes.append("refused")

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["read"] + 7 * ["refused"]


@needs_fork
def test_a_charge_and_an_accountant_are_good_in_one_process():
    accountant = Accountant(BUDGET)
    charge = accountant.charge(Gaussian(50.0), "work")

    def use(tell):
        charge.gaussian(counts(1))

    def spend(tell):
        accountant.charge(Gaussian(50.0), "work")

    def share(tell):
        Accountant(BUDGET, ledger=accountant.ledger)

    assert in_children([use, spend, share]) == [b"RuntimeError"] * 3
    charge.gaussian(counts(1))
    assert len(accountant.ledger.entries()) == 4


@pytest.mark.parametrize("thing", ["charge", "accountant"])
@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickle.dumps, lambda x: pickle.dumps(x, 0)])
def test_neither_a_charge_nor_an_accountant_can_be_copied(thing, way):
    accountant = Accountant(BUDGET)
    original = accountant if thing == "accountant" else accountant.charge(Gaussian(50.0), "work")
    with pytest.raises(TypeError, match="cannot be copied"):
        way(original)


def test_a_charge_whose_bits_fail_is_spent_and_recorded():
    accountant = Accountant(BUDGET)

    def bits(count: int) -> bytes:
        raise OSError("no entropy")

    accountant._bits = bits
    charge = accountant.charge(Gaussian(50.0), "work")
    with pytest.raises(OSError, match="no entropy"):
        charge.gaussian(counts(1))
    with pytest.raises(RuntimeError, match="good once"):
        charge.gaussian(counts(1))
    assert accountant.ledger.entries()[-1]["purpose"] == "work"


def test_the_ledger_holds_a_charge_before_its_noise_is_drawn():
    ledger_laws.what_is_granted_was_recorded_before(kernel.load())


# Budgets.


def test_what_goes_over_the_accountants_budget_is_refused_and_leaves_no_trace():
    accountant = Accountant(BUDGET, ledger=account(50.0))
    accountant.charge(Gaussian.spending(accountant.cost_left * 2 // 3), "most")
    before = accountant.ledger.entries(), accountant.cost_left, accountant.spent()
    with pytest.raises(
        BudgetExceededError, match=r"more: this charge would bring epsilon to 1\.\d+, over the 1 of this run"
    ):
        accountant.charge(Gaussian.spending(accountant.cost_left * 2), "more")
    assert (accountant.ledger.entries(), accountant.cost_left, accountant.spent()) == before
    accountant.charge(Gaussian.spending(accountant.cost_left), "the rest")


def test_what_goes_over_the_ledgers_budget_is_refused_and_leaves_no_trace():
    ledger = account(1.0)
    half = Gaussian.spending(affordable(BUDGET) // 2)
    accountants = [Accountant(Budget(0.7, 1e-6), ledger=ledger, reserve=[half]) for _ in range(2)]
    before = ledger.entries()
    with pytest.raises(
        BudgetExceededError, match=r"ledger of 'd' has epsilon 0 left at delta=1e-06, less than the 0\.7 "
    ):
        Accountant(Budget(0.7, 1e-6), ledger=ledger, reserve=[half])
    assert ledger.entries() == before
    for accountant in accountants:
        accountant.charge(half, "half")
        accountant.close()
    assert ledger.spent().epsilon <= 1.0
    assert ledger.remaining().epsilon < 1e-6


@settings(max_examples=25)
@given(st.lists(st.floats(0.01, 1.0), min_size=1, max_size=12))
def test_what_is_left_can_always_be_spent_and_no_more(shares):
    accountant = Accountant(BUDGET)
    spent = 0
    for share in shares:
        event = Gaussian.spending(max(1, int(accountant.cost_left * share)))
        if event.cost.gaussian > accountant.cost_left:
            break
        spent += event.cost.gaussian
        accountant.charge(event, "work")
    assert spent <= affordable(BUDGET)
    assert accountant.cost_left == Gaussian.spending(affordable(BUDGET)).cost.gaussian - spent


def test_a_charge_that_takes_exactly_what_is_left_is_granted():
    event = Gaussian(50.0)
    accountant = Accountant(BUDGET, ledger=account(50.0), reserve=[event, event])
    accountant.charge(event, "one half")
    accountant.charge(event, "the other")
    assert accountant.cost_left == 0


def test_a_run_reserves_its_whole_budget_when_it_begins_and_gives_back_what_it_never_began():
    ledger = account(1.0)
    first = Accountant(Budget(0.5, 1e-6), ledger=ledger)
    assert ledger.spent().epsilon == pytest.approx(0.5, rel=1e-9)
    first.charge(Gaussian.spending(first.cost_left // 10), "a tenth")
    with pytest.raises(
        BudgetExceededError, match=r"ledger of 'd' has epsilon 0\.\d+ left at delta=1e-06, less than the 1 "
    ):
        Accountant(BUDGET, ledger=ledger)
    first.close("ab" * 32)
    assert ledger.spent() == first.spent()
    Accountant(Budget(0.9, 1e-6), ledger=ledger)
    assert [run.state for run in ledger.runs()] == ["committed", "reserved"]
    assert ledger.runs()[0].release == "ab" * 32


def test_a_run_that_charged_nothing_is_void_and_costs_nothing():
    ledger = account(1.0)
    Accountant(BUDGET, ledger=ledger).close()
    with contextlib.suppress(KeyError), Accountant(BUDGET, ledger=ledger):
        raise KeyError
    with Accountant(BUDGET, ledger=ledger) as third:
        pass
    assert ledger.spent().epsilon == 0
    assert [run.state for run in ledger.runs()] == ["void"] * 3
    with pytest.raises(ValueError, match="is void"):
        third.charge(Gaussian(50.0), "late")


def test_a_run_that_failed_after_a_charge_stays_spent_whole():
    ledger = account(1.0)
    with contextlib.suppress(KeyError), Accountant(Budget(0.5, 1e-6), ledger=ledger) as accountant:
        accountant.charge(Gaussian(1e4), "a little")
        raise KeyError
    assert ledger.spent().epsilon == pytest.approx(0.5, rel=1e-9)
    assert ledger.runs()[0].state == "drawing"


def test_a_run_is_closed_once():
    accountant = Accountant(BUDGET)
    accountant.charge(Gaussian(50.0), "work")
    accountant.close()
    with pytest.raises(ValueError, match="is committed"):
        accountant.close()


def test_an_exhausted_ledger_has_room_for_nothing(tmp_path):
    ledger, other = (Ledger.create(tmp_path / n, BUDGET, dataset="d", unit=PrivacyUnit()) for n in "ab")
    for each in (ledger, other):
        first = Accountant(Budget(0.9, 1e-6), ledger=each)
        first.charge(Gaussian.spending(first.cost_left), "nearly everything")
    ledger.link(other)
    assert ledger.cost_left < 0
    assert ledger.remaining().epsilon == 0
    with pytest.raises(BudgetExceededError, match="has epsilon 0 left"):
        Accountant(Budget(0.1, 1e-6), ledger=ledger)


def test_spending_everything_at_once_spends_the_budget_and_nothing_is_left():
    accountant = Accountant(BUDGET)
    accountant.charge(Gaussian.spending(accountant.cost_left), "everything")
    assert 1 - 1e-9 < accountant.spent().epsilon <= 1.0
    assert accountant.ledger.spent() == accountant.spent()
    accountant.close()
    assert accountant.ledger.spent() == accountant.spent()
    assert accountant.remaining().epsilon < 1e-6
    assert accountant.cost_left < COST_UNIT // 2**50


def test_what_is_spent_to_the_end_grants_no_crumb():
    accountant = Accountant(BUDGET)
    accountant.charge(Gaussian.spending(accountant.cost_left), "everything")
    with pytest.raises(BudgetExceededError):
        accountant.charge(Gaussian(1e6), "a crumb")


def test_many_small_charges_cost_what_one_large_one_does():
    accountant = Accountant(BUDGET, ledger=account(50.0))
    each = Gaussian.spending(accountant.cost_left // 64)
    for number in range(64):
        accountant.charge(each, f"part {number}")
    assert accountant.spent().epsilon == pytest.approx(1.0, rel=1e-9)
    assert accountant.spent().epsilon <= 1.0


def test_threads_that_share_an_accountant_stay_within_its_budget():
    accountant = Accountant(BUDGET, ledger=account(50.0))
    event = Gaussian.spending(accountant.cost_left // 40)
    granted: list[Charge] = []

    def spend():
        for _ in range(20):
            try:
                granted.append(accountant.charge(event, "work"))
            except BudgetExceededError:
                return

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorded = sum(line["kind"] == "charge" for line in accountant.ledger.entries())
    assert len(granted) == recorded == 40
    assert accountant.ledger.spent().epsilon <= 1.0


def test_a_seeded_run_says_that_it_is_not_private():
    ledger = account(2.0)
    assert Accountant(BUDGET, ledger=ledger).private
    assert ledger.private
    seeded = Accountant(BUDGET, ledger=ledger, unsafe_seed=0)
    assert not seeded.private
    assert "NOT PRIVATE" in seeded.noise
    assert "NOT PRIVATE" in ledger.entries()[-1]["noise"]
    assert not ledger.private
    with pytest.raises(AttributeError):
        seeded.noise = "operating system"


def test_a_seeded_run_is_the_same_again():
    def run(seed):
        accountant = Accountant(BUDGET, unsafe_seed=seed)
        values = accountant.charge(Gaussian(50.0), "work").gaussian(counts(*range(20)))
        return values[0].tolist(), accountant.ledger.entries()

    assert run(3) == run(3) != run(4)


def test_private_runs_have_names_and_noise_of_their_own():
    one, other = (Accountant(BUDGET) for _ in range(2))
    assert one.run != other.run
    noisy = [a.charge(Gaussian(50.0), "work").gaussian(counts(*[0] * 20))[0].tolist() for a in (one, other)]
    assert noisy[0] != noisy[1]


# The noise.


def test_the_noise_of_a_charge_has_the_paid_scale_and_the_test_would_see_3_percent():
    """200,000 entries in tenths: counts of two l2, then scores of four weights. In each tenth the mean square of the
    residuals is a chi-square of 20,000 degrees of freedom, for which 3 % of scale are 6 standard errors."""
    truth = np.random.default_rng(12).integers(0, 5000, size=200_000)
    weights = np.repeat([0.1, 1.0, 17.0, 20.0], 30_000)
    stack = Sensitive.stack(
        [
            Sensitive(truth[:40_000], l1=2.0, l2=math.sqrt(2)),
            Sensitive(truth[40_000:80_000], l1=3.0, l2=3.0),
            Sensitive(truth[80_000:], l1=4.0, l2=4.0, scale=weights),
        ]
    )
    values, stddev = Accountant(BUDGET, unsafe_seed=21).charge(Gaussian(200.0), "work").gaussian(stack)
    paid = 200 * math.sqrt(2 + 9 + 16)  # what the event and the three bounds amount to, worked out by hand
    assert np.all((stddev >= paid) & (stddev <= paid * (1 + 1e-12)))
    residuals = values - truth * np.concatenate([np.ones(80_000), weights])

    def p_values(scale: float) -> list[float]:
        squares = [float(((part / scale) ** 2).sum()) for part in np.split(residuals, 10)]
        return [2 * min(chi2.cdf(s, 20_000), chi2.sf(s, 20_000)) for s in squares]

    assert min(p_values(paid)) > 1e-3
    assert max(p_values(0.97 * paid)) < 1e-4
    assert max(p_values(1.03 * paid)) < 1e-4


def test_the_noise_is_a_whole_number_of_units():
    unit = np.array([1.0, 0.5, 1e-3, 3e10])
    x = Sensitive(np.array([5, 6, 7, 8]), l1=10.0, l2=10.0, scale=unit)
    values, stddev = Accountant(BUDGET).charge(Gaussian(1e5), "work").gaussian(x)
    steps = values / unit
    assert np.allclose(steps, np.rint(steps), rtol=1e-15)
    assert values.dtype == stddev.dtype == np.float64


def test_the_scale_is_rounded_up():
    rng = np.random.default_rng(3)
    for _ in range(200):
        multiplier, l2, unit = 10 ** rng.uniform(1.5, 4), 10 ** rng.uniform(-3, 3), 10 ** rng.uniform(-3, 3)
        x = Sensitive(np.zeros(1, int), l1=l2, l2=l2, scale=unit)
        _, stddev = Accountant(BUDGET).charge(Gaussian(multiplier), "work").gaussian(x)
        assert 1 <= stddev[0] / (multiplier * l2) < 1 + 1e-14


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 2), (2, 3)])
def test_answers_are_arrays_in_the_shape_of_the_value(shape):
    values, stddev = (
        Accountant(BUDGET).charge(Gaussian(50.0), "work").gaussian(Sensitive(np.zeros(shape, int), l1=1, l2=1))
    )
    for answer in (values, stddev):
        assert isinstance(answer, np.ndarray)
        assert (answer.shape, answer.dtype) == (shape, np.float64)


def test_noise_beyond_what_can_be_drawn_is_refused_whatever_the_value():
    for value in (0, 10**6):
        charge = Accountant(BUDGET).charge(Gaussian(1e9), "work")
        with pytest.raises(ValueError, match=r"standard deviation in \(0, 2\^40\]"):
            charge.gaussian(counts(value, l1=1e6, l2=1e6))


def test_the_truth_does_not_change_the_noise():
    """With the same bits, two values differ after the release by what they differed before it."""

    def run(*values):
        return Accountant(BUDGET, unsafe_seed=9).charge(Gaussian(50.0), "work").gaussian(counts(*values))[0]

    assert (run(10, 20, 2**40) - run(0, 0, 0)).tolist() == [10, 20, 2**40]
