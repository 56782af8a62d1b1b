"""Signatures of releases: honest ones hold, and each planted forgery is found."""

from __future__ import annotations

import base64
import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("cryptography", reason="signatures need cryptography: pip install 'dpsynth[sign]'")

from dpsynth.evidence.bundle import signatures
from dpsynth.evidence.bundle.signatures import Signer, Trust, canonical, key_id, read_envelope
from dpsynth.evidence.manifest import add_lines, line_of
from dpsynth.evidence.release import examine_release, who_signed
from dpsynth.evidence.sign import refuse_inside, sign_release
from dpsynth.evidence.signing import ed25519
from dpsynth.evidence.signing.ed25519 import load_private, new_key
from tests.evidence import rfc8032
from tests.evidence.test_verify import issue

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
PEOPLE = {"office": "preparer", "board": "reviewer", "stranger": "preparer"}


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    for name in PEOPLE:
        new_key(folder / f"{name}.key", {})
    return {name: load_private(folder / f"{name}.key", {}) for name in PEOPLE}


@pytest.fixture
def release(tmp_path):
    return issue().save(tmp_path / "release")


@pytest.fixture
def trust(keys):
    signers = [Signer(name, PEOPLE[name], (keys[name].public,)) for name in ("office", "board")]
    return Trust(tuple(signers), {"preparer": 1, "reviewer": 1})


def sign(release, key, role="preparer", **facts):
    return sign_release(release, key, **{"signer": role, "role": role, "now": NOW, **facts})


@pytest.fixture
def signed(release, keys):
    sign(release, keys["office"], days=365)
    sign(release, keys["board"], "reviewer")
    return release


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


def test_a_release_that_both_have_signed_holds_and_says_who(signed, trust):
    outcomes = examine_release(signed, trust=trust, now=NOW)
    assert [each for each in outcomes if each.fault or each.undecided] == []
    assert [each.check for each in outcomes][-3:] == ["signatures", "signed", "required"]
    assert who_signed(signed, trust, NOW) == ["office as preparer, until 2027-11-30", "board as reviewer"]


def test_without_trust_signatures_are_no_fault_and_nothing_is_said_of_keys(signed, monkeypatch):
    monkeypatch.setattr(ed25519, "_cryptography", lambda: pytest.fail("the package was asked for"))
    assert not any(each.fault or each.undecided for each in examine_release(signed))


def test_a_signature_covers_every_file_of_the_manifest(signed, trust):
    subjects = read_envelope(one(signed)).statement["subject"]
    assert [each["name"] for each in subjects] == ["certificate.html", "certificate.json"]
    for each in subjects:
        assert each["digest"]["sha256"] == line_of(signed / each["name"], "x")["sha256"]


@pytest.mark.parametrize("name", ["certificate.html", "certificate.json"])
def test_a_changed_file_is_found_even_where_the_manifest_was_written_anew(name, signed, trust, tmp_path):
    file = signed / name
    file.write_text(
        file.read_text().replace("Differential", "differential").replace('"other_runs": 0', '"other_runs": 1')
    )
    assert "files" in faults(signed, trust)
    model = json.loads((signed / "manifest.json").read_text())["files"][0].get("model")
    (signed / "manifest.json").unlink()
    anew = [line_of(signed / "certificate.json", "certificate", model=model)]
    add_lines(signed, *anew, line_of(signed / "certificate.html", "page"))
    found = faults(signed, trust)
    assert "files" not in found
    assert "another manifest" in found["signatures"]
    assert found["required"].startswith("not everybody has signed whose signature is asked for (preparer: 0 of 1;")


def test_a_signature_of_another_release_does_not_count(signed, trust, tmp_path, keys):
    other = issue().save(tmp_path / "other")
    shutil.copytree(signed / "signatures", other / "signatures")
    assert set(faults(other, trust)) == {"signatures", "required"}


def test_a_swapped_key_is_found(signed, trust, keys):
    """The stranger signs, and names the office's key."""
    file = one(signed)
    rewritten(file, keys["stranger"])
    document = json.loads(file.read_text())
    document["signatures"][0]["keyid"] = key_id(keys["office"].public)
    write(file, document)
    assert set(faults(signed, trust)) == {"signed", "required"}


def test_a_key_that_is_not_trusted_does_not_count(release, trust, keys):
    sign(release, keys["stranger"])
    sign(release, keys["board"], "reviewer")
    assert "preparer: 0 of 1" in faults(release, trust)["required"]
    assert "its key is not trusted" in faults(release, trust)["required"]


@pytest.mark.parametrize(("days", "holds"), [(364, True), (365, False)])
def test_a_signature_that_has_expired_does_not_count(days, holds, signed, trust):
    found = faults(signed, trust, NOW + timedelta(days=days))
    assert (found == {}) == holds
    assert holds or "it expired on 2027-11-30T12:00:00+00:00" in found["required"]


def test_a_signature_from_the_future_does_not_count(signed, trust):
    assert "yet to come" in faults(signed, trust, NOW - timedelta(seconds=1))["required"]


def test_an_expiry_that_was_moved_is_found(signed, trust):
    rewritten(one(signed), expires="2099-01-01T00:00:00+00:00")
    assert set(faults(signed, trust)) == {"signed", "required"}


