"""The report of measurements: it follows from charged answers alone, and finds what the release gets wrong."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth.cli import main
from dpsynth.evidence import verify
from dpsynth.evidence.release import examine_release
from dpsynth.synthesizers import measured_report as module
from dpsynth.synthesizers.release import make_release
from dpsynth.testing import BlindAccountant
from tests.synthesizers.test_answers import SCHEMA, draw, fitted

made_up = pytest.mark.filterwarnings("ignore::dpsynth.CautionWarning")
"""Blind charges answer at random, also of values that could not be read."""


@pytest.fixture(scope="module")
def synth() -> dpsynth.Synthesizer:
    return fitted(draw(), epsilon=8.0, unsafe_seed=6)


def test_a_release_that_is_fitted_to_its_counts_differs_nowhere_beyond_noise(synth):
    report = synth.measured_report()
    assert len(report.lines) == len(synth.fitted_.model.charged)
    assert [each.columns for each in report.odd] == []
    assert "nowhere beyond noise" in report.summary()


def test_a_model_that_says_something_else_is_found(synth):
    """The shares of wards are moved; the row count and other columns stay."""
    model = synth.fitted_.model
    wrong = replace(model, masses={**model.masses, "age": np.roll(model.masses["age"], 7)})
    coarse = [m for m in model.charged if m.clique == ("age",)]
    moved = tuple(replace(m, values=np.roll(m.values, 5) * 1.3) if m in coarse else m for m in model.charged)
    found = module.measured_report(replace(wrong, charged=moved), synth.certificate.record)
    assert {each.columns for each in found.odd} == {("age",)}
    assert found.odd[0].distance > 0.02
    assert "age" in found.summary()


def test_the_chi_square_is_that_of_the_differences(synth):
    report, model = synth.measured_report(), synth.fitted_.model
    at = next(i for i, m in enumerate(model.charged) if m.clique == ("ill",))
    m = model.charged[at]
    squares = ((m.values - model.project(("ill",))) ** 2).sum() / (m.stddev**2 + 1 / 12)
    assert report.lines[at].chi_square == pytest.approx(squares)


@made_up
def test_two_tables_that_are_answered_alike_have_the_same_report_byte_by_byte(tmp_path, monkeypatch):
    def blind(budget, *, ledger, job, reserve, unsafe_seed):
        return BlindAccountant(budget, ledger=ledger, reserve=reserve)

    monkeypatch.setattr("dpsynth.synthesizers.account.Accountant", blind)
    texts = []
    for rows in (draw(), draw(40, seed=9)):
        report = dpsynth.Synthesizer(SCHEMA, "mst", epsilon=1.0, delta=1e-6, ledger=None).fit(rows).measured_report()
        texts.append((json.dumps({**report.record(), "model": None}), replace(report, model=None).to_html()))
    assert texts[0] == texts[1]


@made_up
def test_a_double_that_compares_with_exact_counts_is_refuted(tmp_path, monkeypatch):
    def blind(budget, *, ledger, job, reserve, unsafe_seed):
        return BlindAccountant(budget, ledger=ledger, reserve=reserve)

    monkeypatch.setattr("dpsynth.synthesizers.account.Accountant", blind)
    line, texts = module._line, []
    for rows in (draw(), draw(40, seed=9)):
        exact = np.asarray(float(len(rows)))
        leaking = lambda m, model, exact=exact: line(m if m.clique else replace(m, values=exact), model)  # noqa: E731
        monkeypatch.setattr(module, "_line", leaking)
        report = dpsynth.Synthesizer(SCHEMA, "mst", epsilon=1.0, delta=1e-6, ledger=None).fit(rows).measured_report()
        texts.append(json.dumps({**report.record(), "model": None}))
    assert texts[0] != texts[1]


def test_the_manifest_of_a_release_lists_the_report_and_the_release_still_verifies(tmp_path, monkeypatch, capsys):
    synth = dpsynth.Synthesizer(SCHEMA, "mst", epsilon=1.0, delta=1e-6, ledger=None)
    make_release(synth, draw(), tmp_path / "release", n=50, seed=1)
    synth.measured_report().save(tmp_path / "release")
    assert [each.fault for each in examine_release(tmp_path / "release") if each.fault] == []
    assert verify.check(tmp_path / "release") == []
    page = tmp_path / "release" / "measured.html"
    assert "What was measured" in page.read_text()
    page.write_text(page.read_text() + " ")
    assert any(each.fault for each in examine_release(tmp_path / "release"))
    monkeypatch.setattr("sys.argv", ["dpsynth", "measured", str(tmp_path / "release" / "model.dpsynth"), "--json"])
    with pytest.raises(SystemExit):
        main()
    assert json.loads(capsys.readouterr().out) == synth.measured_report().record()


def test_a_model_without_counts_is_refused_in_one_sentence(synth):
    bare = replace(synth.fitted_.model, charged=())
    with pytest.raises(ValueError, match="keeps no measurements"):
        module.measured_report(bare, synth.certificate.record)
    assert isinstance(synth.measured_report().to_frame(), pd.DataFrame)


def test_a_difference_of_a_row_stands_out_of_noise_that_is_rounded_away(synth):
    """Noise of 0.25 rows is 0 in 95% of counts once it is rounded: sqrt(0.25^2 + 1/12) would make it 0.38 rows."""
    model = synth.fitted_.model
    counts = model.project(("ill",))
    fine = [replace(m, values=counts + by, stddev=0.25) for m in model.charged if m.clique == ("ill",) for by in (0, 1)]
    right, wrong = module.measured_report(replace(model, charged=tuple(fine)), synth.certificate.record).lines
    assert right.chi_square == 0
    assert wrong.chi_square == pytest.approx(counts.size / 0.0455, rel=1e-3)  # 2 P(z > 2)
