"""Runs a job: fit, sample, quality, evaluate, audit, certify, gate, sign, each once, in one folder.

After an interruption the same job goes on. What spends, a fit and a releasable report, is never
done twice: it is noted before it begins, and where it began and left nothing, the job is refused
and says what is spent.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dpsynth.auditing.junit import Case, junit
from dpsynth.base.progress import stage
from dpsynth.evidence.bundle.checks import INTERNAL, NAME, read_manifest
from dpsynth.evidence.bundle.signatures import ENDING
from dpsynth.jobs.before import check_before
from dpsynth.jobs.file import STEPS, JobFile
from dpsynth.jobs.gate import STAMP, case_of_rules, cases, worst
from dpsynth.jobs.page import job_page
from dpsynth.jobs.record import Record, alone, digest_of, now, refuse_another
from dpsynth.jobs.report import account_after, make_report
from dpsynth.schema.table import Schema
from dpsynth.synthesizers.asking import fresh_seed
from dpsynth.synthesizers.drawing import draw_rows_to
from dpsynth.synthesizers.release import (
    MODEL,
    ROWS,
    fit_into,
    runs_of,
    saying_what_was_spent,
)
from dpsynth.synthesizers.table import Synthesizer

RELEASE = "release"
_UNFINISHED = ".release.unfinished"


@dataclass(frozen=True)
class Done:
    """How a job ended: the gate's verdict, what it asked, and which steps were done just now."""

    verdict: str
    asked: list[Case]
    steps: list[str]


