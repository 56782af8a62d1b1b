"""What a comparison costs: the benchmark's figures keep its limits, and a smaller table takes its part of them."""

from __future__ import annotations

import json

import pytest

from dpsynth import evaluate
from tests.pace import soon
from tests.structure.source import ROOT

ROWS = 10_000
"""A fifth of the benchmark's rows."""


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return __import__("evaluate")


def test_the_figures_on_record_are_of_50_000_rows_of_20_columns_and_keep_the_limits(benchmark):
    results = json.loads((ROOT / "benchmarks" / "results" / "evaluate.json").read_text())["results"]
    assert (results["cost"]["rows"], results["cost"]["columns"]) == (50_000, 20)
    assert results["cost"]["CPU s"] < benchmark.LIMIT == 60
    assert results["cost"]["CPU s"] + results["models"]["CPU s"] < benchmark.LIMIT_WITH_MODELS == 120


def test_a_fifth_of_the_rows_takes_less_than_a_fifth_of_the_limit(benchmark):
    """Parts of the work that do not grow with the rows count in full, so that this is the stricter test."""
    real, release = (benchmark.wide(seed).head(ROWS) for seed in (0, 1))
    soon(benchmark.LIMIT * ROWS / benchmark.ROWS, lambda: evaluate(release, real, benchmark.facts()))
