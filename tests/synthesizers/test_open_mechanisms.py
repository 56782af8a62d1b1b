"""Open categories with networks, checkpoints, programs that are not ours, and marginals that are known."""

from __future__ import annotations

import json
import logging
import sys

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth import Budget, BudgetExceededError, ExternalProgram, Marginal, OpenCategorical, Schema, SchemaError
from dpsynth.discovery.discovery import Discovery
from dpsynth.evidence import verify
from dpsynth.kernel.cost import NOTHING
from dpsynth.ledger.names import event_from_dict
from dpsynth.mechanisms.discovered import PROGRAM_SHARE
from dpsynth.mechanisms.marginal.canopy import Canopy
from dpsynth.mechanisms.marginal.known import Known
from tests.mechanisms.test_external import GENERATOR
from tests.synthesizers.test_open_categories import RARE, SCHEMA, UNIT, fitted, patients, with_one_more

pytestmark = pytest.mark.filterwarnings("ignore:about .* became OTHER")

FOUND = {"icd": ("A10", "B20"), "drug": ("x", "y")}


def charged(made) -> list[tuple[str, object]]:
    lines = [charge["line"] for charge in made.certificate.record["charges"]]
    return [(line["purpose"], event_from_dict(line["event"])) for line in lines]


def confirmed(made, folder) -> None:
    """By the certificate's own checks, and by the program that shares no code with what made it."""
    made.certificate.verify()
    made.certificate.save(folder)
    assert verify.check(folder) == []


# Networks.


@pytest.mark.parametrize("mechanism", ["dp-ctgan", "hybrid", "pate-gan"])
def test_a_network_is_settled_by_what_finding_categories_leaves(mechanism, tmp_path):
    pytest.importorskip("torch", reason="networks need PyTorch: pip install 'dpsynth[gan]'")
    settings = {"steps": 20} if mechanism == "dp-ctgan" else {}
    made = dpsynth.Synthesizer(SCHEMA, mechanism, epsilon=4.0, delta=1e-6, ledger=None, **settings)
    plan = made.plan(12_000)
    made.fit(patients())
    assert made.categories == FOUND
    events = [event for _, event in charged(made)]
    assert [type(event) for event in events[:2]] == [Discovery] * 2
    assert not any(isinstance(event, Discovery) for event in events[2:])
    steps = [getattr(event, "noise_multiplier", None) for event in events if type(event).__name__ == "DpSgd"]
    assert steps == ([plan.training.noise_multiplier] if steps else [])
    cost = sum((event.cost for event in events), start=NOTHING)
    assert dpsynth.kernel.budget.fits(cost, Budget(**made.certificate.record["budget"]))
    assert 3.99 < made.certificate.record["spent"]["epsilon"] <= 4.0
    confirmed(made, tmp_path)
    made.save(tmp_path / "m.dpsynth")
    drawn = dpsynth.Synthesizer.load(tmp_path / "m.dpsynth").sample(2_000, seed=1)
    assert abs((drawn["icd"] == "A10").mean() - 0.5) < 0.1


def test_a_fit_that_died_goes_on_with_the_categories_that_it_had_found(tmp_path):
    pytest.importorskip("torch", reason="networks need PyTorch: pip install 'dpsynth[gan]'")
    from tests.mechanisms.neural.test_checkpoint import NETWORK, die, lines
    from tests.mechanisms.neural.test_checkpoint import fit as kept_fit

    rows = with_one_more(patients(6_000))
    die(tmp_path, NETWORK, at=11, schema=SCHEMA, rows=rows)
    raw = (tmp_path / "c").read_bytes()
    assert RARE.encode() not in raw
    assert b"only me" not in raw
    before = lines(tmp_path, "charge")
    made = kept_fit(tmp_path, NETWORK, schema=SCHEMA, rows=rows)
    assert made.categories == FOUND
    assert lines(tmp_path, "charge")[: len(before)] == before
    assert sum(isinstance(event, Discovery) for _, event in charged(made)) == 2
    assert len(lines(tmp_path, "run")) == len(lines(tmp_path, "commit")) == 1
    confirmed(made, tmp_path / "release")


def test_a_checkpoint_without_what_was_found_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("torch", reason="networks need PyTorch: pip install 'dpsynth[gan]'")
    from dpsynth.mechanisms import checkpoint
    from tests.mechanisms.neural.test_checkpoint import NETWORK, die
    from tests.mechanisms.neural.test_checkpoint import fit as kept_fit

    die(tmp_path, NETWORK, at=11, schema=SCHEMA, rows=patients(6_000))
    honest = checkpoint.read_archive

    def without(path, member):
        document, arrays = honest(path, member)
        return {**document, "values": {**document["values"], "categories": {}}}, arrays

    monkeypatch.setattr(checkpoint, "read_archive", without)
    with pytest.raises(checkpoint.CheckpointError):
        kept_fit(tmp_path, NETWORK, schema=SCHEMA, rows=patients(6_000))


# Programs that are not ours.


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    path = tmp_path_factory.mktemp("programs") / "generator.py"
    path.write_text(GENERATOR)
    return [sys.executable, "-I", str(path), "{input}", "{output}", "{job}"]


def test_a_program_is_given_cells_of_what_was_found_and_pays_for_four_fifths(command, tmp_path):
    made = fitted(patients(), "external:", epsilon=4.0, command=command, rows=3_000)
    assert made.categories == FOUND
    kinds = [type(event).__name__ for _, event in charged(made)]
    assert kinds == ["Discovery", "Discovery", "ExternalProgram"]
    claimed = charged(made)[-1][1]
    assert claimed.epsilon == 4.0 * PROGRAM_SHARE
    assert sum(event.delta for _, event in charged(made)) <= 1e-6 * PROGRAM_SHARE
    said = made.plan(12_000).summary()
    assert "take what is left beside the program" in said
    assert "it pays for what the program claims: epsilon 3.2 at delta 7e-07" in said
    confirmed(made, tmp_path)
    drawn = made.sample(3_000, seed=1)
    assert abs((drawn["icd"] == "A10").mean() - 0.5) < 0.05
    assert {*drawn["drug"].cat.categories} == {"x", "y", "OTHER"}


