"""`dpsynth answer` and `dpsynth validate`."""

from __future__ import annotations

import json

import pytest

import dpsynth
from tests.synthesizers.test_answers import SCHEMA, draw, fitted


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("answers")
    fitted(draw(), unsafe_seed=5).save(made / "m.dpsynth")
    draw().to_csv(made / "rows.csv", index=False)
    draw().assign(ill=True).to_csv(made / "others.csv", index=False)
    return made


@pytest.fixture(autouse=True)
def account(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "a.ledger").unlink(missing_ok=True)
    dpsynth.Ledger.create("a.ledger", dpsynth.Budget(3, 1e-6), dataset="a", unit=SCHEMA.unit)


def test_questions_are_answered_with_their_basis_and_intervals(run):
    code, out, _ = run("answer m.dpsynth 'count where age >= 12' 'mean(age)'")
    assert code == 0
    assert out.count("basis: measured") == 2
    assert "on the private rows" in out
    assert "in the population" in out


def test_answers_as_json_are_those_of_python(run, folder):
    _, out, _ = run("answer m.dpsynth 'count by ward' --level 0.8 --json")
    expected = dpsynth.Synthesizer.load(folder / "m.dpsynth").answer("count by ward", level=0.8).record()
    assert json.loads(out) == {"answers": [expected]}


def test_a_question_outside_is_one_sentence_and_exit_code_2(run):
    code, _, err = run("answer m.dpsynth 'count where height > 3'")
    assert code == 2
    assert "outside what was measured" in " ".join(err.split())
    assert "Traceback" not in err


VALIDATE = (
    "validate m.dpsynth {rows} -q 'share(ill == True)' --within {t} --epsilon {e} --ledger a.ledger --level 0.9999"
)


@pytest.mark.parametrize(
    ("rows", "within", "epsilon", "code"),
    [("rows.csv", 0.1, 1, 0), ("others.csv", 0.1, 1, 1), ("rows.csv", 0.00001, 0.01, 3), ("rows.csv", 0.1, 5, 4)],
)
def test_the_exit_code_of_a_validation_is_its_verdict(run, folder, rows, within, epsilon, code):
    found, out, _ = run(VALIDATE.format(rows=rows, t=within, e=epsilon))
    assert found == code
    spent = dpsynth.Ledger.open(folder / "a.ledger").spent().epsilon
    assert spent == pytest.approx(0 if code == 4 else epsilon, rel=0.01)
    if code < 4:
        assert "share(ill == True)" in out


def test_a_validation_without_a_ledger_is_refused(run):
    code, _, err = run("validate m.dpsynth rows.csv -q count --within 5 --epsilon 1")
    assert code == 2
    assert "no ledger was given" in " ".join(err.split())
