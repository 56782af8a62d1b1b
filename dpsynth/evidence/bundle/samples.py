"""Checks of a folder of samples that is no release: rows that were drawn from a model elsewhere.

`dpsynth sample -o FOLDER` writes one. The model stands beside it and holds the certificate. Like
the checks of releases these import nothing that writes one, and use Python's standard library only.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpsynth.evidence.bundle.checks import (
    NAME,
    SAMPLES,
    Folder,
    Line,
    files,
    manifest,
    named,
    real,
    unlisted,
)
from dpsynth.evidence.verifier.recompute import Undecided

UNFINISHED = "writing.json"
"""What a folder has beside its rows until all of them are there."""

_OF_A_FILE = ("name", "kind", "sha256", "prev", "hash", "rows", "block")
"""What the lines of one sample may differ in."""


@dataclass(frozen=True)
class Samples(Folder):
    """A folder of samples; `record` is the certificate in the model that was given.

    given: the hash of that model; None where none was.
    """

    given: str | None = None


def is_samples(place: Path) -> bool:
    """Whether this is a folder with a manifest, or an unfinished one, and with no certificate."""
    here = place.is_dir() and not (place / "certificate.json").exists()
    return here and any((place / name).exists() for name in (NAME, UNFINISHED))


def source(folder: Samples) -> str:
    """The model is not one that its run released, or rows are listed as drawn from another one."""
    if folder.given is None:
        raise Undecided(
            "no model was given, so nothing says what the rows were drawn from: --model FILE"
        )
    if folder.released != folder.given:
        return "its certificate names another"
    others = [n for n, line in folder.listed.items() if line.get("model") != folder.given]
    return ", ".join(others)


def blocks(folder: Samples) -> str:
    """Files of one sample are missing or doubled: they are not all of its rows."""
    found: dict[str, list[Line]] = defaultdict(list)
    for line in folder.of(*SAMPLES):
        if line.get("block") is not None:
            facts = {name: value for name, value in line.items() if name not in _OF_A_FILE}
            whole = [Path(line["name"]).suffix, line["block"].get("total"), facts]
            found[json.dumps(whole, sort_keys=True)].append(line)
    return ", ".join(each[0]["name"] for each in found.values() if not _are_whole(each))


def _are_whole(lines: Sequence[Line]) -> bool:
    """Whether the blocks follow each other, from the first row to the last."""
    rows = 0
    ordered = sorted(lines, key=lambda line: (line["block"]["first"], line["block"]["number"]))
    for number, line in enumerate(ordered):
        block: Mapping[str, Any] = line["block"]
        if (block["number"], block["first"]) != (number, rows):
            return False
        rows += line["rows"]
    return bool(rows == lines[0]["block"]["total"])


OWN: tuple[Callable[[Samples], str], ...] = (source, blocks)
CHECKS: tuple[Callable[[Samples], bool | str], ...] = (
    manifest, files, named, *OWN, real, unlisted,
)  # fmt: skip
