"""What was not read as the schema declares it: which noisy counts of it are named, and how.

The counts were measured by charges. Nothing here is a further look at the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dpsynth.evidence import wording

MANY = 0.2
"""The share of values from which on a column is named."""
NEARLY_ALL = 0.9
"""The same for a caution of a column that may be missing: there, many missing are nothing odd."""

MOSTLY = 0.5
"""The share of values from which on a column of open categories is named: most became OTHER."""

_CLEAR = 6.0
"""Standard deviations: noise alone is above these once in a thousand million counts. So nobody is
cautioned for nothing, of however many columns and releases.
"""

_SAID = 3
"""Columns that get a caution each: a table of which nothing can be read must not fill the page."""


def many(released: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The columns of which more than a fifth was not read as declared, beyond the noise.

    Each as "name", "rows", "share", "holds" and "stddev"; the largest share first.
    """
    found = [
        {"name": name, **counted}
        for name, counted in released.get("undeclared", {}).items()
        if counted["share"] > MANY and counted["rows"] > _CLEAR * counted["stddev"]
    ]
    return sorted(found, key=lambda column: -column["share"])


def cautions(released: Mapping[str, Any]) -> list[str]:
    """Cautions of the columns of which too little was read: one for each of the worst, one for all
    others. Before them, one for each of those of which most values became OTHER.
    """
    other = released.get("other", {}).items()
    said = [wording.mostly_other(name, share) for name, share in other if share > MOSTLY]
    least = {"unread": MANY, "either": NEARLY_ALL}
    odd = [c for c in many(released) if c["holds"] in least and c["share"] > least[c["holds"]]]
    said += [
        wording.unread(c["name"], c["share"], c["rows"], c["stddev"], c["holds"] == "either")
        for c in odd[:_SAID]
    ]
    return said + [wording.unread_besides([c["name"] for c in odd[_SAID:]])] * (len(odd) > _SAID)
