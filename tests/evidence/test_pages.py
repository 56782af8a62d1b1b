"""What a reader meets first on each page, what is folded, and how numbers, colours and headings are made."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from dpsynth import Categorical, Numeric, Schema, Synthesizer, Workload
from dpsynth.auditing.release.audit import audit
from dpsynth.evaluation.fidelity import evaluate
from dpsynth.evidence.pages import findings, render

VOID = {"meta", "br", "rect", "line", "polygon", "img"}
POWERS = re.compile(r"\d[eE][+-]?\d")
PYTHON = re.compile(r"\{'|\['|\bNone\b|\bTrue\b|\bFalse\b|\bnan\b|\binf\b|\(\d+,\)")


class Text(HTMLParser):
    """The words of a page: all of them, those outside of folded parts, and those before the first part below."""

    def __init__(self):
        super().__init__()
        self.open, self.all, self.visible, self.first = [], [], [], []
        self.headings, self.tables, self.folds, self.below = [], [], [], False

    def handle_starttag(self, tag, attrs):
        of = dict(attrs)
        if tag == "h2" and "section" not in self.open:
            self.below = True  # the first heading that is not in the part on top
        if re.fullmatch(r"h\d", tag):
            self.headings.append(int(tag[1]))
        if tag == "table":
            self.tables.append(False)
        if tag == "caption":
            self.tables[-1] = True
        if tag == "details":
            self.folds.append({**of, "summary": False})
        if tag == "summary":
            self.folds[-1]["summary"] = True
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in VOID

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open or "title" in self.open:
            return
        self.all.append(data)
        folded = self.open.count("details") > ("summary" in self.open)
        if not folded and "svg" not in self.open:
            self.visible.append(data)
            if not self.below:
                self.first.append(data)


def read(page):
    text = Text()
    text.feed(page)
    text.close()
    return text


def words(pieces):
    return " ".join(" ".join(pieces).split())


@cache
def made(columns=47, rows=1500, seed=1):
    """A certificate, a quality report and an audit of as many columns; bounds of three are learned."""
    rng = np.random.default_rng(seed)
    parts = {}
    for i in range(columns):
        bounded = Numeric(None if i < 3 else 0, 2_000_000, nullable=i % 2 == 0)
        parts[f"c{i}"] = bounded if i % 3 else Categorical(["a", "b", "c"], nullable=True)
    schema = Schema(parts)
    frame = {n: rng.gamma(2, 9, 2 * rows) if isinstance(c, Numeric) else None for n, c in parts.items()}
    frame = {n: rng.choice(["a", "b", None], 2 * rows) if v is None else v for n, v in frame.items()}
    table = pd.DataFrame(frame)
    train, holdout = table[:rows], table[rows:]
    workload = Workload(target="c0", weights={("c1", "c2"): 10.0})
    synth = Synthesizer(schema, "canopy", epsilon=1e-3, delta=1e-9, ledger=None, workload=workload)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        synth.fit(train)
    release = synth.sample(rows, seed=0)
    return synth.certificate, evaluate(release, train, schema), train, holdout, release, schema


@cache
def audited():
    _, _, train, holdout, release, schema = made(5, 150)
    return audit(release, train, holdout, schema=schema, seed=0)


def as_verdict(verdict):
    """The report with this verdict, and with one finding that has it."""
    report = audited()
    each = "PASS" if verdict == "INVALID" else verdict
    found = [replace(f, verdict="PASS", low=0.0, estimate=0.0, high=0.0) for f in report.findings]
    found[-1] = replace(found[-1], verdict=each, estimate=found[-1].limit / 2, high=found[-1].limit * 2)
    return replace(report, findings=tuple(found), verdict=verdict, reasons=("a reason",))


@cache
def page(name):
    if name == "certificate":
        return made()[0].to_html()
    if name == "quality":
        return made()[1].to_html()
    return as_verdict(name).to_html()


VERDICTS = ["PASS", "FAIL", "INCONCLUSIVE", "INVALID"]
PAGES = ["certificate", "quality", *VERDICTS]


@pytest.mark.parametrize("name", PAGES)
def test_numbers_are_written_for_people_and_nothing_is_written_for_python(name):
    text = words(read(page(name)).all)
    text = re.sub(r"\b[0-9a-f]{12,64}\b", "", text)  # hashes
    assert not POWERS.search(text)
    assert not PYTHON.search(text)


@pytest.mark.parametrize(
    "said", ["delta 1e-06", "2.5e+09 rows", "{'degree': 3}", "target None", "[('a', 'b')] ['a']", "shape (1,)"]
)
def test_a_page_that_shows_what_python_shows_would_be_found(said):
    assert POWERS.search(said) or PYTHON.search(said)


def test_the_certificate_begins_with_its_purpose_its_claim_its_unit_and_its_limits():
    record = made()[0].record
    first = words(read(page("certificate")).first)
    for said in (
        "For whoever approves this release",
        record["claim"]["meaning"],
        "(0.001, 0.000000001)-differentially private",
        f"The unit of protection is {record['unit']['description']}",
        "Do not use it",
        "anonymous in law",
        "0.000000001 exceeded by at most 1 in a billion",
    ):
        assert words([said]) in first
    places = [first.index(said) for said in ("CLAIM", "Who is protected", "Do not use it", "epsilon, claimed")]
    assert places == sorted(places)
    assert len(first) < 2200  # what fits a screen of 1280 by 900


def test_a_seeded_run_begins_with_what_it_is_not():
    schema = Schema({"a": Categorical(["x", "y"])})
    rows = pd.DataFrame({"a": ["x", "y"] * 50})
    synth = Synthesizer(schema, epsilon=1, delta=1e-6, ledger=None, unsafe_seed=1).fit(rows)
    first = words(read(synth.certificate.to_html()).first)
    for said in ("NO CLAIM", "nothing made by it may be released", "Nobody is protected", "tests with invented data"):
        assert said in first
    assert "exceeded by" not in first


def test_the_quality_page_begins_with_its_verdict_and_what_it_is_not_for():
    quality = made()[1]
    first = words(read(page("quality")).first)
    for said in ("INTERNAL: DO NOT PUBLISH", *quality.verdict["uses"], *quality.verdict["remarks"], "Do not use it"):
        assert words([said]) in first
    assert len(first) < 2200


@pytest.mark.parametrize("verdict", VERDICTS)
def test_an_audit_begins_with_its_verdict_in_its_colour_and_the_next_step(verdict):
    text = read(page(verdict))
    first = words(text.first)
    for said in (verdict, "Next step:", "Do not use it", "as proof of privacy", "DO NOT PUBLISH, DO NOT OPTIMISE"):
        assert said in first
    (colour,) = re.findall(r'<section class="verdict([^"]*)" aria-label="Verdict">', page(verdict))
    assert colour == {"PASS": "", "FAIL": " bad", "INCONCLUSIVE": " amber", "INVALID": " bad"}[verdict]
    assert len(first) < 2400


def test_a_next_step_and_row_counts_of_the_report_are_shown_where_it_has_them():
    record = as_verdict("INCONCLUSIVE").record
    (odd,) = [f for f in record["findings"] if f["verdict"] == "INCONCLUSIVE"]
    assert "more training and holdout records" in render.page("audit", {**record, "next_step": None})
    shown = render.page("audit", {**record, "next_step": "Add 12 rows.", "findings": [{**odd, "rows_needed": 4321}]})
    assert "Hold the release back. Add 12 rows." in shown
    assert ">4,300</td>" in shown


def found(verdict, high, p=0.5):
    return {"verdict": verdict, "p_adjusted": p, "high": high, "limit": 0.1, "threat": "t"}


def test_what_fails_comes_first_then_what_is_not_decided_and_all_others_once():
    listed = [found("PASS", 0.0), found("INCONCLUSIVE", 0.2), found("FAIL", 0.3, 0.01), found("FAIL", 0.9, 0.001)]
    assert findings.first(listed) == [listed[3], listed[2], listed[1]]
    assert findings.others(listed) == {"t": [listed[0]]}


def test_a_page_begins_with_all_that_fails_and_with_so_much_of_what_is_not_decided():
    many = [found("INCONCLUSIVE", 0.2, p / 50) for p in range(40)]
    assert findings.first(many) == many[: findings.MAX_FIRST]
    assert findings.others(many) == {"t": many[findings.MAX_FIRST :]}
    failed = [found("FAIL", 0.3, p / 50) for p in range(20)]
    assert findings.first(many + failed) == failed
    record = as_verdict("INCONCLUSIVE").record
    each = next(f for f in record["findings"] if f["verdict"] == "INCONCLUSIVE")
    page = render.page("audit", {**record, "findings": [{**each, "id": str(i)} for i in range(15)]})
    assert "The 3 other findings, which are not decided either" in page
    passing = [{**each, "id": "p", "verdict": "PASS"}, *({**each, "id": str(i)} for i in range(13))]
    page = render.page("audit", {**record, "findings": passing})
    assert "The 2 other findings, of which 1 is not decided and the others pass" in page


def test_where_all_pass_those_closest_to_a_limit_come_first():
    listed = [found("PASS", high / 100) for high in range(9)]
    assert findings.first(listed) == listed[:3:-1]
    assert findings.others(listed) == {"t": listed[:4]}
    assert findings.first([]) == []


def test_charges_columns_and_hashes_are_there_and_folded():
    text = read(page("certificate"))
    everything, visible = words(text.all), words(text.visible)
    record = made()[0].record
    for charge in record["charges"]:
        assert charge["line"]["hash"][:12] in everything
        assert charge["line"]["hash"][:12] not in visible
    for folded in (record["schema"]["sha256"], record["ledger"]["head"], record["versions"]["numpy"], "c46"):
        assert folded in everything
        assert folded not in visible


@pytest.mark.parametrize("which", [0, 1], ids=["certificate", "quality"])
def test_what_is_not_folded_does_not_grow_with_the_columns(which):
    few, many = (read(made(columns, 300)[which].to_html()) for columns in (20, 80))
    assert len(words(many.all)) > 2 * len(words(few.all))
    assert len(words(many.visible)) < 1.15 * len(words(few.visible))
    assert len(words(many.visible)) < 9000  # about 4,000 pixels at a width of 1280


@pytest.mark.parametrize("name", PAGES)
def test_headings_go_down_by_one_tables_have_captions_and_folds_are_closed_and_named(name):
    text = read(page(name))
    assert text.headings[0] == 1
    assert text.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(text.headings, text.headings[1:], strict=False))
    assert all(text.tables)
    assert text.folds
    assert all(fold["summary"] and "open" not in fold for fold in text.folds)


def colours(scheme):
    """The custom properties of one block of the style sheet."""
    style = re.search(r"<style>(.*?)</style>", page("quality"), re.DOTALL).group(1)
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[scheme]))


def brightness(colour):
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot((0.2126, 0.7152, 0.0722), linear))


def contrast(one, other):
    light, dark = sorted((brightness(one), brightness(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


ON = {"paper": ["ink", "soft", "good", "bad", "amber"], "wash": ["ink", "soft"]}
ON |= {f"{word}-wash": [word, "ink"] for word in ("good", "bad", "amber")}


@pytest.mark.parametrize("scheme", [0, 1, 2], ids=["light", "dark", "print"])
def test_text_has_the_contrast_that_wcag_asks_for(scheme):
    of = colours(scheme)
    for paper, inks in ON.items():
        for ink in inks:
            assert contrast(of[paper], of[ink]) >= 4.5, (paper, ink)
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#888888", "#ffffff") < 4.5


def test_print_opens_what_is_folded_and_narrow_pages_scroll_only_inside_tables():
    style = re.search(r"<style>(.*?)</style>", page("certificate"), re.DOTALL).group(1)
    printed = style.partition("@media print")[2]
    assert "details::details-content { content-visibility: visible;" in printed
    assert "@supports not selector(::details-content)" in printed
    assert ".scroll {\n  overflow-x: auto;" in style
    assert "overflow-wrap: break-word" in style
