"""Validation on real rows: paid for by charges that name the question, and by nothing else of the rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth import Budget, BudgetExceeded, Ledger, PrivacyUnit, Schema, validate
from dpsynth.kernel.accountant import Accountant
from dpsynth.kernel.budget import affordable
from dpsynth.synthesizers import paid_look, validated, validation
from dpsynth.testing import BlindAccountant
from tests.synthesizers.test_answers import EXACT, SCHEMA, draw, fitted

ASKED = {"within": 0.1, "epsilon": 0.5, "delta": 1e-6}
ANALYSIS = ["count where age >= 12", "share(ill == True) by ward", "mean(age)", "logistic(ill == True ~ age >= 10)"]
ANALYSIS += ["auc(ill == True ~ age)"]


@pytest.fixture(scope="module")
def synth() -> dpsynth.Synthesizer:
    return fitted(draw(), unsafe_seed=5)


def account(epsilon: float = 20.0, schema: Schema = SCHEMA) -> Ledger:
    return Ledger.create(None, Budget(epsilon, 1e-6), dataset="rows", unit=schema.unit)


@pytest.mark.parametrize("question", [q for q in EXACT if "~" not in q])
def test_the_interval_of_the_difference_has_the_exact_one(question, synth):
    found = validate(question, synth, draw(), ledger=None, level=0.9999, **ASKED, unsafe_seed=3).parts[0]
    low, high = found.difference
    assert low <= float(EXACT[question](draw())) - found.release <= high


def test_a_regression_is_validated_by_noisy_counts_of_its_patterns(synth):
    asked = {**ASKED, "epsilon": 5.0, "within": 0.6}
    found = validate("logistic(ill == True ~ age >= 10)", synth, draw(), ledger=None, **asked)
    assert found.verdict == "agrees"
    assert [each.group["term"] for each in found.parts] == ["intercept", "age >= 10"]


def test_a_release_of_another_population_disagrees(synth):
    others = draw().assign(ill=True)
    asked = {**ASKED, "level": 0.9999}
    found = validate("share(ill == True) where age >= 12", synth, others, ledger=None, **asked)
    assert found.verdict == "disagrees"
    assert "disagrees within 0.1" in found.summary()


def test_what_the_noise_hides_is_undecided(synth):
    asked = {**ASKED, "epsilon": 0.01, "within": 0.001, "level": 0.9999}
    assert validate("mean(age)", synth, draw(), ledger=None, **asked).verdict == "undecided"


def test_the_interval_covers_as_often_as_it_says_and_one_of_less_noise_does_not(synth):
    """300 looks at 3 counts, standard error 0.01: accepted from 0.86 to 0.94. At 0.8 of the noise, 0.81 is refuted."""
    rows, held, less = draw(), [], []
    questions = ["count where age >= 12", "count where ward is None", "count where ill == True"]
    truths = [float(EXACT.get(q, lambda r: r.ill.sum())(rows)) for q in questions]
    looks = validation._looks(questions, validation.AskedCells(synth.origin.schema, synth.origin.bounds))
    span = synth.fitted_.model.domain
    for look, truth in zip(looks, truths, strict=True):
        codes = {name: synth.origin.codecs[name].encode(rows[name]) for name in look.clique}
        table = dpsynth.door.table.PrivateTable.from_codes(codes, span.project(look.clique), SCHEMA.unit)
        cost, accountant = affordable(Budget(0.5, 1e-6)), dpsynth.Accountant(Budget(50.0, 1e-6))
        for _ in range(300):
            m = look.counted(table, accountant, cost)
            for scale, into in ((1.0, held), (0.8, less)):
                own = validation.RoughMeasurement(m.clique, m.groups, m.values, m.stddev * scale)
                answers = validation.MeasuredAnswers(validation.Span(span, [own]), look.cells, SCHEMA.unit, 0.9)
                low, high = answers.estimates(look.asked)[0].privacy_interval
                into.append(low <= truth <= high)
    assert 0.86 < np.mean(held) < 0.94
    assert np.mean(less) < 0.86


def test_each_question_has_a_charge_that_names_it_and_all_of_the_budget_is_spent(synth):
    ledger = account()
    validate(ANALYSIS, synth, draw(), ledger=ledger, **ASKED, purpose="replication", approvals={"board": "case 4"})
    charges = [line["purpose"] for line in ledger.entries() if line["kind"] == "charge"]
    assert charges == [f"validate {question}" for question in ANALYSIS]
    assert ledger.spent().epsilon == pytest.approx(0.5, rel=1e-3)
    assert ledger.spent().epsilon <= 0.5
    (run,) = ledger.runs()
    assert (run.job.mechanism, run.job.purpose, run.state) == ("validate", "replication", "committed")


def test_an_account_without_room_refuses_before_any_row_is_read(synth):
    ledger = account(0.2)
    with pytest.raises(BudgetExceeded):
        validate("count", synth, draw(), ledger=ledger, **ASKED)
    assert ledger.spent().epsilon == 0


def test_a_policy_decides_as_over_any_run(synth, tmp_path):
    policy = dpsynth.Policy(purposes={"audit": Budget(1.0, 1e-6)})
    ledger = Ledger.create(None, Budget(2.0, 1e-6), dataset="rows", unit=SCHEMA.unit, policy=policy)
    with pytest.raises(dpsynth.PolicyRefusedError):
        validate("count", synth, draw(), ledger=ledger, **ASKED, purpose="something else")
    assert ledger.spent().epsilon == 0


@pytest.mark.parametrize(
    ("question", "more"),
    [
        ("count where age > ill", {}),
        ("count where height > 3", {}),
        ([], {}),
        (7, {}),
        (["count"] * 200, {"epsilon": 1e-9, "delta": 1e-9}),
        ("logistic(ill == True ~ age >= 10) where age >= 10", {}),
        ("share(ill == True) where ward == 'b' and age == 19 and ill == True", {}),
        ("count", {"level": 1 - 1e-16}),
        ("count", {"within": 0}),
        ("count", {"within": "1"}),
        ("count", {"level": 2}),
        ("count", {"epsilon": 0}),
        ("count", {"ledger": "nowhere.ledger"}),
    ],
)
def test_what_cannot_be_validated_is_refused_in_one_sentence_and_nothing_is_spent(question, more, synth):
    ledger = account()
    with pytest.raises((ValueError, dpsynth.DPSynthError)) as caught:
        validate(question, synth, draw(), **{"ledger": ledger, **ASKED, **more})
    assert "\n" not in str(caught.value)
    assert ledger.spent().epsilon == 0


def test_a_table_that_cannot_be_read_costs_what_was_reserved(synth, tmp_path, monkeypatch):
    """Whether rows can be read may depend on them. A double that does not begin gives the budget back: refuted."""
    (tmp_path / "rows.csv").write_text('age,ill,ward\n1,2\n"')
    spent = []
    for begins in (True, False):
        if not begins:
            monkeypatch.setattr(Accountant, "begin", lambda self: None)
        ledger = account()
        with pytest.raises(dpsynth.RowsError):
            validate("count", synth, tmp_path / "rows.csv", ledger=ledger, **ASKED)
        spent.append(ledger.spent().epsilon)
    assert spent == [pytest.approx(0.5, rel=1e-3), 0]


def test_the_rows_are_read_once_for_all_questions(synth, monkeypatch):
    bound, passes = paid_look.bound_table, []

    def counting(read, *facts):
        return bound(lambda columns: passes.append(columns) or read(columns), *facts)

    monkeypatch.setattr(paid_look, "bound_table", counting)
    validate(ANALYSIS, synth, draw(), ledger=None, **ASKED)
    assert passes == [("age", "ill", "ward")]


def test_the_summary_says_how_far_the_real_answer_is_from_the_releases():
    compared = validated.Compared
    parts = (
        compared("mean(age)", 46.0, 46.3, (-0.25, 0.75), "agrees"),
        compared("count", 100.0, 120.0, (10.0, 30.0), "disagrees", {"ward": None}),
        compared("share(ill == True)", np.nan, 0.5, (np.nan, np.nan), "undecided"),
        compared("logistic(ill == True ~ age >= 9)", 0.5, np.nan, (-np.inf, np.inf), "undecided"),
    )
    said = validated.Validation(Budget(0.1, 1e-6), 1.0, 0.9999, parts).summary().splitlines()
    assert said == [
        "disagrees within 1 (99.99% intervals)",
        "mean(age): agrees; the release says 46, and the real answer is 0.25 less to 0.75 more",
        "count, ward None: disagrees; the release says 100, and the real answer is 10 more to 30 more",
        "share(ill == True): undecided; the release has no rows that answer it",
        "logistic(ill == True ~ age >= 9): undecided; the release says 0.5, and noise hides the real answer",
    ]


def test_conditions_inside_of_a_cell_are_refused_and_those_along_cells_are_not():
    wide = Schema({"x": dpsynth.Numeric(0, 1)})
    made = fitted(pd.DataFrame({"x": np.linspace(0, 1, 2000)}), wide, unsafe_seed=1)
    rows = pd.DataFrame({"x": np.linspace(0, 1, 2000)})
    with pytest.raises(dpsynth.NotMeasuredError, match="along cells"):
        validate("count where x >= 0.1234567", made, rows, ledger=None, **ASKED)
    assert validate("count where x >= 0.5", made, rows, ledger=None, **{**ASKED, "within": 300}).verdict == "agrees"


# Nothing else of the rows is let out: charges are blind here, so that neighbours must look alike.

PEOPLE = Schema({**SCHEMA.columns, "who": dpsynth.Identifier()}, unit=PrivacyUnit("who", 2))


def people(**facts: object) -> pd.DataFrame:
    rows = draw(300).astype(object)
    return rows.assign(who=[f"CANARY-{i // 3}" for i in range(300)], **facts)


NEIGHBOURS = {
    "one person more": pd.concat([people(), people().head(1).assign(who="NEW")], ignore_index=True),
    "a person with many rows": pd.concat([people(), *[people().assign(who="NEW")] * 3], ignore_index=True),
    "no rows": people().head(0),
    "values that cannot be read": people(age="old", ill=[["yes"]] * 300),
    "missing ids": people().assign(who=None),
}


def let_out(rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, model: dpsynth.Synthesizer) -> str:
    ledgers = []

    def blind(budget, *, ledger, job, reserve, unsafe_seed):
        ledgers.append(ledger)
        return BlindAccountant(budget, ledger=ledger, reserve=reserve)

    monkeypatch.setattr("dpsynth.synthesizers.account.Accountant", blind)
    try:
        said = repr(validate(ANALYSIS, model, rows, ledger=None, **ASKED).record())
    except Exception as error:
        said = repr(error)
    lines = [(e["kind"], e.get("purpose"), e.get("event")) for ledger in ledgers for e in ledger.entries()]
    return said + repr(lines)


@pytest.fixture(scope="module")
def of_people() -> dpsynth.Synthesizer:
    return fitted(people(), PEOPLE, unsafe_seed=4)


@pytest.mark.parametrize("neighbour", NEIGHBOURS)
def test_nothing_differs_between_neighbours_but_what_charges_answer(neighbour, of_people, monkeypatch):
    said = let_out(people(), monkeypatch, of_people)
    assert "validate mean(age)" in said
    assert let_out(NEIGHBOURS[neighbour], monkeypatch, of_people) == said


def test_a_double_that_lets_an_exact_number_out_is_refuted(of_people, monkeypatch):
    opened = validation.opened
    seen = []

    def spying(real, schema, unit):
        seen.append(len(real))
        return opened(real, schema, unit)

    compared = validation._compared

    def leaking(asked, real, said, within):
        return compared(asked, real, validation.Estimate(said.value + seen[-1]), within)

    monkeypatch.setattr(validation, "opened", spying)
    monkeypatch.setattr(validation, "_compared", leaking)
    assert let_out(NEIGHBOURS["one person more"], monkeypatch, of_people) != let_out(people(), monkeypatch, of_people)


def test_the_noise_is_that_of_the_units_rows(of_people):
    """With at most two rows a person the count of a question has twice the noise that it has with one."""
    single = fitted(draw(300), unsafe_seed=4)
    widths = []
    for made, rows in ((of_people, people()), (single, draw(300))):
        asked = {**ASKED, "epsilon": 0.3}
        found = validate("count where age >= 3", made, rows, ledger=None, **asked).parts[0]
        widths.append(np.ptp(found.difference))
    assert widths[0] == pytest.approx(2 * widths[1], rel=0.02)
