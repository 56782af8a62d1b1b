"""Sensitive: closed to reading, and its three transformations move no further than they say."""

from __future__ import annotations

import copy
import json
import math
import operator
import pickle
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpsynth.kernel.sensitive import Sensitive, _integers
from dpsynth.kernel.unit import PrivacyUnit

CANARY = 7319036241


def secret(*shape: int) -> Sensitive:
    return Sensitive(np.full(shape, CANARY), l1=3.0, l2=2.0)


WAYS_TO_READ = {
    "np.asarray": np.asarray,
    "np.array": np.array,
    "np.array of objects": lambda x: np.array(x, dtype=object),
    "np.array of a list": lambda x: np.array([x]),
    "np.asanyarray": np.asanyarray,
    "np.concatenate": lambda x: np.concatenate([x]),
    "np.copy": np.copy,
    "np.sum": np.sum,
    "np.max": np.max,
    "np.add": lambda x: np.add(x, 1),
    "np.abs": np.abs,
    "np.equal": lambda x: np.equal(x, CANARY),
    "array + x": lambda x: np.ones(3) + x,
    "array == x": lambda x: np.ones(3) == x,
    "np.float64 * x": lambda x: np.float64(2) * x,
    "a[x]": lambda x: np.arange(5)[x],
    "a[0] = x": lambda x: operator.setitem(np.zeros(1), 0, x),
    "np.frombuffer": np.frombuffer,
    "memoryview": memoryview,
    "bytes": bytes,
    "float": float,
    "int": int,
    "complex": complex,
    "bool": bool,
    "not": operator.not_,
    "index": operator.index,
    "round": round,
    "abs": abs,
    "neg": operator.neg,
    "math.sqrt": math.sqrt,
    "math.floor": math.floor,
    "math.isnan": math.isnan,
    "len": len,
    "length_hint": lambda x: [*x],
    "iter": iter,
    "list": list,
    "sum": sum,
    "max": max,
    "sorted": sorted,
    "reversed": reversed,
    "x[0]": lambda x: x[0],
    "x[()]": lambda x: x[()],
    "in": lambda x: CANARY in x,
    "==": lambda x: x == x,
    "!=": lambda x: x != CANARY,
    "<": lambda x: x < CANARY,
    "<=": lambda x: x <= CANARY,
    ">": lambda x: x > CANARY,
    ">=": lambda x: x >= CANARY,
    "== from the left": lambda x: operator.eq(CANARY, x),
    "x + 1": lambda x: x + 1,
    "1 - x": lambda x: 1 - x,
    "x * x": lambda x: x * x,
    "x @ x": lambda x: x @ x,
    "x and 1": lambda x: x and 1,
    "hash": hash,
    "key of a dict": lambda x: {x: 1},
    "format": format,
    "f-string": lambda x: f"{x}",
    "f-string with spec": lambda x: f"{x:.3f}",
    "%d": lambda x: f"{'%d'}" % x,
    "str.format": lambda x: "{:d}".format(x),  # noqa: UP032
    "pickle": pickle.dumps,
    "old pickle": lambda x: pickle.dumps(x, protocol=0),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "state": lambda x: x.__getstate__(),
    "json": json.dumps,
    "vars": vars,
    "pandas": lambda x: pd.Series(x).to_numpy(dtype=float),
    "set an attribute": lambda x: setattr(x, "l2", 1e-9),
    "set a new attribute": lambda x: setattr(x, "other", 1),
    "set the class": lambda x: setattr(x, "__class__", object),
    "delete an attribute": lambda x: delattr(x, "l2"),
}


@pytest.mark.parametrize("shape", [(), (1,), (2, 2)], ids=str)
@pytest.mark.parametrize("way", WAYS_TO_READ)
def test_a_sensitive_value_refuses_to_be_read_or_changed(way, shape):
    x = secret(*shape)
    with pytest.raises(ValueError if way == "a[0] = x" else TypeError) as refusal:
        WAYS_TO_READ[way](x)
    assert str(CANARY) not in str(refusal.value)
    assert (x.l1, x.l2) == (3.0, 2.0)


