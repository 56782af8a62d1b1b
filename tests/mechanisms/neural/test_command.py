"""Networks through the front door: a plan that a fit keeps to, progress on stderr, evidence that others can check."""

from __future__ import annotations

import json
import logging
import math
import sys
import time
from dataclasses import asdict
from importlib.metadata import EntryPoint

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.base.domain import Domain
from dpsynth.cli import main
from dpsynth.door.table import PrivateTable
from dpsynth.evidence import verify
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.mechanisms.neural.dp_ctgan import DPCTGAN
from dpsynth.mechanisms.neural.hybrid import Hybrid
from dpsynth.mechanisms.neural.pate_gan import PATEGAN
from dpsynth.mechanisms.neural.settled import MAX_NOISE, MAX_VOTE_NOISE, PlannedVotes
from dpsynth.mechanisms.registry import GROUP, TABLES

ROWS = 6000
SIZES = {"a": 4, "b": 4, "c": 3, "d": 6}
NETWORK = DPCTGAN(steps=20, rate=0.2, components=64, fakes=32, generator=(8,), critic=(4,))
VOTES = PATEGAN(rounds=3, questions=20, rows_per_teacher=10, moves=4, network=NETWORK)
SAMPLED = [NETWORK, Hybrid(network=NETWORK)]
MECHANISMS = [*SAMPLED, VOTES]
PROGRESS = "step 20 of 20: the critic scores generated rows"

every_mechanism = pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda m: type(m).__name__)


class Small(DPCTGAN):
    def __init__(self):
        super().__init__(**asdict(NETWORK))


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="networks need PyTorch: pip install 'dpsynth[gan]'")


def schema(unit=None):
    return dpsynth.Schema({name: dpsynth.Categorical(range(size)) for name, size in SIZES.items()}, unit=unit)


