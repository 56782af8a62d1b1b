"""What a certificate says of a training that was interrupted and resumed, and that both programs check it."""

from __future__ import annotations

import json

import pytest

from dpsynth.evidence import verify
from dpsynth.evidence.certificate import Certificate
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.opening import Accountant
from dpsynth.schema.table import Schema
from tests.evidence.test_verify import COLUMNS, TRAINING, issue, rechained, rehash


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
    assert "40 of its steps were lost, and count as taken" in interrupted.to_html()
    assert record["spent"] == issue([TRAINING, Gaussian(30.0)]).record["spent"]
    interrupted.save(tmp_path)
    assert verify.check(tmp_path) == []
    assert Certificate.load(tmp_path).record == record
    assert "resumed" not in issue().summary()


def claimed(*steps):
    """The record of a training about which the ledger would have these lines: (resumed, lost, upto)."""
    ledger = Ledger.create(None, Budget(9.0, 1e-6), dataset="claims", unit=PrivacyUnit())
    accountant = Accountant(Budget(2.0, 1e-6), ledger=ledger, reserve=[TRAINING])
    accountant.charge(TRAINING, "train")
    facts = {"mechanism": "m", "settings": {}, "bounds": {}, "released": {}}
    record = Certificate.issue(schema=Schema(COLUMNS), ledger=ledger, run=accountant.run, **facts).record
    before = record["charges"][0]["line"]
    for number, (resumed, lost, upto) in enumerate(steps):
        line = {"kind": "steps", "run": accountant.run, "charge": 3, "seq": 4 + number, "prev": before["hash"]}
        rehash(line, resumed=resumed, lost=lost, upto=upto)
        record["steps"].append(line)
        before = line
    record["trainings"] = {name: record["steps"][-1][name] for name in ("resumed", "lost")}
    record["ledger"].update(lines=4 + len(steps), head=before["hash"])
    return json.loads(json.dumps(record))


def test_lines_about_steps_follow_the_ledgers_rule_in_both_programs():
    for sound in [((0, 0, 500),), ((0, 0, 100), (1, 40, 100), (1, 40, 500)), ((0, 0, 25), (1, 0, 25), (2, 25, 25))]:
        record = claimed(*sound)
        assert verify.faults(record) == []
        Certificate(record).verify()


@pytest.mark.parametrize(
    "steps",
    [
        ((0, 0, 500), (1, 500, 500), (0, 0, 500)),
        ((0, 0, 500), (0, 0, 0), (0, 0, 500)),
        ((0, 0, 500), (0, 0, 500)),
        ((0, 0, 500), (1, -3, 500)),
        ((-1, 0, 500),),
        ((0, 0, True),),
        ((0, 0, 0.5),),
        ((0, 0, 600),),
        ((0, 0, 100), (1, 101, 100)),
        ((0, 0, 100), (1, 0, 200)),
    ],
    ids=str,
)
def test_lines_about_steps_that_no_ledger_would_hold_are_found_by_both_programs(steps):
    record = claimed(*steps)
    assert any("more steps of a training" in fault for fault in verify.faults(record))
    with pytest.raises(ValueError, match="steps are not what a ledger counts"):
        Certificate(record).verify()


@pytest.mark.parametrize("charge", [4, 7], ids=["a line of steps", "noise, later"])
def test_steps_of_what_is_no_training_are_found_by_both_programs(charge, interrupted, tmp_path):
    record = json.loads(interrupted.to_json())
    rehash(record["steps"][0], charge=charge)
    (tmp_path / "certificate.json").write_text(json.dumps(record))
    assert verify.check(tmp_path)
    with pytest.raises(ValueError, match="steps are not what a ledger counts"):
        Certificate.load(tmp_path)


@pytest.mark.parametrize("hide", [lambda r: r["charges"].pop(), lambda r: r["steps"].pop()], ids=["charge", "steps"])
def test_the_last_line_of_a_run_cannot_pass_for_its_end(hide, interrupted):
    """No line is rewritten, the head is true, and no other line is lied about."""
    record = json.loads(interrupted.to_json())
    record["run"]["ended"] = None
    hide(record)
    assert any("left out" in fault for fault in verify.faults(record))
    with pytest.raises(ValueError, match="lines of its run are left out"):
        Certificate(record).verify()


@pytest.mark.parametrize("adjacency", ["replace", "replaced"])
def test_training_on_samples_is_no_guarantee_for_units_that_are_replaced(adjacency, interrupted, tmp_path):
    record = json.loads(interrupted.to_json())
    for place in (record["unit"], record["ledger"]["line"]["unit"]):
        place["adjacency"] = adjacency
    for place in (record["unit"], record["claim"]):
        for name in ("description", "sentence"):
            if name in place:
                place[name] = place[name].replace("added or removed", "replaced by others")
    rehash(record["ledger"]["line"])
    (tmp_path / "certificate.json").write_text(json.dumps(record))
    assert verify.check(tmp_path)
    with pytest.raises(ValueError, match="certificate"):
        Certificate.load(tmp_path)


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
