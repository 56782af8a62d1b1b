"""The hybrid releases the better of two models by a charged comparison, and says which."""

from __future__ import annotations

import logging
import re
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="networks need PyTorch: pip install 'dpsynth[gan]'")

from dpsynth.base.domain import Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.budget import Budget
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.marginal.canopy import Canopy
from dpsynth.mechanisms.neural.dp_ctgan import DPCTGAN
from dpsynth.mechanisms.neural.hybrid import Hybrid, _pairs
from dpsynth.models.graphical import GraphicalModel
from dpsynth.models.hidden import HiddenModel

DOMAIN = Domain.of({"a": 4, "b": 3, "c": 2})
NETWORK = DPCTGAN(steps=4, rate=0.2, components=32, fakes=16, generator=(8,), critic=(4,))


def table(rows=5000):
    rng = np.random.default_rng(0)
    a = rng.integers(0, 4, rows)
    return PrivateTable.from_codes({"a": a, "b": a % 3, "c": rng.integers(0, 2, rows)}, DOMAIN)


def accountant(mechanism, budget=Budget(5.0, 1e-6)):  # noqa: B008  # frozen
    return Accountant(budget, reserve=mechanism.reserve(budget))


def test_a_generator_that_is_worse_gives_way_to_the_marginal_release_and_the_log_says_so(caplog):
    with caplog.at_level(logging.INFO, logger="dpsynth.mechanisms"):
        mechanism = Hybrid(network=NETWORK)
        model = mechanism.fit(table(), accountant(mechanism))
    assert isinstance(model.coarse, GraphicalModel)
    said = "a critic was trained in 4 steps, and the marginal release is what comes out: in the charged comparison"
    assert model.outcome.startswith(said)
    assert said in caplog.text


def test_a_generator_that_is_better_is_released(monkeypatch, caplog):
    """With a marginal release that knows columns only, and a generator that knows pairs."""
    honest, bins = Canopy.fit, {}

    def poor(self, table, accountant):
        model = honest(self, table, accountant)
        bins.update(model.bins)
        known = {(a,): np.log(model.coarse.project((a,))) for a in model.domain.attributes}
        return replace(model, coarse=GraphicalModel.of(model.coarse.domain, model.total, known))

    def columns(self):
        return [np.eye(4)[bins["a"]], np.eye(3)[bins["b"][np.arange(4) % 3]], np.full((4, 2), 0.5)]

    monkeypatch.setattr(Canopy, "fit", poor)
    monkeypatch.setattr("dpsynth.mechanisms.neural.adversarial.Generator.columns", columns)
    with caplog.at_level(logging.INFO, logger="dpsynth.mechanisms"):
        mechanism = Hybrid(network=NETWORK)
        model = mechanism.fit(table(), accountant(mechanism))
    assert isinstance(model.coarse, HiddenModel)
    assert "a critic was trained in 4 steps, and the refined generator is what comes out" in model.outcome
    assert model.outcome in caplog.text


def test_without_worthwhile_training_all_is_spent_on_marginals(caplog):
    account = accountant(Hybrid(), Budget(0.01, 1e-6))
    with caplog.at_level(logging.INFO, logger="dpsynth.mechanisms"):
        model = Hybrid().fit(table(300), account)
    assert re.fullmatch(
        r"nothing was trained: with about [\d,]+ rows, the noise of training would exceed what can be learned;"
        r" all was spent on marginals",
        model.outcome,
    )
    assert model.outcome in caplog.text
    assert account.spent().epsilon == pytest.approx(0.01, rel=1e-6)


def test_pairs_of_a_model_are_laid_out_by_column_with_nothing_on_the_diagonal():
    model = GraphicalModel.of(DOMAIN, 50.0, {("a", "b"): np.random.default_rng(0).normal(size=(4, 3))})
    pairs = _pairs(model, DOMAIN)
    np.testing.assert_allclose(pairs, pairs.T)
    np.testing.assert_allclose(pairs[:4, 4:7], model.project(("a", "b")) / 50)
    assert not pairs[:4, :4].any()
    assert pairs[4:7, 7:].sum() == pytest.approx(1)
