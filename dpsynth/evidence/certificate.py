"""Certificate: what is claimed for one release, and all that a reviewer needs to check it.

A certificate is a plain record, a function of public things only: the schema, the ledger, the
settings, the charged answers. It holds no row, no exact count, nothing that was not paid for, and
may be published with the release. A run whose noise came from a seed gets a certificate too, which
says NOT PRIVATE and claims nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dpsynth.base.places import expanded
from dpsynth.base.text import at_most, exact, printable, said
from dpsynth.base.versions import versions
from dpsynth.evidence import undeclared, verify, wording
from dpsynth.evidence.describe import Bounds, Facts, columns_in_words, constraints_in_words
from dpsynth.evidence.manifest import add_lines, line_of
from dpsynth.evidence.pages import render
from dpsynth.evidence.purposes import groups
from dpsynth.evidence.statement import (
    account_of,
    borrowed,
    cost_of,
    drawing,
    ended,
    kinds,
    over_periods,
    parts,
)
from dpsynth.kernel import budget as budgets
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.ledger import Ledger
from dpsynth.schema.columns import Identifier
from dpsynth.schema.relations import RelationalSchema
from dpsynth.schema.table import Schema

VERSION = verify.VERSION

_LARGE_DELTA = 0.1  # delta times rows: with this, a release of a whole row may happen once in ten
_SAME_FIGURE = 1e-6  # relative: machines differ in the last digits of Fourier transforms
_SAME_SUM = 1e-9  # relative: and less in sums


@dataclass(frozen=True, repr=False)
class Certificate:
    """The evidence for one release: what is claimed for it, and what it spent.

    Parameters
    ----------
    record : dict of str to object
        What certificate.json holds, in the format `dpsynth_certificate: 1` (docs/formats.md).

    Examples
    --------
    >>> import pandas as pd
    >>> from dpsynth import Boolean, Schema, Synthesizer
    >>> schema = Schema({"smoker": Boolean()})
    >>> patients = pd.DataFrame({"smoker": [True, False] * 500})
    >>> synth = Synthesizer(schema, epsilon=1.0, delta=1e-6, ledger=None).fit(patients)
    >>> synth.certificate.verify()
    >>> synth.certificate.private, synth.certificate.record["budget"]["epsilon"]
    (True, 1.0)
    """

    record: dict[str, Any]

    @classmethod
    def issue(
        cls,
        *,
        schema: Facts,
        ledger: Ledger,
        run: str,
        mechanism: str,
        settings: Mapping[str, Any],
        bounds: Bounds,
        released: Mapping[str, Any],
        cautions: Sequence[str] = (),
    ) -> Certificate:
        """Makes the certificate of one run.

        Unit, budget, noise, charges and head are read from the ledger, never given by the caller.

        Parameters
        ----------
        schema : Schema, ImageSchema or RelationalSchema
            The public facts.
        ledger : Ledger
            Where the run is recorded.
        run : str
            The run's id, `Accountant.run`.
        mechanism : str
            The mechanism's name.
        settings : mapping of str to object
            Its public settings.
        bounds : mapping of str to tuple of float
            Low and high of the numeric columns whose bounds were learned by charges.
        released : mapping of str to object
            Further charged or public facts, such as the noisy row count. "undeclared" has the noisy
            counts of what was not read as declared, by column (`undeclared_counts`).
        cautions : sequence of str
            What is known against a mechanism that is not ours.

        Returns
        -------
        Certificate
            With the record of this run.

        Raises
        ------
        ValueError
            When the ledger protects another unit than the schema, or has no such run.
        """
        lines = ledger.entries()
        begun = _beginning(lines, run)
        _check_unit(ledger.unit.using(begun.get("max_records")), schema)
        charges = [line for line in lines if line["kind"] == "charge" and line["run"] == run]
        steps = [line for line in lines if line["kind"] == "steps" and line["run"] == run]
        account = account_of(ledger, lines, run)
        told = parts(lines[0], begun, charges, steps)
        private = told["claim"]["private"]
        imported = [wording.declared(line["by"], line["time"]) for line in account["only"]]
        period = wording.periods(schema.unit, over_periods(charges, Budget(**told["budget"])))
        public = _cautions(schema, Budget(**told["budget"]), settings, released)
        record = {
            "dpsynth_certificate": VERSION,
            "claim": told["claim"],
            "budget": told["budget"],
            "spent": told["spent"],
            "schedule": told["schedule"],
            "cautions": [*period, *borrowed(charges, cautions), *imported, *public],
            "unit": told["unit"],
            "run": _run(lines, begun),
            "charges": told["charges"],
            "trainings": told["trainings"],
            "steps": steps,
            "ledger": account,
            "views": told["views"],
            "accounting": [
                *wording.without_id(schema.unit),
                *wording.accounting(private, *kinds(charges)),
            ],
            "schema": _described(schema, bounds),
            "mechanism": {"name": mechanism, "settings": settings},
            "released": released,
            "versions": versions(),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "not_promised": wording.NOT_PROMISED if private else wording.NOTHING_PROMISED,
        }
        return cls(_plain(record))

    @classmethod
    def load(cls, path: str | Path) -> Certificate:
        """Reads the certificate in a JSON file, and verifies it.

        Parameters
        ----------
        path : str or Path
            A certificate.json, or the directory that holds it.

        Returns
        -------
        Certificate
            With the record of the file.

        Raises
        ------
        OSError
            When the file cannot be read.
        ValueError
            When it is not a certificate of this format, or does not hold; the message says why.
        """
        file = expanded(path)
        file = file / "certificate.json" if file.is_dir() else file
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise ValueError(f"{file} is not a certificate: it is not JSON") from None
        certificate = cls(verify.parse(text, file))
        certificate.verify()
        return certificate

    @property
    def private(self) -> bool:
        """Whether anything is claimed: False for a run with a seed."""
        return bool(self.record["claim"]["private"])

    @property
    def model(self) -> str | None:
        """The SHA-256 of the model that the run released, as its last ledger line has it."""
        ended = self.record["run"]["ended"]
        return None if ended is None else ended.get("release")

    def verify(self) -> None:
        """Recomputes what is stated from the ledger lines that the certificate quotes.

        The independent verifier looks first (`evidence/verify.py`, as `dpsynth verify` does). Then
        the program that issues certificates makes again what follows from the lines. This finds
        slips and careless edits. A certificate that was rewritten as a whole, with lines that fit,
        is found by comparing it with the ledger itself.

        Raises
        ------
        ValueError
            When it does not hold; the message names each fault.
        """
        if not isinstance(self.record, dict) or not verify.is_of_format(self.record):
            raise ValueError(
                f"this is not a certificate of format {VERSION}: read it with the version of"
                " dpsynth that wrote it"
            )
        found = [outcome.fault for outcome in verify.examine(self.record) if outcome.fault]
        if not found:
            found = _restated(self.record)
        if found:
            raise ValueError(f"the certificate contradicts itself: {'; '.join(found)}")

    def to_json(self) -> str:
        """The text of certificate.json."""
        return render.to_json(self.record)

    def to_html(self) -> str:
        """The text of certificate.html: one self-contained page for those who approve a release."""
        columns = [column["name"] for column in self.record["schema"]["columns"]]
        digest = {
            "spent_on": groups(self.record["charges"], columns),
            "unread": undeclared.many(self.record["released"]),
        }
        return render.page("certificate", {**self.record, **digest})

    def save(self, directory: str | Path) -> Path:
        """Writes certificate.json and certificate.html, and lists both in the folder's manifest.

        Parameters
        ----------
        directory : str or Path
            Where; it is created if it does not exist.

        Returns
        -------
        Path
            The directory.

        Raises
        ------
        OSError
            When the files cannot be written; the message is one sentence.
        ValueError
            When the manifest there was changed.
        """
        files = {"certificate.json": self.to_json(), "certificate.html": self.to_html()}
        folder = render.save(expanded(directory), files)
        listed = line_of(folder / "certificate.json", "certificate", model=self.model)
        add_lines(folder, listed, line_of(folder / "certificate.html", "page"))
        return folder

    def summary(self) -> str:
        """A few lines for a terminal."""
        it = self.record
        budget = it["budget"]
        spent = at_most(it["spent"]["epsilon"])
        schema = it["schema"]
        facts = {
            "protects": it["unit"]["description"],
            "budget": f"epsilon {exact(budget['epsilon'])}, delta {exact(budget['delta'])}",
            "spent": f"epsilon {spent} in {len(it['charges'])} charges",
            "ledger": _account_in_words(it["ledger"]),
            "charges": wording.schedule(it["schedule"]["fixed"], it["schedule"]["epsilon"]),
            "noise": "the other program's own" if _all_programs(it) else it["run"]["noise"],
            "mechanism": it["mechanism"]["name"],
            "schema": f"{len(schema['columns'])} columns, sha256 {schema['sha256'][:16]}",
            "created": it["created"],
        }
        if it["unit"]["id_column"] is not None:
            facts["without id"] = wording.ROWS_WITHOUT_ID
        if it["trainings"]["resumed"]:
            facts["trained"] = wording.resumed(**it["trainings"])
        lines = [
            it["claim"]["sentence"],
            *it["cautions"],
            *(f"  {name:<10} {text}" for name, text in facts.items()),
        ]
        return str(printable(said("\n".join(lines))))

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return render.fragment("certificate", self.record)


def _check_unit(unit: PrivacyUnit, schema: Facts) -> None:
    if unit != schema.unit:
        raise ValueError(
            f"the ledger protects {unit.describe()}, the schema {schema.unit.describe()}:"
            " use a ledger that was created for this schema"
        )


def _described(schema: Facts, bounds: Bounds) -> dict[str, Any]:
    rules = constraints_in_words(schema)
    linked = schema.in_words() if isinstance(schema, RelationalSchema) else []
    return {
        "sha256": schema.fingerprint(),
        "columns": columns_in_words(schema, bounds),
        **({"constraints": rules} if rules else {}),
        **({"linked": linked} if linked else {}),
    }


def _beginning(lines: Sequence[dict[str, Any]], run: str) -> dict[str, Any]:
    """The ledger's line with which the run began."""
    begun = [line for line in lines if line["kind"] == "run" and line["run"] == run]
    if len(begun) != 1:
        raise ValueError(
            f"the ledger has no run {run!r}: give the ledger and the run of one accountant"
        )
    return begun[0]


