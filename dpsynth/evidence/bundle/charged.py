"""Check of the releasable quality report of a folder: do its figures follow from its charges?

As the other checks it imports nothing that writes a release, and Python's standard library only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from statistics import NormalDist
from typing import Any

from dpsynth.evidence.verifier.recompute import Mix

NAME = "releasable.json"
_CLOSE = 1e-6
_PARTS = ("columns", "pairs", "triples")
Record = Mapping[str, Any]


def faults_of(path: Path, model: str | None) -> str:
    """What is wrong with a report; nothing where it is not there, or holds.

    model: the hash of the model that the release is of; None where no run released one.
    """
    if not path.is_file():
        return ""
    try:
        record = json.loads(path.read_text(encoding="ascii"))
        said = [said for check in _CHECKS for said in check(record)]
        other = [] if record["model"] == model else ["it is of another model than the release"]
        return "; ".join(other + said)
    except (OSError, ValueError, LookupError, TypeError, ZeroDivisionError, AttributeError):
        return "it cannot be read"


def _cost(record: Record) -> Iterator[str]:
    squared = sum(1 / Fraction(each["noise_multiplier"]) ** 2 for each in record["charges"])
    if Mix(float(squared)).delta(record["epsilon"]) > record["delta"] * (1 + _CLOSE):
        yield f"its charges cost more than epsilon {record['epsilon']:.6g}"


def _noise(record: Record) -> Iterator[str]:
    for each in record["charges"]:
        if not _same(each["stddev"], each["noise_multiplier"] * each["sensitivity"]):
            yield f"the noise of {each['purpose']!r} is not what was paid for"


def _means(record: Record) -> Iterator[str]:
    parts = [part for part in _PARTS if record[part]]
    for part, way in zip(parts, record["ways"], strict=True):
        found = [each["distance"] for each in record[part]]
        if way["sets"] != len(found) or not _same(way["distance"], math.fsum(found) / len(found)):
            yield f"the mean of {part} is not that of their distances"


def _intervals(record: Record) -> Iterator[str]:
    """The reach of each interval, by the noise of its charge and of the row count."""
    z = NormalDist().inv_cdf((1 + record["level"]) / 2)
    rows, noise = record["rows"]["real"], _stddev(record, "evaluate: rows")
    parts = [part for part in _PARTS if record[part]]
    for part, way in zip(parts, record["ways"], strict=True):
        own = _stddev(record, f"evaluate: distances of {len(record[part])} {part}")
        for each in (way, *record[part]):
            mean = each["distance"]
            reach = z * own / math.sqrt(each["sets"]) + (0.5 + min(max(mean, 0), 1)) * z * noise
            ends = [min(max(mean + side * reach / rows, 0.0), 1.0) for side in (-1, 1)]
            if not (_same(each["low"], ends[0]) and _same(each["high"], ends[1])):
                yield f"an interval of {part} is not that of its noise"
                break


def _stddev(record: Record, purpose: str) -> float:
    return float(next(c["stddev"] for c in record["charges"] if c["purpose"] == purpose))


def _same(stated: float, found: float) -> bool:
    return math.isclose(stated, found, rel_tol=_CLOSE, abs_tol=1e-9)


_CHECKS: tuple[Callable[[Record], Iterator[str]], ...] = (_cost, _noise, _means, _intervals)
