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
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, Self, TypeVar

import numpy as np

from dpsynth.base.closed import Closed
from dpsynth.base.code_name import code_name
from dpsynth.base.job import Job
from dpsynth.kernel import budget as budgets
from dpsynth.kernel.account import SECURE, Run, gaussian_spending
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.cost import NOTHING, Cost
from dpsynth.kernel.events import Event, Gaussian, Grant, Progress
from dpsynth.kernel.noise import Bits, operating_system_bits, rounded_gaussian, seeded_bits
from dpsynth.kernel.rows import SensitiveRows
from dpsynth.kernel.sensitive import Sensitive, _integers, _up
from dpsynth.kernel.unit import PrivacyUnit

E = TypeVar("E", bound=Event)


class Ledger(Protocol):
    """What an accountant asks of the account that pays: see `dpsynth.ledger.ledger.Ledger`. Each call is durable."""

    @property
    def unit(self) -> PrivacyUnit: ...
    @property
    def head(self) -> str: ...
    def runs(self) -> list[Run]: ...
    def reserved_by(self, run: str) -> tuple[Event, ...]: ...
    def event_at(self, line: int) -> Event: ...
    def reserve(self, run: str, budget: Budget, events: Sequence[Event], noise: str, job: Job) -> Cost: ...
    def charge(self, run: str, event: Event, purpose: str, code: str | None = None) -> int: ...
    def begin(self, run: str) -> None: ...
    def resume(self, run: str, charge: int, done: int, code: str | None = None) -> Progress: ...
    def commit(self, run: str, release: str | None = None) -> None: ...
    def void(self, run: str) -> None: ...


class Charge(Closed):
    """A paid-for event: a receipt that is also the only source of privacy noise. Good once, in one process."""

    _closed_because = "a charge cannot be copied: it is good once"
    __slots__ = ("__event", "__grant", "__process", "__protects")

    def __init__(self, event: Event, grant: Grant, protects: PrivacyUnit | None = None) -> None:
        self.__event, self.__grant, self.__process, self.__protects = [event], grant, os.getpid(), protects

    def gaussian(self, x: Sensitive) -> tuple[np.ndarray, np.ndarray]:
        """x plus the noise of the event (float64, shape of x), and the standard deviation of that noise (same shape).

        x = unit * integers moves by at most l2, so noise of noise_multiplier * l2 is what the event paid for. It is
        drawn in units of `unit` and rounded there: integers + round(N(0, (noise_multiplier * l2 / unit)^2)) is the
        Gaussian mechanism on x followed by rounding. Products and quotients are rounded up, towards more noise.
        """
        if not isinstance(x, Sensitive):
            raise TypeError(f"a charge reads a Sensitive value, got {type(x).__name__}")
        self.__check_unit(x.protects, fewer=True)
        if x.code != self.__grant.code:
            raise ValueError(
                f"the value was computed by {x.code}, the charge names {self.__grant.code}: name the function that sees"
                " raw rows when you charge, charge(event, purpose, reads=function)"
            )
        event = self.__redeem(Gaussian)
        stddev = np.broadcast_to(_up(event.noise_multiplier * x.l2) / x.scale, x.shape)
        stddev = np.nextafter(stddev, np.inf)
        noisy = _integers(x) + rounded_gaussian(stddev, self.__grant.bits)
        return np.asarray(noisy * x.scale), np.asarray(stddev * x.scale)

    def redeem(self, rows: SensitiveRows, **options: Any) -> Any:
        """What an event that is not Gaussian makes of the rows: steps of a training, the codes of a program.

        options: of the event's own `redeem`.
        """
        if not isinstance(rows, SensitiveRows):
            raise TypeError(f"this charge reads SensitiveRows (table.rows()), got {type(rows).__name__}")
        self.__check_unit(rows.protects)
        event: Event = self.__redeem(Event)  # type: ignore[type-abstract]
        return event.redeem(self.__grant, rows, **options)

    def __check_unit(self, protects: PrivacyUnit | None, fewer: bool = False) -> None:
        """ValueError for a value of another unit. fewer: it may use fewer records of the same than the run states."""
        own = self.__protects
        if protects is None or own is None or protects == own or (fewer and protects.within(own)):
            return
        raise ValueError(f"the value protects {protects}, the ledger {own}: one account needs one unit")

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


