"""audit: what a release tells about its training records, beside records that it was not made from.

A holdout is what makes numbers out of suspicions: real records of the same population that the
synthesizer never saw. Whatever an attack achieves on these, the release does not give away; what it
achieves beyond that on the training records, it does. The test is exact (see `permutation`); the
intervals are of the usual kinds (see `intervals`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dpsynth.auditing.attacks.membership import Scene
from dpsynth.auditing.attacks.records import Records
from dpsynth.auditing.attacks.shadow import FitSample, Shadows, shadow_releases
from dpsynth.auditing.attacks.spelling import column_titles
from dpsynth.auditing.claim import PrivacyClaim
from dpsynth.auditing.release.attack_plan import EFFORTS, Plan, classifiers, trials
from dpsynth.auditing.release.audit_policy import AuditPolicy, PolicyViolationError
from dpsynth.auditing.release.claimed import claimed
from dpsynth.auditing.release.compared import Compared, open_all
from dpsynth.auditing.release.judgement import attack_finding, copies_finding, verdict_of
from dpsynth.auditing.release.next_step import (
    SAME_SPELLING,
    joined,
    of_findings,
    of_holdout,
    of_sample,
)
from dpsynth.auditing.release.preconditions import check_preconditions, check_unused
from dpsynth.auditing.release.report import AuditReport
from dpsynth.auditing.release.sizes import Parts
from dpsynth.auditing.release.trial import Trial
from dpsynth.auditing.statistics.permutation import Linear, joint_test
from dpsynth.base.progress import stage
from dpsynth.schema.table import Schema

__all__ = ["AuditPolicy", "AuditReport", "PolicyViolationError", "PrivacyClaim", "audit"]

Level = Literal["quick", "standard", "deep"]

NEARER = ("distance", "calibrated distance", "ensemble")
"""Attacks that a release cannot turn around without reason: see `preconditions.check_unused`."""

MAX_ROWS = EFFORTS["deep"].max_rows
"""Of each table, that any level compares record by record."""


_SEED = 20240607
"""Any number: it makes the same tables give the same report."""


def audit(
    synthetic: Any,
    train: Any,
    holdout: Any = None,
    *,
    reference: Any = None,
    schema: Schema | None = None,
    claim: PrivacyClaim | str | Path | None = None,
    level: Level = "quick",
    policy: AuditPolicy | str | Path | None = None,
    sensitive: Sequence[str] | None = None,
    keys: Sequence[str] = (),
    subgroups: Sequence[str] = (),
    focal: Sequence[Sequence[str]] = (),
    fit_sample: FitSample | None = None,
    shadows: int = 16,
    seed: int | None = None,
) -> AuditReport:
    """Attacks a release and says whether its training records are worse off than a holdout.

    Parameters
    ----------
    synthetic, train : DataFrame, Arrow table or path, as `Synthesizer.fit` takes them
        The release, and the real records that it was made from.
    holdout : table or path, optional
        Real records of the same population that were not used. Without one nothing can be
        concluded.
    reference : table or path, optional
        More real records, disjoint from the others, which only help the attacker.
    schema : Schema, optional
        Without one, types are drafted from the values, and values compared by what they say: 39,
        "39.0" and 39.0 are one. Where synthetic and real values of a column hardly meet, the
        report says so and is no PASS, with or without a schema.
    claim : PrivacyClaim or path of a certificate, optional
        What was promised; its ceilings stand beside what is found. By default that of the
        certificate.json beside a release in a file: in its folder, or in a folder of its name.
    level : {"quick", "standard", "deep"}
        "standard" adds classifiers (extra `audit`) and more random deals; "deep" takes more rows.
    policy : AuditPolicy or path, optional
        What is tolerated.
    sensitive : sequence of str, optional
        Columns whose values may be secret; by default all.
    keys : sequence of str
        Columns that an attacker may know, for CAP, which is left out without them.
    subgroups : sequence of str
        Columns whose groups are looked at one by one.
    focal : sequence of sequences of str
        Marginals that the synthesizer is known to keep.
    fit_sample : callable, optional
        From a DataFrame of real records to a release of them, by the synthesizer in question. It is
        run `shadows` times for attacks by shadow models, which know how it treats members; outside
        of any budget, as all here is.
    shadows : int
        4 or more.
    seed : int, optional
        Of row samples and random deals; None is a fixed one.

    Returns
    -------
    AuditReport
        Internal: exact, and not differentially private.

    Raises
    ------
    SchemaError
        A table cannot be read, or its columns are not the schema's; never for a value.
    ValueError
        A column, the level, the policy or the number of shadows is not what it should be, or the
        certificate does not hold.

    Examples
    --------
    Training records that were published as they are:

    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> people = pd.DataFrame(rng.normal(size=(400, 3)).round(3), columns=["a", "b", "c"])
    >>> train, holdout = people[:200], people[200:]
    >>> audit(train, train, holdout).verdict
    'FAIL'
    """
    if level not in EFFORTS:
        raise ValueError(f"level must be one of {list(EFFORTS)}, got {level!r}")
    learned = classifiers() if EFFORTS[level].classifier else None
    rules = _policy(policy)
    promised = claimed(claim, synthetic)
    given = {"synthetic": synthetic, "train": train, "holdout": holdout, "reference": reference}
    given = {name: table for name, table in given.items() if table is not None}
    stage("reading the tables")
    opened = open_all(given, schema)
    names = tuple(column_titles(opened["train"]) if schema is None else schema.coded)
    _check_names(names, sensitive or (), keys, subgroups, *focal)
    seed = _SEED if seed is None else seed
    plan = Plan(
        effort=EFFORTS[level],
        learned=learned,
        sensitive=sensitive,
        keys=tuple(keys),
        subgroups=tuple(subgroups),
        focal=tuple(map(tuple, focal)),
    )
    coins = np.empty(0)
    made: Sequence[Any] = ()
    if fit_sample is not None and holdout is not None:
        rng = np.random.default_rng([seed, shadows])
        made, coins = shadow_releases(fit_sample, train, holdout, shadows, rng, schema)
    compared = Compared.of(opened, made, schema)
    if holdout is None:
        return _without_holdout(compared, level, rules, promised)
    if fit_sample is not None:
        plan = replace(plan, shadows=Shadows(compared.releases, coins))
    return _audit(compared, plan, level, rules, promised, seed)


def _policy(policy: AuditPolicy | str | Path | None) -> AuditPolicy:
    if policy is None:
        return AuditPolicy()
    return policy if isinstance(policy, AuditPolicy) else AuditPolicy.load(policy)


@dataclass(frozen=True, eq=False)
class _Sample:
    """The rows that are compared record by record.

    scene: training records and holdout together, in random order. member: booleans, shape
    (records,), which of them are training records.
    """

    scene: Scene
    member: np.ndarray

    @classmethod
    def draw(
        cls,
        tables: Mapping[str, Records],
        plan: Plan,
        seed: int,
        rng: np.random.Generator,
    ) -> _Sample:
        kept = {name: _some(len(t), plan.effort.max_rows, rng) for name, t in tables.items()}
        few = {name: table.take(kept[name]) for name, table in tables.items()}
        records = few["train"].joined(few["holdout"])
        # In random order: what rounding does to a record, and which of two equal neighbours is
        # found, depends on its place, and the place must tell nothing of the label.
        order = rng.permutation(len(records))
        shadows = plan.shadows
        if shadows is not None:
            # Coins are for all training records, then all of the holdout.
            place = np.concatenate([kept["train"], len(tables["train"]) + kept["holdout"]])
            shadows = shadows.of(place[order])
        others = few.get("reference")
        scene = Scene(records.take(order), few["synthetic"], others, plan.focal, seed, shadows)
        return cls(scene, order < len(few["train"]))


def _audit(
    compared: Compared,
    plan: Plan,
    level: Level,
    policy: AuditPolicy,
    claim: PrivacyClaim | None,
    seed: int,
) -> AuditReport:
    tables = compared.tables
    rng = np.random.default_rng(seed)
    sample = _Sample.draw(tables, plan, seed, rng)
    scene = sample.scene
    member = sample.member
    deals = plan.effort.deals
    alpha = policy.invalid_alpha
    stage("comparing training records with the holdout")
    apart = check_preconditions(scene.records, member, scene.others, alpha, deals, rng)
    inside, outside = int(member.sum()), int((~member).sum())
    made = trials(scene, plan, Parts.of(inside, outside, policy), rng)
    stage("working out how often chance does as well")
    alone, adjusted = joint_test([each.statistic for each in made], member, deals, rng)
    copied = _copied(tables)
    unused = check_unused(_nearer(made), member, copied, alpha, deals, rng)
    preconditions = (*apart, unused)
    # Half of the false alarms are for copies (see `judgement`), half for the attacks.
    findings = [copies_finding(copied, policy)]
    for each, p, q in zip(made, alone.tolist(), adjusted.tolist(), strict=True):
        finding = attack_finding(each, member, p, min(1.0, 2 * q), policy, claim)
        if each.may_pass or finding.verdict == "FAIL":
            findings.append(finding)
    verdict, reasons = verdict_of(findings, preconditions)
    few = scene.synthetic
    rows = {name: len(table) for name, table in tables.items()}
    most = (plan.effort.max_rows, MAX_ROWS)
    steps = [of_findings(findings, policy, (inside, outside), most)]
    if verdict == "PASS" and len(few) < len(tables["synthetic"]):
        verdict = "INCONCLUSIVE"
        reasons = (_sampled(few, tables["synthetic"]),)
        steps = [of_sample(rows["synthetic"], MAX_ROWS)]
    if compared.unlike:
        reasons = (*compared.unlike, *(() if verdict == "PASS" else reasons))
        verdict = "INCONCLUSIVE" if verdict == "PASS" else verdict
        steps.insert(0, SAME_SPELLING)
    return AuditReport(
        verdict=verdict,
        reasons=reasons,
        level=level,
        rows=rows,
        copies=_copy_counts(tables),
        findings=tuple(findings),
        preconditions=preconditions,
        policy=policy,
        claim=claim,
        next_step=joined(steps) if verdict == "INCONCLUSIVE" else None,
    )


def _nearer(made: Sequence[Trial]) -> list[Linear]:
    """The statistics of the attacks that say how near the release is to members."""
    found = []
    for each in made:
        if isinstance(each.statistic, Linear) and each.measure == "auc" and each.attack in NEARER:
            found.append(each.statistic)
    return found


def _copied(tables: Mapping[str, Records]) -> np.ndarray:
    """How many training and holdout records have an exact copy in the release, and how many not.

    Shape (2, 2).
    """
    known = [np.isin(tables[name].same, tables["synthetic"].same) for name in ("train", "holdout")]
    return np.array([[k.sum(), (~k).sum()] for k in known])


def _sampled(few: Records, all_rows: Records) -> str:
    """Why such an audit cannot pass: a leak is seen no more often than its synthetic rows are."""
    return (
        f"only {len(few):,} of the {len(all_rows):,} synthetic rows were compared, so copies that"
        f" are not exact may lie among the others: audit a release of at most {MAX_ROWS:,} rows, at"
        " level deep if need be"
    )


def _without_holdout(
    compared: Compared, level: Level, policy: AuditPolicy, claim: PrivacyClaim | None
) -> AuditReport:
    tables = compared.tables
    step = of_holdout(len(tables["train"]), policy)
    reason = (
        "without a holdout nothing can be compared:"
        " give real records that the release was not made from"
    )
    copies = _copy_counts(tables)
    copied = (
        f"{copies['train']:,} of the {len(tables['synthetic']):,} synthetic rows are equal to a"
        " training record: only a holdout tells how many of them chance would give"
    )
    return AuditReport(
        verdict="INCONCLUSIVE",
        reasons=(reason, *([copied] if copies["train"] else []), *compared.unlike),
        level=level,
        rows={name: len(table) for name, table in tables.items()},
        copies=copies,
        findings=(),
        preconditions=(),
        policy=policy,
        claim=claim,
        next_step=joined([*([SAME_SPELLING] if compared.unlike else []), step]),
    )


def _copy_counts(tables: Mapping[str, Records]) -> dict[str, int]:
    """Synthetic rows that are equal to a record of each real table."""
    synthetic = tables["synthetic"].same
    found = {}
    for name, table in tables.items():
        if name != "synthetic":
            found[name] = int(np.isin(synthetic, table.same).sum())
    return found


def _some(rows: int, most: int, rng: np.random.Generator) -> np.ndarray:
    return np.arange(rows) if rows <= most else np.sort(rng.permutation(rows)[:most])


def _check_names(columns: Sequence[str], *lists: Sequence[str]) -> None:
    unknown = sorted({name for names in lists for name in names} - {*columns})
    if unknown:
        raise ValueError(
            f"the audit was asked about columns {unknown}, which the schema does not have: it has"
            f" {list(columns)}"
        )
