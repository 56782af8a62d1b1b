"""An independent look at a certificate: the claim recomputed from the ledger lines that it quotes.

This file and the folder `verifier/` are a program of their own. It shares no code with the rest of
the package and no formula; it imports its own parts and Python's standard library only.
`verifier/lines.py`, `words.py` and `figures.py` have the checks, small functions: the first line of
each says the one fault that it finds. A ledger written anew shows against a head kept elsewhere
only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpsynth.evidence.verifier import figures, lines, words
from dpsynth.evidence.verifier.case import Case, Check, Record
from dpsynth.evidence.verifier.recompute import Undecided

__all__ = ["CHECKS", "Outcome", "Undecided", "check", "examine", "examine_release", "faults", "misquotes", "parse"]

VERSION = 1
CHECKS: tuple[Check, ...] = (*lines.CHECKS, *words.CHECKS, *figures.CHECKS)

_NUMBERS = "epsilon|delta|noise_multiplier|rate|steps|seq|lines|max_records|upto|lost|resumed"


@dataclass(frozen=True)
class Outcome:
    """What one check said: the fault that it found, if any, or why it could not decide."""

    check: str
    fault: str | None = None
    undecided: str | None = None


def check(directory: str | Path) -> list[str]:
    """What is wrong with a release.

    Parameters ---------- directory : the directory of a release, with certificate.json and the
    files that it lists, or that file.

    Returns ------- A sentence for each fault; empty where the certificate holds.

    Raises ------ ValueError : there is no certificate. Undecided : no fault was found, and some
    figures can be neither confirmed nor refuted.
    """
    return _faults_in(examine_release(directory))


def faults(record: Record) -> list[str]:
    """The same for a certificate's record alone: where it disagrees with the ledger lines in it."""
    return _faults_in(examine(record))


def misquotes(record: Record) -> list[str]:
    """The same without the figures, which take seconds to recompute where networks were trained."""
    case = Case(record, None)
    return [found.fault for each in (*lines.CHECKS, *words.CHECKS) if (found := _outcome(each, case)).fault]


def examine_release(directory: str | Path) -> list[Outcome]:
    """What each check says of a release, as `check` takes it."""
    folder = Path(directory)
    file = folder / "certificate.json" if folder.is_dir() else folder
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        raise ValueError(f"{file} cannot be read as a certificate: give the directory of a release") from None
    return examine(parse(text, file), file.parent)


def parse(text: str, name: str | Path) -> dict[str, Any]:
    """The record in a certificate's JSON; ValueError, which names it, where it is none of this
    version.
    """
    try:
        record = json.loads(text, parse_constant=int, object_pairs_hook=_strict)  # int: refuses NaN and Infinity
    except (ValueError, RecursionError):
        raise ValueError(f"{name} cannot be read as a certificate: it is not JSON as certificates have it") from None
    if not isinstance(record, dict) or not is_of_format(record):
        raise ValueError(f"{name} is no certificate of format {VERSION}: read it with the dpsynth that wrote it")
    return record


def is_of_format(record: Record) -> bool:
    """Whether a record says that it is a certificate of the format that is read here. True and 1.0 equal 1."""
    found = record.get("dpsynth_certificate")
    return type(found) is int and found == VERSION


def _strict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs) or any(isinstance(value, bool) and re.search(_NUMBERS, k) for k, value in pairs):
        raise ValueError("a name stands twice, or a number is true or false")
    return dict(pairs)


def examine(record: Record, folder: Path | None = None) -> list[Outcome]:
    """What each check says of a record. folder: where the files lie that it lists; without it they
    are not read.
    """
    return [_outcome(each, Case(record, folder)) for each in CHECKS]


def _outcome(each: Check, case: Case) -> Outcome:
    name = each.__name__
    sentence = str(each.__doc__).partition("\n")[0].rstrip(".")
    try:
        found = each(case)
    except Undecided as reason:
        return Outcome(name, undecided=str(reason))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, ZeroDivisionError):
        return Outcome(name, f"it is incomplete, or says what no certificate says ({name})")
    if not found:
        return Outcome(name)
    fault = sentence[0].lower() + sentence[1:]
    return Outcome(name, fault if found is True else f"{fault} ({found})")


def _faults_in(outcomes: Sequence[Outcome]) -> list[str]:
    found = [outcome.fault for outcome in outcomes if outcome.fault]
    open_ones = [outcome.undecided for outcome in outcomes if outcome.undecided]
    if open_ones and not found:
        raise Undecided(open_ones[0])
    return found
