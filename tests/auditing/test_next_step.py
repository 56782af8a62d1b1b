"""An inconclusive report says what to do next; no estimate lies outside its own sense, however few the records."""

from __future__ import annotations

import json
import logging
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dpsynth.auditing.release.audit import AuditPolicy, PolicyViolationError, audit
from dpsynth.auditing.release.next_step import of_findings, of_sample
from dpsynth.auditing.release.report import _ORDER, MEASURES, Finding
from dpsynth.schema.table import Boolean, Categorical, Numeric, Schema
from tests.auditing.people import SCHEMA, mixed, people

TRAIN, HOLDOUT, STRANGERS = people(500, 1), people(500, 2), people(500, 3)


@pytest.fixture(scope="module")
def few():
    return audit(STRANGERS, TRAIN, HOLDOUT, schema=SCHEMA, sensitive=["town"])


def test_an_inconclusive_report_says_how_many_records_would_decide_in_every_form(few):
    assert few.verdict == "INCONCLUSIVE"
    assert few.next_step.startswith("Audit again with about ")
    assert "(now 500 and 500 were compared)" in few.next_step
    assert "These records already rule out more than: " in few.next_step
    assert few.record["next_step"] == json.loads(few.to_json())["next_step"] == few.next_step
    assert few.next_step in few.summary()
    with pytest.raises(PolicyViolationError, match="Audit again with about"):
        few.raise_for_policy()


def test_only_findings_that_are_inconclusive_need_more_records(few):
    for finding in few.findings:
        assert (finding.rows_needed is not None) == (finding.verdict == "INCONCLUSIVE"), finding.id
    assert max(f.rows_needed or 0 for f in few.findings) > 500
    assert few.to_frame()["rows_needed"].notna().sum() == sum(f.verdict == "INCONCLUSIVE" for f in few.findings)


def test_the_limits_that_the_same_records_already_rule_out_would_pass(few):
    """A policy with the limits of the sentence passes on the same tables."""
    said = few.next_step.split("rule out more than: ")[1].removesuffix(".")
    limits = {}
    for part in said.replace("\N{NO-BREAK SPACE}", " ").split(", "):
        name, number = part.removesuffix(" %").rsplit(" ", 1)
        value = float(number) / 100 if part.endswith("%") else float(number)
        name = {MEASURES["auc"]: "auc", MEASURES["tpr"]: "tpr"}.get(name, name)
        limits[name.replace(" ", "_").replace("-", "_")] = value + 0.001  # as much as is not shown
    again = audit(STRANGERS, TRAIN, HOLDOUT, schema=SCHEMA, sensitive=["town"], policy=AuditPolicy(**limits))
    assert again.verdict == "PASS", again.reasons
    assert again.next_step is None


def test_what_fails_or_is_invalid_has_its_remedy_in_its_reasons_and_no_next_step():
    failed = audit(mixed(500, TRAIN, 250), TRAIN, HOLDOUT, schema=SCHEMA, sensitive=["town"])
    assert (failed.verdict, failed.next_step) == ("FAIL", None)
    late = audit(STRANGERS, TRAIN, HOLDOUT.assign(x0=9.5), schema=SCHEMA, sensitive=["town"])
    assert (late.verdict, late.next_step) == ("INVALID", None)


def test_without_a_holdout_the_next_step_says_how_large_a_one():
    report = audit(people(3000, 3), people(3000, 1), schema=SCHEMA)
    assert report.next_step.startswith("Give a holdout of about 4,800 real records")
    assert "training records" not in report.next_step
    assert "about 3,700 training records (now 500)" in audit(STRANGERS, TRAIN, schema=SCHEMA).next_step


def test_columns_that_cannot_be_compared_come_first():
    report = audit(STRANGERS.assign(x0=STRANGERS["x0"] + 1000), TRAIN, HOLDOUT, sensitive=["town"])
    assert report.verdict == "INCONCLUSIVE"
    assert report.next_step.startswith("Write the columns named above in the same way")


def test_a_holdout_of_one_row_measures_nothing_and_that_is_one_sentence():
    report = audit(STRANGERS, TRAIN, HOLDOUT[:1], schema=SCHEMA, sensitive=["town"])
    number = len(report.findings)
    assert report.reasons == (
        f"{number} of {number} findings are about fewer than 10 training or holdout records, which measure nothing",
    )
    assert "(now 500 and 1 were compared)" in report.next_step
    assert "rule out" not in report.next_step
    assert {f.estimate for f in report.findings} == {None}


