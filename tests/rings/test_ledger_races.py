"""Many runs on one file: nothing is overspent, nothing is lost, and nothing is granted that is not recorded."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from dpsynth.kernel.budget import Budget, BudgetExceededError, affordable
from dpsynth.kernel.events import Gaussian
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.opening import Accountant
from tests.rings.ledgers import BUDGET, create
from tests.rings.processes import finish, in_children, needs_fork, start

pytestmark = needs_fork


def reserve_all(path: Path, event: Gaussian, tell, *, own: Budget = BUDGET) -> None:
    ledger = Ledger.open(path)
    with contextlib.suppress(BudgetExceededError):
        while True:
            Accountant(own, ledger=ledger, reserve=[event]).charge(event, f"by {os.getpid()}")
            tell(b".")


@pytest.mark.parametrize("runs", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_eight_processes_spend_one_account_to_the_end_and_not_beyond(runs, tmp_path):
    path = tmp_path / "l"
    ledger = create(path)
    event = Gaussian.spending(affordable(BUDGET) // runs)
    told = in_children([lambda tell: reserve_all(path, event, tell)] * 8)
    assert set(b"".join(told).decode()) == {"."}
    kinds = [entry["kind"] for entry in ledger.entries()]
    assert sum(map(len, told)) == runs == kinds.count("run") == kinds.count("charge")
    assert ledger.cost_left == affordable(BUDGET) - runs * event.cost.gaussian < event.cost.gaussian
    assert ledger.spent().epsilon <= 1.0
    Ledger.open(path).verify()


def test_threads_with_ledgers_of_their_own_on_one_file_spend_it_to_the_end_and_not_beyond(tmp_path):
    path = tmp_path / "l"
    create(path)
    event = Gaussian.spending(affordable(BUDGET) // 20)
    told: list[bytes] = []
    threads = [threading.Thread(target=reserve_all, args=(path, event, told.append)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 20
    assert Ledger.open(path).spent().epsilon <= 1.0


def test_two_ledgers_on_one_file_in_one_process_take_turns(tmp_path):
    path = tmp_path / "l"
    one, other = create(path), Ledger.open(path)
    third = Gaussian.spending(affordable(BUDGET) // 3)
    for ledger in (one, other, one):
        Accountant(BUDGET, ledger=ledger, reserve=[third]).charge(third, "a third")
    with pytest.raises(BudgetExceededError, match="the ledger of"):
        Accountant(BUDGET, ledger=other, reserve=[third])


def test_a_held_lock_is_waited_for():
    from tests.rings import kernel, ledger_laws

    ledger_laws.a_ledger_file_is_changed_by_one_at_a_time(kernel.load())


def test_of_two_that_create_the_same_ledger_one_succeeds(tmp_path):
    def work(tell):
        create(tmp_path / "l")
        tell(b"created")

    told = in_children([work] * 4)
    assert sorted(told) == [b"FileExistsError"] * 3 + [b"created"]
    Ledger.open(tmp_path / "l").verify()


@pytest.mark.parametrize("kills", [6, pytest.param(100, marks=pytest.mark.slow)])
def test_a_killed_process_leaves_every_charge_it_was_granted(kills, tmp_path):
    path = tmp_path / "l"
    ledger = create(path, Budget(50.0, 1e-6))
    rng = np.random.default_rng(0)

    def work(tell):
        accountant = Accountant(Budget(1.0, 1e-6), ledger=Ledger.open(path))
        for number in range(10**6):
            accountant.charge(Gaussian(1e4), f"{os.getpid()}/{number}")
            tell(b"%d/%d;" % (os.getpid(), number))

    granted = []
    for _ in range(kills):
        child, read = start(work)
        time.sleep(float(rng.uniform(0.03, 0.15)))
        os.kill(child, signal.SIGKILL)
        granted += finish(child, read).decode().split(";")[:-1]
    recorded = [entry["purpose"] for entry in ledger.entries() if entry["kind"] == "charge"]
    assert set(granted) <= set(recorded)
    assert len(recorded) <= len(granted) + kills
    assert all(run.state in ("reserved", "drawing") for run in ledger.runs())
    Ledger.open(path).verify()


def test_a_fork_during_a_transaction_of_another_thread_waits_for_its_end(tmp_path):
    """A child that inherited a transaction under way would inherit its locks, or rather the belief in them."""
    ledger = create(tmp_path / "l", Budget(50.0, 1e-6))
    stop = threading.Event()

    def work():
        while not stop.is_set():
            Accountant(Budget(0.01, 1e-6), ledger=ledger).close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        told = [in_children([lambda tell: Ledger.open(tmp_path / "l").verify() or tell(b"whole")]) for _ in range(10)]
    finally:
        stop.set()
        thread.join()
    assert told == [[b"whole"]] * 10
    ledger.verify()
