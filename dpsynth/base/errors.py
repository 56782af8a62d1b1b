"""What every exception of this package derives from, beside the built-in one that it is as well."""

from __future__ import annotations


class DPSynthError(Exception):
    """What dpsynth refuses in one sentence: what was given, what was wanted, what to do; docs/errors.md lists them."""
