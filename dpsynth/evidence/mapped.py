"""Answers to questions of standards and laws, each from a certificate's own facts, or from none.

`mappings/` has a file for each standard: its questions, and the places in the certificate that
answer them. What no certificate can know is left to a person, and says so. Nothing here judges.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from dpsynth.base.mappings import read_mapping
from dpsynth.base.text import at_most, likely, plain, printable
from dpsynth.evidence.purposes import Group, groups

_FOLDER = Path(__file__).parent / "mappings"
STANDARDS = tuple(sorted(file.stem for file in _FOLDER.glob("*.yaml")))
"""What `--to` takes."""

OPEN = "Not answered by this certificate: a person must say."
NOTE = (
    "These answers are facts of one certificate, put beside the questions of another document. They"
    " are evidence for a person who judges, and no judgement: no certificate says whether a law or"
    " a standard is met."
)


def mapped(record: Mapping[str, Any], standard: str) -> dict[str, Any]:
    """The questions of a standard with what a certificate's record answers.

    Each question has "ask", "facts" (a list of "from" and "says"), and "person": what is left to
    say. ValueError for a standard that is not in STANDARDS.
    """
    if standard not in STANDARDS:
        raise ValueError(
            f"there is no mapping to {standard!r}: {likely(standard, STANDARDS)}known are"
            f" {', '.join(STANDARDS)}"
        )
    stated = read_mapping(_FOLDER / f"{standard}.yaml")
    return {
        "dpsynth_mapping": 1,
        "standard": standard,
        "title": stated["title"],
        "source": stated["source"],
        "note": NOTE,
        "certificate": {"created": record["created"], "ledger_head": record["ledger"]["head"]},
        "questions": [_answered(record, each) for each in stated["questions"]],
    }


def as_markdown(answers: Mapping[str, Any]) -> str:
    """The same as a page to fill in; names and words from outside stay text in it."""
    lines = [f"# {answers['title']}", "", f"Source: {answers['source']}.", "", answers["note"], ""]
    head, made = answers["certificate"]["ledger_head"], answers["certificate"]["created"]
    lines += [f"Certificate of {made}; head of its ledger `{head}`.", ""]
    for number, question in enumerate(answers["questions"], 1):
        lines += [f"## {number}. {question['ask']}", ""]
        for fact in question["facts"]:
            one, says = len(fact["says"]) == 1, list(map(_in_a_line, fact["says"]))
            lines += [f"* `{fact['from']}`:{' ' + says[0] if one else ''}"]
            lines += [] if one else [f"    * {each}" for each in says]
        lines += [""] if question["facts"] else []
        lines += [f"**{question['person']}**", ""] if question["person"] else []
    return str(printable("\n".join(lines)))


def _in_a_line(text: str) -> str:
    """Without line breaks, which could begin a heading, and without HTML, which could be run."""
    return escape(" ".join(text.split()), quote=False)


def _answered(record: Mapping[str, Any], question: Mapping[str, Any]) -> dict[str, Any]:
    facts = [{"from": place, "says": _said(record, place)} for place in question["from"]]
    facts = [fact for fact in facts if fact["says"]]
    more = question.get("person", "")
    left = more if facts else f"{OPEN} {more}".strip()
    return {"ask": question["ask"], "facts": facts, "person": left}


def _said(record: Mapping[str, Any], place: str) -> list[str]:
    """What a certificate says at a place, as sentences; none where it says nothing."""
    if place == "schema.columns":
        columns = record["schema"]["columns"]
        return [f"{c['name']} ({c['type']}): {c['domain']}; {c['origin']}" for c in columns]
    if place == "charges":
        columns = [column["name"] for column in record["schema"]["columns"]]
        return [_group(each) for each in groups(record["charges"], columns)]
    value: Any = record
    for name in place.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if value is None or value in ("", [], {}):
        return []
    if isinstance(value, list):
        return list(map(plain, value))
    if isinstance(value, Mapping):
        return [f"{name}: {plain(each)}" for name, each in value.items() if each is not None]
    return [plain(value)]


def _group(group: Group) -> str:
    """A line on charges of one kind."""
    noise = "" if group.least is None else f", noise from {at_most(group.least)} rows on"
    return f"{group.what}: {group.charges} charges{noise}"
