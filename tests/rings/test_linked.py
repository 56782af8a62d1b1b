"""Linked tables: the door obeys their laws, and each law finds its mutants."""

from __future__ import annotations

import pytest

from tests.rings import kernel
from tests.rings.kernel import Mutant
from tests.rings.linked_laws import (
    LAWS,
    a_person_takes_only_own_rows_away_and_no_more_than_said,
    a_person_with_too_many_rows_keeps_as_many_as_may_be,
    a_row_is_used_that_leads_to_one_person,
    linked_rows_that_are_others_than_before_are_refused,
    parts_and_order_say_nothing_of_linked_rows,
    windows_say_what_the_tables_do,
)

MUTANTS = [
    Mutant(
        "a row that leads to two people is of the first",
        "ties.py",
        "np.where(least == most, least, SEVERAL)",
        "least",
        a_row_is_used_that_leads_to_one_person,
    ),
    Mutant(
        "what hangs on rows of two people is as if it hung on none",
        "ties.py",
        "leads = units != NOWHERE",
        "leads = units >= 0",
        a_person_takes_only_own_rows_away_and_no_more_than_said,
    ),
    Mutant(
        "rows without a key are of those without an id",
        "ties.py",
        "owners[numbering.keys.index(NO_ID)] = NOWHERE",
        "pass",
        a_row_is_used_that_leads_to_one_person,
    ),
    Mutant(
        "a key that no row has is the last one",
        "ties.py",
        "known = np.minimum(numbers, len(self.units))",
        "known = np.minimum(numbers, len(self.units) - 1)",
        a_row_is_used_that_leads_to_one_person,
    ),
    Mutant(
        "rows follow those of another",
        "ties.py",
        "first[1:] = above[order[1:]] != above[order[:-1]]",
        "first[1:] = False",
        a_person_takes_only_own_rows_away_and_no_more_than_said,
    ),
    Mutant(
        "rows stand in the order in which they are read",
        "ties.py",
        "order = rows[np.lexsort((said[rows], *ordering[::-1, rows], above[rows]))]",
        'order = rows[np.argsort(above[rows], kind="stable")]',
        parts_and_order_say_nothing_of_linked_rows,
    ),
    Mutant(
        "the first rows of the table are used, whosever they are",
        "linked.py",
        "among[many] = chosen(ids, number[many], table.said[kept][many], unit)",
        "among[many] = np.arange(many.sum()) < unit.max_records",
        a_person_takes_only_own_rows_away_and_no_more_than_said,
    ),
    Mutant(
        "rows of people with too many are all used",
        "linked.py",
        "among[many] = chosen(ids, number[many], table.said[kept][many], unit)",
        "among[many] = True",
        a_person_takes_only_own_rows_away_and_no_more_than_said,
    ),
    Mutant(
        "people with too many rows have none",
        "linked.py",
        "among[many] = chosen(ids, number[many], table.said[kept][many], unit)",
        "pass",
        a_person_with_too_many_rows_keeps_as_many_as_may_be,
    ),
    Mutant(
        "the number of a person decides, which others move",
        "linked.py",
        "among[many] = chosen(ids,",
        "among[many] = chosen([b'%d' % i for i in range(len(ids))],",
        a_person_takes_only_own_rows_away_and_no_more_than_said,
    ),
    Mutant(
        "rows of nobody are used",
        "linked.py",
        "kept[kept] = among",
        "kept[kept] = among\n    kept |= table.units < 0",
        a_row_is_used_that_leads_to_one_person,
    ),
    Mutant(
        "rows of nobody are counted as children",
        "linked.py",
        "np.bincount(below.above[below.units >= 0], minlength=len(table.units))",
        "np.bincount(np.maximum(below.above, 0), minlength=len(table.units))",
        a_person_takes_only_own_rows_away_and_no_more_than_said,
    ),
    Mutant(
        "rows of two people are counted as children",
        "linked.py",
        "np.bincount(below.above[below.units >= 0], minlength=len(table.units))",
        "np.bincount(below.above[below.above >= 0], minlength=len(table.units))",
        a_person_takes_only_own_rows_away_and_no_more_than_said,
    ),
    Mutant(
        "the row above is the one at that place of the own table",
        "linked.py",
        "rows, at = table.above, table.tie",
        "rows, at = np.arange(len(table.above)) % (table.above.max() + 1), table.tie",
        a_person_takes_only_own_rows_away_and_no_more_than_said,
    ),
    Mutant(
        "gaps are those to the row after",
        "linked.py",
        "return stretches[:-1] - stretches[table.before]",
        "return stretches[table.before] - stretches[:-1]",
        windows_say_what_the_tables_do,
    ),
    Mutant(
        "the first that is read is the first",
        "linked.py",
        "rows = np.flatnonzero((below.units >= 0) & (below.places == 0))",
        "rows = np.flatnonzero((below.units >= 0))[::-1]",
        windows_say_what_the_tables_do,
    ),
    Mutant(
        "other rows are taken in the place of those that were linked",
        "ties.py",
        "if not alike or (self.marks[count] is not None and self.marks[count] != digest(part[self.marking])):",
        "if False:",
        linked_rows_that_are_others_than_before_are_refused,
    ),
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_door_obeys_every_law(law) -> None:
    law(kernel.load())


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_law_kills_the_mutant(mutant: Mutant, tmp_path, monkeypatch) -> None:
    kernel.kill(mutant, tmp_path, monkeypatch)
