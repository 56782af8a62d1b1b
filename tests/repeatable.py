"""Noise that a build server draws again: what the operating system would give, from the name of a test.

Releases draw their noise from the operating system, so that a test that fits may fail by chance, however rarely. A
developer's run goes on drawing so, and finds such tests. On a build server a test gives the same result every time.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from unittest import mock

import numpy as np

TRULY_RANDOM = "tests/rings/"
"""Tests of the noise itself, and of processes that must not share it."""


@contextmanager
def repeatable(name: str) -> Iterator[None]:
    """Within it the noise of this process follows from a name; that of a forked process is truly random.

    Nothing else changes: an accountant still says that its noise is the operating system's.
    """
    from dpsynth.kernel import noise

    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16])
    fixed, owner, truly = np.random.Generator(np.random.Philox(key=key)), os.getpid(), os.urandom

    def urandom(count: int) -> bytes:
        return fixed.bytes(count) if os.getpid() == owner else truly(count)

    with mock.patch.object(noise, "os", SimpleNamespace(urandom=urandom)):
        yield
