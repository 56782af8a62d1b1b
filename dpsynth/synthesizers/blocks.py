"""Samples of any size: a folder of files, each a block of rows that is drawn and written by itself.

A block hangs on the model, the seed, the number of all rows and its own number alone. So the files
are the same whatever ran beside each other, one that is there need not be drawn again, and no more
is held in memory than the blocks under way.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import pandas as pd

from dpsynth.base.places import new_folder
from dpsynth.base.progress import stage, step
from dpsynth.base.versions import versions
from dpsynth.data.tables.identifiers import keyed_identifiers
from dpsynth.data.tables.writing import WRITTEN, refuse_unwritable, write_rows
from dpsynth.evidence.certificate import Certificate
from dpsynth.evidence.manifest import add_lines, line_of, refuse_other_release, refuse_unlisted
from dpsynth.models.base import ConditionError
from dpsynth.schema.columns import Identifier
from dpsynth.schema.constraints import Unique
from dpsynth.schema.table import Schema
from dpsynth.synthesizers.asking import Asked, check_draw, fresh_seed
from dpsynth.synthesizers.sampled_rows import Block

ROWS_OF_A_BLOCK = 1_000_000
_JOB = "writing.json"
"""What is being written; gone when all of it is there."""


_File: TypeAlias = tuple[str, int, Block]
"""A file's name, its rows, and which of all rows they are."""


@dataclass(frozen=True)
class Written:
    """A folder of samples: its files, their rows together, the seed, and the folder's head."""

    folder: Path
    files: list[Path]
    count: int
    seed: int
    head: str


class Sampler(Protocol):
    """A fitted synthesizer."""

    schema: Schema

    @property
    def certificate(self) -> Certificate: ...

    def drawn(
        self, n: int | None, asked: Asked, seed: int | None, block: Block | None
    ) -> pd.DataFrame:
        """The rows of a block."""
        ...


