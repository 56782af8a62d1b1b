"""What a source says of rows is not public: such keys are set aside before a reader sees them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_OF_ROWS = """
    average avg cardinality count counts distinct distinctcount distinctvalues distribution example
    examples exemplar frequencies frequency freq histogram iqr kurtosis mean median missingcount
    missingrate mode n ndistinct nmissing nnull nrows nullcount nulls numdistinct numrows nunique
    observations observedhigh observedlow observedmax observedmaximum observedmin observedminimum
    observedvalues maxobserved minobserved percentile percentiles quantile quantiles rowcount rows
    sample samples samplevalues sd skewness statistics stats std stddev stdev top topvalues unique
    uniquecount uniquevalues valuecounts variance
"""
_PROFILE = "histogram mean median quantiles sd std stddev stdev variance"
_ENDS = "low high lower upper min max minimum maximum minvalue maxvalue exclusiveminimum"
OF_ROWS = frozenset(_OF_ROWS.split())
"""Keys and titles, in letters and digits only, whose values are computed from rows."""

PROFILE = frozenset(_PROFILE.split())
"""Keys and titles that only a profile of rows has: beside them, ends were observed."""

ENDS = frozenset((*_ENDS.split(), "exclusivemaximum", "lowerbound", "upperbound"))
"""Keys and titles of ends, which do not say whether they are declared or observed."""


def plain(title: object) -> str:
    """A key or a title in lower case, letters and digits only."""
    return re.sub(r"[\W_]", "", str(title).lower())


def of_rows(title: object, beside: Iterable[object] = ()) -> bool:
    """Whether the values of a key are computed from rows. beside: the keys that stand with it."""
    key = plain(title)
    return key in OF_ROWS or (key in ENDS and bool(PROFILE & {plain(each) for each in beside}))


def set_aside(
    facts: Mapping[str, Any], declared: Iterable[str] = (), beside: Iterable[str] = ()
) -> tuple[dict[str, Any], set[str]]:
    """A mapping without the keys whose values are of rows, and the names of these keys.

    declared: keys to which the form gives another meaning, such as Table Schema's "unique".
    beside: keys that say of the same column elsewhere.
    """
    public, near = set(declared), (*facts, *beside)
    taken = {key: fact for key, fact in facts.items() if key in public or not of_rows(key, near)}
    return taken, {str(key) for key in facts if key not in taken}
