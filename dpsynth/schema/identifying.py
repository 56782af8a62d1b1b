"""What the name of a column says of its role: a key, something personal, or a code.

Names and declared patterns decide, never a value. A draft, an import, `schema check` and a fit all
ask `role_of`.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Kind = Literal["key", "personal", "code"]

_KEYS = ("a number of a person", "the key of a person")
_NAMES = {
    "a name of a person": r"(first|last|middle|given|family|full|maiden|sur|fore|user|patient"
    r"|customer|contact|person)_?names?|nachname|vorname",
    "an e-mail address": r"e_?mails?(_addr(ess)?)?",
    "a telephone number": r"(tele)?phones?(_(no|nr|num|number))?|mobile(_(no|nr|num|number))?|fax"
    r"|telefon(nummer)?",
    "a network address": r"ip(_?v[46])?(_?addr(ess)?)?|mac_addr(ess)?|device_id",
    "a postal address": r"(street|home|postal|mailing|billing)?_?address(_?(line)?_?\d?)?|street"
    r"|strasse|straße|anschrift",
    "a number of a person": r"ssn|social_security(_(no|nr|num|number))?|mrn|nhs_(no|nr|number)"
    r"|(patient|person|member|insurance|subject|customer|participant)_?(nbr|no|nr|num|number)"
    r"|passport(_(no|nr|num|number))?|(national|tax)_id|driver_?s?_licen[cs]e(_(no|nr|number))?",
    "an account or card number": r"iban|(account|acct|card|credit_card)_?(no|nr|num|number)",
    "the key of a person": r"(patient|person|subject|member|customer|client|user|participant"
    r"|employee|record)_?(id|uuid|guid|key)",
}
_PATTERNS = {
    "email": "e-mail addresses",
    "idn-email": "e-mail addresses",
    "phone": "telephone numbers",
    "ssn": "social security numbers",
    "uuid": "identifiers made to be unique",
    "ipv4": "network addresses",
    "ipv6": "network addresses",
}
_SHAPES = {
    "social security numbers": r"(\\d|\[0-9\])\{3\}-?(\\d|\[0-9\])\{2\}-?(\\d|\[0-9\])\{4\}",
    "e-mail addresses": r".*[^\\]@.*",
}

_CODE = re.compile(
    r"(\w+_)?(type|source|disposition|category|class|kind|status|reason|level|mode|method|channel"
    r"|country|region|currency|language)_(id|code|cd|key|nbr|no|num)"
)
"""Such as admission_type_id: a short public list stands behind it, and no person."""

_RECORD_KEY = re.compile(r"(\w+_)?(id|uuid|guid)")
"""Such as encounter_id, caseId, UUID."""


class Role(NamedTuple):
    """What a name says.

    Parameters
    ----------
    kind : {"key", "personal", "code"}
        "key": it says whose record a row is, or which one; it is declared as an Identifier.
        "personal": it may hold a name, an address or the like, so that a person is asked.
        "code": a number out of a public list, although it is called an id.
    why : str
        The reason, which follows the column's name: "its name says an e-mail address".
    direct : bool
        Whether it points to a person: a fit refuses to model such a column, unless the schema lists
        it in `not_identifying`.
    """

    kind: Kind
    why: str
    direct: bool = False


def role_of(name: str, pattern: str | None = None) -> Role | None:
    """What a column's name and declared pattern say of its role; None where they say nothing.

    Parameters
    ----------
    name : str
        Of the column, in any spelling: patient_nbr, PatientNbr and "Patient nbr" are one.
    pattern : str or None
        What a dictionary declares of the values, the name of a format or a regular expression.

    Returns
    -------
    Role or None
        Its kind, and the reason.
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[\W_]+", "_", name).strip("_").lower()
    if _CODE.fullmatch(words):
        return Role("code", "its name says a code")
    for what, names in _NAMES.items():
        if words == "name" or re.fullmatch(rf"(\w+_)?({names})", words):
            kind: Kind = "key" if what in _KEYS else "personal"
            return Role(kind, f"its name says {what}", direct=True)
    if why := _declared_as(pattern):
        return Role("personal", why, direct=True)
    if _RECORD_KEY.fullmatch(words):
        return Role("key", "its name says the key of a record")
    return None


def direct_identifier(name: str, pattern: str | None = None) -> str | None:
    """Why a column looks like a direct identifier of a person; None where it does not."""
    role = role_of(name, pattern)
    return role.why if role is not None and role.direct else None


def _declared_as(pattern: str | None) -> str | None:
    """What of a person the values are declared to be."""
    if pattern is None:
        return None
    if pattern in _PATTERNS:
        return f"its values are declared as {_PATTERNS[pattern]}"
    bare = pattern.removeprefix("^").removesuffix("$")
    for what, shape in _SHAPES.items():
        if re.fullmatch(shape, bare):
            return f"its pattern is that of {what}"
    return None
