"""What so many records decide: against simulations of releases that give nothing away, and by sizes alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats

from dpsynth.auditing.attacks.anonymity import RULES, single_column_rules
from dpsynth.auditing.attacks.membership import Scene
from dpsynth.auditing.attacks.records import read_tables
from dpsynth.auditing.release import attack_plan, sizes
from dpsynth.auditing.release.audit import audit
from dpsynth.auditing.release.audit_policy import AuditPolicy
from dpsynth.auditing.release.next_step import needed_by, rows_needed
from dpsynth.auditing.statistics.intervals import (
    Estimate,
    area_under_curve,
    lenient_count,
    rate_at,
    rate_difference,
    wilson,
)
from tests.auditing.people import SCHEMA, people

POLICY = AuditPolicy()


def passing(high, limit, repetitions=300):
    """The share of the repetitions in which a harmless release passes; its standard error is .006 near .99."""
    return np.mean([high(np.random.default_rng(seed)) <= limit for seed in range(repetitions)])


def area(train, holdout):
    member = np.arange(train + holdout) < train
    return lambda rng: area_under_curve(rng.random(member.size), member).high


def beginning(train, holdout):
    member = np.arange(train + holdout) < train
    return lambda rng: rate_at(rng.random(member.size), member, 0.01)[0].high


def gap(train, holdout, rate):
    def high(rng):
        inside, outside = wilson(rng.binomial(train, rate), train), wilson(rng.binomial(holdout, rate), holdout)
        return rate_difference(inside, outside).high

    return high


def gap_decided(train, holdout, limit):
    return sizes.gap_decided(sizes.each(train, holdout), 0.3, limit)


@pytest.mark.parametrize("factor", [0.4, 1.0, 2.5])
@pytest.mark.parametrize("ratio", [1, 4])
@pytest.mark.parametrize(
    ("decided", "high", "limit"),
    [
        (sizes.area_decided, area, POLICY.auc),
        (sizes.beginning_decided, beginning, POLICY.tpr),
        (gap_decided, lambda n, m: gap(n, m, 0.3), POLICY.attribute),
    ],
)
def test_so_many_records_decide_where_99_harmless_releases_of_100_pass(decided, high, limit, ratio, factor):
    """At the number itself about 99 % pass, at far fewer clearly less, at far more all."""
    needed = sizes.fewest(lambda n: decided(n, n * ratio, limit))
    passed = passing(high(round(needed * factor), round(needed * factor) * ratio), limit)
    least, most = {0.4: (0.0, 0.9), 1.0: (0.965, 1.0), 2.5: (1.0, 1.0)}[factor]
    assert least <= passed <= most


@pytest.mark.parametrize("fpr", [0.01, 0.1])
@pytest.mark.parametrize("n", [1, 5, 40, 299, 300, 2000])
def test_the_lenient_count_is_the_first_at_which_the_beta_distribution_says_so(n, fpr):
    few_above = stats.beta.cdf(fpr, np.arange(1, n + 1), np.arange(n, 0, -1))
    found = np.flatnonzero(few_above <= 0.0125)
    assert lenient_count(n, fpr, 0.0125) == (found[0] + 1 if found.size else None)


def test_the_fewest_is_the_first_number_that_decides_to_a_percent():
    for true in (1, 2, 3, 99, 100, 101, 12345):
        found = sizes.fewest(lambda n, true=true: n >= true)
        assert true <= found <= true * 1.01 + 1
    assert sizes.fewest(lambda n: False) is None


def test_a_holdout_beside_given_training_records_makes_intervals_as_narrow():
    beside = sizes.holdout_beside(3000, 4000)
    assert sizes.each(3000, beside) == pytest.approx(4000, rel=0.001)
    assert sizes.holdout_beside(2000, 4000) is None
    assert sizes.holdout_beside(1999, 4000) is None


@pytest.mark.parametrize(
    ("rows", "isolated"), [(500, 0.1), (2000, 0.1), (3000, 0.5), (4000, 1 / 3), (7000, 0.2), (13_000, 0.1)]
)
def test_the_isolated_share_is_the_smallest_that_is_decided_and_a_tenth_where_nothing_passes(rows, isolated):
    assert sizes.Parts.of(rows, rows, POLICY).isolated == isolated
    if sizes.beginning_decided(rows, rows, POLICY.tpr):
        assert sizes.area_decided(isolated * rows, isolated * rows, POLICY.auc)
        smaller = [s for s in sizes.SHARES if s < isolated]
        assert not any(sizes.area_decided(s * rows, s * rows, POLICY.auc) for s in smaller)


def test_no_share_is_looked_at_alone_where_only_all_records_are_decided():
    strict = AuditPolicy(auc=0.515, tpr=0.5)
    needed = sizes.fewest(lambda n: sizes.area_decided(n, n, strict.auc))
    assert sizes.Parts.of(needed, needed, strict).isolated is None


def test_which_attacks_are_made_does_not_hang_on_the_labels():
    """`trials` sees no label; the sizes are all that it is told of them."""
    tables = read_tables({"real": people(800, 1), "release": people(200, 2)}, SCHEMA)
    scene = Scene(tables["real"], tables["release"])
    asked = attack_plan.Plan(attack_plan.EFFORTS["quick"], None, ["town"], (), (), ())
    made = attack_plan.trials(scene, asked, sizes.Parts(0.5, 0), np.random.default_rng(0))
    names = [each.attack for each in made]
    assert "ensemble, the most isolated half" in names
    share = next(each.share for each in made if each.attack == "ensemble, the most isolated half")
    assert share == pytest.approx(0.5, abs=0.01)
    none = attack_plan.trials(scene, asked, sizes.Parts(None, 0), np.random.default_rng(0))
    assert [n for n in names if "half" not in n] == [each.attack for each in none if "half" not in each.attack]
    for found in (made, none):  # a tenth is looked at always, and counts where it fails
        assert [each.may_pass for each in found if "tenth" in each.attack] == [False]


def test_few_rules_are_taken_together_with_the_others():
    tables = read_tables({"real": people(400, 1), "release": people(200, 2)}, SCHEMA)
    scene = Scene(tables["real"], tables["release"])
    asked = attack_plan.Plan(attack_plan.EFFORTS["quick"], None, ["town"], (), (), ())

    def rules(fewest):
        made = attack_plan.trials(scene, asked, sizes.Parts(None, fewest), np.random.default_rng(0))
        member = np.arange(400) < 200
        alike = [t for t in made if t.threat == "singling out"]
        counts = {t.attack: t.measured(member).details["rules"] for t in alike}
        return counts, {t.attack for t in alike if t.may_pass}

    (apart, every), (together, wide) = rules(0), rules(10**6)
    assert set(apart) == every == {"one column", "3 to 6 columns"}
    assert wide == {"1 or 3 to 6 columns"}
    assert together == {**apart, "1 or 3 to 6 columns": sum(apart.values())}


@pytest.mark.parametrize(("leaked", "verdict"), [(0, "PASS"), (300, "FAIL")])
def test_a_leak_of_one_column_is_not_thinned_out_by_rules_of_many(leaked, verdict):
    """300 of 1,800 incomes are those of training records: a sixth of the rules of one column, a twentieth of all."""
    train, holdout, release = paid(2500, 1), paid(2500, 2), paid(1800, 10)
    release.loc[: leaked - 1, "pay"] = train["pay"].to_numpy()[:leaked]
    report = audit(release, train, holdout)
    assert report.verdict == verdict
    assert [f.attack for f in report.findings if f.verdict == "FAIL"] == ["one column"] * bool(leaked)


def paid(n, seed):
    rng = np.random.default_rng(seed)
    words = {"sex": rng.choice(["f", "m"], n), "city": rng.choice(list("abcdef"), n)}
    return pd.DataFrame({"age": rng.integers(18, 90, n), **words, "pay": rng.gamma(2, 900, n).round(2)})


def test_rules_of_one_column_fill_the_room_that_columns_with_few_such_values_leave():
    tables = read_tables({"real": people(9000, 1), "release": people(9000, 2)}, SCHEMA)
    rules = single_column_rules(Scene(tables["real"], tables["release"]), np.random.default_rng(0))
    assert isinstance(rules, sparse.csr_array)
    assert RULES * 0.95 <= rules.shape[0] <= RULES  # four of the eight columns have values that stand once


DETAILS = {
    "training records": 500,
    "holdout records": 500,
    "rate on training records": 0.3,
    "rate on the holdout": 0.3,
}
FOUND = [
    ("auc", Estimate(0.53, 0.504, 0.556), 0.55),
    ("auc", Estimate(0.56, 0.53, 0.59), 0.55),
    ("tpr", Estimate(0.02, 0.01, 0.04), 0.03),
    ("gap", Estimate(0.045, 0.01, 0.08), 0.05),
]


@pytest.mark.parametrize(("measure", "found", "limit"), FOUND)
def test_more_records_than_there_are_are_needed_and_the_more_the_nearer_to_the_limit(measure, found, limit):
    needed = rows_needed(measure, found, limit, DETAILS, by_chance=False)
    assert needed > 500
    nearer = rows_needed(measure, found, (limit + found.value) / 2, DETAILS, by_chance=False)
    assert nearer is None or nearer > needed
    assert rows_needed(measure, found, found.value, DETAILS, by_chance=False) is None
    quarter = rows_needed(measure, found, limit, DETAILS, by_chance=False, share=0.25)
    assert quarter == pytest.approx(4 * needed, abs=4)


@pytest.mark.parametrize(("measure", "found", "limit"), FOUND)
def test_what_chance_explains_needs_what_a_harmless_release_needs_or_twice_as_many(measure, found, limit):
    needed = rows_needed(measure, found, limit, DETAILS, by_chance=True)
    decided = {
        "auc": sizes.area_decided,
        "tpr": sizes.beginning_decided,
        "gap": lambda n, m, limit: sizes.gap_decided(n, 0.3, limit),
    }[measure]
    assert decided(needed, needed, limit)
    assert not decided(round(needed * 0.97), round(needed * 0.97), limit)
    many = DETAILS | {"training records": needed + 1, "holdout records": needed + 1}
    assert rows_needed(measure, found, limit, many, by_chance=True) == 2 * (needed + 1)


def test_records_that_are_needed_are_those_with_which_a_harmless_finding_passes():
    """An interval of 300 + 300 records hangs; with as many as are said to be needed 99 of 100 pass."""
    rng = np.random.default_rng(3)
    member = np.arange(600) < 300
    details = {"training records": 300, "holdout records": 300}
    needed = rows_needed("auc", area_under_curve(rng.random(600), member), POLICY.auc, details, by_chance=True)
    assert passing(area(needed, needed), POLICY.auc) >= 0.965
    close = rows_needed("auc", Estimate(0.52, 0.455, 0.585), POLICY.auc, details, by_chance=False)
    spread = np.sqrt(1 / (6 * close))
    assert stats.norm.cdf((POLICY.auc - 0.52) / spread - 1.96) == pytest.approx(0.99, abs=0.01)


def test_twice_the_records_decide_what_chance_left_open():
    """Of harmless findings that hang at a number that decides, nearly all pass with as many new records beside."""
    n = sizes.fewest(lambda n: sizes.area_decided(n, n, POLICY.auc))
    hung, then = 0, 0
    for seed in range(1500):
        rng = np.random.default_rng(seed)
        scores, more = rng.random(2 * n), rng.random(2 * n)
        member = np.arange(2 * n) < n
        if area_under_curve(scores, member).high > POLICY.auc:
            hung += 1
            both = area_under_curve(np.concatenate([scores, more]), np.concatenate([member, member]))
            then += both.high <= POLICY.auc
    assert hung >= 5
    assert then >= hung - 1


def test_what_a_policy_needs_is_enough_for_each_of_its_limits():
    needed = needed_by(POLICY)
    assert sizes.area_decided(needed, needed, POLICY.auc)
    assert sizes.beginning_decided(needed, needed, POLICY.tpr)
    assert sizes.gap_decided(needed, 0.5, POLICY.attribute)
    assert needed_by(AuditPolicy(attribute=0)) is None
