"""Functions that are given private rows: when one fails on them, nothing of what it says comes out."""

from __future__ import annotations

import traceback

import numpy as np
import pytest

from tests.rings import kernel
from tests.rings.kernel import Mutant
from tests.rings.unkept import grant

SIZES = (3, 5)
MADE_UP = 8
"""More calls than any probing with made-up rows makes."""


def rows_of(k):
    codes = np.random.default_rng(0).integers(0, SIZES, size=(400, len(SIZES)))
    return k.rows.SensitiveRows(codes, sizes=SIZES, protects=k.unit.PrivacyUnit())


def failing_on_call(number, answer):
    """Answers until it is called for the `number`-th time; then it quotes what it was given."""
    calls = 0

    def function(codes):
        nonlocal calls
        calls += 1
        if calls >= number:
            raise ValueError(f"CANARY {codes.tolist()}")
        return answer(codes)

    return function


def refused(k, run, answer):
    """Each failure is met either on made-up rows, where it may speak, or on real ones, where it may not."""
    told = []
    for number in range(1, MADE_UP):
        try:
            run(failing_on_call(number, answer))
        except Exception as error:
            told.append(error)
    assert isinstance(told[0], ValueError), "made-up rows show the function's own words"
    behind = [error for error in told if not isinstance(error, ValueError)]
    assert behind, "no failure on real rows was tried"
    for error in told[told.index(behind[0]) :]:
        assert type(error) is k.wall.RowsError
        assert error.__context__ is None
        assert "CANARY" not in "".join(traceback.format_exception(error))


def a_gradient_that_fails_says_nothing(k):
    def run(function):
        options = {"parameters": 4, "clip": 1.0, "assumed_rows": 100.0}
        training = k.dpsgd.Training(0.9, 1.0, grant(k.DpSgd(0.9, 1.0, 5), k, reads=rows_of), rows_of(k), **options)
        training.step(function)

    refused(k, run, lambda codes: np.zeros((len(codes), 4)))


def a_feature_that_fails_says_nothing(k):
    refused(k, lambda f: k.embedding.embed(rows_of(k), f, dimensions=2), lambda codes: np.zeros((len(codes), 2)))


def a_teacher_that_fails_says_nothing(k):
    def run(function):
        k.teachers.Teachers(rows_of(k), 20, k.noise.operating_system_bits).vote(function, 3)

    refused(k, run, lambda codes: np.zeros(3, dtype=bool))


LAWS = (a_gradient_that_fails_says_nothing, a_feature_that_fails_says_nothing, a_teacher_that_fails_says_nothing)
MUTANTS = [
    Mutant(
        "gradients outside of the wall",
        "dpsgd.py",
        "behind_the_wall(partial(self._sum, gradients))",
        "self._sum(gradients)",
        a_gradient_that_fails_says_nothing,
    ),
    Mutant(
        "features outside of the wall",
        "embedding.py",
        "behind_the_wall(partial(sum_of_rows, codes, features, dimensions, 1.0, operating_system_bits))",
        "sum_of_rows(codes, features, dimensions, 1.0, operating_system_bits)",
        a_feature_that_fails_says_nothing,
    ),
    Mutant(
        "votes outside of the wall",
        "teachers.py",
        "behind_the_wall(partial(_counted, teacher, self.__parts, questions))",
        "_counted(teacher, self.__parts, questions)",
        a_teacher_that_fails_says_nothing,
    ),
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_kernel_obeys_every_law(law) -> None:
    law(kernel.load())


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_law_kills_the_mutant(mutant: Mutant, tmp_path, monkeypatch) -> None:
    kernel.kill(mutant, tmp_path, monkeypatch)
