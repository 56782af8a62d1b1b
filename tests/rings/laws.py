"""The laws that make the kernel a kernel, each a function that is given one: the real one, or a broken copy.

A law returns when it holds and raises AssertionError when it does not; `fails` is for what must be refused.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.rings import oracle, processes
from tests.rings.scratch import SCRATCH

Kernel = SimpleNamespace
Law = Callable[[Kernel], None]

BUDGET = (1.0, 1e-6)


def fails(kind: type[Exception] | tuple[type[Exception], ...], act: Callable[[], object]) -> None:
    try:
        act()
    except kind:
        return
    except Exception as other:
        raise AssertionError(f"this should have been refused with {kind}, and was with {other!r}") from other
    raise AssertionError(f"this should have been refused with {kind}")


def granted(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except Exception as error:
        raise AssertionError(f"this should have been granted, and was refused: {error!r}") from error


def refused(act: Callable[[], object]) -> bool:
    try:
        act()
    except Exception:
        return True
    return False


# Composition and conversion.


def a_cost_is_rounded_up(k: Kernel) -> None:
    for stddev in (0.1, 0.3, 1.7, 30.2, 1e9):
        assert 0 <= k.gaussian_dp.gaussian_cost(stddev) - k.gaussian_dp.COST_UNIT / Fraction(stddev) ** 2 < 1


def a_conversion_is_the_closed_form_rounded_against_us(k: Kernel) -> None:
    for mu, wanted in ((0.5, 1e-6), (1.0, 1e-9), (4.0, 1e-3)):
        cost = int(Fraction(mu) ** 2 * k.gaussian_dp.COST_UNIT)
        epsilon = k.gaussian_dp.gaussian_epsilon(cost, wanted)
        assert (
            oracle.delta(epsilon, Fraction(mu) ** 2) <= wanted < oracle.delta(epsilon * (1 - 1e-10), Fraction(mu) ** 2)
        )
        assert (
            oracle.delta(epsilon, Fraction(mu) ** 2)
            <= k.gaussian_dp.gaussian_delta(epsilon, cost)
            <= wanted * (1 + 1e-9)
        )


def a_budget_affords_what_the_closed_form_allows(k: Kernel) -> None:
    for epsilon, wanted in ((0.01, 1e-9), (1.0, 1e-6), (20.0, 1e-3)):
        mu_squared = Fraction(k.gaussian_dp.gaussian_budget(epsilon, wanted), k.gaussian_dp.COST_UNIT)
        assert (
            oracle.delta(epsilon, mu_squared) <= wanted < oracle.delta(epsilon, mu_squared * (1 + Fraction(1, 10**9)))
        )


def the_sampler_is_paid_from_delta(k: Kernel) -> None:
    assert k.budget.MAX_DRAWS == 2**60
    tiny = k.budget.MAX_DRAWS * k.noise.TOTAL_VARIATION * math.exp(k.budget.MAX_EPSILON)
    for wanted in (1e-6, 1e-12, 2 * tiny):
        b = k.Budget(1.0, wanted)
        left = Fraction(k.budget._delta_for_mechanisms(b))
        assert 0 < left < wanted
        assert left <= Fraction(wanted) - Fraction(tiny)


def a_schedule_costs_no_less_than_its_closed_form(k: Kernel) -> None:
    for rate, noise, delta in ((0.1, 1.0, 1e-6), (1.0, 2.0, 1e-9), (0.6, 3.0, 0.3)):
        epsilon = k.nonadaptive.epsilon([k.DpSgd(rate, noise, 1)], delta) if rate < 1 else None
        epsilon = k.joint.epsilon([k.loss_grid.Sampled(rate, noise, 1)], delta) if epsilon is None else epsilon
        exact = [oracle.sampled_delta(epsilon, rate, noise, removed) for removed in (True, False)]
        assert max(exact) <= delta
    failing = [k.ExternalProgram(0.5, 1e-3), k.ExternalProgram(0.5, 1e-3), k.ExternalProgram(1e-9, 1e-3)]
    assert k.nonadaptive.epsilon(failing, 2.9e-3) == math.inf
    assert k.nonadaptive.epsilon(failing[:2], 2.9e-3) >= 0.9


def a_schedule_is_counted_step_by_step(k: Kernel) -> None:
    for steps in (2, 9):
        together = k.joint.epsilon([k.loss_grid.Sampled(1.0, 3.0, steps)], 1e-6)
        exact = k.gaussian_dp.gaussian_epsilon(steps * k.gaussian_dp.gaussian_cost(3.0), 1e-6)
        assert exact * (1 - 1e-12) <= together <= exact * (1 + 1e-4)


def a_price_lies_nowhere_below_the_training(k: Kernel) -> None:
    for rate, noise in ((0.1, 1.0), (0.5, 3.0)):
        cost = k.DpSgd(rate, noise, 1).cost
        assert cost.delta == k.COST_UNIT >> 60
        for epsilon in (0.0, 0.03, 0.2, 0.5, 1.0, 2.0):
            exact = max(oracle.sampled_delta(epsilon, rate, noise, removed) for removed in (True, False))
            assert k.gaussian_dp.gaussian_delta(epsilon, cost.gaussian) + 2.0**-60 >= exact


def what_is_not_gaussian_is_paid_from_what_was_kept(k: Kernel) -> None:
    for budget in (k.Budget(3.0, 1e-6, 0.5), k.Budget(3.0, 1e-6, 0.5, 1e-7)):
        kept = k.budget.kept_for_programs(budget)
        delta = kept.delta / k.COST_UNIT
        selection, program = k.ExternalProgram(1e-2, 0.6 * delta), k.ExternalProgram(1e-3, 0.6 * delta)
        accountant = k.Accountant(budget, reserve=[selection])
        accountant.charge(selection, "law")
        fails(k.BudgetExceededError, lambda accountant=accountant, event=selection: accountant.charge(event, "law"))
        fails(k.BudgetExceededError, lambda b=budget, e=[selection, program]: k.Accountant(b, reserve=e))
        left = Fraction(k.budget._delta_for_mechanisms(budget))
        assert left + Fraction(kept.delta, k.COST_UNIT) <= Fraction(1e-6)
    for cost in (k.Cost(11, 0, 0), k.Cost(0, 1, 0), k.Cost(0, 0, 1)):
        fails(AssertionError, lambda cost=cost: require(k.within(cost, k.Cost(10, 0, 0))))


def epsilons_of_other_programs_add_up_and_are_taken_from_the_rest(k: Kernel) -> None:
    budget = k.Budget(3.0, 1e-6, 1.0, 1e-7)
    whole = [k.ExternalProgram(0.5), k.ExternalProgram(0.25), k.ExternalProgram(0.25)]
    require(k.budget.fits(sum((e.cost for e in whole), start=k.Cost()), budget))
    fails(k.BudgetExceededError, lambda: k.Accountant(budget, reserve=[*whole, k.ExternalProgram(0.2)]))
    fails(k.BudgetExceededError, lambda: k.Accountant(k.Budget(3.0, 1e-6), reserve=[k.ExternalProgram(0.2)]))
    # What is left for noise: (2, 9e-7) at the most, and all of that but a millionth.
    assert k.gaussian_dp.gaussian_delta(2.0, k.budget.affordable(budget)) <= 9e-7
    assert k.gaussian_dp.gaussian_delta(2.0, k.budget.affordable(budget)) >= 9e-7 * (1 - 1e-6)
    noise = k.Gaussian.spending(k.budget.affordable(budget))
    assert k.budget.spent(noise.cost + k.ExternalProgram(1.0).cost, budget).epsilon >= 3.0 - 1e-9


def training_on_samples_is_for_units_that_come_and_go(k: Kernel) -> None:
    unit = k.PrivacyUnit(adjacency="replace")
    ledger = k.Ledger.create(None, k.Budget(3.0, 1e-6), dataset="law", unit=unit)
    fails(ValueError, lambda: k.Accountant(k.Budget(3.0, 1e-6), ledger=ledger, reserve=[k.DpSgd(0.1, 20.0, 1)]))
    accountant = k.Accountant(k.Budget(3.0, 1e-6), ledger=ledger)
    fails(ValueError, lambda: accountant.charge(k.DpSgd(0.1, 20.0, 1), "law"))
    accountant.charge(k.DpSgd(1.0, 20.0, 1), "law")


def a_charge_draws_only_what_it_paid_for(k: Kernel) -> None:
    for event in (k.DpSgd(0.01, 20.0, 10), k.ExternalProgram(0.01)):
        charge = k.Accountant(k.Budget(3.0, 1e-6, 0.1, 0.0), reserve=[event]).charge(event, "law")
        fails(TypeError, lambda charge=charge: charge.gaussian(counts(k, np.array([1]), 1, 1)))


# Sensitivity.


def counts_move_no_further_than_the_unit_says(k: Kernel) -> None:
    for adjacency in ("add-remove", "replace"):
        for records, cells in ((1, 1), (1, 2), (2, 3), (3, 2), (3, 4)):
            l1, l2 = k.PrivacyUnit(max_records=records, adjacency=adjacency).count_sensitivity(cells)
            moves = [m.astype(np.int64) for m in oracle.movements(cells, records, adjacency)]
            assert l1 == max(int(np.abs(m).sum()) for m in moves)
            farthest = max(int((m * m).sum()) for m in moves)
            assert farthest <= Fraction(l2) ** 2 <= farthest * (1 + Fraction(1, 10**14))


def a_score_moves_no_further_than_it_says(k: Kernel) -> None:
    rng = np.random.default_rng(1)
    for weight in (0.01, 1.0, 7.3, 1e12):
        x = rng.integers(0, 50, size=6) * [0, 1, 1, 1, 1, 1]
        for estimate in (np.zeros(6), x + 0.5, np.full(6, 1e19), np.full(6, -(2.0**63))):
            for how in ({}, {"parts": 256}, {"among": np.arange(6) < 3}):
                first = counts(k, x, 1, 1).l1_error(estimate, weight, **how)
                for cell in range(6):
                    other = counts(k, x + np.eye(6, dtype=np.int64)[cell], 1, 1).l1_error(estimate, weight, **how)
                    assert moved(k, first, other) <= Fraction(first.l1) ** 2
                    assert first.l1 == first.l2 == other.l1
                    assert Fraction(weight) <= Fraction(first.l1) <= Fraction(weight) * (1 + Fraction(1, 10**15))


def the_largest_of_scores_moves_no_further_than_it_says(k: Kernel) -> None:
    """One unit moves every score, each by up to its own bound; whichever is the largest before and after."""
    far = (1, 3, 2)
    for scores in itertools.product((0, 2, 5), repeat=3):
        for less in ((0, 0, 0), (5, 0, 2), (-3, 1, 2**62)):
            for steps in itertools.product((-1, 0, 1), repeat=3):
                before, after = (
                    k.Sensitive.largest([counts(k, np.array(x), f, f) for x, f in zip(xs, far, strict=True)], less)
                    for xs in (scores, [x + f * s for x, f, s in zip(scores, far, steps, strict=True)])
                )
                assert moved(k, before, after) <= Fraction(before.l2) ** 2 == 9
                assert before.l1 == after.l1 == 3


def a_stack_moves_as_far_as_its_parts_in_squares(k: Kernel) -> None:
    x = np.array([5, 0, 2])
    y = x + np.array([2, 0, 0])
    before, after = [
        k.Sensitive.stack([counts(k, z, 2, 2), counts(k, z, 2, 2).l1_error(np.zeros(3), 3.0), counts(k, z, 2, 2)])
        for z in (x, y)
    ]
    assert moved(k, before, after) == 4 + 36 + 4
    assert 44 <= Fraction(before.l2) ** 2 <= 44 + Fraction(1, 10**10)
    assert before.l1 >= 10


def a_value_is_closed(k: Kernel) -> None:
    x = counts(k, np.array([3, 4]), 1, 1)
    for read in (np.asarray, lambda v: v[0], list, len, lambda v: v == v, lambda v: f"{v}"):
        fails(TypeError, lambda read=read: read(x))
    assert "Sensitive(" in repr(x)


def a_unit_cannot_be_written_to(k: Kernel) -> None:
    ours = np.array([1.0, 2.0])
    x = k.Sensitive(np.array([3, 4]), l1=1, l2=1, scale=ours)
    ours[:] = 1e9
    fails(ValueError, lambda: x.scale.__setitem__(..., 1e9))
    assert x.scale.tolist() == [1.0, 2.0]


# Noise.


def the_noise_has_the_stated_distribution(k: Kernel) -> None:
    for stddev in (0.5, 3.7):
        draws = k.rounded_gaussian(np.full(60_000, stddev), k.seeded_bits(11))
        expect_pmf(draws, stddev)


def the_noise_is_what_was_paid_for(k: Kernel) -> None:
    """20,000 counts and 20,000 weighted counts; a scale 3 % off is 8 standard errors away."""
    accountant = k.Accountant(k.Budget(*BUDGET), unsafe_seed=5)
    unit = np.concatenate([np.ones(20_000), np.full(20_000, 0.25)])
    x = k.Sensitive(np.arange(40_000), l1=3.0, l2=1.5, scale=unit)
    values, stddev = accountant.charge(k.Gaussian(40.0), "law").gaussian(x)
    assert np.all((stddev >= 60.0) & (stddev < 60.0 + 1e-9))
    residuals = (values - unit * np.arange(40_000)) / 60.0
    for part in (residuals[:20_000], residuals[20_000:]):
        assert abs(part.var() - 1) < 4.5 * math.sqrt(2 / part.size)
        assert abs(part.mean()) < 4.5 / math.sqrt(part.size)


def draws_that_doubles_cannot_decide_are_decided_right(k: Kernel) -> None:
    cases = [(1.0, 0.5), (1.0, 8.5), (30.0, 12.5), (1000.0, 1234.5), (1e6, 31.5), (2.0**40, 2.0**40 + 0.5)]
    for stddev, boundary in cases:
        for apart in (52, 100, 300, 440):
            inner, outer = (decided(k, stddev, boundary, side, apart) for side in (1, -1))
            assert inner == math.floor(boundary)
            assert outer == math.ceil(boundary)


# Charges.


def a_charge_is_good_once(k: Kernel) -> None:
    charge = k.Accountant(k.Budget(*BUDGET)).charge(k.Gaussian(50.0), "law")
    x = counts(k, np.array([1]), 1, 1)
    charge.gaussian(x)
    fails(RuntimeError, lambda: charge.gaussian(x))


def a_charge_belongs_to_one_process(k: Kernel) -> None:
    with ledger_file(k) as (_, ledger):
        accountant = k.Accountant(k.Budget(*BUDGET), ledger=ledger)
        charge, x = accountant.charge(k.Gaussian(50.0), "law"), counts(k, np.array([1]), 1, 1)
        acts = (lambda: charge.gaussian(x), lambda: accountant.charge(k.Gaussian(50.0), "law"), ledger.spent)
        told = [lambda tell, act=act: tell(b"refused" if refused(act) else b"GRANTED") for act in acts]
        assert processes.in_children(told) == [b"refused"] * 3


def an_accountant_stays_within_its_budget(k: Kernel) -> None:
    wide = k.Ledger.create(None, k.Budget(50.0, 1e-6), dataset="law", unit=k.PrivacyUnit())
    accountant = k.Accountant(k.Budget(*BUDGET), ledger=wide)
    accountant.charge(k.Gaussian.spending(accountant.cost_left // 2), "half")
    granted(lambda: accountant.charge(k.Gaussian.spending(accountant.cost_left), "the rest"))
    lines = len(wide.entries())
    fails(k.BudgetExceededError, lambda: accountant.charge(k.Gaussian(1e6), "a crumb"))
    assert len(wide.entries()) == lines
    assert accountant.spent().epsilon <= 1.0
    accountant.close()
    assert wide.spent() == k.spent(accountant._cost, wide.budget)


# What the laws are made of.


def require(holds: bool) -> None:
    assert holds


@contextlib.contextmanager
def ledger_file(k: Kernel) -> Iterator[tuple[Path, object]]:
    """A ledger in a file of its own, with BUDGET."""
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        path = Path(folder) / "l"
        yield path, k.Ledger.create(path, k.Budget(*BUDGET), dataset="law", unit=k.PrivacyUnit())


def counts(k: Kernel, x: np.ndarray, l1: float, l2: float):
    return k.Sensitive(np.asarray(x), l1=l1, l2=l2)


def moved(k: Kernel, x, y) -> Fraction:
    """The squared 2-norm of x - y, exactly."""
    units = np.broadcast_to(x.scale, x.shape).ravel().tolist()
    steps = zip(k._integers(x).ravel().tolist(), k._integers(y).ravel().tolist(), units, strict=True)
    return sum(((a - b) * Fraction(u)) ** 2 for a, b, u in steps)


def expect_pmf(draws: np.ndarray, stddev: float) -> None:
    from tests.rings.gof import p_value

    p = p_value(draws, stddev)
    assert p > 1e-4, f"stddev {stddev}: p = {p:.2g}"


def decided(k: Kernel, stddev: float, boundary: float, side: int, apart: int) -> int:
    """The draw made from a u that lies 2^-`apart` (relative) above or below the threshold Q(boundary / stddev)."""
    u = oracle.upper_tail(oracle.WIDE.mpf(boundary) / oracle.WIDE.mpf(stddev))
    u *= 1 + side * oracle.WIDE.ldexp(1, -apart)
    stream = int(oracle.WIDE.floor(oracle.WIDE.ldexp(u, 2400)))  # the binary digits of u, of which 2,400 are used
    known = [0]

    def bits(count: int) -> bytes:
        first = not known[0]
        known[0] += 64 if first else 8 * count
        word = stream >> (2400 - known[0])
        if first:
            return (2 * (word % 2**64)).to_bytes(8, "little")  # the sign bit is the lowest
        return (word % 2 ** (8 * count)).to_bytes(count, "big")

    return int(k.rounded_gaussian(np.array([stddev]), bits)[0])


def rehashed(record: dict) -> str:
    """A ledger line with its hash computed anew, written from the description of the format and not from its code."""
    import hashlib

    body = json.dumps({f: v for f, v in record.items() if f != "hash"}, sort_keys=True, separators=(",", ":"))
    return json.dumps(
        {**record, "hash": hashlib.sha256(body.encode()).hexdigest()}, sort_keys=True, separators=(",", ":")
    )
