"""For each wall of the kernel a mutant that breaks it, and the law that sees the break. If a mutant lives, the wall
is paint. The last test asks for a mutant of every law, so that no law goes untried.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rings import kernel, laws
from tests.rings.kernel import Mutant
from tests.rings.processes import needs_fork

MUTANTS = [
    # gaussian_dp.py
    Mutant(
        "cost rounded down",
        "gaussian_dp.py",
        "-(-COST_UNIT // Fraction(noise_multiplier) ** 2)",
        "COST_UNIT // Fraction(noise_multiplier) ** 2",
        laws.a_cost_is_rounded_up,
    ),
    Mutant(
        "delta doubled",
        "gaussian_dp.py",
        "mu, wanted = _mu(cost), _mp.mpf(delta)",
        "mu, wanted = _mu(cost), 2 * _mp.mpf(delta)",
        laws.a_conversion_is_the_closed_form_rounded_against_us,
    ),
    Mutant(
        "second term of the conversion with the wrong sign inside",
        "gaussian_dp.py",
        "_tail(epsilon / mu + mu / 2)",
        "_tail(epsilon / mu - mu / 2)",
        laws.a_conversion_is_the_closed_form_rounded_against_us,
    ),
    Mutant(
        "epsilon rounded down",
        "gaussian_dp.py",
        "float(x * (1 + AGAINST_US)), math.inf)",
        "float(x * (1 - AGAINST_US)), 0)",
        laws.a_conversion_is_the_closed_form_rounded_against_us,
    ),
    Mutant(
        "budget rounded up",
        "gaussian_dp.py",
        "unsafe=2 * low) * (1 - AGAINST_US)",
        "unsafe=2 * low) * (1 + AGAINST_US)",
        laws.a_budget_affords_what_the_closed_form_allows,
    ),
    # budget.py
    Mutant(
        "sampler not paid for",
        "budget.py",
        "math.nextafter(delta - sampler, 0)",
        "delta",
        laws.the_sampler_is_paid_from_delta,
    ),
    Mutant(
        "deltas of their own not limited",
        "budget.py",
        " and cost.delta <= kept.delta",
        "",
        laws.what_is_not_gaussian_is_paid_from_what_was_kept,
    ),
    Mutant(
        "what is kept for programs not taken from delta",
        "budget.py",
        "delta_less_sampler(budget.delta) - kept, 0)",
        "delta_less_sampler(budget.delta), 0)",
        laws.what_is_not_gaussian_is_paid_from_what_was_kept,
    ),
    Mutant(
        "a Gaussian reservation covers deltas",
        "budget.py",
        " and cost.delta <= reserved.delta",
        "",
        laws.what_is_not_gaussian_is_paid_from_what_was_kept,
    ),
    Mutant(
        "deltas of costs not added",
        "cost.py",
        "self.delta + other.delta",
        "max(self.delta, other.delta)",
        laws.what_is_not_gaussian_is_paid_from_what_was_kept,
    ),
    Mutant(
        "epsilons of other programs not limited",
        "budget.py",
        " and cost.epsilon <= kept.epsilon",
        "",
        laws.epsilons_of_other_programs_add_up_and_are_taken_from_the_rest,
    ),
    Mutant(
        "epsilon kept for programs spent on noise too",
        "budget.py",
        "math.nextafter(budget.epsilon - budget.programs_epsilon, -math.inf)",
        "budget.epsilon",
        laws.epsilons_of_other_programs_add_up_and_are_taken_from_the_rest,
    ),
    Mutant(
        "a Gaussian reservation covers other programs",
        "budget.py",
        " and cost.epsilon <= reserved.epsilon",
        "",
        laws.what_is_not_gaussian_is_paid_from_what_was_kept,
    ),
    Mutant(
        "other programs left out of what was spent",
        "budget.py",
        "if cost.epsilon and epsilon < MAX_EPSILON",
        "if False",
        laws.epsilons_of_other_programs_add_up_and_are_taken_from_the_rest,
    ),
    Mutant(
        "epsilons of costs not added",
        "cost.py",
        "self.epsilon + other.epsilon",
        "max(self.epsilon, other.epsilon)",
        laws.epsilons_of_other_programs_add_up_and_are_taken_from_the_rest,
    ),
    # loss_grid.py, pld.py, gdp_upper_bound.py, joint.py, nonadaptive.py, events.py
    Mutant(
        "losses moved down",
        "loss_grid.py",
        "np.bincount(index + 1, upper, last - first + 2) + np.bincount(index, total - upper, last - first + 2)",
        "np.bincount(index, upper, last - first + 2) + np.bincount(index, total - upper, last - first + 2)",
        laws.a_schedule_costs_no_less_than_its_closed_form,
    ),
    Mutant(
        "one order of the neighbours forgotten",
        "joint.py",
        "for removed in (True, False))",
        "for removed in (False,))",
        laws.a_schedule_costs_no_less_than_its_closed_form,
    ),
    Mutant(
        "failures forgotten",
        "joint.py",
        "* (1 + MASS_ERROR), self.delta)",
        "* (1 + MASS_ERROR), 0.0)",
        laws.a_schedule_costs_no_less_than_its_closed_form,
    ),
    Mutant(
        "the sampling rate squared",
        "loss_grid.py",
        "density = (1 - q) * density + q * np.exp",
        "density = (1 - q * q) * density + q * q * np.exp",
        laws.a_schedule_costs_no_less_than_its_closed_form,
    ),
    Mutant(
        "one event of several counted",
        "nonadaptive.py",
        "programs[event] += 1",
        "programs[event] = 1",
        laws.a_schedule_costs_no_less_than_its_closed_form,
    ),
    Mutant(
        "steps not counted",
        "pld.py",
        "rfft(one) ** self.steps, ",
        "rfft(one), ",
        laws.a_schedule_is_counted_step_by_step,
    ),
    Mutant(
        "price of one order of the neighbours",
        "gdp_upper_bound.py",
        "max(_dominating(part, removed) for removed in (True, False))",
        "_dominating(part, False)",
        laws.a_price_lies_nowhere_below_the_training,
    ),
    Mutant(
        "price at the largest epsilon only",
        "gdp_upper_bound.py",
        ".max(initial=0.0)",
        ".min(initial=1e3)",
        laws.a_price_lies_nowhere_below_the_training,
    ),
    Mutant(
        "what training lacks not charged",
        "event.py",
        "units(gdp_upper_bound.TAU) if approximate else 0",
        "0",
        laws.a_price_lies_nowhere_below_the_training,
    ),
    Mutant(
        "replaced units trained on",
        "event.py",
        'unit.adjacency == "replace" and self.rate < 1',
        "False",
        laws.training_on_samples_is_for_units_that_come_and_go,
    ),
    Mutant(
        "a charge for anything draws Gaussian noise",
        "accountant.py",
        "if not isinstance(event, kind):",
        "if not hasattr(event, 'cost'):",
        laws.a_charge_draws_only_what_it_paid_for,
    ),
    # unit.py
    Mutant(
        "replacing counted as adding or removing",
        "unit.py",
        "return 2 * k, math.nextafter(math.sqrt(2) * k, math.inf)",
        "return k, k",
        laws.counts_move_no_further_than_the_unit_says,
    ),
    Mutant(
        "several records of a unit counted as one",
        "unit.py",
        "k = float(self.max_records)",
        "k = 1.0",
        laws.counts_move_no_further_than_the_unit_says,
    ),
    # sensitive.py
    Mutant(
        "largest l2 of a stack",
        "sensitive.py",
        "math.fsum(_up(x.l2 * x.l2) for x in parts)",
        "max(_up(x.l2 * x.l2) for x in parts)",
        laws.a_stack_moves_as_far_as_its_parts_in_squares,
    ),
    Mutant(
        "the largest moves as its least sensitive score",
        "sensitive.py",
        "max(x.l1 for x in parts)",
        "min(x.l1 for x in parts)",
        laws.the_largest_of_scores_moves_no_further_than_it_says,
    ),
    Mutant(
        "the largest moves as its first score",
        "sensitive.py",
        "max(x.l1 for x in parts)",
        "parts[0].l1",
        laws.the_largest_of_scores_moves_no_further_than_it_says,
    ),
    Mutant(
        "the sum in place of the largest",
        "sensitive.py",
        "Sensitive(left.max(), l1=bound",
        "Sensitive(left.sum(), l1=bound",
        laws.the_largest_of_scores_moves_no_further_than_it_says,
    ),
    Mutant(
        "which score is the largest in place of how large it is",
        "sensitive.py",
        "Sensitive(left.max(), l1=bound",
        "Sensitive(left.argmax() * 9, l1=bound",
        laws.the_largest_of_scores_moves_no_further_than_it_says,
    ),
    Mutant(
        "what is taken off multiplies",
        "sensitive.py",
        "for x in parts]) - np.clip(taken",
        "for x in parts]) * np.clip(taken",
        laws.the_largest_of_scores_moves_no_further_than_it_says,
    ),
    Mutant(
        "weight forgotten",
        "sensitive.py",
        "bound = _up(factor * self.l1)",
        "bound = _up(self.l1)",
        laws.a_score_moves_no_further_than_it_says,
    ),
    Mutant(
        "estimates beyond an integer",
        "sensitive.py",
        "np.rint(parts * np.clip(guess, -_LARGEST, _LARGEST)).astype(np.int64)",
        "np.nan_to_num(np.rint(parts * guess)).clip(-(2.0**63), 2.0**63 - 1024).astype(np.int64)",
        laws.a_score_moves_no_further_than_it_says,
    ),
    Mutant(
        "parts of a count as whole ones",
        "sensitive.py",
        "scale=factor / parts",
        "scale=factor",
        laws.a_score_moves_no_further_than_it_says,
    ),
    Mutant(
        "chosen cells counted twice",
        "sensitive.py",
        "- whole)[kept]",
        "- whole) * (1 + kept)",
        laws.a_score_moves_no_further_than_it_says,
    ),
    Mutant(
        "elements can be read",
        "sensitive.py",
        " = __getitem__ = closed",
        " = closed\n    __getitem__ = lambda self, i: _integers(self)[i]",
        laws.a_value_is_closed,
    ),
    Mutant(
        "numpy can read",
        "sensitive.py",
        "    __array__ = __float__",
        "    __array__ = lambda self, *a, **k: _integers(self)\n    __float__",
        laws.a_value_is_closed,
    ),
    Mutant(
        "scale can be written to",
        "sensitive.py",
        "scales.setflags(write=False)",
        "pass",
        laws.a_unit_cannot_be_written_to,
    ),
    # noise.py
    Mutant(
        "sign dropped",
        "noise.py",
        "result *= 1 - 2 * (words & np.uint64(1)).astype(np.int64)",
        "pass",
        laws.the_noise_has_the_stated_distribution,
    ),
    Mutant(
        "truncated, not rounded",
        "noise.py",
        "nearest = np.rint(size)",
        "nearest = np.floor(size)",
        laws.the_noise_has_the_stated_distribution,
    ),
    Mutant(
        "margin forgotten",
        "noise.py",
        "_MARGIN * np.maximum(size, stddev)",
        "0",
        laws.draws_that_doubles_cannot_decide_are_decided_right,
    ),
    Mutant(
        "tail with 64 bits only",
        "noise.py",
        "    doubtful |= v < 2**52\n",
        "",
        laws.draws_that_doubles_cannot_decide_are_decided_right,
    ),
    Mutant(
        "decided the wrong way round",
        "noise.py",
        "if v >= threshold else",
        "if v < threshold else",
        laws.draws_that_doubles_cannot_decide_are_decided_right,
    ),
    Mutant(
        "too few further bits",
        "noise.py",
        "_EXTENSIONS = 4",
        "_EXTENSIONS = 2",
        laws.draws_that_doubles_cannot_decide_are_decided_right,
    ),
    # accountant.py
    Mutant(
        "noise 3 % too small",
        "accountant.py",
        "_up(event.noise_multiplier * x.l2)",
        "_up(event.noise_multiplier * x.l2 * 0.97)",
        laws.the_noise_is_what_was_paid_for,
    ),
    Mutant(
        "noise 3 % too small, and the truth told about the paid scale",
        "accountant.py",
        "rounded_gaussian(stddev, self.__grant.bits)",
        "rounded_gaussian(0.97 * stddev, self.__grant.bits)",
        laws.the_noise_is_what_was_paid_for,
    ),
    Mutant(
        "units forgotten",
        "accountant.py",
        "_up(event.noise_multiplier * x.l2) / x.scale",
        "_up(event.noise_multiplier * x.l2)",
        laws.the_noise_is_what_was_paid_for,
    ),
    Mutant(
        "l1 for l2",
        "accountant.py",
        "event.noise_multiplier * x.l2",
        "event.noise_multiplier * x.l1",
        laws.the_noise_is_what_was_paid_for,
    ),
    Mutant("charge kept", "accountant.py", "self.__event.pop()", "self.__event[-1]", laws.a_charge_is_good_once),
    Mutant(
        "charge good in a fork",
        "accountant.py",
        "if self.__process != os.getpid():",
        "if False:",
        laws.a_charge_belongs_to_one_process,
    ),
    # account.py, reader.py, ledger.py
    Mutant(
        "ledger good in a fork",
        "reader.py",
        "if self._process != os.getpid():",
        "if False:",
        laws.a_charge_belongs_to_one_process,
    ),
    Mutant(
        "what goes over the reservation is granted",
        "ledger.py",
        "if not budgets.within(after, facts.reserved):",
        "if False:",
        laws.an_accountant_stays_within_its_budget,
    ),
    Mutant(
        "accountant's cost not remembered",
        "accountant.py",
        "self._cost = self._cost + event.cost",
        "pass",
        laws.an_accountant_stays_within_its_budget,
    ),
]

LAWS = sorted({m.law for m in MUTANTS}, key=lambda law: law.__name__)


@pytest.fixture
def kernel_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[kernel.Build]:
    with kernel.workshop(tmp_path, monkeypatch) as build:
        yield build


@needs_fork
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_kernel_obeys_every_law(law: laws.Law) -> None:
    law(kernel.load())


@needs_fork
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_the_law_kills_the_mutant(mutant: Mutant, kernel_with) -> None:
    broken = kernel_with(mutant.file, mutant.old, mutant.new)
    with pytest.raises(AssertionError):
        mutant.law(broken)


def test_a_copy_of_the_kernel_in_which_nothing_is_changed_obeys(kernel_with) -> None:
    same = kernel_with("unit.py", "float(self.max_records)", "float(self.max_records)")
    assert same.Budget is not kernel.load().Budget
    laws.a_charge_is_good_once(same)


def test_every_law_has_a_mutant() -> None:
    stated = {
        f
        for f in vars(laws).values()
        if callable(f) and getattr(f, "__annotations__", {}) == {"k": "Kernel", "return": "None"}
    }
    assert {law.__name__ for law in stated} == {law.__name__ for law in LAWS}
