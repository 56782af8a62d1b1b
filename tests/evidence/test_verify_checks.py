"""Each check of the verifier has a forgery that no other sees, so that none can go or be weakened unnoticed."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path

import pytest

from dpsynth.base.job import Job
from dpsynth.evidence import verify
from dpsynth.evidence.certificate import Certificate
from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.ledger import Ledger
from dpsynth.ledger.opening import Accountant
from dpsynth.schema.table import Schema
from dpsynth.training.event import DpSgd
from tests.evidence.test_verify import COLUMNS, MIXED, TRAINING, issue, rechained, rehash
from tests.evidence.test_verify_trainings import claimed
from tests.rings.scratch import SCRATCH


def plain():
    return issue().record


def mixed():
    return issue(MIXED).record


def trained():
    return issue([TRAINING, Gaussian(30.0)]).record


def with_steps():
    return claimed((0, 0, 100), (1, 40, 100), (1, 40, 500))


def with_a_job():
    schema = Schema(COLUMNS)
    ledger = Ledger.create(None, Budget(9.0, 1e-6), dataset="claims", unit=PrivacyUnit())
    accountant = Accountant(Budget(2.0, 1e-6), ledger=ledger, job=Job("mst", schema=schema.fingerprint()))
    facts = {"settings": {}, "bounds": {}, "released": {}, "run": accountant.run, "ledger": ledger}
    return Certificate.issue(schema=schema, mechanism="mst", **facts).record


def without_charges():
    """The certificate of a run that read rows, and made nothing of them."""
    ledger = Ledger.create(None, Budget(9.0, 1e-6), dataset="claims", unit=PrivacyUnit())
    accountant = Accountant(Budget(2.0, 1e-6), ledger=ledger)
    accountant.begin()
    accountant.close("ab" * 32)
    facts = {"settings": {}, "bounds": {}, "released": {}, "run": accountant.run, "ledger": ledger}
    return Certificate.issue(schema=Schema(COLUMNS), mechanism="m", **facts).record


def declared():
    """The certificate of a run on an account that was imported, twice, and declared the only one each time."""
    with tempfile.TemporaryDirectory(dir=SCRATCH) as name:
        ledger = Ledger.create(Path(name) / "0", Budget(9.0, 1e-6), dataset="claims", unit=PrivacyUnit())
        for number, by in enumerate(("the data office", "")):
            ledger.export(Path(name) / f"{number}.lines")
            ledger = Ledger.import_lines(Path(name) / f"{number}.lines", Path(name) / f"{number + 1}", only=True, by=by)
        record = issue(ledger=ledger).record
    assert [line["by"] for line in record["ledger"]["only"]] == ["the data office", ""]
    return record


def unreadable(columns=5):
    """The certificate of a run whose columns could not be read, by its counts: five of six are told."""
    odd = {f"c{i}": {"rows": 1300, "stddev": 9.5, "share": 0.65 - 0.001 * i, "holds": "unread"} for i in range(columns)}
    few = {"few": {"rows": 30, "stddev": 9.5, "share": 0.015, "holds": "unread"}}
    record = issue(released={"undeclared": {**few, **odd}}).record
    assert len(record["cautions"]) == min(columns, 4)
    return record


def counted(record, name, **facts):
    record["released"]["undeclared"][name].update(facts)


def reserve(record, *more):
    record["run"]["line"]["reserve"].extend(more)
    rechained(record)


def replaced(record):
    """The certificate for units that are replaced, with every other word and figure as it would be."""
    unit, meaning = record["unit"], "which of two candidates for one record was in the data"
    unit.update(adjacency="replace", description="any 1 record, replaced by others")
    record["claim"].update(
        sentence=record["claim"]["sentence"].replace("added or removed", "replaced by others"),
        meaning=record["claim"]["meaning"].replace("whether one record was in the data", meaning),
    )
    for charge in record["charges"]:
        charge["noise_stddev_rows"] = charge["noise_stddev_rows"] and charge["noise_stddev_rows"] * 2**0.5
    rehash(record["ledger"]["line"], unit={name: value for name, value in unit.items() if name != "description"})
    rechained(record)


def changed(record, what, **facts):
    rehash(what, **facts)
    rechained(record)


FORGERIES = {
    "hashes": (plain, lambda r: r["charges"][0]["line"].update(purpose="nothing")),
    "order": (plain, lambda r: rehash(r["charges"][0]["line"], purpose="nothing")),
    "beginning": (plain, lambda r: changed(r, r["ledger"]["line"], prev="1" * 64)),
    "account": (plain, lambda r: r["ledger"].update(dataset="another")),
    "head": (plain, lambda r: r["ledger"].update(head="0" * 64)),
    "kinds": (plain, lambda r: changed(r, r["charges"][0]["line"], kind="note")),
    "run": (plain, lambda r: changed(r, r["charges"][0]["line"], run="another")),
    "complete": (plain, lambda r: r["ledger"].update(other_lines=1)),
    "mechanism": (with_a_job, lambda r: r["mechanism"].update(name="aim")),
    "schema": (with_a_job, lambda r: r["schema"].update(sha256="c0ffee")),
    "steps": (lambda: claimed((0, 0, 600)), lambda r: None),
    "trainings": (with_steps, lambda r: r["trainings"].update(lost=0)),
    "parts": (plain, lambda r: r.update(note="trust me")),
    "noise": (plain, lambda r: r["run"].update(noise="a die")),
    "unit": (plain, lambda r: r["unit"].update(description="everybody, always")),
    "budget": (plain, lambda r: r["budget"].update(epsilon=0.5)),
    "claim": (plain, lambda r: r["claim"].update(epsilon=0.5)),
    "sentence": (plain, lambda r: r["claim"].update(sentence="This release is perfectly private.")),
    "meaning": (plain, lambda r: r["claim"].update(meaning="Nobody can guess anything.")),
    "caution": (mixed, lambda r: r.update(cautions=[])),
    "unread": (unreadable, lambda r: r["cautions"].pop(0)),
    "charges": (plain, lambda r: r["charges"][0].update(event="noise multiplier 99")),
    "sampling": (trained, replaced),
    "kept_for_programs": (mixed, lambda r: reserve(r, {"event": "external_program", "epsilon": 0.09, "delta": 0.0})),
    "within_claim": (plain, lambda r: reserve(r, {"event": "gaussian", "noise_multiplier": 1.0})),
    "reserved": (mixed, lambda r: (r["run"]["line"]["reserve"].pop(0), rechained(r))),
    "spent": (plain, lambda r: r["spent"].update(epsilon=r["spent"]["epsilon"] * (1 - 1e-6))),
    "spent_less": (plain, lambda r: r["spent"].update(epsilon=1.9)),
    "overspent": (trained, lambda r: r["spent"].update(epsilon=2.1)),
    "account_spent": (plain, lambda r: r["ledger"]["spent"].update(epsilon=1e-9)),
    "fixed": (mixed, lambda r: r["schedule"].update(fixed=True)),
    "whole": (mixed, lambda r: r["schedule"].update(epsilon=r["schedule"]["epsilon"] * 0.98)),
    "rows": (plain, lambda r: r["charges"][0].update(noise_stddev_rows=99.0)),
    "shares": (plain, lambda r: r["charges"][0].update(share_percent=1.0)),
    "views": (plain, lambda r: r["views"]["spent"].update(mu=1e-9)),
    "budget_views": (plain, lambda r: r["views"]["budget"]["rdp"].update({"64": 1e-9})),
}


def hidden(record):
    """The line that says that rows were read is passed off as another run's."""
    record["run"]["drawing"] = None
    record["ledger"]["other_lines"] += 1


