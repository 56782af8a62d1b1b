"""Checks of the signatures of a release: who signed these files, in which role, and until when.

A signature is a file of the folder `signatures/`: a DSSE envelope (Dead Simple Signing Envelope
1.0) around an in-toto Statement 1 whose subjects are the files that the manifest lists. The
manifest does not list signatures, as each of them signs its head. So this folder may hold envelopes
of this very manifest and nothing else, and each byte of one is checked.

Like the other checks these use Python's standard library only. What tells a true signature from a
false one is given to them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from dpsynth.evidence.bundle import checks
from dpsynth.evidence.bundle.checks import SIGNATURES, Folder

PAYLOAD = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:dpsynth:release:1"
FORMAT = "dpsynth_signature"
VERSION = 1
ENDING = ".dsse.json"
NAME = re.compile(rf"[a-z0-9-]{{1,60}}-[0-9a-f]{{16}}{re.escape(ENDING)}")
"""How the files in `signatures/` are named: by the role, and the key's first digits."""

_SPKI = bytes.fromhex("302a300506032b6570032100")  # RFC 8410: what stands before an Ed25519 key
_LARGEST = 2**26  # bytes
_SIGNATURE = 64  # bytes
_DIGEST = re.compile("[0-9a-f]{64}")
LONGEST = 200
"""The most characters that the name of a signer may have: no other text is in a signature."""
_PARTS = {
    FORMAT, "signer", "role", "signed", "expires", "supersedes", "manifest", "certificate", "claim"
}  # fmt: skip

Verifies = Callable[[bytes, bytes, bytes], bool]
"""Whether a key (32 bytes) made a signature (64 bytes) of a message: Ed25519, RFC 8032."""


@dataclass(frozen=True)
class Signer:
    """Somebody whose signature counts: a name, one role, and the public keys, 32 bytes each."""

    name: str
    role: str | None
    keys: tuple[bytes, ...]


@dataclass(frozen=True)
class Trust:
    """Whose signatures are asked for.

    required: how many signers of each role; None as a role stands for any. withdrawn: heads of
    manifests whose releases count no longer, with the files that came later.
    """

    signers: tuple[Signer, ...]
    required: Mapping[str | None, int]
    withdrawn: tuple[str, ...] = ()


@dataclass(frozen=True)
class Envelope:
    """A signature as it lies in the folder: what was signed, and the statement in it."""

    name: str
    payload: bytes
    signature: bytes
    key: str
    statement: Mapping[str, Any] = field(repr=False)

    @property
    def message(self) -> bytes:
        """What the key signs: DSSE's pre-authentication encoding, in which no part can move."""
        kind = PAYLOAD.encode()
        return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(self.payload), self.payload)

    @property
    def facts(self) -> Mapping[str, Any]:
        return self.statement["predicate"]


@dataclass(frozen=True)
class Signed:
    """A release folder, whose signatures are asked for, the time, and what checks a signature."""

    folder: Folder
    trust: Trust
    now: datetime
    verifies: Verifies

    @cached_property
    def known(self) -> dict[str, tuple[bytes, Signer]]:
        """Each trusted key, and whose it is, by its id."""
        return {key_id(raw): (raw, each) for each in self.trust.signers for raw in each.keys}

    @cached_property
    def envelopes(self) -> list[Envelope]:
        return [found for found in map(_readable, paths(self.folder.path)) if found is not None]

    @cached_property
    def withdrawn(self) -> str | None:
        """A head that was withdrawn: of the manifest as it is, or as it was before files came."""
        heads = [line["hash"] for line in self.folder.read[0]]
        return next((head for head in heads if head in self.trust.withdrawn), None)

    def is_true(self, envelope: Envelope) -> bool:
        key = self.known[envelope.key][0]
        return self.verifies(key, envelope.signature, envelope.message)


def key_id(raw: bytes) -> str:
    """A public key's id: the SHA-256 of its DER form (SubjectPublicKeyInfo)."""
    return hashlib.sha256(_SPKI + raw).hexdigest()


