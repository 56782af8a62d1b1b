"""Temporary folders of these tests are on the scratch disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dpsynth.ledger import store
from tests.rings.scratch import SCRATCH


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        yield Path(folder)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is too short for a ledger is not taken for one that another process makes."""
    monkeypatch.setattr(store, "MAKING", 0.0)
