"""Columns that look like direct identifiers, by name and declared pattern alone."""

from __future__ import annotations

import re

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


def direct_identifier(name: str, pattern: str | None = None) -> str | None:
    """Why a column looks like a direct identifier; None where it does not.

    pattern: what the source declares of its values, the name of a format or a regular expression.
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[\W_]+", "_", name).strip("_").lower()
    for what, names in _NAMES.items():
        if words == "name" or re.fullmatch(rf"(\w+_)?({names})", words):
            return f"its name says {what}"
    if pattern is None:
        return None
    if pattern in _PATTERNS:
        return f"its values are declared as {_PATTERNS[pattern]}"
    bare = pattern.removeprefix("^").removesuffix("$")
    for what, shape in _SHAPES.items():
        if re.fullmatch(shape, bare):
            return f"its pattern is that of {what}"
    return None
