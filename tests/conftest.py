"""Settings shared by all tests."""

import os
import shlex
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads that wait for a busy core spin, and spinning is CPU time

import pytest
from hypothesis import settings

BUILD_SERVER = "CI" in os.environ
"""Where a run is repeatable: a test there has the same examples and the same noise each time."""

settings.register_profile("dpsynth", deadline=None, print_blob=True, derandomize=BUILD_SERVER)
settings.load_profile("dpsynth")


def pytest_collection_modifyitems(items):
    """A test's name is the same in every process: several share the run, and noise may follow from the name."""
    passing = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if passing:
        raise pytest.UsageError(f"names of tests hold addresses in memory: give ids to {passing}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    from tests.repeatable import TRULY_RANDOM, repeatable

    if not BUILD_SERVER or item.nodeid.startswith(TRULY_RANDOM):
        return (yield)
    with repeatable(item.nodeid):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef, request):
    """What several tests share has noise of its own name, not of the test that happens to come first."""
    from tests.repeatable import TRULY_RANDOM, repeatable

    if not BUILD_SERVER or fixturedef.scope == "function" or fixturedef.baseid.startswith(TRULY_RANDOM):
        return (yield)
    with repeatable(f"{fixturedef.baseid}::{fixturedef.argname}[{request.param_index}]"):
        return (yield)


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs a command line; gives the exit code, what went to stdout, and what went to stderr."""

    from dpsynth.cli import main

    def call(line):
        monkeypatch.setattr(sys, "argv", ["dpsynth", *shlex.split(line)])
        with pytest.raises(SystemExit) as left:
            main()
        streams = capsys.readouterr()
        return left.value.code or 0, streams.out, streams.err

    return call
