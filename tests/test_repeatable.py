"""On a build server the same tests draw the same noise and the same examples; elsewhere they search on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.kernel.noise import operating_system_bits, rounded_gaussian
from tests.repeatable import repeatable

ROOT = Path(__file__).parents[1]


def drawn() -> list[int]:
    return rounded_gaussian(np.full(20, 1000.0), operating_system_bits).tolist()


def drawn_as(name: str) -> list[int]:
    with repeatable(name):
        return drawn()


def test_noise_follows_from_the_name_within_and_not_outside() -> None:
    assert drawn_as("a") == drawn_as("a") != drawn_as("b")
    with repeatable("a"):
        assert drawn() != drawn()  # one after another
    assert os.urandom(20) != os.urandom(20)


def test_a_forked_process_shares_no_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = os.getpid()
    found = []
    for _ in range(2):
        with repeatable("a"), monkeypatch.context() as child:
            child.setattr(os, "getpid", lambda: owner + 1)
            found.append(drawn())
    assert found[0] != found[1]


def test_a_fit_is_the_same_again_and_still_says_that_its_noise_is_the_operating_systems() -> None:
    schema = dpsynth.Schema({"ward": dpsynth.Categorical(["a", "b"])})

    def fit() -> dpsynth.Synthesizer:
        rows = pd.DataFrame({"ward": ["a", "b", "b"] * 100})
        with repeatable("a"):
            return dpsynth.Synthesizer(schema, "independent", epsilon=9, delta=1e-6, ledger=None).fit(rows)

    one, other = (fit()._fitted() for _ in range(2))
    assert one.model.project(("ward",)).tolist() == other.model.project(("ward",)).tolist()
    assert one.certificate.record["claim"]["private"]


TEST = """
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from dpsynth.kernel.noise import operating_system_bits, rounded_gaussian

def noise():
    return rounded_gaussian(np.full(9, 1e6), operating_system_bits).tolist()

@pytest.fixture(scope="module")
def kept():
    return noise()

@given(st.lists(st.integers(), min_size=9))
def test_examples(numbers):
    print("DRAWN", numbers)

def test_noise(kept):
    print("DRAWN", kept, noise())
"""


@pytest.mark.parametrize("server", [True, False], ids=["build server", "developer"])
def test_a_build_server_repeats_itself_and_a_developer_does_not(server: bool, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TEST)
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    environment |= {"PYTHONPATH": str(ROOT)} | ({"CI": "true"} if server else {})
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", str(tmp_path)]
    runs = []
    for _ in range(2):
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert "2 passed" in done.stdout, done.stdout
        lines = [line for line in done.stdout.splitlines() if "DRAWN" in line]
        runs.append((lines[:-1], lines[-1]))
    (examples, noise), (other_examples, other_noise) = runs
    assert (examples == other_examples) == server
    assert (noise == other_noise) == server
