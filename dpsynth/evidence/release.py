"""A release folder as a whole: its certificate, and the files that its manifest lists."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dpsynth.evidence import verify
from dpsynth.evidence.bundle import signatures
from dpsynth.evidence.bundle.checks import Folder
from dpsynth.evidence.bundle.signatures import Signed, Trust
from dpsynth.evidence.verify import Outcome


def examine_release(
    place: str | Path,
    head: str | None = None,
    trust: Trust | None = None,
    now: datetime | None = None,
) -> list[Outcome]:
    """What each check says of a release folder, or of a certificate.json by itself.

    head: a head of the folder's manifest that was noted earlier, or its first digits. trust: whose
    signatures the folder must have. now: the time at which they must be valid, by default that of
    the clock. ValueError where there is no certificate, or nothing that can be signed.
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
        folder = Folder(path, record, head, _unzstd)
        outcomes += [verify.outcome_of(each, folder) for each in signatures.CHECKS]
        if trust is not None:
            case = _signed(folder, trust, now)
            outcomes += [verify.outcome_of(each, case) for each in signatures.SIGNED]
    elif head is not None or trust is not None:
        asked = "a head is of a folder's manifest" if head else "signatures are of a folder"
        raise ValueError(f"{path} is a file, and {asked}: give the folder")
    return outcomes


def check_release(place: str | Path, head: str | None = None) -> list[str]:
    """A sentence for each fault of a release; none where it holds as a whole.

    Undecided where no fault was found, and something can be neither confirmed nor refuted.
    """
    return verify.faults_in(examine_release(place, head))


def who_signed(place: str | Path, trust: Trust, now: datetime | None = None) -> list[str]:
    """Who of those that are trusted has signed a release folder that holds."""
    path = Path(place)
    return signatures.who_signed(_signed(Folder(path, verify.read(path)), trust, now))


def _signed(folder: Folder, trust: Trust, now: datetime | None) -> Signed:
    from dpsynth.evidence.signing.ed25519 import verifies

    return Signed(folder, trust, now or datetime.now(UTC), verifies)


def _unzstd(path: Path) -> Any:
    """What a file says that was packed by zstd, for which Python's standard library has nothing."""
    import pyarrow as pa

    return pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")
