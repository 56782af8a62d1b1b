"""Mappings answer from a certificate's facts or leave a question to a person, and never judge."""

from __future__ import annotations

import json
import re

import pytest

from dpsynth.evidence.mapped import OPEN, STANDARDS, as_markdown, mapped
from tests.evidence.test_verify import MIXED, issue
from tests.evidence.test_verify_checks import with_a_job
from tests.structure.source import ROOT

GOLDEN = json.loads((ROOT / "tests" / "golden" / "formats" / "certificate.json").read_text())
JUDGEMENT = re.compile(
    r"\b(is|are|was|now|fully) (anonymous|anonymi[sz]ed|de-identified)\b|\bcompl(iant|ies)\b|\bmeets the\b", re.I
)
RECORDS = {"plain": issue().record, "mixed": issue(MIXED).record, "golden": GOLDEN, "seeded": issue(seed=1).record}


def test_there_is_a_mapping_for_each_standard():
    assert {"nist-800-226", "edpb-criteria", "hipaa-expert-determination", "iso-27559"} <= set(STANDARDS)
    assert {"model-card", "datasheet", "dp-registry"} <= set(STANDARDS)


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("standard", STANDARDS)
def test_each_question_has_facts_or_is_left_to_a_person(standard, record):
    answers = mapped(RECORDS[record], standard)
    assert len(answers["questions"]) >= 7
    for question in answers["questions"]:
        assert question["facts"] or question["person"].startswith(OPEN)
        for fact in question["facts"]:
            assert all(isinstance(each, str) and each for each in fact["says"])
    text = as_markdown(answers)
    assert answers["note"] in text
    assert text.count(OPEN) == sum(not question["facts"] for question in answers["questions"]) > 0
    assert not JUDGEMENT.search(text)


@pytest.mark.parametrize(
    "sentence", ["The release is anonymous.", "GDPR-compliant", "It complies with HIPAA.", "are de-identified"]
)
def test_a_judgement_would_be_found(sentence):
    assert JUDGEMENT.search(sentence)


def test_every_place_that_a_mapping_names_is_one_of_a_certificate():
    from dpsynth.base.mappings import read_mapping

    records = [GOLDEN, with_a_job()]
    for standard in STANDARDS:
        stated = read_mapping(ROOT / "dpsynth" / "evidence" / "mappings" / f"{standard}.yaml")
        for place in {place for question in stated["questions"] for place in question["from"]}:
            assert any(_is_there(record, place) for record in records), (standard, place)


def _is_there(record, place):
    for name in place.split("."):
        if name not in record:
            return False
        record = record[name]
    return True


def test_the_answers_are_the_certificates_own_words():
    answers = mapped(GOLDEN, "nist-800-226")
    first = answers["questions"][0]["facts"]
    assert first[0] == {"from": "claim.sentence", "says": [GOLDEN["claim"]["sentence"]]}
    assert "epsilon: 2" in first[2]["says"]


def test_a_seeded_run_claims_nothing_in_a_mapping_either():
    text = as_markdown(mapped(RECORDS["seeded"], "nist-800-226"))
    assert "NOT PRIVATE" in text


def test_a_name_with_html_or_a_line_break_stays_text_on_the_page():
    record = json.loads(json.dumps(GOLDEN))
    record["schema"]["columns"][0]["name"] = "<script>alert(1)</script>\n## 9. Is it anonymous?\n\nYes"
    text = as_markdown(mapped(record, "nist-800-226"))
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; ## 9. Is it anonymous? Yes (" in text
    assert len(re.findall("(?m)^## ", text)) == len(mapped(GOLDEN, "nist-800-226")["questions"])


def test_a_standard_that_is_not_there_is_refused_with_the_likeliest():
    with pytest.raises(ValueError, match=r"did you mean 'nist-800-226'\? known are"):
        mapped(GOLDEN, "nist-800-266")
