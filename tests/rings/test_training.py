"""What the kernel promises of training, and for each promise a broken kernel that the test sees.

False alarms: each distribution test rejects the truth with probability 1e-6 or less, and its mutant, or a neighbour of
the truth that is named, is rejected.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import chi2, kstest, norm

from dpsynth.kernel.budget import Budget
from dpsynth.kernel.events import Gaussian
from dpsynth.kernel.rows import SensitiveRows
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.ledger.opening import Accountant
from dpsynth.training import clipping, dpsgd
from dpsynth.training.clipping import PIECE
from dpsynth.training.event import DpSgd
from tests.rings import kernel
from tests.rings.kernel import Mutant
from tests.rings.processes import in_children, needs_fork
from tests.rings.unkept import grant

SIZES = (3, 5)
Law = Callable[[SimpleNamespace], None]


def table(k: SimpleNamespace, rows: int, unit: dict | None = None, seed: int = 0):
    codes = np.random.default_rng(seed).integers(0, SIZES, size=(rows, len(SIZES)))
    return k.rows.SensitiveRows(codes, sizes=SIZES, protects=k.unit.PrivacyUnit(**(unit or {})))


def training(k, rows, *, rate=0.1, multiplier=1.0, steps=10, parameters=4, clip=1.0, assumed=1000.0, unit=None):
    event = k.DpSgd(rate, multiplier, steps)
    made = table(k, rows, unit)
    options = {"parameters": parameters, "clip": clip, "assumed_rows": assumed}
    return k.dpsgd.Training(rate, multiplier, grant(event, k, reads=constant), made, **options)


def constant(value: float, parameters: int = 4):
    """Every row has the gradient (value, 0, ...)."""
    row = np.zeros(parameters, dtype=np.float32)
    row[0] = value
    return lambda codes: np.tile(row, (len(codes), 1))


# Laws


def one_row_moves_the_clipped_sum_by_the_clip_at_most(k):
    rng = np.random.default_rng(0)
    odd = [0.0, np.inf, -np.inf, np.nan, 1e-40, 3e38, -1.0]
    for trial in range(60):
        rows, parameters = int(rng.integers(1, 40)), int(rng.integers(1, 300))
        gradients = (rng.standard_normal((rows, parameters)) * 10.0 ** rng.integers(-6, 7, size=(rows, 1))).astype("f4")
        if trial % 3 == 0:
            gradients[rng.integers(rows), rng.integers(parameters)] = odd[trial % len(odd)]
        clip = float(10.0 ** rng.integers(-3, 4))
        whole = k.clipping.clipped_sum(gradients, clip)
        gone = int(rng.integers(rows))
        moved = whole - k.clipping.clipped_sum(np.delete(gradients, gone, axis=0), clip)
        assert sum(int(x) ** 2 for x in moved) <= 2**40


def noise_has_the_scale_that_was_paid_for(k):
    """1,500 steps of 4 coordinates: the spread is known to 0.9 %, so half of it is far away, and a tenth more is."""
    run = training(k, 0, multiplier=3.0, steps=1500, clip=2.0, assumed=100.0)
    stddev = 3.0 * 2.0 / (0.1 * 100)
    draws = np.concatenate([run.step(constant(0.0)) for _ in range(1500)])
    low, high = chi2.ppf([5e-7, 1 - 5e-7], draws.size)
    assert low < np.sum(np.square(draws / stddev)) < high
    assert not low < np.sum(np.square(draws / stddev / 1.1)) < high
    assert kstest(draws, norm(scale=stddev).cdf).pvalue > 1e-6
    assert run.stddev == pytest.approx(stddev)


def as_many_take_part_as_a_bernoulli_draw_says(k):
    """Batch sizes of 3,000 steps over 400 rows: mean N q and variance N q (1 - q), as sums of squares."""
    rows, rate, steps = 400, 0.25, 3000
    run = training(k, rows, rate=rate, multiplier=1e-6, steps=steps, parameters=1, assumed=1.0)
    sizes = np.round([rate * run.step(constant(0.5, 1))[0] / 0.5 for _ in range(steps)])
    variance = rows * rate * (1 - rate)
    assert abs(sizes.mean() - rows * rate) < 5 * math.sqrt(variance / steps)
    low, high = chi2.ppf([5e-7, 1 - 5e-7], steps)
    assert low < np.sum((sizes - rows * rate) ** 2) / variance < high


def the_scale_of_an_answer_is_public(k):
    """Twice as many rows, twice the answer: neither the number of rows nor of those that took part divides it."""
    small, large = (
        np.mean([training(k, n, rate=0.5, multiplier=1e-6, assumed=1000.0).step(constant(0.5))[0] for _ in range(20)])
        for n in (1000, 2000)
    )
    assert small == pytest.approx(0.5, rel=0.1)
    assert large == pytest.approx(1.0, rel=0.1)


def a_step_beyond_the_last_is_refused(k):
    run = training(k, 5, steps=3)
    for _ in range(3):
        run.step(constant(1.0))
    assert run.steps_left == 0
    with pytest.raises(RuntimeError, match="all 3 steps"):
        run.step(constant(1.0))


def rows_that_lean_on_one_another_are_refused(k):
    def normalised(codes):
        x = codes[:, :1] - codes[:, :1].mean()
        return np.tile(x, (1, 4)).astype(np.float32)

    rng = np.random.default_rng(0)
    for coupled in (normalised, lambda codes: rng.random((len(codes), 4))):
        run = training(k, 50)
        with pytest.raises(ValueError, match="rows beside it, or by chance"):
            run.step(coupled)
    run = training(k, 50)
    run.step(constant(1.0))
    with pytest.raises(ValueError, match="rows beside it, or by chance"):
        run.step(normalised)
    assert run.steps_left == 9
    for honest, coupled in ((Scaled(0), Scaled(1)), (partial(scaled, 0), partial(scaled, 1))):
        run = training(k, 50)
        run.step(honest)
        with pytest.raises(ValueError, match="rows beside it, or by chance"):
            run.step(coupled)
        assert run.steps_left == 9


def scaled(weight, codes):
    """Gradients that lean on other rows where the weight is not zero."""
    x = codes[:, :1] - weight * codes[:, :1].mean()
    return np.tile(x, (1, 4)).astype(np.float32)


class Scaled:
    """The same as an object: all objects of a class run one code."""

    def __init__(self, weight):
        self.weight = weight

    def __call__(self, codes):
        return scaled(self.weight, codes)


def a_unit_of_several_rows_is_hidden_as_a_whole(k):
    """Noise three times as large; and any of three rows takes part with the billed rate, not each of them."""
    run = training(k, 0, multiplier=1.0, steps=500, assumed=1.0, unit={"max_records": 3})
    rate = 1 - 0.9 ** (1 / 3)
    draws = np.concatenate([run.step(constant(0.0)) for _ in range(500)])
    assert kstest(draws, norm(scale=3 / rate).cdf).pvalue > 1e-6
    assert 1 - (1 - k.dpsgd.row_rate(0.1, 3)) ** 3 == pytest.approx(0.1, rel=1e-9)
    assert 1 - (1 - k.dpsgd.row_rate(0.1, 3)) ** 3 <= 0.1
    assert k.dpsgd.row_rate(0.1, 1) == 0.1


def images_are_trained_on_like_any_rows(k):
    """Coded bytes, a label and pixels: all take part at rate 1, and each counts by its own gradient alone."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (300, 17)).astype(np.uint8)
    codes[:, 0] %= 4
    rows = k.rows.SensitiveRows(codes, sizes=(4, *[256] * 16), protects=k.unit.PrivacyUnit())
    event = k.DpSgd(1.0, 1e-6, 1)
    size = {"parameters": 17, "clip": 1.0, "assumed_rows": 1}
    run = k.dpsgd.Training(event.rate, event.noise_multiplier, grant(event, k, reads=constant), rows, **size)
    expected = k.clipping.clipped_sum(codes / 255 - 0.5, 1.0) * 2.0**-20
    np.testing.assert_allclose(run.step(lambda piece: piece / 255 - 0.5), expected, atol=1e-4)


