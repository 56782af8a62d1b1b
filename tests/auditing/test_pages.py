"""Audits of claims and of noise have the same forms as audits of releases: verdict, page, JSON, JUnit XML."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from dpsynth.auditing.claim import PrivacyClaim
from dpsynth.auditing.mechanism.dp import DPAuditor
from dpsynth.auditing.mechanism.noise import Answer, audit_noise
from dpsynth.auditing.mechanism.noise_report import Check
from dpsynth.auditing.mechanism.pairs import Pair
from dpsynth.auditing.release.audit import audit as audit_release
from dpsynth.auditing.release.report import Finding
from dpsynth.evidence.pages import render
from dpsynth.schema.table import Categorical, Numeric, Schema
from tests.auditing.faults import GAUSSIAN, PURE

PAIR = Pair("one & <two>", pd.DataFrame({"x": [0]}), pd.DataFrame({"x": [0, 1]}))


def sums(noise, runs, claim=GAUSSIAN):
    """An audit of a noisy sum."""
    return DPAuditor(lambda t, rng: t["x"].sum() + noise * rng.normal(), claim, [PAIR], runs=runs).run()


def numbers(noise, size):
    rng = np.random.default_rng(0)
    return audit_noise([Answer(np.rint(rng.normal(scale=noise * 5, size=size)), np.zeros(size), 5.0)])


@pytest.mark.parametrize(
    ("audit", "verdict"),
    [
        (lambda: sums(1 / GAUSSIAN.mu, 1000), "PASS"),
        (lambda: sums(1 / GAUSSIAN.mu, 20), "INCONCLUSIVE"),
        (lambda: sums(0.3 / GAUSSIAN.mu, 1000), "FAIL"),
        (lambda: sums(5.0, 200, PURE), "PASS"),
        (lambda: sums(5.0, 20, PURE), "INCONCLUSIVE"),
        (lambda: sums(0.01, 200, PURE), "FAIL"),
        (lambda: numbers(1.0, 300), "PASS"),
        (lambda: numbers(1.0, 20), "INCONCLUSIVE"),
        (lambda: numbers(0.5, 300), "FAIL"),
    ],
)
def test_a_verdict_says_whether_the_audit_had_the_power_to_refute(audit, verdict, tmp_path):
    found = audit()
    assert found.verdict == verdict
    assert found.refuted == (verdict == "FAIL")
    assert verdict in found.summary()
    assert verdict in found._repr_html_()
    (element,) = {"PASS": ["testcase"], "INCONCLUSIVE": ["skipped"], "FAIL": ["failure"]}[verdict]
    assert list(ET.fromstring(found.to_junit()).iter(element))
    folder = found.save(tmp_path / "made")
    files = {path.suffix: path.read_text() for path in folder.iterdir()}
    assert set(files) == {".json", ".html", ".xml"}
    assert json.loads(files[".json"])["verdict"] == verdict
    assert "INTERNAL" in files[".html"]
    assert "Content-Security-Policy" in files[".html"]


def test_names_on_a_page_are_escaped_and_numbers_are_those_of_the_record():
    found = sums(1 / GAUSSIAN.mu, 100)
    page = found.to_html()
    assert "one &amp; &lt;two&gt;" in page
    assert "<two>" not in page + found._repr_html_()
    record = found.record
    (pair,) = record["pairs"]
    assert f"{pair['counts']['true']} of {pair['counts']['n1']}" in page
    assert record["internal"] in page
    assert ET.fromstring(found.to_junit()).find("testcase").get("name") == PAIR.name


def test_other_checks_stand_beside_those_of_the_noise_and_one_that_fails_decides():
    audit = numbers(1.0, 300)
    assert audit.beside(Check("budget", True, None, "fits")).verdict == "PASS"
    both = audit.beside(Check("budget", False, None, "epsilon 2 of 1"))
    assert both.verdict == "FAIL"
    assert "epsilon 2 of 1" in both.to_html()
    assert ET.fromstring(both.to_junit()).get("failures") == "1"


def test_a_threshold_that_is_known_leaves_all_runs_to_be_counted():
    claim = PrivacyClaim(mu=1.0)
    auditor = DPAuditor(
        lambda t, rng: t["x"].sum() + rng.normal() - 0.5, claim, [PAIR], runs=500, statistic=float, threshold=0.0
    )
    (pair,) = auditor.run().pairs
    assert pair.counts.n0 == pair.counts.n1 == 500
    assert pair.mu_point == pytest.approx(1.0, abs=0.25)
    with pytest.raises(ValueError, match="a threshold belongs to a statistic"):
        DPAuditor(lambda t, rng: 0.0, claim, [PAIR], threshold=0.0)


def test_the_page_of_a_release_begins_with_what_fails_then_what_is_inconclusive():
    rng = np.random.default_rng(0)
    schema = Schema({"age": Numeric(0, 99, integer=True), "sex": Categorical(["f", "m"])})
    tables = (pd.DataFrame({"age": rng.integers(0, 100, 300), "sex": rng.choice(["f", "m"], 300)}) for _ in range(3))
    record = audit_release(*tables, schema=schema).record
    threats = sorted({finding["threat"] for finding in record["findings"]})
    verdicts = dict(zip(reversed(threats), ["FAIL", "INCONCLUSIVE"], strict=False))
    for finding in record["findings"]:
        finding["verdict"] = "PASS"
    for threat, verdict in verdicts.items():
        [f for f in record["findings"] if f["threat"] == threat][-1]["verdict"] = verdict
    page = render.page("audit", record)
    first, _, rest = page.partition("<details")
    marks = re.findall(r'<td class="mark[^"]*">\S+ (\w+)</td></tr>', first.partition("The findings that matter")[2])
    assert marks == ["FAIL", "INCONCLUSIVE"]
    names = re.findall(r'<th scope="row">([\w -]+): ', first)
    assert [name.lower() for name in names] == list(verdicts)
    assert f"The {len(record['findings']) - 2} other findings, which pass" in rest
    assert not re.search(r"> \S+ (FAIL|INCONCLUSIVE)<", rest)


@pytest.mark.parametrize(("high", "exceeds"), [(0.5496, False), (0.55, False), (0.5503, True), (0.552, False)])
def test_an_interval_that_exceeds_its_limit_by_less_than_is_shown_says_so(high, exceeds):
    finding = Finding("membership", "distance", "auc", 0.52, 0.48, high, 0.1, 0.1, 0.55, None, "INCONCLUSIVE")
    assert finding.sentence().endswith(", limit 55.0 %" + ", which the interval just exceeds" * exceeds)
