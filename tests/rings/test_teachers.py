"""What the kernel promises of teachers, and for each promise a broken kernel that the test sees.

False alarms: each distribution test rejects the truth with probability 1e-6 or less.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import chi2, kstest, norm

from dpsynth.base.code_name import code_name
from dpsynth.kernel.budget import Budget, BudgetExceededError
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.noise import operating_system_bits, seeded_bits
from dpsynth.ledger.opening import Accountant
from tests.rings import kernel
from tests.rings.kernel import Mutant

SIZES = (3, 5)
NUMBER = 7
Law = Callable[[SimpleNamespace], None]


def codes(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, SIZES, size=(rows, len(SIZES)))


def teachers(k: SimpleNamespace, rows: np.ndarray, number: int = NUMBER, bits=operating_system_bits, **unit):
    protects = k.unit.PrivacyUnit(**unit)
    return k.teachers.Teachers(k.rows.SensitiveRows(rows, sizes=SIZES, protects=protects), number, bits)


def seen(k: SimpleNamespace, rows: np.ndarray, bits) -> list[list[list[int]]]:
    """What each teacher is shown, as an instrumented teacher reports it; the kernel's made-up rows left out."""
    shown: list[list[list[int]]] = []
    teachers(k, rows, bits=bits).vote(lambda part: shown.append(part.tolist()) or np.zeros(1, bool), 1)
    return shown[-NUMBER:]


def words(drawn: np.ndarray):
    """A source of bits in which each row has its own word, whatever rows stand beside it."""

    def bits(count: int) -> bytes:
        assert count == drawn.nbytes
        return drawn.tobytes()

    return bits


# Laws


def one_row_more_changes_one_teacher_and_by_that_row(k):
    """Put in at the first place, in the midst and at the end, beside equal rows: other rows keep their own words."""
    rows = codes(300)
    drawn = np.frombuffer(np.random.default_rng(1).bytes(8 * len(rows)), dtype="<u8")
    before = seen(k, rows, words(drawn))
    for place, row in ((0, [0, 0]), (150, [2, 4]), (300, rows[0].tolist())):
        with_row = np.insert(drawn, place, np.uint64(2**63 + 12_345))
        after = seen(k, np.insert(rows, place, row, axis=0), words(with_row))
        changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
        assert len(changed) == 1
        assert changed[0][1] == sorted([*changed[0][0], row])


def a_replaced_row_changes_one_teacher(k):
    rows, other = codes(300), codes(300)
    other[17] = (other[17] + 1) % SIZES
    before, after = (seen(k, r, seeded_bits(5)) for r in (rows, other))
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1


def the_order_of_the_table_does_not_reach_a_teacher(k):
    rows, drawn = codes(200), np.frombuffer(np.random.default_rng(2).bytes(1600), dtype="<u8")
    order = np.random.default_rng(3).permutation(200)
    assert seen(k, rows, words(drawn)) == seen(k, rows[order], words(drawn[order]))


def every_row_has_one_teacher_drawn_evenly_for_itself(k):
    """Rows 0 and 1 of a table of any length: each teacher alike, whoever has the other row (49 pairs, chi-square)."""
    table = np.array([[0, 0], [1, 0], [2, 0]])
    counts = np.zeros((NUMBER, NUMBER))
    draws = 6000
    for _ in range(draws):
        parts = seen(k, table, operating_system_bits)
        holders = [[t for t, part in enumerate(parts) if [value, 0] in part] for value in (0, 1)]
        assert [len(h) for h in holders] == [1, 1]
        counts[holders[0][0], holders[1][0]] += 1
    expected = draws / NUMBER**2
    assert np.sum((counts - expected) ** 2) / expected < chi2.isf(1e-6, NUMBER**2 - 1)


def teachers_keep_their_rows_from_one_set_of_questions_to_the_next(k):
    asked = teachers(k, codes(100))
    shown: list[list[list[int]]] = []
    for _ in range(2):
        asked.vote(lambda part: shown.append(part.tolist()) or np.zeros(1, bool), 1)
    assert shown[-NUMBER:] == shown[-2 * NUMBER - 3 : -NUMBER - 3]


def a_unit_moves_the_votes_no_further_than_stated(k):
    """Every teacher that one of a unit's rows reaches turns round all its answers."""
    for adjacency in ("add-remove", "replace"):
        votes = teachers(k, codes(50), 9, max_records=3, adjacency=adjacency).vote(lambda part: np.ones(25, bool), 25)
        assert votes.l2 >= 3 * math.sqrt(25)
        assert votes.l1 >= 3 * 25
        assert votes.protects.max_records == 3


