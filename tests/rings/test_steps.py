"""What the kernel promises of trainings that are resumed, and for each promise a broken kernel that the law sees."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from tests.rings import kernel
from tests.rings.kernel import Mutant
from tests.rings.laws import BUDGET, Kernel, fails, granted, ledger_file
from tests.rings.ledger_laws import held_open, taken_in

STEPS = 7
OPTIONS = {"parameters": 2, "clip": 1.0, "assumed_rows": 10.0}


def event(k: Kernel, steps: int = STEPS):
    return k.DpSgd(1.0, 100.0, steps)


def begun(k: Kernel, ledger, seed: int | None = None):
    """An accountant that has charged a training, the number of the line, and the charge."""
    accountant = k.Accountant(k.Budget(*BUDGET), ledger=ledger, reserve=[event(k), k.Gaussian(100.0)], unsafe_seed=seed)
    charge = accountant.charge(event(k), "train", reads=gradients)
    return accountant, len(ledger.entries()) - 1, charge


def trained(k: Kernel, charge, block: int | None = 2):
    rows = k.SensitiveRows(np.zeros((20, 1), int), sizes=(2,), protects=k.PrivacyUnit())
    return charge.redeem(rows, **OPTIONS, block=block)


def gradients(codes):
    return np.zeros((len(codes), 2))


def upto(k: Kernel, path: Path, line: int) -> int:
    """How many steps the file itself, without what lies beside it, says are claimed."""
    copied = Path(tempfile.mkdtemp(dir=path.parent)) / "copy"
    copied.write_bytes(path.read_bytes())
    return int(k.Ledger.open(copied).runs()[-1].trainings[line].upto)


# Laws


def steps_are_claimed_before_they_are_taken(k: Kernel) -> None:
    """Whenever a step draws a bit, or shows a row to a callback, the file holds the claim of that step."""
    with ledger_file(k) as (path, ledger):
        accountant, line, taken = *begun(k, ledger)[:2], [0]
        unclaimed = []  # noted, and not asserted: a step runs behind the wall

        def bits(count: int) -> bytes:
            if upto(k, path, line) < taken[0]:
                unclaimed.append(taken[0])
            return os.urandom(count)

        accountant._bits = bits
        training = trained(k, accountant.resume(line, 0, gradients))
        with held_open(path):
            for number in range(1, STEPS + 1):
                taken[0] = number
                training.step(gradients)
                assert not unclaimed


def no_more_steps_are_claimed_than_were_paid_for(k: Kernel) -> None:
    with ledger_file(k) as (_, ledger):
        accountant, line, _ = begun(k, ledger)
        assert ledger.claim(accountant.run, line, 0, STEPS - 1).upto == STEPS - 1
        assert granted(lambda: ledger.claim(accountant.run, line, 0, STEPS)).upto == STEPS
        before = ledger.entries()
        for most in (1, 0, -1):
            fails(ValueError, lambda most=most: ledger.claim(accountant.run, line, 0, most))
        assert ledger.entries() == before
        assert ledger.resume(accountant.run, line, 3).lost == STEPS - 3
        fails(ValueError, lambda: ledger.claim(accountant.run, line, 1, 1))


def lines_that_claim_out_of_turn_are_refused(k: Kernel) -> None:
    """Lines whose hashes are right, and which no ledger would have written."""
    training, gaussian = k.event_to_dict(event(k)), {"event": "gaussian", "noise_multiplier": 100.0}
    run = {"run": "r", "budget": {"epsilon": 1.0, "delta": 1e-6}, "noise": "operating system"}
    run |= {
        "reserve": [training, gaussian],
        "mechanism": "",
        "purpose": "",
        "approvals": {},
        "schema": "",
        "time": None,
    }
    charges = [("charge", {"run": "r", "purpose": "", "event": e}) for e in (training, gaussian)]
    good = [("run", run), ("drawing", {"run": "r"}), *charges]

    def steps(upto: object, resumed: object = 0, lost: object = 0, charge: object = 3, run: str = "r"):
        return ("steps", {"run": run, "charge": charge, "resumed": resumed, "lost": lost, "upto": upto})

    commit = ("commit", {"run": "r", "time": None, "release": None})
    taken_in(k, [*good, steps(2), steps(3), steps(3, 1, 3), steps(3, 2, 0), steps(STEPS, 2, 0), commit])
    bad = [
        [steps(STEPS + 1)],
        [steps(0)],
        [steps(2.0)],
        [steps(2, charge=4)],
        [steps(2, charge=2)],
        [steps(2, run="s")],
        [steps(2, 1)],
        [steps(2, lost=1)],
        [steps(2), steps(2)],
        [steps(2), steps(1)],
        [steps(2), steps(3, 1)],
        [steps(2), steps(2, 2)],
        [steps(2), steps(2, 1, 3)],
        [steps(2), steps(2, 1, -1)],
        [steps(2), steps(2, 1, 1), steps(3, 0, 0)],
        [steps(2), steps(2, 1, 1), steps(3, 1, 0)],
        [steps(2), commit, steps(3)],
        [steps(2), commit, steps(2, 1)],
    ]
    for lines in bad:
        taken_in(k, [*good, *lines[:-1]])
        fails(k.LedgerCorruptError, lambda lines=lines: taken_in(k, [*good, *lines]))


def a_run_that_has_ended_is_not_resumed(k: Kernel) -> None:
    with ledger_file(k) as (path, ledger):
        accountant, line, charge = begun(k, ledger)
        training = trained(k, charge)
        training.step(gradients)
        other = k.Accountant.resumed(k.Ledger.open(path), accountant.run)
        accountant.close("ab" * 32)
        training.step(gradients)  # was claimed while the run was open
        fails(ValueError, lambda: training.step(gradients))
        fails(ValueError, lambda: other.resume(line, 2))
        fails(ValueError, lambda: k.Accountant.resumed(ledger, accountant.run))
        unread = k.Accountant(k.Budget(0.1, 1e-6), ledger=ledger)
        fails(ValueError, lambda: k.Accountant.resumed(ledger, unread.run))
        unread.close()
        fails(ValueError, lambda: k.Accountant.resumed(ledger, unread.run))


def who_was_superseded_claims_no_more(k: Kernel) -> None:
    with ledger_file(k) as (path, ledger):
        accountant, line, charge = begun(k, ledger)
        first = trained(k, charge)
        first.step(gradients)
        second = trained(k, k.Accountant.resumed(k.Ledger.open(path), accountant.run).resume(line, 1, gradients))
        assert (second.done, second.steps_left, second.steps.lost) == (1, STEPS - 2, 1)
        first.step(gradients)
        fails(ValueError, lambda: first.step(gradients))
        for _ in range(STEPS - 2):
            second.step(gradients)
        fails(RuntimeError, lambda: second.step(gradients))
        assert (second.done, second.steps_left, second.between_blocks) == (STEPS - 1, 0, True)


def a_training_without_blocks_leaves_nothing_to_resume(k: Kernel) -> None:
    with ledger_file(k) as (_, ledger):
        accountant, line, charge = begun(k, ledger)
        trained(k, charge, block=None).step(gradients)
        again = trained(k, accountant.resume(line, 1, gradients))
        assert (again.steps_left, again.steps.lost) == (0, STEPS - 1)
        fails(RuntimeError, lambda: again.step(gradients))


def noise_from_a_seed_is_not_drawn_twice(k: Kernel) -> None:
    with ledger_file(k) as (_, ledger):
        accountant = begun(k, ledger, seed=3)[0]
        fails(ValueError, lambda: k.Accountant.resumed(ledger, accountant.run))


def what_was_charged_stays_charged(k: Kernel) -> None:
    """Who resumes a run may charge what was reserved and not charged; a charge that was not drawn is lost."""
    with ledger_file(k) as (path, ledger):
        accountant = begun(k, ledger)[0]
        accountant.charge(k.Gaussian(100.0), "count")
        other = k.Accountant.resumed(k.Ledger.open(path), accountant.run)
        assert (other.cost_left, other.spent(), other.budget) == (
            accountant.cost_left,
            accountant.spent(),
            accountant.budget,
        )
        assert other.reserved(k.DpSgd) == [event(k)]
        fails(k.BudgetExceededError, lambda: other.charge(k.Gaussian(100.0), "count"))
        for line in (4, 0, -1, 99, 3.0):
            fails(ValueError, lambda line=line: other.resume(line, 0))


CLAIM = "        self._take(self.__block)\n"
STEP = "        total = behind_the_wall(partial(self._sum, gradients))\n"
MUTANTS = [
    Mutant("claimed after the step", "dpsgd.py", CLAIM + STEP, STEP + CLAIM,
           steps_are_claimed_before_they_are_taken),
    Mutant("never claimed", "steps.py", "grant.ledger.claim(grant.run, grant.line, before.resumed, block)",
           "before.after(resumed=before.resumed, lost=before.lost, upto=min(before.upto + block, before.paid))",
           steps_are_claimed_before_they_are_taken),
    Mutant("as many as are asked for", "ledger.py", "min(steps.upto + most, steps.paid)", "steps.upto + most",
           no_more_steps_are_claimed_than_were_paid_for),
    Mutant("not compared with what was paid", "steps.py", "if upto > self.paid:", "if False:",
           lines_that_claim_out_of_turn_are_refused),
    Mutant("any kind of number", "steps.py", "if not type(resumed) is type(lost) is type(upto) is int:", "if False:",
           lines_that_claim_out_of_turn_are_refused),
    Mutant("claims of nothing", "steps.py", "and upto > self.upto", "and upto >= self.upto",
           lines_that_claim_out_of_turn_are_refused),
    Mutant("losses told otherwise", "steps.py", "and lost == self.lost", "", lines_that_claim_out_of_turn_are_refused),
    Mutant("more lost than claimed", "steps.py", "0 <= lost <= upto == self.upto", "0 <= lost and upto == self.upto",
           lines_that_claim_out_of_turn_are_refused),
    Mutant("lost steps given back", "steps.py", "0 <= lost <= upto == self.upto", "0 <= lost and upto <= self.upto",
           lines_that_claim_out_of_turn_are_refused),
    Mutant("other events have steps", "account.py",
           'if (steps := event.progress()) is not None:\n                run.trainings[record["seq"]] = steps',
           'run.trainings[record["seq"]] = event.progress() or __import__("dpsynth").training.steps.Steps(9)',
           lines_that_claim_out_of_turn_are_refused),
    Mutant("claims after the end", "account.py", "trainings = self.open_run(run).trainings",
           "trainings = self.runs[run].trainings", a_run_that_has_ended_is_not_resumed),
    Mutant("resumed after the end", "accountant.py", 'facts.state != "drawing"', "False",
           a_run_that_has_ended_is_not_resumed),
    Mutant("two at once", "steps.py", "more = resumed == self.resumed and", "more = resumed <= self.resumed and",
           who_was_superseded_claims_no_more),
    Mutant("a step more a block", "steps.py", "self.__granted = self.__steps.upto - before.upto",
           "self.__granted = self.__steps.upto - before.upto + 1", who_was_superseded_claims_no_more),
    Mutant("one step at a time, unasked", "dpsgd.py", "self.steps.paid if block is None", "1 if block is None",
           a_training_without_blocks_leaves_nothing_to_resume),
    Mutant("seeds come again", "accountant.py", "or facts.noise != SECURE", "", noise_from_a_seed_is_not_drawn_twice),
    Mutant("begins with nothing spent", "accountant.py", "accountant._reserved = facts.cost,",
           "accountant._reserved = NOTHING,", what_was_charged_stays_charged),
]  # fmt: skip
LAWS = list(dict.fromkeys(mutant.law for mutant in MUTANTS))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_kernel_keeps_its_promise(law):
    law(kernel.load())


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_kernel_is_seen(tmp_path, monkeypatch, mutant):
    with kernel.workshop(tmp_path, monkeypatch) as build:
        broken = build(mutant.file, mutant.old, mutant.new)
        with pytest.raises(AssertionError):
            mutant.law(broken)
