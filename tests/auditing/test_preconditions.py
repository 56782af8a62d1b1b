"""Training records and holdout that cannot be compared make an audit INVALID, and nothing sound does."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dpsynth.auditing.release.audit import audit
from dpsynth.schema.table import Categorical, Schema
from tests.auditing.people import SCHEMA, mixed, people

N = 1000
TRAIN, HOLDOUT, STRANGERS = people(N, 1), people(N, 2), people(N, 3)


def test_a_holdout_from_another_population_makes_the_audit_invalid():
    late = people(N, 2).assign(x0=lambda t: t["x0"] + 0.5)
    report = audit(STRANGERS, TRAIN, late, schema=SCHEMA)
    assert report.verdict == "INVALID"
    assert "same population" in report.reasons[0]


def test_a_holdout_that_repeats_training_records_makes_the_audit_invalid():
    overlapping = pd.concat([TRAIN.iloc[:50], people(N - 50, 2)])
    report = audit(STRANGERS, TRAIN, overlapping, schema=SCHEMA)
    assert report.verdict == "INVALID"
    assert "both tables" in report.reasons[0]


def test_records_that_are_repeated_within_one_table_make_the_audit_invalid():
    """Several rows of a person, or rows drawn twice: they are no records that a coin might have put anywhere."""
    report = audit(STRANGERS, pd.concat([TRAIN.iloc[:500]] * 2), HOLDOUT, schema=SCHEMA)
    assert report.verdict == "INVALID"
    assert any("repeated within one table" in reason for reason in report.reasons)
    assert any("give one record for each person" in reason for reason in report.reasons)


def test_rows_of_people_who_have_many_do_not_accuse_a_release_that_knows_none_of_them():
    """Thirty rows of each person, all alike, and a release of strangers: never FAIL, for all the chance matches."""
    schema = Schema({name: Categorical(list(range(4))) for name in "abc"})
    rng = np.random.default_rng(2)

    def crowd(persons, rows):
        return pd.DataFrame(np.repeat(rng.integers(0, 4, (persons, 3)), rows, axis=0), columns=list("abc"))

    for _ in range(5):
        assert audit(crowd(600, 1), crowd(20, 30), crowd(20, 30), schema=schema).verdict == "INVALID"


def test_a_holdout_that_was_used_instead_of_the_training_records_makes_the_audit_invalid():
    """The two tables exchanged by mistake: the worst release would pass with them."""
    for leaky in (TRAIN.sample(N, replace=True, random_state=0), mixed(N, TRAIN, 12)):
        report = audit(leaky, HOLDOUT, TRAIN, schema=SCHEMA)
        assert report.verdict == "INVALID"
        assert any("no nearer to the holdout" in reason for reason in report.reasons)


def test_rows_near_training_records_taken_out_of_a_release_make_the_audit_invalid():
    """A filter against copies says who was near: it shows in many chance matches of the holdout and none of these."""
    rng = np.random.default_rng(6)
    schema = Schema({name: Categorical(list(range(12))) for name in "abc"})
    table, train, holdout = (pd.DataFrame(rng.integers(0, 12, (n, 3)), columns=list("abc")) for n in (1500, N, N))
    assert audit(table, train, holdout, schema=schema).verdict != "INVALID"
    known = set(train.itertuples(index=False, name=None))
    kept = [row not in known for row in table.itertuples(index=False, name=None)]
    report = audit(table[kept], train, holdout, schema=schema)
    assert report.verdict == "INVALID"
    assert any("no nearer to the holdout" in reason for reason in report.reasons)


def test_a_reference_that_holds_the_holdout_makes_the_audit_invalid():
    assert audit(STRANGERS, TRAIN, HOLDOUT, reference=HOLDOUT, schema=SCHEMA).verdict == "INVALID"
    assert audit(STRANGERS, TRAIN, HOLDOUT, reference=people(N, 9), schema=SCHEMA).verdict != "INVALID"