def votes_are_noised_as_billed(k):
    """No teacher says yes, so that what comes out is noise: of multiplier * sqrt(questions), and no other scale."""
    charge = k.accountant.Charge(
        k.events.Gaussian(3.0), k.Grant(operating_system_bits, None, "", 0, code=code_name(codes))
    )
    noisy, stddev = charge.gaussian(teachers(k, codes(5)).vote(lambda part: np.zeros(4000, bool), 4000))
    scale = 3 * math.sqrt(4000)
    np.testing.assert_allclose(stddev, scale)
    assert kstest(noisy, norm(scale=scale).cdf).pvalue > 1e-6
    assert kstest(noisy, norm(scale=1.2 * scale).cdf).pvalue < 1e-6


def counts_are_how_many_say_yes(k):
    """With next to no noise: the number of teachers who hold the row asked about, and of those who hold none."""
    rows, bits = codes(5), seeded_bits(8)
    parts = seen(k, rows, seeded_bits(8))

    def teacher(part):
        return np.array([[1, 1] in part.tolist(), len(part) == 0, True])

    charge = k.accountant.Charge(
        k.events.Gaussian(1e-6), k.Grant(operating_system_bits, None, "", 0, code=code_name(codes))
    )
    counts, _ = charge.gaussian(teachers(k, rows, bits=bits).vote(teacher, 3))
    assert counts.tolist() == np.sum([teacher(np.array(part).reshape(-1, 2)) for part in parts], axis=0).tolist()


def teachers_who_remember_or_guess_are_refused(k):
    memory: list[np.ndarray] = []

    def remembers(part):
        memory.append(part)
        return np.full(30, len(memory) % 2 == 0) ^ (np.arange(30) < len(memory))

    rng = np.random.default_rng(0)
    for teacher in (remembers, lambda part: rng.random(30) < 0.5):
        with pytest.raises(ValueError, match="by chance or with the rows of other teachers"):
            teachers(k, codes(20)).vote(teacher, 30)


LAWS: list[Law] = [
    one_row_more_changes_one_teacher_and_by_that_row,
    a_replaced_row_changes_one_teacher,
    the_order_of_the_table_does_not_reach_a_teacher,
    every_row_has_one_teacher_drawn_evenly_for_itself,
    teachers_keep_their_rows_from_one_set_of_questions_to_the_next,
    a_unit_moves_the_votes_no_further_than_stated,
    votes_are_noised_as_billed,
    counts_are_how_many_say_yes,
    teachers_who_remember_or_guess_are_refused,
]

