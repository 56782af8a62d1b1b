"""What every mechanism promises, of those that train networks; skipped without PyTorch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

pytest.importorskip("torch", reason="networks need PyTorch: pip install 'dpsynth[gan]'")

from dpsynth.kernel.budget import Budget
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.neural import adversarial
from dpsynth.mechanisms.neural.dp_ctgan import DPCTGAN
from dpsynth.mechanisms.neural.hybrid import Hybrid
from dpsynth.mechanisms.neural.pate_gan import PATEGAN
from tests.mechanisms.test_contract import BUDGET, DOMAIN, EDGES, interferes, random_table

SMALL = {"steps": 6, "rate": 0.2, "components": 48, "fakes": 24, "generator": (8,), "critic": (4,)}
SAMPLED = [DPCTGAN(**SMALL), Hybrid(network=DPCTGAN(**SMALL))]
MECHANISMS = [*SAMPLED, PATEGAN(rounds=2, questions=10, rows_per_teacher=2, moves=4, network=DPCTGAN(**SMALL))]

every_mechanism = pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda m: type(m).__name__)


def account_for(mechanism, budget=BUDGET):
    return Accountant(budget, reserve=mechanism.reserve(budget))


def purposes(accountant):
    return [line["purpose"] for line in accountant.ledger.entries() if line["kind"] == "charge"]


def trained(accountant):
    return any(purpose.startswith(("train a critic", "ask teachers")) for purpose in purposes(accountant))


@every_mechanism
def test_what_comes_out_depends_on_the_rows_through_charges_only(mechanism):
    """The charges' callbacks see the real rows of both tables here; only what they return is ignored."""
    assert not interferes(mechanism)


def test_a_callback_that_lets_a_row_out_is_seen(monkeypatch):
    seen = []

    def remember(codes, sizes):
        seen.append(float(codes.sum()))
        return indicators(codes, sizes)

    def learn(generator, critic, rng):
        generator.network[-1].data[1] += 1e-6 * seen[-1]
        return honest(generator, critic, rng)

    indicators, honest = adversarial.indicators, adversarial.Generator.learn
    monkeypatch.setattr(adversarial, "indicators", remember)
    assert not interferes(MECHANISMS[0])
    monkeypatch.setattr(adversarial.Generator, "learn", learn)
    assert interferes(MECHANISMS[0])


@every_mechanism
@pytest.mark.parametrize("max_records", [1, 3])
def test_a_fit_trains_and_spends_its_budget_to_within_a_billionth_and_never_more(mechanism, max_records):
    accountant = account_for(mechanism)
    mechanism.fit(random_table(20_000, 0, unit=PrivacyUnit(max_records=max_records)), accountant)
    assert trained(accountant)
    assert accountant.cost_left >= 0
    assert BUDGET.epsilon * (1 - 1e-9) <= accountant.spent().epsilon <= BUDGET.epsilon


@pytest.mark.parametrize("mechanism", SAMPLED, ids=lambda m: type(m).__name__)
def test_units_that_are_replaced_are_refused_before_anything_is_charged(mechanism):
    accountant = account_for(mechanism)
    with pytest.raises(ValueError, match="added or removed"):
        mechanism.fit(random_table(50, 0, unit=PrivacyUnit(adjacency="replace")), accountant)
    assert not purposes(accountant)


@every_mechanism
@pytest.mark.parametrize("table", EDGES.values(), ids=EDGES.keys())
@pytest.mark.parametrize("epsilon", [1e-3, 50.0])
def test_every_table_can_be_fitted_and_sampled(mechanism, table, epsilon):
    model = mechanism.fit(table, account_for(mechanism, Budget(epsilon, 1e-9)))
    assert model.total >= 1
    for rows in (0, 1, 100):
        codes = model.sample(rows, np.random.default_rng(0))
        assert set(codes) == set(table.domain.attributes)
        for a, n in table.domain.sizes:
            assert len(codes[a]) == rows
            assert np.all((codes[a] >= 0) & (codes[a] < n))


@every_mechanism
def test_projections_agree_with_one_another(mechanism):
    model = mechanism.fit(random_table(5000, 0), account_for(mechanism, Budget(5.0, 1e-6)))
    for a, b in itertools.permutations(DOMAIN.attributes, 2):
        pair = model.project((a, b))
        assert np.all(pair >= 0)
        np.testing.assert_allclose(pair.sum(axis=1), model.project((a,)), atol=1e-6 * model.total)
        np.testing.assert_allclose(pair, model.project((b, a)).T, atol=1e-6 * model.total)


@every_mechanism
def test_where_noise_would_drown_the_game_all_is_spent_on_the_columns(mechanism):
    accountant = account_for(mechanism, Budget(0.01, 1e-6))
    assert mechanism.fit(random_table(500, 0), accountant).outcome.startswith("nothing was trained")
    assert not trained(accountant)
    assert accountant.spent().epsilon == pytest.approx(0.01, rel=1e-6)
