"""Questions, teachers' answers and what the student makes of them, beside sums over pairs and sampled tables."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from dpsynth.mechanisms.neural.votes import Expected, Questions, Student

SIZES = (3, 4, 2)


def shares(seed=0):
    return [np.random.default_rng(seed).dirichlet(np.full(n, 3.0)) for n in SIZES]


def rows(n, seed=0, related=0.0):
    """Columns with the shares above; the second repeats the first, as far as it can, this often."""
    rng = np.random.default_rng(seed)
    a, b, c = (rng.choice(k, n, p=p) for k, p in zip(SIZES, shares(), strict=True))
    return np.column_stack([a, np.where(rng.random(n) < related, a, b), c])


def sums(asked, held):
    """The sum over rows and pairs of columns, term by term; shape (questions,)."""
    p = shares()
    return np.array(
        [
            sum(
                ((r[a] == x[a]) - p[a][x[a]]) * ((r[b] == x[b]) - p[b][x[b]])
                for r in held
                for a, b in itertools.combinations(range(3), 2)
            )
            for x in asked
        ]
    )


def test_a_teacher_says_yes_where_the_sum_over_pairs_is_above_zero():
    asked = rows(40, seed=1)
    teacher = Questions(asked, shares()).teacher()
    for seed in range(20):
        held = rows(seed, seed=100 + seed)
        clear = np.abs(sums(asked, held)) > 0.05  # shares are rounded to 1/1024
        np.testing.assert_array_equal(teacher(held)[clear], sums(asked, held)[clear] > 0)
    assert not teacher(rows(0)).any()


def test_answers_do_not_hang_on_the_order_of_rows():
    held, teacher = rows(500), Questions(rows(200, seed=1), shares()).teacher()
    for seed in range(5):
        np.testing.assert_array_equal(teacher(held), teacher(np.random.default_rng(seed).permutation(held)))


def test_expected_answers_are_those_of_teachers_with_such_rows():
    public, questions = rows(30_000, related=0.5), Questions(rows(15, seed=1), shares())
    expected = questions.expected(public, 10, np.random.default_rng(0))
    rng, teacher = np.random.default_rng(1), questions.teacher()
    parts = [teacher(public[rng.integers(0, 30_000, rng.poisson(10))]) for _ in range(3000)]
    np.testing.assert_allclose(expected.yes, np.mean(parts, axis=0), atol=6 * np.sqrt(0.5 / 3000))
    each = np.array([sums(questions.asked, [row]) for row in public[:2000]])
    np.testing.assert_allclose(expected.mean, each.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(expected.spread, each.std(axis=0), rtol=0.15)


def test_what_a_share_of_yeses_says_of_the_mean():
    """No surprise leaves the expectation; and teachers of other rows say as much as these rows differ."""
    questions = Questions(rows(15, seed=1), shares())
    before, after = (
        questions.expected(rows(60_000, related=r, seed=5), 20, np.random.default_rng(0)) for r in (0.3, 0.35)
    )
    means, variances = before.updated(before.yes, 20, 1e-4)
    np.testing.assert_array_equal(means, before.mean)
    assert np.all(variances > 0)
    updated, _ = before.updated(after.yes, 20, 1e-4)
    moved = after.mean - before.mean
    assert np.corrcoef(updated - before.mean, moved)[0, 1] > 0.7
    one = Expected(np.array([1.0]), np.array([0.5]), np.array([1.0])).updated(np.array([0.9]), 4, 1e-4)
    assert np.isfinite(one).all()


def answered(student, questions, truth, noise, rng):
    """Tells the student the exact sums of D_ab at these questions, up to the noise."""
    p = shares()
    means = np.zeros(len(questions))
    for a, b in itertools.combinations(range(3), 2):
        table = truth[a, b] - np.outer(p[a], p[b])
        means += table[questions[:, a], questions[:, b]]
    student.learn(questions, means + noise * rng.standard_normal(len(means)), np.full(len(means), noise**2))


@pytest.mark.parametrize(("noise", "off"), [(1e-4, 0.02), (100.0, None)])
def test_a_student_learns_pairs_from_clear_answers_and_nothing_from_noise(noise, off):
    p = shares()
    truth = {pair: np.outer(p[pair[0]], p[pair[1]]) for pair in itertools.combinations(range(3), 2)}
    joint = truth[0, 1].copy()
    joint[:2, :2] += np.array([[0.04, -0.04], [-0.04, 0.04]])
    independent, truth = dict(truth), {**truth, (0, 1): joint}
    rng, student = np.random.default_rng(0), Student(p)
    for seed in range(3):
        answered(student, rows(200, seed=seed), truth, noise, rng)
    pairs = student.pairs()
    learned = pairs[:3, 3:7]
    np.testing.assert_allclose(pairs, pairs.T)
    assert not pairs[:3, :3].any()
    if off is None:
        np.testing.assert_allclose(learned, independent[0, 1], atol=0.01)
    else:
        assert np.abs(learned - joint).sum() < off
        np.testing.assert_allclose(pairs[:3, 7:], independent[0, 2], atol=off)
