"""What a job is refused for before it spends: all that a later step would stumble over.

A fit spends the budget. So each later step is asked beforehand whether it could be done: its files,
their columns, its settings. Of private rows nothing is read but the names of their columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dpsynth.base.places import keep_apart
from dpsynth.data.engines.files import open_source
from dpsynth.data.tables.codec import check_columns
from dpsynth.data.tables.writing import refuse_unwritable
from dpsynth.jobs.file import JobFile
from dpsynth.jobs.gate import WAYS
from dpsynth.schema.columns import SchemaError
from dpsynth.schema.table import Schema


def check_before(job: JobFile) -> None:
    """ValueError, or SchemaError, in one sentence, where a step of the job could not be done."""
    _sign(job)
    for name, place in _private(job):
        if isinstance(place, Path):
            keep_apart({"the output": job.output, name: place})
    schema = Schema.load(job.schema)
    refuse_unwritable(job.ending, schema)
    for step in ("quality", "evaluate", "audit"):
        if step in job.sections:
            schema.refuse_text()
            _holdout(job, step, schema)
    _report(job, schema)
    _models(job, schema)
    _audit(job, schema)
    if "constraints" in job.of("gate") and not schema.constraints:
        raise ValueError(
            "gate.constraints asks whether rows keep the schema's constraints, and the schema"
            " declares none: declare them, or leave that limit out"
        )
    for name in job.of("gate").get("distance", {}):
        if len(schema.coded) < WAYS[name]:
            raise ValueError(
                f"gate.distance limits {name}, and the schema has too few columns to compare for"
                " any: leave that limit out"
            )


def _private(job: JobFile) -> Iterator[tuple[str, Any]]:
    """What must not lie in the output, nor the output in it."""
    yield "the ledger", job.ledger
    yield "the data", job.data
    yield "the key", job.of("sign").get("key")
    for step in ("evaluate", "audit"):
        yield f"the holdout of {step}", job.of(step).get("holdout")


def _sign(job: JobFile) -> None:
    if "sign" in job.sections:
        from dpsynth.evidence.sign import check_facts
        from dpsynth.evidence.signing.ed25519 import load_private

        facts = dict(job.of("sign"))
        load_private(facts.pop("key"))
        check_facts(**facts)


def _holdout(job: JobFile, step: str, schema: Schema) -> None:
    """The holdout is a table that can be opened, and has the columns of the schema."""
    place = job.of(step).get("holdout")
    if place is not None:
        try:
            check_columns(open_source(place, schema).names, schema)
        except SchemaError as error:
            raise SchemaError(f"{step}.holdout: {error}") from None


def _report(job: JobFile, schema: Schema) -> None:
    """The columns that the releasable report groups by or correlates are there."""
    for key in ("groups", "numbers"):
        if unknown := sorted(set(job.of("quality").get(key, ())) - schema.coded.keys()):
            raise ValueError(
                f"quality.{key} names {', '.join(map(repr, unknown))}, and the schema has no such"
                " column to compare: correct it"
            )


def _models(job: JobFile, schema: Schema) -> None:
    """The target can be predicted, in groups that can be formed, by a package that is there; and
    the analyses can be made.
    """
    from dpsynth.evaluation.asked import check_analyses, read_analyses
    from dpsynth.evaluation.downstream import check_groups, check_target
    from dpsynth.evaluation.trials import learners_of

    facts = job.of("evaluate")
    target, event, groups = facts.get("target"), facts.get("event"), facts.get("groups", ())
    if event is not None and target is None:
        raise ValueError("evaluate.event needs the time until it: add evaluate.target")
    check_groups(schema, groups)
    if "analyses" in facts:
        check_analyses(read_analyses(facts["analyses"]), schema)
    if target is not None:
        if "holdout" not in facts:
            raise ValueError("evaluate.target needs rows to try models on: add evaluate.holdout")
        check_target(schema, target, groups, event)
        learners_of()


def _audit(job: JobFile, schema: Schema) -> None:
    from dpsynth.auditing.release.attack_plan import EFFORTS, classifiers
    from dpsynth.auditing.release.audit_policy import AuditPolicy

    facts = job.of("audit")
    level = facts.get("level", "quick")
    if level not in EFFORTS:
        raise ValueError(
            f"audit.level must be one of {', '.join(EFFORTS)}, got {level!r}: correct it"
        )
    if EFFORTS[level].classifier:
        classifiers()
    if "policy" in facts:
        AuditPolicy.load(facts["policy"])
    if unknown := sorted(set(facts.get("sensitive", ())) - schema.coded.keys()):
        raise ValueError(
            f"audit.sensitive names {', '.join(map(repr, unknown))}, and the schema has no such"
            " column to compare: correct it"
        )
