"""JUnit XML, which pipelines read: one test case for each thing that was checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from dpsynth.base.text import printable

_COUNTED = {"failures": ("FAIL",), "errors": ("INVALID",), "skipped": ("INCONCLUSIVE",)}
_ELEMENTS = {"failures": "failure", "errors": "error", "skipped": "skipped"}


@dataclass(frozen=True)
class Case:
    """group: a dotted name, of the kind of check. verdict: PASS, FAIL, INVALID or INCONCLUSIVE."""

    group: str
    name: str
    verdict: str
    text: str


def junit(suite: str, cases: Sequence[Case]) -> str:
    """A failure for FAIL, an error for INVALID, and for INCONCLUSIVE a test that was skipped."""
    counts = {}
    for tag, verdicts in _COUNTED.items():
        counts[tag] = str(sum(case.verdict in verdicts for case in cases))
    root = ET.Element("testsuite", {"name": suite, "tests": str(len(cases)), **counts})
    for each in cases:
        case = ET.SubElement(root, "testcase", classname=each.group, name=str(printable(each.name)))
        for tag, verdicts in _COUNTED.items():
            if each.verdict in verdicts:
                message = str(printable(f"{each.verdict}: {each.text}"))
                ET.SubElement(case, _ELEMENTS[tag], message=message)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
