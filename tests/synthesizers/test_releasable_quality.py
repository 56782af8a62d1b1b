"""The releasable quality report: every number about real rows is the answer of a charge, and its interval holds."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pandas as pd
import pytest

import dpsynth
from dpsynth import Boolean, Budget, Categorical, Ledger, Numeric, PrivacyUnit, Schema, evaluate_releasable
from dpsynth.cli import main
from dpsynth.door.table import PrivateTable
from dpsynth.evidence.bundle import charged
from dpsynth.evidence.release import examine_release
from dpsynth.synthesizers import paid_look, paid_quality, quality_looks, quality_questions
from dpsynth.synthesizers.paid_quality import budget_of, plan_releasable, questions_of
from dpsynth.synthesizers.quality_looks import Looking
from dpsynth.synthesizers.quality_questions import Questions
from dpsynth.synthesizers.rank_correlation import rank_correlation
from dpsynth.synthesizers.release import make_release
from dpsynth.testing import BlindAccountant

SCHEMA = Schema(
    {
        "age": Numeric(0, 19, integer=True, nullable=True),
        "cost": Numeric(0, 9, integer=True),
        "ill": Boolean(),
        "ward": Categorical(["a", "b", "c"]),
    }
)
ASKED = {"epsilon": 1.0, "groups": ["ward"]}


def draw(n: int = 4000, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 20, n)
    known = pd.Series(age, dtype="Int64").where(rng.random(n) < 0.9)
    cost = np.clip(age // 3 + rng.integers(0, 4, n), 0, 9)
    ward = rng.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1])
    return pd.DataFrame({"age": known, "cost": cost, "ill": rng.random(n) < 0.03 * age, "ward": ward})


def fit(rows: pd.DataFrame, schema: Schema = SCHEMA) -> dpsynth.Synthesizer:
    return dpsynth.Synthesizer(schema, "mst", epsilon=3.0, delta=1e-6, ledger=None, unsafe_seed=5).fit(rows)


@pytest.fixture(scope="module")
def synth() -> dpsynth.Synthesizer:
    return fit(draw())


@pytest.fixture(scope="module")
def report(synth):
    facts = {"rows": synth.sample(4000, seed=1), "level": 0.9999, "unsafe_seed": 2}
    return evaluate_releasable(synth, draw(), ledger=None, **facts, **ASKED)


@pytest.fixture(scope="module")
def asked(synth) -> Questions:
    return questions_of(synth, synth.sample(4000, seed=1), ["ward"], None)


def oracle(asked: Questions, rows: pd.DataFrame, columns: tuple[str, ...], by: tuple[str, str] | None = None) -> float:
    """The distance, by a table of counts of its own."""
    groups = asked.alone if len(columns) == 1 and by is None else asked.together
    shares = []
    for table in ({a: asked.codecs[a].encode(rows[a]) for a in asked.codecs}, asked.codes):
        kept = slice(None) if by is None else table[by[0]] == asked.values(by[0]).index(by[1])
        counts = np.zeros([int(groups[a].max()) + 1 for a in columns])
        np.add.at(counts, tuple(groups[a][table[a][kept]] for a in columns), 1)
        shares.append(counts / counts.sum())
    return float(np.abs(shares[0] - shares[1]).sum()) / 2


def test_every_interval_has_the_exact_number(asked, report):
    """At 99.99% none of the 23 numbers misses with this seed."""
    rows = draw()
    assert report.rows.low <= len(rows) <= report.rows.high
    for each in (*report.columns, *report.pairs, *report.triples):
        assert each.low <= oracle(asked, rows, each.columns) <= each.high
    for way, sets in zip(report.ways, (report.columns, report.pairs, report.triples), strict=True):
        assert way.low <= np.mean([oracle(asked, rows, each.columns) for each in sets]) <= way.high
    assert [each.group for each in report.groups] == [("ward", value) for value in "abc"]
    for each in report.groups:
        assert each.low <= np.mean([oracle(asked, rows, (a,), each.group) for a in ("age", "cost", "ill")]) <= each.high
    (age,) = report.missing
    assert age.low <= rows.age.isna().mean() <= age.high
    (ages,) = report.correlations
    assert ages.columns == ("age", "cost")
    assert ages.high - ages.low < 0.4
    assert ages.low <= rows.dropna().astype({"age": int})[["age", "cost"]].corr("spearman").iloc[0, 1] <= ages.high


def test_intervals_hold_as_often_as_they_say_and_those_of_less_noise_do_not(synth, asked):
    """40 reports of 14 numbers: held in 0.86 or more, as they allow for the row count too. At 0.4 of their noise
    fewer than 0.8 are."""
    rows, held, less = draw(), [], []
    codes = {a: codec.encode(rows[a]) for a, codec in asked.codecs.items()}
    table = PrivateTable.from_codes(codes, asked.domain)
    truths = {each: oracle(asked, rows, each) for each in itertools.chain(*asked.sets.values())}
    accountant = dpsynth.Accountant(Budget(20.0, 1e-6))
    cost = accountant.cost_left // 40
    for _ in range(40):
        found = Looking(asked, table, accountant, asked.costs(cost), 1.6448536).figures()
        for each in (*found["columns"], *found["pairs"], *found["triples"]):
            held.append(each.low <= truths[each.columns] <= each.high)
            if each.low > 0 and each.high < 1:
                less.append(abs(each.distance - truths[each.columns]) <= 0.4 * (each.high - each.low) / 2)
    assert len(held) == 40 * 14
    assert np.mean(held) > 0.86
    assert np.mean(less) < 0.8


def test_the_rank_correlations_noise_is_that_of_simulated_counts():
    """1,000 draws: the standard deviation is found to 2.3%; accepted within 9%."""
    rng = np.random.default_rng(3)
    table = rng.integers(20, 400, (5, 6)).astype(float)
    without = [np.array([4]), np.array([], int)]
    real, stddev = rank_correlation(table, table, without, 5.0)
    drawn = [rank_correlation(table + rng.normal(0, 5, table.shape), table, without, 5.0)[0] for _ in range(1000)]
    assert np.std(drawn) == pytest.approx(stddev, rel=0.09)
    assert np.mean(drawn) == pytest.approx(real, abs=stddev / 10)
    assert rank_correlation(-table, table, without, 5.0)[1] == math.inf
    one = np.zeros((5, 6))
    one[1, 2] = 9
    assert rank_correlation(one, one, without, 5.0)[1] == math.inf


def test_each_part_is_a_charge_of_its_own_and_all_of_the_budget_is_spent(synth):
    ledger = Ledger.create(None, Budget(5.0, 1e-6), dataset="rows", unit=SCHEMA.unit)
    found = evaluate_releasable(synth, draw(), ledger=ledger, purpose="quality", approvals={"board": "7"}, **ASKED)
    lines = [line for line in ledger.entries() if line["kind"] == "charge"]
    assert [line["purpose"] for line in lines] == [each.purpose for each in found.charges]
    assert [line["event"]["noise_multiplier"] for line in lines] == [each.noise_multiplier for each in found.charges]
    assert [each.purpose for each in found.charges] == [
        "evaluate: rows",
        "evaluate: distances of 4 columns",
        "evaluate: distances of 6 pairs",
        "evaluate: distances of 4 triples",
        "evaluate: missing values",
        "evaluate: pairs of numbers",
        "evaluate: rows by ward",
        "evaluate: distances of 9 columns by ward",
    ]
    assert 0.999 < ledger.spent().epsilon <= 1.0
    (run,) = ledger.runs()
    assert (run.job.mechanism, run.job.purpose, run.state) == ("evaluate", "quality", "committed")


def test_it_spends_a_twentieth_of_the_fits_cost_unless_told_otherwise(synth):
    from dpsynth.kernel.budget import affordable

    whole, part = (affordable(each) for each in (Budget(3.0, 1e-6), budget_of(synth, None, None)))
    assert part / whole == pytest.approx(0.05, rel=1e-6)
    assert budget_of(synth, 0.5, 1e-7) == Budget(0.5, 1e-7)


def test_the_plan_has_the_noise_of_the_charges(synth, report):
    planned = plan_releasable(synth, level=0.9999, **ASKED)
    charged = {each.purpose: each for each in report.charges if "rows by" not in each.purpose}
    assert planned["stddev"].tolist() == pytest.approx(
        [charged[name].stddev for name in _in_order(charged, [*planned.index])], rel=1e-6
    )
    assert planned.answers[["rows", "columns", "pairs", "triples", "groups"]].tolist() == [1, 4, 6, 4, 9]


def _in_order(charged: dict[str, object], parts: list[str]) -> list[str]:
    words = {"rows": "evaluate: rows", "groups": "by ward", "missing": "missing", "correlations": "of numbers"}
    return [
        next(p for p in charged if words.get(part, f" {part}") in p and (part == "groups") == ("by" in p))
        for part in parts
    ]


def test_the_questions_are_fixed_by_public_facts(synth):
    """Other rows, the same questions: their order, sets and cells follow from names and the release."""
    one, other = (questions_of(synth, synth.sample(500, seed=3), ["ward"], None) for _ in range(2))
    assert one.sets == other.sets
    assert all((one.together[a] == other.together[a]).all() for a in one.together)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"groups": ["cost"]}, "groups are by"),
        ({"groups": ["nobody"]}, "groups are by"),
        ({"numbers": ["ward"]}, "correlations are of"),
        ({"level": 1.0}, "level must be"),
        ({"epsilon": 0}, "epsilon above 0"),
        ({"ledger": "nowhere.ledger"}, "does not exist"),
        ({"rows": draw(0)}, "the synthetic rows are none"),
        ({"rows": draw(5).drop(columns="ill")}, "ill"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_sentence_and_nothing_is_spent(more, said, synth):
    ledger = Ledger.create(None, Budget(5.0, 1e-6), dataset="rows", unit=SCHEMA.unit)
    with pytest.raises((ValueError, dpsynth.DPSynthError), match=said) as refused:
        evaluate_releasable(synth, draw(50), **{"ledger": ledger, "epsilon": 1.0, **more})
    assert "\n" not in str(refused.value)
    assert ledger.spent().epsilon == 0


def test_a_release_far_off_is_graded_weak_and_its_column_is_named(synth):
    others = draw().assign(ill=True, cost=9)
    found = evaluate_releasable(synth, draw(), rows=others, ledger=None, epsilon=5.0)
    assert found.verdict["grade"] == "weak"
    assert any("cost" in remark for remark in found.verdict["remarks"])
    assert found.to_frame().shape == (14, 5)


def test_the_page_is_stamped_and_the_manifest_lists_it_and_verify_recomputes_it(tmp_path, monkeypatch, capsys):
    synth = dpsynth.Synthesizer(SCHEMA, "mst", epsilon=1.0, delta=1e-6, ledger=None)
    folder, rows = tmp_path / "release", draw(600)
    rows.to_parquet(tmp_path / "real.parquet")
    make_release(synth, rows, folder, n=500, seed=1)
    Ledger.create(tmp_path / "a.ledger", Budget(5.0, 1e-6), dataset="rows", unit=SCHEMA.unit)
    call = ["dpsynth", "quality", str(folder / "model.dpsynth"), str(tmp_path / "real.parquet")]
    call += ["--rows", str(folder / "synthetic.csv"), "--group", "ward", "-o", str(folder), "--epsilon", "2"]
    for more in (["--plan"], ["--ledger", str(tmp_path / "a.ledger")]):
        monkeypatch.setattr("sys.argv", [*call, *more])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
    said = capsys.readouterr().out
    assert "reach_of_mean" in said
    assert "RELEASABLE, all numbers charged: epsilon 2" in said
    page = (folder / "releasable.html").read_text()
    assert "RELEASABLE: ALL NUMBERS CHARGED" in page
    assert "DO NOT PUBLISH" not in page
    assert "What was measured, and what the release says again" in page
    assert [each.fault for each in examine_release(folder) if each.fault] == []
    record = json.loads((folder / "releasable.json").read_text())
    assert record["rows"]["release"] == 500
    for change in FORGERIES:
        forged = json.loads(json.dumps(record))
        change(forged)
        (tmp_path / "forged.json").write_text(json.dumps(forged))
        assert charged.faults_of(tmp_path / "forged.json", record["model"])
    assert "of another model" in charged.faults_of(folder / "releasable.json", "0" * 64)
    assert charged.faults_of(folder / "releasable.json", record["model"]) == ""
    assert charged.faults_of(tmp_path / "none", record["model"]) == ""


FORGERIES = (
    lambda record: record.update(epsilon=1.0),
    lambda record: record["charges"][0].update(noise_multiplier=1.0),
    lambda record: record["charges"][1].update(stddev=1.0),
    lambda record: record["columns"][0].update(distance=0.5),
    lambda record: record["ways"][1].update(low=0.0, high=0.001),
    lambda record: record["triples"][2].update(high=0.001),
    lambda record: record["ways"][0].update(sets=3),
    lambda record: record.pop("rows"),
)


# Nothing else of the rows is let out: charges are blind here, so that neighbours must look alike.

PEOPLE = Schema({**SCHEMA.columns, "who": dpsynth.Identifier()}, unit=PrivacyUnit("who", 2))


def people(**facts: object) -> pd.DataFrame:
    return draw(300).astype(object).assign(who=[f"CANARY-{i // 3}" for i in range(300)], **facts)


NEIGHBOURS = {
    "one person more": pd.concat([people(), people().head(1).assign(who="NEW")], ignore_index=True),
    "a person with many rows": pd.concat([people(), *[people().assign(who="NEW")] * 3], ignore_index=True),
    "no rows": people().head(0),
    "values that cannot be read": people(age="old", ill=[["yes"]] * 300),
    "missing ids": people().assign(who=None),
}


@pytest.fixture(scope="module")
def of_people() -> dpsynth.Synthesizer:
    return fit(people(), PEOPLE)


def let_out(rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, model: dpsynth.Synthesizer) -> str:
    ledgers = []

    def blind(budget, *, ledger, job, reserve, unsafe_seed):
        ledgers.append(ledger)
        return BlindAccountant(budget, ledger=ledger, reserve=reserve)

    monkeypatch.setattr("dpsynth.synthesizers.account.Accountant", blind)
    said = repr(evaluate_releasable(model, rows, ledger=None, **ASKED).record)
    lines = [(e["kind"], e.get("purpose"), e.get("event")) for ledger in ledgers for e in ledger.entries()]
    return said + repr(lines)


@pytest.mark.parametrize("neighbour", NEIGHBOURS)
def test_nothing_differs_between_neighbours_but_what_charges_answer(neighbour, of_people, monkeypatch):
    said = let_out(people(), monkeypatch, of_people)
    assert "evaluate: distances of 6 pairs" in said
    assert "CANARY" not in said
    assert let_out(NEIGHBOURS[neighbour], monkeypatch, of_people) == said


def test_a_double_that_lets_one_exact_number_out_is_refuted(of_people, monkeypatch):
    opened, seen = paid_quality.opened, []

    def spying(real, schema, unit):
        seen.append(len(real))
        return opened(real, schema, unit)

    class Leaking(Looking):
        def figures(self):
            found = super().figures()
            return {**found, "rows": quality_looks.Beside((), 1.0, float(seen[-1]), 0.0, 1.0)}

    monkeypatch.setattr(paid_quality, "opened", spying)
    monkeypatch.setattr(paid_quality, "Looking", Leaking)
    assert let_out(NEIGHBOURS["one person more"], monkeypatch, of_people) != let_out(people(), monkeypatch, of_people)


def test_a_table_that_cannot_be_read_costs_what_was_reserved(synth, tmp_path):
    (tmp_path / "rows.csv").write_text('age,cost,ill,ward\n1,2\n"')
    ledger = Ledger.create(None, Budget(5.0, 1e-6), dataset="rows", unit=SCHEMA.unit)
    with pytest.raises(dpsynth.RowsError):
        evaluate_releasable(synth, tmp_path / "rows.csv", ledger=ledger, epsilon=1.0)
    assert ledger.spent().epsilon == pytest.approx(1.0, rel=1e-3)


def test_the_rows_are_bounded_once(synth, monkeypatch):
    bound, passes = paid_look.bound_table, []

    def counting(read, *facts):
        return bound(lambda columns: passes.append(columns) or read(columns), *facts)

    monkeypatch.setattr(paid_look, "bound_table", counting)
    evaluate_releasable(synth, draw(200), ledger=None, epsilon=1.0)
    assert len(passes) == 1


def test_rows_of_a_unit_have_more_noise(synth, of_people):
    """At most two rows a person: a distance is twice as noisy."""
    noise = [plan_releasable(made, epsilon=1.0)["stddev"]["pairs"] for made in (synth, of_people)]
    assert noise[1] / noise[0] == pytest.approx(2)


def test_a_wide_table_is_asked_a_fixed_number_of_questions():
    domain = dpsynth.Domain.of({f"c{i}": 2 for i in range(40)})
    codes = {a: np.zeros(5, np.int64) for a in domain.attributes}
    columns = Schema({a: Boolean() for a in domain.attributes})
    asked = quality_questions.Questions(columns, {}, domain, codes, (), ())
    assert asked.answers == {"rows": 1, "columns": 40, "pairs": 300, "triples": 200}
    assert sum(asked.costs(10**9).values()) <= 10**9
