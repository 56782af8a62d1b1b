"""What a certificate says of a training that was interrupted and resumed, and that both programs check it."""

from __future__ import annotations

import json

import pytest

from dpsynth import verify
from dpsynth.certificate import Certificate
from dpsynth.privacy.accountant import Accountant
from dpsynth.privacy.budget import Budget
from dpsynth.privacy.events import Gaussian
from dpsynth.privacy.ledger import Ledger
from dpsynth.privacy.unit import PrivacyUnit
from dpsynth.schema import Schema
from tests.test_verify import COLUMNS, TRAINING, issue, rechained, rehash


@pytest.fixture(scope="module")
def interrupted():
    """A certificate of a training that died after 60 of 100 claimed steps had been saved."""
    ledger = Ledger.create(None, Budget(9.0, 1e-6), dataset="claims", unit=PrivacyUnit())
    accountant = Accountant(Budget(2.0, 1e-6), ledger=ledger, reserve=[TRAINING, Gaussian(30.0)])
    accountant.charge(TRAINING, "train")
    for claim in (("claim", 0, 100), ("resume", 60), ("claim", 1, 400)):
        getattr(ledger, claim[0])(accountant.run, 3, *claim[1:])
    accountant.charge(Gaussian(30.0), "look")
    accountant.close()
    facts = {"mechanism": "m", "settings": {}, "bounds": {}, "released": {}}
    return Certificate.issue(schema=Schema(COLUMNS), ledger=ledger, run=accountant.run, **facts)


def test_a_resumed_training_is_said_to_be_one_and_costs_what_it_would_have(interrupted, tmp_path):
    record = interrupted.record
    assert record["trainings"] == {"resumed": 1, "lost": 40}
    assert "resumed once under the charge it had begun with: 40 of its steps were lost" in interrupted.summary()
    assert "40 of its steps were lost on the way" in interrupted.to_html()
    assert record["spent"] == issue([TRAINING, Gaussian(30.0)]).record["spent"]
    interrupted.save(tmp_path)
    assert verify.check(tmp_path) == []
    assert Certificate.load(tmp_path).record == record
    assert "resumed" not in issue().summary()


@pytest.mark.parametrize(
    "forge",
    [
        lambda r: r["trainings"].update(lost=0),
        lambda r: r["trainings"].update(resumed=0),
        lambda r: r.update(trainings={"resumed": 0, "lost": 0}, steps=r["steps"][:1]),
        lambda r: r.update(trainings={"resumed": 0, "lost": 0}, steps=[]),
        lambda r: r.update(trainings={"resumed": 0, "lost": 0}, steps=r["steps"][::-1]),
        lambda r: rehash(r["steps"][-1], upto=501),
        lambda r: rehash(r["steps"][-1], lost=0),
        lambda r: rehash(r["steps"][-1], charge=9),
        lambda r: rehash(r["steps"][-1], kind="charge"),
        lambda r: rehash(r["steps"][-1], run="another"),
    ],
)
def test_what_is_told_otherwise_of_a_resumed_training_is_found(forge, interrupted, tmp_path):
    record = json.loads(interrupted.to_json())
    forge(record)
    (tmp_path / "certificate.json").write_text(json.dumps(record))
    assert verify.check(tmp_path)
    record = json.loads(interrupted.to_json())
    record["charges"][0]["line"]["event"]["steps"] = 450
    assert any("more steps of a training" in fault for fault in verify.faults(rechained(record)))
