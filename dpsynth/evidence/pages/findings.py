"""The findings of an audit in the order in which a page shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Finding = Mapping[str, Any]

ORDER = ("FAIL", "INCONCLUSIVE", "PASS")
CLOSEST = 5
"""Of findings that all pass, how many a page begins with."""
MAX_FIRST = 12
"""Of others, how many: every one that fails, and then so many in all."""


def first(findings: Sequence[Finding]) -> list[Finding]:
    """Those that matter: what fails, then what is inconclusive; else those closest to a limit."""
    odd = [f for f in findings if f["verdict"] != "PASS"]
    if odd:
        odd.sort(key=lambda f: (ORDER.index(f["verdict"]), f["p_adjusted"]))
        failed = sum(f["verdict"] == "FAIL" for f in odd)
        return odd[: max(MAX_FIRST, failed)]
    return sorted(findings, key=lambda f: f["limit"] - f["high"])[:CLOSEST]


def others(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    """All that `first` leaves out, by threat."""
    shown = {id(f) for f in first(findings)}
    found: dict[str, list[Finding]] = {}
    for f in findings:
        if id(f) not in shown:
            found.setdefault(f["threat"], []).append(f)
    return found
