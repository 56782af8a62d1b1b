"""Trainings that crash, race, are copied and resumed: all steps that were ever taken are at most those paid for."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dpsynth.kernel.budget import Budget
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.opening import Accountant
from tests.rings import kernel
from tests.rings.processes import finish, in_children, needs_fork, start
from tests.rings.scratch import SCRATCH
from tests.rings.test_steps import STEPS, begun, event, gradients, trained

K = kernel.load()


class Crashes(RuleBasedStateMachine):
    """Any number of processes on one training: each has a handle of its own on the ledger's file."""

    any_of = st.integers(0, 99)

    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        self.path = Path(self.stack.enter_context(tempfile.TemporaryDirectory(dir=SCRATCH))) / "l"
        ledger = Ledger.create(self.path, Budget(1.0, 1e-6), dataset="d", unit=PrivacyUnit())
        accountant, self.line, charge = begun(K, ledger)
        self.run, self.taken, self.ended, self.saved = accountant.run, 0, False, [0]
        self.alive = [(trained(K, charge, 3), 0)]
        """Trainings, and how many steps led to the state of each."""

    def teardown(self) -> None:
        self.stack.close()

    @rule(which=any_of, steps=st.integers(1, 4))
    def step(self, which, steps):
        for _ in range(steps if self.alive else 0):
            number = which % len(self.alive)
            training, led = self.alive[number]
            with contextlib.suppress(RuntimeError, ValueError):
                training.step(gradients)
                self.taken += 1
                self.alive[number] = training, led + 1

    @rule(which=any_of)
    def save(self, which):
        if self.alive and self.alive[which % len(self.alive)][0].between_blocks:
            self.saved.append(self.alive[which % len(self.alive)][1])

    @rule(which=any_of)
    def crash(self, which):
        if self.alive:
            self.alive.pop(which % len(self.alive))

    @rule(which=any_of, block=st.integers(1, 4))
    def resume(self, which, block):
        """From any state that was ever saved: the newest, an older one, the same again."""
        done = self.saved[which % len(self.saved)]
        try:
            accountant = Accountant.resumed(Ledger.open(self.path), self.run)
            training = trained(K, accountant.resume(self.line, done, gradients), block)
        except ValueError:
            assert self.ended
        else:
            assert not self.ended
            self.alive.append((training, done))

    @rule()
    def end(self):
        if self.taken > 4 and not self.ended:
            Ledger.open(self.path).commit(self.run)
            self.ended = True

    @invariant()
    def no_step_is_taken_that_was_not_claimed_and_none_claimed_that_was_not_paid(self):
        ledger = Ledger.open(self.path)
        run = ledger.runs()[-1]
        steps = run.trainings[self.line]
        assert self.taken <= steps.upto <= steps.paid == STEPS
        assert all(training.done == led for training, led in self.alive)
        assert run.cost == event(K).cost


Crashes.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestCrashes = Crashes.TestCase


@pytest.fixture
def training(tmp_path):
    """A training that was begun in a file, and never touched: its path, its run, the number of its line."""
    path = tmp_path / "l"
    ledger = Ledger.create(path, Budget(1.0, 1e-6), dataset="d", unit=PrivacyUnit())
    accountant, line, _ = begun(K, ledger)
    return path, accountant.run, line


def counted(path):
    (steps,) = Ledger.open(path).runs()[-1].trainings.values()
    return steps


def goes_on(training, block, tell, done=0, seen=gradients):
    """Takes all the steps that it can get, and tells of each."""
    path, run, line = training
    mine = trained(K, Accountant.resumed(Ledger.open(path), run).resume(line, done, seen), block)
    with contextlib.suppress(RuntimeError, ValueError):
        while True:
            mine.step(seen)
            tell(b".")


@needs_fork
@pytest.mark.parametrize("block", [1, 2, STEPS])
def test_processes_that_race_on_one_state_take_no_more_than_was_paid_for(training, block):
    told = in_children([lambda tell: goes_on(training, block, tell)] * 4)
    assert 1 <= sum(map(len, told)) <= counted(training[0]).upto <= STEPS
    assert counted(training[0]).resumed == 4
    assert all(set(words) <= {ord(".")} for words in told)


@needs_fork
@pytest.mark.parametrize("where", ["after the claim", "after the first step", "after the block", "at the next claim"])
def test_a_kill_gives_no_step_back(training, where, monkeypatch):
    """kill -9 between claim and step, between steps, before the state is saved, and before the next claim."""
    when = {"after the claim": 0, "after the first step": 1, "after the block": 3, "at the next claim": 3}[where]

    def die_in_a_child(tell):
        taken, shown = [0], [0]

        def seen(codes):
            shown[0] += 1
            if shown[0] > 2 and where == "after the claim":  # the first two are made-up rows
                os.kill(os.getpid(), signal.SIGKILL)
            return gradients(codes)

        def count(word):
            tell(word)
            taken[0] += 1
            if taken[0] == when and where != "at the next claim":
                os.kill(os.getpid(), signal.SIGKILL)

        claim = Ledger.claim

        def dies(self, *facts):
            if taken[0] == when and where == "at the next claim":
                os.kill(os.getpid(), signal.SIGKILL)
            return claim(self, *facts)

        Ledger.claim = dies
        goes_on(training, 3, count, seen=seen)

    assert finish(*start(die_in_a_child)) == b"." * when
    assert counted(training[0]).upto == 3
    after = []
    goes_on(training, 3, after.append, done=0)
    assert len(after) == STEPS - 3
    assert counted(training[0]).lost == 3
