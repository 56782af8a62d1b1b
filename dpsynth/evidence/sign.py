"""Signing a release: an envelope in its folder, by somebody who has verified it first."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dpsynth.evidence import verify
from dpsynth.evidence.bundle.checks import INTERNAL, SIGNATURES, Folder
from dpsynth.evidence.bundle.signatures import (
    ENDING,
    LONGEST,
    PAYLOAD,
    Envelope,
    canonical,
    is_name,
    key_id,
    statement_of,
)
from dpsynth.evidence.release import check_release
from dpsynth.evidence.signing.ed25519 import PrivateKey
from dpsynth.evidence.signing.trust import role_of

MOST_DAYS = 36_500
ROLE = "preparer"
"""As what somebody signs who says nothing else."""


def sign_release(
    release: Path,
    key: PrivateKey,
    *,
    signer: str,
    role: str = ROLE,
    days: int | None = None,
    supersedes: Sequence[str] = (),
    now: datetime | None = None,
) -> Path:
    """Signs a release as it is now, and returns the signature's file.

    signer: who signs, in words. days: how long it is valid; None for no end. supersedes: the heads
    of the manifests of releases that it replaces. now: the time that it states, by default that of
    the clock. A signature of the same key and role is replaced. ValueError for a release that does
    not hold; nothing is signed then.
    """
    check_facts(signer, role, days, supersedes)
    if release.is_file():
        raise ValueError(f"{release} is a file, and signatures are of a folder: give the folder")
    place = signature_of(release, key, role)
    (release / f"{place.name}.new").unlink(missing_ok=True)  # of a signing that was interrupted
    try:
        faults = check_release(release)
    except verify.Undecided as reason:
        faults = [str(reason)]
    if faults:
        raise ValueError(
            f"{release} does not hold, so it was not signed: {'; '.join(faults)}; `dpsynth verify`"
            " shows each check"
        )
    begin = (now or datetime.now(UTC)).astimezone(UTC)
    expires = None if days is None else begin + timedelta(days=days)
    facts = {
        "signer": signer,
        "role": role,
        "signed": begin.isoformat(timespec="seconds"),
        "expires": None if expires is None else expires.isoformat(timespec="seconds"),
        "supersedes": list(supersedes),
    }
    folder = Folder(release, verify.read(release))
    payload = canonical(statement_of(folder, folder.read[0][-1]["hash"], facts))
    return _write(place, payload, key)


def signature_of(release: Path, key: PrivateKey, role: str) -> Path:
    """The file of the signature of this key in this role, whether it is there or not."""
    return release / SIGNATURES / f"{role}-{key_id(key.public)[:16]}{ENDING}"


def check_facts(
    signer: str,
    role: str = ROLE,
    days: int | None = None,
    supersedes: Sequence[str] = (),
) -> None:
    """ValueError, in one sentence, for what a signature cannot say."""
    role_of(role)
    if not signer.strip():
        raise ValueError("a signature says who signs, got an empty name: name somebody")
    if not is_name(signer):
        raise ValueError(
            f"the name of a signer may have up to {LONGEST} characters that can be printed, got"
            f" {len(signer):,}: give a shorter name, without line breaks"
        )
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise ValueError(
            f"a signature is valid for 1 to {MOST_DAYS:,} days, got {days}: give another number, or"
            " none for no end"
        )
    for head in supersedes:
        if not re.fullmatch("[0-9a-f]{64}", head):
            raise ValueError(
                f"a release is superseded by the head of its manifest, 64 digits 0-9 and a-f, got"
                f" {head!r}: copy it again"
            )


def refuse_inside(key: Path, release: Path) -> None:
    """ValueError for a private key that lies in the folder that is given away."""
    if release.resolve() in key.resolve().parents:
        raise ValueError(
            f"{key} lies in the release that would be given away with it: move the key elsewhere"
            f" (not into {INTERNAL}/ either)"
        )


def _write(place: Path, payload: bytes, key: PrivateKey) -> Path:
    unsigned = Envelope(place.name, payload, b"", key_id(key.public), {})
    signature = {"keyid": unsigned.key, "sig": _text(key.sign(unsigned.message))}
    envelope = {"payloadType": PAYLOAD, "payload": _text(payload), "signatures": [signature]}
    place.parent.mkdir(exist_ok=True)
    new = place.parent.parent / f"{place.name}.new"
    new.write_text(json.dumps(envelope, indent=2) + "\n", encoding="ascii", newline="\n")
    os.replace(new, place)
    return place


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