def table(people=False):
    rng = np.random.default_rng(0)
    a = rng.integers(0, 4, ROWS)
    codes = {"a": a, "b": np.where(rng.random(ROWS) < 0.9, a, rng.integers(0, 4, ROWS)), "c": a % 3}
    rows = pd.DataFrame({**codes, "d": rng.integers(0, 6, ROWS)})
    return rows.assign(who=np.arange(ROWS) // 2) if people else rows


def kind(purpose, seen):
    """The kind of query, in a plan's words, that a charge with this purpose is; and its numbers."""
    again = "a column or the row count, again"
    if purpose == "measure the row count":
        return next(w for w in ("the row count, beforehand", "the row count", again) if not seen.get(w, [0])), 1
    if purpose.startswith("compare"):
        return "the comparison of two models", 2 * math.comb(len(SIZES), 2)
    if purpose.startswith("ask teachers"):
        return "votes of teachers", VOTES.questions
    if purpose.startswith("choose among"):
        return "scores of all pairs", int(purpose.split()[2])
    if " x " in purpose:
        return "a pair of columns", 1
    return ("every column" if len(seen["every column"]) < len(SIZES) else again), 1


def said(plan):
    """What a plan says that is trained, and whether noise would drown it."""
    it = plan.training
    if isinstance(it, PlannedVotes):
        return [{"event": "gaussian", "noise_multiplier": it.noise_multiplier}] * it.rounds, it.noise > MAX_VOTE_NOISE
    event = {"event": "dp_sgd", "rate": 0.2, "noise_multiplier": it.noise_multiplier, "steps": 20}
    return [event], it.noise_length > MAX_NOISE


@every_mechanism
@pytest.mark.parametrize("unit", [PrivacyUnit(), PrivacyUnit("who", 2)], ids=["rows", "people"])
@pytest.mark.parametrize("epsilon", [0.005, 8.0])
def test_what_a_fit_charges_lies_within_the_plan(torch, mechanism, unit, epsilon):
    synthesizer = dpsynth.Synthesizer(schema(unit), mechanism, epsilon=epsilon, delta=1e-6, unsafe_seed=3, ledger=None)
    plan = synthesizer.plan(ROWS)
    start = time.process_time()
    charges = [c["line"] for c in synthesizer.fit(table(unit.id_column is not None)).certificate.record["charges"]]
    assert time.process_time() - start < plan.seconds[1]
    trained = [c["event"] for c in charges if c["purpose"].startswith(("train a critic", "ask teachers"))]
    events, too_noisy = said(plan)
    assert trained == ([] if too_noisy else events)
    assert too_noisy == (epsilon < 1)
    seen = {q.what: [] for q in plan.queries}
    for line in charges:
        if line["event"]["event"] == "gaussian":
            what, numbers = kind(line["purpose"], seen)
            noise = line["event"]["noise_multiplier"] * unit.count_sensitivity(2)[1]
            seen[what].append(noise * math.sqrt(numbers))
    for query in plan.queries:
        assert query.charges[0] <= len(seen[query.what]) <= query.charges[1], query
        for stddev in seen[query.what]:
            assert query.stddev[0] * (1 - 1e-6) <= stddev <= query.stddev[1] * (1 + 1e-6), query


@pytest.mark.parametrize("name", ["dp-ctgan", "hybrid"])
def test_a_plan_needs_no_pytorch_and_says_what_will_be_trained(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    plan = dpsynth.Synthesizer(schema(), name, epsilon=1, delta=1e-6, ledger=None).plan(50_000)
    assert "training: 300 steps on about 2,500 rows each (rate 0.05), noise multiplier" in plan.summary()
    assert json.loads(json.dumps(plan.record()))["training"]["steps"] == 300


def test_a_plan_of_votes_says_who_is_asked_and_how_often():
    plan = dpsynth.Synthesizer(schema(), "pate-gan", epsilon=1, delta=1e-6, ledger=None).plan(50_000)
    assert "votes: 8 rounds of 250 questions to about 3,571 teachers, noise multiplier" in plan.summary()
    assert json.loads(json.dumps(plan.record()))["training"]["teachers"] == 3571


@pytest.mark.parametrize("mechanism", SAMPLED, ids=lambda m: type(m).__name__)
def test_what_cannot_be_trained_is_refused_by_the_plan_too(mechanism):
    replaced = dpsynth.Synthesizer(
        schema(PrivacyUnit(adjacency="replace")), mechanism, epsilon=1, delta=1e-6, ledger=None
    )
    with pytest.raises(ValueError, match="add-remove"):
        replaced.plan(ROWS)
    tiny = dpsynth.Synthesizer(schema(), mechanism, epsilon=1, delta=1e-13, ledger=None)
    with pytest.raises(dpsynth.BudgetExceededError, match="does not pay for"):
        tiny.plan(ROWS)


@every_mechanism
def test_an_accountant_that_reserved_no_training_is_refused_before_any_charge(torch, mechanism):
    accountant = dpsynth.Accountant(dpsynth.Budget(1.0, 1e-6))
    codes = {name: table()[name].to_numpy() for name in SIZES}
    with pytest.raises(ValueError, match=r"reserve=mechanism\.reserve"):
        mechanism.fit(PrivateTable.from_codes(codes, Domain.of(SIZES)), accountant)
    assert accountant.spent().epsilon == 0


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Runs a command line in a directory with a schema and a table; gives the exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    schema().save("schema.yaml")
    table().to_parquet("rows.parquet")

    def call(line):
        monkeypatch.setattr(sys, "argv", ["dpsynth", *line.split(" ")])
        with pytest.raises(SystemExit) as left:
            main()
        streams = capsys.readouterr()
        return left.value.code or 0, streams.out, streams.err

    return call


FIT = "fit rows.parquet --schema schema.yaml --epsilon 8 --delta 1e-6 --mechanism dp-ctgan --ledger a.ledger"


def test_a_fit_tells_its_progress_on_stderr_and_its_certificate_holds(torch, command, tmp_path, monkeypatch):
    monkeypatch.setitem(TABLES.ours, "dp-ctgan", EntryPoint("dp-ctgan", f"{__name__}:Small", GROUP))
    code, out, said = command(f"{FIT} -o m.dpsynth --certificate release --progress")
    assert code == 0
    assert PROGRESS in said
    assert "epsilon 8 of 8 is spent, for all steps of the training" in said
    assert "step 20" not in out
    assert command("verify release")[0] == 0
    assert command("ledger verify a.ledger")[0] == 0
    code, out, _ = command("ledger show a.ledger --charges")
    assert "train a" in out
    record = json.loads((tmp_path / "release" / "certificate.json").read_text())
    assert {"dp_sgd"} < {c["line"]["event"]["event"] for c in record["charges"]}
    assert record["run"]["line"]["reserve"][0]["event"] == "dp_sgd"
    assert record["released"]["outcome"] == "a critic was trained in 20 steps"
    assert "a critic was trained in 20 steps" in (tmp_path / "release" / "certificate.html").read_text()
    assert logging.getLogger("dpsynth").handlers == []


def test_a_certificate_that_says_less_of_its_training_is_refuted(torch, tmp_path):
    synthesizer = dpsynth.Synthesizer(schema(), NETWORK, epsilon=1, delta=1e-6, ledger=None).fit(table())
    path = synthesizer.certificate.save(tmp_path / "release") / "certificate.json"
    assert verify.check(path) == []
    record = json.loads(path.read_text())
    training = next(c for c in record["charges"] if c["line"]["event"]["event"] == "dp_sgd")
    training["line"]["event"]["noise_multiplier"] *= 2
    path.write_text(json.dumps(record))
    assert verify.check(path)


@pytest.mark.parametrize("mechanism", [DPCTGAN(), DPCTGAN(rate=1.0), Hybrid(network=DPCTGAN(rate=1.0))], ids=repr)
def test_units_that_are_replaced_cost_nothing_though_bounds_are_to_be_learned(mechanism):
    unit = PrivacyUnit(adjacency="replace")
    ledger = dpsynth.Ledger.create(None, dpsynth.Budget(2.0, 1e-6), dataset="d", unit=unit)
    columns = {"x": dpsynth.Numeric(0, None), "y": dpsynth.Categorical(["a", "b"])}
    synth = dpsynth.Synthesizer(dpsynth.Schema(columns, unit=unit), mechanism, epsilon=1, delta=1e-6, ledger=ledger)
    with pytest.raises(ValueError, match="add-remove"):
        synth.fit(pd.DataFrame({"x": [1.0, 2.0], "y": ["a", "b"]}))
    assert ledger.runs() == []