def code_that_no_line_names_sees_no_row(k):
    """Of another file: refused before a step is claimed or made-up rows are shown; of this file, whichever function."""
    rows = table(k, 5)
    event = k.DpSgd(1.0, 1.0, 3)
    shown = []
    for named, works in ((in_children, False), (constant, True)):
        held = grant(event, k, reads=named)
        run = k.dpsgd.Training(1.0, 1.0, held, rows, parameters=4, clip=1.0, assumed_rows=5.0)
        if works:
            run.step(lambda codes: shown.append(0) or np.zeros((len(codes), 4)))
            assert shown
        else:
            with pytest.raises(ValueError, match="name the function"):
                run.step(lambda codes: shown.append(0) or np.zeros((len(codes), 4)))
            assert (shown, held.ledger.counted.upto) == ([], 0)


LAWS: list[Law] = [
    code_that_no_line_names_sees_no_row,
    images_are_trained_on_like_any_rows,
    one_row_moves_the_clipped_sum_by_the_clip_at_most,
    noise_has_the_scale_that_was_paid_for,
    as_many_take_part_as_a_bernoulli_draw_says,
    the_scale_of_an_answer_is_public,
    a_step_beyond_the_last_is_refused,
    rows_that_lean_on_one_another_are_refused,
    a_unit_of_several_rows_is_hidden_as_a_whole,
]

