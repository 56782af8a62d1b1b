"""Linked tables: laws of whose a row is, what it says of others, and how far a unit moves the counts of windows."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd

from dpsynth.base.domain import Domain
from tests.rings.part_laws import Classes

TREE = {"person": None, "visit": "person", "test": "visit", "note": "test", "card": "person"}
KEYS = {"person": "id", "visit": "visit", "test": "test"}
"""Of each table that others hang on the column with its keys; theirs has the same name."""
CODES = 4
DAYS = 60


def forest(seed: int, crowded: bool = False) -> dict[str, pd.DataFrame]:
    """Four tables with keys that are missing, come twice, lead nowhere, and lead to two people."""
    rng = np.random.default_rng(seed)

    def some(values, rows, missing=0.1):
        return pd.Series(np.where(rng.random(rows) < missing, None, rng.choice(values, rows)), dtype=object)

    people, visits, tests, notes, cards = (6, 14, 30, 40, 9) if not crowded else (3, 40, 400, 500, 60)
    keys = np.arange(12) if not crowded else np.arange(60)
    found = {
        "person": pd.DataFrame({"id": some([f"p{i}" for i in range(7)], people)}),
        "visit": pd.DataFrame({"id": some([f"p{i}" for i in range(8)], visits), "visit": some(keys, visits)}),
        "test": pd.DataFrame({"visit": some([*keys, 99], tests), "test": some(range(tests), tests)}),
        "note": pd.DataFrame({"test": some(range(tests + 1), notes)}),
        "card": pd.DataFrame({"id": some([f"p{i}" for i in range(8)], cards)}),
    }
    for table in found.values():
        table["says"] = rng.integers(0, CODES - 1, len(table))
    found["visit"]["day"] = some(range(3), visits)
    return found


def clean(seed: int) -> dict[str, pd.DataFrame]:
    """The same without such keys: each row leads to one person, and no two visits come on one day."""
    rng = np.random.default_rng(seed)
    person = pd.DataFrame({"id": [f"p{i}" for i in range(20)]})
    visit = pd.DataFrame(
        {"id": rng.choice(person["id"], 60), "visit": rng.permutation(60), "day": rng.permutation(DAYS)}
    )
    test = pd.DataFrame({"visit": rng.integers(0, 60, 200), "test": rng.permutation(200)})
    note = pd.DataFrame({"test": rng.integers(0, 200, 90)})
    card = pd.DataFrame({"id": rng.choice(person["id"], 30)})
    found = {"person": person, "visit": visit, "test": test, "note": note, "card": card}
    for table in found.values():
        table["says"] = rng.integers(0, CODES - 1, len(table))
    return found


def led(tables: dict[str, pd.DataFrame]) -> dict[str, list[set[str]]]:
    """For each row the people to whom its keys lead: those of all rows above that have the key."""
    found = {"person": [{str(who)} for who in tables["person"]["id"]]}
    for name, above in [*TREE.items()][1:]:
        key = KEYS[above]
        owners: dict[object, set[str]] = {}
        for value, who in zip(tables[above][key], found[above], strict=True):
            owners.setdefault(value, set()).update(who)
        found[name] = [set() if key is None else owners.get(key, set()) for key in tables[name][key]]
    return found


def without(tables: dict[str, pd.DataFrame], who: str) -> dict[str, pd.DataFrame]:
    """The tables without a person and all rows that lead there."""
    gone = led(tables)
    return {name: table[[who not in each for each in gone[name]]] for name, table in tables.items()}


def linked(k: SimpleNamespace, tables: dict[str, pd.DataFrame], cuts: int = 1):
    """The linked rows; each table in so many parts."""

    def reader(table):
        ends = [len(table) * i // cuts for i in range(cuts + 1)]
        return lambda columns: [table.iloc[a:b][[*columns]] for a, b in pairwise(ends)]

    says = Classes(k, CODES)
    ties = {
        "visit": k.Tie("person", "id", "id", (("day", Classes(k, DAYS + 1)), ("says", says))),
        "test": k.Tie("visit", "visit", "visit"),
        "note": k.Tie("test", "test", "test"),
        "card": k.Tie("person", "id", "id"),
    }
    reads = {name: reader(tables[name]) for name in TREE}
    return k.link_tables(reads, k.Root("person", "id"), ties, {name: {"says": says} for name in TREE})


def windows(k: SimpleNamespace, name: str):
    """What the windows of a table hold, and the codings that read them."""
    says, few = Classes(k, CODES), Classes(k, CODES)
    own = {"says": k.Own("says")}
    if name == "person":
        own |= {"visits": k.Children("visit"), "cards": k.Children("card"), "first": k.First("visit", 2)}
        return own, {"says": says, "visits": few, "cards": few, "first": few}
    around = {"person": k.Above("person", k.Own("says"), says), "before": k.Before(k.Own("says"), says)}
    own |= {"place": k.Place()}
    codings = {"says": says, "person": k.Cells(CODES), "before": k.Cells(CODES), "place": few}
    if name == "visit":
        own |= {"gap": k.Gap(5), "tests": k.Children("test"), "week": k.Moment(7), "weekday": k.Moment(1, 3)}
        codings |= {"gap": few, "tests": few, "week": few, "weekday": few}
    if name in ("test", "note"):
        around |= {
            "visit": k.Above("visit", k.Own("says"), says),
            "tests": k.Above("visit", k.Children("test"), few),
        }
        codings |= {"visit": k.Cells(CODES), "tests": k.Cells(CODES)}
    if name == "note":
        around["test"], codings["test"] = k.Above("test", k.Own("says"), says), k.Cells(CODES)
    return own | around, codings


def counts(k: SimpleNamespace, rows, name: str, most: int, adjacency: str = "add-remove"):
    """The counts of a table's windows as Sensitive, in all their columns at once."""
    values, codings = windows(k, name)
    unit = k.PrivacyUnit("id", most, adjacency)
    domain = Domain.of({column: coding.size for column, coding in codings.items()})
    private = k.PrivateTable.encoded(rows.rows(name, values, unit), codings, domain)
    clique = tuple(codings)
    return private.marginals([clique])[clique]