FURTHER = {
    "a run without charges that hides that it read rows": (
        "complete", without_charges, lambda r: r["run"].update(drawing=None),
    ),
    "charges without a line that says that rows were read": ("complete", plain, hidden),
    "the drawing line is changed": ("hashes", without_charges, lambda r: r["run"]["drawing"].update(seq=2, note="")),
    "another line in its place": ("kinds", plain, lambda r: changed(r, r["run"]["drawing"], kind="note")),
    "the drawing of another run": ("run", plain, lambda r: changed(r, r["run"]["drawing"], run="another")),
    "a drawing after its charge": ("order", plain, lambda r: rehash(r["run"]["drawing"], seq=4)),
    "another declaration": ("kinds", declared, lambda r: rehash(r["ledger"]["only"][0], kind="note")),
    "a declaration that is not told": ("caution", declared, lambda r: r["cautions"].pop()),
    "a declaration by somebody else": (
        "caution", declared,
        lambda r: r.update(cautions=[each.replace("the data office", "the board") for each in r["cautions"]]),
    ),
    "an account that costs less than nothing": (
        "whole", mixed, lambda r: r["ledger"].update(if_fixed=-1.0),
    ),
    "an account that costs less than its run": (
        "whole", plain, lambda r: r["ledger"].update(if_fixed=r["ledger"]["if_fixed"] * (1 - 1e-6)),
    ),
    "an account of which no cost is told": (
        "whole", plain, lambda r: r["ledger"].update(if_fixed=None),
    ),
    "more runs than lines": ("complete", plain, lambda r: r["ledger"].update(other_runs=1)),
    "more seeded runs than runs": (
        "complete", plain, lambda r: r["ledger"].update(other_runs_seeded=1),
    ),
    "fewer charges than none": (
        "complete", plain, lambda r: r["ledger"].update(other_charges=-1),
    ),
    "no number of runs": ("complete", plain, lambda r: r["ledger"].update(other_runs=None)),
    "cautions of values that could not be read, all left out": ("unread", unreadable, lambda r: r.update(cautions=[])),
    "one that is made up": ("unread", plain, lambda r: r.update(cautions=unreadable(1)["cautions"])),
    "a count that grew": ("unread", unreadable, lambda r: counted(r, "few", rows=900, share=0.45)),
    "a count that shrank": ("unread", unreadable, lambda r: counted(r, "c4", rows=9)),
    "a count that is told otherwise": ("unread", unreadable, lambda r: counted(r, "c0", rows=1301)),
    "a share that is told otherwise": ("unread", unreadable, lambda r: counted(r, "c2", share=0.641)),
    "a column that is told otherwise": (
        "unread", unreadable,
        lambda r: r.update(cautions=[text.replace("'c1'", "'c4'") for text in r["cautions"]]),
    ),
    "a number of columns that is told otherwise": (
        "unread", unreadable,
        lambda r: r.update(cautions=[text.replace("of 2 more columns", "of 1 more column") for text in r["cautions"]]),
    ),
    "counts of another form": ("unread", unreadable, lambda r: counted(r, "c0", of="nothing")),
    "a declaration that is left out": (
        "complete", declared, lambda r: (r["ledger"]["only"].pop(), r["cautions"].pop()),
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "make", "forge"),
    [*((name, *each) for name, each in FORGERIES.items()), *FURTHER.values()],
    ids=[*FORGERIES, *FURTHER],
)
def test_only_its_own_check_sees_a_forgery(name, make, forge):
    record = json.loads(json.dumps(make()))
    forge(record)
    assert [outcome.check for outcome in verify.examine(record) if outcome.fault] == [name]
    with pytest.raises(ValueError, match="the certificate contradicts itself"):
        Certificate(record).verify()


