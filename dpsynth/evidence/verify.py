r"""An independent look at a certificate: the claim recomputed from the ledger lines that it quotes.

This file shares no code with the rest of the package and imports nothing but Python's standard library. It also shares
no formula: where the kernel composes loss distributions on a grid and rounds up, this evaluates the contour integral

    delta(e) = 1 / (2 pi i)  int  M(z) e^(-z e) / (z (z + 1))  dz      over  Re z = t > 0,   M(z) = E[e^(z loss)],

(Zhu, Dong and Wang, arXiv 2106.08567; Alghamdi et al., arXiv 2208.09595), which is delta itself to about nine digits.
M is the product over mechanisms, F(z + 1) for a unit removed and F(-z) for one added, with
F(s) = int n(x) r(x)^s dx, r(x) = 1 - q + q e^((2x - 1) / 2 s^2); the trapezoidal rule converges geometrically.
A ledger written anew shows against a head kept elsewhere only.
"""

from __future__ import annotations

import cmath
import hashlib
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

VERSION, SECURE = 4, "operating system"
ASIDE = 2.0**-28  # of delta: what events may lack of a Gaussian curve, in all
LACKING = 2.0**-60  # what one training may
MOST_EPSILON, MOST_TERMS = 100.0, 4000
_CLOSE = 1e-4
Record = Mapping[str, Any]


class Undecided(Exception):
    """The figures can be neither confirmed nor refuted."""


def check(directory: str | Path) -> list[str]:
    """What is wrong with the release in this directory, a sentence each; ValueError where there is no certificate."""
    folder = Path(directory)
    file = folder / "certificate.json" if folder.is_dir() else folder
    try:
        record = json.loads(file.read_text(encoding="utf-8"), parse_constant=int, object_pairs_hook=_plain)
    except (OSError, ValueError):
        raise ValueError(f"{file} cannot be read as a certificate: give the directory of a release") from None
    if not isinstance(record, dict) or record.get("dpsynth_certificate") != VERSION:
        raise ValueError(f"{file} is no certificate of version {VERSION}, the only one known here")
    try:
        return [*faults(record), *_files(record, file.parent)]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, ZeroDivisionError):
        return ["the certificate is incomplete, or says what no certificate says"]


