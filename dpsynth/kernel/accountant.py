"""Accountant and Charge: reserve, record, then grant.

Private values leave through one door: `accountant.charge(event, purpose).gaussian(x)`. The charge exists only after the
ledger holds the event; it is good once; and the scale of its noise is *computed* from the paid event and the value's
own sensitivity, so a mechanism can state neither, and can state neither wrongly.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn, TypeVar

import numpy as np

from dpsynth.kernel import budget as budgets
from dpsynth.kernel.account import gaussian_spending
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import DpSgd, Event, Foreign, Gaussian, event_from_dict
from dpsynth.kernel.noise import Bits, operating_system_bits, rounded_gaussian, seeded_bits
from dpsynth.kernel.programs import Program, _run
from dpsynth.kernel.rows import SensitiveRows
from dpsynth.kernel.sensitive import Sensitive, _integers, _up
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.ledger import SECURE, Ledger
from dpsynth.ledger.policy import Job
from dpsynth.training.dpsgd import Training
from dpsynth.training.steps import Claims, Steps
from dpsynth.training.teachers import Teachers

E = TypeVar("E", Gaussian, DpSgd, Foreign)


class Charge:
    """A paid-for event: a receipt that is also the only source of privacy noise. Good once, in one process."""

    __slots__ = ("__bits", "__claims", "__event", "__process", "__protects")

    def __init__(
        self, event: Event, bits: Bits, protects: PrivacyUnit | None = None, claims: Claims | None = None
    ) -> None:
        self.__event, self.__bits, self.__process, self.__protects = [event], bits, os.getpid(), protects
        self.__claims = claims

    def gaussian(self, x: Sensitive) -> tuple[np.ndarray, np.ndarray]:
        """x plus the noise of the event (float64, shape of x), and the standard deviation of that noise (same shape).

        x = unit * integers moves by at most l2, so noise of noise_multiplier * l2 is what the event paid for. It is
        drawn in units of `unit` and rounded there: integers + round(N(0, (noise_multiplier * l2 / unit)^2)) is the
        Gaussian mechanism on x followed by rounding. Products and quotients are rounded up, towards more noise.
        """
        if not isinstance(x, Sensitive):
            raise TypeError(f"a charge reads a Sensitive value, got {type(x).__name__}")
        self.__check_unit(x.protects)
        event = self.__redeem(Gaussian)
        stddev = np.broadcast_to(_up(event.noise_multiplier * x.l2) / x.unit, x.shape)
        stddev = np.nextafter(stddev, np.inf)
        noisy = _integers(x) + rounded_gaussian(stddev, self.__bits)
        return np.asarray(noisy * x.unit), np.asarray(stddev * x.unit)

    def train(
        self, rows: SensitiveRows, *, parameters: int, clip: float, assumed_rows: float, block: int | None = None
    ) -> Training:
        """The steps of DP-SGD that the event paid for, or that are left of them: see `dpsgd.py`.

        parameters: how many coordinates a gradient has. clip: the 2-norm that a row's gradient is cut to.
        assumed_rows: how many rows the table is taken to have, public or charged for; it scales the answers only.
        block: how many steps are claimed from the ledger at a time, and lost if the process dies; None is all of them.
        """
        if not isinstance(rows, SensitiveRows):
            raise TypeError(f"a charge trains on SensitiveRows (table.rows()), got {type(rows).__name__}")
        self.__check_unit(rows.protects)
        event = self.__redeem(DpSgd)
        assert self.__claims is not None
        return Training(
            event,
            self.__bits,
            rows,
            self.__claims,
            parameters=parameters,
            clip=clip,
            assumed_rows=assumed_rows,
            block=block,
        )

    def foreign(self, rows: SensitiveRows, program: Program) -> np.ndarray:
        """The codes (int32, rows by columns) that a program which is not ours made of the rows: see `programs.py`.

        Raises TimeoutError or ChildProcessError when it did not; the charge stays spent all the same.
        """
        if not isinstance(rows, SensitiveRows):
            raise TypeError(f"a program is given SensitiveRows (table.rows()), got {type(rows).__name__}")
        self.__check_unit(rows.protects)
        return _run(program, self.__redeem(Foreign), rows)

    def __check_unit(self, protects: PrivacyUnit | None) -> None:
        if None not in (protects, self.__protects) and protects != self.__protects:
            raise ValueError(f"the value protects {protects}, the ledger {self.__protects}: one account needs one unit")

    def __redeem(self, kind: type[E]) -> E:
        if self.__process != os.getpid():
            raise RuntimeError("this charge was granted to another process: a fork cannot spend it a second time")
        try:
            event = self.__event.pop()
        except IndexError:
            raise RuntimeError("this charge was used already: a charge is good once") from None
        if not isinstance(event, kind):
            raise TypeError(f"this charge paid for {event}, not for {kind.__name__}")
        return event

    def _closed(self, *args: Any) -> NoReturn:
        raise TypeError("a charge cannot be copied: it is good once")

    __reduce__ = __reduce_ex__ = __getstate__ = __copy__ = __deepcopy__ = _closed


class Accountant:
    """One run: reserves its whole budget when it is made, charges events against it, gives back the rest at `close`.

    budget: what this run may spend. ledger: the account of the data set, which has a cap of its own and outlives the
    run; None keeps a ledger in memory with this budget. job: what the run says about itself.
    reserve: the events to set aside; None is one Gaussian event of the whole budget.
    unsafe_seed: for tests only; noise becomes predictable, and the ledger and certificate say NOT PRIVATE.
    A run that is never closed stays spent, whole. As a context manager it closes itself, after an exception only if
    nothing was charged and no row was read. Raises BudgetExceeded or PolicyRefused when the account cannot bear it;
    then nothing was spent.
    """

    def __init__(
        self,
        budget: Budget,
        *,
        ledger: Ledger | None = None,
        job: Job | None = None,
        reserve: Sequence[Event] | None = None,
        unsafe_seed: int | None = None,
    ) -> None:
        if not isinstance(budget, Budget) or budget.epsilon <= 0:
            raise ValueError(f"an accountant needs a Budget with epsilon above 0, got {budget!r}")
        if ledger is not None and not isinstance(ledger, Ledger):
            raise TypeError(f"a ledger must be a Ledger, got {type(ledger).__name__}: Ledger.open(path)")
        if job is not None and not isinstance(job, Job):
            raise TypeError(f"a job must be a Job, got {type(job).__name__}")
        affordable = budgets.affordable(budget)
        if reserve is None and affordable < budgets.LEAST_COST:
            raise ValueError(f"{budget} affords only noise of billions of rows: ask for a larger epsilon or delta")
        self._protects = None if ledger is None else ledger.unit  # a ledger made here is about no unit in particular
        if ledger is None:
            ledger = Ledger.create(None, budget, dataset="no data set stated", unit=PrivacyUnit())
        run = secrets.token_hex(8) if unsafe_seed is None else f"seeded-{unsafe_seed}-{ledger.head[:8]}"
        bits = operating_system_bits if unsafe_seed is None else seeded_bits(unsafe_seed)
        self._begin(ledger, run, budget, bits)
        self._events = (Gaussian.spending(affordable),) if reserve is None else tuple(reserve)
        self._reserved = ledger.reserve(run, budget, self._events, self.noise, Job() if job is None else job)

    @classmethod
    def resumed(cls, ledger: Ledger, run: str) -> Accountant:
        """The accountant of a run whose process died after it began to draw: for what it had reserved and not charged.

        What was charged and not drawn is lost, save the steps of trainings: `resume` grants those that are left. Raises
        ValueError for a run that never began to draw or has ended, or whose noise is from a seed, and would come again.
        """
        facts = next((each for each in ledger.runs() if each.name == run), None)
        if facts is None or facts.state != "drawing" or facts.noise != SECURE:
            state = "unknown" if facts is None else facts.state if facts.noise == SECURE else "seeded"
            raise ValueError(f"run {run!r} is {state}: only one that is drawing, without a seed, can be resumed")
        accountant = cls.__new__(cls)
        accountant._begin(ledger, run, facts.budget, operating_system_bits)
        line = next(line for line in ledger.entries() if line["kind"] == "run" and line["run"] == run)
        accountant._events = tuple(map(event_from_dict, line["reserve"]))
        accountant._protects, accountant._cost, accountant._reserved = ledger.unit, facts.cost, facts.reserved
        accountant._reading = True
        return accountant

    def _begin(self, ledger: Ledger, run: str, budget: Budget, bits: Bits) -> None:
        self.ledger, self.run, self.budget, self._bits = ledger, run, budget, bits
        self._lock, self._cost, self._kept, self._ended = threading.Lock(), budgets.NOTHING, 0, False
        self._reading = False

    @property
    def private(self) -> bool:
        """False for a seeded run, whose noise can be predicted."""
        return self._bits is operating_system_bits

    @property
    def noise(self) -> str:
        """Where the noise comes from, in the ledger's words."""
        return SECURE if self.private else "seeded: NOT PRIVATE"

    @property
    def cost_left(self) -> int:
        """What this accountant can still spend on Gaussian events, in the units of `Event.cost`."""
        return budgets.gaussian_within(self._cost, self._reserved) - self._kept

    @contextlib.contextmanager
    def keeping(self, cost: int) -> Iterator[None]:
        """While it lasts, `cost_left` is smaller by this cost: who spends what is left leaves as much for later."""
        self._kept += cost
        try:
            yield
        finally:
            self._kept -= cost

    def reserved(self, kind: type[E]) -> list[E]:
        """The events of this kind that the run has set aside."""
        return [event for event in self._events if isinstance(event, kind)]

    def spent(self) -> Budget:
        return budgets.spent(self._cost, self.budget)

    def remaining(self) -> Budget:
        return gaussian_spending(self.cost_left, self.budget)

    def begin(self) -> None:
        """Marks the run as drawing, durably; to be called before the first row is read. Idempotent.

        Whether reading rows fails may depend on them, so from now on a failure leaves the whole reservation spent.
        """
        self.ledger.begin(self.run)
        self._reading = True

    def charge(self, event: Event, purpose: str) -> Charge:
        """Records the event, if what this run has reserved covers it, then grants it.

        Raises TypeError for an unknown event and BudgetExceeded when it is not covered; then nothing was spent.
        """
        number = self.ledger.charge(self.run, event, purpose)
        with self._lock:
            self._cost = self._cost + event.cost
        claims = Claims(self.ledger, self.run, number, Steps(event.steps)) if isinstance(event, DpSgd) else None
        return self._grant(event, claims)

    def resume(self, charge: int, done: int) -> Charge:
        """Grants what is left of a training that was charged before, to go on from a state after `done` of its steps.

        charge: the number of its line. Whoever held the training is refused from now on. Raises ValueError where the
        line charges this run for no training, or fewer steps were claimed.
        """
        steps = self.ledger.resume(self.run, charge, done)
        event = event_from_dict(self.ledger.entries()[charge]["event"])
        return self._grant(event, Claims(self.ledger, self.run, charge, steps))

    def teachers(self, rows: SensitiveRows, number: int) -> Teachers:
        """The rows parted among this many teachers, by this run's randomness. What they vote is for charges to read."""
        return Teachers(rows, number, self._bits)

    def close(self, release: str | None = None) -> None:
        """Ends the run; what was reserved and never charged is free again. release: SHA-256 of what is released.

        A run that read rows (`begin`) and ends with neither a charge nor a release stays spent, whole.
        """
        if self._cost == budgets.NOTHING and release is None:
            if not self._reading:
                self.ledger.void(self.run)
        else:
            self.ledger.commit(self.run, release)
        self._ended = True

    def __enter__(self) -> Accountant:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if not self._ended and (kind is None or self._cost == budgets.NOTHING):
            self.close()

    def _grant(self, event: Event, claims: Claims | None) -> Charge:
        return Charge(event, self._bits, self._protects, claims)

    def _closed(self, *args: Any) -> NoReturn:
        raise TypeError("an accountant cannot be copied: its budget would be spent twice")

    __reduce__ = __reduce_ex__ = __getstate__ = __copy__ = __deepcopy__ = _closed
