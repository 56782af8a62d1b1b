"""A signed release of format 1: today's code and independent programs find the same signature true."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

pytest.importorskip("cryptography", reason="signatures need cryptography: pip install 'dpsynth[sign]'")

from dpsynth.evidence.bundle.signatures import key_id
from dpsynth.evidence.release import examine_release, who_signed
from dpsynth.evidence.signing.ed25519 import public_key
from dpsynth.evidence.signing.trust import trust_in
from tests.evidence import rfc8032
from tests.golden.signed import make

RELEASE = make.HERE / "release"
PUBLIC = make.HERE / "office.pub"
(FILE,) = (RELEASE / "signatures").iterdir()


def parts():
    """The envelope, read without any code of ours: the payload, the signature, and what was signed by the standard."""
    document = json.loads(FILE.read_text())
    payload = base64.b64decode(document["payload"])
    kind = document["payloadType"]
    message = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    return payload, base64.b64decode(document["signatures"][0]["sig"]), message


def test_the_release_holds_and_says_who_signed_it():
    trust, now = trust_in(PUBLIC), make.SIGNED + timedelta(days=1)
    assert [each for each in examine_release(RELEASE, trust=trust, now=now) if each.fault or each.undecided] == []
    assert who_signed(RELEASE, trust, now) == ["key 1 as preparer, until 2027-11-30, in the place of abababababababab"]


def test_the_statement_says_what_it_said():
    statement = json.loads(parts()[0])
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "urn:dpsynth:release:1"
    assert statement["predicate"]["claim"] == {"private": True, "epsilon": 2.0, "delta": 1e-06}
    assert statement["predicate"]["signer"] == "data office"
    assert statement["predicate"]["expires"] == "2027-11-30T12:00:00+00:00"
    assert [each["name"] for each in statement["subject"]] == ["certificate.html", "certificate.json"]


def test_the_formulas_of_the_standard_find_it_true():
    _, signature, message = parts()
    assert rfc8032.is_true(public_key(PUBLIC), signature, message)
    assert not rfc8032.is_true(public_key(PUBLIC), signature, message[:-1])


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the program openssl is not here")
@pytest.mark.parametrize("spoilt", [False, True])
def test_openssl_finds_it_true_and_a_changed_one_false(spoilt: bool, tmp_path: Path) -> None:
    _, signature, message = parts()
    (tmp_path / "message").write_bytes(message + b" " * spoilt)
    (tmp_path / "signature").write_bytes(signature)
    asked = ["-rawin", "-in", str(tmp_path / "message"), "-sigfile", str(tmp_path / "signature")]
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", str(PUBLIC), *asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ("Verified Successfully" in done.stdout) != spoilt, done.stderr
    assert (done.returncode == 0) != spoilt


def test_securesystemslib_finds_it_true():
    dsse = pytest.importorskip("securesystemslib.dsse", reason="the independent program is not here")
    from securesystemslib.signer import SSlibKey

    envelope = dsse.Envelope.from_dict(json.loads(FILE.read_text()) | {"signatures": signatures()})
    raw = public_key(PUBLIC)
    key = SSlibKey(key_id(raw), "ed25519", "ed25519", {"public": raw.hex()})
    assert envelope.verify([key], 1)
    other = SSlibKey(key_id(raw), "ed25519", "ed25519", {"public": (b"\1" * 32).hex()})
    with pytest.raises(Exception, match="threshold"):
        envelope.verify([other], 1)


def signatures():
    """The signatures as that program reads them."""
    return json.loads(FILE.read_text())["signatures"]


def test_the_id_of_the_key_is_the_hash_of_its_file_in_der():
    import hashlib

    lines = PUBLIC.read_text().splitlines()
    der = base64.b64decode("".join(lines[1:-1]))
    assert key_id(public_key(PUBLIC)) == hashlib.sha256(der).hexdigest()
    assert FILE.name == f"preparer-{hashlib.sha256(der).hexdigest()[:16]}.dsse.json"
