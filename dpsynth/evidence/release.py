"""A release folder as a whole: its certificate, and the files that its manifest lists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dpsynth.evidence import verify
from dpsynth.evidence.bundle import checks
from dpsynth.evidence.verify import Outcome


def examine_release(place: str | Path, head: str | None = None) -> list[Outcome]:
    """What each check says of a release folder, or of a certificate.json by itself.

    head: a head of the folder's manifest that was noted earlier, or its first digits. ValueError
    where there is no certificate.
    """
    if head is not None and not re.fullmatch(r"[0-9a-f]{16,64}", head):
        raise ValueError(
            f"a head is a hash of 64 digits 0-9 and a-f, or at least the first 16, got {head!r}:"
            " copy it again"
        )
    path = Path(place)
    record = verify.read(path)
    outcomes = verify.examine(record)
    if path.is_dir():
        folder = checks.Folder(path, record, head, _unzstd)
        outcomes += [verify.outcome_of(each, folder) for each in checks.CHECKS]
    elif head is not None:
        raise ValueError(f"{path} is a file, and a head is of a folder's manifest: give the folder")
    return outcomes


def check_release(place: str | Path, head: str | None = None) -> list[str]:
    """A sentence for each fault of a release; none where it holds as a whole.

    Undecided where no fault was found, and something can be neither confirmed nor refuted.
    """
    return verify.faults_in(examine_release(place, head))


def _unzstd(path: Path) -> Any:
    """What a file says that was packed by zstd, for which Python's standard library has nothing."""
    import pyarrow as pa

    return pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")
