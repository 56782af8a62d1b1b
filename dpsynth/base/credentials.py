"""Passwords and keys within an address, of which no message repeats any."""

from __future__ import annotations

import re

_SAID = r"\w*(?:passw|passwd|pwd|token|signature|secret|(?:account|private|access)_?key)\w*|sig|sas"

CREDENTIALS = re.compile(
    rf"[^\s'\"]*(?::[^\s'\"]*@|\b(?:{_SAID})\s*=)[^\s'\",;]*(?:[;&?][^\s'\"]*)?", re.IGNORECASE
)
"""What holds some, as far as forms and names tell: user:password@host, token=..., AccountKey=..."""


def without_credentials(text: str) -> str:
    """The text with a word in place of each address that has credentials."""
    return CREDENTIALS.sub("(an address)", text)