def _run(lines: Sequence[dict[str, Any]], begun: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": begun["run"],
        "noise": begun["noise"],
        "line": begun,
        "drawing": drawing(lines, begun["run"]),
        "ended": ended(lines, begun["run"]),
    }


def _account_in_words(account: Mapping[str, Any]) -> str:
    spent = at_most(account["spent"]["epsilon"])
    allowed = exact(account["budget"]["epsilon"])
    if account["kept"] == "in a file":
        whose = "spent by all runs"
    else:
        whose = "spent; other fits are not counted"
    head = account["head"][:16]
    name = account["dataset"]
    if name == account["kept"] == "in memory":
        name = "none was kept"  # nobody named an account: this run had one of its own
    return f"{name}: epsilon {spent} of {allowed} {whose}; head {head}"


def _cautions(
    schema: Facts,
    budget: Budget,
    settings: Mapping[str, Any],
    released: Mapping[str, Any],
) -> list[str]:
    """Sentences about what is allowed but rarely intended."""
    found = []
    if budget.delta * max(1, released.get("rows", 1)) > _LARGE_DELTA:
        found.append(wording.LARGE_DELTA)
    columns = schema.columns if isinstance(schema, Schema) else {}
    if schema.unit.id_column is None and any(isinstance(c, Identifier) for c in columns.values()):
        found.append(wording.IDENTIFIER_WITHOUT_UNIT)
    if isinstance(schema, Schema) and schema.repeating:
        seen, dated = bool(released.get("rows_of_units")), bool(schema.unit.periods)
        found.append(wording.repeating(schema.repeating, seen, dated))
    if known := settings.get("known"):
        found.append(
            wording.known(sorted({str(marginal["source"]) for marginal in known}), len(known))
        )
    return [*found, *undeclared.cautions(released)]


