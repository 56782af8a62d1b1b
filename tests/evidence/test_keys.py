"""Keys and trust files: what is kept, what is shown, and what is refused in one sentence."""

from __future__ import annotations

import hashlib
import os
import stat

import pytest

pytest.importorskip("cryptography", reason="signatures need cryptography: pip install 'dpsynth[sign]'")

from dpsynth.evidence.signing.ed25519 import (
    PASSPHRASE,
    has_small_order,
    load_private,
    new_key,
    public_key,
    public_path,
    verifies,
    written,
)  # fmt: skip
from dpsynth.evidence.signing.trust import load_trust, trust_in
from tests.evidence import rfc8032


@pytest.fixture
def key(tmp_path):
    new_key(tmp_path / "office.key", {})
    return tmp_path / "office.key"


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
def test_a_private_key_is_its_owners_alone(key):
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    key.chmod(0o640)
    with pytest.raises(ValueError, match=r"chmod 600"):
        load_private(key, {})


def test_a_key_signs_and_its_public_key_verifies(key):
    private = load_private(key, {})
    signature = private.sign(b"message")
    assert private.public == public_key(public_path(key)) == public_key(written(private.public))
    assert verifies(private.public, signature, b"message")
    assert not verifies(private.public, signature, b"massage")
    assert not verifies(private.public, signature[:-1], b"message")


def test_nothing_shows_a_private_key(key):
    private = load_private(key, {})
    secret = "".join(key.read_text().splitlines()[1:-1])
    assert secret not in repr(private)
    assert "object at" not in repr(private)
    assert secret not in public_path(key).read_text()


def test_a_key_is_never_replaced(key):
    before = key.read_bytes()
    with pytest.raises(ValueError, match="never replaced"):
        new_key(key, {})
    key.unlink()
    with pytest.raises(ValueError, match=r"office\.pub exists already"):
        new_key(key, {})
    assert before


def test_a_private_key_is_not_given_the_name_of_its_public_one(tmp_path):
    """The public key would be written over it."""
    with pytest.raises(ValueError, match=r"name the private one office\.key"):
        new_key(tmp_path / "office.pub", {})
    assert list(tmp_path.iterdir()) == []


def test_a_passphrase_that_is_set_and_empty_makes_no_key(tmp_path):
    """As where a build server lacks the secret: the key would have none."""
    with pytest.raises(ValueError, match=f"{PASSPHRASE} is set and empty"):
        new_key(tmp_path / "office.key", {PASSPHRASE: ""})
    assert list(tmp_path.iterdir()) == []


def test_a_passphrase_may_be_of_any_bytes_and_no_message_has_one_of_them(tmp_path):
    secret = os.fsdecode(b"se\xffcret") if os.name == "posix" else "s\u00e9cret"
    new_key(tmp_path / "a.key", {PASSPHRASE: secret})
    assert load_private(tmp_path / "a.key", {PASSPHRASE: secret}).public == public_key(tmp_path / "a.pub")
    with pytest.raises(ValueError, match=r"has 2,400 bytes, and may have 1,023") as error:
        new_key(tmp_path / "b.key", {PASSPHRASE: "s3cr" * 600})
    assert "s3cr" not in str(error.value)
    assert not (tmp_path / "b.key").exists()


def test_a_key_with_a_remark_before_it_is_one(tmp_path):
    new_key(tmp_path / "a.key", {PASSPHRASE: "x"})
    (tmp_path / "a.key").write_text("Key of the data office\n" + (tmp_path / "a.key").read_text())
    assert load_private(tmp_path / "a.key", {PASSPHRASE: "x"}).public == public_key(tmp_path / "a.pub")
    with pytest.raises(ValueError, match="has a passphrase"):
        load_private(tmp_path / "a.key", {})


def test_a_passphrase_comes_from_the_environment_and_no_message_has_it(tmp_path):
    locked, secret = tmp_path / "locked.key", "correct horse"
    new_key(locked, {PASSPHRASE: secret})
    assert "ENCRYPTED" in locked.read_text()
    assert load_private(locked, {PASSPHRASE: secret}).public == public_key(public_path(locked))
    with pytest.raises(ValueError, match=f"put it into the environment as {PASSPHRASE}"):
        load_private(locked, {})
    with pytest.raises(ValueError, match=f"{PASSPHRASE} is another one") as error:
        load_private(locked, {PASSPHRASE: "wrong staple"})
    assert "staple" not in str(error.value)


def test_a_passphrase_for_a_key_without_one_does_no_harm(key):
    assert load_private(key, {PASSPHRASE: "x"}).public == load_private(key, {}).public


def test_what_is_no_key_is_refused_in_one_sentence(key, tmp_path):
    (tmp_path / "no.key").write_text("nothing")
    (tmp_path / "no.key").chmod(0o600)
    with pytest.raises(ValueError, match="cannot be read as a private key"):
        load_private(tmp_path / "no.key", {})
    with pytest.raises(ValueError, match="is a private key, which stays with its owner"):
        public_key(key)
    with pytest.raises(ValueError, match="what follows ed25519: is no public key of Ed25519"):
        public_key("ed25519:AAAA")


