"""An independent look at a certificate: the claim recomputed from the ledger lines that it quotes.

This file and the folder `verifier/` are a program of their own, which shares no code and no formula
with the rest of the package, and imports Python's standard library only. `verifier/lines.py`,
`words.py` and `figures.py` have the checks, small functions: the first line of each says the one
fault that it finds. A ledger rewritten as a whole is found by an older head only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dpsynth.evidence.verifier import figures, lines, words
from dpsynth.evidence.verifier.case import Case, Check, Record
from dpsynth.evidence.verifier.recompute import Undecided

__all__ = ["CHECKS", "Outcome", "Undecided"]
__all__ += ["check", "examine", "faults", "faults_in", "outcome_of", "parse", "read"]

VERSION = 1
Checks = tuple[Check, ...]
T = TypeVar("T")
CHECKS: Checks = (*lines.CHECKS, *words.CHECKS, *figures.CHECKS)

_NUMBERS = "epsilon|delta|noise_multiplier|rate|steps|seq|lines|max_records|upto|lost|resumed"


@dataclass(frozen=True)
class Outcome:
    """What one check said: the fault that it found, if any, or why it could not decide."""

    check: str
    fault: str | None = None
    undecided: str | None = None


def check(place: str | Path) -> list[str]:
    """A sentence for each fault of a certificate; none where it holds.

    place: the folder that certificate.json is in, or that file. ValueError where there is no
    certificate; Undecided where no fault was found, and some figures can be neither confirmed nor
    refuted.
    """
    return faults(read(place))


def faults(record: Record) -> list[str]:
    """The same for a certificate's record: where it disagrees with the ledger lines in it."""
    return faults_in(examine(record))


def faults_in(outcomes: Sequence[Outcome]) -> list[str]:
    """The faults that checks found; Undecided where there is none and one could not decide."""
    found = [outcome.fault for outcome in outcomes if outcome.fault]
    open_ones = [outcome.undecided for outcome in outcomes if outcome.undecided]
    if open_ones and not found:
        raise Undecided(open_ones[0])
    return found


def read(place: str | Path) -> dict[str, Any]:
    """The record of a certificate, as `check` takes it."""
    path = Path(place)
    file = path / "certificate.json" if path.is_dir() else path
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        raise ValueError(f"{file} cannot be read as a certificate: give a release folder") from None
    return parse(text, file)


def parse(text: str, name: str | Path) -> dict[str, Any]:
    """The record in a certificate's JSON; ValueError, with this name, where there is none."""
    try:
        # int refuses the constants NaN and Infinity
        record = json.loads(text, parse_constant=int, object_pairs_hook=_strict)
    except (ValueError, RecursionError):
        raise ValueError(f"{name} cannot be read as a certificate: its JSON is faulty") from None
    if not isinstance(record, dict) or not is_of_format(record):
        remedy = "read it with the version of dpsynth that wrote it"
        raise ValueError(f"{name} is not a certificate of format {VERSION}: {remedy}")
    return record


def is_of_format(record: Record) -> bool:
    """Whether a record says that it is a certificate of the format that is read here."""
    return type(found := record.get("dpsynth_certificate")) is int and found == VERSION  # not True


def _strict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    truths = [name for name, value in pairs if isinstance(value, bool)]
    if len(dict(pairs)) < len(pairs) or any(re.search(_NUMBERS, name) for name in truths):
        raise ValueError("a name occurs twice, or true or false stands for a number")
    return dict(pairs)


def examine(record: Record, checks: Checks = CHECKS) -> list[Outcome]:
    """What each check says of a record."""
    return [outcome_of(each, Case(record)) for each in checks]


def outcome_of(each: Callable[[T], bool | str], case: T) -> Outcome:
    """What one check says."""
    name = each.__name__
    sentence = str(each.__doc__).partition("\n")[0].rstrip(".")
    try:
        found = each(case)
    except Undecided as reason:
        return Outcome(name, undecided=str(reason))
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        return Outcome(name, f"it is incomplete, or has values that no certificate has ({name})")
    if not found:
        return Outcome(name)
    fault = sentence[0].lower() + sentence[1:]
    return Outcome(name, fault if found is True else f"{fault} ({found})")
