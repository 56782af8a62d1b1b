"""What a sample is asked for, as a manifest's line has it, and how many rows are drawn where nobody says."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from dpsynth import ConditionError, Scenario
from dpsynth.synthesizers import asking
from dpsynth.synthesizers.asking import Asked
from tests.synthesizers.planted import planted


def test_a_line_has_plain_numbers_and_says_the_same_again() -> None:
    asked = Asked("size > 1", None, {"fraud": np.float64(0.5), "size": {np.int64(3): np.float32(0.25)}}, support=True)
    line = asked.recorded()
    assert json.loads(json.dumps(line)) == line
    assert line == {"where": "size > 1", "balance": {"fraud": 0.5, "size": {"3": 0.25}}, "support": True}
    assert Asked.of(line).recorded() == line
    night = Scenario.from_dict({"parts": [{"name": "a", "shift": {"size": np.int64(1)}}]})
    (part,) = Asked.of(Asked(scenario=night).recorded()).scenario.parts
    assert part.shift == {"size": 1}
    assert type(part.shift["size"]) is int


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked(balance={"fraud": pd.Timestamp("2020-01-01")}), "holds Timestamp, which no file records"),
        (Asked(balance={"at": {pd.Timestamp("2020-01-01"): 0.5}}), "holds Timestamp, which no file records"),
        (Asked(given={"ward": "a"}), "write them into where"),
    ],
)
def test_what_no_line_has_is_one_sentence(asked: Asked, said: str) -> None:
    with pytest.raises(ConditionError, match=said):
        asked.recorded()


def test_without_a_number_there_are_as_many_rows_as_the_model_counts_unless_that_is_noise(monkeypatch) -> None:
    fitted = planted()
    assert len(fitted.sample(seed=1)) == 10_000
    monkeypatch.setattr(asking, "_MAX_DEFAULT_ROWS", 9_999)
    assert len(fitted.sample(10_000, seed=1)) == 10_000
    for asked in ({}, {"scenario": Scenario.from_dict({"parts": [{"name": "all"}]})}):
        with pytest.raises(ValueError, match="the noisy row count is 10,000, which may be mostly noise"):
            fitted.sample(seed=1, **asked)
