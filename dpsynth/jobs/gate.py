"""The gate of a job: whether a release may leave, by limits that the job's file states.

It holds back, and never fits again. Its answer depends on exact figures of private rows, so who
learns of it learns a little: keep it among those who may see the real records.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dpsynth.auditing.junit import Case
from dpsynth.data.engines.files import open_rows
from dpsynth.evidence.release import examine_release
from dpsynth.evidence.verify import read
from dpsynth.schema.table import Schema
from dpsynth.synthesizers.rule_check import kept_rules

STAMP = "INTERNAL: exact figures of private rows"
WAYS = {"columns": 1, "pairs": 2, "triples": 3}
"""What a limit on distances is of, by the number of columns that are compared together."""


def cases(
    limits: Mapping[str, Any],
    release: Path,
    quality: Mapping[str, Any] | None,
    audit: Mapping[str, Any] | None,
    account: float | None = None,
) -> list[Case]:
    """What the gate asks, each with its verdict. quality, audit: the records of these steps.

    account: the epsilon that the account had spent after a report was begun, which is paid for;
    None without one.
    """
    record = read(release)
    found = list(_verified(release))
    if not record["claim"]["private"]:
        found.append(Case("gate.claim", "claim", "FAIL", record["claim"]["sentence"]))
    issued = record["ledger"]["spent"]["epsilon"]
    for name, value in (
        ("epsilon", record["budget"]["epsilon"]),
        ("account_epsilon", issued if account is None else account),
    ):
        if name in limits:
            found.append(_at_most(f"gate.{name}", name.replace("_", " "), value, limits[name]))
    if quality is not None:
        found += _quality(limits, quality)
    if audit is not None and "audit" in limits:
        verdict = str(audit["verdict"])
        accepted = verdict in limits["audit"]
        text = f"the audit says {verdict}; accepted are {', '.join(limits['audit'])}"
        found.append(Case("gate.audit", "audit", "PASS" if accepted else verdict, text))
    return found


def worst(asked: Sequence[Case]) -> str:
    """The verdict of all together: a fault before an invalid audit, and that before no decision."""
    verdicts = [case.verdict for case in asked]
    return next(each for each in ("FAIL", "INVALID", "INCONCLUSIVE", "PASS") if each in verdicts)


def _verified(release: Path) -> Iterator[Case]:
    for outcome in examine_release(release):
        verdict = "FAIL" if outcome.fault else "INCONCLUSIVE" if outcome.undecided else "PASS"
        yield Case(
            "gate.verify", outcome.check, verdict, outcome.fault or outcome.undecided or "ok"
        )


def _quality(limits: Mapping[str, Any], quality: Mapping[str, Any]) -> Iterator[Case]:
    means = {way["columns"]: way["distance"] for way in quality["ways"]}
    for name, most in limits.get("distance", {}).items():
        yield _at_most("gate.distance", f"mean distance of {name}", means[WAYS[name]], most)
    if "outside_schema" in limits:
        outside = sum(column["outside_domain"] for column in quality["columns"])
        yield _at_most("gate.outside_schema", "values outside", outside, limits["outside_schema"])
    if "analyses" in limits:
        yield _kept(quality["analyses_kept"]["kept"], limits["analyses"])
    models = quality["downstream"]
    if "model_loss" in limits:
        best = models["learners"][0]
        name = f"the loss of {models['measure']} by {best['name']}"
        lost = _less(best["real"], best["synthetic"])
        yield _at_most("gate.model_loss", name, lost, limits["model_loss"])
    if "group_loss" in limits:
        found = [
            _of_group(group, models["measure"], limits["group_loss"]) for group in models["groups"]
        ]
        yield from found or [_without_groups("gate.group_loss")]
    if "group_share" in limits:
        rows = [quality["rows_real"], quality["rows_synthetic"]]
        found = [_share(group, rows, limits["group_share"]) for group in quality["groups"]]
        yield from found or [_without_groups("gate.group_share")]
    if "group_outcome" in limits:
        found = [_outcome(group, limits["group_outcome"]) for group in models["groups"]]
        yield from found or [_without_groups("gate.group_outcome")]


def case_of_rules(rows: Path, schema: Schema, least: float) -> Case:
    """Whether so large a share of the synthetic rows keeps every constraint of the schema."""
    kept = [each for _, each in kept_rules(open_rows(rows, schema), schema)]
    share = float(np.logical_and.reduce(kept).mean())
    name = "the share of rows that keep all constraints"
    text = f"{name} is {share:.6g}, and at least {least:.6g} is asked for"
    return Case("gate.constraints", name, "PASS" if share >= least else "FAIL", text)


def _share(group: Mapping[str, Any], rows: Sequence[int], most: float) -> Case:
    """How far a group's share of the rows is from that in the real rows. rows: of each table."""
    held = group["rows_real"], group["rows_synthetic"]
    shares = [own / of if of else None for own, of in zip(held, rows, strict=True)]
    return _moved(group, "share", "share of rows", shares, most)


def _outcome(group: Mapping[str, Any], most: float) -> Case:
    """How far a group's mean of the target is from that of the real rows."""
    means = [group["outcome_real"], group["outcome_synthetic"]]
    return _moved(group, "outcome", "mean of the target", means, most)


def _moved(
    group: Mapping[str, Any], what: str, name: str, both: Sequence[float | None], most: float
) -> Case:
    name = f"the change of the {name} in {group['column']} = {group['value']}"
    moved = _less(*both)
    if moved is None:
        text = f"{name} is not known: a table has no row of the group"
        return Case(f"gate.group_{what}", name, "INCONCLUSIVE", text)
    return _at_most(f"gate.group_{what}", name, abs(moved), most)


def _without_groups(limit: str) -> Case:
    text = "no group has a row among the real rows: name another column in evaluate.groups"
    return Case(limit, "groups", "INCONCLUSIVE", text)


def _kept(kept: float | None, least: float) -> Case:
    if kept is None:
        text = "no analysis could be made on the real rows: see quality.html"
        return Case("gate.analyses", "analyses", "INCONCLUSIVE", text)
    text = f"the share of estimates kept is {kept:.6g}, and at least {least:.6g} is asked"
    verdict = "PASS" if kept >= least * (1 - 1e-12) else "FAIL"
    return Case("gate.analyses", "analyses", verdict, text)


def _of_group(group: Mapping[str, Any], measure: str, most: float) -> Case:
    name = f"the loss of {measure} in {group['column']} = {group['value']}"
    if group["real"] is None:
        text = f"{name} is not known: too few rows of the holdout, or one class of the target only"
        return Case("gate.group_loss", name, "INCONCLUSIVE", text)
    lost = _less(group["real"], group["synthetic"])
    return _at_most("gate.group_loss", name, lost, most)


def _less(value: float | None, other: float | None) -> float | None:
    """The difference; None where one of both is not known."""
    return None if value is None or other is None else value - other


def _at_most(group: str, name: str, value: float | None, most: float) -> Case:
    """INCONCLUSIVE for a figure that is not known: what was not measured passes no limit."""
    if value is None or math.isnan(value):
        text = f"{name} is not known, and at most {most:.6g} is allowed"
        return Case(group, name, "INCONCLUSIVE", text)
    text = f"{name} is {value:.6g}, and at most {most:.6g} is allowed"
    return Case(group, name, "PASS" if value <= most * (1 + 1e-12) else "FAIL", text)
