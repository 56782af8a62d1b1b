"""Pages need nothing else: no script, no network; and their own policy forbids both."""

from __future__ import annotations

import ast
import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

import dpsynth.evidence.pages
from dpsynth.evaluation.fidelity import evaluate
from dpsynth.evidence.certificate import Certificate
from dpsynth.evidence.pages import render
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Gaussian
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.opening import Accountant
from dpsynth.schema.table import Categorical, Numeric, Schema

BUDGET = Budget(1.0, 1e-6)
SCHEMA = Schema({"age": Numeric(0, 120, integer=True), "sex": Categorical(["f", "m"]), "on": Categorical(["a", "b"])})
VOID = {"meta", "br", "rect", "line", "polygon"}


def certificate(seed=None):
    ledger = Ledger.create(None, BUDGET, dataset="claims", unit=SCHEMA.unit)
    accountant = Accountant(BUDGET, ledger=ledger, unsafe_seed=seed)
    accountant.charge(Gaussian(20.0), "measure age")
    facts = {"mechanism": "mst", "settings": {}, "bounds": {}, "released": {}}
    return Certificate.issue(schema=SCHEMA, ledger=ledger, run=accountant.run, **facts)


def quality():
    real = pd.DataFrame({"age": range(60), "sex": ["f", "m"] * 30, "on": ["a"] * 60})
    return evaluate(real.head(40), real, SCHEMA)


FOREIGN_TAGS = {"script", "link", "img", "iframe", "object", "embed", "form", "base", "a"}
FOREIGN_ATTRIBUTES = {"src", "href", "srcset", "style", "action", "xlink:href"}
PAGES = {"certificate": certificate().to_html(), "seeded": certificate(1).to_html(), "quality": quality().to_html()}
FRAGMENTS = {"certificate": certificate()._repr_html_(), "quality": quality()._repr_html_()}
BOTH = [*PAGES.values(), *FRAGMENTS.values()]


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def tags(page):
    parser = Tags()
    parser.feed(page)
    parser.close()
    assert not parser.open
    return parser.seen


@pytest.mark.parametrize("page", BOTH, ids=[*PAGES, *(f"{name} piece" for name in FRAGMENTS)])
def test_a_page_refers_to_nothing_outside_itself(page):
    seen = tags(page)
    assert not {tag for tag, _ in seen} & FOREIGN_TAGS
    assert not {name for _, attrs in seen for name in attrs} & FOREIGN_ATTRIBUTES
    assert not [name for _, attrs in seen for name in attrs if name.startswith("on")]
    assert not re.search(r"https?:|//[a-z]|url\(|@import|javascript:", page)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_policy_allows_the_one_style_sheet_and_nothing_else(page):
    policy = next(a["content"] for t, a in tags(page) if a.get("http-equiv") == "Content-Security-Policy")
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ")
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_page_has_one_heading_above_all_and_real_tables(page):
    seen = [tag for tag, _ in tags(page)]
    assert seen.count("h1") == 1
    assert "table" in seen
    assert all(a.get("scope") in {"row", "col"} for t, a in tags(page) if t == "th")
    assert all(a.get("role") == "img" or a.get("aria-hidden") == "true" for t, a in tags(page) if t == "svg")


def test_every_class_that_a_page_uses_is_in_the_style_sheet():
    style = re.search(r"<style>(.*?)</style>", PAGES["quality"], re.DOTALL).group(1)
    used = {name for page in PAGES.values() for _, a in tags(page) for name in a.get("class", "").split()}
    plain = {"label", "plot", "level0", "on0", "on1", "on2"}
    assert not {name for name in used - plain if f".{name}" not in style and f".{name} " not in style}


def test_the_quality_page_is_stamped_internal_everywhere():
    page = PAGES["quality"]
    assert "<title>INTERNAL" in page
    assert "INTERNAL: DO NOT PUBLISH" in page
    assert '<body class="internal">' in page
    assert "not differentially private" in FRAGMENTS["quality"]


def test_a_missing_fact_is_an_error_and_not_a_blank():
    with pytest.raises(Exception, match="has no attribute"):
        render.page("certificate", {})


def test_json_holds_no_number_that_json_has_not():
    with pytest.raises(ValueError, match="not JSON compliant"):
        render.to_json({"x": float("nan")})


def test_the_renderer_knows_nothing_of_the_rest_of_dpsynth():
    for file in Path(dpsynth.evidence.pages.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dpsynth"):
                assert node.module.startswith(("dpsynth.evidence.pages", "dpsynth.base"))
