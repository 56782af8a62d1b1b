"""Tables that come in parts: the door obeys their laws, and each law finds its mutants."""

from __future__ import annotations

import pytest

from tests.rings import kernel
from tests.rings.kernel import Mutant
from tests.rings.part_laws import (
    LAWS,
    a_digest_tells_two_readings_apart_and_not_their_chunks,
    a_table_is_read_as_often_whether_or_not_a_unit_has_too_many_rows,
    a_unit_has_one_size_and_holds_a_text_once_over_all_parts,
    a_unit_keeps_as_many_rows_as_it_may_over_all_parts,
    a_unit_more_leaves_the_rows_of_others,
    a_unit_with_too_many_rows_ends_nothing_whatever_the_columns_are,
    codes_that_are_not_held_are_made_anew,
    every_row_of_a_unit_is_as_likely_kept,
    parts_and_order_say_nothing,
    rows_that_are_others_than_before_are_refused,
)

MUTANTS = [
    Mutant(
        "units have too many rows in one part, or not at all",
        "keeping.py",
        "many = crowded(number, unit)",
        "many = np.concatenate([crowded(each, unit) for each in numbers])",
        a_unit_keeps_as_many_rows_as_it_may_over_all_parts,
    ),
    Mutant(
        "rows of units with too many are kept",
        "keeping.py",
        "kept[many] = chosen(numbering.keys, number[many], np.concatenate(said)[many], unit)",
        "kept[many] = True",
        a_unit_keeps_as_many_rows_as_it_may_over_all_parts,
    ),
    Mutant(
        "the bounding is forgotten when a table is read again",
        "bounded.py",
        "yield from _taken(table, columns)",
        "yield from ((part, slice(None)) for part in table.read(columns))",
        a_unit_keeps_as_many_rows_as_it_may_over_all_parts,
    ),
    Mutant(
        "rows stand in the order in which they come",
        "bounding.py",
        "alike = np.lexsort((said, number))",
        'alike = np.argsort(number, kind="stable")',
        parts_and_order_say_nothing,
    ),
    Mutant(
        "what rows say does not decide",
        "bounding.py",
        "_mixed(said[alike])",
        "_mixed(said[alike] * np.uint64(0))",
        every_row_of_a_unit_is_as_likely_kept,
    ),
    Mutant(
        "rows that say the same are kept or dropped together",
        "bounding.py",
        "+ copy.astype(np.uint64) * _ODD)",
        ")",
        every_row_of_a_unit_is_as_likely_kept,
    ),
    Mutant(
        "the number of a unit decides, which others move",
        "bounding.py",
        "hashes[number[alike]] + _mixed(",
        "number[alike].astype(np.uint64) + _mixed(",
        a_unit_more_leaves_the_rows_of_others,
    ),
    Mutant(
        "other people's rows are taken in the place of those that were bounded",
        "bounded.py",
        "if before.ids is not None and before.ids != digest(ids_of(part, table.unit, table.dates)):",
        "if False:",
        rows_that_are_others_than_before_are_refused,
    ),
    Mutant(
        "ids are told apart by how often each comes",
        "ids.py",
        "found.update(len(whole).to_bytes(8) + whole.tobytes())",
        "found.update(np.sort(whole).tobytes())",
        a_digest_tells_two_readings_apart_and_not_their_chunks,
    ),
    Mutant(
        "a missing id is the number 0",
        "ids.py",
        "np.append(each, np.zeros(1, dtype=_HASH))[places]",
        "np.append(np.append(each, np.zeros(1, dtype=_HASH)), each[:1])[places]",
        a_digest_tells_two_readings_apart_and_not_their_chunks,
    ),
    Mutant(
        "a number is told by its bits, whatever type it has",
        "ids.py",
        'found["kind"] = zlib.crc32(values.dtype.str.encode())',
        'found["kind"] = 3',
        a_digest_tells_two_readings_apart_and_not_their_chunks,
    ),
    Mutant(
        "rows are taken out of the columns themselves",
        "table.py",
        "codes_of(part[a], self._codings[a])[kept]",
        "codes_of(part[a][kept] if isinstance(kept, slice) else part[a].filter(kept), self._codings[a])",
        a_unit_with_too_many_rows_ends_nothing_whatever_the_columns_are,
    ),
    Mutant(
        "codes of rows that were not kept are counted",
        "table.py",
        "codes_of(part[a], self._codings[a])[kept]",
        "codes_of(part[a], self._codings[a])",
        a_unit_keeps_as_many_rows_as_it_may_over_all_parts,
    ),
    Mutant(
        "sizes are of rows that were not kept",
        "sizes.py",
        "(ids_of(part, unit, dates))[kept]",
        "(ids_of(part, unit, dates))",
        a_unit_has_one_size_and_holds_a_text_once_over_all_parts,
    ),
    Mutant(
        "texts are held in rows that were not kept",
        "held.py",
        "(unit << 32 | held)[kept][held[kept] >= 0]",
        "(unit << 32 | held)[held >= 0]",
        a_unit_has_one_size_and_holds_a_text_once_over_all_parts,
    ),
    Mutant(
        "a table is read once more where a unit has too many rows",
        "keeping.py",
        "    kept = ~many\n",
        "    kept = ~many\n    _ = many.any() and read([*records, *unit.columns])\n",
        a_table_is_read_as_often_whether_or_not_a_unit_has_too_many_rows,
    ),
    Mutant(
        "fewer rows than before are taken",
        "bounded.py",
        "    if next(left, None) is not None:\n",
        "    if False:\n",
        rows_that_are_others_than_before_are_refused,
    ),
    Mutant(
        "the codes that were held stand for all",
        "table.py",
        "                self._held = None\n",
        "",
        codes_that_are_not_held_are_made_anew,
    ),
    Mutant(
        "units have a size in each part",
        "sizes.py",
        "np.bincount(numbering.of(",
        "np.bincount(Numbering().of(",
        a_unit_has_one_size_and_holds_a_text_once_over_all_parts,
    ),
    Mutant(
        "units hold a text once in each part",
        "held.py",
        "unit = numbering.of(",
        "unit = Numbering().of(",
        a_unit_has_one_size_and_holds_a_text_once_over_all_parts,
    ),
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_door_obeys_every_law(law) -> None:
    law(kernel.load())


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_law_kills_the_mutant(mutant: Mutant, tmp_path, monkeypatch) -> None:
    kernel.kill(mutant, tmp_path, monkeypatch)
