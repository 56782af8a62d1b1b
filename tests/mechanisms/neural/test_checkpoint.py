"""Fits that die and go on from a checkpoint: the same charges, a file without private values, refusals for free."""

from __future__ import annotations

import json
import logging
import shutil
import signal
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="networks need PyTorch: pip install 'dpsynth[gan]'")

import dpsynth
from dpsynth.base.archive import read_archive, write_archive
from dpsynth.evidence import verify
from dpsynth.kernel.accountant import Charge
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.mechanisms.checkpoint import Checkpoint, CheckpointError
from dpsynth.mechanisms.neural.dp_ctgan import DPCTGAN
from dpsynth.mechanisms.neural.hybrid import Hybrid
from dpsynth.testing import BlindAccountant
from dpsynth.training.dpsgd import Training
from tests.mechanisms.neural.test_command import SIZES, schema, table
from tests.mechanisms.test_contract import random_table
from tests.rings.blind import Resuming
from tests.structure.source import ROOT

STEPS = 50
ROOMY = dpsynth.Budget(50.0, 1e-6)
NETWORK = DPCTGAN(steps=STEPS, rate=0.2, components=64, fakes=32, generator=(8,), critic=(4,))
MECHANISMS = [NETWORK, Hybrid(network=NETWORK)]
every_mechanism = pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda m: type(m).__name__)


class Died(BaseException):
    """What a process that is killed does not survive."""


def in_step(number):
    """Of the n-th step: after it was claimed, before its noise is drawn."""
    taken, honest = [], Training._take

    def take(training, block):
        honest(training, block)
        taken.append(1)
        if len(taken) == number:
            raise Died

    return Training, "_take", take


def once_kept(done):
    """Once so many steps are kept."""
    honest = Checkpoint.save

    def save(checkpoint, training, state):
        honest(checkpoint, training, state)
        if training.done >= done:
            raise Died

    return Checkpoint, "save", save


def dies(when, act):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(*when)
        with pytest.raises(Died):
            act()


def fit(folder, mechanism=NETWORK, rows=None, **changed):
    arguments = {"epsilon": 8, "delta": 1e-6, "ledger": folder / "l", "checkpoint": folder / "c", **changed}
    made = dpsynth.Synthesizer(arguments.pop("schema", schema()), mechanism, **arguments)
    return made.fit(table() if rows is None else rows)


def die(folder, mechanism=NETWORK, *, at=11, **changed):
    """A fit that dies in this step."""
    dies(in_step(at), lambda: fit(folder, mechanism, **changed))


def lines(folder, kind):
    return [line for line in dpsynth.Ledger.open(folder / "l").entries() if line["kind"] == kind]


def events(certificate):
    """What was charged; of the hybrid, whose marginal release measures what noisy scores choose, the rest of it."""
    lines = [charge["line"] for charge in certificate.record["charges"]]
    chosen = certificate.record["mechanism"]["name"] == "hybrid"
    return [
        (line["purpose"], line["event"]) for line in lines if not (chosen and line["purpose"].startswith("measure"))
    ]


@every_mechanism
def test_a_fit_that_died_goes_on_under_the_charges_that_it_began_with(mechanism, tmp_path, caplog):
    """Dies at step 11, of which 10 to 12 were claimed: 9 steps are kept, 3 are lost."""
    die(tmp_path, mechanism)
    before = lines(tmp_path, "charge")
    with caplog.at_level(logging.INFO, logger="dpsynth.mechanisms"):
        made = fit(tmp_path, mechanism)
    assert (
        f"{tmp_path / 'c'}: the training goes on after step 9 of 50; 3 steps that were under way are lost"
        in caplog.text
    )
    assert not (tmp_path / "c").exists()
    assert lines(tmp_path, "charge")[: len(before)] == before
    assert len(lines(tmp_path, "run")) == len(lines(tmp_path, "commit")) == 1
    assert made.certificate.record["trainings"] == {"resumed": 1, "lost": 3}
    whole = fit(tmp_path, mechanism, ledger=tmp_path / "other", checkpoint=None).certificate
    assert events(made.certificate) == events(whole)
    assert made.certificate.record["spent"]["epsilon"] == pytest.approx(whole.record["spent"]["epsilon"], rel=1e-9)
    made.certificate.save(tmp_path / "release")
    assert verify.check(tmp_path / "release") == []
    dpsynth.Ledger.open(tmp_path / "l").verify(made.certificate.record["ledger"]["head"])


def test_a_fit_may_die_again_and_again(tmp_path):
    for at in (4, 8, 1, 20):
        die(tmp_path, at=at)
    record = fit(tmp_path).certificate.record
    assert record["trainings"] == {"resumed": 4, "lost": 12}
    assert record["steps"][-1]["upto"] == STEPS


def outcome(model, domain):
    return [model.project((a, b)) for a, b in zip(domain.attributes, domain.attributes[1:], strict=False)]