def needing(rows_needed, **more):
    fields = {"low": 0.4, "high": 0.6, "p_value": 0.5, "p_adjusted": 1.0, "limit": 0.55, "ceiling": None} | more
    fields |= {"verdict": "INCONCLUSIVE", "rows_needed": rows_needed}
    return Finding("membership", "distance", "auc", 0.5, **fields)


def said_of(*needed, compared=(3000, 3000), most=(10_000, 50_000)):
    return of_findings([needing(n) for n in needed], AuditPolicy(), compared, most)


def test_the_largest_number_that_a_level_takes_is_said_and_where_it_takes_level_deep():
    assert said_of(500, 4120).startswith(
        "Audit again with about 4,200 training records and as many holdout records (now 3,000 and 3,000 were compared),"
        " or beside the same training records with a holdout of about 6,600. "
    )
    assert "about 12,000 training records and as many holdout records at level deep (now" in said_of(11_900)
    assert "level deep" not in said_of(11_900, most=(50_000, 50_000))
    assert "with a holdout of about 30,000 at level deep" in said_of(9990, compared=(6000, 3000))
    assert "or beside" not in said_of(9990, compared=(4000, 3000))


def test_what_no_level_takes_is_left_to_a_person():
    for none in (said_of(60_000), said_of(None)):
        assert none.startswith("1 finding lies so near the limit that no number of records")
        assert none.endswith("These records already rule out more than: pairs told apart 60.0 %.")
    both = said_of(4120, 60_000, None)
    assert both.startswith("Audit again with about 4,200")
    assert "2 findings lie so near" in both
    assert of_findings([], AuditPolicy(), (1, 1), (1, 1)) is None


def test_of_a_release_that_was_compared_in_part_more_is_compared_at_level_deep():
    assert of_sample(20_000, 50_000) == "Audit again at level deep, which compares all rows of this release."
    assert "at most 50,000 rows" in of_sample(60_000, 50_000)


def test_stages_are_logged_and_no_value_with_them(caplog):
    train = TRAIN.assign(town=np.where(np.arange(500) < 50, "t9", TRAIN["town"]))
    with caplog.at_level(logging.INFO, "dpsynth"):
        audit(STRANGERS, train, HOLDOUT, schema=SCHEMA, sensitive=["town"])
    lines = [r.getMessage() for r in caplog.records if r.name == "dpsynth"]
    assert len(lines) >= 5
    assert not any("t9" in line for line in lines)


TINY = Schema({"a": Categorical(["x", "y"], nullable=True), "b": Boolean(), "n": Numeric(None, None, nullable=True)})


def table(rng, rows, kind):
    number = {
        "same": lambda: np.full(rows, 2.0),
        "apart": lambda: rng.normal(size=rows),
        "wild": lambda: rng.choice([np.nan, np.inf, -np.inf, 1e308, -1e308, 0.0, 5e-324], rows),
    }[kind]()
    return pd.DataFrame({"a": rng.choice(["x", "y", None], rows), "b": rng.random(rows) < 0.5, "n": number})


@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    sizes=st.tuples(*[st.sampled_from([1, 2, 3, 9, 10, 11, 29, 40])] * 3),
    kinds=st.tuples(*[st.sampled_from(["same", "apart", "wild"])] * 3),
    copied=st.booleans(),
    named=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_numbers_of_a_report_keep_their_sense_however_few_the_records(sizes, kinds, copied, named, seed):
    rng = np.random.default_rng(seed)
    synthetic, train, holdout = (table(rng, n, kind) for n, kind in zip(sizes, kinds, strict=True))
    synthetic = train if copied else synthetic
    groups = ["a"] if named else []
    report = audit(synthetic, train, holdout, schema=TINY, subgroups=groups, keys=["b"], seed=seed)
    spans = {"auc": (0.0, 1.0), "tpr": (0.0, 1.0), "gap": (-1.0, 1.0)}
    for f in report.findings:
        least, most = spans[f.measure]
        assert least <= f.low <= f.high <= most, f
        assert f.estimate is None or f.low - 1e-9 <= f.estimate <= f.high + 1e-9, f
        assert 0 < f.p_value <= f.p_adjusted + 1e-9 <= 1 + 1e-9, f
        assert all(math.isfinite(x) for x in f.details.values()), f
        assert all(-1 <= x <= 1 for name, x in f.details.items() if name.startswith(("rate", "relative"))), f
        assert f.verdict in _ORDER
        few = min(f.details["training records"], f.details["holdout records"]) < 10
        assert not few or f.estimate is None, f
        assert f.rows_needed is None or f.rows_needed > 0
    text = report.to_json()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    for written in (text, report.summary(), report.to_html(), report.to_junit()):
        assert not {"nan", "inf"} & {word.strip("(),:;<>\"'%").lower() for word in written.split()}
