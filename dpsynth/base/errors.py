"""The base class of every exception of this package; each is a built-in exception as well."""

from __future__ import annotations


class DPSynthError(Exception):
    """A refusal in one sentence: what was given, what was wanted, what to do (docs/errors.md)."""