@every_mechanism
@pytest.mark.parametrize("done", [0, 18, STEPS])
def test_a_training_that_lost_no_step_ends_as_if_it_had_never_died(mechanism, done, tmp_path):
    """With charges that answer the same, and all random numbers from the public seed."""
    rows, reserve = random_table(2999, seed=2), mechanism.reserve(ROOMY)
    whole = mechanism.fit(rows, BlindAccountant(ROOMY, reserve=reserve))
    first = BlindAccountant(ROOMY, reserve=reserve)
    dies(once_kept(done), lambda: mechanism.fit(rows, first, Checkpoint(tmp_path / "c", {}, first)))
    second = Resuming.going_on(first)
    checkpoint = Checkpoint(tmp_path / "c", {}, second)
    document, arrays = read_archive(tmp_path / "c", "checkpoint.json")
    checkpoint.values, checkpoint.charge = {**document["values"], **arrays}, document["charge"]
    checkpoint.done = document["done"]
    resumed = mechanism.resume(rows, second, checkpoint)
    for one, other in zip(outcome(whole, rows.domain), outcome(resumed, rows.domain), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


@every_mechanism
def test_a_checkpoint_depends_on_the_rows_through_charges_only(mechanism, tmp_path, monkeypatch):
    """Two unrelated tables of different length, and charges that do not look: the files written are the same."""
    honest, written = Checkpoint.save, {10: [], 2999: []}

    def save(checkpoint, training, state):
        honest(checkpoint, training, state)
        with zipfile.ZipFile(checkpoint.path) as file:
            written[rows].append([file.read(name) for name in file.namelist()])

    monkeypatch.setattr(Checkpoint, "save", save)
    for rows in written:
        accountant = BlindAccountant(ROOMY, reserve=mechanism.reserve(ROOMY))
        mechanism.fit(random_table(rows, seed=rows), accountant, Checkpoint(tmp_path / "c", {}, accountant))
    assert len(written[10]) == 18
    assert written[10] == written[2999]


def test_no_private_value_is_in_a_checkpoint(tmp_path):
    """Values of a column whose bounds nobody knows, and names of persons: as text, and as numbers of any width."""
    columns = {**schema().columns, "income": dpsynth.Numeric(None, None)}
    people = dpsynth.Schema(columns, unit=PrivacyUnit("who", 1))
    rng = np.random.default_rng(0)
    canaries = 70_000 + rng.random(6000) * 1e4
    rows = table().assign(income=canaries, who=[f"canary-{i}" for i in range(6000)])
    die(tmp_path, schema=people, rows=rows)
    with zipfile.ZipFile(tmp_path / "c") as file:
        content = b"".join(file.read(name) for name in file.namelist())
    assert b"income" in content
    assert b"canary-" not in content
    for value in canaries[:300]:
        seen = (repr(float(value)).encode()[:9], struct.pack("<d", value), struct.pack("<f", value))
        assert not any(found in content for found in seen)
    assert fit(tmp_path, schema=people, rows=rows).certificate.record["trainings"]["resumed"] == 1


OTHERS = {
    "epsilon": {"epsilon": 7},
    "delta": {"delta": 1e-7},
    "mechanism": {"mechanism": MECHANISMS[1]},
    "setting seed": {"mechanism": DPCTGAN(**{**vars(NETWORK), "seed": 1})},
    "purpose": {"purpose": "sale"},
    "approvals": {"approvals": {"board": "case 1"}},
    "schema": {"schema": dpsynth.Schema({**schema().columns, "a": dpsynth.Categorical(range(5))})},
}


@pytest.fixture(scope="module")
def died(tmp_path_factory):
    """The folder of a fit that died."""
    folder = tmp_path_factory.mktemp("died")
    dies(once_kept(9), lambda: fit(folder))
    return folder


@pytest.fixture
def folder(died, tmp_path):
    shutil.copytree(died, tmp_path / "copy")
    return tmp_path / "copy"


def refused(folder, match, **changed):
    """One sentence, and nothing is spent: no line of the ledger is written."""
    ledger = changed.get("ledger", folder / "l")
    before = dpsynth.Ledger.open(ledger).entries()
    with pytest.raises(CheckpointError, match=match) as caught:
        fit(folder, **changed)
    assert "\n" not in str(caught.value)
    assert dpsynth.Ledger.open(ledger).entries() == before


@pytest.mark.parametrize(("name", "changed"), OTHERS.items(), ids=OTHERS)
def test_the_state_of_another_fit_is_refused(name, changed, folder):
    refused(folder, rf"was written by another fit \(.*{name} is ", **changed)


def test_the_state_of_another_account_is_refused(folder):
    budget = dpsynth.Budget(20, 1e-6)
    dpsynth.Ledger.create(folder / "other", budget, dataset="d", unit=PrivacyUnit())
    refused(folder, "account is ", ledger=folder / "other")


def test_an_older_copy_of_the_ledger_is_refused(folder):
    shutil.copy(folder / "l", folder / "older")
    dies(once_kept(12), lambda: fit(folder))
    shutil.move(folder / "older", folder / "l")
    refused(folder, "do not belong together")


def test_what_has_ended_is_not_resumed(folder):
    shutil.copy(folder / "c", folder / "kept")
    fit(folder)
    shutil.move(folder / "kept", folder / "c")
    refused(folder, "is committed: only one that is drawing")


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "text", "version", "arrays", "values"])
def test_a_damaged_checkpoint_is_refused(damage, folder):
    path = folder / "c"
    whole = path.read_bytes()
    document, arrays = read_archive(path, "checkpoint.json")
    if damage == "version":
        write_archive(path, "checkpoint.json", {**document, "dpsynth_checkpoint": 2}, arrays)
    elif damage in ("arrays", "values"):
        gone = {"arrays": "values", "values": "critic:0"}[damage]
        write_archive(path, "checkpoint.json", document, {k: v for k, v in arrays.items() if k != gone})
    else:
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
        path.write_bytes({"empty": b"", "cut": whole[:middle], "flipped": flipped, "text": b"checkpoint"}[damage])
    before = dpsynth.Ledger.open(folder / "l").runs()[0]
    with pytest.raises(CheckpointError, match=r"damaged|another format|does not hold the state"):
        fit(folder)
    after = dpsynth.Ledger.open(folder / "l").runs()[0]
    assert (after.cost, after.state, after.charges) == (before.cost, before.state, before.charges)
    assert [t.upto for t in after.trainings.values()] == [t.upto for t in before.trainings.values()]
    path.write_bytes(whole)
    assert fit(folder).certificate.record["trainings"]["lost"] == 0


