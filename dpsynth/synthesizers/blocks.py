"""Samples of any size: a folder of files, each a block of rows that is drawn and written by itself.

So the files are the same whatever ran beside each other, one that is there need not be drawn again,
and no more is held in memory than the blocks under way.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from dpsynth.base.places import new_folder
from dpsynth.base.progress import rows, stage
from dpsynth.base.versions import versions
from dpsynth.data.tables.writing import WRITTEN, refuse_unwritable, write_rows
from dpsynth.evidence.bundle.samples import UNFINISHED
from dpsynth.evidence.manifest import add_lines, line_of, refuse_other_release, refuse_unlisted
from dpsynth.synthesizers import block_job
from dpsynth.synthesizers.asking import Asked, check_draw, fresh_seed
from dpsynth.synthesizers.block_job import (
    Piece,
    Sampler,
    beside,
    check_workers,
    cost_of,
    parity_changes,
    pieces,
    refuse_in_blocks,
)

_JOB = UNFINISHED
"""What is being written; gone when all of it is there."""


_File: TypeAlias = tuple[str, Piece]
"""A file's name, and which rows are in it."""


@dataclass(frozen=True)
class Written:
    """A folder of samples: its files, their rows together, the seed, and the folder's head.

    parity: what it changed.
    """

    folder: Path
    files: list[Path]
    count: int
    seed: int
    head: str
    parity: pd.DataFrame | None = None


@dataclass(frozen=True)
class _Job:
    model: str | None
    rows: int
    seed: int
    ending: str
    asked: Mapping[str, Any]
    rows_of_a_block: int
    versions: Mapping[str, str]

    def files(self) -> list[_File]:
        todo = pieces(self.rows)
        digits = len(str(len(todo) - 1))
        return [(f"rows-{each.block.number:0{digits}d}{self.ending}", each) for each in todo]


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
    check_workers(workers)
    recorded = asked.recorded()
    refuse_in_blocks(synthesizer.schema, recorded, int(n))
    refuse_unwritable(ending, synthesizer.schema)
    changes = parity_changes(synthesizer, recorded)
    job, finished = _begun(folder, synthesizer, int(n), recorded, ending, seed)
    files = job.files()
    names = {piece.block.number: name for name, piece in files}

    def write(piece: Piece) -> tuple[str, str]:
        name = names[piece.block.number]
        new = folder / f".new-{os.getpid()}-{name}"
        drawn = synthesizer.drawn(piece.count, Asked.of(recorded), job.seed, piece.block)
        write_rows(drawn, new, synthesizer.schema)
        digest = _hash(new)
        os.replace(new, folder / name)
        return name, digest

    kind = "file" if len(files) == 1 else "files"
    stage(f"drawing {job.rows:,} rows into {len(files):,} {kind}")
    counts = {name: piece.count for name, piece in files}
    there = sum(counts[name] for name in finished)
    rows(there, job.rows)
    left = [piece for name, piece in files if name not in finished]
    for name, digest in beside(write, left, workers):
        finished[name] = digest
        _note(folder, job, finished)
        there += counts[name]
        rows(there, job.rows)
    return _listed(folder, job, files, finished, changes)


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
    job = _Job(model, n, chosen, ending, dict(recorded), block_job.ROWS_OF_A_BLOCK, versions())
    if before and before != asdict(job):
        raise ValueError(
            f"{folder} holds an unfinished sample that was asked for differently"
            f" ({_differing(before, asdict(job))}): ask for the same to finish it, or choose"
            " another folder"
        )
    if not before:
        new_folder(folder)
        if taken := [name for name, _ in job.files() if (folder / name).exists()]:
            raise ValueError(f"{folder / taken[0]} exists already: choose another folder")
        refuse_unlisted(folder, WRITTEN)
        folder.mkdir(parents=True, exist_ok=True)
        _note(folder, job, {})
    there = [name for name, _ in job.files() if (folder / name).exists()]
    return job, {name: noted[name] for name in there if noted.get(name) == _hash(folder / name)}


_SAID = {
    "model": "of another model",
    "rows": "another number of rows",
    "seed": "another seed",
    "ending": "another kind of file",
    "asked": "another condition, other shares or support",
    "rows_of_a_block": "files of another size",
    "versions": "by other versions of dpsynth or its packages",
}


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """In what an unfinished sample differs, in words."""
    return ", ".join(words for name, words in _SAID.items() if before.get(name) != now[name])


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
    folder: Path,
    job: _Job,
    files: Sequence[_File],
    finished: Mapping[str, str],
    changes: pd.DataFrame | None,
) -> Written:
    facts = {"model": job.model, "seed": job.seed, **job.asked, **cost_of(changes)}
    facts |= {"versions": versions()}
    lines = [
        line_of(folder / name, "rows", rows=piece.count, block=asdict(piece.block), **facts)
        for name, piece in files
    ]
    if changed := [line["name"] for line in lines if line["sha256"] != finished[line["name"]]]:
        raise ValueError(
            f"{folder / changed[0]} was changed by something else: write the rows once more, to"
            " have it drawn anew"
        )
    head = add_lines(folder, *lines)
    (folder / _JOB).unlink()
    paths = [folder / name for name, _ in files]
    return Written(folder, paths, job.rows, job.seed, head, changes)
