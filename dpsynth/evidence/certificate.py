"""Certificate: what is claimed for one release, and everything that a reviewer needs to check the
claim.

A certificate is a plain record, a function of public things only: the schema, the ledger, the
settings, the charged answers. It holds no row, no exact count, nothing that was not paid for, and
may be published with the release. A run whose noise came from a seed gets a certificate too, which
says NOT PRIVATE and claims nothing.
"""

from __future__ import annotations

import hashlib
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from dpsynth.base.text import at_most, exact, printable
from dpsynth.evidence import verify, wording
from dpsynth.evidence.describe import Bounds, columns_in_words
from dpsynth.evidence.pages import render
from dpsynth.evidence.statement import account_of, borrowed, cost_of, drawing, ended, kinds, parts
from dpsynth.kernel import budget as budgets
from dpsynth.kernel.budget import Budget
from dpsynth.ledger.ledger import Ledger
from dpsynth.schema.columns import Identifier
from dpsynth.schema.images import ImageSchema
from dpsynth.schema.table import Schema

VERSION = verify.VERSION

_LARGE_DELTA = 0.1  # delta times rows: with this, a release of a whole row may happen once in ten
_SAME_FIGURE = 1e-6  # relative: machines differ in the last digits of Fourier transforms
_SAME_SUM = 1e-9  # relative: and less in sums
_PACKAGES = ("dpsynth", "numpy", "scipy", "pandas", "pyarrow", "mpmath")


@dataclass(frozen=True, repr=False)
class Certificate:
    """The evidence for one release, around a JSON record with the version `dpsynth_certificate: 5`."""

    record: dict[str, Any]

    @classmethod
    def issue(
        cls,
        *,
        schema: Schema | ImageSchema,
        ledger: Ledger,
        run: str,
        mechanism: str,
        settings: Mapping[str, Any],
        bounds: Bounds,
        released: Mapping[str, Any],
        cautions: Sequence[str] = (),
    ) -> Certificate:
        """The certificate of one run.

        Unit, budget, noise, charges and head are read from the ledger, never stated.

        run: `Accountant.run`. bounds: of numeric columns, as learned by charges. released: further
        charged or public facts, such as the noisy row count. cautions: what is known against a
        mechanism that is not ours. Raises ValueError when the ledger protects another unit than the
        schema, or has no such run.
        """
        if ledger.unit != schema.unit:
            raise ValueError(f"the ledger protects {ledger.unit.describe()}, the schema {schema.unit.describe()}")
        lines = ledger.entries()
        begun = [line for line in lines if line["kind"] == "run" and line["run"] == run]
        if len(begun) != 1:
            raise ValueError(f"the ledger has no run {run!r}: give the ledger and the run of one accountant")
        charges, steps = (
            [line for line in lines if line["kind"] == kind and line["run"] == run] for kind in ("charge", "steps")
        )
        account = account_of(ledger, lines, run)
        told = parts(lines[0], begun[0], charges, steps)
        private, budget = told["claim"]["private"], Budget(**told["budget"])
        record = {
            "dpsynth_certificate": VERSION,
            "claim": told["claim"],
            "budget": told["budget"],
            "spent": told["spent"],
            "schedule": told["schedule"],
            "cautions": [
                *borrowed(charges, cautions),
                *(wording.declared(line["by"], line["time"]) for line in account["only"]),
                *_cautions(schema, budget, settings, released),
            ],
            "unit": told["unit"],
            "run": {
                "id": run,
                "noise": begun[0]["noise"],
                "line": begun[0],
                "drawing": drawing(lines, run),
                "ended": ended(lines, run),
            },
            "charges": told["charges"],
            "trainings": told["trainings"],
            "steps": steps,
            "ledger": account,
            "views": told["views"],
            "accounting": [
                *wording.without_id(ledger.unit.id_column, ledger.unit.max_records),
                *wording.accounting(private, *kinds(charges)),
            ],
            "schema": {"sha256": schema.fingerprint(), "columns": columns_in_words(schema, bounds)},
            "mechanism": {"name": mechanism, "settings": settings},
            "released": released,
            "versions": _versions(),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "not_promised": wording.NOT_PROMISED if private else wording.NOTHING_PROMISED,
        }
        return cls(_plain(record))

    @classmethod
    def load(cls, path: str | Path) -> Certificate:
        """The certificate in a JSON file, after `verify`.

        Parameters
        ----------
        path : a certificate.json, or the directory that holds it.

        Raises
        ------
        OSError : the file cannot be read.
        ValueError : it is no certificate of this version, or does not hold; the sentence says why.
        """
        file = Path(path) / "certificate.json" if Path(path).is_dir() else Path(path)
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise ValueError(f"{file} is not a certificate: it is not JSON") from None
        certificate = cls(verify.parse(text, file))
        certificate.verify()
        return certificate

    @property
    def private(self) -> bool:
        """Whether anything is claimed at all: False for a seeded run."""
        return bool(self.record["claim"]["private"])

    def verify(self) -> None:
        """Recomputes what is stated from the ledger lines that the certificate quotes.

        The independent verifier looks first (`evidence/verify.py`, as `dpsynth verify` does); then
        what follows from the lines is made again by the program that issues certificates. It shows
        slips and careless edits. Somebody who rewrites everything is found out by the ledger
        itself.

        Raises ------ ValueError : it does not hold; a sentence for each fault.
        """
        if not isinstance(self.record, dict) or self.record.get("dpsynth_certificate") != VERSION:
            raise ValueError(f"this is no certificate of version {VERSION}: update dpsynth, or give another file")
        found = [outcome.fault for outcome in verify.examine(self.record) if outcome.fault]
        if not found:
            found = [f"its {name} would read otherwise, made again from its lines" for name in _restated(self.record)]
        if found:
            raise ValueError(f"the certificate contradicts itself: {'; '.join(found)}")

    def to_json(self) -> str:
        return render.to_json(self.record)

    def to_html(self) -> str:
        """One self-contained page for a reader who signs for the release."""
        return render.page("certificate", self.record)

    def listing(self, *files: str | Path) -> Certificate:
        """The same certificate, which names these files of the release with their SHA-256."""
        hashes = {Path(file).name: hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files}
        return Certificate({**self.record, "files": hashes})

    def save(self, directory: str | Path) -> Path:
        """Writes certificate.json and certificate.html into a directory, made if need be; returns
        the directory.
        """
        return render.save(directory, {"certificate.json": self.to_json(), "certificate.html": self.to_html()})

    def summary(self) -> str:
        """A few lines for a terminal."""
        it = self.record
        budget, spent = it["budget"], at_most(it["spent"]["epsilon"])
        account = f"epsilon {at_most(it['ledger']['spent']['epsilon'])} of {exact(it['ledger']['budget']['epsilon'])}"
        whose = "spent by all runs" if it["ledger"]["kept"] == "in a file" else "spent; other fits are not counted"
        facts = {
            "protects": it["unit"]["description"],
            "budget": f"epsilon {exact(budget['epsilon'])}, delta {exact(budget['delta'])}",
            "spent": f"epsilon {spent} in {len(it['charges'])} charges",
            "ledger": f"{it['ledger']['dataset']}: {account} {whose}; head {it['ledger']['head'][:16]}",
            "schedule": wording.schedule(it["schedule"]["fixed"], it["schedule"]["epsilon"]),
            "noise": "the other program's own" if _all_foreign(it) else it["run"]["noise"],
            "mechanism": it["mechanism"]["name"],
            "schema": f"{len(it['schema']['columns'])} columns, sha256 {it['schema']['sha256'][:16]}",
            "created": it["created"],
        }
        if it["unit"]["id_column"] is not None:
            facts["without id"] = wording.ROWS_WITHOUT_ID
        if it["trainings"]["resumed"]:
            facts["trained"] = wording.resumed(**it["trainings"])
        lines = [it["claim"]["sentence"], *it["cautions"], *(f"  {name:<10} {text}" for name, text in facts.items())]
        return str(printable("\n".join(lines)))

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return render.fragment("certificate", self.record)


