"""Programs that are not ours: private codes go to one, and a table of codes comes back.

**Guarantee.** What the program claims, and nothing else: it is (epsilon, delta)-DP for one row added or removed, all
that it writes and whether it writes at all included. The event says so, and nobody here has checked it. This file sees
to the rest: the program is started by a charge, after the ledger holds it; it is given cells of the public domain, of
rows bounded for each unit, and nothing else; whatever it does, it ends in time; what it leaves is a table of the
public shape or one sentence. What it prints may hold private values, so nobody reads it.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dpsynth.base.domain import Domain
from dpsynth.kernel.rows import SensitiveRows, _exact_codes
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.kernel.wall import behind_the_wall


class Claim(Protocol):
    """What a program claims of itself, for one unit."""

    @property
    def epsilon(self) -> float: ...
    @property
    def delta(self) -> float: ...


PLACES = ("{input}", "{output}", "{job}", "{epsilon}", "{delta}", "{rows}")
"""What a command's words may hold, to be filled in when it is run."""

_GUARD = 'read group; cat > /dev/null; kill -s KILL -- "-$group"; rm -rf -- "$1"'


@dataclass(frozen=True)
class Program:
    """A command that reads a table of codes and writes one. All of this is public.

    name: for messages. command: its words, run without a shell; {input} and {output} stand for Parquet files, {job} for
    a JSON file with all that is asked, {epsilon}, {delta} and {rows} for what they say. domain: of the codes.
    rows: how many rows it has to write, which says nothing about how many it reads. time_limit: in seconds.
    """

    name: str
    command: tuple[str, ...]
    domain: Domain
    rows: int
    time_limit: float


def claim_for_a_row(event: Claim, unit: PrivacyUnit) -> tuple[float, float]:
    """The (epsilon, delta) for one row, added or removed, that make the event true of a unit; rounded down.

    Neighbouring tables are k such steps apart: k = max_records where a unit comes or goes, twice as many where its
    rows leave and another's enter. If one step is (e, d)-DP, then P_0(S) <= e^e P_1(S) + d <= ... <=
    e^(k e) P_k(S) + d (1 + e^e + ... + e^((k - 1) e)), so e = epsilon / k and d = delta (e^e - 1) / (e^epsilon - 1)
    do (group privacy: Dwork and Roth, "The algorithmic foundations of differential privacy", Thm 2.2).
    """
    steps = unit.max_records * (1 if unit.adjacency == "add-remove" else 2)
    if steps == 1:
        return event.epsilon, event.delta
    epsilon = math.nextafter(event.epsilon / steps, 0)
    return epsilon, event.delta * (math.expm1(epsilon) / math.expm1(event.epsilon)) * (1 - 1e-12)


def answer(command: Sequence[str], seconds: float) -> str | None:
    """What a command prints, without spaces around it, if it ends well and in time. It is given nothing private."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=True, text=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout.strip()


def _run(program: Program, event: Claim, rows: SensitiveRows) -> np.ndarray:
    """What the program made of the rows: int32 codes, shape (program.rows, columns). Called by a charge only.

    Raises TimeoutError or ChildProcessError, in a sentence that is the same whatever the rows are.
    """
    if rows.sizes != program.domain.shape(program.domain.attributes):
        raise ValueError(f"the rows have columns of {rows.sizes} cells, not those of {program.domain}")
    with _guarded_folder() as (folder, guard):
        words = behind_the_wall(
            partial(_prepare, folder, program, claim_for_a_row(event, rows.protects), _exact_codes(rows))
        )
        status = _finish(words, folder, guard, program.time_limit)
        codes = _read(folder / "output.parquet", program)
    spent = "its charge stays spent"
    if status is None:
        raise TimeoutError(
            f"{program.name} did not end within {program.time_limit:g} seconds and was stopped; {spent}:"
            " allow more with time_limit=, or give it fewer columns or cells"
        )
    if status != 0:
        raise ChildProcessError(
            f"{program.name} failed; {spent}. What it printed may hold private values, so nobody kept it:"
            " find the reason with invented rows (docs/external-programs.md)"
        )
    if codes is None:
        raise ChildProcessError(
            f"{program.name} did not write what it was asked for, {program.rows} rows of the columns it was given, each"
            f" a whole number from 0 to the number of cells less one; {spent}: try it with invented rows"
            " (docs/external-programs.md)"
        )
    return codes


@contextlib.contextmanager
def _guarded_folder() -> Iterator[tuple[Path, IO[bytes]]]:
    """A folder that nobody else may even list (mode 0700), gone in the end; and a line to a guard outside this process.

    Should this process die, however suddenly, the line breaks: the guard ends the process group whose number it was
    told, and removes the folder, so that no private row stays behind.
    """
    silent = subprocess.DEVNULL
    with tempfile.TemporaryDirectory(prefix="dpsynth-") as name:
        words = ["sh", "-c", _GUARD, "sh", name]
        with subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=silent, stderr=silent, start_new_session=True
        ) as guard:
            assert guard.stdin is not None
            try:
                yield Path(name), guard.stdin
            finally:
                os.killpg(guard.pid, signal.SIGKILL)


def _prepare(folder: Path, program: Program, claim: tuple[float, float], codes: np.ndarray) -> list[str]:
    """Writes the input and the job; the command's words with their places filled in."""
    domain = program.domain
    columns = {a: pa.array(codes[:, i]) for i, a in enumerate(domain.attributes)}
    pq.write_table(pa.table(columns), folder / "input.parquet")
    job = {
        "epsilon": claim[0],
        "delta": claim[1],
        "rows": program.rows,
        "columns": [{"name": a, "cells": n, "ordered_cells": len(domain.width(a) or ())} for a, n in domain.sizes],
    }
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    paths = [str(folder / name) for name in ("input.parquet", "output.parquet", "job.json")]
    filled = dict(zip(PLACES, [*paths, *map(str, (*claim, program.rows))], strict=True))
    return [_filled(word, filled) for word in program.command]


def _filled(word: str, values: dict[str, str]) -> str:
    for place, value in values.items():
        word = word.replace(place, value)
    return word


def _finish(words: list[str], folder: Path, guard: IO[bytes], seconds: float) -> int | None:
    """Runs the words in a process group of their own, which is ended with them; the exit status, None if too late."""
    silent = subprocess.DEVNULL
    surroundings = {**os.environ, "TMPDIR": str(folder)}
    try:
        process = subprocess.Popen(
            words, stdin=silent, stdout=silent, stderr=silent, env=surroundings, start_new_session=True
        )
    except OSError:
        return -1
    try:
        guard.write(b"%d\n" % process.pid)
        guard.flush()
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _read(path: Path, program: Program) -> np.ndarray | None:
    """The codes in a file; None for anything but the table that was asked for, of which nothing else is said."""
    attributes = program.domain.attributes
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return None
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows != program.rows or sorted(file.schema_arrow.names) != sorted(attributes):
                return None
            table = file.read()
    except (OSError, pa.ArrowException):
        return None
    codes = np.empty((program.rows, len(attributes)), np.int32)
    for i, (a, cells) in enumerate(program.domain.sizes):
        column = table.column(a)
        if not pa.types.is_integer(column.type):
            return None
        values = column.to_numpy()  # a missing code is NaN here, which compares with nothing
        if not bool(np.all((values >= 0) & (values < cells))):
            return None
        codes[:, i] = values
    return codes
