"""Checkpoint: the state of a fit that trains, in a file, so that another process can go on where
one died.

**Privacy.** Everything in it was charged for, or is computed from that, from public facts and from
public random numbers: measured columns and bins, networks and their optimisers after noisy
gradients, a public generator's state. It holds no row, no batch, no place of a row, and nothing of
who took part; private randomness is not kept but drawn anew. So it may be copied and read like a
release of the same charges, and resumed as often as anybody likes: steps are counted by the ledger,
never here (`training/steps.py`).
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dpsynth.base.archive import UNREADABLE, read_archive, split, write_archive
from dpsynth.base.errors import DPSynthError
from dpsynth.ledger.chain import LedgerCorruptError
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.opening import Accountant
from dpsynth.training.dpsgd import Training

VERSION = 1
"""Of the format of the file."""

_MEMBER = "checkpoint.json"
_BLOCKS = 20
"""Of steps: a process that dies loses one of them, a twentieth of what it paid for."""


class CheckpointError(DPSynthError, ValueError):
    """The file is no state that this fit can go on from; nothing was spent."""


class Checkpoint:
    """The state of one run, and the file that it is written to.

    Parameters
    ----------
    path : Path
        Of the file.
    facts : mapping of str to object
        What a fit must have in common with it to go on from it, as JSON.
    accountant : Accountant
        Of the run.

    Attributes
    ----------
    values : dict
        What stays as it is while a training lasts, plain or arrays; and once it was read from a
        file, the state too.
    charge, done : int
        The number of the line that pays for the training, and how many of its steps led to the
        state.

    Examples
    --------
    >>> from pathlib import Path
    >>> from dpsynth import Accountant, Budget
    >>> checkpoint = Checkpoint(Path("fit.checkpoint"), {}, Accountant(Budget(1.0, 1e-6)))
    >>> checkpoint.resumed
    False
    """

    def __init__(self, path: Path, facts: Mapping[str, Any], accountant: Accountant) -> None:
        self.path = path
        self.ledger = accountant.ledger
        self.run = accountant.run
        self.facts: dict[str, Any] = json.loads(json.dumps(facts, default=str))
        self.values: dict[str, Any] = {}
        self.charge = 0
        self.done = 0

    def save(self, training: Training, state: Mapping[str, np.ndarray]) -> None:
        """Replaces the file by one that holds this state, or leaves it as it is.

        Raises
        ------
        OSError
            When it cannot be written.
        """
        plain, arrays = split({**self.values, **state})
        document = {
            "dpsynth_checkpoint": VERSION,
            "facts": self.facts,
            "run": self.run,
            "head": self.ledger.head,
            "charge": training.charge,
            "done": training.done,
            "values": plain,
        }
        new = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        try:
            with new.open("wb") as file:
                write_archive(file, _MEMBER, document, arrays)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path)
            _sync(self.path.parent)
        except OSError as error:
            new.unlink(missing_ok=True)
            raise OSError(
                f"the checkpoint {self.path} could not be written: {error.strerror or error}"
            ) from None

    @classmethod
    def read(
        cls, path: Path, facts: Mapping[str, Any], ledger: Ledger
    ) -> tuple[Checkpoint, Accountant]:
        """The state in a file, and the accountant of its run, to go on with.

        Parameters
        ----------
        path : Path
            Of the file.
        facts : mapping of str to object
            What this fit has in common with the one that wrote it.
        ledger : Ledger
            The one that the run is charged to.

        Returns
        -------
        tuple of Checkpoint and Accountant
            To be handed to `Resumable.resume`.

        Raises
        ------
        CheckpointError
            Where the file is damaged, was written by another fit, or its run or its lines are not
            in the ledger, or have ended.
        """
        saved = _opened(path)
        wanted = json.loads(json.dumps(facts, default=str))
        _refuse_others(path, saved.facts, wanted)
        accountant = _resumed(path, ledger, saved, wanted)
        checkpoint = cls(path, facts, accountant)
        checkpoint.values = saved.values
        checkpoint.charge = saved.charge
        checkpoint.done = saved.done
        return checkpoint, accountant

    @property
    def resumed(self) -> bool:
        """Whether it was read from a file, to go on with."""
        return self.charge > 0

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """While values are used: CheckpointError where they are others than such a fit keeps."""
        try:
            yield
        except UNREADABLE:
            raise CheckpointError(
                f"{self.path} does not hold the state of this fit: restore it from a copy"
            ) from None

    def remove(self) -> None:
        """Once the run has ended there is nothing to go on with."""
        self.path.unlink(missing_ok=True)


def check_place(path: Path, ledger: Ledger | str | Path | None) -> None:
    """ValueError where a checkpoint cannot lie, or no ledger would count the steps taken."""
    account = ledger.path if isinstance(ledger, Ledger) else ledger
    if account is None:
        raise ValueError(
            "a checkpoint needs a ledger in a file, which counts the steps that were taken:"
            " ledger=PATH"
        )
    if path.absolute() == Path(account).absolute():
        raise ValueError(f"{path} is the ledger: give the checkpoint another name")
    if not path.absolute().parent.is_dir():
        raise ValueError(
            f"the directory {path.parent} of the checkpoint does not exist: make it first"
        )


def block_of(steps: int, checkpoint: Checkpoint | None) -> int | None:
    """How many steps are claimed at a time, and lost when a process dies: a twentieth, so that
    claims stay few.
    """
    return None if checkpoint is None else -(-steps // _BLOCKS)


@dataclass(frozen=True)
class _Saved:
    """What stands in a file, of the types that it should have; nothing of it is believed yet."""

    facts: Mapping[str, Any]
    run: str
    head: str
    values: dict[str, Any]
    charge: int
    done: int


def _opened(path: Path) -> _Saved:
    """What stands in the file; CheckpointError where it is none, or of another version."""
    try:
        document, arrays = read_archive(path, _MEMBER)
        if type(found := document["dpsynth_checkpoint"]) is not int or found != VERSION:
            raise CheckpointError(
                f"{path} is a checkpoint of another format: resume it with the one that wrote it"
            )
        return _Saved(
            facts=document["facts"],
            run=str(document["run"]),
            head=str(document["head"]),
            values={**document["values"], **arrays},
            charge=int(document["charge"]),
            done=int(document["done"]),
        )
    except CheckpointError:
        raise
    except UNREADABLE:
        raise CheckpointError(
            f"{path} is not a checkpoint, or is damaged: restore it from a copy"
        ) from None


def _resumed(path: Path, ledger: Ledger, saved: _Saved, wanted: Mapping[str, Any]) -> Accountant:
    """The accountant of the run; CheckpointError where the ledger does not know of it so."""
    try:
        ledger.verify(saved.head)
        _refuse_another_run(path, ledger, saved.run, wanted, saved.charge, saved.done)
        return Accountant.resumed(ledger, saved.run)
    except CheckpointError:
        raise
    except LedgerCorruptError as reason:
        raise CheckpointError(
            f"{path} and the ledger do not belong together ({reason}): restore both, or remove"
            f" {path} to fit anew"
        ) from None
    except ValueError as reason:
        raise CheckpointError(
            f"{path} cannot be resumed: {reason}; remove it to fit anew"
        ) from None


def _refuse_others(path: Path, found: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    differ = [name for name in {**facts, **found} if found.get(name) != facts.get(name)]
    if differ:
        said = (
            f"{name} is {found.get(name)!r} there and {facts.get(name)!r} here" for name in differ
        )
        raise CheckpointError(
            f"{path} was written by another fit ({'; '.join(said)}): give its arguments again, or"
            " another checkpoint"
        )


def _refuse_another_run(
    path: Path, ledger: Ledger, run: str, facts: Mapping[str, Any], charge: int, done: int
) -> None:
    """CheckpointError unless the ledger itself says of the run what the fit says, whatever stands
    in the file.

    Policy was asked of the run when it began: a file that names another run must not carry this fit
    past it.
    """
    begun = next((each for each in ledger.runs() if each.name == run), None)
    if begun is None:
        return  # refused by `Accountant.resumed`, in its words
    said = {**asdict(begun.job), **asdict(begun.budget)}
    del said["max_records"], said["reading"]  # follow from the schema, whose fingerprint is compared
    if any(said[name] != facts[name] for name in said):
        raise CheckpointError(
            f"{path} names a run of another fit: restore it from a copy, or remove it to fit anew"
        )
    steps = begun.trainings.get(charge)
    if steps is None or not 0 <= done <= steps.upto:
        raise CheckpointError(
            f"{path} counts steps that the ledger does not: restore it from a copy"
        )


def _sync(folder: Path) -> None:
    """Makes the file's new name durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
