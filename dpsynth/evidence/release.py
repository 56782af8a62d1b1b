"""A folder as a whole, of a release or of samples: its certificate, and the files listed in it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dpsynth.evidence import verify
from dpsynth.evidence.bundle import samples, signatures
from dpsynth.evidence.bundle.checks import Folder
from dpsynth.evidence.bundle.model import content_of
from dpsynth.evidence.bundle.samples import UNFINISHED, Samples
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
    _check_head(head)
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


def examine_samples(
    place: str | Path, model: str | Path | None = None, head: str | None = None
) -> list[Outcome]:
    """What each check says of a folder of samples that is no release, and of its certificate.

    model: what the rows are to have been drawn from, which holds the certificate. head: as for a
    release. ValueError for a folder that is not finished, and for what is no model.
    """
    _check_head(head)
    path = Path(place)
    if (path / UNFINISHED).exists():
        raise ValueError(f"{path} is not finished: give the command that began it once more")
    record, given = {}, None
    outcomes: list[Outcome] = []
    if model is not None:
        given, inside = _opened(Path(model))
        if isinstance(inside, dict) and "dpsynth_merge" in inside:
            record, of = inside, _certificates(inside, model)
        else:
            record = verify.parse(json.dumps(inside), model)
            of = [record]
        outcomes = [outcome for each in of for outcome in verify.examine(each)]
    folder = Samples(path, record, head, _unzstd, given)
    return [*outcomes, *(verify.outcome_of(each, folder) for each in samples.CHECKS)]


def _opened(model: Path) -> tuple[str, Any]:
    try:
        return content_of(model)
    except ValueError as fault:
        raise ValueError(f"{model} cannot be read, as {fault}: give a model file") from None


def _certificates(merge: dict[str, Any], model: str | Path) -> list[Any]:
    """Those of a merge's sources."""
    try:
        return [each["certificate"] for each in merge["sources"]]
    except (LookupError, TypeError):
        raise ValueError(f"{model} names no sources of its merge: fetch another copy") from None


def check_release(place: str | Path, head: str | None = None) -> list[str]:
    """A sentence for each fault of a release; none where it holds as a whole.

    Undecided where no fault was found, and something can be neither confirmed nor refuted.
    """
    return verify.faults_in(examine_release(place, head))


def who_signed(place: str | Path, trust: Trust, now: datetime | None = None) -> list[str]:
    """Who of those that are trusted has signed a release folder that holds."""
    path = Path(place)
    return signatures.who_signed(_signed(Folder(path, verify.read(path)), trust, now))


def _check_head(head: str | None) -> None:
    if head is not None and not re.fullmatch(r"[0-9a-f]{16,64}", head):
        raise ValueError(
            f"a head is a hash of 64 digits 0-9 and a-f, or at least the first 16, got {head!r}:"
            " copy it again"
        )


def _signed(folder: Folder, trust: Trust, now: datetime | None) -> Signed:
    from dpsynth.evidence.signing.ed25519 import verifies

    return Signed(folder, trust, now or datetime.now(UTC), verifies)


def _unzstd(path: Path) -> Any:
    """What a file says that was packed by zstd, for which Python's standard library has nothing."""
    import pyarrow as pa

    return pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")
