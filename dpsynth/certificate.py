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
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from statistics import NormalDist
from typing import Any

from dpsynth.columns import Boolean, Categorical, Column, Datetime, Identifier, Numeric, Text
from dpsynth.privacy import budget as budgets
from dpsynth.privacy import curves, fixed, sampled
from dpsynth.privacy.budget import NOTHING, Budget, Cost
from dpsynth.privacy.events import DpSgd, Event, Foreign, Gaussian, event_from_dict
from dpsynth.privacy.ledger import Ledger
from dpsynth.privacy.unit import PrivacyUnit
from dpsynth.report import render, wording
from dpsynth.report.text import at_most, clip, exact, printable, short
from dpsynth.schema import Schema

VERSION = 3
RDP_ORDERS = (2, 4, 8, 16, 32, 64)

_PRIVATE_NOISE = "operating system"
_LISTED = 12
_LARGE_DELTA = 0.1
_UNITS = {"D": "day", "h": "hour", "min": "minute", "s": "second"}
_PACKAGES = ("dpsynth", "numpy", "scipy", "pandas", "pyarrow", "mpmath")

Bounds = Mapping[str, tuple[float, float]]
Line = dict[str, Any]


@dataclass(frozen=True, repr=False)
class Certificate:
    """The evidence for one release, around a JSON record with the version `dpsynth_certificate: 2`."""

    record: dict[str, Any]

    @classmethod
    def issue(
        cls,
        *,
        schema: Schema,
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
        charges = [line for line in lines if line["kind"] == "charge" and line["run"] == run]
        budget = Budget(**begun[-1]["budget"])
        private = all(line["noise"] == _PRIVATE_NOISE for line in begun)
        record = {
            "dpsynth_certificate": VERSION,
            "claim": _claim(private, budget, ledger.unit),
            "budget": asdict(budget),
            "spent": budgets.spent(_cost(charges), budget).claim,
            "schedule": _schedule(begun[-1], charges, budget),
            "cautions": [*_borrowed(charges, cautions), *_cautions(schema, budget, settings, released)],
            "unit": {**asdict(ledger.unit), "description": ledger.unit.describe()},
            "run": {"id": run, "noise": begun[-1]["noise"], "line": begun[-1]},
            "charges": _charges(charges, ledger.unit),
            "ledger": _account(ledger, lines, run),
            "views": {
                "budget": _views(_allowed(budget)),
                "spent": _views(_events(charges)),
            },
            "accounting": wording.accounting(private, *_kinds(charges)),
            "schema": {"sha256": schema.fingerprint(), "columns": _columns(schema, bounds)},
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
            certificate = cls(json.loads(file.read_text(encoding="utf-8")))
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
        lines = [it["claim"]["sentence"], *it["cautions"], *(f"  {name:<10} {text}" for name, text in facts.items())]
        return str(printable("\n".join(lines)))

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return render.fragment("certificate", self.record)


def _claim(private: bool, budget: Budget, unit: PrivacyUnit) -> dict[str, Any]:
    """The claim; for a seeded run the same form with nothing in it."""
    sentence = wording.claim(private, budget.epsilon, budget.delta, unit.describe())
    if not private:
        return {"private": False, "sentence": sentence, "meaning": None, "epsilon": None, "delta": None}
    secret = wording.secret(unit.id_column, unit.max_records, unit.adjacency)
    meaning = wording.meaning(secret, _percent_right(budget))
    return {"private": True, "sentence": sentence, "meaning": meaning, **budget.claim}


def _cautions(schema: Schema, budget: Budget, settings: Mapping[str, Any], released: Mapping[str, Any]) -> list[str]:
    """Sentences for what is allowed and yet seldom meant."""
    found = []
    if budget.delta * max(1, released.get("rows", 1)) > _LARGE_DELTA:
        found.append(wording.LARGE_DELTA)
    if schema.unit.id_column is None and any(isinstance(c, Identifier) for c in schema.columns.values()):
        found.append(wording.IDENTIFIER_WITHOUT_UNIT)
    if known := settings.get("known"):
        found.append(wording.known(sorted({str(marginal["source"]) for marginal in known}), len(known)))
    return found


def _all_foreign(record: Mapping[str, Any]) -> bool:
    return _kinds([charge["line"] for charge in record["charges"]])[1]


def _kinds(charges: Sequence[Line]) -> tuple[bool, bool]:
    """Whether all charges are Gaussian noise, and whether all are for another program."""
    events = _events(charges)
    return all(isinstance(e, Gaussian) for e in events), bool(events) and all(isinstance(e, Foreign) for e in events)


def _borrowed(charges: Sequence[Line], known: Sequence[str]) -> list[str]:
    """What to say of a claim that is another program's. known: sentences against it."""
    if not any(isinstance(event, Foreign) for event in _events(charges)):
        return []
    return [wording.FOREIGN, *(wording.against(sentence) for sentence in known)]


def _percent_right(budget: Budget) -> float:
    """How often the best test of one unit is right at even odds, in percent, rounded up to a tenth.

    For mu-GDP the errors (a, b) satisfy b >= Phi(Phi^-1(1 - a) - mu); a + b is least at a = b = Phi(-mu / 2).
    (Dong, Roth and Su, section 2.) It is the budget's mu, as what was spent may depend on charged answers; of what is
    set aside, epsilon counts as the Gaussian curve below it, and delta as it is.
    """
    cost = budgets.affordable(budget) + (curves.pure_cost(budget.aside_epsilon) if budget.aside_epsilon else 0)
    return min(100.0, math.ceil(1000 * (NormalDist().cdf(curves.mu_of(cost) / 2) + budget.aside_delta)) / 10)


def _events(charges: Sequence[Line]) -> list[Event]:
    return [event_from_dict(line["event"]) for line in charges]


def _cost(charges: Sequence[Line]) -> Cost:
    return sum((event.cost for event in _events(charges)), start=NOTHING)


def _schedule(begun: Line, charges: Sequence[Line], budget: Budget) -> dict[str, Any]:
    """Whether all charges had been reserved, event by event, before the run read anything; and what that list costs.

    Then, and only then, is the loss of the list as a whole a claim of its own, smaller than the budget. Where it was
    not fixed, the figure says what a run with these charges fixed beforehand would have cost.
    """
    reserved, charged = begun["reserve"], [line["event"] for line in charges]
    known = not Counter(map(_canonical, charged)) - Counter(map(_canonical, reserved))
    events = [event_from_dict(record) for record in (reserved if known else charged)]
    by_filter = budgets.spent(sum((event.cost for event in events), start=NOTHING), budget).epsilon
    return {"fixed": known, "epsilon": min(by_filter, fixed.epsilon(events, budget.delta)), "delta": budget.delta}


def _finite(epsilon: float) -> float:
    return min(epsilon, budgets.MAX_EPSILON)


def _canonical(event: Mapping[str, Any]) -> str:
    return json.dumps(event, sort_keys=True)


def _words(event: Event) -> str:
    """An event for a reader."""
    match event:
        case Gaussian():
            return f"noise multiplier {short(event.noise_multiplier)}"
        case DpSgd():
            noise = short(event.noise_multiplier)
            return f"training: {event.steps} steps, rate {short(event.rate)}, noise multiplier {noise}"
        case Foreign():
            return f"another program: epsilon {exact(event.epsilon)}, delta {exact(event.delta)}"
    return f"threshold on keys: delta {exact(event.delta)}"


def _charges(charges: Sequence[Line], unit: PrivacyUnit) -> list[Line]:
    """The ledger's lines, each with its noise in rows (of counts) and its share of what the run spent."""
    total = max(1, sum(map(_weight, _events(charges))))
    rows = unit.count_sensitivity(2)[1]
    return [
        {
            "line": line,
            "event": _words(event),
            "noise_stddev_rows": event.noise_multiplier * rows if isinstance(event, Gaussian) else None,
            "share_percent": 100 * _weight(event) / total,
        }
        for line, event in zip(charges, _events(charges), strict=True)
    ]


def _weight(event: Event) -> int:
    """mu^2 of an event, another program's epsilon as that of the Gaussian curve below it."""
    return curves.pure_cost(event.epsilon) if isinstance(event, Foreign) else event.cost.gaussian


def _account(ledger: Ledger, lines: Sequence[Line], run: str) -> dict[str, Any]:
    """What the ledger says of all runs up to its head."""
    others = [line for line in lines if line["kind"] == "run" and line["run"] != run]
    charges = [line for line in lines if line["kind"] == "charge"]
    joined = [event_from_dict(event) for line in lines if line["kind"] == "link" for event in line["events"]]
    return {
        "dataset": ledger.dataset,
        "kept": "in memory" if ledger.path is None else "in a file",
        "budget": asdict(ledger.budget),
        "spent": ledger.spent().claim,
        "if_fixed": _finite(fixed.epsilon([*_events(charges), *joined], ledger.budget.delta)),
        "line": lines[0],
        "lines": len(lines),
        "head": lines[-1]["hash"],
        "other_lines": sum(line.get("run") != run for line in lines[1:]),
        "other_runs": len(others),
        "other_runs_seeded": sum(line["noise"] != _PRIVATE_NOISE for line in others),
        "other_charges": sum(line["run"] != run for line in charges),
    }


def _allowed(budget: Budget) -> list[Event]:
    """The dearest events that fit a budget."""
    noise = budgets.affordable(budget)
    events: list[Event] = [Gaussian.spending(noise)] if noise > 0 else []
    if budget.aside_epsilon:
        events.append(Foreign(budget.aside_epsilon, budget.aside_delta))
    return events


def _views(events: Sequence[Event]) -> dict[str, Any]:
    """The same loss in the currencies of other accountants; None where it has no finite value in one."""
    gaussian = sum(e.cost.gaussian for e in events if isinstance(e, Gaussian))
    steps = [e for e in events if isinstance(e, DpSgd)]
    others = [e for e in events if not isinstance(e, Gaussian | DpSgd)]

    def divergence(order: int) -> float | None:
        trained = math.fsum(sampled.rdp(e.rate, e.noise_multiplier, e.steps, order) for e in steps)
        total = curves.rdp(gaussian, order) + trained
        return total if not others and math.isfinite(total) else None

    return {
        "mu": curves.mu_of(sum(map(_weight, events))),
        "zcdp_rho": curves.zcdp(gaussian) if not steps and not others else None,
        "rdp": {str(order): divergence(order) for order in RDP_ORDERS},
    }


def _columns(schema: Schema, bounds: Bounds) -> list[dict[str, str]]:
    return [
        {
            "name": name,
            "type": type(column).__name__.lower(),
            "domain": _domain(column, bounds.get(name)),
            "origin": _origin(column, bounds.get(name)),
        }
        for name, column in schema.columns.items()
    ]


def _domain(column: Column, learned: tuple[float, float] | None) -> str:
    """The public domain in words."""
    match column:
        case Identifier():
            return "made afresh" + (f" as {column.pattern}" if column.pattern else "")
        case Text():
            return "free text"
        case Boolean():
            words = "true or false"
        case Datetime():
            words = f"{column.low} to {column.high}, to the {_UNITS[column.resolution]}"
        case Categorical():
            words = _listed(column)
        case Numeric():
            low, high = learned or (column.low, column.high)
            kind = "whole numbers" if column.integer else "numbers"
            words = f"{kind} from {_bound(low)} to {_bound(high)}"
            words += f" in steps of {column.step:g}" if column.step is not None else ""
    return f"{words}; may be missing" if column.nullable else words


def _listed(column: Categorical) -> str:
    names = [clip(str(name), 40) for name in column.categories]
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    kind = "ordered categories" if column.ordered else "categories"
    other = f"; all others count as {column.other}" if column.other is not None else ""
    return f"{len(names)} {kind}: {', '.join(names[:_LISTED])}{more}{other}"


def _bound(value: float | None) -> str:
    return "a bound not told" if value is None else exact(value) if value == int(value) else short(value, 6)


def _origin(column: Column, learned: tuple[float, float] | None) -> str:
    """Where the domain comes from."""
    if isinstance(column, Identifier | Text):
        return "never read"
    if not isinstance(column, Numeric) or column.bounded or learned is None:
        return "declared in the schema"
    if column.low is None and column.high is None:
        return "both bounds learned by a charge"
    return f"{'low' if column.low is None else 'high'} learned by a charge, the other bound declared in the schema"


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed as a package"


def _faults(record: Mapping[str, Any]) -> list[str]:
    """Where the record says other things than the ledger lines that it quotes, or less than they cost."""
    opened, begun = record["ledger"]["line"], record["run"]["line"]
    charges = [charge["line"] for charge in record["charges"]]
    budget, unit = Budget(**begun["budget"]), PrivacyUnit(**opened["unit"])
    cost, private = _cost(charges), begun["noise"] == _PRIVATE_NOISE
    stated, found = record["spent"]["epsilon"], budgets.spent(cost, budget).epsilon
    checks = {
        "a ledger line was changed": all(line["hash"] == _line_hash(line) for line in (opened, begun, *charges)),
        "a charge is of another run": {begun["run"], *(line["run"] for line in charges)} == {record["run"]["id"]},
        "its claim is not that of its run": record["claim"] == _claim(private, budget, unit),
        "its noise is not that of its run": record["run"]["noise"] == begun["noise"],
        "its budget is not that of its run": record["budget"] == asdict(budget),
        "its unit is not that of its ledger": record["unit"] == {**asdict(unit), "description": unit.describe()},
        "its charges cost more than its budget": budgets.fits(cost, budget),
        "its schedule is not that of its run": _agrees(record["schedule"], _schedule(begun, charges, budget)),
        f"its charges cost epsilon {at_most(found)}, and it states {stated:g}": found <= stated * (1 + 1e-9),
    }
    return [fault for fault, holds in checks.items() if not holds]


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
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)