def _cautions(
    schema: Schema | ImageSchema, budget: Budget, settings: Mapping[str, Any], released: Mapping[str, Any]
) -> list[str]:
    """Sentences for what is allowed and yet seldom meant."""
    found = []
    if budget.delta * max(1, released.get("rows", 1)) > _LARGE_DELTA:
        found.append(wording.LARGE_DELTA)
    columns = schema.columns if isinstance(schema, Schema) else {}
    if schema.unit.id_column is None and any(isinstance(c, Identifier) for c in columns.values()):
        found.append(wording.IDENTIFIER_WITHOUT_UNIT)
    if known := settings.get("known"):
        found.append(wording.known(sorted({str(marginal["source"]) for marginal in known}), len(known)))
    return found


def _all_foreign(record: Mapping[str, Any]) -> bool:
    return kinds([charge["line"] for charge in record["charges"]])[1]


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}}


@cache
def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed as a package"


def _same(stated: Any, found: Any, tolerance: float) -> bool:
    """Whether a part of a record is what the lines give, in words and, but for a relative
    tolerance, in figures.
    """
    if isinstance(found, Mapping):
        return stated.keys() == found.keys() and all(_same(stated[name], found[name], tolerance) for name in found)
    if isinstance(found, list):
        return len(stated) == len(found) and all(_same(*pair, tolerance) for pair in zip(stated, found, strict=True))
    if isinstance(found, float) and isinstance(stated, int | float):
        return math.isclose(stated, found, rel_tol=tolerance)
    return bool(stated == found)


def _restated(record: Mapping[str, Any]) -> list[str]:
    """Parts that would read otherwise if the certificate were made again from the lines that it
    quotes.

    The independent verifier knows the price of a training from below only, and leaves a training of
    a few steps undecided; here the figures are those of the program that made them. A larger
    epsilon is no fault: other versions may have rounded up further.
    """
    charges = [charge["line"] for charge in record["charges"]]
    try:
        found = _plain(parts(record["ledger"]["line"], record["run"]["line"], charges, record["steps"]))
    except (TypeError, ValueError):
        return ["ledger line"]  # no budget, unit or event that the kernel would accept
    stated = {name: record[name] for name in found}
    for name in ("spent", "schedule"):
        least, said = found[name]["epsilon"], stated[name]["epsilon"]
        if least <= said:
            stated[name] = {**stated[name], "epsilon": least}
    tolerances = {"spent": _SAME_SUM, "charges": _SAME_SUM}
    odd = [name for name in found if not _same(stated[name], found[name], tolerances.get(name, _SAME_FIGURE))]
    return odd if budgets.fits(cost_of(charges), Budget(**found["budget"])) else [*odd, "charges within its budget"]


def _plain(value: Any) -> Any:
    """Public settings as JSON can hold them: what is no number, text or container becomes text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return value if isinstance(value, float) and math.isfinite(value) else str(value)
