"""Checks of what a certificate says in words: its format fixes them, and they stand here again."""

from __future__ import annotations

import math

from dpsynth.evidence.verifier import recompute
from dpsynth.evidence.verifier.case import Case, Check, Record

NOT_PRIVATE = (
    "NOT PRIVATE: the noise of this run came from a seed, so it can be predicted and removed. "
    "Nothing is claimed for this release; it is fit for tests with invented data only."
)
EXTERNAL_PROGRAM = (
    "CAUTION: another program made this release. That it is differentially private is that"
    " program's own claim: it was recorded and charged for here as it was stated, and nobody has"
    " checked it."
)
_MOSTLY = 0.5  # of a column whose categories a fit finds: the share of OTHER
_ODD = {"unread": 0.2, "either": 0.9}  # shares of values from which on a column has a caution
_OF_VALUES = ("CAUTION: about ", "CAUTION: the same is true of ")
_CHARGE = {"line", "event", "noise_stddev_rows", "share_percent"}
_PARTS = {
    "dpsynth_certificate", "claim", "budget", "spent", "schedule", "cautions", "unit", "run",
    "charges", "trainings", "steps", "ledger", "views", "accounting", "schema", "mechanism",
    "released", "versions", "created", "not_promised",
}  # fmt: skip


def parts(case: Case) -> str:
    """Parts of it are missing or empty, or no certificate has them."""
    record = case.record
    odd = sorted(_PARTS ^ record.keys())
    odd += [name for name in ("accounting", "not_promised") if record.get(name) == []]
    listed = ("accounting", "not_promised", "cautions")
    odd += [name for name in listed if not _is_told(record.get(name, []))]
    odd += [] if isinstance(record.get("steps", []), list) else ["steps"]
    return ", ".join(odd)


def _is_told(sentences: object) -> bool:
    return isinstance(sentences, list) and all(isinstance(each, str) and each for each in sentences)


def noise(case: Case) -> bool:
    """It tells its noise, which may be from a seed, otherwise than its run."""
    stated = (case.record["claim"]["private"], case.record["run"]["noise"])
    return stated != (case.private, case.begun["noise"])


def unit(case: Case) -> bool:
    """Its unit is not that of its ledger."""
    own, stated = case.unit, {**case.unit, "description": _describe(case.unit)}
    return case.record["unit"] != stated or (own != case.opened["unit"] and not own["id_column"])


def budget(case: Case) -> bool:
    """Its budget is not that of its run."""
    return bool(case.record["budget"] != case.budget)


def claim(case: Case) -> bool:
    """What it claims is not the budget of its run."""
    claimed = (case.record["claim"]["epsilon"], case.record["claim"]["delta"])
    own = (case.budget["epsilon"], case.budget["delta"])
    return claimed != (own if case.private else (None, None))


def sentence(case: Case) -> bool:
    """Its sentence says something else than its figures."""
    own = _claim(case.budget["epsilon"], case.budget["delta"], case.unit)
    return bool(case.record["claim"]["sentence"] != (own if case.private else NOT_PRIVATE))


def meaning(case: Case) -> bool:
    """What it says of the best guess is not what its budget allows."""
    said, right = case.record["claim"]["meaning"], recompute.best_guess(case.budget)
    return said not in _meanings(case.unit, right) if case.private else said is not None


def caution(case: Case) -> bool:
    """It does not say what nobody checked: a program's claim, or that an account has no copy."""
    needed = [EXTERNAL_PROGRAM] if "external_program" in case.event_names else []
    needed += [_declared(line["by"], line["time"]) for line in case.only]
    stated = case.record["cautions"]
    return not isinstance(stated, list) or any(each not in stated for each in needed)


def unread(case: Case) -> bool:
    """Its cautions of values that could not be read do not follow from its counts of them."""
    counts, other = (case.record["released"].get(each, {}) for each in ("undeclared", "other"))
    odd = sorted((n for n, c in counts.items() if _is_odd(**c)), key=lambda n: -counts[n]["share"])
    told = [(n, share, "became OTHER") for n, share in other.items() if share > _MOSTLY]
    told += [(n, counts[n]["share"], f": {counts[n]['rows']:,} rows (") for n in odd[:3]]
    facts = [(f"about {100 * s:.0f} % of the values of {n!r} ", more) for n, s, more in told]
    facts += [("CAUTION: the same is true of", f" {len(odd) - 3} more column")] * (len(odd) > 3)
    stated = [text for text in case.record["cautions"] if text.startswith(_OF_VALUES)]
    pairs = zip(stated, facts, strict=False)
    return len(stated) != len(facts) or not all(each in text for text, of in pairs for each in of)


