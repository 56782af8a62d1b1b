"""The page of an account: what was spent in all after each run, in a picture and in a table, and what is left."""

from __future__ import annotations

import re
import sys
from xml.etree import ElementTree as ET

import pytest

from dpsynth import Budget, Ledger
from dpsynth.base.text import at_most
from dpsynth.cli import main
from dpsynth.evidence.account_page import account_page
from dpsynth.evidence.pages import gauges
from tests.evidence import account_pages as made
from tests.evidence.test_pages import POWERS, PYTHON, read, words


@pytest.fixture(scope="module")
def year(tmp_path_factory):
    return made.a_year(tmp_path_factory.mktemp("account") / "year.ledger")


def points(page):
    """Label and epsilon of each step in the picture."""
    (picture,) = re.findall(r'<svg [^>]*class="time".*?</svg>', page, re.DOTALL)
    titles = [t.text for t in ET.fromstring(picture).findall(".//{*}g/{*}title")]
    return [tuple(title.rsplit(": epsilon ", 1)) for title in titles]


def in_all(page):
    """The last cell of each row of the table of runs."""
    table = page.partition("The runs, the oldest first")[2].partition("</table>")[0]
    return re.findall(r'<td class="number">([\d.]+)</td></tr>', table)


def test_the_last_step_is_what_the_account_has_spent_and_the_table_repeats_the_picture(year):
    page = account_page(year)
    steps = points(page)
    assert len(steps) == len(year.runs()) == 8
    assert [said.removesuffix(" in all") for _, said in steps] == in_all(page)
    assert in_all(page)[-1] == at_most(year.spent().epsilon)
    assert in_all(page) == sorted(in_all(page), key=float)


def test_an_account_that_was_joined_is_a_step_of_its_own(tmp_path):
    mine, other = (
        Ledger.create(tmp_path / name, Budget(3.0, 1e-6), dataset=name, unit=made.UNIT) for name in ("mine", "other")
    )
    for ledger in (mine, other):
        made.spent(ledger, 9.0)
    before = mine.spent().epsilon
    mine.link(Ledger.open(tmp_path / "other"))
    page = account_page(mine)
    (_, first), (label, last) = points(page)
    assert label == "the account of other, joined"
    assert (first, last) == tuple(f"{at_most(each)} in all" for each in (before, mine.spent().epsilon))
    assert f"In all, after it: epsilon {at_most(mine.spent().epsilon)}" in page
    assert "Nothing can be spent here: closed: mine pays now" in account_page(Ledger.open(tmp_path / "other"))


def test_the_page_begins_with_what_is_left_who_is_protected_and_what_it_is_not_for(year):
    first = words(read(account_page(year)).first)
    for said in (
        "✓ OPEN One further fit may spend epsilon",
        "made from all releases of this account together",
        "Who is protected",
        "Each run has one of 12 purposes",
        "Asked of every run: approvals needed: ethics board",
        "Do not use it",
    ):
        assert said in first
    assert len(first) < 2200


STATES = {
    "open": lambda: made.account(),
    "nothing is left": lambda: made.reserved(made.account()),
    "not private": lambda: made.spent(made.account(), 9.0, unsafe_seed=1),
}


@pytest.mark.parametrize("state", STATES)
def test_the_state_of_an_account_is_its_first_word(state):
    first = words(read(account_page(STATES[state]())).first)
    assert state.upper() in first
    assert [each for each in STATES if each.upper() in first] == [state]


def test_what_is_left_is_never_shown_larger_than_it_is():
    for noise in (5.1, 6.3, 7.7):
        ledger = made.spent(made.account(), noise)
        (left,) = re.findall(r"One further fit may spend epsilon ([\d.]+),", account_page(ledger))
        assert ledger.remaining().epsilon - 1e-4 <= float(left) <= ledger.remaining().epsilon


def test_names_are_escaped_and_numbers_are_written_for_people(year):
    page = account_page(year)
    assert "stays &lt;&amp;&gt; of 2026" in page
    assert "<&" not in page
    text = re.sub(r"\b[0-9a-f]{8,64}\b", "", words(read(page).all))
    assert not POWERS.search(text)
    assert not PYTHON.search(text)


@pytest.mark.parametrize(("spent", "kind", "width"), [(0.5, "fill", 25), (2.0, "fill", 100), (3.0, "over", 100)])
def test_a_gauge_is_filled_in_proportion_and_changes_where_it_is_over(spent, kind, width):
    drawn = ET.fromstring(gauges.gauge("t", spent, 2.0))
    last = list(drawn.iter("{*}rect") if drawn.tag.startswith("{") else drawn.iter("rect"))[-1]
    assert (last.get("class"), float(last.get("width"))) == (kind, width)


def test_steps_lie_below_the_line_of_what_is_allowed_unless_they_are_over_it():
    def tops(spent):
        drawn = ET.fromstring(gauges.timeline("t", [gauges.Point(0.0, "a", spent)], 2.0, ("x", "y"), "z"))
        (limit,) = [e for e in drawn.iter("line") if e.get("class") == "limit"]
        (bar,) = drawn.iter("rect")
        return float(bar.get("y")), float(limit.get("y1"))

    assert tops(1.0)[0] > tops(1.0)[1]
    assert tops(2.0)[0] == tops(2.0)[1]
    assert tops(3.0)[0] < tops(3.0)[1]


def test_show_writes_the_page_and_refuses_a_file_that_is_no_page(year, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["dpsynth", "ledger", "show", str(year.path), "--html", str(tmp_path / "a.html")])
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code
    assert (tmp_path / "a.html").read_text() == account_page(year)
    assert "a.html: the same as a page" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["dpsynth", "ledger", "show", str(year.path), "--html", str(year.path)])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert "must end in .html" in capsys.readouterr().err
    year.verify()