def test_a_program_that_claims_less_than_its_part_is_paid_what_it_claims(command, tmp_path):
    claim = ExternalProgram(1.0, 1e-9)
    made = fitted(patients(), "external:", epsilon=4.0, command=command, rows=500, claim=claim)
    assert charged(made)[-1][1] == claim
    confirmed(made, tmp_path)


def test_a_program_that_claims_all_leaves_nothing_to_find_categories_with(command):
    with pytest.raises(BudgetExceededError, match="epsilons of other programs"):
        fitted(patients(100), "external:", epsilon=4.0, command=command, claim=ExternalProgram(4.0, 1e-9))


def test_a_histogram_of_all_rows_cannot_have_open_columns():
    from dpsynth.mechanisms.external.smartnoise import _refuse_many_cells

    with pytest.raises(SchemaError, match="'icd' are open: declare them"):
        _refuse_many_cells(SCHEMA, 10)


# What is known.


def listed(name="drug", **counts) -> Marginal:
    counted = pd.Series({key: float(value) for key, value in counts.items()})
    return Marginal(counted.rename_axis(name), stddev=5.0, source="a public list")


@pytest.mark.parametrize("mechanism", ["canopy", "aim"])
def test_a_known_marginal_counts_what_was_not_found_as_other(mechanism, tmp_path):
    """It names y, which is found, w and v, which are not, and no x; at an epsilon whose own counts say little."""
    known = listed(y=3_000, w=1_000, v=8_000)
    made = fitted(patients(), mechanism, epsilon=1.0, known=[known])
    assert made.categories["drug"] == ("x", "y")
    drawn = made.sample(20_000, seed=1)["drug"].value_counts(normalize=True)
    without = fitted(patients(), mechanism, epsilon=1.0).sample(20_000, seed=1)["drug"].value_counts(normalize=True)
    assert without["OTHER"] < 0.05
    assert drawn["OTHER"] > 0.5  # 9,000 of 12,000, and what was measured beside it
    assert drawn["x"] < without["x"] / 2
    stated = made.certificate.record["mechanism"]["settings"]["known"]
    assert [each["columns"] for each in stated] == [["drug"]]
    confirmed(made, tmp_path)


def test_a_known_marginal_of_open_and_other_columns_is_read_over_what_was_found():
    index = pd.MultiIndex.from_product([["A10", "B20", "Q1", None], ["x", "y"]], names=["icd", "drug"])
    known = Marginal(pd.Series(np.arange(8.0) * 100, index), stddev=3.0, source="a register")
    made = fitted(patients(), known=[known], mechanism="canopy")
    settled = SCHEMA.settled(made.categories)
    values = known.coded(settled, SCHEMA.open).values
    icd, drug = [settled.columns[name].categories for name in ("icd", "drug")]
    assert values.shape == (len(icd) + 1, len(drug))
    assert values[icd.index("B20"), drug.index("y")] == 300
    assert values[icd.index("OTHER")].tolist() == [400, 500, 0]
    assert values[-1].tolist() == [600, 700, 0]
    assert values.sum() == 2_800


def test_known_marginals_are_checked_before_anything_is_read():
    table = "no_such_file.csv"
    missing = Marginal(pd.Series([1.0, 2.0], pd.Index(["x", None], name="drug")), 1.0, "a list")
    with pytest.raises(SchemaError, match="'drug' that the schema does not declare"):
        fitted(table, "canopy", known=[missing])
    times = Marginal(pd.Series([1.0], pd.Index([pd.Timestamp("2020-01-01")], name="drug")), 1.0, "a list")
    with pytest.raises(SchemaError, match="'drug' that the schema does not declare"):
        fitted(table, "canopy", known=[times])
    with pytest.raises(ValueError, match=r"only .* can use known marginals"):
        fitted(table, "mst", known=[listed(x=1)])
    with pytest.raises(ValueError, match="more than 2 cells"):
        fitted(table, "canopy", known=[listed(x=1, y=2)], max_cells=2)
    over = Known(("drug",), np.array([1.0]), 1.0, "cells")
    with pytest.raises(SchemaError, match=r"known=\[Marginal"):
        fitted(table, Canopy(known=(over,)))


def test_a_known_marginal_that_is_too_wide_with_what_was_found_is_left_out_and_the_fit_goes_on(caplog):
    """Two categories are known, and six are found, more than the model may hold. The certificate says what is used."""
    schema = Schema({"code": OpenCategorical(), "ward": OpenCategorical()}, unit=UNIT)
    rows = pd.DataFrame({"who": np.arange(6_000), "code": [f"c{i % 6}" for i in range(6_000)], "ward": "w"})
    known = [listed("code", c0=1_000, c1=1_000), listed("ward", w=6_000)]
    with caplog.at_level(logging.WARNING, logger="dpsynth"):
        made = fitted(rows, "canopy", schema=schema, known=known, max_cells=6)
    assert len(made.categories["code"]) == 6
    assert "the known marginal of ('code',) is left out" in caplog.text
    stated = made.certificate.record["mechanism"]["settings"]["known"]
    assert [each["columns"] for each in stated] == [["ward"]]
    assert json.dumps(made.certificate.record["released"]["found"])
