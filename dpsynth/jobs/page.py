"""The page of a job: each step with its files, what it was made from, and what the gate asked.

INTERNAL, like the record that it shows: it has hashes of private rows and exact figures of them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from dpsynth.auditing.junit import Case
from dpsynth.evidence.bundle.checks import INTERNAL
from dpsynth.evidence.pages import render
from dpsynth.jobs.file import STEPS, JobFile
from dpsynth.jobs.gate import STAMP, worst
from dpsynth.jobs.record import Record

_PAGES = {
    "release/certificate.html": "What is promised, and what it cost",
    "release/releasable.html": "How close the release is to the real rows (releasable)",
    "internal/quality/quality.html": "How close the release is to the real rows (internal)",
    "internal/audit/audit.html": "What attacks find (internal)",
}


def job_page(job: JobFile, record: Record, steps: Sequence[str], asked: Sequence[Case]) -> str:
    """One self-contained HTML page, whose links lead to the other files of the job's folder."""
    fit = record.steps["fit"]
    made = [_step(record, step) for step in steps]
    return render.page(
        "job",
        {
            "job": job.file.name,
            "output": job.output.name,
            "verdict": worst(asked),
            "asked": sorted(asked, key=lambda case: case.verdict == "PASS"),
            "steps": made,
            "signed": "sign" in record.steps,
            "signs": "sign" in steps,
            "pages": [
                {"href": _link(name), "says": says}
                for name, says in _PAGES.items()
                if (record.folder / name).is_file()
            ],
            "epsilon": fit["inputs"]["epsilon"],
            "purpose": fit["inputs"].get("purpose"),
            "ledger": fit["inputs"]["ledger"],
            "seconds": sum(step["seconds"] or 0 for step in made),
            "versions": fit["versions"],
            "earlier": [each["step"] for each in record.earlier],
            "internal": STAMP,
        },
    )


def _step(record: Record, step: str) -> dict[str, Any]:
    note = record.steps.get(step)
    facts = {"name": step, "makes": STEPS[step], "done": note is not None}
    if note is None:
        return {**facts, "ended": None, "seconds": None, "files": [], "inputs": {}}
    began, ended = (datetime.fromisoformat(note[key]) for key in ("started", "ended"))
    return {
        **facts,
        "ended": note["ended"][:19].replace("T", " "),
        "seconds": (ended - began).total_seconds(),
        "files": [
            {"name": name, "href": _link(name), "hash": (digest or "")[:12]}
            for name, digest in note["files"].items()
        ],
        "inputs": note["inputs"],
    }


def _link(name: str) -> str:
    """From the page, which lies in the internal folder, to a file of the job's folder."""
    return Path(os.path.relpath(name, INTERNAL)).as_posix()
