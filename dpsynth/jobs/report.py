"""The step `quality` of a job: a report that may be published, paid for once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dpsynth.jobs.file import JobFile
from dpsynth.jobs.record import Record, refuse_another
from dpsynth.synthesizers.release import MODEL, runs_of, spent_of


def make_report(
    job: JobFile, record: Record, release: Path, rows: Path, inputs: Mapping[str, Any]
) -> list[Path]:
    """The report's files, which are made and paid for unless an interrupted run has done so.

    ValueError where one is there that this step did not make, or that was paid for and is gone.
    """
    from dpsynth.synthesizers.paid_quality import evaluate_releasable
    from dpsynth.synthesizers.releasable_quality import FILES, list_report

    files, spent = [release / name for name in FILES], runs_of(job.ledger)
    before = (record.begun or {}).get("quality")
    if left := [file for file in files if file.exists()]:  # by a run that was interrupted
        if before is None:
            raise ValueError(
                f"{left[0]} is there, and no step of this job made it: move the report elsewhere,"
                " or take quality out of the job"
            )
        refuse_another(job.output, "quality", before["inputs"], inputs)
    if before is not None and len(left) == len(files):
        list_report(release)
        _note(record, {**before, "account_epsilon": spent_of(job.ledger)})
        return files
    if before is not None and spent - set(before["runs"]):
        raise ValueError(
            f"the quality report of {job.file} began and left nothing, and {job.ledger} has a run"
            " that may be its own: take quality out of the job to go on without it, or give"
            " another output, which fits and spends again"
        )
    begun = {"runs": sorted(spent), "inputs": dict(inputs)}
    _note(record, begun)
    fit = job.of("fit")
    evaluate_releasable(
        release / MODEL,
        job.data,
        ledger=job.ledger.absolute(),
        rows=rows,
        purpose=fit.get("purpose", ""),
        approvals=dict(fit.get("approvals", {})),
        **job.of("quality"),
    ).save(release)
    _note(record, {**begun, "account_epsilon": spent_of(job.ledger)})
    return files


def account_after(job: JobFile, record: Record) -> float | None:
    """What all runs of the account had spent when the report was made; None where none was begun.

    What it is now, where a report was begun and left nothing: that has spent, too.
    """
    begun = (record.begun or {}).get("quality")
    if begun is None:
        return None
    noted: float | None = begun.get("account_epsilon")
    return spent_of(job.ledger) if noted is None else noted


def _note(record: Record, made: Mapping[str, Any]) -> None:
    record.begun = {**(record.begun or {}), "quality": dict(made)}
    record.save()