DRAWN = 'teacher = np.frombuffer(bits(8 * len(codes)), dtype="<u8") % np.uint64(number)'
MUTANTS = [
    Mutant(
        "teachers by place",
        "teachers.py",
        DRAWN,
        "teacher = (np.frombuffer(bits(8 * len(codes)), dtype='<u8') * 0 + np.arange(len(codes), dtype='<u8'))"
        " % np.uint64(number)",
        one_row_more_changes_one_teacher_and_by_that_row,
    ),
    Mutant(
        "equal parts in the table's order, which the first row shifts",
        "teachers.py",
        DRAWN,
        "bits(8 * len(codes)); teacher = np.arange(len(codes), dtype='<u8') * np.uint64(number)"
        " // np.uint64(len(codes))",
        one_row_more_changes_one_teacher_and_by_that_row,
    ),
    Mutant(
        "one shuffle, dealt out in turn",
        "teachers.py",
        DRAWN,
        "teacher = np.argsort(np.argsort(np.frombuffer(bits(8 * len(codes)), dtype='<u8'))).astype('<u8')"
        " % np.uint64(number)",
        one_row_more_changes_one_teacher_and_by_that_row,
    ),
    Mutant(
        "all rows to every teacher",
        "teachers.py",
        "return np.split(codes[order].astype(np.int64), ends)",
        "return [codes[np.lexsort(codes.T[::-1])]] * number",
        one_row_more_changes_one_teacher_and_by_that_row,
    ),
    Mutant(
        "a teacher who depends on how many rows there are",
        "teachers.py",
        DRAWN,
        DRAWN.replace("% np", "// np.uint64(1 + len(codes) % 2) % np"),
        one_row_more_changes_one_teacher_and_by_that_row,
    ),
    Mutant(
        "rows in the table's order",
        "teachers.py",
        "np.lexsort((*codes.T[::-1], teacher))",
        "np.argsort(teacher, kind='stable')",
        the_order_of_the_table_does_not_reach_a_teacher,
    ),
    Mutant(
        "the first teacher twice as often",
        "teachers.py",
        "% np.uint64(number)",
        "% np.uint64(number + 1) % np.uint64(number)",
        every_row_has_one_teacher_drawn_evenly_for_itself,
    ),
    Mutant(
        "one draw for every two rows",
        "teachers.py",
        DRAWN,
        "teacher = np.repeat(np.frombuffer(bits(8 * len(codes)), dtype='<u8')[::2], 2)[:len(codes)]"
        " % np.uint64(number)",
        every_row_has_one_teacher_drawn_evenly_for_itself,
    ),
    Mutant(
        "votes billed as one question",
        "teachers.py",
        "_up(reach * math.sqrt(questions))",
        "_up(float(reach))",
        votes_are_noised_as_billed,
    ),
    Mutant(
        "several rows of a unit as one",
        "teachers.py",
        "reach = self.__protects.max_records",
        "reach = 1",
        a_unit_moves_the_votes_no_further_than_stated,
    ),
    Mutant(
        "silent teachers count as yes",
        "teachers.py",
        "counts += _answers(teacher, rows, questions)",
        "counts += _answers(teacher, rows, questions) | (len(rows) == 0)",
        counts_are_how_many_say_yes,
    ),
    Mutant(
        "no look at memory",
        "teachers.py",
        "if not np.array_equal(",
        "if False and np.array_equal(",
        teachers_who_remember_or_guess_are_refused,
    ),
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_kernel_keeps_its_promise(law):
    law(kernel.load())


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_kernel_is_seen(tmp_path, monkeypatch, mutant):
    with kernel.workshop(tmp_path, monkeypatch) as build:
        broken = build(mutant.file, mutant.old, mutant.new)
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            mutant.law(broken)


def test_every_set_of_questions_is_paid_for_and_the_one_after_the_last_is_refused():
    event = Gaussian(50.0)
    k = kernel.load()
    accountant = Accountant(Budget(5.0, 1e-6), reserve=[event] * 3)
    asked = k.teachers.part(accountant, k.rows.SensitiveRows(codes(30), sizes=SIZES, protects=k.unit.PrivacyUnit()), 4)
    for i in range(3):
        charge = accountant.charge(event, f"ask, round {i + 1}", reads=codes)
        charge.gaussian(asked.vote(lambda part: np.ones(2, bool), 2))
        with pytest.raises(RuntimeError, match="good once"):
            charge.gaussian(asked.vote(lambda part: np.ones(2, bool), 2))
    with pytest.raises(BudgetExceededError):
        accountant.charge(event, "ask once more")
    charges = [line for line in accountant.ledger.entries() if line["kind"] == "charge"]
    assert [line["event"] for line in charges] == [{"event": "gaussian", "noise_multiplier": 50.0}] * 3
    assert {line["code"] for line in charges} == {code_name(codes)}


def test_votes_of_another_unit_are_refused_by_the_ledger():
    from dpsynth.kernel.unit import PrivacyUnit
    from dpsynth.ledger.ledger import Ledger

    ledger = Ledger.create(None, Budget(5.0, 1e-6), dataset="d", unit=PrivacyUnit(max_records=2))
    charge = Accountant(Budget(5.0, 1e-6), ledger=ledger).charge(Gaussian(50.0), "ask")
    with pytest.raises(ValueError, match="one account needs one unit"):
        charge.gaussian(teachers(kernel.load(), codes(5)).vote(lambda part: np.ones(2, bool), 2))


@pytest.mark.parametrize("number", [0, -1, 1.5, True, 10**6, None])
def test_a_number_of_teachers_that_means_nothing_is_refused(number):
    with pytest.raises(ValueError, match="a whole number from 1 to 100,000"):
        teachers(kernel.load(), codes(5), number)


@pytest.mark.parametrize("answer", [np.ones(3, bool), np.ones(4, int), np.ones((4, 1), bool), None], ids=repr)
def test_answers_of_another_shape_or_kind_are_refused_before_a_row_is_read(answer):
    shown = []
    with pytest.raises(ValueError, match="booleans of shape"):
        teachers(kernel.load(), codes(5)).vote(lambda part: shown.append(part) or answer, 4)
    assert len(shown) == 1
    with pytest.raises(ValueError, match="questions must be"):
        teachers(kernel.load(), codes(5)).vote(lambda part: answer, 0)


def test_rows_that_are_not_closed_are_refused():
    k = kernel.load()
    with pytest.raises(TypeError, match="SensitiveRows"):
        k.teachers.Teachers(codes(5), 3, operating_system_bits)


def test_teachers_are_closed_and_may_be_without_rows():
    asked = teachers(kernel.load(), codes(0))
    asked.vote(lambda part: np.ones(2, bool), 2)
    assert "[" not in repr(asked).split(" at 0x")[0]
    for copied in (copy.copy, copy.deepcopy, lambda x: x.__reduce__()):
        with pytest.raises(TypeError, match="ask for their votes"):
            copied(asked)
    with pytest.raises(AttributeError):
        asked.__parts  # noqa: B018