def test_what_is_shown_of_it_is_public():
    assert repr(secret(2, 3)) == str(secret(2, 3)) == "Sensitive(shape=(2, 3), l1=3, l2=2)"
    public = {name for name in dir(Sensitive) if not name.startswith("_")}
    assert public == {"code", "l1", "l2", "protects", "scale", "shape", "l1_error", "largest", "stack"}


def test_the_caller_cannot_reach_in_through_the_arrays_it_gave():
    counts, unit = np.array([1, 2]), np.array([1.0, 2.0])
    x = Sensitive(counts, l1=1, l2=1, scale=unit)
    counts[:], unit[:] = 99, 1e9
    assert _integers(x).tolist() == [1, 2]
    assert x.scale.tolist() == [1.0, 2.0]
    score = secret(2).l1_error(np.zeros(2), 2.0)
    for value in (x, score, Sensitive.largest([score], [0]), Sensitive.stack([x, x])):
        with pytest.raises(ValueError, match="read-only"):
            value.scale[...] = 1e9
        with pytest.raises((TypeError, ValueError)):
            value.scale *= 3


@pytest.mark.parametrize(
    "bounds",
    [
        {"l1": 0, "l2": 0},
        {"l1": 1, "l2": 2},
        {"l1": math.nan, "l2": 1},
        {"l1": 1, "l2": math.nan},
        {"l1": math.inf, "l2": 1},
        {"l1": -1, "l2": -1},
        {"l1": 1, "l2": -0.0},
        {"l1": 1, "l2": 1, "scale": 0.0},
        {"l1": 1, "l2": 1, "scale": -1.0},
        {"l1": 1, "l2": 1, "scale": math.nan},
        {"l1": 1, "l2": 1, "scale": math.inf},
        {"l1": 1, "l2": 1, "scale": 1e300},
        {"l1": 1, "l2": 1, "scale": np.ones(3)},
        {"l1": 1, "l2": 1, "scale": np.array([1.0, 0.0])},
        {"l1": "1", "l2": 1},
        {"l1": 1, "l2": None},
    ],
    ids=str,
)
def test_impossible_bounds_are_refused_without_the_value(bounds):
    with pytest.raises((ValueError, TypeError)) as refusal:
        Sensitive(np.full(2, CANARY), **bounds)
    assert str(CANARY) not in str(refusal.value)


@pytest.mark.parametrize("dtype", [float, bool, object, "U5", "M8[s]", np.uint64], ids=str)
def test_only_integers_are_held(dtype):
    with pytest.raises(TypeError, match="integers"):
        Sensitive(np.zeros(2).astype(dtype), l1=1, l2=1)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint32, np.int64], ids=str)
def test_integers_of_every_width_are_held_as_they_are(dtype):
    top = min(np.iinfo(dtype).max, 2**52)
    assert _integers(Sensitive(np.array([0, top], dtype=dtype), l1=1, l2=1)).tolist() == [0, top]


def test_integers_beyond_what_a_double_holds_are_clipped():
    """A clip brings no two values further apart, so the bounds stand."""
    ends = np.array([np.iinfo(np.int64).min, np.iinfo(np.int64).max])
    assert _integers(Sensitive(ends, l1=1, l2=1)).tolist() == [-(2**52), 2**52]


# The laws of the three transformations.


@st.composite
def neighbours(draw, cells=None):
    """Two arrays of counts, and how far apart they are at most: (x, y, l1, l2)."""
    n = cells or draw(st.integers(1, 6))
    x = np.array(draw(st.lists(st.integers(0, 1000), min_size=n, max_size=n)))
    step = np.array(draw(st.lists(st.integers(-3, 3), min_size=n, max_size=n)))
    l1, squares = int(np.abs(step).sum()), int((step * step).sum())
    l2 = math.nextafter(math.sqrt(squares), math.inf)
    slack = draw(st.sampled_from([1.0, 1.5]))
    return x, x + step, max(1.0, l1 * slack), min(max(1.0, l1 * slack), max(1.0, l2 * slack))


def far(x: Sensitive, y: Sensitive) -> tuple[Fraction, Fraction]:
    """The 1-norm and the squared 2-norm of x - y, exactly."""
    units = [Fraction(u) for u in np.broadcast_to(x.scale, x.shape).ravel().tolist()]
    steps = [
        u * (a - b) for u, a, b in zip(units, _integers(x).ravel().tolist(), _integers(y).ravel().tolist(), strict=True)
    ]
    return sum(map(abs, steps), Fraction(0)), sum((s * s for s in steps), Fraction(0))


