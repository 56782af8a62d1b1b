"""A folder with all that a job needs."""

from __future__ import annotations

import pytest

from tests.jobs.made import filled


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("DPSYNTH_KEY_PASSPHRASE", raising=False)
    monkeypatch.chdir(filled(tmp_path))
    return tmp_path
