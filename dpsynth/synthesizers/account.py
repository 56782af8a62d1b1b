"""The accountant of a fit: on a ledger, on the path of one, or on a ledger in memory."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dpsynth.base.job import Job
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Event
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.opening import Accountant
from dpsynth.ledger.reader import Book
from dpsynth.ledger.store import Memory


def accountant_for(
    ledger: Ledger | str | Path | None,
    unit: PrivacyUnit,
    budget: Budget,
    job: Job,
    *,
    reserve: Sequence[Event] | None = None,
    unsafe_seed: int | None = None,
) -> Accountant:
    """Reserves `budget` on the ledger; a new path becomes a ledger that holds exactly this budget.

    unit: whom the data protect. Raises ValueError when the ledger protects another unit, and what
    Accountant raises.
    """
    if isinstance(ledger, (str, Path)):
        ledger = _opened(Path(ledger), budget, unit)
    if ledger is None:
        ledger = Ledger.create(None, budget, dataset="in memory", unit=unit)
    own = own_max_records(ledger, unit)
    job = replace(job, max_records=own)
    return Accountant(budget, ledger=ledger, job=job, reserve=reserve, unsafe_seed=unsafe_seed)


def budget_of_account(ledger: Ledger | str | Path | None, purpose: str) -> Budget | None:
    """The budget of the account that would pay, and of it what this purpose may spend of deltas.

    None where the account would be opened for the run alone.
    """
    if isinstance(ledger, (str, Path)):
        ledger = Ledger.open(ledger) if Path(ledger).exists() else None
    if ledger is None:
        return None
    cap = ledger.policy.purposes.get(purpose, ledger.budget)
    kept = min(cap.programs_delta, ledger.budget.programs_delta)
    return replace(ledger.budget, programs_delta=kept)


def existing_account(ledger: Ledger | str | Path | None) -> Ledger | None:
    """The account, opened; ValueError for a path without one, as a new one would hold no more."""
    if ledger is None or isinstance(ledger, Ledger):
        return ledger
    if not Path(ledger).exists():
        raise ValueError(
            f"{ledger} does not exist, and a new ledger would hold the budget of this look alone:"
            " make it first, with the budget of all fits, by dpsynth ledger create"
        )
    return Ledger.open(ledger)


def rehearsal(ledger: Ledger | str | Path | None) -> Ledger | None:
    """The account that would pay, in memory: what is reserved there is forgotten with it.

    None where an account would be opened for the run alone.
    """
    if isinstance(ledger, (str, Path)):
        ledger = Ledger.open(ledger) if Path(ledger).exists() else None
    if ledger is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "lines"
        ledger.export(lines)
        book = Book(Memory(lines.read_bytes().splitlines()))
    book.refresh(check=True)
    return Ledger(book)


def own_max_records(ledger: Ledger, unit: PrivacyUnit) -> int | None:
    """How many rows of a unit a run uses, where that is not what the ledger was opened with.

    ValueError where the ledger protects another unit.
    """
    if ledger.unit == unit:
        return None
    if unit.id_column is None or ledger.unit != unit.using(ledger.unit.max_records):
        raise ValueError(
            f"the ledger protects {ledger.unit.describe()}, the schema {unit.describe()}:"
            " one account needs one unit"
        )
    return unit.max_records


def _opened(path: Path, budget: Budget, unit: PrivacyUnit) -> Ledger:
    """The account at this path; a new one, unless another process makes it at this moment."""
    if not path.exists():
        with contextlib.suppress(FileExistsError):
            return _created(path, budget, unit)
    return Ledger.open(path)


def _created(path: Path, budget: Budget, unit: PrivacyUnit) -> Ledger:
    """A new account, and a line in the log that says where: a mistyped path would be a second.

    Of a relative path the synthesizer has warned already (NewLedgerWarning).
    """
    ledger = Ledger.create(path, budget, dataset=path.stem, unit=unit)
    if path.is_absolute():
        logging.getLogger("dpsynth").warning(
            "%s did not exist and is a new ledger: what is spent here does not count in any other"
            " of these data",
            path,
        )
    return ledger