def check(x: Sensitive, y: Sensitive) -> None:
    assert (x.l1, x.l2, x.shape) == (y.l1, y.l2, y.shape)
    assert np.array_equal(x.scale, y.scale)
    l1, l2_squared = far(x, y)
    assert l1 <= Fraction(x.l1)
    assert l2_squared <= Fraction(x.l2) ** 2


weights = st.one_of(st.floats(1e-3, 1e3), st.floats(1e-300, 1e140), st.just(1.0))
estimates = st.one_of(st.floats(-10, 1500), st.floats(allow_nan=False, allow_infinity=False))


@settings(max_examples=120)
@given(neighbours(), weights, st.sampled_from([1, 2, 64, 256]), st.data())
def test_an_l1_error_moves_no_further_than_declared(pair, weight, parts, data):
    x, y, l1, l2 = pair
    estimate = np.array(data.draw(st.lists(estimates, min_size=x.size, max_size=x.size)))
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=x.size, max_size=x.size)))
    how = {"among": kept, "parts": parts}
    before, after = (Sensitive(v, l1=l1, l2=l2).l1_error(estimate, weight, **how) for v in (x, y))
    check(before, after)
    assert before.shape == ()


@settings(max_examples=80)
@given(st.lists(st.tuples(neighbours(), weights, st.booleans()), min_size=1, max_size=5))
def test_a_stack_moves_no_further_than_declared(parts):
    def build(which):
        values = []
        for pair, weight, scored in parts:
            x = Sensitive(pair[which], l1=pair[2], l2=pair[3])
            values.append(x.l1_error(np.zeros(x.shape), weight) if scored else x)
        return Sensitive.stack([Sensitive.stack(values), values[0]])

    check(build(0), build(1))


@given(neighbours(cells=4), st.data())
def test_a_stack_declares_hardly_more_than_it_must(pair, data):
    _, _, l1, l2 = pair
    n = data.draw(st.integers(1, 50))
    stack = Sensitive.stack([Sensitive(pair[0], l1=l1, l2=l2)] * n)
    assert stack.l1 == pytest.approx(n * l1, rel=1e-12)
    assert stack.l2 == pytest.approx(min(math.sqrt(n) * l2, n * l1), rel=1e-12)


@settings(max_examples=100)
@given(st.lists(st.tuples(neighbours(), st.integers(-(2**62), 2**62)), min_size=1, max_size=6), weights)
def test_the_largest_moves_no_further_than_declared(parts, weight):
    def build(which):
        values = [Sensitive(p[which], l1=p[2], l2=p[3]).l1_error(np.zeros(p[0].shape), weight) for p, _ in parts]
        return Sensitive.largest(values, [less for _, less in parts])

    check(build(0), build(1))


def test_the_largest_is_that_of_what_is_left():
    values = [Sensitive(np.array([x]), l1=far, l2=1).l1_error(np.zeros(1), 3.0) for x, far in ((9, 1), (4, 5), (7, 2))]
    found = Sensitive.largest(values, [6, 0, 4])
    assert (int(_integers(found)), float(found.scale), found.shape) == (4, 3.0, ())
    assert found.l1 == found.l2 == values[1].l1
    assert int(_integers(Sensitive.largest(values[:1], np.array([12])))) == -3


def test_the_largest_of_what_cannot_be_compared_is_refused_without_a_value():
    one, other = (secret(2).l1_error(np.zeros(2), weight) for weight in (1.0, 2.0))
    for values, less in (
        ([one, other], [0, 0]),
        ([secret(2), secret(2)], [0, 0]),
        ([one], [0, 0]),
        ([one], [0.5]),
        ([one], [True]),
        ([one, one], one),
        ([], []),
        ([1.0], [0]),
        ([one, Sensitive(np.array(1), l1=1, l2=1, protects=PrivacyUnit())], [0, 0]),
    ):
        with pytest.raises((TypeError, ValueError)) as refusal:
            Sensitive.largest(values, less)
        assert str(CANARY) not in str(refusal.value)