def _all_programs(record: Mapping[str, Any]) -> bool:
    return kinds([charge["line"] for charge in record["charges"]])[1]


def _same(stated: Any, found: Any, tolerance: float) -> bool:
    """Whether a part of a record is as found: figures within a relative tolerance, else exactly."""
    if isinstance(found, Mapping):
        if stated.keys() != found.keys():
            return False
        return all(_same(stated[name], found[name], tolerance) for name in found)
    if isinstance(found, list):
        if len(stated) != len(found):
            return False
        return all(_same(*pair, tolerance) for pair in zip(stated, found, strict=True))
    if isinstance(found, float) and isinstance(stated, int | float):
        return math.isclose(stated, found, rel_tol=tolerance)
    return bool(stated == found)


def _restated(record: Mapping[str, Any]) -> list[str]:
    """A sentence for each part that differs from what follows from the quoted ledger lines.

    The independent verifier knows the price of a training from below only, and leaves a training of
    a few steps undecided; here the figures are those of the program that made them. A larger
    epsilon is no fault: other versions may have rounded up further.
    """
    charges = [charge["line"] for charge in record["charges"]]
    opened = record["ledger"]["line"]
    begun = record["run"]["line"]
    try:
        found = _plain(parts(opened, begun, charges, record["steps"]))
    except (TypeError, ValueError):
        return ["a ledger line that it quotes has no valid budget, unit or event"]
    stated = {name: record[name] for name in found}
    for name in ("spent", "schedule"):
        least = found[name]["epsilon"]
        if least <= stated[name]["epsilon"]:
            stated[name] = {**stated[name], "epsilon": least}
    odd = []
    if any(each not in record["cautions"] for each in undeclared.cautions(record["released"])):
        odd.append("its cautions are not what follows from its counts of values not read")
    for name in found:
        tolerance = _SAME_SUM if name in ("spent", "charges") else _SAME_FIGURE
        if not _same(stated[name], found[name], tolerance):
            odd.append(f"its {name} is not what follows from its ledger lines")
    if not budgets.fits(cost_of(charges), Budget(**found["budget"])):
        odd.append("its charges cost more than its budget")
    return odd


def _plain(value: Any) -> Any:
    """Public settings as JSON can hold them: what is not a number or container becomes text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return value if isinstance(value, float) and math.isfinite(value) else str(value)
