"""The independent verifier: honest certificates hold, and each planted forgery is found."""

from __future__ import annotations

import ast
import copy
import hashlib
import json
import math
import sys
from pathlib import Path

import pytest

from dpsynth.accounting import nonadaptive
from dpsynth.accounting.ledger_policy import Policy
from dpsynth.base.job import Job
from dpsynth.discovery.discovery import Discovery
from dpsynth.evidence import verify
from dpsynth.evidence.certificate import Certificate
from dpsynth.evidence.verifier import recompute
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.gaussian_dp import COST_UNIT
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.names import event_to_dict
from dpsynth.ledger.opening import Accountant
from dpsynth.prices import gdp_upper_bound
from dpsynth.programs.external import ExternalProgram
from dpsynth.schema.table import Categorical, Schema
from dpsynth.training.event import DpSgd
from tests.structure.source import ROOT

COLUMNS = {"a": Categorical(["x", "y"])}
TRAINING = DpSgd(0.02, 4.0, 500)
PLAIN = (Gaussian(20.0), Gaussian(30.0))
FOUND = Discovery(400.0, 1e-9)
MIXED = (Gaussian(30.0), TRAINING, ExternalProgram(0.03125, 8e-9), ExternalProgram(0.015625, 2e-9), Gaussian(40.0))
ROOMY = Budget(2.0, 1e-6, 0.1, 2e-8)


def issue(events=PLAIN, *, budget=None, ledger=None, seed=None, unit=None, released=None):
    schema = Schema(COLUMNS, unit=unit)
    budget = budget or (ROOMY if events == MIXED or FOUND in events else Budget(2.0, 1e-6))
    ledger = ledger or Ledger.create(None, Budget(9.0, 1e-6, 0.1, 1e-7), dataset="claims", unit=schema.unit)
    others = [event for event in events if not isinstance(event, Gaussian)]
    reserve = [Gaussian(1 / math.hypot(*(1 / 30, 1 / 40))), *others] if others else None
    accountant = Accountant(budget, ledger=ledger, reserve=reserve, unsafe_seed=seed)
    for event in events:
        accountant.charge(event, "look")
    return Certificate.issue(
        schema=schema, ledger=ledger, run=accountant.run, mechanism="m", settings={}, bounds={}, released=released or {}
    )


