"""The project's own style and types, so that one command checks everything."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.structure.source import ROOT

CHECKS = {
    "ruff-check": ["ruff", "check", "."],
    "ruff-format": ["ruff", "format", "--check", "."],
    "mypy": ["mypy", "dpsynth"],
}


@pytest.mark.parametrize("check", CHECKS)
def test_the_project_passes(check: str) -> None:
    done = subprocess.run([sys.executable, "-m", *CHECKS[check]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