MUTANTS = [
    Mutant(
        "any code",
        "dpsgd.py",
        "if code_name(gradients) != self.__code:",
        "if False:",
        code_that_no_line_names_sees_no_row,
    ),
    Mutant(
        "one object stands for all of its class",
        "dpsgd.py",
        'getattr(gradients, "__code__", gradients)',
        'getattr(gradients, "__code__", type(gradients))',
        rows_that_lean_on_one_another_are_refused,
    ),
    Mutant(
        "what fills up a piece counted too",
        "clipping.py",
        "_answers(vectors, piece, length)[taken], clip)",
        "_answers(vectors, piece, length), clip)",
        images_are_trained_on_like_any_rows,
    ),
    Mutant(
        "codes cut to half a byte",
        "clipping.py",
        "piece[taken] = chosen[order[turn == now]]",
        "piece[taken] = chosen[order[turn == now]].astype(np.int8)",
        images_are_trained_on_like_any_rows,
    ),
    Mutant(
        "not clipped",
        "clipping.py",
        """(_SCALE / np.maximum(length, clip))[:, None]
            np.trunc(grains, out=grains)
            kept = np.vecdot(grains, grains) <= GRAINS**2 """,
        """_SCALE / clip
            np.trunc(grains, out=grains)
            kept = np.isfinite(length) """,
        one_row_moves_the_clipped_sum_by_the_clip_at_most,
    ),
    Mutant(
        "nothing kept out",
        "clipping.py",
        "grains[~kept] = 0",
        "pass",
        one_row_moves_the_clipped_sum_by_the_clip_at_most,
    ),
    Mutant(
        "rows scaled by the longest beside them",
        "clipping.py",
        "length = np.sqrt(np.vecdot(grains, grains))",
        "length = np.sqrt(np.vecdot(grains, grains)).max() + np.zeros(len(grains))",
        one_row_moves_the_clipped_sum_by_the_clip_at_most,
    ),
    Mutant(
        "half the noise",
        "dpsgd.py",
        "math.nextafter(self.__noise, math.inf) * GRAINS)",
        "self.__noise * GRAINS / 2)",
        noise_has_the_scale_that_was_paid_for,
    ),
    Mutant(
        "the first rows instead of a Poisson sample",
        "dpsgd.py",
        'np.frombuffer(bits(8 * rows), dtype="<u8") < threshold',
        "np.arange(rows) < round(rate * rows)",
        as_many_take_part_as_a_bernoulli_draw_says,
    ),
    Mutant(
        "two in a hundred more than billed",
        "dpsgd.py",
        "math.ldexp(rate, 64)",
        "math.ldexp(1.02 * rate, 64)",
        as_many_take_part_as_a_bernoulli_draw_says,
    ),
    Mutant(
        "divided by how many rows there are",
        "dpsgd.py",
        "self.__bits)) * self.scale)",
        "self.__bits)) * self.clip / GRAINS / self.__rate / len(_exact_codes(self.__rows)))",
        the_scale_of_an_answer_is_public,
    ),
    Mutant(
        "one step too many",
        "steps.py",
        "self.__granted = self.__steps.upto - before.upto",
        "self.__granted = self.__steps.upto - before.upto + 1",
        a_step_beyond_the_last_is_refused,
    ),
    Mutant(
        "no look at coupling",
        "clipping.py",
        "if not np.array_equal(",
        "if False and np.array_equal(",
        rows_that_lean_on_one_another_are_refused,
    ),
    Mutant(
        "a look at the first function only",
        "dpsgd.py",
        "if body is not self.__probed:",
        "if self.__probed is None:",
        rows_that_lean_on_one_another_are_refused,
    ),
    Mutant(
        "several rows of a unit as one",
        "dpsgd.py",
        "self.__noise = noise_multiplier * unit.max_records",
        "self.__noise = noise_multiplier",
        a_unit_of_several_rows_is_hidden_as_a_whole,
    ),
    Mutant(
        "each of a unit's rows at the billed rate",
        "dpsgd.py",
        "if max_records == 1 or rate == 1:",
        "if True:",
        a_unit_of_several_rows_is_hidden_as_a_whole,
    ),
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_kernel_keeps_its_promise(law):
    law(kernel.load())


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_kernel_is_seen(tmp_path, monkeypatch, mutant):
    with kernel.workshop(tmp_path, monkeypatch) as build:
        broken = build(mutant.file, mutant.old, mutant.new)
        with pytest.raises((AssertionError, pytest.fail.Exception, RuntimeWarning)):
            mutant.law(broken)


@given(arrays(np.float32, (6, 9), elements=st.floats(width=32)), st.floats(1e-20, 1e20))
@settings(max_examples=150, deadline=None)
def test_whatever_the_gradients_are_each_counts_for_the_clip_at_most(gradients, clip):
    grains = [clipping.clipped_sum(row[None], clip) for row in gradients]
    assert all(sum(int(x) ** 2 for x in g) <= 2**40 for g in grains)
    np.testing.assert_array_equal(clipping.clipped_sum(gradients, clip), np.sum(grains, axis=0))


@pytest.mark.parametrize("parameters", [1, 9, 63, 1001, 10_001, 2**18 + 1])
def test_a_gradient_is_cut_to_the_same_grains_whoever_is_clipped_beside_it(parameters):
    """Of any length, so that rows begin wherever in memory, and over as many numbers as are clipped at a time."""
    rng = np.random.default_rng(parameters)
    rows = max(3, 2**18 // parameters + 2) if parameters > 1000 else 40
    gradients = (rng.standard_normal((rows, parameters)) * 10.0 ** rng.integers(-2, 3, size=(rows, 1))).astype("f4")
    alone = np.sum([clipping.clipped_sum(row[None], 1.0) for row in gradients], axis=0)
    np.testing.assert_array_equal(clipping.clipped_sum(gradients, 1.0), alone)
    assert np.any(alone)


@pytest.mark.parametrize(("rows", "columns"), [(0, 3), (1, 1), (5, 8), (7, 13)])
def test_rows_that_are_clipped_lie_alike_in_memory(rows, columns):
    room = clipping._aligned(rows, columns)
    assert room.shape == (rows, columns)
    assert all(room[i : i + 1].ctypes.data % 64 == 0 for i in range(rows))


def test_a_gradient_within_the_clip_comes_through_to_a_millionth_of_it():
    gradients = np.random.default_rng(0).standard_normal((50, 20)).astype("f4") / 10
    clipped = clipping.clipped_sum(gradients, clip=1.0) * 2.0**-20
    np.testing.assert_allclose(clipped, gradients.sum(axis=0, dtype=float), atol=50 * 2.0**-20)


def test_a_row_takes_part_when_its_random_number_is_below_the_rate_and_not_at_it():
    numbers = np.array([0, 2**62 - 1, 2**62, 2**64 - 1], dtype="<u8")
    assert dpsgd.poisson_sample(4, 0.25, lambda count: numbers.tobytes()).tolist() == [True, True, False, False]
    assert dpsgd.poisson_sample(3, 1.0, None).all()


def test_training_is_paid_for_once_and_by_its_own_event():
    event = DpSgd(0.1, 50.0, 2)
    accountant = Accountant(Budget(5.0, 1e-6), reserve=[event, event, Gaussian(50.0)])
    rows = SensitiveRows(np.zeros((5, 1), int), sizes=(2,), protects=PrivacyUnit())
    options = {"parameters": 4, "clip": 1.0, "assumed_rows": 10}
    charge = accountant.charge(event, "train")
    assert charge.redeem(rows, **options).steps_left == 2
    with pytest.raises(RuntimeError, match="good once"):
        charge.redeem(rows, **options)
    with pytest.raises(TypeError, match="reads no rows"):
        accountant.charge(Gaussian(50.0), "count").redeem(rows, **options)
    with pytest.raises(TypeError, match="SensitiveRows"):
        accountant.charge(event, "train").redeem(np.zeros((5, 1)), **options)


def test_a_ledger_of_one_unit_trains_on_rows_of_that_unit():
    from dpsynth.ledger.ledger import Ledger

    ledger = Ledger.create(None, Budget(5.0, 1e-6), dataset="d", unit=PrivacyUnit(max_records=2))
    event = DpSgd(0.1, 50.0, 2)
    charge = Accountant(Budget(5.0, 1e-6), ledger=ledger, reserve=[event]).charge(event, "train")
    rows = SensitiveRows(np.zeros((5, 1), int), sizes=(2,), protects=PrivacyUnit())
    with pytest.raises(ValueError, match="one account needs one unit"):
        charge.redeem(rows, parameters=4, clip=1.0, assumed_rows=10)


def test_units_that_are_replaced_are_refused():
    with pytest.raises(ValueError, match="add-remove"):
        training(kernel.load(), 5, unit={"adjacency": "replace"})


@pytest.mark.parametrize(
    "bad",
    [{"parameters": 0}, {"parameters": 1.5}, {"clip": 0.0}, {"clip": math.inf}, {"assumed": 0}, {"multiplier": 1e9}],
)
def test_settings_that_mean_nothing_are_refused(bad):
    with pytest.raises(ValueError, match=r"\w"):
        training(kernel.load(), 5, **bad)


@pytest.mark.parametrize(
    "answer",
    [np.zeros((PIECE - 1, 4)), np.zeros((PIECE, 5)), np.zeros(PIECE), np.zeros((PIECE, 4), int), None],
    ids=repr,
)
def test_gradients_of_another_shape_are_refused_before_a_row_is_read(answer):
    seen = []
    with pytest.raises(ValueError, match="floating-point numbers of shape"):
        training(kernel.load(), 0).step(lambda codes: seen.append(codes) or answer)
    assert len(seen) == 1


@pytest.mark.parametrize("rows", [0, 1, 7, 128, 1000])
def test_a_row_keeps_its_place_whoever_else_takes_part(rows):
    """Arithmetic may differ from place to place: one row more must not move the others."""
    rng = np.random.default_rng(rows)
    codes, places = np.arange(1, rows + 2)[:, None], rng.integers(0, clipping.PIECE, rows + 1)

    def seen(number):
        found = {}
        for piece, taken in clipping._pieces(codes[:number], places[:number]):
            assert piece.shape == (clipping.PIECE, 1)
            assert np.count_nonzero(piece) == len(set(taken.tolist())) == len(taken)
            found |= {int(piece[place, 0]): int(place) for place in taken}
        return found

    fewer, more = seen(rows), seen(rows + 1)
    assert len(fewer) == rows
    assert more == {**fewer, rows + 1: int(places[rows])}


def test_a_callback_sees_codes_in_pieces_of_one_size_and_empty_steps_are_noised_like_others():
    shapes = []

    def gradients(codes):
        shapes.append((codes.shape, codes.dtype))
        return np.zeros((len(codes), 4))

    run = training(kernel.load(), 300, rate=1.0, steps=1)
    run.step(gradients)
    assert set(shapes) == {((PIECE, 2), np.dtype(np.int64))}
    empty = training(kernel.load(), 0, steps=1).step(gradients)
    assert np.all(empty != 0)


def test_rows_and_training_are_closed():
    rows = table(kernel.load(), 5)
    things = [rows, training(kernel.load(), 5)]
    for thing in things:
        for copied in (copy.copy, copy.deepcopy, lambda x: x.__reduce__()):
            with pytest.raises(TypeError):
                copied(thing)
        assert "[" not in repr(thing).split(" at 0x")[0]
    for read in (len, list, np.asarray, bool, lambda x: x[0], lambda x: x == x, lambda x: f"{x:d}"):
        with pytest.raises(TypeError):
            read(rows)


@needs_fork
def test_a_fork_cannot_take_the_steps_again():
    run = training(kernel.load(), 5)

    assert in_children([lambda tell: tell(run.step(constant(1.0)).tobytes())]) == [b"RuntimeError"]