def paths(folder: Path) -> list[Path]:
    """What lies in the folder's `signatures/`, if there is one."""
    place = folder / SIGNATURES
    return sorted(place.iterdir()) if place.is_dir() and not place.is_symlink() else []


def read_envelope(path: Path) -> Envelope:
    """The envelope in a file; ValueError, which says why, for anything else.

    It must be written exactly as its format says, so that no byte can differ.
    """
    if not path.is_file() or path.is_symlink() or path.stat().st_size > _LARGEST:
        raise ValueError("it is no file, or too large a one")
    if not NAME.fullmatch(path.name):
        raise ValueError("no signature has such a name")
    try:
        text = path.read_bytes().decode("ascii")
        document = json.loads(text)
        if text != json.dumps(document, indent=2) + "\n":
            raise ValueError("it is not as it was written")
        (signature,) = document["signatures"]
        if document.keys() != {"payloadType", "payload", "signatures"}:
            raise ValueError("it has other parts than an envelope")
        if document["payloadType"] != PAYLOAD:
            raise ValueError(f"its payload is of another type than {PAYLOAD}")
        if signature.keys() != {"keyid", "sig"} or type(signature["keyid"]) is not str:
            raise ValueError("its signature has other parts than a key and a signature")
        payload, raw = _base64(document["payload"]), _base64(signature["sig"])
        if not _DIGEST.fullmatch(signature["keyid"]) or len(raw) != _SIGNATURE:
            raise ValueError("its signature is none of Ed25519, or its key has another kind of id")
        statement = json.loads(payload)
        if payload != canonical(statement):
            raise ValueError("its statement is not as it was written")
    except (OSError, LookupError, TypeError, AttributeError, RecursionError):
        raise ValueError("it is no envelope with one signature") from None
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError("it cannot be read as JSON") from None
    return Envelope(path.name, payload, raw, signature["keyid"], statement)