def test_a_role_that_was_changed_is_found_even_by_the_signer(signed, trust, keys):
    """The preparer makes a second signature, as the reviewer."""
    one(signed, "reviewer").unlink()
    sign(signed, keys["office"], "reviewer")
    assert set(faults(signed, trust)) == {"required"}
    assert "office is trusted as preparer" in faults(signed, trust)["required"]


def test_a_signer_with_two_keys_counts_once(release, keys):
    twice = Signer("office", "reviewer", (keys["office"].public, keys["stranger"].public))
    other = Signer("board", "reviewer", (keys["board"].public,))
    for name in ("office", "stranger"):
        sign(release, keys[name], "reviewer")
    trust = Trust((twice, other), {"reviewer": 2})
    assert "reviewer: 1 of 2" in faults(release, trust)["required"]
    sign(release, keys["board"], "reviewer")
    assert faults(release, trust) == {}


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


@pytest.mark.parametrize("gone", ["all", "reviewer"])
def test_signatures_that_were_taken_away_are_missed(gone, signed, trust):
    if gone == "all":
        shutil.rmtree(signed / "signatures")
    else:
        one(signed, gone).unlink()
    assert "reviewer: 0 of 1" in faults(signed, trust)["required"]
    assert not any(each.fault for each in examine_release(signed))  # which is why a trust file is kept elsewhere


def test_a_withdrawn_release_does_not_count(signed, trust):
    head = read_envelope(one(signed)).facts["manifest"]
    withdrawn = Trust(trust.signers, trust.required, (head,))
    assert "the release was withdrawn" in faults(signed, withdrawn)["required"]


def test_a_release_that_was_withdrawn_stays_so_when_files_come_and_it_is_signed_anew(signed, trust, keys):
    """The head that its owner noted is no longer the last one."""
    noted = read_envelope(one(signed)).facts["manifest"]
    (signed / "schema.yaml").write_text("x")
    add_lines(signed, line_of(signed / "schema.yaml", "schema"))
    sign(signed, keys["office"])
    sign(signed, keys["board"], "reviewer")
    assert faults(signed, trust) == {}
    found = faults(signed, Trust(trust.signers, trust.required, ("ab" * 32, noted)))
    assert f"the release was withdrawn by its head {noted[:16]}" in found["required"]


def test_a_release_says_what_it_replaces(release, keys, trust):
    sign(release, keys["office"], supersedes=["ab" * 32])
    only = Trust(trust.signers[:1], {"preparer": 1})
    assert who_signed(release, only, NOW) == ["office as preparer, in the place of abababababababab"]


def test_files_that_are_listed_later_are_to_be_signed_again(signed, trust, keys):
    (signed / "schema.yaml").write_text("x")
    add_lines(signed, line_of(signed / "schema.yaml", "schema"))
    found = faults(signed, trust)
    assert set(found) == {"required"}
    assert "files were listed after it was signed (schema.yaml)" in found["required"]
    sign(signed, keys["office"])
    sign(signed, keys["board"], "reviewer")
    assert faults(signed, trust) == {}


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


def test_what_does_not_hold_is_not_signed(release, keys):
    (release / "certificate.html").write_text("other")
    with pytest.raises(ValueError, match="does not hold, so it was not signed"):
        sign(release, keys["office"])
    assert not (release / "signatures").exists()


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"signer": " "}, "an empty name"),
        ({"signer": "x" * 201}, "up to 200 characters that can be printed, got 201"),
        ({"signer": "a\nb"}, "without line breaks"),
        ({"days": 0}, "1 to 36,500 days, got 0"),
        ({"supersedes": ["abc"]}, "got 'abc'"),
        ({"role": "The Boss"}, "a role is a word"),
    ],
)
def test_a_signature_with_odd_facts_is_refused_in_one_sentence(facts, why, release, keys):
    with pytest.raises(ValueError, match=why):
        sign(release, keys["office"], **facts)


def test_a_private_key_in_the_release_is_refused(release):
    for place in (release / "office.key", release / "internal" / "office.key"):
        with pytest.raises(ValueError, match="would be given away"):
            refuse_inside(place, release)
    refuse_inside(release.parent / "office.key", release)


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


MUTANTS = {
    "required": (signatures, "_uncounted", lambda case, envelope: ""),
    "signed": (signatures.Signed, "is_true", lambda case, envelope: True),
    "signatures": (signatures, "_odd", lambda folder, envelope: ""),
}
"""Verifiers that leave something out, by the check that no longer finds its forgery."""


@pytest.mark.parametrize("check", MUTANTS)
def test_a_verifier_that_leaves_out_a_check_lets_its_forgery_pass(check, signed, trust, tmp_path, monkeypatch):
    release, now = signed, NOW
    if check == "required":
        now = NOW + timedelta(days=400)
    elif check == "signed":
        rewritten(one(signed), expires=None)
    else:
        release = issue().save(tmp_path / "other")
        shutil.copytree(signed / "signatures", release / "signatures")
    assert check in faults(release, trust, now)
    monkeypatch.setattr(*MUTANTS[check])
    assert check not in faults(release, trust, now)
