"""Shadow models learn how a synthesizer treats members, and see nothing where nothing is."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, norm, rankdata

import dpsynth
from dpsynth.auditing.attacks.records import read_tables
from dpsynth.auditing.attacks.shadow import Shadows, _ratio, shadow_releases, shadow_scores
from dpsynth.auditing.claim import PrivacyClaim
from dpsynth.auditing.mechanism.dp import DPAuditor
from dpsynth.auditing.mechanism.exposed import exposed_pairs
from dpsynth.auditing.release.audit import audit
from dpsynth.schema.table import SchemaError
from tests.auditing.people import SCHEMA, people


def area(scores, member):
    ranks = rankdata(scores)
    n, m = member.sum(), (~member).sum()
    return (ranks[member].sum() - n * (n + 1) / 2) / (n * m)


def hardly_private():
    """A fit_sample: pairs of a tree, with next to no noise, other noise each time."""
    seeds = itertools.count()

    def run(table):
        fitted = dpsynth.Synthesizer(SCHEMA, "mst", epsilon=100, delta=1e-3, unsafe_seed=next(seeds), ledger=None).fit(
            table
        )
        return fitted.sample(len(table), seed=0)

    return run


def avoiding():
    """A fit_sample: strangers who share few towns and counts with the training records, others each time."""
    seeds = itertools.count(5000)

    def run(table):
        drawn = people(4 * len(table), next(seeds))
        alike = np.zeros(len(drawn))
        for pair in (["c0", "town"], ["c1", "town"], ["c2", "town"]):
            held = table.groupby(pair).size()
            alike += pd.MultiIndex.from_frame(drawn[pair]).map(held).fillna(0).to_numpy() / held.mean()
        return drawn.iloc[np.argsort(alike, kind="stable")[: len(table)]].reset_index(drop=True)

    return run


def told_apart(run, **settings):
    """What an audit of a release by `run` finds of its 400 members, by the attack."""
    train, holdout = people(400, 1), people(400, 2)
    report = audit(run(train), train, holdout, schema=SCHEMA, fit_sample=run, sensitive=["town"], **settings)
    assert set(report.rows) == set(report.copies) | {"synthetic"} == {"synthetic", "train", "holdout"}
    return {f.attack: f for f in report.findings if f.threat == "membership" and f.measure == "auc"}


SHADOW_MODELS = ("shadow models, queries", "shadow models, likelihood ratio")


def test_shadow_models_find_members_of_a_synthesizer_that_is_hardly_private():
    found = told_apart(hardly_private(), shadows=8)
    assert all(found[attack].p_adjusted <= 0.01 for attack in SHADOW_MODELS)


def test_shadow_models_find_what_attacks_that_do_not_know_the_synthesizer_cannot():
    """It makes rows that are unlike its members, so that whoever takes likeness for membership is wrong."""
    found = told_apart(avoiding(), shadows=16)
    for attack in SHADOW_MODELS:
        assert found[attack].p_adjusted <= 0.01
        assert found[attack].estimate > found["marginal ratio, pairs"].estimate + 0.1


def test_a_synthesizer_that_learns_nothing_is_not_flagged():
    """40 releases of strangers, with shadows of strangers: p up to .05 in at most 8 of them, with probability .999."""
    rng = np.random.default_rng(0)
    low = {"shadow models, queries": 0, "shadow models, likelihood ratio": 0}
    for seed in range(40):
        pool = people(120, seed)
        member = rng.permutation(120) < 60
        tables = {f"shadow {i}": people(60, 1000 * seed + 500 + i) for i in range(6)}
        read = read_tables({"pool": pool, "release": people(60, 2000 + seed), **tables}, SCHEMA)
        shadows = Shadows([read[name] for name in tables], rng.random((6, 120)) < 0.5)
        for name, score in shadow_scores(read["pool"], read["release"], shadows, rng).items():
            z = (area(score, member) - 0.5) / np.sqrt(121 / (12 * 60 * 60))
            low[name] += norm.sf(z) <= 0.05
    assert max(low.values()) <= binom.isf(0.001, 40, 0.05)


def test_the_likelihood_ratio_knows_the_records_that_leak_and_what_is_usual_for_each():
    """Each record has a usual score of its own; half of them gain 2 deviations by membership, and half nothing."""
    rng = np.random.default_rng(1)
    usual, gain = rng.normal(scale=3, size=4000), np.repeat([2.0, 0.0], 2000)
    coins = rng.random((32, 4000)) < 0.5
    member = rng.random(4000) < 0.5
    known = usual + coins * gain + rng.normal(size=coins.shape)
    score = usual + member * gain + rng.normal(size=4000)
    ratio = _ratio(score, known, coins)
    assert area(score, member) < 0.6
    assert area(ratio[:2000], member[:2000]) > 0.98 * norm.cdf(2 / np.sqrt(2))
    assert np.abs(ratio[2000:]).mean() < 0.5 * np.abs(ratio[:2000]).mean()


def test_a_record_that_all_shadows_held_is_judged_by_the_others():
    rng = np.random.default_rng(2)
    coins = rng.random((6, 300)) < 0.5
    coins[:, 0], coins[:, 1] = True, False
    known = coins + rng.normal(scale=0.1, size=coins.shape)
    ratio = _ratio(np.where(np.arange(300) < 2, [1.0, *[0.0] * 299], 0.5), known, coins)
    assert np.isfinite(ratio).all()
    assert ratio[0] > 0 > ratio[1]


def test_shadow_tables_are_the_records_that_the_coins_say():
    train, holdout, seen = people(300, 1), people(100, 2), []
    pool = pd.concat([train, holdout], ignore_index=True)

    def remember(table):
        seen.append(table)
        return table

    made, member = shadow_releases(remember, train, holdout, 5, np.random.default_rng(0))
    assert len(made) == len(seen) == 5
    for table, coins in zip(seen, member, strict=True):
        assert abs(len(table) - 300) < 5 * np.sqrt(400 * 0.75 * 0.25)
        pd.testing.assert_frame_equal(
            table.sort_values(["x0", "x1"], ignore_index=True), pool[coins].sort_values(["x0", "x1"], ignore_index=True)
        )
        assert not table["x0"].equals(pool[coins]["x0"].reset_index(drop=True))
    with pytest.raises(ValueError, match="4 or more"):
        shadow_releases(remember, train, holdout, 3, np.random.default_rng(0))


def test_a_closure_that_returns_no_release_is_named_and_nothing_is_run_for_a_column_that_is_not_there():
    train, holdout = people(60, 1), people(60, 2)
    with pytest.raises(SchemaError, match="shadow release 0"):
        audit(people(60, 3), train, holdout, schema=SCHEMA, fit_sample=lambda table: table[["x0"]])
    with pytest.raises(ValueError, match="nowhere"):
        audit(people(60, 3), train, holdout, schema=SCHEMA, sensitive=["nowhere"], fit_sample=lambda table: 1 / 0)


def test_the_most_exposed_record_is_the_one_unlike_all_others_and_its_copy_is_found():
    table = people(80, 1)
    table.loc[7, ["x0", "x1", "x2", "x3"]] = [19.0, -19.0, 19.0, -19.0]
    table.loc[7, ["c0", "c1", "c2"]] = 7
    (pair,) = exposed_pairs(table, SCHEMA, 1)
    assert pair.name == "the record in row 7"
    assert (len(pair.first), len(pair.second)) == (79, 80)
    assert len(pair.targets) == 1
    leaky = DPAuditor(lambda t, rng: t.sample(60, random_state=rng), PrivacyClaim(1.0, 1e-5), [pair], runs=120)
    assert leaky.run().refuted
    replace = dpsynth.Schema(dict(SCHEMA.columns), unit=dpsynth.PrivacyUnit(adjacency="replace"))
    assert [len(p.first) for p in exposed_pairs(table, replace, 2)] == [80, 80]
    with pytest.raises(ValueError, match="a table of 4 rows"):
        exposed_pairs(table.iloc[:4], SCHEMA)
