"""The trust file: whose signatures a release must have, which an organisation keeps and hands out.

```yaml
dpsynth_trust: 1
signers:
  - {name: data office, role: preparer, keys: ["ed25519:..."]}
  - {name: privacy board, role: reviewer, keys: ["ed25519:..."]}
required: {preparer: 1, reviewer: 1}
withdrawn: []
```
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dpsynth.base.mappings import read_mapping
from dpsynth.base.text import likely
from dpsynth.evidence.bundle.signatures import Signer, Trust
from dpsynth.evidence.signing.ed25519 import PREFIX, public_key

VERSION = 1
ROLE = re.compile(r"[a-z][a-z0-9-]{0,39}")
"""How a role may be written: `preparer`, `reviewer`, `data-officer`."""

_KEYS = ("dpsynth_trust", "signers", "required", "withdrawn")
_OF_A_SIGNER = ("name", "role", "keys")


def load_trust(path: Path) -> Trust:
    """The trust file at a path; ValueError, in one sentence, for anything that is not one."""
    try:
        return _trust(read_mapping(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def trust_in(*keys: str | Path) -> Trust:
    """Asks for a signature of each of these public keys, in whatever role."""
    signers = tuple(Signer(f"key {n}", None, (public_key(key),)) for n, key in enumerate(keys, 1))
    if len({signer.keys for signer in signers}) < len(signers):
        raise ValueError("the same key is given twice: give each key once")
    return Trust(signers, {None: len(signers)})


def role_of(text: str) -> str:
    """A role as it may be written; ValueError otherwise."""
    if not isinstance(text, str) or not ROLE.fullmatch(text):
        raise ValueError(
            "a role is a word of small letters, digits and hyphens, such as reviewer, got"
            f" {text!r}: choose another word"
        )
    return text


def _trust(stated: Mapping[str, Any]) -> Trust:
    if stated.get("dpsynth_trust") != VERSION or isinstance(stated["dpsynth_trust"], bool):
        raise ValueError(f"a trust file begins with dpsynth_trust: {VERSION}: write that line")
    _refuse_unknown("a trust file", stated, _KEYS)
    listed = stated.get("signers")
    if not isinstance(listed, list) or not listed:
        raise ValueError("signers must be a list of at least one signer: name who may sign")
    signers = tuple(map(_signer, listed))
    _refuse_doubles("the name", [signer.name for signer in signers])
    _refuse_doubles("a key", [key for signer in signers for key in signer.keys])
    withdrawn = stated.get("withdrawn", [])
    if not isinstance(withdrawn, list) or not all(map(_is_head, withdrawn)):
        raise ValueError("withdrawn must be a list of heads, each of 64 digits: copy them again")
    return Trust(signers, _required(stated.get("required"), signers), tuple(withdrawn))


def _signer(stated: Any) -> Signer:
    if not isinstance(stated, dict):
        raise ValueError(f"each signer must be {', '.join(_OF_A_SIGNER)}, got {stated!r}: write so")
    _refuse_unknown("a signer", stated, _OF_A_SIGNER)
    name, keys = stated.get("name"), stated.get("keys")
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"a signer needs a name, got {name!r}: say who it is")
    lines = keys if isinstance(keys, list) else []
    if not lines or not all(str(key).startswith(PREFIX) for key in lines):
        raise ValueError(
            f"{name!r} needs a list of keys, each a line that begins with {PREFIX}: copy those that"
            " `dpsynth keys show` prints"
        )
    return Signer(name, role_of(stated.get("role", "")), tuple(map(public_key, lines)))


def _required(stated: Any, signers: tuple[Signer, ...]) -> dict[str | None, int]:
    roles = {signer.role for signer in signers}
    if not isinstance(stated, dict) or not stated:
        raise ValueError("required must say how many of each role sign, as {reviewer: 1}")
    for role, count in stated.items():
        there = sum(signer.role == role for signer in signers)
        if type(count) is not int or not 1 <= count <= there:
            raise ValueError(
                f"required asks for {count!r} of {role!r}, and {there} of {sorted(map(str, roles))}"
                " could sign so: give a whole number from 1 up to that"
            )
    return dict(stated)


def _refuse_unknown(what: str, stated: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in stated:
        if name not in known:
            raise ValueError(
                f"{what} has no key {name!r}: {likely(name, known)}it may have {', '.join(known)}"
            )


def _refuse_doubles(what: str, given: list[Any]) -> None:
    if len(set(given)) < len(given):
        raise ValueError(
            f"{what} of a signer is given twice, and would count twice: keep one of the two"
        )


def _is_head(text: object) -> bool:
    return isinstance(text, str) and re.fullmatch("[0-9a-f]{64}", text) is not None
