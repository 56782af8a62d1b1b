"""BlindAccountant, on which the non-interference tests of mechanisms and encoders rest: it does not look."""

from __future__ import annotations

import numpy as np
import pytest

from dpsynth.kernel.budget import Budget, BudgetExceededError
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.sensitive import Sensitive
from dpsynth.testing import BlindAccountant

BUDGET = Budget(1.0, 1e-6)


def answers(values: np.ndarray, seed: int = 0, weight: float = 1.0):
    accountant = BlindAccountant(BUDGET, seed=seed)
    x = Sensitive(values, l1=2, l2=2)
    given = [accountant.charge(Gaussian(50.0), "x").gaussian(v) for v in (x, x.l1_error(np.zeros(x.shape), weight), x)]
    return [part.tolist() for pair in given for part in pair], accountant.ledger.entries()


def test_it_answers_two_values_alike():
    assert answers(np.zeros((2, 3), int)) == answers(np.full((2, 3), 10**9))


def test_it_answers_by_seed_shape_and_unit():
    zeros = np.zeros((2, 3), int)
    assert answers(zeros)[0] != answers(zeros, seed=1)[0]
    assert answers(zeros)[0] != answers(zeros, weight=2.0)[0]
    assert np.shape(answers(zeros)[0][0]) == (2, 3)


def test_it_keeps_the_budget_and_its_charges_are_good_once():
    accountant = BlindAccountant(BUDGET)
    charge = accountant.charge(Gaussian.spending(accountant.cost_left), "everything")
    with pytest.raises(TypeError, match="Sensitive"):
        charge.gaussian(3)
    x = Sensitive(np.array(4), l1=1, l2=1)
    charge.gaussian(x)
    with pytest.raises(RuntimeError, match="good once"):
        charge.gaussian(x)
    with pytest.raises(BudgetExceededError):
        accountant.charge(Gaussian(50.0), "more")