def exact(k: SimpleNamespace, value) -> np.ndarray:
    return k.sensitive._integers(value)


MANY = 10_000


def a_row_is_used_that_leads_to_one_person(k: SimpleNamespace) -> None:
    for seed in range(30):
        tables = forest(seed)
        rows = linked(k, tables)
        for name, owners in led(tables).items():
            ones = sum(len(each) == 1 for each in owners)
            assert exact(k, counts(k, rows, name, MANY)).sum() == ones


def a_person_takes_only_own_rows_away_and_no_more_than_said(k: SimpleNamespace) -> None:
    for seed in [*range(8), 50]:
        crowded = seed >= 50
        tables = forest(seed, crowded)
        rows = linked(k, tables)
        for who in sorted({*map(str, tables["person"]["id"])}):
            fewer = linked(k, without(tables, who))
            for name in TREE:
                for most in (1, 2, 7):
                    said = counts(k, rows, name, most)
                    moved = exact(k, said) - exact(k, counts(k, fewer, name, most))
                    assert moved.min() >= 0  # no row of another says anything else, or is chosen otherwise
                    assert moved.sum() <= most == said.l1 == said.l2


def one_person_in_anothers_place_moves_twice_as_far(k: SimpleNamespace) -> None:
    tables = forest(3)
    for most in (1, 3):
        said = counts(k, linked(k, tables), "test", most, "replace")
        assert (said.l1, round(said.l2, 9)) == (2 * most, round(2**0.5 * most, 9))


def a_person_with_too_many_rows_keeps_as_many_as_may_be(k: SimpleNamespace) -> None:
    for seed in range(50, 54):
        tables = forest(seed, crowded=True)
        for most in (1, 5, 20):
            rows = linked(k, tables)
            for name, owners in led(tables).items():
                own = [next(iter(each)) for each in owners if len(each) == 1]
                kept = sum(min(most, own.count(who)) for who in {*own})
                assert exact(k, counts(k, rows, name, most)).sum() == kept


