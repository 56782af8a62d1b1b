"""Checks of the ledger lines that a certificate quotes: whether they are whole, in order, of one run, and all of it."""

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
        if later["seq"] <= one["seq"] or (later["seq"] == one["seq"] + 1 and later["prev"] != one["hash"])
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
    stated, last = case.record["ledger"], case.lines[-1]
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
    hidden = case.record["ledger"]["lines"] - len(case.lines) - case.record["ledger"]["other_lines"]
    return hidden != 0 or bool(case.charges and case.record["run"]["drawing"] is None)  # it draws before it charges


def others(case: Case) -> bool:
    """Of the other runs of its account it tells what their lines cannot be."""
    told = case.record["ledger"]
    runs, seeded, charged = (told[name] for name in ("other_runs", "other_runs_seeded", "other_charges"))
    if {*map(type, (runs, seeded, charged, told["lines"], told["other_lines"]))} != {int}:
        return True
    return not 0 <= seeded <= runs or charged < 0 or runs + charged > told["other_lines"]


def mechanism(case: Case) -> bool:
    """Its mechanism is not that of its run."""
    return case.begun["mechanism"] not in ("", case.record["mechanism"]["name"])  # "": a run without a job


def schema(case: Case) -> bool:
    """Its schema is not that of its run."""
    return case.begun["schema"] not in ("", case.record["schema"]["sha256"])


def steps(case: Case) -> str:
    """Its steps are not what a ledger counts: more steps of a training were claimed than were paid for."""
    paid = {line["seq"]: line["event"]["steps"] for line in case.charges if line["event"]["event"] == "dp_sgd"}
    last = dict.fromkeys(paid, (0, 0, 0))
    for line in case.steps:
        charge, now = line["charge"], (line["resumed"], line["lost"], line["upto"])
        if charge not in paid or not _follows(last[charge], now, paid[charge]) or line["seq"] <= charge:
            return f"line {line['seq']}"
        last[charge] = now
    return ""


def _follows(before: tuple[int, int, int], now: tuple[int, int, int], paid: int) -> bool:
    """Whether a line about steps (resumed, lost, upto) may follow another: it claims more, or begins again."""
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
    text = json.dumps({k: v for k, v in line.items() if k != "hash"}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


CHECKS: tuple[Check, ...] = (
    hashes, order, beginning, account, head, kinds, run, complete, others, mechanism, schema, steps, trainings,
)  # fmt: skip
