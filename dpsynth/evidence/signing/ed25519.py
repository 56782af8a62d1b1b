"""Ed25519 keys and signatures (RFC 8032), by the package `cryptography`, imported here only.

A private key is a PEM file (PKCS #8) that only its owner can read, under a passphrase where one is
given. A public key is a PEM file, or one line of text: `ed25519:` and 32 bytes in base64.
"""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpsynth.base.places import expanded, new_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PASSPHRASE = "DPSYNTH_KEY_PASSPHRASE"
"""The environment variable that a key's passphrase is read from."""

PREFIX = "ed25519:"
_LONGEST = 1_023  # bytes of a passphrase, by OpenSSL
_P = 2**255 - 19
_Y8 = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
_SMALL_ORDER = {0, 1, _P - 1, _Y8, _P - _Y8}
"""The y of the points whose order is 1, 2, 4 or 8."""
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_PUBLIC = "give the .pub file that `dpsynth keys new` wrote, or one line that begins with ed25519:"


@dataclass(frozen=True)
class PrivateKey:
    """A private key: it signs, and neither its repr nor a copy of it shows the key."""

    public: bytes
    _key: Ed25519PrivateKey = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def new_key(path: Path, environment: Mapping[str, str] = os.environ) -> bytes:
    """Writes a new private key and, beside it as NAME.pub, its public key, which is returned.

    ValueError where either cannot be written; a file is never replaced.
    """
    crypto = _cryptography()
    public = public_path(path)
    if path == public:
        raise ValueError(
            f"{path} is how a public key is named: name the private one {path.stem}.key"
        )
    if environment.get(PASSPHRASE) == "":
        raise ValueError(
            f"{PASSPHRASE} is set and empty, which protects nothing: give it a passphrase, or unset"
            " it for a key without one"
        )
    secret = _passphrase(environment)
    for place in (path, public):
        new_file(place, "a key is never replaced: choose another name")
    key = crypto.ed25519.Ed25519PrivateKey.generate()
    forms = crypto.serialization
    locked = forms.BestAvailableEncryption(secret) if secret else forms.NoEncryption()
    raw = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, locked)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(raw)
    form = forms.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(key.public_key().public_bytes(forms.Encoding.PEM, form))
    return _raw(key.public_key())


def public_path(path: Path) -> Path:
    """Where the public key of a private one lies."""
    return path.with_name(f"{path.stem}.pub")


def load_private(path: Path, environment: Mapping[str, str] = os.environ) -> PrivateKey:
    """The private key in a file; ValueError, in one sentence, where there is none to use."""
    crypto = _cryptography()
    file = expanded(path)
    raw = file.read_bytes()
    if os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & _OTHERS:
        raise ValueError(
            f"{file} can be read by others, and a private key must be its owner's alone: chmod 600"
            f" {file}"
        )
    secret = _passphrase(environment)
    encrypted = b"-----BEGIN ENCRYPTED" in raw
    if encrypted and secret is None:
        raise ValueError(f"{file} has a passphrase: put it into the environment as {PASSPHRASE}")
    try:
        key = crypto.serialization.load_pem_private_key(raw, secret if encrypted else None)
    except (ValueError, TypeError, crypto.exceptions.UnsupportedAlgorithm):
        wrong = f"{PASSPHRASE} is another one, or the file is damaged" if encrypted else "it is not"
        raise ValueError(
            f"{file} cannot be read as a private key in PEM form: {wrong}; give a key that"
            " `dpsynth keys new` wrote"
        ) from None
    if not isinstance(key, crypto.ed25519.Ed25519PrivateKey):
        raise ValueError(
            f"{file} is a key of another kind than Ed25519: make one by `dpsynth keys new`"
        )
    return PrivateKey(_raw(key.public_key()), key)


def public_key(given: str | Path) -> bytes:
    """The 32 bytes of a public key: a line of text, or a PEM file. ValueError for anything else."""
    text = str(given)
    if text.startswith(PREFIX):
        return _from_base64(text.removeprefix(PREFIX), f"what follows {PREFIX}")
    file = expanded(given)
    try:
        lines = file.read_text(encoding="ascii").split("\n")
    except UnicodeDecodeError:
        raise ValueError(f"{file} is no public key: {_PUBLIC}") from None
    if any("PRIVATE KEY" in line for line in lines):
        raise ValueError(f"{file} is a private key, which stays with its owner: {_PUBLIC}")
    inner = "".join(line.strip() for line in lines if not line.startswith("-----"))
    return _from_base64(inner, str(file))


def written(public: bytes) -> str:
    """A public key as one line of text."""
    return PREFIX + base64.b64encode(public).decode()


def verifies(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the key made this signature of the message."""
    crypto = _cryptography()
    try:
        crypto.ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (crypto.exceptions.InvalidSignature, ValueError):
        return False
    return True


def _passphrase(environment: Mapping[str, str]) -> bytes | None:
    """The passphrase as it is in the environment, which may hold bytes of any encoding."""
    secret = environment.get(PASSPHRASE, "").encode("utf-8", "surrogateescape")
    if len(secret) > _LONGEST:
        raise ValueError(
            f"{PASSPHRASE} has {len(secret):,} bytes, and may have {_LONGEST:,}: give a shorter one"
        )
    return secret or None


def _from_base64(text: str, name: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raw = b""
    if len(raw) not in (32, 44):  # by itself, or after the 12 bytes of RFC 8410
        raise ValueError(f"{name} is no public key of Ed25519: {_PUBLIC}")
    if len(raw) == 44 and raw[:12].hex() != "302a300506032b6570032100":
        raise ValueError(f"{name} is a key of another kind than Ed25519: {_PUBLIC}")
    if has_small_order(raw[-32:]):
        raise ValueError(
            f"{name} is a key in whose name anybody can sign (a point of small order): ask its"
            " owner for one that `dpsynth keys new` made"
        )
    return raw[-32:]


def has_small_order(public: bytes) -> bool:
    """Whether a public key is one of the 8 points whose order divides 8, in any encoding.

    For these a signature can be made that is true of many messages, without a private key
    (Chalkias, Garillot and Nikolaenko 2020, "Taming the many EdDSAs").
    """
    y = int.from_bytes(public, "little") % 2**255 % _P  # without the sign of x
    return y in _SMALL_ORDER


def _raw(key: Any) -> bytes:
    return bytes(key.public_bytes_raw())


def _cryptography() -> Any:
    """The parts of the package that are used; ImportError, in one sentence, where it is absent."""
    try:
        from cryptography import exceptions
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise ImportError(
            "signatures need the package cryptography: pip install 'dpsynth[sign]'"
        ) from None
    return _Parts(exceptions, serialization, ed25519)


@dataclass(frozen=True)
class _Parts:
    exceptions: Any
    serialization: Any
    ed25519: Any
