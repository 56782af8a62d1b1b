"""Signatures of releases: honest ones hold, and each planted forgery is found."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta

import pytest

pytest.importorskip("cryptography", reason="signatures need cryptography: pip install 'dpsynth[sign]'")

from dpsynth.evidence.bundle import signatures
from dpsynth.evidence.bundle.signatures import Signer, Trust, key_id, read_envelope
from dpsynth.evidence.manifest import add_lines, line_of
from dpsynth.evidence.release import examine_release, who_signed
from dpsynth.evidence.sign import refuse_inside
from dpsynth.evidence.signing import ed25519
from tests.evidence.signed import NOW, faults, one, rewritten, sign, write
from tests.evidence.test_verify import issue


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