def line_hash(line):
    text = json.dumps({k: v for k, v in line.items() if k != "hash"}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def rehash(line, **changes):
    line.update(changes)
    line["hash"] = line_hash(line)


def reserved(events, charged):
    """A certificate whose run line says what was reserved before anything was read."""
    record = issue(charged).record
    record["run"]["line"]["reserve"] = [event_to_dict(e) for e in events]
    record["schedule"] = {"fixed": True, "epsilon": nonadaptive.epsilon(events, 1e-6), "delta": 1e-6}
    return rechained(record)


def rechained(record):
    """Every hash computed anew: what is left to find is what the figures say."""
    drawing = record["run"]["drawing"]
    lines = [record["run"]["line"], *([drawing] if drawing else []), *(c["line"] for c in record["charges"])]
    before = record["ledger"]["line"]["hash"]
    for line in lines:
        rehash(line, prev=before)
        before = line["hash"]
    record["ledger"]["head"] = before
    return record


@pytest.mark.parametrize(
    "events", [(), PLAIN, MIXED, (FOUND, Gaussian(40.0))], ids=["nothing", "gaussian", "mixed", "discovery"]
)
@pytest.mark.parametrize("unit", [PrivacyUnit(), PrivacyUnit("id", 5)], ids=["rows", "people"])
def test_an_honest_certificate_holds(events, unit, tmp_path):
    issue(events, unit=unit).save(tmp_path)
    assert verify.check(tmp_path) == verify.check(tmp_path / "certificate.json") == []


def test_a_seeded_certificate_claims_nothing_and_that_holds(tmp_path):
    issue(seed=3).save(tmp_path)
    assert verify.check(tmp_path) == []


def test_runs_between_others_hold(tmp_path):
    ledger = Ledger.create(tmp_path / "l", Budget(9.0, 1e-6), dataset="claims", unit=PrivacyUnit())
    issue(ledger=ledger)
    assert verify.faults(issue(ledger=ledger).record) == []


def test_a_fixed_schedule_is_recomputed():
    record = reserved([TRAINING, Gaussian(30.0)], [TRAINING, Gaussian(30.0)])
    assert verify.faults(record) == []
    Certificate(record).verify()
    record["schedule"]["epsilon"] *= 0.99
    assert "as a whole its charges cost more" in verify.faults(record)[0]
    with pytest.raises(ValueError, match="schedule"):
        Certificate(record).verify()
    other = reserved([Gaussian(40.0)], [TRAINING])
    assert any("did not reserve" in fault for fault in verify.faults(other))


@pytest.mark.parametrize(
    "event", [DpSgd(0.01, 2.0, 2000), DpSgd(0.05, 4.0, 300), ExternalProgram(0.7, 1e-9), FOUND], ids=str
)
def test_both_programs_find_the_same_cost(event):
    price = recompute.price(event_to_dict(event))
    assert [price.lacking, price.epsilon] == [event.cost.delta / COST_UNIT, event.cost.epsilon / COST_UNIT]
    assert 0.97 * event.cost.gaussian <= price.squared * COST_UNIT <= event.cost.gaussian * 1.0001


@pytest.mark.parametrize(
    "event", [DpSgd(0.01, 2.0, 2000), DpSgd(0.01, 1.0, 10_000), DpSgd(0.002, 0.8, 10_000)], ids=str
)
@pytest.mark.parametrize("delta", [1e-6, 1e-12])
def test_the_contour_integral_never_exceeds_delta_at_the_certified_epsilon(event, delta):
    """Two programs without a formula in common: one exact, the other at most a relative 1e-3 in epsilon above it."""
    epsilon = nonadaptive.epsilon([event], delta)
    part = ((event.rate, event.noise_multiplier, event.steps),)
    worst = [max(recompute.Mix(0.0, part, r).delta(e) for r in (True, False)) for e in (epsilon, epsilon * (1 - 1e-3))]
    assert worst[0] <= delta * (1 + 1e-9)
    assert worst[1] > delta


def test_a_mixture_is_what_the_kernel_says_it_is():
    events = [Gaussian(3.0), DpSgd(0.05, 3.0, 100), ExternalProgram(0.4, 1e-8), ExternalProgram(0.1, 1e-8)]
    events += [Discovery(9.0, 2e-8), Discovery(20.0, 2e-8)]
    epsilon = nonadaptive.epsilon(events, 1e-6)
    listed = [event_to_dict(e) for e in events]
    found = max(recompute.Mix.of(listed, removed).delta(epsilon) for removed in (True, False))
    assert 0.98e-6 <= found <= 1e-6 * (1 + 1e-9)


@pytest.mark.parametrize(
    ("kept", "fault"),
    [
        ({"programs_epsilon": 0.04}, "more than was kept for them"),
        ({"programs_delta": 5e-9}, "more than was kept for them"),
        ({"programs_epsilon": 2.5}, "more than was kept for them"),
        ({"programs_delta": 1e-6}, "more than was kept for them"),
        ({"programs_epsilon": 1.9}, "costs more than the claim"),
    ],
    ids=str,
)
def test_what_is_kept_for_programs_is_recomputed(kept, fault):
    record = json.loads(issue(MIXED).to_json())
    record["budget"].update(kept)
    record["run"]["line"]["budget"] = record["budget"]
    assert any(fault in found for found in verify.faults(rechained(record)))


def test_what_is_kept_may_be_used_up():
    assert verify.faults(issue(MIXED, budget=Budget(2.0, 1e-6, 0.047, 1.1e-8)).record) == []


def test_a_program_that_did_everything_is_recomputed(tmp_path):
    budget = Budget.for_programs(1.5, 1e-7)
    ledger = Ledger.create(None, budget, dataset="claims", unit=PrivacyUnit())
    event = ExternalProgram(1.5, budget.programs_delta)
    accountant = Accountant(budget, ledger=ledger, reserve=[event])
    accountant.charge(event, "theirs")
    facts = {"mechanism": "m", "settings": {}, "bounds": {}, "released": {}}
    certificate = Certificate.issue(schema=Schema(COLUMNS), ledger=ledger, run=accountant.run, **facts)
    certificate.save(tmp_path)
    assert verify.check(tmp_path) == []
    assert certificate.record["spent"] == {"epsilon": 1.5, "delta": 1e-7}
    assert certificate.record["schedule"]["fixed"]
    assert certificate.record["schedule"]["epsilon"] == 1.5
    assert certificate.record["charges"][0]["share_percent"] == 100
    assert "81.8" in certificate.record["claim"]["meaning"]  # e^1.5 / (1 + e^1.5), rounded up
    assert "chosen before any row was read: together epsilon 1.5, which is claimed as well" in certificate.summary()


def test_certificates_of_older_versions_verify_whose_explanations_were_worded_otherwise(tmp_path):
    """How figures come about is told to a reader; only what is claimed has to stand word for word."""
    certificate = issue(MIXED)
    older = "They hold where the list was fixed beforehand; no charge was ever allowed because of them."
    certificate.record["accounting"][-1] = older
    certificate.save(tmp_path)
    assert older in (tmp_path / "certificate.json").read_text()
    assert verify.check(tmp_path) == []
    assert Certificate.load(tmp_path).record["accounting"][-1] == older


def test_a_training_of_few_steps_is_left_undecided():
    with pytest.raises(verify.Undecided):
        verify.faults(issue([DpSgd(0.01, 3.0, 1)]).record)


FORGERIES = {
    "noise multiplier changed": lambda r: r["charges"][0]["line"]["event"].update(noise_multiplier=99.0),
    "noise multiplier changed, hash too": lambda r: rehash(
        r["charges"][0]["line"], event={"event": "gaussian", "noise_multiplier": 99.0}
    ),
    "last line changed, hash too": lambda r: rehash(
        r["charges"][-1]["line"], event={"event": "gaussian", "noise_multiplier": 99.0}
    ),
    "less training": lambda r: r["charges"][1]["line"]["event"].update(steps=400),
    "first charge dropped": lambda r: r["charges"].pop(0),
    "charge dropped from the middle": lambda r: r["charges"].pop(2),
    "charge doubled": lambda r: r["charges"].append(copy.deepcopy(r["charges"][0])),
    "claim's epsilon lowered": lambda r: r["claim"].update(epsilon=0.5),
    "claim's delta lowered": lambda r: r["claim"].update(delta=1e-9),
    "sentence's epsilon lowered": lambda r: r["claim"].update(sentence=r["claim"]["sentence"].replace("(2,", "(1,")),
    "budget lowered everywhere": lambda r: (
        r["claim"].update(epsilon=0.5, sentence=r["claim"]["sentence"].replace("(2,", "(0.5,")),
        r["budget"].update(epsilon=0.5),
    ),
    "budget lowered in the line too": lambda r: (
        r["claim"].update(epsilon=0.5, sentence=r["claim"]["sentence"].replace("(2,", "(0.5,")),
        r["budget"].update(epsilon=0.5),
        rehash(r["run"]["line"], budget={**r["budget"], "epsilon": 0.5}),
    ),
    "another program's epsilon lowered": lambda r: rehash(
        r["charges"][2]["line"], event={"event": "external_program", "epsilon": 0.03, "delta": 8e-9}
    ),
    "spent lowered": lambda r: r["spent"].update(epsilon=r["spent"]["epsilon"] * 0.9),
    "whole lowered": lambda r: r["schedule"].update(epsilon=r["schedule"]["epsilon"] * 0.98),
    "schedule called fixed": lambda r: r["schedule"].update(fixed=True),
    "another unit": lambda r: r["unit"].update(max_records=50),
    "another unit in the line": lambda r: r["ledger"]["line"]["unit"].update(max_records=50),
    "unit described otherwise": lambda r: r["unit"].update(description="everybody, always"),
    "another run": lambda r: r["run"].update(id="0"),
    "another head": lambda r: r["ledger"].update(head="0" * 64),
    "a line of another kind": lambda r: r["charges"][0]["line"].update(kind="note"),
    "an unknown event": lambda r: rehash(r["charges"][-1]["line"], event={"event": "magic"}),
    "no charges": lambda r: r.pop("charges"),
    "charges that are no list": lambda r: r.update(charges=3),
    "no steps": lambda r: rehash(r["charges"][1]["line"], event={**r["charges"][1]["line"]["event"], "steps": 0}),
    "less reserved than charged": lambda r: (
        r["run"]["line"].update(reserve=r["run"]["line"]["reserve"][1:]),
        rechained(r),
    ),
    "more reserved than the budget": lambda r: (
        r["run"]["line"]["reserve"].append({"event": "gaussian", "noise_multiplier": 1.0}),
        rechained(r),
    ),
}


@pytest.fixture(scope="module")
def honest():
    return json.loads(issue(MIXED).to_json())


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forgery_is_found(forge, honest, tmp_path):
    record = copy.deepcopy(honest)
    forge(record)
    (tmp_path / "certificate.json").write_text(json.dumps(record))
    assert verify.check(tmp_path)


def test_another_mechanism_or_schema_than_the_run_line_says_is_found():
    job = Job("mst", schema="c0ffee")
    ledger = Ledger.create(None, Budget(9.0, 1e-6), dataset="claims", unit=PrivacyUnit())
    accountant = Accountant(Budget(2.0, 1e-6), ledger=ledger, job=job)
    facts = {"settings": {}, "bounds": {}, "released": {}, "run": accountant.run, "ledger": ledger}
    for mechanism, sha256, sound in (("mst", "c0ffee", True), ("aim", "c0ffee", False), ("mst", "c0ffed", False)):
        record = Certificate.issue(schema=Schema(COLUMNS), mechanism=mechanism, **facts).record
        record["schema"]["sha256"] = sha256
        assert (verify.faults(record) == []) == sound
        if not sound:
            with pytest.raises(ValueError, match="is not that of its run"):
                Certificate(record).verify()


@pytest.mark.parametrize("forged", ['"spent": {"epsilon": 0.1, ', '"spent": {"epsilon_of_others": true, '])
def test_what_stands_twice_and_truth_for_a_number_are_refused(forged, honest, tmp_path):
    text = json.dumps(honest)
    (tmp_path / "certificate.json").write_text(text.replace('"spent": {', forged, 1))
    with pytest.raises(ValueError, match="certificate"):
        verify.check(tmp_path)


def test_lines_of_others_between_the_charges_are_no_fault_and_more_than_these_are(tmp_path):
    ledger = Ledger.create(tmp_path / "l", Budget(9.0, 1e-6), dataset="d", unit=PrivacyUnit())
    accountant = Accountant(Budget(2.0, 1e-6), ledger=ledger)
    accountant.charge(Gaussian(5.0), "look")
    ledger.set_policy(Policy())
    Accountant(Budget(1.0, 1e-6), ledger=ledger).close()
    accountant.charge(Gaussian(5.0), "look")
    accountant.close()
    record = Certificate.issue(
        schema=Schema({"a": Categorical(["x"])}),
        ledger=ledger,
        run=accountant.run,
        mechanism="m",
        settings={},
        bounds={},
        released={},
    ).record
    assert verify.faults(record) == []
    record["ledger"]["other_lines"] -= 1
    assert any("left out" in fault for fault in verify.faults(record))


def test_a_seeded_run_claimed_private_is_found():
    record, private = issue(seed=3).record, issue().record
    record["claim"] = private["claim"]
    assert any("seed" in fault for fault in verify.faults(record))
    record["run"]["noise"] = record["run"]["line"]["noise"] = "operating system"
    rehash(record["run"]["line"])
    assert any("seed" in fault for fault in verify.faults(record))


def test_charges_beyond_the_budget_are_found():
    record = issue([Gaussian(10.0)]).record
    line = record["charges"][0]["line"]
    rehash(line, event={"event": "gaussian", "noise_multiplier": 1.0})
    record["ledger"]["head"] = line["hash"]
    assert any("costs more than the claim" in fault for fault in verify.faults(record))


@pytest.mark.parametrize("text", ["", "[]", "{}", "\x00", '{"dpsynth_certificate": 2}'])
def test_what_is_no_certificate_is_refused(text, tmp_path):
    (tmp_path / "certificate.json").write_text(text)
    with pytest.raises(ValueError, match="certificate"):
        verify.check(tmp_path)


PROGRAM = [Path(verify.__file__), *Path(recompute.__file__).parent.glob("*.py")]


@pytest.mark.parametrize("file", PROGRAM, ids=lambda file: file.stem)
def test_it_imports_itself_and_the_standard_library_only_and_each_file_is_short(file):
    assert len(file.read_text().splitlines()) < 300
    assert strangers(file.read_text()) == set()


def test_all_of_it_can_be_read_in_an_afternoon():
    assert sum(len(file.read_text().splitlines()) for file in PROGRAM) < 1000
    assert "fewer than 1,000 lines" in (ROOT / "docs" / "accounting.md").read_text()


def strangers(text):
    """Modules that a file of the verifier may not import."""
    nodes = list(ast.walk(ast.parse(text)))
    names = {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
    for node in (n for n in nodes if isinstance(n, ast.ImportFrom)):
        names |= {f"{node.module}.{a.name}" if "verifier" in str(node.module) else str(node.module) for a in node.names}
        names |= {"a relative import"} if node.level else set()
    own = {name for name in names if name.startswith("dpsynth.evidence.verifier.")}
    return {name for name in names - own if name.split(".")[0] not in sys.stdlib_module_names}


@pytest.mark.parametrize(
    "code",
    [
        "import dpsynth",
        "import numpy",
        "from dpsynth.kernel import budget",
        "from dpsynth.evidence import wording",
        "from ..statement import parts",
        "def late():\n    from dpsynth.base.text import exact",
    ],
)
def test_a_planted_import_is_found(code):
    assert strangers(code)


def test_its_constants_are_those_of_the_kernel():
    from dpsynth.kernel import budget
    from dpsynth.programs import external

    assert recompute.LACKING == gdp_upper_bound.TAU
    assert budget.kept_for_programs(Budget(1.0, 1e-3)).delta / COST_UNIT == pytest.approx(recompute.KEPT * 1e-3)
    assert budget.MAX_EPSILON == external.MAX_PROGRAM_EPSILON == recompute.MAX_EPSILON