def canonical(statement: Any) -> bytes:
    """A statement as bytes: JSON in ASCII, keys sorted, no spaces."""
    return json.dumps(statement, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def statement_of(folder: Folder, until: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What is signed of a release as far as a head of its manifest, with what the signer says."""
    lines = folder.read[0]
    heads = [line["hash"] for line in lines]
    listed = {line["name"]: line["sha256"] for line in lines[: heads.index(until) + 1]}
    claim = {name: folder.record["claim"][name] for name in ("private", "epsilon", "delta")}
    about = {"manifest": until, "certificate": listed.get("certificate.json"), "claim": claim}
    return {
        "_type": STATEMENT,
        "subject": [{"name": n, "digest": {"sha256": h}} for n, h in sorted(listed.items())],
        "predicateType": PREDICATE,
        "predicate": {FORMAT: VERSION, **facts, **about},
    }


def signatures(folder: Folder) -> str:
    """A file in the folder of signatures is no signature of this release."""
    found = []
    for path in paths(folder.path):
        try:
            envelope = read_envelope(path)
        except ValueError as why:
            found.append(f"{path.name}: {why}")
            continue
        if why_not := _odd(folder, envelope):
            found.append(f"{path.name}: {why_not}")
    return "; ".join(found)


def _odd(folder: Folder, envelope: Envelope) -> str:
    """Why an envelope is not of this release; nothing where it is."""
    stated, facts = envelope.statement, envelope.statement.get("predicate", {})
    if (stated.get("_type"), stated.get("predicateType")) != (STATEMENT, PREDICATE):
        return "it states something else than that a release is signed"
    if type(facts.get(FORMAT)) is not int or facts[FORMAT] != VERSION or facts.keys() != _PARTS:
        return f"it is of another format than {VERSION}"
    own = {name: facts[name] for name in ("signer", "role", "signed", "expires", "supersedes")}
    if not _are_told(own) or not envelope.name.startswith(f"{facts['role']}-{envelope.key[:16]}."):
        return "what it says of its signer cannot be read, or is not what its name says"
    if facts["manifest"] not in [line["hash"] for line in folder.read[0]]:
        return "it signs another release, or another manifest of this one"
    if stated != statement_of(folder, facts["manifest"], own):
        return "it does not name the files that the manifest lists"
    return ""


def signed(case: Signed) -> str:
    """A signature is not of the key that it names."""
    known = [each for each in case.envelopes if each.key in case.known]
    return ", ".join(each.name for each in known if not case.is_true(each))


def required(case: Signed) -> str:
    """Not everybody has signed whose signature is asked for."""
    reasons, counted = [], set()
    for envelope in case.envelopes:
        if why_not := _uncounted(case, envelope):
            reasons.append(f"{envelope.name} does not count: {why_not}")
        else:
            counted.add(case.known[envelope.key][1])
    lacking = []
    for role, least in case.trust.required.items():
        have = sum(role is None or signer.role == role for signer in counted)
        if have < least:
            who = "signer" if role is None else role
            lacking.append(f"{who}: {have} of {least}")
    return "; ".join([*lacking, *reasons]) if lacking else ""


def who_signed(case: Signed) -> list[str]:
    """Who has signed and counts: name and role, until when, and what the release replaces."""
    found = []
    for envelope in case.envelopes:
        if not _uncounted(case, envelope):
            name, facts = case.known[envelope.key][1].name, envelope.facts
            until = f", until {facts['expires'][:10]}" if facts["expires"] else ""
            replaced = "".join(f", in the place of {head[:16]}" for head in facts["supersedes"])
            found.append(f"{name} as {facts['role']}{until}{replaced}")
    return found


def _uncounted(case: Signed, envelope: Envelope) -> str:
    """Why a signature does not count; nothing where it does."""
    if envelope.key not in case.known:
        return "its key is not trusted"
    if _odd(case.folder, envelope) or not case.is_true(envelope):
        return "it is false"
    facts, signer = envelope.facts, case.known[envelope.key][1]
    if signer.role is not None and facts["role"] != signer.role:
        return f"it is signed as {facts['role']}, and {signer.name} is trusted as {signer.role}"
    if case.withdrawn:
        return f"the release was withdrawn by its head {case.withdrawn[:16]}"
    if datetime.fromisoformat(facts["signed"]) > case.now:
        return f"it is dated {facts['signed']}, which is yet to come"
    if facts["expires"] is not None and datetime.fromisoformat(facts["expires"]) <= case.now:
        return f"it expired on {facts['expires']}"
    later = case.folder.listed.keys() - {each["name"] for each in envelope.statement["subject"]}
    if facts["manifest"] != case.folder.read[0][-1]["hash"]:
        return f"files were listed after it was signed ({', '.join(sorted(later)) or 'anew'})"
    return ""


def _are_told(own: Mapping[str, Any]) -> bool:
    """Whether what a signer says of himself is well formed."""
    dates = [own["signed"], *([] if own["expires"] is None else [own["expires"]])]
    texts = isinstance(own["signer"], str) and isinstance(own["role"], str)
    return (
        texts
        and is_name(own["signer"])
        and all(_is_time(each) for each in dates)
        and isinstance(own["supersedes"], list)
        and all(isinstance(each, str) and _DIGEST.fullmatch(each) for each in own["supersedes"])
    )


def is_name(text: str) -> bool:
    """Whether a signer can be called so: in up to 200 characters that can be printed."""
    return bool(text.strip()) and len(text) <= LONGEST and text.isprintable()


def _is_time(text: object) -> bool:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return False
    return found.tzinfo is not None and found.astimezone(UTC).isoformat(timespec="seconds") == text


def _readable(path: Path) -> Envelope | None:
    try:
        return read_envelope(path)
    except ValueError:  # of which `signatures` tells
        return None


def _base64(text: object) -> bytes:
    raw = base64.b64decode(str(text), validate=True)
    if base64.b64encode(raw).decode() != text:
        raise ValueError("its base64 is not as it was written")
    return raw


CHECKS: Sequence[Callable[[Folder], bool | str]] = (*checks.CHECKS, signatures)
"""Of every release folder."""
SIGNED: Sequence[Callable[[Signed], bool | str]] = (signed, required)
"""Where somebody's signature is asked for."""
