"""Charges are told by what they were for; columns are named, and cautioned of, by fixed shares beyond the noise."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpsynth.evidence import undeclared
from dpsynth.evidence.purposes import groups, kind

COLUMNS = ["age", "sex", "size x weight", "the row count"]
PURPOSES = {
    "measure the row count": "The number of rows",
    "measure age": "Single columns",
    "measure size x weight": "Single columns",
    "measure age x sex": "Pairs of columns",
    "measure age x sex x job": "Three and more columns",
    "measure a x b x c x d": "Three and more columns",
    "learn the bounds of age": "Bounds that the schema leaves open",
    "see values of age that many rows share": "Values that many rows share",
    "see how the numbers of age are written": "How numbers are written",
    "choose among 3 pairs": "What to measure: scores of all candidates",
    "choose among 12 marginals": "What to measure: scores of all candidates",
    "train a critic of rows in 20 steps": "Training of a network",
    "ask teachers about 9 rows, round 1 of 2": "Votes of teachers",
    "embedding of all images by class": "Means of images",
    "mine: a program that is not ours": "mine: a program that is not ours",
}


def charge(purpose, noise=10.0, share=1.0):
    return {"line": {"purpose": purpose}, "noise_stddev_rows": noise, "share_percent": share}


@pytest.mark.parametrize(("purpose", "what"), PURPOSES.items())
def test_a_purpose_has_its_group_and_an_unknown_one_keeps_its_words(purpose, what):
    assert kind(purpose, COLUMNS) == what


noises = st.none() | st.floats(1, 1e6)
charges = st.lists(st.builds(charge, st.sampled_from(list(PURPOSES)), noises, st.floats(0, 100)), max_size=20)


@given(charges)
def test_groups_lose_no_charge_and_no_share_and_span_all_noise(made):
    found = groups(made, COLUMNS)
    assert sum(group.charges for group in found) == len(made)
    assert math.fsum(g.share_percent for g in found) == pytest.approx(math.fsum(c["share_percent"] for c in made))
    assert [g.share_percent for g in found] == sorted((g.share_percent for g in found), reverse=True)
    for group in found:
        noise = [
            c["noise_stddev_rows"]
            for c in made
            if kind(c["line"]["purpose"], COLUMNS) == group.what and c["noise_stddev_rows"]
        ]
        assert (group.least, group.most) == ((min(noise), max(noise)) if noise else (None, None))


def counted(rows, stddev=10.0, holds="unread"):
    return {"undeclared": {"a": {"rows": rows, "share": rows / 1000, "stddev": stddev, "holds": holds}}}


@pytest.mark.parametrize(
    ("released", "named", "cautioned"),
    [
        (counted(200), False, False),
        (counted(201), True, True),
        (counted(900, holds="either"), True, False),
        (counted(901, holds="either"), True, True),
        (counted(1000, holds="missing"), True, False),
        (counted(900, stddev=150.0), False, False),
        (counted(900, stddev=149.0), True, True),
        ({"rows": 5}, False, False),
    ],
)
def test_a_column_is_named_over_a_fifth_and_cautioned_where_that_is_odd(released, named, cautioned):
    assert bool(undeclared.many(released)) == named
    assert bool(undeclared.cautions(released)) == cautioned
    assert all(0 < column["share"] <= 1 for column in undeclared.many(released))


@pytest.mark.parametrize("columns", [1, 3, 4, 23, 50])
def test_many_columns_that_cannot_be_read_are_all_told_in_few_sentences(columns):
    each = {"rows": 500, "share": 0.5, "stddev": 1.0, "holds": "unread"}
    released = {"undeclared": {f"c{i:02}": each for i in range(columns)}}
    found = undeclared.cautions(released)
    assert len(found) == min(columns, 3) + (columns > 3)
    assert all(sentence.startswith("CAUTION: ") for sentence in found)
    named = [name for name in released["undeclared"] if any(repr(name) in sentence for sentence in found)]
    assert len(named) == min(columns, 23)
    assert (f"{columns - 3} more column" in found[-1]) == (columns > 3)
    assert ("and 27 more" in found[-1]) == (columns == 50)
