"""A part of the budget that is held back: it measures the finished model, and the model learns nothing of it."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import poisson

import dpsynth
from dpsynth import Boolean, Budget, Categorical, Numeric, Schema, Synthesizer
from dpsynth.door.table import PrivateTable
from dpsynth.evidence import verify
from dpsynth.mechanisms import distance_look
from dpsynth.mechanisms.distance_look import Cells
from dpsynth.synthesizers import holdback, table
from dpsynth.testing import BlindAccountant

SCHEMA = Schema(
    {
        "age": Numeric(0, 99, integer=True, nullable=True),
        "ill": Boolean(),
        "ward": Categorical(["a", "b", "c"]),
        "old": Boolean(),
    }
)


def draw(n: int = 3000, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 100, n)
    ill = rng.random(n) < 0.2 + 0.5 * (age > 60)
    ward = rng.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1])
    known = pd.Series(age, dtype="Int64").where(rng.random(n) < 0.9)
    return pd.DataFrame({"age": known, "ill": ill, "ward": ward, "old": age > 50})


def fit(rows: pd.DataFrame, mechanism: str = "mst", **facts: object) -> Synthesizer:
    made = {"epsilon": 2.0, "delta": 1e-6, "ledger": None, "holdback": 0.1, "unsafe_seed": 3, **facts}
    return Synthesizer(SCHEMA, mechanism, **made).fit(rows)


@pytest.fixture(scope="module", autouse=True)
def few_rows():
    """A million rows of a model take a second each time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(holdback, "_ROWS", 20_000)
        yield


@pytest.fixture(scope="module")
def synth() -> Synthesizer:
    return fit(draw())


def coded(synth: Synthesizer, rows: pd.DataFrame) -> PrivateTable:
    codes = {name: codec.encode(rows[name]) for name, codec in synth.origin.codecs.items()}
    return PrivateTable.from_codes(codes, synth.origin.model.domain)


def exact(synth: Synthesizer, rows: pd.DataFrame) -> float:
    """The mean distance of all four sets of three columns, cell by cell."""
    groups, looked_at = holdback._expected(synth.origin.model)
    codes = {name: groups[name][codec.encode(rows[name])] for name, codec in synth.origin.codecs.items()}
    found = []
    for each in looked_at:
        counts = np.zeros(each.expected.shape)
        np.add.at(counts, tuple(codes[a] for a in each.columns), 1)
        found.append(np.abs(counts - each.expected).sum() / 2)
    assert len(found) == 4
    return float(np.mean(found)) / synth.origin.model.total


def test_the_interval_has_the_exact_distance_and_the_certificate_says_it(synth):
    told = synth.certificate.record["released"]["held_back"]
    assert (told["columns"], told["sets"], told["level"]) == (3, 4, 0.9)
    reach = 2.5 * (told["high"] - told["low"]) / 2
    assert abs(told["distance"] - exact(synth, draw())) < reach
    assert "held back from the model: its mean distance" in synth.certificate.to_html()
    assert [each.fault for each in verify.examine(synth.certificate.record) if each.fault] == []
    assert "model is" in holdback.in_words(told)


def test_intervals_hold_the_exact_distance_as_often_as_they_say_and_those_of_less_noise_do_not(synth, monkeypatch):
    """200 looks, standard error 0.021: accepted from 0.83 to 0.97. With 0.6 of the noise 0.68 is refuted."""
    truth, rows, held, less = exact(synth, draw()), coded(synth, draw()), [], []
    expected = holdback._expected(synth.origin.model)
    monkeypatch.setattr(holdback, "_expected", lambda model: expected)
    accountant = dpsynth.Accountant(Budget(1.0, 1e-6))
    cost = accountant.cost_left // 200
    for _ in range(200):
        found = holdback.look_held_back(synth.origin.model, rows, accountant, cost)
        held.append(found.low <= truth <= found.high)
        less.append(abs(truth - found.distance) <= 0.6 * (found.high - found.low) / 2)
    assert 0.83 < np.mean(held) < 0.97
    assert np.mean(less) < 0.83


def test_it_is_a_charge_of_its_own_and_the_model_gets_the_rest(synth):
    charges = [each["line"] for each in synth.certificate.record["charges"]]
    assert charges[-1]["purpose"] == "distances over 4 sets of 3 columns, held back from the model"
    costs = [1 / each["event"]["noise_multiplier"] ** 2 for each in charges]
    assert costs[-1] / sum(costs) == pytest.approx(0.1, rel=1e-6)
    assert 1.99 < synth.certificate.record["spent"]["epsilon"] <= 2


def test_the_model_is_the_same_whatever_is_measured_of_it(synth, monkeypatch):
    monkeypatch.setattr(holdback, "look_at_distances", lambda *facts: (np.full(4, 7.0), 1.0))
    other = fit(draw())
    assert other.sample(500, seed=1).equals(synth.sample(500, seed=1))
    assert other.certificate.record["released"]["held_back"] != synth.certificate.record["released"]["held_back"]


