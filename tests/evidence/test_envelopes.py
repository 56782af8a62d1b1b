"""Envelopes of signatures: nothing can be added to one, moved in it, or hidden among them."""

from __future__ import annotations

import base64
import json
import shutil

import pytest

pytest.importorskip("cryptography", reason="signatures need cryptography: pip install 'dpsynth[sign]'")

from dpsynth.evidence.bundle import signatures
from dpsynth.evidence.bundle.signatures import Signer, Trust, read_envelope
from dpsynth.evidence.release import examine_release, who_signed
from dpsynth.evidence.signing import ed25519
from tests.evidence import rfc8032
from tests.evidence.signed import NOW, faults, one, rewritten, write


def test_the_same_envelope_under_two_names_counts_once_and_is_a_fault(signed, keys):
    file = one(signed)
    shutil.copy(file, file.with_name(f"preparer-{'0' * 16}.dsse.json"))
    trust = Trust(
        (Signer("office", "preparer", (keys["office"].public,)), Signer("x", "preparer", (b"1" * 32,))), {"preparer": 2}
    )
    assert set(faults(signed, trust)) == {"signatures", "required"}
    assert "preparer: 1 of 2" in faults(signed, trust)["required"]


def test_an_envelope_of_another_payload_type_is_refused(signed, trust):
    file = one(signed)
    document = json.loads(file.read_text())
    write(file, {**document, "payloadType": "application/json"})
    assert "payload is of another type" in faults(signed, trust)["signatures"]
    assert "preparer: 0 of 1" in faults(signed, trust)["required"]


def test_no_part_of_what_is_signed_can_move_into_another(signed, keys):
    """DSSE's encoding counts each part: the same bytes, cut elsewhere, are another message."""
    envelope = read_envelope(one(signed))
    kind, body = signatures.PAYLOAD.encode(), envelope.payload
    assert envelope.message == b"DSSEv1 28 application/vnd.in-toto+json %d " % len(body) + body
    public = keys["office"].public
    assert ed25519.verifies(public, envelope.signature, envelope.message)
    for moved in (b"DSSEv1 %d %s %d %s" % (len(kind) + 2, kind + b" " + body[:1], len(body) - 1, body[1:]), body):
        assert not ed25519.verifies(public, envelope.signature, moved)
    naive = b" ".join([b"DSSEv1", kind, body])
    assert naive != envelope.message
    assert not ed25519.verifies(public, envelope.signature, naive)


@pytest.mark.parametrize("name", ["notes.txt", "preparer-0123456789abcdef.dsse.json", "rows.csv"])
def test_nothing_else_can_lie_among_the_signatures(name, signed):
    (signed / "signatures" / name).write_text("patient,age\n1,2\n")
    assert name in faults(signed, None)["signatures"]


@pytest.mark.parametrize(
    "signature",
    [
        {"keyid": "0123456789abcdef, patient 17", "sig": base64.b64encode(b"1" * 64).decode()},
        {"keyid": "0123456789abcdef" * 4, "sig": base64.b64encode(b"patient,age\n1,2\n" * 9).decode()},
    ],
)
def test_no_rows_can_hide_in_a_signature_of_a_key_that_nobody_knows(signature, signed, trust):
    """Nothing can tell such a signature from a true one; but it is no longer than one."""
    document = {**json.loads(one(signed).read_text()), "signatures": [signature]}
    write(one(signed).with_name("preparer-0123456789abcdef.dsse.json"), document)
    assert set(faults(signed, trust)) == {"signatures"}


@pytest.mark.parametrize("told", [{"signer": "x" * 201}, {"signer": "a\x1b[2Jb"}, {"supersedes": [int("1" * 64)]}])
def test_no_more_can_be_said_of_a_signer_than_a_name_and_heads(told, signed, keys, trust):
    """Even with a true signature."""
    rewritten(one(signed), keys["office"], **told)
    assert set(faults(signed, trust)) == {"signatures", "required"}
    assert who_signed(signed, trust, NOW) == ["board as reviewer"]


def test_no_byte_can_be_added_to_an_envelope(signed):
    file = one(signed)
    file.write_text(file.read_text() + "\n")
    assert "not as it was written" in faults(signed, None)["signatures"]


def test_a_link_to_a_folder_of_signatures_is_no_part_of_a_release(signed, tmp_path):
    (signed / "signatures").rename(tmp_path / "elsewhere")
    (signed / "signatures").symlink_to(tmp_path / "elsewhere")
    assert [each.check for each in examine_release(signed) if each.undecided] == ["unlisted"]


def test_a_signature_is_true_by_the_formulas_of_the_standard(signed, keys):
    envelope, public = read_envelope(one(signed)), keys["office"].public
    assert rfc8032.is_true(public, envelope.signature, envelope.message)
    assert not rfc8032.is_true(public, envelope.signature, envelope.message + b" ")
    assert not rfc8032.is_true(keys["board"].public, envelope.signature, envelope.message)


def test_a_second_form_of_a_true_signature_is_refused(signed, keys):
    """S + L satisfies the equation as S does; the standard asks for S below L."""
    envelope, public = read_envelope(one(signed)), keys["office"].public
    s = int.from_bytes(envelope.signature[32:], "little") + rfc8032.ORDER
    other = envelope.signature[:32] + s.to_bytes(32, "little")
    assert not ed25519.verifies(public, other, envelope.message)


def test_the_formulas_agree_with_the_first_vector_of_the_standard():
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    signature = bytes.fromhex(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    assert rfc8032.is_true(public, signature, b"")
    assert ed25519.verifies(public, signature, b"")
