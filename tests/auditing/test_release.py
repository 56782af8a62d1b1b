"""Tests of the tests: planted leaks are caught, each by an attack that is named; what leaks nothing is not flagged."""

from __future__ import annotations

import json
import sys
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import binom

import dpsynth
from dpsynth import auditing
from dpsynth.auditing.release.audit import AuditPolicy, PolicyViolationError, PrivacyClaim, audit
from dpsynth.schema.table import Boolean, Categorical, Schema, SchemaError
from tests.auditing.people import SCHEMA, mixed, people

N = 1000
TRAIN, HOLDOUT, STRANGERS = people(N, 1), people(N, 2), people(N, 3)


def findings(report, measure=None):
    return {f"{f.threat}/{f.attack}": f for f in report.findings if measure in (None, f.measure)}


def failed(report):
    return {f.id for f in report.findings if f.verdict == "FAIL"}


@pytest.fixture(scope="module")
def clean():
    return audit(STRANGERS, TRAIN, HOLDOUT, schema=SCHEMA)


@pytest.fixture(scope="module")
def bootstrap():
    return audit(TRAIN.sample(N, replace=True, random_state=0), TRAIN, HOLDOUT, schema=SCHEMA)


def test_ten_verbatim_copies_among_a_thousand_are_caught_at_one_in_a_thousand():
    report = audit(mixed(N, TRAIN, 10), TRAIN, HOLDOUT, schema=SCHEMA)
    copies = findings(report)["copies/exact copies"]
    assert copies.p_value <= 0.001
    assert (report.verdict, copies.verdict) == ("FAIL", "FAIL")
    assert report.copies == {"train": 10, "holdout": 0}


def test_ten_copies_stay_below_one_in_a_thousand_after_adjustment_when_the_holdout_is_twice_as_large():
    policy = AuditPolicy(alpha=0.001)
    report = audit(mixed(N, TRAIN, 10), TRAIN, people(2 * N, 2), schema=SCHEMA, policy=policy)
    assert findings(report)["copies/exact copies"].p_adjusted <= 0.001
    assert report.verdict == "FAIL"


def test_a_bootstrap_copy_reaches_the_area_that_theory_says(bootstrap):
    """A bootstrap holds 63.2 % of the rows; the others look like the holdout: .632 + .368 / 2 = .816."""
    found = findings(bootstrap, "auc")
    assert found["membership/calibrated distance"].estimate == pytest.approx(0.816, abs=0.02)
    assert findings(bootstrap)["copies/exact copies"].estimate == pytest.approx(0.632, abs=0.04)
    assert bootstrap.verdict == "FAIL"
    caught = {f.attack for f in bootstrap.findings if f.threat == "membership" and f.verdict == "FAIL"}
    assert {"distance", "density ratio", "local likelihood", "marginal ratio, triples", "ensemble"} <= caught


def test_copies_with_a_little_jitter_are_caught_by_distances_and_are_no_exact_copies():
    noise = np.random.default_rng(0).normal(scale=0.01, size=(N, 4))
    jittered = TRAIN.assign(**{f"x{i}": TRAIN[f"x{i}"] + noise[:, i] for i in range(4)})
    report = audit(jittered, TRAIN, HOLDOUT, schema=SCHEMA)
    found = findings(report)
    assert found["copies/exact copies"].p_value == 1.0
    assert found["near-copies/nearest record"].verdict == "FAIL"
    assert found["membership/calibrated distance"].verdict == "FAIL"


def test_an_invertible_shift_that_distance_misses_is_caught_by_an_attack_that_is_named():
    """Every record moved a long way along columns that are known: no distance to a whole record shows it."""
    schema = Schema({**{f"c{i}": Categorical(list(range(5))) for i in range(3)}, "key": Categorical(range(400))})
    rng = np.random.default_rng(7)

    def table(n):
        return pd.DataFrame({f"c{i}": rng.integers(0, 5, n) for i in range(3)} | {"key": rng.integers(0, 400, n)})

    train, holdout = table(N), table(N)
    shifted = train.assign(c0=(train["c0"] + 2) % 5)
    report = audit(shifted, train, holdout, schema=schema)
    found = findings(report, "auc")
    assert found["membership/distance"].verdict != "FAIL"
    assert found["membership/distance"].p_value > 0.01
    assert found["membership/partial distance"].verdict == "FAIL"
    assert any("partial distance" in reason for reason in report.reasons)


