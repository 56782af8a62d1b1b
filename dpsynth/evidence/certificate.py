"""Certificate: what is claimed for one release, and everything that a reviewer needs to check the claim.

A certificate is a plain record, a function of public things only: the schema, the ledger, the settings, the charged
answers. It holds no row, no exact count, nothing that was not paid for, and may be published with the release.
A run whose noise came from a seed gets a certificate too, which says NOT PRIVATE and claims nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

from dpsynth.base.text import at_most, exact, printable
from dpsynth.evidence import wording
from dpsynth.evidence.describe import Bounds, columns_in_words
from dpsynth.evidence.pages import render
from dpsynth.evidence.statement import (
    Line,
    account_of,
    allowed,
    borrowed,
    charges_in_words,
    claim,
    cost_of,
    counted,
    ended,
    events_of,
    kinds,
    schedule,
    trainings,
    views,
)
from dpsynth.kernel import budget as budgets
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Event
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.ledger import SECURE, Ledger
from dpsynth.schema.columns import Identifier
from dpsynth.schema.images import ImageSchema
from dpsynth.schema.table import Schema

VERSION = 4

_LARGE_DELTA = 0.1
_PARTS = {
    "dpsynth_certificate", "claim", "budget", "spent", "schedule", "cautions", "unit", "run", "charges", "trainings",
    "steps", "ledger", "views", "accounting", "schema", "mechanism", "released", "versions", "created", "not_promised",
}  # fmt: skip
_PACKAGES = ("dpsynth", "numpy", "scipy", "pandas", "pyarrow", "mpmath")


@dataclass(frozen=True, repr=False)
class Certificate:
    """The evidence for one release, around a JSON record with the version `dpsynth_certificate: 4`."""

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
        """The certificate of one run. Unit, budget, noise, charges and head are read from the ledger, never stated.

        run: `Accountant.run`. bounds: of numeric columns, as learned by charges. released: further charged or public
        facts, such as the noisy row count. cautions: what is known against a mechanism that is not ours. Raises
        ValueError when the ledger protects another unit than the schema, or has no such run.
        """
        if ledger.unit != schema.unit:
            raise ValueError(f"the ledger protects {ledger.unit.describe()}, the schema {schema.unit.describe()}")
        lines = ledger.entries()
        begun = [line for line in lines if line["kind"] == "run" and line["run"] == run]
        if not begun:
            raise ValueError(f"the ledger has no run {run!r}: give the ledger and the run of one accountant")
        charges, steps = (
            [line for line in lines if line["kind"] == kind and line["run"] == run] for kind in ("charge", "steps")
        )
        budget = Budget(**begun[-1]["budget"])
        private = all(line["noise"] == SECURE for line in begun)
        record = {
            "dpsynth_certificate": VERSION,
            "claim": claim(private, budget, ledger.unit),
            "budget": asdict(budget),
            "spent": budgets.spent(cost_of(charges), budget).claim,
            "schedule": schedule(begun[-1], charges, budget),
            "cautions": [*borrowed(charges, cautions), *_cautions(schema, budget, settings, released)],
            "unit": {**asdict(ledger.unit), "description": ledger.unit.describe()},
            "run": {"id": run, "noise": begun[-1]["noise"], "line": begun[-1], "ended": ended(lines, run)},
            "charges": charges_in_words(charges, ledger.unit),
            "trainings": trainings(steps),
            "steps": steps,
            "ledger": account_of(ledger, lines, run),
            "views": {
                "budget": views(allowed(budget, events_of(charges))),
                "spent": views(events_of(charges)),
            },
            "accounting": wording.accounting(private, *kinds(charges)),
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
        """The certificate in a JSON file, or in the certificate.json of a directory, after `verify`."""
        file = Path(path) / "certificate.json" if Path(path).is_dir() else Path(path)
        try:
            certificate = cls(json.loads(file.read_text(encoding="utf-8"), parse_constant=_no_figure))
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise ValueError(f"{file} is not a certificate: it is not JSON") from None
        certificate.verify()
        return certificate

    @property
    def private(self) -> bool:
        """Whether anything is claimed at all: False for a seeded run."""
        return bool(self.record["claim"]["private"])

    def verify(self) -> None:
        """Recomputes what is stated from the ledger lines that the certificate quotes; ValueError if it does not hold.

        It shows slips and careless edits. Somebody who rewrites everything is found out by the ledger itself.
        """
        if not isinstance(self.record, dict) or self.record.get("dpsynth_certificate") != VERSION:
            raise ValueError(f"this is no certificate of version {VERSION}: update dpsynth, or give another file")
        try:
            faults = _faults(self.record)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ValueError("the certificate is incomplete or damaged: fetch it again from its maker") from None
        if faults:
            raise ValueError(f"the certificate contradicts itself: {'; '.join(faults)}")

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
        """Writes certificate.json and certificate.html into a directory, made if need be; returns the directory."""
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


def _faults(record: Mapping[str, Any]) -> list[str]:
    """Where the record says other things than the ledger lines that it quotes, or less than they cost."""
    opened, begun, end = record["ledger"]["line"], record["run"]["line"], record["run"]["ended"]
    charges, steps = [charge["line"] for charge in record["charges"]], record["steps"]
    quoted = [opened, begun, *charges, *steps, *([end] if end else [])]
    budget, unit = Budget(**begun["budget"]), PrivacyUnit(**opened["unit"])
    cost, private = cost_of(charges), begun["noise"] == SECURE
    stated, found = record["spent"]["epsilon"], budgets.spent(cost, budget).epsilon
    checks = {
        "a ledger line was changed": all(line["hash"] == _line_hash(line) for line in quoted),
        "a line is of another run": {line["run"] for line in quoted[1:]} == {record["run"]["id"]},
        "lines of its run are left out": record["ledger"]["lines"] - len(quoted) - record["ledger"]["other_lines"]
        in ((1,) if charges else (0, 1)),  # a run that reads rows or charges has a drawing line, which is not quoted
        "its mechanism is not that of its run": begun["mechanism"] in ("", record["mechanism"]["name"]),
        "its schema is not that of its run": begun["schema"] in ("", record["schema"]["sha256"]),
        "its steps are not what a ledger counts": counted(charges, steps),
        "its charges are no guarantee for its unit": all(_serves(event, unit) for event in events_of(charges)),
        "its trainings are told otherwise than their lines": record["trainings"] == trainings(steps),
        "its claim is not that of its run": record["claim"] == claim(private, budget, unit),
        "its noise is not that of its run": record["run"]["noise"] == begun["noise"],
        "its budget is not that of its run": record["budget"] == asdict(budget),
        "its unit is not that of its ledger": record["unit"] == {**asdict(unit), "description": unit.describe()},
        "its charges cost more than its budget": budgets.fits(cost, budget),
        "its account is not that of its ledger": all(record["ledger"][k] == opened[k] for k in ("budget", "dataset")),
        "its charges are told otherwise than their lines": record["charges"] == charges_in_words(charges, unit),
        "another program's claim is not marked as such": set(borrowed(charges, ())) <= set(record["cautions"]),
        "its schedule is not that of its run": _agrees(record["schedule"], schedule(begun, charges, budget)),
        f"its charges cost epsilon {at_most(found)}, and it states {stated:g}": found <= stated * (1 + 1e-9),
        "its account has spent less than its run": budgets.spent(cost, Budget(**opened["budget"])).epsilon
        <= record["ledger"]["spent"]["epsilon"] * (1 + 1e-9),
        "its charges amount to other views": _near(record["views"]["spent"], views(events_of(charges))),
        "it does not say how it counts, or what is not promised": record["accounting"] and record["not_promised"],
        "parts of it are missing": _PARTS <= record.keys() <= {*_PARTS, "files"},
    }
    return [fault for fault, holds in checks.items() if not holds]


def _near(stated: Any, found: Any) -> bool:
    """Whether two records of figures are the same to a millionth."""
    if isinstance(found, Mapping):
        return stated.keys() == found.keys() and all(_near(stated[name], found[name]) for name in found)
    return stated == found or (None not in (stated, found) and math.isclose(stated, found, rel_tol=1e-6))


def _no_figure(name: str) -> NoReturn:
    raise json.JSONDecodeError(f"{name} is no figure", name, 0)


def _serves(event: Event, unit: PrivacyUnit) -> bool:
    try:
        event.refuse(unit)
    except ValueError:
        return False
    return True


def _agrees(stated: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Whether a schedule states what is found, and no smaller epsilon."""
    others = all(stated[name] == found[name] for name in ("fixed", "delta"))
    return others and found["epsilon"] <= stated["epsilon"] * (1 + 1e-6)


def _line_hash(line: Line) -> str:
    """The hash of a ledger line, as `privacy.ledger` writes it: any program can compute it from the JSON alone."""
    canonical = json.dumps({k: v for k, v in line.items() if k != "hash"}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


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
