"""pate-gan: who sees which row, what is paid, and that dependence is learned from votes."""

from __future__ import annotations

import logging
import re
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch", reason="networks need PyTorch: pip install 'dpsynth[gan]'")

import dpsynth
from dpsynth.base.domain import Domain
from dpsynth.door.table import PrivateTable
from dpsynth.kernel.budget import Budget, BudgetExceededError
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.opening import Accountant
from dpsynth.mechanisms.neural.dp_ctgan import DPCTGAN
from dpsynth.mechanisms.neural.pate_gan import PATEGAN
from dpsynth.mechanisms.neural.votes import Questions
from dpsynth.models.hidden import HiddenModel
from tests.mechanisms.neural.test_dp_ctgan import related
from tests.mechanisms.test_contract import interferes

SIZES = {"a": 4, "b": 4, "c": 3}
NETWORK = DPCTGAN(components=64, fakes=32, generator=(8,), generator_rate=3e-3)
SMALL = PATEGAN(rounds=3, questions=20, rows_per_teacher=10, moves=4, network=NETWORK)


def fitted(mechanism, codes, budget=Budget(8.0, 1e-6), unit=None, seed=None):  # noqa: B008  # frozen
    accountant = Accountant(budget, reserve=mechanism.reserve(budget), unsafe_seed=seed)
    return mechanism.fit(PrivateTable.from_codes(codes, Domain.of(SIZES), unit), accountant), accountant


@pytest.fixture
def seen(monkeypatch):
    """The rows that teachers were shown, a list for each round; made-up rows of the kernel's first three calls too."""
    rounds = []
    honest = Questions.teacher

    def instrumented(self):
        answers = honest(self)
        rounds.append(shown := [])
        return lambda rows: shown.append(rows.copy()) or answers(rows)

    monkeypatch.setattr(Questions, "teacher", instrumented)
    return rounds


def test_every_row_is_seen_by_one_teacher_the_same_one_in_all_rounds(seen):
    codes = related(3000)
    fitted(SMALL, codes)
    assert len(seen) == SMALL.rounds
    rounds = [shown[3:] for shown in seen]
    assert 250 < len(rounds[0]) < 350
    for parts in rounds:
        assert all(np.array_equal(one, two) for one, two in zip(parts, rounds[0], strict=True))
    held, table = np.concatenate(rounds[0]), np.column_stack([codes[a] for a in SIZES])
    numbers = [np.sort(np.unique(rows, axis=0, return_counts=True)[1]) for rows in (held, table)]
    np.testing.assert_array_equal(*numbers)  # bins have numbers of their own


def test_a_teacher_that_lets_a_row_out_is_seen(monkeypatch):
    """A broken double: what is expected of teachers is shifted by how many rows a real one saw."""
    out = []
    honest, updated = Questions.teacher, Questions.expected
    mechanism = replace(SMALL, questions=5, rows_per_teacher=2)

    def remembers(self):
        answers = honest(self)
        return lambda rows: out.append(len(rows)) or answers(rows)

    def leaks(self, rows, size, rng):
        expected = updated(self, rows, size, rng)
        expected.mean[:] += 1e-3 * sum(out)
        return expected

    monkeypatch.setattr(Questions, "teacher", remembers)
    assert not interferes(mechanism)
    assert out
    monkeypatch.setattr(Questions, "expected", leaks)
    assert interferes(mechanism)


def test_each_round_is_charged_before_anybody_is_asked_and_there_is_nothing_left_for_another(seen):
    _, accountant = fitted(SMALL, related(3000))
    lines = list(accountant.ledger.entries())
    charged = [x for x in lines if x["kind"] == "charge" and x["purpose"].startswith("ask teachers about 20 rows")]
    event = SMALL.votes(accountant.budget)[0]
    assert [x["event"]["noise_multiplier"] for x in charged] == [event.noise_multiplier] * 3
    with pytest.raises(BudgetExceededError):
        accountant.charge(event, "ask teachers once more")
    assert accountant.spent().epsilon == pytest.approx(8, rel=1e-6)


@pytest.mark.parametrize("unit", [PrivacyUnit(adjacency="replace"), PrivacyUnit(max_records=4)], ids=str)
def test_units_that_are_replaced_or_have_several_rows_are_served(unit):
    model, accountant = fitted(SMALL, related(6000), unit=unit)
    assert isinstance(model.coarse, HiddenModel)
    assert accountant.spent().epsilon == pytest.approx(8, rel=1e-6)


def test_dependence_is_learned_that_independent_columns_lack(caplog):
    mechanism = PATEGAN(rounds=4, questions=60, moves=120, network=DPCTGAN(components=256, generator_rate=5e-3))
    with caplog.at_level(logging.INFO, logger="dpsynth.mechanisms"):
        model, _ = fitted(mechanism, related(20_000), seed=0)
    pair = model.project(("a", "b")) / model.total
    assert np.trace(pair) > 0.7  # 0.25 if independent; over six seeds 0.854 to 0.870
    np.testing.assert_allclose(model.project(("c",)) / model.total, 1 / 3, atol=0.006)  # 0.0013 to 0.0018
    assert "epsilon 8 of 8 is spent, for all rounds of votes" in caplog.text
    assert "round 4 of 4: votes of" in caplog.text


def test_too_few_rows_for_teachers_are_spent_on_columns_and_the_log_says_so(caplog, seen):
    with caplog.at_level(logging.INFO, logger="dpsynth.mechanisms"):
        model, accountant = fitted(PATEGAN(), related(400), Budget(1.0, 1e-6))
    assert model.outcome.endswith(
        "rows, the noise of training would exceed what can be learned; all was spent on columns"
    )
    assert model.outcome in caplog.text
    assert not seen
    assert accountant.spent().epsilon == pytest.approx(1, rel=1e-6)
    assert not isinstance(model.coarse, HiddenModel)


def test_the_front_door_fits_saves_and_loads(tmp_path):
    schema = dpsynth.Schema({name: dpsynth.Categorical(range(k)) for name, k in SIZES.items()})
    settings = {name: value for name, value in asdict(SMALL).items() if name != "network"}
    synthesizer = dpsynth.Synthesizer(
        schema, "pate-gan", epsilon=5, delta=1e-6, network=NETWORK, ledger=None, **settings
    )
    synthesizer.fit(pd.DataFrame(related(3000)))
    synthesizer.certificate.verify()
    asked = synthesizer.certificate.record["released"]["outcome"]
    assert re.fullmatch(r"\d+ teachers voted on 20 rows in each of 3 rounds", asked)
    synthesizer.save(tmp_path / "m.dpsynth")
    again = dpsynth.Synthesizer.load(tmp_path / "m.dpsynth")
    pd.testing.assert_frame_equal(
        synthesizer.sample(100, where="a == 2", seed=1), again.sample(100, where="a == 2", seed=1)
    )


@pytest.mark.parametrize(
    "bad", [{"rounds": 0}, {"questions": 2.5}, {"rows_per_teacher": 0}, {"vote_share": 0.95}, {"oneway_share": 1.0}]
)
def test_settings_that_mean_nothing_are_refused(bad):
    with pytest.raises(ValueError, match=r"\w"):
        PATEGAN(**bad)