def test_a_key_of_another_kind_is_refused(tmp_path):
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric import ed448, x25519

    other = ed448.Ed448PrivateKey.generate()
    raw = other.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
    (tmp_path / "other.key").write_bytes(raw)
    (tmp_path / "other.key").chmod(0o600)
    with pytest.raises(ValueError, match="another kind than Ed25519"):
        load_private(tmp_path / "other.key", {})
    public = x25519.X25519PrivateKey.generate().public_key()
    form = forms.PublicFormat.SubjectPublicKeyInfo
    (tmp_path / "other.pub").write_bytes(public.public_bytes(forms.Encoding.PEM, form))
    with pytest.raises(ValueError, match="another kind than Ed25519"):
        public_key(tmp_path / "other.pub")


def test_a_key_that_is_asked_for_twice_is_refused(key):
    with pytest.raises(ValueError, match="given twice"):
        trust_in(public_path(key), public_path(key))


TRUST = """dpsynth_trust: 1
signers:
  - {{name: data office, role: preparer, keys: ["{}"]}}
  - {{name: privacy board, role: reviewer, keys: ["{}"]}}
required: {{preparer: 1, reviewer: 1}}
"""


@pytest.fixture
def text(tmp_path):
    keys = [new_key(tmp_path / f"{name}.key", {}) for name in "ab"]
    return TRUST.format(*map(written, keys))


def test_a_trust_file_says_who_signs(text, tmp_path):
    (tmp_path / "trust.yaml").write_text(text)
    trust = load_trust(tmp_path / "trust.yaml")
    assert [(each.name, each.role) for each in trust.signers] == [
        ("data office", "preparer"),
        ("privacy board", "reviewer"),
    ]
    assert trust.required == {"preparer": 1, "reviewer": 1}
    assert trust.withdrawn == ()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("dpsynth_trust: 1", "dpsynth_trust: 2", "begins with dpsynth_trust: 1"),
        ("dpsynth_trust: 1", "dpsynth_trust: true", "begins with dpsynth_trust: 1"),
        ("required:", "requires:", "has no key 'requires': did you mean 'required'\\?"),
        ("name: data office, ", "nam: data office, ", "did you mean 'name'"),
        ("privacy board", "data office", "given twice, and would count twice"),
        ("role: reviewer", "role: Reviewer", "a role is a word"),
        ("reviewer: 1}", "reviewer: 2}", "asks for 2 of 'reviewer', and 1 of"),
        ("reviewer: 1}", "reviewer: 0}", "asks for 0"),
        ("reviewer: 1}", "auditor: 1}", "asks for 1 of 'auditor', and 0"),
        ("{preparer: 1, reviewer: 1}", "{}", "how many of each role"),
        ("required:", "withdrawn: [abc]\nrequired:", "list of heads"),
        ("ed25519:", "rsa:", "begins with ed25519:"),
    ],
)
def test_a_trust_file_that_is_none_is_refused_in_one_sentence(old, new, why, text, tmp_path):
    (tmp_path / "trust.yaml").write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=why):
        load_trust(tmp_path / "trust.yaml")


def test_a_key_of_two_signers_is_refused(text, tmp_path):
    lines = text.splitlines()
    lines[3] = lines[2].replace("data office", "board").replace("preparer", "reviewer")
    (tmp_path / "trust.yaml").write_text("\n".join(lines))
    with pytest.raises(ValueError, match="a key of a signer is given twice"):
        load_trust(tmp_path / "trust.yaml")


def small_points():
    """All points whose order divides 8, from a point of that order, which L times a random point is."""
    for seed in range(50):
        try:
            point = rfc8032.times(rfc8032.ORDER, rfc8032.decoded(bytes([seed]) * 31 + b"\x01"))
        except ValueError:
            continue
        found = {rfc8032.times(n, point) for n in range(8)}
        if len(found) == 8:
            return found
    raise AssertionError


def encodings(point):
    """With both signs of x, and with y and, where it fits into 255 bits, y + P."""
    return [
        (y + sign * 2**255).to_bytes(32, "little")
        for y in (point[1], point[1] + rfc8032.P)
        if y < 2**255
        for sign in (0, 1)
    ]


def test_a_key_of_small_order_is_refused_in_every_encoding_and_no_other_key_is(key):
    keys = {raw for point in small_points() for raw in encodings(point)}
    assert len(keys) == 14  # five y, two of them below 19, which have a second form
    for raw in keys:
        with pytest.raises(ValueError, match="in whose name anybody can sign"):
            public_key(written(raw))
    for seed in range(200):
        assert not has_small_order(hashlib.sha256(bytes([seed])).digest())
    assert public_key(public_path(key))


def test_for_a_key_of_small_order_a_signature_needs_no_private_key():
    """The reason why it is refused: S = 0 and R of small order are true of one message in eight, by the formulas."""
    points = sorted(small_points())
    public = next(raw for raw in encodings(points[0]) if rfc8032.decoded(raw) == points[0])
    forged = bytes([1]) + bytes(63)  # R is the neutral point, S is 0
    messages = [bytes([n]) for n in range(80)]
    assert any(rfc8032.is_true(public, forged, message) for message in messages)


def test_a_trust_file_with_such_a_key_is_refused(tmp_path):
    line = written(bytes([1]) + bytes(31))
    text = f"dpsynth_trust: 1\nsigners:\n  - {{name: x, role: preparer, keys: ['{line}']}}\nrequired: {{preparer: 1}}\n"
    (tmp_path / "trust.yaml").write_text(text)
    with pytest.raises(ValueError, match="a point of small order"):
        load_trust(tmp_path / "trust.yaml")
