"""Releases that are signed, whom the tests trust, and what a forger does to an envelope."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

from dpsynth.evidence.bundle import signatures
from dpsynth.evidence.bundle.signatures import canonical, key_id
from dpsynth.evidence.release import examine_release
from dpsynth.evidence.sign import sign_release

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
PEOPLE = {"office": "preparer", "board": "reviewer", "stranger": "preparer"}


def sign(release, key, role="preparer", **facts):
    return sign_release(release, key, **{"signer": role, "role": role, "now": NOW, **facts})


def faults(release, trust, now=NOW):
    return {each.check: each.fault for each in examine_release(release, trust=trust, now=now) if each.fault}


def one(release, role="preparer"):
    (file,) = (release / "signatures").glob(f"{role}-*")
    return file


def rewritten(file, key=None, **parts):
    """The envelope with other parts of its statement's predicate; signed anew where a key is given."""
    document = json.loads(file.read_text())
    statement = json.loads(base64.b64decode(document["payload"]))
    statement["predicate"] |= parts
    payload = canonical(statement)
    document["payload"] = base64.b64encode(payload).decode()
    if key is not None:
        kind = signatures.PAYLOAD.encode()
        message = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
        document["signatures"] = [{"keyid": key_id(key.public), "sig": base64.b64encode(key.sign(message)).decode()}]
    write(file, document)


def write(file, document):
    file.write_text(json.dumps(document, indent=2) + "\n")