class Accountant(Closed):
    """One run: reserves its whole budget when it is made, charges events against it, gives back the rest at `close`.

    budget: what this run may spend. ledger: the account of the data set, which has a cap of its own and outlives the
    run. job: what the run says about itself.
    reserve: the events to reserve; None is one Gaussian event of the whole budget.
    unsafe_seed: for tests only; noise becomes predictable, and the ledger and certificate say NOT PRIVATE.
    A run that is never closed stays spent, whole. As a context manager it closes itself, after an exception only if
    nothing was charged and no row was read. Raises BudgetExceededError or PolicyRefusedError when the account cannot
    bear it; then nothing was spent.
    """

    _closed_because = "an accountant cannot be copied: its budget would be spent twice"

    def __init__(
        self,
        budget: Budget,
        *,
        ledger: Ledger,
        job: Job | None = None,
        reserve: Sequence[Event] | None = None,
        unsafe_seed: int | None = None,
    ) -> None:
        if not isinstance(budget, Budget) or budget.epsilon <= 0:
            raise ValueError(f"an accountant needs a Budget with epsilon above 0, got {budget!r}")
        if job is not None and not isinstance(job, Job):
            raise TypeError(f"a job must be a Job, got {type(job).__name__}")
        affordable = budgets.affordable(budget)
        if reserve is None and affordable < budgets.MIN_COST:
            raise ValueError(f"epsilon {budget.epsilon:g} is too small, with noise of billions of rows: ask for more")
        self._protects: PrivacyUnit | None = ledger.unit.using(None if job is None else job.max_records)
        run = secrets.token_hex(8) if unsafe_seed is None else f"seeded-{unsafe_seed}-{ledger.head[:8]}"
        bits = operating_system_bits if unsafe_seed is None else seeded_bits(unsafe_seed)
        self._begin(ledger, run, budget, bits)
        self._events = (Gaussian.spending(affordable),) if reserve is None else tuple(reserve)
        self._reserved = ledger.reserve(run, budget, self._events, self.noise, Job() if job is None else job)

    @classmethod
    def resumed(cls, ledger: Ledger, run: str) -> Self:
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
        accountant._events = ledger.reserved_by(run)
        accountant._protects = ledger.unit.using(facts.job.max_records)
        accountant._cost, accountant._reserved = facts.cost, facts.reserved
        accountant._reading = True
        return accountant

    def _begin(self, ledger: Ledger, run: str, budget: Budget, bits: Bits) -> None:
        self.ledger, self.run, self.budget, self._bits = ledger, run, budget, bits
        self._lock, self._cost, self._kept, self._ended = threading.Lock(), NOTHING, 0, False
        self._reading = False

    @property
    def private(self) -> bool:
        """False for a seeded run, whose noise can be predicted."""
        return self._bits is operating_system_bits

    @property
    def bits(self) -> Bits:
        """The run's randomness, for what the rings draw beside the noise of a charge."""
        return self._bits

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
        """The events of this kind that the run has reserved."""
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

    def charge(self, event: Event, purpose: str, reads: Callable[..., Any] | None = None) -> Charge:
        """Records the event, if what this run has reserved covers it, then grants it.

        reads: the function from outside the rings that is shown raw rows for it, of which the line has the hash.
        Raises TypeError for an unknown event and BudgetExceededError when it is not covered; then nothing was spent.
        """
        code = None if reads is None else code_name(reads)
        number = self.ledger.charge(self.run, event, purpose, code)
        with self._lock:
            self._cost = self._cost + event.cost
        return self._grant(event, number, event.progress(), code)

    def resume(self, charge: int, done: int, reads: Callable[..., Any] | None = None) -> Charge:
        """Grants what is left of a training that was charged before, to go on from a state after `done` of its steps.

        charge: the number of its line. reads: as in `charge`; it may be another version than before. Whoever held the
        training is refused from now on. Raises ValueError where the line charges this run for no training, or fewer
        steps were claimed.
        """
        code = None if reads is None else code_name(reads)
        steps = self.ledger.resume(self.run, charge, done, code)
        return self._grant(self.ledger.event_at(charge), charge, steps, code)

    def close(self, release: str | None = None) -> None:
        """Ends the run; what was reserved and never charged is free again. release: SHA-256 of what is released.

        A run that read rows (`begin`) and ends with neither a charge nor a release stays spent, whole.
        """
        if self._cost == NOTHING and release is None:
            if not self._reading:
                self.ledger.void(self.run)
        else:
            self.ledger.commit(self.run, release)
        self._ended = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if not self._ended and (kind is None or self._cost == NOTHING):
            self.close()

    def _grant(self, event: Event, line: int, progress: Progress | None, code: str | None) -> Charge:
        return Charge(event, Grant(self._bits, self.ledger, self.run, line, progress, code), self._protects)
