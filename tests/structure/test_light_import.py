"""`import dpsynth` is light: nobody pays for pandas or torch before asking for something that needs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.structure.source import ROOT

HEAVY = ("duckdb", "matplotlib", "pandas", "pyarrow", "scipy", "sklearn", "statsmodels", "torch")
LIMIT = 0.5  # seconds of CPU, from the start of the interpreter
PROBE = """
import json, sys, time
{statement}
cpu = time.process_time()
print(json.dumps([cpu, sorted({{name.partition(".")[0] for name in sys.modules}})]))
"""


def probe(statement: str, cache: Path) -> tuple[float, list[str]]:
    """CPU seconds of a fresh interpreter that runs the statement, and the packages it has loaded by then."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(cache)
    code = PROBE.format(statement=statement)
    run = [sys.executable, "-c", code]
    output = subprocess.run(run, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    cpu, modules = json.loads(output)
    return cpu, modules


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A bytecode cache that is already warm, as after an installation."""
    probe("import dpsynth", tmp_path)
    return tmp_path


def test_importing_the_package_takes_less_than_half_a_second_of_cpu(cache: Path) -> None:
    assert min(probe("import dpsynth", cache)[0] for _ in range(3)) < LIMIT


def test_importing_the_package_loads_nothing_heavy(cache: Path) -> None:
    loaded = probe("import dpsynth", cache)[1]
    assert "dpsynth" in loaded
    assert not set(HEAVY) & set(loaded)


@pytest.mark.parametrize("statement", ["import time; time.sleep(0.01)", "while time.process_time() < 0.6: pass"])
def test_the_probe_measures_work_and_not_waiting(tmp_path: Path, statement: str) -> None:
    cpu, _ = probe(statement, tmp_path)
    assert (cpu > LIMIT) == statement.startswith("while")


def test_the_probe_sees_a_heavy_package(tmp_path: Path) -> None:
    assert "pandas" in probe("import pandas", tmp_path)[1]
