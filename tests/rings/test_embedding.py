"""What the kernel promises of embeddings, and for each promise a broken kernel that the test sees.

False alarms: the distribution test rejects the truth with probability 1e-6, and its mutant is rejected.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import chi2

from dpsynth.base.code_name import code_name
from dpsynth.kernel.rows import SensitiveRows
from dpsynth.kernel.unit import PrivacyUnit
from dpsynth.training.embedding import embed
from tests.rings import kernel
from tests.rings.kernel import Mutant

DIMENSIONS = 6
SIZES = (256,) * DIMENSIONS


def rows_of(k, codes, **unit):
    return k.rows.SensitiveRows(np.asarray(codes), sizes=SIZES, protects=k.unit.PrivacyUnit(**unit))


def total_of(x):
    return object.__getattribute__(x, "_Sensitive__integers")


def scaled(factor: float):
    """Features that are as long as a row's first code says, and that no clip has seen yet."""

    def features(codes: np.ndarray) -> np.ndarray:
        return factor * (codes - 127.5)

    return features


def odd(codes: np.ndarray) -> np.ndarray:
    """Infinities, not-a-numbers and enormous numbers, as the first code says."""
    found = np.array([np.inf, -np.inf, np.nan, 1e300, -1e300, 1e-300])[codes % 6]
    return found + 0.0 * codes


def tables(rng):
    extremes = [np.zeros((1, DIMENSIONS)), np.full((1, DIMENSIONS), 255), 255 * (np.arange(DIMENSIONS) % 2)[None]]
    return [rng.integers(0, 256, (n, DIMENSIONS)) for n in (0, 1, 127, 128, 300)], [e.astype(int) for e in extremes]


# Laws


def one_row_moves_an_embedding_by_what_it_says_at_most(k):
    """In exact integers: the squared distance of neighbours' sums, in grains."""
    rng = np.random.default_rng(0)
    some, extremes = tables(rng)
    for features in (scaled(1e-3), scaled(1.0), scaled(1e6), odd):
        for codes in some:
            for one in (*extremes, rng.integers(0, 256, (1, DIMENSIONS))):
                with_it, without = (
                    k.embed(rows_of(k, table), features, dimensions=DIMENSIONS)
                    for table in (np.vstack([codes, one]), codes)
                )
                moved = [int(d) for d in total_of(with_it) - total_of(without)]
                assert sum(d * d for d in moved) * (1 / k.GRAINS) ** 2 <= with_it.l2**2
                assert sum(map(abs, moved)) * (1 / k.GRAINS) <= with_it.l1


def a_units_rows_move_it_by_as_much_as_it_says_and_no_less_is_said(k):
    far = np.vstack([np.zeros((3, DIMENSIONS)), np.full((3, DIMENSIONS), 255)]).astype(int)
    for adjacency in ("add-remove", "replace"):
        for records in (1, 3):
            unit = {"max_records": records, "adjacency": adjacency}
            ours, theirs = far[:records], far[3 : 3 + records] if adjacency == "replace" else far[:0]
            one, other = (
                k.embed(rows_of(k, table, **unit), scaled(9.0), dimensions=DIMENSIONS) for table in (ours, theirs)
            )
            moved = math.dist(total_of(one), total_of(other)) * (1 / k.GRAINS)
            assert one.l2 * (1 - 1e-5) < moved <= one.l2
            assert one.l2 <= one.l1
            assert one.protects == k.unit.PrivacyUnit(**unit)


def its_scale_is_public(k):
    """Neither unit nor sensitivities nor shape depend on how many rows there are: no exact count scales anything."""
    made = [
        k.embed(rows_of(k, np.full((n, DIMENSIONS), 9)), scaled(0.01), dimensions=DIMENSIONS) for n in (0, 1, 50, 700)
    ]
    assert len({(float(x.scale), x.l1, x.l2, x.shape) for x in made}) == 1
    first = total_of(made[1])
    assert first.any()
    np.testing.assert_array_equal(total_of(made[3]), 700 * first)


def a_sum_does_not_depend_on_the_order_of_rows(k):
    codes = np.random.default_rng(1).integers(0, 256, (333, DIMENSIONS))
    sums = [total_of(k.embed(rows_of(k, c), scaled(1e-3), dimensions=DIMENSIONS)) for c in (codes, codes[::-1])]
    np.testing.assert_array_equal(*sums)


def a_charge_adds_the_noise_that_was_billed(k):
    """4,000 coordinates, of an embedding of nothing, for two rows a unit that are replaced: stddev is 4 multipliers."""
    many, multiplier = 4000, 3.0
    empty = k.rows.SensitiveRows(
        np.zeros((0, 1), dtype=int), sizes=(2,), protects=k.unit.PrivacyUnit(max_records=2, adjacency="replace")
    )
    x = k.embed(empty, lambda codes: np.zeros((len(codes), many)), dimensions=many)
    noisy, stddev = k.accountant.Charge(
        k.events.Gaussian(multiplier), k.Grant(k.noise.operating_system_bits, None, "", 0, code=code_name(scaled))
    ).gaussian(x)
    np.testing.assert_allclose(stddev, 4 * multiplier, rtol=1e-12)
    squares = float((noisy**2).sum()) / (4 * multiplier) ** 2
    assert chi2.ppf(5e-7, many) < squares < chi2.ppf(1 - 5e-7, many)