def test_an_l1_error_is_the_distance_to_the_rounded_estimate():
    x = Sensitive(np.array([[3, 0], [5, 9]]), l1=1, l2=1)
    score = x.l1_error(np.array([[1.4, 0.0], [7.0, 9.0]]), 0.5)
    assert (int(_integers(score)), float(score.scale), score.shape) == (4, 0.5, ())
    assert score.l1 == score.l2 == math.nextafter(0.5, 1)


def test_an_l1_error_over_some_cells_and_in_parts_of_a_count_is_the_distance_there():
    x = Sensitive(np.array([[3, 0], [5, 9]]), l1=1, l2=1)
    score = x.l1_error(np.array([[1.375, 0.0], [7.1, 9.0]]), among=np.array([[True, True], [True, False]]), parts=8)
    assert int(_integers(score)) * float(score.scale) == 1.625 + 2.125
    for how in ({"parts": 3}, {"parts": 512}, {"parts": True}, {"among": np.ones(2, bool)}, {"among": np.ones((2, 2))}):
        with pytest.raises(ValueError, match=r"parts must be|cells must be"):
            x.l1_error(np.zeros((2, 2)), **how)


def test_an_l1_error_may_be_large_and_counts_once_unless_weighted():
    score = Sensitive(np.array([10**12, 0, 5]), l1=1, l2=1).l1_error(np.array([0.0, 10.0**9, 5.0]))
    assert int(_integers(score)) == 10**12 + 10**9
    assert (float(score.scale), score.l1) == (1.0, math.nextafter(1.0, 2))


def test_an_l1_error_of_a_total_works_like_any_other():
    score = Sensitive(np.array(40), l1=2, l2=2).l1_error(np.array(37.0))
    assert int(_integers(score)) == 3


def test_a_stack_keeps_order_values_and_units():
    a = Sensitive(np.array([[1, 2], [3, 4]]), l1=1, l2=1)
    b = Sensitive(np.array([5]), l1=2, l2=2).l1_error(np.array([0.0]), 3.0)
    stack = Sensitive.stack([a, b, a])
    assert _integers(stack).tolist() == [1, 2, 3, 4, 5, 1, 2, 3, 4]
    assert stack.scale.tolist() == [1, 1, 1, 1, 3, 1, 1, 1, 1]
    assert stack.shape == (9,)


@pytest.mark.parametrize(
    "estimate", [np.zeros(3), np.zeros((2, 1)), np.array([0, np.nan]), np.array([0, np.inf]), 0.0, "x"]
)
def test_an_estimate_that_does_not_fit_is_refused_without_the_value(estimate):
    with pytest.raises((ValueError, TypeError)) as refusal:
        secret(2).l1_error(estimate)
    assert str(CANARY) not in str(refusal.value)


@pytest.mark.parametrize("weight", [0, -1.0, -0.0, math.nan, math.inf, True, "1", None, 10**400, np.ones(2)], ids=str)
def test_a_weight_that_is_none_is_refused(weight):
    with pytest.raises((ValueError, TypeError)):
        secret(2).l1_error(np.zeros(2), weight)


def test_scores_are_not_scored_again():
    score = secret(2).l1_error(np.zeros(2), 2.0)
    for value in (score, Sensitive.stack([score, score])):
        with pytest.raises(ValueError, match="for counts"):
            value.l1_error(np.zeros(value.shape))


@pytest.mark.parametrize("values", [[], [1.0], [np.ones(2)], [None], "ab"])
def test_only_sensitive_values_are_stacked(values):
    with pytest.raises((TypeError, ValueError)):
        Sensitive.stack(values)


def test_weights_at_the_ends_of_the_doubles_are_bounded_or_refused():
    x = secret(2)
    tiny = x.l1_error(np.zeros(2), 5e-324)
    assert 0 < tiny.l2 <= 1e-322
    assert Fraction(Sensitive.stack([tiny, tiny]).l2) ** 2 >= 2 * Fraction(tiny.l2) ** 2
    for weight in (1e150, 1e308):
        with pytest.raises(ValueError, match="sensitivities"):
            x.l1_error(np.zeros(2), weight)
    large = x.l1_error(np.zeros(2), 3e149)
    with pytest.raises(ValueError, match="sensitivities"):
        Sensitive.stack([large, large])