def _plain(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    numbers = "epsilon|delta|noise_multiplier|rate|steps|seq|lines|max_records|upto|lost|resumed"
    if len(dict(pairs)) < len(pairs) or any(isinstance(value, bool) and re.search(numbers, k) for k, value in pairs):
        raise ValueError("a name stands twice, or a number is true or false")
    return dict(pairs)


def faults(record: Record) -> list[str]:
    """Where the record disagrees with the ledger lines in it."""
    opened, begun, ended = record["ledger"]["line"], record["run"]["line"], record["run"]["ended"]
    charges = [charge["line"] for charge in record["charges"]]
    within = sorted([*charges, *record["steps"]], key=lambda line: int(line["seq"]))
    found = [*_chain(record, [opened, begun, *within, *([ended] if ended else [])]), *_steps(record, charges)]
    return [*found, *_words(record, opened, begun), *_figures(record, begun, [line["event"] for line in charges])]


def _chain(record: Record, lines: Sequence[Record]) -> Iterator[str]:
    for line in lines:
        text = json.dumps({k: v for k, v in line.items() if k != "hash"}, sort_keys=True, separators=(",", ":"))
        if hashlib.sha256(text.encode()).hexdigest() != line["hash"]:
            yield f"line {line['seq']} was changed: its hash is another"
    for one, other in itertools.pairwise(lines):
        if other["seq"] <= one["seq"] or (other["seq"] == one["seq"] + 1 and other["prev"] != one["hash"]):
            yield f"line {other['seq']} does not follow from line {one['seq']}: one was changed, or lines are doubled"
    account, last, run = record["ledger"], lines[-1], record["run"]
    same = all(account[name] == lines[0][name] for name in ("budget", "dataset"))
    if not same or lines[0]["seq"] != 0 or lines[0]["prev"] != "0" * 64 or last["seq"] >= account["lines"]:
        yield "the quoted lines are not from the ledger that is described"
    if last["seq"] == account["lines"] - 1 and last["hash"] != account["head"]:
        yield "the ledger's head is not the hash of its last line"
    ending = [run["ended"]["kind"]] if run["ended"] else []
    kinds = [*["charge"] * len(record["charges"]), *["steps"] * len(record["steps"]), "open", "run", *ending]
    known = sorted(line["kind"] for line in lines) == sorted(kinds) and {*ending} <= {"commit", "void"}
    if not known or {line["run"] for line in lines[1:]} != {run["id"]}:
        yield "lines of another run, or of other kinds than a certificate quotes, are quoted"
    if account["lines"] - len(lines) - account["other_lines"] not in ((1,) if record["charges"] else (0, 1)):  # drawing
        yield "lines of the run are left out, or more are stated of others than there are"
    told = (record["mechanism"]["name"], run["line"]["mechanism"]), (record["schema"]["sha256"], run["line"]["schema"])
    if any(recorded not in ("", stated) for stated, recorded in told):  # a run without a job records neither
        yield "it names another mechanism or schema than its run"


def _steps(record: Record, charges: Sequence[Record]) -> Iterator[str]:
    trained = {line["seq"]: line["event"]["steps"] for line in charges if line["event"]["event"] == "dp_sgd"}
    last, sound = dict.fromkeys(trained, (0, 0, 0)), True
    for line in sorted(record["steps"], key=lambda line: int(line["seq"])):
        (resumed, lost, upto), now = last[line["charge"]], (line["resumed"], line["lost"], line["upto"])
        more = now[:2] == (resumed, lost) and upto < now[2] <= trained[line["charge"]]
        again = now[0] == resumed + 1 and 0 <= now[1] <= upto == now[2]
        sound = sound and (more or again) and line["charge"] < line["seq"] and {*map(type, now)} == {int}
        last[line["charge"]] = now
    told = {name: sum(now[i] for now in last.values()) for i, name in enumerate(("resumed", "lost"))}
    if not sound or told != record["trainings"]:
        yield "more steps of a training were claimed than were paid for, or it tells its lines about them otherwise"


def _words(record: Record, opened: Record, begun: Record) -> Iterator[str]:
    claim, budget, private = record["claim"], begun["budget"], begun["noise"] == SECURE
    private = private and not begun["run"].startswith("seeded")
    figures = (budget["epsilon"], budget["delta"])
    said = "This release is ({:.15g}, {:.15g})-differentially private for {}."
    description = _describe(opened["unit"])
    foreign = any(c["line"]["event"]["event"] == "foreign" for c in record["charges"])
    noise, claimed = (claim["private"], record["run"]["noise"]), (record["budget"], claim["epsilon"], claim["delta"])
    nothing = "NOT PRIVATE" in claim["sentence"] and not claim["meaning"]
    right = claim["sentence"] == said.format(*figures, description) if private else nothing
    checks = {
        "it tells its noise, which may be from a seed, otherwise than its run": noise != (private, begun["noise"]),
        "its unit is not that of the ledger": record["unit"] != {**opened["unit"], "description": description},
        "it does not say that another program was taken at its word": private and foreign and not record["cautions"],
        "its claim is not the budget of the run": claimed != (budget, *(figures if private else (None, None))),
        "its sentence says something else than its figures": not right,
    }
    yield from (fault for fault, holds in checks.items() if holds)


def _describe(unit: Record) -> str:
    rows = "1 record" if unit["max_records"] == 1 else f"{unit['max_records']} records"
    who = f"every {unit['id_column']!r}, of whom at most {rows} are used" if unit["id_column"] else f"any {rows}"
    return f"{who}, {({'add-remove': 'added or removed', 'replace': 'replaced by others'})[unit['adjacency']]}"


def _figures(record: Record, begun: Record, events: Sequence[Record]) -> Iterator[str]:
    epsilon, delta = begun["budget"]["epsilon"], begun["budget"]["delta"]
    if record["unit"]["adjacency"] != "add-remove" and any(e["event"] == "dp_sgd" and e["rate"] < 1 for e in events):
        yield "training on samples is charged for units that are replaced, of which its price says nothing"
    most, own = begun["budget"]["aside_epsilon"], begun["budget"]["aside_delta"]
    lists = {"sum of its charges": events, "reservation": begun["reserve"]}
    nothing = (Fraction(0), 0.0, 0.0)
    costs = {k: [sum(part) for part in zip(nothing, *map(_price, v), strict=True)] for k, v in lists.items()}
    for what, (squared, lacking, added) in costs.items():
        aside = 0 <= added <= most * (1 + 1e-12) and most <= epsilon and 0 <= own < delta
        if not aside or lacking > (delta * ASIDE + own) * (1 + 1e-12):
            yield f"the {what} has epsilon {added:.6g} and delta {lacking:.6g} of its own, more than was set aside"
        if (found := Mix(float(squared)).delta(epsilon - most)) > (delta - own) * (1 + _CLOSE):
            yield f"the {what} costs more than the claim: delta {found + own:.6g} at epsilon {epsilon:g}"
    if any(part > most * (1 + 1e-9) for part, most in zip(*costs.values(), strict=True)):
        yield "its charges cost more than the run had reserved"
    spent, left, noise = record["spent"]["epsilon"], delta - own, Mix(float(costs["sum of its charges"][0]))
    rest = spent - costs["sum of its charges"][2]
    dear = spent < MOST_EPSILON and (rest < -1e-9 or noise.delta(max(0.0, rest)) > left * (1 + 1e-2))
    cheap = rest > 1e-6 and noise.delta(rest * 0.9) < left and not any(e["event"] == "dp_sgd" for e in events)
    if record["spent"]["delta"] != delta or dear or cheap:
        yield f"epsilon {spent:.6g} is stated as spent, and its charges cost {'less' if cheap else 'more'}"
    schedule, figure = record["schedule"], record["schedule"]["epsilon"]
    charged, planned = (Counter(json.dumps(e, sort_keys=True) for e in list_) for list_ in lists.values())
    if schedule["fixed"] and charged - planned:
        yield "it says that its charges were fixed beforehand, and the run did not reserve them"
    listed = lists["reservation" if schedule["fixed"] else "sum of its charges"]
    whole = [Mix.of(listed, removed) for removed in (True, False)]
    worst = max(mix.delta(figure) for mix in whole) if figure < MOST_EPSILON else 0.0
    if schedule["delta"] != delta or worst > delta * (1 + _CLOSE):
        yield f"as a whole its charges cost more than epsilon {figure:.6g}: delta would be {worst:.6g}"


def _files(record: Record, folder: Path) -> Iterator[str]:
    for name, digest in record.get("files", {}).items():
        path = folder / name
        held = Path(name).name == name and path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest
        if not held:
            yield f"{name!r} is not in the directory as the certificate lists it: it is gone, or another file"


def _price(event: Record) -> tuple[Fraction, float, float]:
    """mu^2 of the Gaussian curve that stands for an event, what it may lack of it, and its epsilon without a curve."""
    match event:
        case {"event": "gaussian", "noise_multiplier": float(s)} if s > 0 and len(event) == 2:
            return 1 / Fraction(s) ** 2, 0.0, 0.0
        case {"event": "partition_selection", "delta": float(own)} if 0 < own < 1 and len(event) == 2:
            return Fraction(0), own, 0.0
        case {"event": "foreign", "epsilon": float(e), "delta": float(own)} if 0 < e <= MOST_EPSILON and 0 <= own < 1:
            return Fraction(0), own, e
        case {"event": "dp_sgd", "rate": float(q), "noise_multiplier": float(s), "steps": int(n)} if (
            0 < q <= 1 <= n and s > 0
        ):
            unsampled = (n / Fraction(s) ** 2, 0.0, 0.0)
            return unsampled if q == 1 or s < 0.1 else min((_training(q, s, n), LACKING, 0.0), unsampled)
    raise ValueError(f"no event is known that reads {event}")


@cache
def _training(q: float, s: float, n: int) -> Fraction:
    """mu^2 whose curve is not below that of the training at a few epsilons (all of them would need more)."""
    needed = 0.0
    for part in (Mix(0.0, ((q, s, n),), removed) for removed in (True, False)):
        far = min((part.log_moment(t).real - math.log(4 * LACKING)) / t for t in (1.3**k for k in range(-12, 20)))
        for epsilon in (far * k / 8 for k in range(1, 9)):
            wanted, low, high = part.delta(epsilon) - LACKING, 0.0, 64.0
            for _ in range(40):
                middle = (low + high) / 2
                low, high = (middle, high) if Mix(middle**2).delta(epsilon) < wanted else (low, middle)
            needed = max(needed, low)
    return Fraction(needed) ** 2


@dataclass(frozen=True)
class Mix:
    """Gaussian noise, trainings (rate, noise multiplier, steps), responses (epsilon), or failure of any, together."""

    mu_squared: float
    trainings: tuple[tuple[float, float, int], ...] = ()
    removed: bool = True
    responses: tuple[float, ...] = ()
    failing: float = 0.0

    @classmethod
    def of(cls, events: Sequence[Record], removed: bool) -> Mix:
        noise = (e for e in events if e["event"] == "gaussian" or e.get("rate") == 1)
        trained, others = Counter[tuple[float, float]](), [e for e in events if "delta" in e]
        for e in (e for e in events if e.get("rate", 1) < 1):
            trained[e["rate"], e["noise_multiplier"]] += e["steps"]
        squared = float(sum(e.get("steps", 1) / Fraction(e["noise_multiplier"]) ** 2 for e in noise))
        trainings, responses = tuple((*k, n) for k, n in trained.items()), tuple(e.get("epsilon", 0.0) for e in others)
        failing = -math.expm1(math.fsum(math.log1p(-e["delta"]) for e in others))
        return cls(squared, trainings, removed, tuple(filter(None, responses)), failing)

    def delta(self, epsilon: float) -> float:
        found = self._contour(epsilon) if self.mu_squared or self.trainings else self._answers(epsilon)
        return self.failing + (1 - self.failing) * found

    def _contour(self, epsilon: float) -> float:
        def height(t: float) -> float:
            return self.log_moment(t).real - t * epsilon - math.log(t * (t + 1))

        low, high = -6.0, 10.0 if self.trainings else 40.0
        for _ in range(30):
            a, b = low + 0.38 * (high - low), low + 0.62 * (high - low)
            low, high = (low, b) if height(math.exp(a)) < height(math.exp(b)) else (a, high)
        t = math.exp(low)
        top, base = height(t), self.log_moment(t).real
        if base - t * epsilon < math.log(LACKING / 16):
            return math.exp(base - t * epsilon)  # Chernoff's bound, below all that matters
        ahead = ((self.log_moment(t + u).real - (t + u) * epsilon - top + 30) / u for u in (t / 4, t, 4 * t, 1.0))
        step = 2 * math.pi / max((30 - min(0.0, top)) / t, min(ahead))  # what repeats further off: e^-30, by Chernoff
        total, quiet = 0.5 / (t * (t + 1)), 0
        for k in range(1, MOST_TERMS):
            z = complex(t, k * step)
            term = cmath.exp(self.log_moment(z) - base - 1j * k * step * epsilon) / (z * (z + 1))
            total, quiet = total + term.real, quiet + 1 if abs(term) < 1e-11 * abs(total) else 0
            if quiet > 20:
                return math.exp(base - t * epsilon) * total * step / math.pi
        raise Undecided("a training has too few steps for its cost to be recomputed here")

    def _answers(self, epsilon: float) -> float:
        """Responses alone, all their losses one by one; where they are very many, rounded down to a grid."""
        sums, grid = {0.0: 1.0}, sum(self.responses) / 2**16
        for e in self.responses:
            former, sums = sums, {}
            for (loss, p), more in itertools.product(former.items(), (e, -e)):
                total = round(loss + more, 12) if len(former) < 2**15 else math.floor((loss + more) / grid) * grid
                sums[total] = sums.get(total, 0.0) + p / (1 + math.exp(-more))
        return math.fsum(-p * math.expm1(min(0.0, epsilon - loss)) for loss, p in sums.items())

    def log_moment(self, z: complex) -> complex:
        total = z * (z + 1) * self.mu_squared / 2
        for q, s, n in self.trainings:
            total += n * _log_sampled(z + 1 if self.removed else -z, q, s)
        for e in self.responses:
            total += z * e + cmath.log(1 + cmath.exp(-(2 * z + 1) * e)) - math.log1p(math.exp(-e))
        return total


def _log_sampled(power: complex, q: float, s: float) -> complex:
    """log F(power) by the trapezoidal rule, with x in units of s; its step follows how fast r^power turns."""
    finer = math.ceil(math.log2(max(1.0, min(0.1, 0.3 * s) * (abs(power.imag) / s + 10) / 6)))
    top, weights, ratios = _nodes(power.real, q, s, finer)
    return top + cmath.log(sum(map(cmath.rect, weights, (power.imag * ratio for ratio in ratios))))


@lru_cache(maxsize=256)
def _nodes(power: float, q: float, s: float, finer: int) -> tuple[float, tuple[float, ...], tuple[float, ...]]:
    """log r at the nodes and their weights, the real power included, over e^top; without those that weigh nothing."""
    step, first, last = min(0.1, 0.3 * s) / 2**finer, -12 + min(0.0, power / s), 12 + max(0.0, power / s)
    found = []
    for k in range(int((last - first) / step) + 2):
        x = first + k * step
        odds = x / s - 0.5 / s**2
        ratio = math.log1p(q * math.expm1(odds)) if odds < 30 else odds + math.log(q)
        found.append((power * ratio - x * x / 2, ratio))
    top = max(height for height, _ in found)
    kept = [(math.exp(h - top) * step / math.sqrt(2 * math.pi), ratio) for h, ratio in found if h > top - 40]
    return top, tuple(w for w, _ in kept), tuple(ratio for _, ratio in kept)
