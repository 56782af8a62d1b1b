"""A pattern, and the rule by which it is kept, lost or invented."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scipy.stats import hypergeom, norm

FATES = ("lost", "invented", "undecided", "kept")
"""In the order in which a page lists them."""
KEPT_FROM = 0.5
"""The share of a pattern's strength from which on it is kept."""
CLEAR = 4.0
"""A difference of so many standard errors is no chance: p < 0.0001, for some hundred tests."""
CLEAR_OF_FOUND = 3.0
"""The same, p < 0.002, of a pattern that one table surely has, whatever the other one has: it is
looked for in that table alone, so that few are compared.
"""


@dataclass(frozen=True)
class Pattern:
    """A pattern that was looked for in both tables and found in at least one.

    Parameters
    ----------
    kind : str
        What it is, such as "heaping".
    columns : tuple of str
        Where it is; empty for one of whole rows.
    fate : {"kept", "lost", "invented", "undecided"}
        What the release did with it; undecided where the release has too few rows to tell.
    real, synthetic : float
        Its strength in each table, in the units that the sentence names: a share of the rows, a
        count, or a correlation.
    errors : float
        The difference of the two, in standard errors.
    evidence : str
        One sentence with the figures.
    details : mapping of str to number
        What defines it, such as {"multiple": 5}.

    Examples
    --------
    >>> Pattern("heaping", ("age",), "lost", 0.3, 0.0, 25.0, "...", {"multiple": 5}).fate
    'lost'
    """

    kind: str
    columns: tuple[str, ...]
    fate: str
    real: float
    synthetic: float
    errors: float
    evidence: str
    details: Mapping[str, Any] = field(default_factory=dict)


def fate_of(real: float, synthetic: float, errors: float, clear: float = CLEAR_OF_FOUND) -> str:
    """Of a pattern that the real records have: "kept", "lost" or "undecided".

    Both strengths are positive where the pattern is there. errors: their difference, in standard
    errors. clear: how many are no chance; CLEAR where the two tables were compared to find it.
    """
    if synthetic >= KEPT_FROM * real:
        return "kept"
    return "lost" if abs(errors) >= clear else "undecided"


def is_invented(
    real: float, synthetic: float, errors: float, clear: float = CLEAR_OF_FOUND
) -> bool:
    """Of a pattern that only the release has: is it clearly there, and clearly not in the real?"""
    return real < KEPT_FROM * synthetic and abs(errors) >= clear


def apart(real: float, of_real: float, synthetic: float, of_synthetic: float) -> float:
    """The difference of two shares in standard errors, by the pooled share.

    A large one is no larger than Fisher's exact test allows: of few rows, one that hits a rare
    value is many errors away, and no surprise. of_real, of_synthetic: of how many rows.
    """
    if not of_real or not of_synthetic:
        return 0.0
    pooled = (real * of_real + synthetic * of_synthetic) / (of_real + of_synthetic)
    error = math.sqrt(max(pooled * (1 - pooled), 0.0) * (1 / of_real + 1 / of_synthetic))
    found = abs(real - synthetic) / error if error > 0 else 0.0
    if found < CLEAR:
        return found
    share, rows = max((real, of_real), (synthetic, of_synthetic))
    hits, all_hits = round(share * rows), round(pooled * (of_real + of_synthetic))
    chance = hypergeom.sf(hits - 1, round(of_real + of_synthetic), all_hits, round(rows))
    return min(found, float(norm.isf(chance)))


def in_errors(difference: float, *errors: float) -> float:
    """A difference in units of the standard error of independent parts."""
    error = math.hypot(*errors)
    return abs(difference) / error if error > 0 else 0.0
