"""The gate of a job: whether a release may leave, by limits that the job's file states.

It holds back, and never fits again. Its answer depends on exact figures of private rows, so who
learns of it learns a little: keep it among those who may see the real records.
"""

from __future__ import annotations

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
) -> list[Case]:
    """What the gate asks, each with its verdict. quality, audit: the records of these steps."""
    record = read(release)
    found = list(_verified(release))
    if not record["claim"]["private"]:
        found.append(Case("gate.claim", "claim", "FAIL", record["claim"]["sentence"]))
    for name, value in (
        ("epsilon", record["budget"]["epsilon"]),
        ("account_epsilon", record["ledger"]["spent"]["epsilon"]),
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
        lost = best["real"] - best["synthetic"]
        name = f"the loss of {models['measure']} by {best['name']}"
        yield _at_most("gate.model_loss", name, lost, limits["model_loss"])
    if "group_loss" in limits:
        for group in models["groups"]:
            yield _of_group(group, models["measure"], limits["group_loss"])
    for limit, name in (("group_share", "share of rows"), ("group_outcome", "mean of the target")):
        if limit in limits:
            for group in models["groups"]:
                yield _moved(group, limit, name, limits[limit])


def case_of_rules(rows: Path, schema: Schema, least: float) -> Case:
    """Whether so large a share of the synthetic rows keeps every constraint of the schema."""
    kept = [each for _, each in kept_rules(open_rows(rows, schema), schema)]
    share = float(np.logical_and.reduce(kept).mean())
    name = "the share of rows that keep all constraints"
    text = f"{name} is {share:.6g}, and at least {least:.6g} is asked for"
    return Case("gate.constraints", name, "PASS" if share >= least else "FAIL", text)


def _moved(group: Mapping[str, Any], limit: str, name: str, most: float) -> Case:
    """How far a group's share, or its mean of the target, is from that of the real rows."""
    what = limit.removeprefix("group_")
    real, synthetic = group[f"{what}_real"], group[f"{what}_synthetic"]
    name = f"the change of the {name} in {group['column']} = {group['value']}"
    if real is None or synthetic is None:
        text = f"{name} is not known: a table has no row of the group"
        return Case(f"gate.{limit}", name, "INCONCLUSIVE", text)
    return _at_most(f"gate.{limit}", name, abs(synthetic - real), most)


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
    return _at_most("gate.group_loss", name, group["real"] - group["synthetic"], most)


def _at_most(group: str, name: str, value: float, most: float) -> Case:
    text = f"{name} is {value:.6g}, and at most {most:.6g} is allowed"
    return Case(group, name, "PASS" if value <= most * (1 + 1e-12) else "FAIL", text)