def windows_say_what_the_tables_do(k: SimpleNamespace) -> None:
    for seed in range(5):
        tables = clean(seed)
        rows = linked(k, tables)
        person, visit, test, note, card = (tables[name] for name in TREE)
        visit = visit.merge(person, on="id", suffixes=("", "_person")).sort_values(["id", "day"])
        groups = visit.groupby("id")
        visit = visit.assign(
            before=groups["says"].shift().fillna(CODES - 1).astype(int),
            place=groups.cumcount(),
            tests=visit["visit"].map(test["visit"].value_counts()).fillna(0),
        )
        gaps = (visit["day"] // 5).groupby(visit["id"]).diff().fillna(CODES - 1)
        visit = visit.assign(gap=gaps, week=visit["day"] // 7, weekday=visit["day"] % 3)
        expected = np.zeros((CODES,) * 8, dtype=int)
        for row in visit.itertuples():
            cells = (row.place, row.gap, row.tests, row.week, row.weekday)
            few = (int(min(each, CODES - 1)) for each in cells)
            expected[row.says, row.says_person, row.before, *few] += 1
        assert (exact(k, counts(k, rows, "visit", MANY)) == expected).all()
        whole = test.merge(visit, on="visit", suffixes=("", "_visit"))
        found = exact(k, counts(k, rows, "test", MANY))
        for row in whole.itertuples():
            tests = int(min(row.tests, CODES - 1))
            assert found[row.says, row.says_person, :, :, row.says_visit, tests].sum() > 0
        assert found.sum() == len(test)
        whole = note.merge(whole, on="test", suffixes=("", "_test"))
        found = exact(k, counts(k, rows, "note", MANY))
        for row in whole.itertuples():
            tests = int(min(row.tests, CODES - 1))
            assert found[row.says, row.says_person, :, :, row.says_visit, tests, row.says_test].sum() > 0
        assert found.sum() == len(note)
        people = person.assign(
            visits=person["id"].map(visit["id"].value_counts()).fillna(0),
            cards=person["id"].map(card["id"].value_counts()).fillna(0),
            first=person["id"].map(visit.groupby("id")["day"].min() // 2).fillna(CODES - 1),
        )
        expected = np.zeros((CODES,) * 4, dtype=int)
        for row in people.itertuples():
            cells = (row.visits, row.cards, row.first)
            expected[(row.says, *(int(min(each, CODES - 1)) for each in cells))] += 1
        assert (exact(k, counts(k, rows, "person", MANY)) == expected).all()


def parts_and_order_say_nothing_of_linked_rows(k: SimpleNamespace) -> None:
    tables = clean(7)
    shuffled = {name: table.sample(frac=1, random_state=1) for name, table in tables.items()}
    for name in ("person", "visit", "card"):  # two tests may say the same, and their order decides
        one = exact(k, counts(k, linked(k, tables), name, 2))
        assert (one == exact(k, counts(k, linked(k, tables, cuts=3), name, 2))).all()
        assert (one == exact(k, counts(k, linked(k, shuffled), name, 2))).all()


def linked_rows_that_are_others_than_before_are_refused(k: SimpleNamespace) -> None:
    tables = clean(8)
    now = [dict(tables)]
    says = Classes(k, CODES)
    reads = {name: (lambda columns, name=name: [now[0][name]]) for name in TREE}
    ties = {"visit": k.Tie("person", "id", "id"), "test": k.Tie("visit", "visit", "visit")}
    reads = {name: reads[name] for name in ("person", "visit", "test")}
    rows = k.link_tables(reads, k.Root("person", "id"), ties)
    values = {"says": k.Own("says")}
    for changed in (tables["test"].iloc[1:], tables["test"].assign(visit=tables["test"]["visit"] + 1)):
        now[0] = tables | {"test": changed}
        bounded = rows.rows("test", values, k.PrivacyUnit("id", 3))
        try:
            k.PrivateTable.encoded(bounded, {"says": says}, Domain.of({"says": CODES}))
        except k.RowsError:
            continue
        raise AssertionError("other rows were counted")


LAWS = (
    a_row_is_used_that_leads_to_one_person,
    a_person_takes_only_own_rows_away_and_no_more_than_said,
    one_person_in_anothers_place_moves_twice_as_far,
    a_person_with_too_many_rows_keeps_as_many_as_may_be,
    windows_say_what_the_tables_do,
    parts_and_order_say_nothing_of_linked_rows,
    linked_rows_that_are_others_than_before_are_refused,
)