MAKERS = {make for *_, make, _ in (*FORGERIES.values(), *FURTHER.values())}


@pytest.mark.parametrize(
    "make", sorted((make for make in MAKERS if make.__name__ != "<lambda>"), key=lambda make: make.__name__)
)
def test_what_is_forged_was_sound_before(make):
    record = json.loads(json.dumps(make()))
    outcomes = verify.examine(record)
    assert all(outcome.fault is outcome.undecided is None for outcome in outcomes)
    assert [outcome.check for outcome in outcomes] == [check.__name__ for check in verify.CHECKS]
    Certificate(record).verify()


def test_every_check_has_a_forgery_and_says_its_fault_in_one_sentence():
    assert [check.__name__ for check in verify.CHECKS] == list(FORGERIES)
    for check in verify.CHECKS:
        sentence = check.__doc__.strip()
        assert "\n" not in sentence
        assert sentence[0].isupper()
        assert sentence.endswith(".")


FREE = ("released", "versions", "created")  # of the first only counts of values not read are looked at
INNER = ("run.drawing", "run.ended", "run.line", "ledger.line", "ledger.only", "ledger.spent", "views.spent")


@pytest.mark.parametrize("part", [*(name for name in plain() if name not in FREE), *INNER])
def test_what_is_of_another_form_is_a_fault_and_never_an_accident(part):
    *path, name = part.split(".")
    for value in (None, 3, "text", [], {}, [[]], [None], {"line": {}}):
        record = json.loads(json.dumps(plain()))
        place = record[path[0]] if path else record
        if place[name] != value:
            place[name] = value
            assert name == "dpsynth_certificate" or any(outcome.fault for outcome in verify.examine(record)), value
            with pytest.raises(ValueError, match="certificate"):
                Certificate(record).verify()


def test_a_training_that_is_told_a_little_too_cheap_is_found_when_the_certificate_is_made_again():
    """The independent program knows the price of a training from below, by up to three hundredths."""
    record = copy.deepcopy(issue([DpSgd(0.05, 4.0, 300)]).record)
    record["spent"]["epsilon"] *= 0.9999
    with pytest.raises(ValueError, match="its spent is not what follows from its ledger lines"):
        Certificate(record).verify()


def test_a_training_that_the_verifier_leaves_undecided_is_made_again():
    record = copy.deepcopy(issue([DpSgd(0.01, 3.0, 1)]).record)
    Certificate(record).verify()
    record["spent"]["epsilon"] *= 0.99
    with pytest.raises(ValueError, match="its spent is not what follows from its ledger lines"):
        Certificate(record).verify()
    record["claim"]["epsilon"] = 0.1
    assert verify.faults(record) == ["what it claims is not the budget of its run"]  # a fault is more than a doubt