@dataclass(frozen=True)
class _Job:
    model: str | None
    rows: int
    seed: int
    ending: str
    asked: Mapping[str, Any]
    rows_of_a_block: int
    versions: Mapping[str, str]

    def files(self) -> Iterator[_File]:
        digits = len(str(max(0, self.rows - 1) // self.rows_of_a_block))
        for number, first in enumerate(range(0, max(1, self.rows), self.rows_of_a_block)):
            count = min(self.rows_of_a_block, self.rows - first)
            name = f"rows-{number:0{digits}d}{self.ending}"
            yield name, count, Block(number, first, self.rows)


def write_blocks(
    folder: Path,
    synthesizer: Sampler,
    n: int,
    asked: Asked,
    *,
    ending: str = ".parquet",
    seed: int | None = None,
    workers: int = 1,
) -> Written:
    """Draws rows into files of a folder, and lists them in its manifest.

    A folder in which the same was begun is finished; a seed that was not given is that one's.
    ValueError where the folder is another release's, or something else was begun there;
    ConditionError for what cannot be drawn in blocks; SchemaError for rows that no such file holds.
    """
    check_draw(n, seed)
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise ValueError(f"workers must be a whole number, 1 or more, got {workers!r}")
    recorded = asked.recorded()
    _refuse(synthesizer.schema, recorded, int(n))
    refuse_unwritable(ending, synthesizer.schema)
    job, finished = _begun(folder, synthesizer, int(n), recorded, ending, seed)
    files = [*job.files()]
    left = [each for each in files if each[0] not in finished]

    def write(name: str, count: int, block: Block) -> tuple[str, str]:
        new = folder / f".new-{os.getpid()}-{name}"
        drawn = synthesizer.drawn(count, Asked.of(recorded), job.seed, block)
        write_rows(drawn, new, synthesizer.schema)
        digest = _hash(new)
        os.replace(new, folder / name)
        return name, digest

    stage(f"drawing {job.rows:,} rows into {len(files):,} files")
    for name, digest in _beside(write, left, workers):
        finished[name] = digest
        _note(folder, job, finished)
        step(len(finished), len(files))
    return _listed(folder, job, files, finished)


def _beside(
    write: Callable[[str, int, Block], tuple[str, str]], todo: Sequence[_File], workers: int
) -> Iterator[tuple[str, str]]:
    """Writes files, some beside each other; gives the name and the hash of each that is done."""
    with ThreadPoolExecutor(max_workers=workers) as pool:
        more = iter(todo)
        running = {pool.submit(write, *each) for each in islice(more, workers)}
        while running:
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (each.result() for each in ended)
            running |= {pool.submit(write, *each) for each in islice(more, len(ended))}


def _refuse(schema: Schema, recorded: Mapping[str, Any], n: int) -> None:
    """ConditionError for what one block cannot know of the others; SchemaError where a form has too
    few identifiers for all rows.
    """
    for name, column in schema.columns.items():
        if isinstance(column, Identifier):
            keyed_identifiers(column, name, np.zeros(0, dtype=np.int64), 0, n)
    if recorded.get("scenario") is not None:
        raise ConditionError(
            "a scenario has parts of all rows, and these are drawn in blocks: draw it into one file"
        )
    for rule in schema.constraints:
        if isinstance(rule, Unique) and not isinstance(schema.columns[rule.column], Identifier):
            raise ConditionError(
                f"{rule.column!r} has to be unique among all rows, and these are drawn in blocks:"
                " declare it an Identifier, or draw the rows into one file"
            )


def _begun(
    folder: Path,
    synthesizer: Sampler,
    n: int,
    recorded: Mapping[str, Any],
    ending: str,
    seed: int | None,
) -> tuple[_Job, dict[str, str]]:
    """What is written there, as begun before or from now on, and the hashes of files that are done
    and have not been changed since.
    """
    model = synthesizer.certificate.model
    refuse_other_release(folder, model)
    place = folder / _JOB
    before = json.loads(place.read_text("ascii")) if place.exists() else {}
    noted = before.pop("finished", {})
    chosen = fresh_seed(before.get("seed") if seed is None else seed)
    job = _Job(model, n, chosen, ending, dict(recorded), ROWS_OF_A_BLOCK, versions())
    if before and before != asdict(job):
        raise ValueError(
            f"{folder} holds a sample that was begun with other facts, by its {_JOB}: ask for the"
            " same to finish it, or choose another folder"
        )
    if not before:
        new_folder(folder)
        if taken := [name for name, _, _ in job.files() if (folder / name).exists()]:
            raise ValueError(f"{folder / taken[0]} exists already: choose another folder")
        refuse_unlisted(folder, WRITTEN)
        folder.mkdir(parents=True, exist_ok=True)
        _note(folder, job, {})
    there = [name for name, _, _ in job.files() if (folder / name).exists()]
    return job, {name: noted[name] for name in there if noted.get(name) == _hash(folder / name)}


def _note(folder: Path, job: _Job, finished: Mapping[str, str]) -> None:
    """Writes down what is being written, and what of it is done."""
    new = folder / f".new-{os.getpid()}-{_JOB}"
    facts = {**asdict(job), "finished": dict(finished)}
    new.write_text(json.dumps(facts, indent=2) + "\n", "ascii")
    os.replace(new, folder / _JOB)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _listed(
    folder: Path, job: _Job, files: Sequence[_File], finished: Mapping[str, str]
) -> Written:
    facts = {"model": job.model, "seed": job.seed, **job.asked, "versions": versions()}
    lines = [
        line_of(folder / name, "rows", rows=count, block=asdict(block), **facts)
        for name, count, block in files
    ]
    if changed := [line["name"] for line in lines if line["sha256"] != finished[line["name"]]]:
        raise ValueError(
            f"{folder / changed[0]} was changed by something else: write the rows once more, to"
            " have it drawn anew"
        )
    head = add_lines(folder, *lines)
    (folder / _JOB).unlink()
    return Written(folder, [folder / name for name, _, _ in files], job.rows, job.seed, head)