def charges(case: Case) -> str:
    """Its charges are told otherwise than their lines."""
    told = case.record["charges"]
    odd = [c for c in told if c["event"] != _event(c["line"]["event"]) or c.keys() != _CHARGE]
    return ", ".join(f"line {c['line']['seq']}" for c in odd)


def _declared(by: str, time: str | None) -> str:
    return (
        f"CAUTION: the account was imported, and {repr(by) if by else 'somebody'} declared (time:"
        f" {time}) that no other copy of it is spent from. What was spent from another one is not"
        " in this certificate's figures."
    )


def _is_odd(share: float, rows: int, stddev: float, holds: str) -> bool:
    return share > _ODD.get(holds, 1) and rows > 6 * stddev  # beyond the noise


def _claim(epsilon: float, delta: float, unit: Record) -> str:
    return (
        f"This release is ({epsilon:.15g}, {delta:.15g})-differentially private for"
        f" {_describe(unit)}. This holds for all charges of its run together, even where later ones"
        " depend on earlier answers; other releases of the same data add to it."
    )


def _describe(unit: Record) -> str:
    """Whom the guarantee protects."""
    rows = "1 record" if unit["max_records"] == 1 else f"{unit['max_records']} records"
    verb = {"add-remove": "added or removed", "replace": "replaced by others"}[unit["adjacency"]]
    of_one = f"every {_name(unit['id_column'])}, of whom at most {rows} are used"
    return f"{of_one if unit['id_column'] else f'any {rows}'}, {verb}"


def _name(named: object) -> str:
    """What says whose record a row is: one column, or several."""
    several = named if isinstance(named, list) else None
    return f"combination of {' and '.join(map(repr, several))}" if several else repr(named)


def _meanings(unit: Record, right: float) -> set[str]:
    """The claim for readers who are new to it, with the tenth of a percent not below `right`.

    right: a probability with nine digits; where they leave the tenth open, two sentences may stand.
    """
    tenths = {math.ceil(1000 * (right + error)) for error in (-1e-8, 1e-8)}
    return {
        f"Whatever else somebody knows, even every other record: the best possible guess of"
        f" {_secret(unit)}, made from this release alone, is right at most"
        f" {min(100.0, tenth / 10):g} times in 100, where tossing a coin is right 50 times."
        for tenth in tenths
    }


def _secret(unit: Record) -> str:
    """What an attacker wants to know of one unit."""
    group = f"a group of {unit['max_records']} records was"
    who = "one record was" if unit["max_records"] == 1 else group
    if unit["id_column"] is not None:
        who = f"the records of one {_name(unit['id_column'])} were"
    asked = "whether" if unit["adjacency"] == "add-remove" else "which of two candidates for"
    return f"{asked} {who} in the data"


def _event(record: Record) -> str:
    """What a charge paid for."""
    match record:
        case {"event": "gaussian", "noise_multiplier": noise}:
            return f"noise multiplier {_short(noise)}"
        case {"event": "dp_sgd", "rate": rate, "noise_multiplier": noise, "steps": steps}:
            return f"training: {steps} steps, rate {_short(rate)}, noise multiplier {_short(noise)}"
        case {"event": "discovery", "noise_multiplier": noise, "delta": delta}:
            return f"values found: noise multiplier {_short(noise)}, delta {delta:.15g}"
        case {"event": "external_program", "epsilon": epsilon, "delta": delta}:
            return f"another program: epsilon {epsilon:.15g}, delta {delta:.15g}"
    raise ValueError(f"no event is known that reads {record}")


def _short(x: float) -> str:
    """Four significant digits: 12345.678 is "12,350"; very large and small numbers as 1e+07."""
    if x != 0 and not 1e-4 <= abs(x) < 1e7:
        return f"{x:.4g}"
    rounded = float(f"{x:.4g}")
    return f"{rounded:,.0f}" if rounded.is_integer() else f"{rounded:,g}"


CHECKS: tuple[Check, ...] = (
    parts, noise, unit, budget, claim, sentence, meaning, caution, unread, charges,
)  # fmt: skip
