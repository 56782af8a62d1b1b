"""The record of a job, `internal/job.json`: which step made which file, from what, and when.

INTERNAL: it holds hashes of private rows, and of pages that compare with them. It is how a job that
was interrupted goes on: a step whose inputs and outputs are as recorded is not done again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dpsynth.base.versions import versions
from dpsynth.data.engines.files import is_several
from dpsynth.data.engines.folders import parts_of
from dpsynth.evidence.bundle.checks import INTERNAL

VERSION = 1
_FILE = "job.json"
_LOCK = "job.lock"
_STAMP = "This record holds hashes of private rows: it is for internal use, never for others."


@dataclass
class Record:
    """What was done so far in a folder. steps: by name. begun: what a fit left before it began."""

    folder: Path
    seed: int
    steps: dict[str, Any] = field(default_factory=dict)
    earlier: list[Any] = field(default_factory=list)
    begun: dict[str, Any] | None = None

    @classmethod
    def open(cls, folder: Path, seed: int) -> Record:
        """The record in a folder, or a new one. seed: of a new one's rows."""
        file = folder / INTERNAL / _FILE
        if not file.exists():
            return cls(folder, seed)
        try:
            stated = json.loads(file.read_text(encoding="utf-8"))
            if stated.pop("dpsynth_job_record") != VERSION:
                raise ValueError
            stated.pop("internal", None)
            return cls(folder, **stated)
        except (ValueError, TypeError, LookupError):
            raise ValueError(
                f"{file} is not the record of a job of format {VERSION}: give another output"
            ) from None

    def save(self) -> None:
        """Writes it, whole or not at all."""
        file = self.folder / INTERNAL / _FILE
        file.parent.mkdir(parents=True, exist_ok=True)
        stated = {
            "dpsynth_job_record": VERSION,
            "internal": _STAMP,
            **{name: getattr(self, name) for name in ("seed", "steps", "earlier", "begun")},
        }
        new = file.with_suffix(".new")
        with new.open("w", encoding="utf-8") as opened:
            opened.write(json.dumps(stated, indent=2) + "\n")
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(new, file)

    def is_done(self, step: str, inputs: Mapping[str, Any]) -> bool:
        """Whether a step was done from these inputs, and its files are still as it left them."""
        known = self.steps.get(step)
        return known is not None and known["inputs"] == inputs and not self.changed(step)

    def changed(self, step: str) -> list[str]:
        """Files of a step that are gone, or are no longer as it left them."""
        files = self.steps[step]["files"].items()
        return [name for name, digest in files if digest_of(self.folder / name) != digest]

    def done(
        self, step: str, inputs: Mapping[str, Any], files: Sequence[Path], started: str
    ) -> None:
        """Notes that a step is done. A note that it replaces is kept among the earlier ones."""
        if step in self.steps:
            self.earlier.append({"step": step, **self.steps[step]})
        names = {file.relative_to(self.folder).as_posix(): digest_of(file) for file in files}
        times = {"started": started, "ended": now()}
        made = {"inputs": dict(inputs), "files": names, **times, "versions": versions()}
        self.steps[step] = made
        self.save()

    def undo(self, step: str) -> None:
        """Takes away the files of a step that holds no longer; its note stays as an earlier one."""
        if step in self.steps:
            for name in self.steps[step]["files"]:
                (self.folder / name).unlink(missing_ok=True)
            self.earlier.append({"step": step, **self.steps.pop(step)})
            self.save()


def digest_of(place: Path | str) -> str | None:
    """The SHA-256 of a file, or of the table in a folder or a pattern; None where nothing is there.

    An address of a table has none: the rows behind it may change.
    """
    if isinstance(place, str):
        return "an address: its rows have no hash"
    if place.is_file():
        with place.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    if not is_several(place):
        return None
    base = place if place.is_dir() else place.parent
    parts = [[Path(os.path.relpath(p, base)).as_posix(), digest_of(p)] for p in parts_of(place)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest() if parts else None


def refuse_another(
    output: Path, step: str, before: Mapping[str, Any], inputs: Mapping[str, Any]
) -> None:
    """ValueError where a step of a job was done from something else."""
    if names := [n for n in {**before, **inputs} if before.get(n) != inputs.get(n)]:
        raise ValueError(
            f"{output} has the {step} of another {', '.join(names)}: give another output, which"
            " fits again and spends again, or put the job back as it was"
        )


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Holds the folder for one run of a job; the lock ends with its process, however that ends."""
    place = folder / INTERNAL
    place.mkdir(parents=True, exist_ok=True)
    lock = sqlite3.connect(place / _LOCK, timeout=0, isolation_level=None)
    try:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            raise ValueError(
                f"{folder} is being written by another run of this job: wait until it has ended"
            ) from None
        yield
    finally:
        lock.close()