@dataclass
class _Run:
    """A job under way: each step says what it depends on, and what it does."""

    job: JobFile
    record: Record

    @cached_property
    def given(self) -> dict[Path | str, str | None]:
        """The hash of each file that the job names; they may be large, so each is read once."""
        stated = [v for step in self.job.sections.values() for v in step.values()]
        files = {place for place in (self.job.schema, *stated) if isinstance(place, Path)}
        return {place: digest_of(place) for place in (self.job.data, *files)}

    @property
    def release(self) -> Path:
        return self.job.output / RELEASE

    @property
    def internal(self) -> Path:
        return self.job.output / INTERNAL

    @property
    def rows(self) -> Path:
        return self.release / f"{ROWS}{self.job.ending}"

    @property
    def schema(self) -> Schema:
        return Schema.load(self.job.schema)

    def inputs(self, step: str) -> dict[str, Any]:
        """What a step depends on: its settings, and its files by their hashes."""
        settings = self.job.of(step)
        found = {n: self.given[v] if isinstance(v, Path) else v for n, v in settings.items()}
        if step == "fit":
            data, schema = self.given[self.job.data], self.given[self.job.schema]
            ledger = os.path.relpath(self.job.ledger, self.job.file.parent)
            return {**found, "data": data, "schema": schema, "ledger": Path(ledger).as_posix()}
        if step == "sample":
            return {"rows": None, "format": None, "seed": self.record.seed, **found}
        found["table"] = digest_of(self.rows)
        if step in ("quality", "evaluate", "audit"):
            found["data"] = self.given[self.job.data]
        if step == "sign":
            found["manifest"] = read_manifest(self.release)[-1]["hash"]
        return found

    @property
    def unfinished(self) -> Path:
        return self.job.output / _UNFINISHED

    @property
    def is_fitted(self) -> bool:
        """Whether a fit left all of its files, noted or not."""
        return self.release.exists() or _is_whole(self.unfinished)

    def fit(self) -> list[Path]:
        self.refuse_fit()
        if not self.is_fitted:
            self._fit_anew(self.unfinished)
        if self.unfinished.exists():
            self.unfinished.rename(self.release)
        files = ("certificate.json", "certificate.html", MODEL, "schema.yaml")
        return [self.release / name for name in files]

    def refuse_fit(self) -> None:
        """ValueError where a fit that is not noted as done was begun, and may not go on."""
        begun = self.record.begun
        for place in (self.release, self.unfinished):
            if begun is None and place.exists():
                raise ValueError(
                    f"{place} is there, and {self.internal} does not say which job made it: put"
                    " that folder back, or give another output, which fits and spends"
                )
        if begun is None:
            return
        if self.is_fitted:
            refuse_another(self.job.output, "fit", begun["inputs"], self.inputs("fit"))
            return
        then = self.job.file.parent / begun["inputs"]["ledger"]  # the job may name another by now
        for ledger in dict.fromkeys((then, self.job.ledger)):
            if runs_of(ledger) - set(begun["runs"]):
                raise ValueError(
                    f"the fit of {self.job.file} began and left no model, and {ledger} has a run"
                    f" that may be its own: look at `dpsynth ledger show`, and at what is left in"
                    f" {self.unfinished}; to fit again, which spends again, give another output"
                )

    def _fit_anew(self, made: Path) -> None:
        spent = runs_of(self.job.ledger)
        self.record.begun = {"runs": sorted(spent), "inputs": self.inputs("fit"), "time": now()}
        self.record.save()
        shutil.rmtree(made, ignore_errors=True)
        synthesizer = synthesizer_of(self.job, self.schema)
        made.mkdir(parents=True)
        with saying_what_was_spent(synthesizer):
            fit_into(synthesizer, self.job.data, made)

    def sample(self) -> list[Path]:
        facts = self.job.of("sample")
        seed = facts.get("seed", self.record.seed)
        model = Synthesizer.load(self.release / MODEL)
        draw_rows_to(self.rows, model, facts.get("rows"), seed=seed)
        return [self.rows]

    def quality(self) -> list[Path]:
        return make_report(self.job, self.record, self.release, self.rows, self.inputs("quality"))

    def evaluate(self) -> list[Path]:
        from dpsynth.evaluation.fidelity import evaluate

        folder = self.internal / "quality"
        facts = self.job.of("evaluate")
        measured = Synthesizer.load(self.release / MODEL).free_report
        evaluate(self.rows, self.job.data, self.schema, measured=measured, **facts).save(folder)
        return sorted(folder.iterdir())

    def audit(self) -> list[Path]:
        from dpsynth.auditing.release.audit import audit

        facts = dict(self.job.of("audit"))
        holdout = facts.pop("holdout")
        report = audit(self.rows, self.job.data, holdout, schema=self.schema, **facts)
        folder = self.internal / "audit"
        report.save(folder)
        return sorted(folder.iterdir())

    def certify(self) -> list[Path]:
        from dpsynth.evidence.croissant import save_card
        from dpsynth.evidence.mapped import as_markdown, mapped
        from dpsynth.evidence.verify import read

        facts, made = self.job.of("certify"), []
        if facts.get("card"):
            made.append(save_card(self.release))
        for standard in facts.get("documents", ()):
            file = self.job.output / "documents" / f"{standard}.md"
            if not file.exists():  # one that is there may have a person's answers
                file.parent.mkdir(exist_ok=True)
                text = as_markdown(mapped(read(self.release), standard))
                new = file.with_suffix(".new")
                new.write_text(text, encoding="utf-8", newline="\n")
                new.replace(file)
            made.append(file)
        return made

    def gate(self) -> list[Case]:
        """What the gate asks; it is asked anew each time."""
        limits = self.job.of("gate")
        quality, audit = self._read("evaluate", "quality"), self._read("audit", "audit")
        asked = cases(limits, self.release, quality, audit, account_after(self.job, self.record))
        if "constraints" in limits:
            asked.append(case_of_rules(self.rows, self.schema, limits["constraints"]))
        (self.internal / "job.xml").write_text(
            junit(f"dpsynth run, {STAMP}", asked), encoding="utf-8"
        )
        return asked

    def show(self, asked: list[Case]) -> None:
        """Writes the page of the job: what was done from what, and what the gate asked."""
        steps = [step for step in STEPS if step in self.job.sections or step == "gate"]
        page = job_page(self.job, self.record, steps, asked)
        (self.internal / "job.html").write_text(page, encoding="utf-8", newline="\n")

    def sign(self) -> list[Path]:
        from dpsynth.evidence.sign import ROLE, refuse_inside, sign_release, signature_of
        from dpsynth.evidence.signing.ed25519 import load_private

        facts = dict(self.job.of("sign"))
        key = facts.pop("key")
        refuse_inside(key, self.release)
        private = load_private(key)
        made = signature_of(self.release, private, facts.get("role", ROLE))
        name = made.relative_to(self.job.output).as_posix()
        self.record.begun = {**(self.record.begun or {}), "sign": name}
        self.record.save()
        return [sign_release(self.release, private, **facts)]

    def take_signature_away(self) -> None:
        """Removes the job's signature, noted or not: a run may have ended right after it."""
        self.record.undo("sign")
        if name := (self.record.begun or {}).get("sign"):
            (self.job.output / name).unlink(missing_ok=True)

    def _read(self, step: str, name: str) -> dict[str, Any] | None:
        if step not in self.job.sections:
            return None
        text = (self.internal / name / f"{name}.json").read_text(encoding="utf-8")
        found: dict[str, Any] = json.loads(text)
        return found


