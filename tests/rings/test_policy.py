"""What the owner of a data set asks of every run, and that a refusal costs nothing."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

import dpsynth
from dpsynth.accounting.ledger_policy import Policy, PolicyRefusedError
from dpsynth.base.job import Job
from dpsynth.kernel.budget import Budget, BudgetExceededError
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.opening import Accountant
from tests.rings.ledgers import create

POLICY = Policy({"research": Budget(0.6, 1e-6), "teaching": Budget(0.3, 1e-7)}, ("board", "owner"), ("mst", "aim"))
APPROVED = {"board": "case 17", "owner": "mail of 3 May"}


def run(ledger: Ledger, epsilon: float, **facts) -> Accountant:
    job = Job(**{"mechanism": "mst", "purpose": "research", "approvals": APPROVED, **facts})
    return Accountant(Budget(epsilon, 1e-6), ledger=ledger, job=job)


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"mechanism": "canopy"}, "allows the mechanisms 'mst', 'aim', got 'canopy'"),
        ({"purpose": "marketing"}, "allows the purposes 'research', 'teaching', got 'marketing'"),
        ({"purpose": ""}, "allows the purposes"),
        ({"approvals": {"board": "case 17"}}, "asks for the approval of 'owner'"),
        ({"approvals": {**APPROVED, "owner": " "}}, "asks for the approval of 'owner'"),
        ({"approvals": {}}, "asks for the approval of 'board', 'owner'"),
    ],
)
def test_a_run_that_the_policy_does_not_allow_is_refused_and_leaves_no_trace(facts, sentence):
    ledger = create(None, policy=POLICY)
    before = ledger.entries()
    with pytest.raises(PolicyRefusedError, match=sentence):
        run(ledger, 0.1, **facts)
    assert ledger.entries() == before


def test_each_purpose_has_a_cap_under_the_cap_of_the_data_set():
    policy = replace(POLICY, purposes={"research": Budget(0.6, 1e-6), "teaching": Budget(0.65, 1e-6)})
    ledger = create(None, Budget(0.75, 1e-6), policy=policy)
    first = run(ledger, 0.5)
    with pytest.raises(BudgetExceededError, match="the purpose 'research' has epsilon"):
        run(ledger, 0.5)
    first.charge(Gaussian.spending(first.cost_left), "work")
    first.close()
    with pytest.raises(BudgetExceededError, match="the ledger of 'claims' has epsilon"):
        Accountant(Budget(0.6, 1e-6), ledger=ledger, job=Job("mst", "teaching", APPROVED), reserve=[Gaussian(7.0)])
    run(ledger, 0.1, purpose="teaching").charge(Gaussian(100.0), "work")
    assert ledger.spent("research") == first.spent()
    assert 0 < ledger.spent("teaching").epsilon < 0.2
    assert ledger.spent("marketing").epsilon == 0


def test_rows_are_no_persons():
    for unit in (PrivacyUnit(), PrivacyUnit("person", 5)):
        ledger = create(None, unit=unit, policy=Policy(persons=True))
        if unit.id_column is None:
            with pytest.raises(PolicyRefusedError, match="protect persons"):
                Accountant(Budget(0.5, 1e-6), ledger=ledger)
        else:
            Accountant(Budget(0.5, 1e-6), ledger=ledger)


def test_a_change_of_policy_is_a_line_and_counts_from_then_on(tmp_path):
    ledger = create(tmp_path / "l")
    run(ledger, 0.1, mechanism="canopy")
    ledger.set_policy(POLICY)
    with pytest.raises(PolicyRefusedError):
        run(Ledger.open(tmp_path / "l"), 0.1, mechanism="canopy")
    ledger.set_policy(Policy())
    run(ledger, 0.1, mechanism="canopy")
    assert [e["kind"] for e in ledger.entries()] == ["open", "run", "policy", "policy", "run"]
    assert Ledger.open(tmp_path / "l").policy == Policy()


def test_a_policy_survives_the_ledgers_language(tmp_path):
    create(tmp_path / "l", policy=POLICY)
    assert Ledger.open(tmp_path / "l").policy == POLICY == Policy.from_dict(POLICY.to_dict())


def test_what_a_run_says_stands_in_its_line():
    ledger = create(None, policy=POLICY)
    run(ledger, 0.1, schema="c0ffee")
    line = ledger.entries()[-1]
    said = {name: line[name] for name in ("mechanism", "purpose", "approvals", "schema")}
    assert said == {"mechanism": "mst", "purpose": "research", "approvals": APPROVED, "schema": "c0ffee"}


@pytest.mark.parametrize(
    "make",
    [
        lambda: Policy({"research": 1.0}),
        lambda: Policy(["research"]),
        lambda: Policy({3: Budget(1, 1e-6)}),
        lambda: Policy(approvals="board"),
        lambda: Policy(mechanisms=[3]),
        lambda: Policy(persons=1),
        lambda: Job(mechanism=3),
        lambda: Job(purpose=None),
        lambda: Job(approvals=["board"]),
        lambda: Job(approvals={"board": 17}),
        lambda: create(None, policy={"persons": True}),
        lambda: create(None).set_policy(None),
        lambda: Accountant(Budget(1, 1e-6), job="research"),
    ],
)
def test_what_is_no_policy_and_no_job_is_refused(make):
    with pytest.raises(TypeError, match=r"polic|job|purpose|persons"):
        make()


def test_a_fit_states_its_purpose_and_approvals_and_a_refused_one_spends_nothing(tmp_path):
    ledger = create(tmp_path / "l", policy=POLICY)
    schema = dpsynth.Schema({"a": dpsynth.Categorical(["x", "y"])})
    rows = pd.DataFrame({"a": ["x", "y"] * 50})
    synthesizer = dpsynth.Synthesizer(schema, "mst", epsilon=0.5, delta=1e-6, ledger=ledger, purpose="research")
    with pytest.raises(PolicyRefusedError, match="board"):
        synthesizer.fit(rows)
    assert ledger.spent().epsilon == 0
    synthesizer.set_params(approvals=APPROVED).fit(rows)
    (done,) = ledger.runs()
    assert (done.job.purpose, done.job.schema, done.state) == ("research", schema.fingerprint(), "committed")
    assert ledger.spent("research").epsilon == pytest.approx(0.5, rel=1e-6)
