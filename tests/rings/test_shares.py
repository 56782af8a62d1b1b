"""Tables that lie in shares on other machines: the door obeys their laws, and each law finds its mutants."""

from __future__ import annotations

import pytest

from tests.rings import kernel
from tests.rings.kernel import Mutant
from tests.rings.share_laws import (
    LAWS,
    a_result_that_is_given_twice_is_refused,
    a_unit_counts_no_more_rows_over_all_shares,
    an_exchange_that_loses_rows_or_brings_them_twice_is_refused,
    cells_are_merged_where_the_rows_lie,
    ids_that_say_the_same_come_into_one_share,
    rows_in_shares_are_not_gathered,
    rows_of_a_unit_in_two_shares_are_refused,
    rows_that_are_others_than_at_the_first_telling_are_refused,
    shares_and_retries_say_nothing,
    sizes_and_texts_are_those_of_memory,
)

MUTANTS = [
    Mutant(
        "each share bounds what it has, without an exchange",
        "shares.py",
        "divided = shares.made(partial(_divided, unit, dates, shares.groups)).gathered()",
        "divided = shares",
        a_unit_counts_no_more_rows_over_all_shares,
    ),
    Mutant(
        "rows of units with too many are kept",
        "shares.py",
        "places = np.flatnonzero(kept)",
        "places = np.arange(len(kept))",
        a_unit_counts_no_more_rows_over_all_shares,
    ),
    Mutant(
        "units are told apart by the bytes of their ids, and not by what these say",
        "shares.py",
        "keys, number = units(ids_of(part, unit, dates))",
        'keys, number = [str(each).encode() for each in part["who"].to_pylist()], np.arange(len(part))',
        ids_that_say_the_same_come_into_one_share,
    ),
    Mutant(
        "what came over is not compared with what was sent",
        "shares.py",
        "if _added([mark.came for mark in marks]) != _added([sums for _, *sums in sent]):",
        "if False:",
        an_exchange_that_loses_rows_or_brings_them_twice_is_refused,
    ),
    Mutant(
        "what was sent is what came",
        "shares.py",
        "came = [len(all_hashes), int(all_hashes.sum())]",
        "came = _added([json.loads(mark)[1:] for mark in marks if mark is not None])",
        an_exchange_that_loses_rows_or_brings_them_twice_is_refused,
    ),
    Mutant(
        "groups may lie in two shares",
        "shares.py",
        "if len({*groups}) < len(groups):",
        "if False:",
        rows_of_a_unit_in_two_shares_are_refused,
    ),
    Mutant(
        "a piece may be told twice",
        "shares.py",
        "if len({mark[:2] for mark in marks}) < len(marks):",
        "if False:",
        a_result_that_is_given_twice_is_refused,
    ),
    Mutant(
        "tellings are not compared",
        "shares.py",
        "if self.first and self.first[0] != marks:",
        "if False:",
        rows_that_are_others_than_at_the_first_telling_are_refused,
    ),
    Mutant(
        "what a piece without ids says is not looked at",
        "shares.py",
        "zlib.crc32(_written(piece))",
        "0",
        rows_that_are_others_than_at_the_first_telling_are_refused,
    ),
    Mutant(
        "only the first share is counted",
        "counting.py",
        "for each in told)",
        "for each in told[:1])",
        shares_and_retries_say_nothing,
    ),
    Mutant(
        "cells are not merged there",
        "table.py",
        "return work(_grouped(groups, partitions))",
        "return work(partitions)",
        cells_are_merged_where_the_rows_lie,
    ),
    Mutant(
        "rows are gathered for a charge that reads them",
        "table.py",
        "        if isinstance(backend, Shared):\n            raise TypeError(",
        "        if isinstance(backend, Shared):\n            return str(",
        rows_in_shares_are_not_gathered,
    ),
    Mutant(
        "the sizes of one share stand for all",
        "sizes.py",
        "for each in told)",
        "for each in told[:1])",
        sizes_and_texts_are_those_of_memory,
    ),
    Mutant(
        "texts of one share take the place of another's",
        "held.py",
        "counts.update(dict(",
        "counts |= Counter(dict(",
        sizes_and_texts_are_those_of_memory,
    ),
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_door_obeys_every_law(law) -> None:
    law(kernel.load())


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_law_kills_the_mutant(mutant: Mutant, tmp_path, monkeypatch) -> None:
    kernel.kill(mutant, tmp_path, monkeypatch)