def test_a_leak_of_one_attribute_of_every_tenth_person_is_caught_as_such():
    """Everything known of 10 % of the training records with their own secret, the rest strangers."""
    n = 2000
    train, holdout = people(n, 1), people(n, 2)
    leaky = mixed(n, train, n // 10)
    leaky.loc[: n // 10 - 1, "x0"] += 0.02  # no verbatim copy
    report = audit(leaky, train, holdout, schema=SCHEMA, sensitive=["town"], keys=["c0", "c1", "c2"])
    found = findings(report)["attribute/town, nearest record"]
    assert found.verdict == "FAIL"
    assert found.estimate == pytest.approx(0.09, abs=0.035)
    assert found.details["rate on the holdout"] == pytest.approx(0.1, abs=0.03)


def test_a_release_that_isolates_training_records_is_caught_as_singling_out(bootstrap):
    found = findings(bootstrap)
    assert found["singling out/3 to 6 columns"].verdict == "FAIL"
    assert found["singling out/one column"].verdict == "FAIL"
    assert found["linkability/two halves"].verdict == "FAIL"


def test_a_focal_marginal_that_was_kept_exactly_is_caught_when_it_is_named():
    rng = np.random.default_rng(3)
    release = people(N, 6)
    kept = ["c0", "c1", "c2", "town"]
    release[kept] = TRAIN[kept].to_numpy()[rng.permutation(N)]
    named = audit(release, TRAIN, HOLDOUT, schema=SCHEMA, focal=[kept])
    focal = findings(named, "auc")["membership/marginal ratio, focal"]
    assert focal.p_adjusted <= 0.002
    others = [f.p_value for name, f in findings(named, "auc").items() if "distance" in name]
    assert focal.p_value <= min(others)


def test_strangers_are_not_flagged(clean):
    assert clean.verdict in ("PASS", "INCONCLUSIVE")
    assert failed(clean) == set()
    assert min(f.p_adjusted for f in clean.findings) > 0.05


@pytest.mark.slow
def test_enough_strangers_pass():
    big = [people(4000, seed) for seed in (11, 12, 13)]
    report = audit(*big, schema=SCHEMA, sensitive=["town"])
    assert report.verdict == "PASS"
    report.raise_for_policy()


def test_ties_are_not_told_apart_by_the_table_that_a_record_stands_in():
    """A table of a few distinct records: rounding and row order must not make training records special."""
    schema = Schema({"a": Categorical(list(range(6))), "rule": Categorical(list(range(6))), "rare": Boolean()})
    flagged = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        a = [rng.integers(0, 6, 300) for _ in range(3)]
        tables = [pd.DataFrame({"a": x, "rule": (x * x + 1) % 6, "rare": rng.random(300) < 0.01}) for x in a]
        flagged += min(f.p_adjusted for f in audit(*tables, schema=schema, seed=seed).findings) <= 0.05
    assert flagged <= binom.isf(0.001, 10, 0.05)


@pytest.mark.slow
def test_two_hundred_releases_that_leak_nothing_are_flagged_no_more_often_than_promised():
    """At a level of .05: at most 21 rejections of 200 with probability .999, and the same for broken preconditions."""
    rejected = invalid = 0
    for seed in range(200):
        train, holdout, release = (people(150, 1000 + 3 * seed + i) for i in range(3))
        report = audit(release, train, holdout, schema=SCHEMA, seed=seed, policy=AuditPolicy(invalid_alpha=0.05 / 2))
        rejected += min(f.p_adjusted for f in report.findings) <= 0.05
        invalid += report.verdict == "INVALID"
    assert rejected <= binom.isf(0.001, 200, 0.05)
    assert invalid <= binom.isf(0.001, 200, 0.05)


def test_many_chance_matches_in_a_small_domain_are_not_flagged():
    rng = np.random.default_rng(0)
    schema = Schema({"a": Categorical(["x", "y"]), "b": Boolean(), "c": Categorical(["p", "q", "r"])})

    def table(n):
        columns = {"a": rng.choice(["x", "y"], n), "b": rng.random(n) < 0.1, "c": rng.choice(["p", "q", "r"], n)}
        return pd.DataFrame(columns)

    report = audit(table(3000), table(3000), table(3000), schema=schema)
    assert report.copies["train"] == 3000
    assert report.verdict == "PASS"


def test_skewed_secrets_and_what_follows_from_the_population_are_not_flagged():
    rng = np.random.default_rng(1)
    schema = Schema({"a": Categorical(list(range(6))), "rule": Categorical(list(range(6))), "rare": Boolean()})

    def table(n):
        a = rng.integers(0, 6, n)
        return pd.DataFrame({"a": a, "rule": (a * a + 1) % 6, "rare": rng.random(n) < 0.01})

    report = audit(table(3000), table(3000), table(3000), schema=schema, keys=["a"], sensitive=["rule", "rare"])
    found = findings(report)
    assert found["attribute/rule, nearest record"].details["rate on the holdout"] == 1.0
    assert found["attribute/rare, nearest record"].details["rate on the holdout"] > 0.97
    assert failed(report) == set()
    assert report.verdict == "PASS"


def test_a_tiny_holdout_is_inconclusive_and_never_passes():
    report = audit(STRANGERS, TRAIN, people(20, 2), schema=SCHEMA)
    assert report.verdict == "INCONCLUSIVE"
    with pytest.raises(PolicyViolationError, match="INCONCLUSIVE"):
        report.raise_for_policy()


def test_without_a_holdout_nothing_is_concluded_even_of_copies():
    report = audit(TRAIN, TRAIN, schema=SCHEMA)
    assert report.verdict == "INCONCLUSIVE"
    assert report.copies == {"train": N}
    assert "holdout" in report.reasons[0]
    assert "inconclusive" in report.to_html().lower()
    assert f"{N:,} of the {N:,} synthetic rows are equal to a training record" in report.summary()


def test_a_claim_sets_ceilings_beside_what_was_found_and_fails_what_is_above(bootstrap):
    claim = PrivacyClaim.gaussian(1.0, 1e-6)
    report = audit(STRANGERS, TRAIN, HOLDOUT, schema=SCHEMA, claim=claim)
    found = findings(report, "auc")["membership/ensemble"]
    assert found.ceiling == pytest.approx(claim.auc_ceiling)
    assert report.record["claim"]["ceilings"]["tpr"] == pytest.approx(claim.tpr_ceiling(0.01))
    lenient = AuditPolicy(auc=1.0)
    leaky = TRAIN.sample(N, replace=True, random_state=0)
    unclaimed = audit(leaky, TRAIN, HOLDOUT, schema=SCHEMA, policy=lenient)
    claimed = audit(leaky, TRAIN, HOLDOUT, schema=SCHEMA, policy=lenient, claim=claim)
    assert findings(unclaimed, "auc")["membership/ensemble"].verdict == "PASS"
    assert findings(claimed, "auc")["membership/ensemble"].verdict == "FAIL"


def test_the_most_isolated_and_groups_that_are_named_are_looked_at_alone():
    few = TRAIN[TRAIN["town"] == "t3"]
    release = pd.concat([few, people(N - len(few), 5)], ignore_index=True)
    report = audit(release, TRAIN, HOLDOUT, schema=SCHEMA, subgroups=["town"])
    groups = {f.attack: f for f in report.findings if f.attack.startswith("ensemble, ")}
    assert "ensemble, the most isolated tenth" in groups
    assert [name for name, f in groups.items() if f.verdict == "FAIL"] == ["ensemble, town group 3"]


def test_the_same_tables_give_the_same_report_and_the_container_does_not_matter(clean, tmp_path):
    paths = {}
    for name, table in (("s", STRANGERS), ("t", TRAIN), ("h", HOLDOUT)):
        table.to_parquet(tmp_path / f"{name}.parquet")
        paths[name] = tmp_path / f"{name}.parquet"
    again = audit(paths["s"], pa.Table.from_pandas(TRAIN), HOLDOUT, schema=SCHEMA)
    assert again == clean
    assert audit(STRANGERS, TRAIN, HOLDOUT, schema=SCHEMA, seed=1) != clean


def test_without_a_schema_types_are_drafted_from_the_values():
    report = audit(mixed(N, TRAIN, 10), TRAIN, HOLDOUT)
    assert report.verdict == "FAIL"
    assert {f.attack.split(",")[0] for f in report.findings if f.threat == "attribute"} == set(TRAIN.columns)


def test_missing_values_are_values_like_others():
    schema = Schema({name: type(c)(**{**vars(c), "nullable": True}) for name, c in SCHEMA.columns.items()})
    holes = [t.mask(np.random.default_rng(i).random(t.shape) < 0.2) for i, t in enumerate((TRAIN, HOLDOUT, STRANGERS))]
    assert failed(audit(holes[2], *holes[:2], schema=schema)) == set()
    leaky = holes[2].copy()
    leaky.iloc[:10] = holes[0].iloc[:10].to_numpy()
    assert audit(leaky, *holes[:2], schema=schema).copies["train"] >= 10


def test_what_is_wrong_with_the_input_is_said_in_one_sentence():
    with pytest.raises(SchemaError, match=r"holdout: .*lacks 'town'"):
        audit(STRANGERS, TRAIN, HOLDOUT.drop(columns="town"), schema=SCHEMA)
    with pytest.raises(SchemaError, match="train has no rows"):
        audit(STRANGERS, TRAIN.iloc[:0], HOLDOUT, schema=SCHEMA)
    with pytest.raises(ValueError, match="level must be one of"):
        audit(STRANGERS, TRAIN, HOLDOUT, schema=SCHEMA, level="thorough")
    with pytest.raises(ValueError, match=r"columns \['salary'\]"):
        audit(STRANGERS, TRAIN, HOLDOUT, schema=SCHEMA, sensitive=["salary"])


def test_without_scikit_learn_one_sentence_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    monkeypatch.delitem(sys.modules, "dpsynth.auditing.attacks.scikit_learn", raising=False)
    monkeypatch.delattr(auditing, "scikit_learn", raising=False)
    with pytest.raises(ImportError, match=r"dpsynth\[audit\]"):
        audit(STRANGERS, TRAIN, HOLDOUT, schema=SCHEMA, level="standard")


def test_one_column_and_a_handful_of_rows_can_be_audited():
    schema = Schema({"a": Categorical(["x", "y"])})
    few = pd.DataFrame({"a": ["x", "y", "x"]})
    assert audit(few, few, few, schema=schema).verdict == "INCONCLUSIVE"
    assert audit(few.iloc[:1], few.iloc[:1], few.iloc[:1], schema=schema).verdict == "INCONCLUSIVE"


def test_the_report_says_all_of_it_in_every_form(bootstrap, tmp_path):
    record = json.loads(bootstrap.to_json())
    assert record["dpsynth_audit"] == 1
    assert "Never let a program choose" in record["internal"]
    assert len(bootstrap.to_frame()) == len(record["findings"]) == len(bootstrap.findings)
    assert [c["criterion"] for c in record["criteria"]] == ["singling out", "linkability", "inference"]
    under = [name for criterion in record["criteria"] for name in criterion["findings"]]
    assert sorted(under) == sorted(f.id for f in bootstrap.findings)
    page = bootstrap.to_html()
    assert "INTERNAL: DO NOT PUBLISH" in page
    assert "✕ FAIL" in page
    assert "<script" not in page
    assert "INTERNAL" in bootstrap.summary()
    assert "FAIL" in repr(bootstrap)
    assert "singling out" in bootstrap._repr_html_()
    bootstrap.save(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["audit.html", "audit.json", "audit.xml"]
    with pytest.raises(PolicyViolationError, match="exact copies"):
        bootstrap.raise_for_policy()


def test_junit_names_what_failed(bootstrap, clean):
    suite = ET.fromstring(bootstrap.to_junit())
    assert int(suite.get("failures")) == len(failed(bootstrap)) == len(suite.findall("testcase/failure"))
    assert int(suite.get("tests")) == len(bootstrap.findings) + len(bootstrap.preconditions)
    assert ET.fromstring(clean.to_junit()).get("failures") == "0"


def test_no_value_of_a_record_is_in_the_report():
    secret = "hush-7f3a"
    schema = Schema({**SCHEMA.columns, "town": Categorical([*SCHEMA.columns["town"].categories, secret])})
    train = TRAIN.assign(town=np.where(np.arange(N) < 100, secret, TRAIN["town"]))
    report = audit(train, train, HOLDOUT, schema=schema, subgroups=["town"])
    assert secret not in report.to_json() + report.to_html() + report.summary() + report.to_junit()


def test_the_front_door_has_it():
    assert dpsynth.audit is audit
    assert dpsynth.AuditPolicy is AuditPolicy


@pytest.mark.slow
def test_levels_with_classifiers_catch_and_clear(tmp_path):
    pytest.importorskip("sklearn", reason='the classifiers need the extra: pip install "dpsynth[audit]"')
    leaky = audit(mixed(500, TRAIN, 250), TRAIN.iloc[:500], HOLDOUT.iloc[:500], schema=SCHEMA, level="standard")
    found = findings(leaky)
    assert "membership/classifier" in found
    assert "attribute/town, model" in found
    assert "attribute/town, reconstruction" in found
    assert leaky.verdict == "FAIL"
    clean = audit(STRANGERS[:500], TRAIN.iloc[:500], HOLDOUT.iloc[:500], schema=SCHEMA, level="standard")
    assert failed(clean) == set()