@pytest.mark.filterwarnings("ignore::dpsynth.CautionWarning")
def test_a_double_that_feeds_it_to_the_model_is_refuted(synth, monkeypatch):
    def fed(model, *facts):
        object.__setattr__(model.coarse, "total", 100.0)
        return holdback.HeldBack(3, 4, 0.1, 0.0, 0.2, 0.9, 0.1)

    monkeypatch.setattr(table, "look_held_back", fed)
    assert len(fit(draw()).sample(seed=1)) != len(synth.sample(seed=1))


def test_the_plan_has_its_line_and_its_noise(synth):
    planned = Synthesizer(SCHEMA, "mst", epsilon=2.0, delta=1e-6, ledger=None, holdback=0.1).plan(3000)
    (query,) = (each for each in planned.queries if "held back" in each.what)
    told = synth.certificate.record["released"]["held_back"]
    noise = (told["high"] - told["low"]) / 2 / 1.6448536 * 2 * synth.origin.model.total
    assert query.what == "distances over 4 sets of 3 columns, held back"
    assert query.stddev == (pytest.approx(noise, rel=1e-3),) * 2
    without = Synthesizer(SCHEMA, "mst", epsilon=2.0, delta=1e-6, ledger=None).plan(3000)
    ratio = planned.queries[0].stddev[0] / without.queries[0].stddev[0]
    assert ratio == pytest.approx(1 / math.sqrt(0.9), rel=1e-6)


@pytest.mark.parametrize("share", [-0.1, 0.6, "0.1", True, math.nan, None])
def test_a_share_that_is_none_is_refused_in_one_sentence_before_anything_is_spent(share):
    ledger = dpsynth.Ledger.create(None, Budget(5, 1e-6), dataset="rows", unit=SCHEMA.unit)
    with pytest.raises(ValueError, match="holdback must be a part of the budget") as refused:
        fit(draw(10), holdback=share, ledger=ledger)
    assert "\n" not in str(refused.value)
    assert ledger.spent().epsilon == 0


def test_a_mechanism_that_leaves_nothing_is_refused():
    class Trained(dpsynth.mechanisms.base.Mechanism):
        def fit(self, table, accountant):
            raise AssertionError

        def settled(self, budget):
            return (dpsynth.Gaussian(3.0),)

    with pytest.raises(ValueError, match="nothing can be held back"):
        holdback.check_holdback(0.1, Trained(), Budget(1, 1e-6))


def test_a_loaded_model_holds_back_as_much_when_it_is_fitted_again(synth, tmp_path):
    synth.save(tmp_path / "model.dpsynth")
    assert Synthesizer.load(tmp_path / "model.dpsynth").holdback == 0.1


@pytest.mark.filterwarnings("ignore::dpsynth.CautionWarning")
@pytest.mark.parametrize("leaks", [False, True])
def test_neighbours_differ_in_nothing_but_what_the_charge_answers_and_a_leak_is_found(leaks, monkeypatch):
    """Charges are blind. The double lets the exact distances out."""
    monkeypatch.setattr(
        "dpsynth.synthesizers.account.Accountant",
        lambda budget, *, ledger, job, reserve, unsafe_seed: BlindAccountant(budget, ledger=ledger, reserve=reserve),
    )
    said = []
    for rows in (draw(300), draw(300).iloc[:299]):
        if leaks:
            monkeypatch.setattr(
                holdback, "look_at_distances", lambda table, *facts, rows=rows: (np.full(4, float(len(rows))), 1.0)
            )
        record = fit(rows, unsafe_seed=None).certificate.record
        said.append((record["released"], [each["line"]["purpose"] for each in record["charges"]]))
    assert (said[0] == said[1]) is not leaks


def test_the_distance_by_chance_is_that_of_counts_drawn_by_the_expectations():
    means = np.array([0.0, 0.3, 1.0, 7.5, 400.0])
    counts = np.arange(2000)
    deviations = [float(np.abs(counts - m) @ poisson.pmf(counts, m)) for m in means]
    assert Cells(("a",), means).by_chance == pytest.approx(sum(deviations) / 2)
    assert Cells(("a",), means, means > 1).by_chance == pytest.approx(sum(deviations[3:]) / 2)


def test_an_expectation_in_parts_of_a_row_is_taken_as_it_is():
    """Expectations of 0.4 rows: rounded to whole rows each cell would be one tenth too low or too high."""
    domain = dpsynth.Domain.of({"a": 1000})
    rows = PrivateTable.from_codes({"a": np.arange(400)}, domain)
    accountant = dpsynth.Accountant(Budget(100.0, 1e-6))
    looked_at = [Cells(("a",), np.full(1000, 0.4))]
    (found,), stddev = distance_look.look_at_distances(rows, looked_at, accountant, accountant.cost_left, "x")
    assert abs(found - (400 * 0.6 + 600 * 0.4) / 2) < 6 * stddev < 2