def run_job(job: JobFile) -> Done:
    """Does what is left of a job, and asks its gate. Only what passes the gate is signed.

    ValueError, before anything is spent, where the folder holds what another job made.
    """
    check_before(job)
    job.output.mkdir(parents=True, exist_ok=True)
    with alone(job.output):
        run = _Run(job, Record.open(job.output, fresh_seed(None)))
        run.record.save()
        if run.release.is_dir():
            for left in (f"{NAME}.new", f"*{ENDING}.new"):  # by a run that was interrupted
                for file in run.release.glob(left):
                    file.unlink()
        done = [
            step for step in _WORK if step != "sign" and step in job.sections and _do(run, step)
        ]
        stage("asking the gate")
        asked = run.gate()
        verdict = worst(asked)
        if verdict != "PASS":
            run.take_signature_away()
        elif "sign" in job.sections and _do(run, "sign"):
            done.append("sign")
        run.show(asked)
        return Done(verdict, asked, done)


def plan_of(job: JobFile) -> dict[str, str]:
    """For each step of a job whether it is done already, or would be done. Nothing is changed.

    ValueError, or what the fit would raise, where the run would be refused. Rows are not read;
    where a step was done, files are compared by their hashes.
    """
    check_before(job)
    run = _Run(job, Record.open(job.output, 0))
    steps = [step for step in STEPS if step in job.sections or step == "gate"]
    found = {step: "done" if _is_done(run, step) else "to do" for step in steps}
    if found["fit"] == "to do":
        run.refuse_fit()
        if not run.is_fitted:
            synthesizer_of(job, run.schema).rehearse()
    return found


def synthesizer_of(job: JobFile, schema: Schema) -> Synthesizer:
    """The synthesizer that a job's fit uses."""
    facts = job.of("fit")
    return Synthesizer(
        schema,
        facts.get("mechanism", "auto"),
        epsilon=facts["epsilon"],
        delta=facts.get("delta", 1e-6),
        ledger=job.ledger.absolute(),
        purpose=facts.get("purpose", ""),
        approvals=dict(facts.get("approvals", {})),
        holdback=facts.get("holdback", 0.0),
        **facts.get("settings", {}),
    )


def _do(run: _Run, step: str) -> bool:
    """Does a step unless it is done; whether it was."""
    if _is_done(run, step):
        return False
    inputs = run.inputs(step)
    stage(step)
    started, work = now(), _WORK[step]
    run.record.done(step, inputs, work(run), started)
    return True


def _is_done(run: _Run, step: str) -> bool:
    """Whether a step is done. ValueError for a fit, or rows, that would have to be made again."""
    if step not in run.record.steps:
        return False
    inputs = run.inputs(step)
    if run.record.is_done(step, inputs):
        return True
    if step in ("fit", "sample", "quality"):
        refuse_another(run.job.output, step, run.record.steps[step]["inputs"], inputs)
        raise ValueError(
            f"{', '.join(run.record.changed(step))} in {run.job.output} was changed or removed"
            f" since the {step}: restore it, or give another output"
        )
    return False


def _is_whole(made: Path) -> bool:
    """Whether a fit left all of its files, and was interrupted only before they got their place."""
    try:
        kinds = {line["kind"] for line in read_manifest(made)}
    except ValueError:
        return False
    return {"certificate", "model", "schema"} <= kinds


_WORK: Mapping[str, Callable[[_Run], list[Path]]] = {
    "fit": _Run.fit,
    "sample": _Run.sample,
    "quality": _Run.quality,
    "evaluate": _Run.evaluate,
    "audit": _Run.audit,
    "certify": _Run.certify,
    "sign": _Run.sign,
}