def test_of_two_that_resume_copies_the_later_one_goes_on_and_both_take_what_is_left(folder, monkeypatch):
    """The second begins while the first is under way, and has it refused at its next claim."""
    shutil.copy(folder / "c", folder / "twin")
    taken, honest, second = [], Training.step, []

    def step(self, gradients):
        taken.append(1)
        if len(taken) == 5:
            second.append(fit(folder, checkpoint=folder / "twin").certificate.record)
        return honest(self, gradients)

    monkeypatch.setattr(Training, "step", step)
    with pytest.raises(ValueError, match=r"is committed|resumed elsewhere"):
        fit(folder)
    assert second[0]["trainings"]["resumed"] == 2
    assert second[0]["steps"][-1]["upto"] == STEPS
    assert 9 + len(taken) - 2 <= STEPS


def test_a_comparison_that_died_with_a_process_gives_way_to_the_marginal_release(tmp_path, caplog):
    mechanism = MECHANISMS[1]
    honest = Charge.gaussian

    def gaussian(charge, values):
        if values.shape == (2 * len(SIZES) * (len(SIZES) - 1) // 2,):
            raise Died
        return honest(charge, values)

    dies((Charge, "gaussian", gaussian), lambda: fit(tmp_path, mechanism))
    assert lines(tmp_path, "charge")[-1]["purpose"].startswith("compare")
    with caplog.at_level(logging.INFO, logger="dpsynth.mechanisms"):
        made = fit(tmp_path, mechanism)
    assert "the comparison was charged, and lost with a process that died" in caplog.text
    made.certificate.save(tmp_path / "release")
    assert verify.check(tmp_path / "release") == []


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"mechanism": "aim"}, "only dp-ctgan and hybrid can use a checkpoint, not aim"),
        ({"mechanism": "pate-gan"}, "not pate-gan"),
        ({"ledger": None}, "needs a ledger in a file"),
        ({"unsafe_seed": 3}, "would draw the same noise again"),
        ({"checkpoint": Path("l")}, "is the ledger"),
        ({"checkpoint": "nowhere/c"}, "does not exist"),
    ],
)
def test_what_cannot_be_resumed_takes_no_checkpoint(changed, match, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=match):
        fit(tmp_path, **{"ledger": Path("l"), **changed})
    assert not list(tmp_path.iterdir())


KILLED = """
import os, signal
from dpsynth.training.dpsgd import Training
from dpsynth.cli import main
taken, honest = [], Training.step
def step(self, gradients):
    taken.append(1)
    if len(taken) == 30:
        os.kill(os.getpid(), signal.SIGKILL)
    return honest(self, gradients)
Training.step = step
main()
"""


def test_a_command_that_was_killed_goes_on_when_it_is_given_again(tmp_path):
    schema().save(tmp_path / "schema.yaml")
    table().to_parquet(tmp_path / "rows.parquet")
    line = "fit rows.parquet --schema schema.yaml --epsilon 8 --delta 1e-6 --mechanism dp-ctgan --ledger l -o m.dpsynth"
    arguments = [*line.split(" "), "--checkpoint", "c", "--certificate", "release", "--progress"]
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], cwd=tmp_path, env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    again = [sys.executable, "-c", "from dpsynth.cli import main; main()", *arguments]
    done = subprocess.run(again, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "c: the training goes on after step 15 of 300; 15 steps that were under way are lost" in done.stderr
    assert "resumed once under the charge it had begun with: 15 of its steps were lost" in done.stdout
    assert verify.check(tmp_path / "release") == []
    assert not (tmp_path / "c").exists()
    record = json.loads((tmp_path / "release" / "certificate.json").read_text())
    assert record["trainings"] == {"resumed": 1, "lost": 15}