def a_charge_that_names_other_code_does_not_read(k):
    """It stays good: what it refused was not drawn."""
    event = k.events.Gaussian(1.0)
    x = k.embed(rows_of(k, np.zeros((2, DIMENSIONS), int)), scaled(1e-3), dimensions=DIMENSIONS)
    parts = [x, k.Sensitive.stack([x, x])]
    for value in parts:
        for named in (None, code_name(chi2.ppf)):
            charge = k.accountant.Charge(event, k.Grant(k.noise.operating_system_bits, None, "", 0, code=named))
            with pytest.raises(ValueError, match="name the function"):
                charge.gaussian(value)
            plain = k.Sensitive(np.array([1]), l1=1, l2=1, code=named)
            charge.gaussian(plain)
    with pytest.raises(ValueError, match="one function"):
        k.Sensitive.stack([x, k.Sensitive(np.array([1]), l1=x.l1, l2=x.l2, protects=x.protects)])


def features_that_lean_on_other_rows_are_refused(k):
    with pytest.raises(ValueError, match="rows beside it, or by chance"):
        k.embed(rows_of(k, [] or np.zeros((2, DIMENSIONS), int)), lambda c: c - c.mean(axis=0), dimensions=DIMENSIONS)


MUTANTS = [
    Mutant(
        "read by any charge",
        "accountant.py",
        "if x.code != self.__grant.code:",
        "if False:",
        a_charge_that_names_other_code_does_not_read,
    ),
    Mutant(
        "nobody's features",
        "embedding.py",
        ", code=code_name(features))",
        ")",
        a_charge_that_names_other_code_does_not_read,
    ),
    Mutant(
        "forgotten in a stack",
        "sensitive.py",
        "            code=parts[0].code,\n",
        "",
        a_charge_that_names_other_code_does_not_read,
    ),
    Mutant(
        "clipped to sqrt(2)",
        "clipping.py",
        """(_SCALE / np.maximum(length, clip))[:, None]
            np.trunc(grains, out=grains)
            kept = np.vecdot(grains, grains) <= GRAINS**2 """,
        """(np.sqrt(2) * _SCALE / np.maximum(length, clip))[:, None]
            np.trunc(grains, out=grains)
            kept = np.vecdot(grains, grains) <= 2 * GRAINS**2 """,
        one_row_moves_an_embedding_by_what_it_says_at_most,
    ),
    Mutant(
        "sensitivity off by sqrt(2)",
        "embedding.py",
        "l2 = float(",
        "l2 = math.sqrt(0.5) * float(",
        one_row_moves_an_embedding_by_what_it_says_at_most,
    ),
    Mutant(
        "not clipped",
        "clipping.py",
        "total += clipped_sum(_answers(vectors, piece, length)[taken], clip)",
        "total += np.nan_to_num(_answers(vectors, piece, length)[taken] * GRAINS).sum(axis=0).astype(np.int64)",
        one_row_moves_an_embedding_by_what_it_says_at_most,
    ),
    Mutant(
        "several rows of a unit as one",
        "embedding.py",
        "float(unit.max_records * ",
        "float(",
        a_units_rows_move_it_by_as_much_as_it_says_and_no_less_is_said,
    ),
    Mutant(
        "a row replaced as a row removed",
        "embedding.py",
        '(2 if unit.adjacency == "replace" else 1)',
        "1",
        a_units_rows_move_it_by_as_much_as_it_says_and_no_less_is_said,
    ),
    Mutant(
        "divided by how many rows there are",
        "embedding.py",
        "scale=1 / GRAINS, protects",
        "scale=1 / GRAINS / max(1, len(codes)), protects",
        its_scale_is_public,
    ),
    Mutant(
        "what fills up a piece counted too",
        "clipping.py",
        "_answers(vectors, piece, length)[taken], clip)",
        "_answers(vectors, piece, length), clip)",
        its_scale_is_public,
    ),
    Mutant(
        "rows after the first piece left out",
        "clipping.py",
        "[taken], clip)\n    return total",
        "[taken], clip)\n        break\n    return total",
        a_sum_does_not_depend_on_the_order_of_rows,
    ),
    Mutant(
        "half the noise",
        "accountant.py",
        "_up(event.noise_multiplier * x.l2) / x.scale",
        "_up(event.noise_multiplier * x.l2) / x.scale / 2",
        a_charge_adds_the_noise_that_was_billed,
    ),
    Mutant(
        "no look at coupling",
        "embedding.py",
        "    refuse_coupling(features, rows.sizes, dimensions)\n",
        "",
        features_that_lean_on_other_rows_are_refused,
    ),
]
LAWS = list(dict.fromkeys(mutant.law for mutant in MUTANTS))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_kernel_keeps(law):
    law(kernel.load())


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_kernel_is_seen(tmp_path, monkeypatch, mutant):
    with kernel.workshop(tmp_path, monkeypatch) as build:
        broken = build(mutant.file, mutant.old, mutant.new)
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            mutant.law(broken)


@pytest.mark.parametrize("dimensions", [0, -1, 2.0, True, 10**9])
def test_a_number_of_dimensions_that_is_none_is_refused(dimensions):
    rows = SensitiveRows(np.zeros((2, 1), int), sizes=(2,), protects=PrivacyUnit())
    with pytest.raises(ValueError, match="dimensions must be a whole number from 1"):
        embed(rows, lambda codes: codes, dimensions=dimensions)


def test_features_of_another_shape_and_open_rows_are_refused():
    rows = SensitiveRows(np.zeros((2, 1), int), sizes=(2,), protects=PrivacyUnit())
    with pytest.raises(ValueError, match="must be floating-point numbers of shape"):
        embed(rows, lambda codes: np.zeros((len(codes), 3)), dimensions=2)
    with pytest.raises(TypeError, match="SensitiveRows, got ndarray"):
        embed(np.zeros((2, 1)), scaled(1.0), dimensions=1)
