"""Checks of the ledger lines that a certificate quotes: unchanged, in order, all of one run."""

from __future__ import annotations

import hashlib
import itertools
import json

from dpsynth.evidence.verifier.case import Case, Check, Record

GENESIS = "0" * 64  # stands for the hash before the first line


def hashes(case: Case) -> str:
    """A ledger line was changed: its hash is another."""
    return ", ".join(f"line {line['seq']}" for line in case.lines if _hash(line) != line["hash"])


def order(case: Case) -> str:
    """A line does not follow from the one before it: one was changed, or lines are doubled."""
    broken = {
        later["seq"]
        for one, later in (*itertools.pairwise(case.own), *itertools.pairwise(case.lines))
        if later["seq"] <= one["seq"]
        or (later["seq"] == one["seq"] + 1 and later["prev"] != one["hash"])
    }
    return ", ".join(f"line {seq}" for seq in sorted(broken))


def beginning(case: Case) -> bool:
    """The first line that it quotes is not the beginning of a ledger."""
    first = case.opened
    return (first["kind"], first["seq"], first["prev"]) != ("open", 0, GENESIS)


def account(case: Case) -> bool:
    """Its account is not that of its ledger: the first line names another data set or budget."""
    return any(case.record["ledger"][name] != case.opened[name] for name in ("budget", "dataset"))


def head(case: Case) -> bool:
    """The ledger's head is not the hash of its last line, or a line is quoted from beyond it."""
    stated = case.record["ledger"]
    last = case.lines[-1]
    if last["seq"] < stated["lines"] - 1:
        return False  # the last line is another run's: the ledger itself can tell
    return last["seq"] >= stated["lines"] or last["hash"] != stated["head"]


def kinds(case: Case) -> bool:
    """Lines of other kinds than a certificate quotes are quoted, or in other places."""
    drawing, ended = case.record["run"]["drawing"], case.record["run"]["ended"]
    return (
        case.begun["kind"] != "run"
        or any(line["kind"] != "charge" for line in case.charges)
        or any(line["kind"] != "steps" for line in case.steps)
        or not isinstance(case.record["ledger"]["only"], list)
        or any(line["kind"] != "only" for line in case.only)
        or (drawing is not None and drawing["kind"] != "drawing")
        or (ended is not None and ended["kind"] not in ("commit", "void"))
    )


def run(case: Case) -> bool:
    """A line is of another run than it names."""
    return any(line["run"] != case.record["run"]["id"] for line in case.own[1:])


def complete(case: Case) -> bool:
    """Lines of its run are left out, or more are stated of others than there are."""
    told, undrawn = case.record["ledger"], case.record["run"]["drawing"] is None
    rest = told["other_lines"] - told["other_charges"] - told["other_runs"]
    odd = min(rest, told["other_charges"], told["other_runs"] - told["other_runs_seeded"]) < 0
    hidden = told["lines"] - len(case.lines) - told["other_lines"]
    return odd or hidden != 0 or bool(case.charges and undrawn)  # a run draws before it charges


def mechanism(case: Case) -> bool:
    """Its mechanism is not that of its run."""
    return case.begun["mechanism"] not in ("", case.record["mechanism"]["name"])  # "": no job


def schema(case: Case) -> bool:
    """Its schema is not that of its run."""
    return case.begun["schema"] not in ("", case.record["schema"]["sha256"])


def steps(case: Case) -> str:
    """Its steps are not what a ledger counts: more steps of a training are claimed than paid."""
    trained = [line for line in case.charges if line["event"]["event"] == "dp_sgd"]
    paid = {line["seq"]: line["event"]["steps"] for line in trained}
    last = dict.fromkeys(paid, (0, 0, 0))
    for line in case.steps:
        charge = line["charge"]
        now = (line["resumed"], line["lost"], line["upto"])
        known = charge in paid and line["seq"] > charge
        if not known or not _follows(last[charge], now, paid[charge]):
            return f"line {line['seq']}"
        last[charge] = now
    return ""


def _follows(before: tuple[int, int, int], now: tuple[int, int, int], paid: int) -> bool:
    """Whether a line of steps (resumed, lost, upto) may follow: it claims more, or begins again."""
    resumed, lost, upto = before
    more = now[:2] == (resumed, lost) and upto < now[2] <= paid
    again = now[0] == resumed + 1 and 0 <= now[1] <= upto == now[2]
    return (more or again) and {*map(type, now)} == {int}


def trainings(case: Case) -> bool:
    """Its trainings are told otherwise than their lines."""
    last = {line["charge"]: line for line in case.steps}
    told = {name: sum(line[name] for line in last.values()) for name in ("resumed", "lost")}
    return bool(case.record["trainings"] != told)


def _hash(line: Record) -> str:
    hashed = {name: value for name, value in line.items() if name != "hash"}
    text = json.dumps(hashed, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


CHECKS: tuple[Check, ...] = (
    hashes, order, beginning, account, head, kinds, run, complete, mechanism, schema, steps,
    trainings,
)  # fmt: skip
