"""The manifest of a folder: every file of a release that lies there, by its hash.

`manifest.json` is a chain, as a ledger is: each line holds the hash of the one before, so that the
head, the hash of the last line, stands for all of them. Samples are drawn at any time after a fit,
so lines are added and never changed. The chain begins with what the fit released: the line of the
certificate names the model by the hash that the ledger's own last line of the run has, and each
line of rows names the model, the seed and the condition that they were drawn with.

Nothing that was compared with real rows is ever listed: its hash would tell of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from dpsynth.evidence.bundle.checks import GENESIS, NAME, VERSION, read_manifest

Line = dict[str, Any]

_PATIENCE = 5.0
"""Seconds that another process may take to add its lines."""


def line_of(path: Path, kind: str, **facts: Any) -> Line:
    """What the manifest says of a file that has been written."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"name": path.name, "kind": kind, "sha256": digest, **facts}


def add_lines(folder: Path, *lines: Mapping[str, Any]) -> str:
    """Adds lines to the manifest of a folder, and returns its head; a first line begins one.

    What the manifest says already is not said again. ValueError where the manifest there was
    changed; OSError where it cannot be written.
    """
    with _alone(folder) as new:
        chain = _existing(folder)
        last = {line["name"]: line for line in chain}
        for line in lines:
            known = last.get(line["name"], {})
            if {n: value for n, value in known.items() if n not in ("prev", "hash")} != line:
                chained = {**line, "prev": chain[-1]["hash"] if chain else GENESIS}
                chain.append({**chained, "hash": _hash(chained)})
        text = json.dumps({"dpsynth_manifest": VERSION, "files": chain}, indent=2) + "\n"
        new.write_text(text, encoding="ascii", newline="\n")
    return str(chain[-1]["hash"])


def refuse_other_release(folder: Path, model: str | None) -> None:
    """ValueError where the folder is a release, and not of this model; None is a model to come.

    A folder without a certificate is no release: rows of several models may lie there.
    """
    known = {line["name"]: line for line in _existing(folder)}.values()
    of = {line.get("model") for line in known if line["kind"] == "certificate"}
    held = any(line["kind"] not in ("certificate", "page") for line in known)
    if of and of != {model} and (model is not None or held):
        raise ValueError(
            f"{folder} is the release of another model, by its {NAME}: choose another folder"
        )


def refuse_unlisted(folder: Path, endings: Collection[str]) -> None:
    """ValueError where files with these endings lie in a folder, and its manifest lists not all."""
    listed = {line["name"] for line in _existing(folder)}
    here = folder.iterdir() if folder.is_dir() else ()
    if any(path.suffix in endings and path.name not in listed for path in here):
        raise ValueError(
            f"{folder} has tables that no {NAME} lists, which may be of real records: choose"
            " another folder"
        )


def _existing(folder: Path) -> list[Line]:
    if not (folder / NAME).exists():
        return []
    try:
        return read_manifest(folder)
    except ValueError as fault:
        raise ValueError(
            f"{folder} cannot take files of a release, as {fault}: choose another folder"
        ) from None


def _hash(line: Mapping[str, Any]) -> str:
    text = json.dumps(line, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[Path]:
    """A new file that one process at a time can hold: it becomes the manifest."""
    new = folder / f"{NAME}.new"
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            new.touch(exist_ok=False)
            break
        except FileExistsError:
            if time.monotonic() > until:
                raise OSError(
                    f"{new} was left behind by a command that ended early: remove it"
                ) from None
            time.sleep(0.01)
    try:
        yield new
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    os.replace(new, folder / NAME)  # and from here on the next process may hold it
