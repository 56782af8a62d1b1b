"""Pictures of a comparison have the figures of the comparison, axes with units, and the colours of the pages."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("matplotlib", reason="pictures need matplotlib: pip install 'dpsynth[plots]'")

from matplotlib.colors import to_hex

from dpsynth.evaluation.downstream import Downstream, LearnerQuality
from dpsynth.evaluation.fidelity import evaluate
from dpsynth.evidence.pages.render import colours
from dpsynth.schema.table import Boolean, Categorical, Numeric, Schema

STAMP = "INTERNAL: exact figures of real rows"
SCHEMA = Schema(
    {
        "age": Numeric(0, 120, integer=True),
        "income": Numeric(0, 1e6, nullable=True),
        "town": Categorical([f"t{i}" for i in range(30)]),
        "died": Boolean(),
    }
)


def people(seed):
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 100, 400)
    return pd.DataFrame(
        {
            "age": age,
            "income": np.where(rng.random(400) < 0.2, np.nan, rng.lognormal(10, 1, 400).clip(0, 1e6)),
            "town": [f"t{i}" for i in rng.zipf(1.6, 400) % 30],
            "died": rng.random(400) < age / 120,
        }
    )


@pytest.fixture(scope="module")
def quality():
    learners = (
        LearnerQuality("forest", 0.9, 0.8, -0.15, -0.05),
        LearnerQuality("linear", 0.7, 0.72, -0.02, 0.06),
    )
    found = Downstream("sex", "AUC", "m", 0.5, 300, 300, 200, learners, 0.0, (), 1.0, 1.0, 0.3)
    return replace(evaluate(people(1), people(0), SCHEMA), downstream=found)


def axes_of(plot):
    return plot.figure.axes[0]


def diamonds(axes):
    (line,) = [line for line in axes.get_lines() if line.get_marker() == "D"]
    return line


ALL = {
    "ordered column": lambda q: q.plot_column("age"),
    "nominal column": lambda q: q.plot_column("town"),
    "columns": lambda q: q.plot_columns(),
    "pairs": lambda q: q.plot_pairs(),
    "downstream": lambda q: q.plot_downstream(),
}


@pytest.mark.parametrize("kind", ALL)
def test_every_picture_has_a_title_an_axis_with_its_unit_the_stamp_and_words_for_those_who_do_not_see_it(kind, quality):
    plot = ALL[kind](quality)
    axes = axes_of(plot)
    units = [axes.get_xlabel(), axes.get_ylabel(), *(each.get_ylabel() for each in plot.figure.axes[1:])]
    assert axes.get_title(loc="left")
    assert any("(%)" in unit or "AUC on 200 rows" in unit for unit in units)
    assert plot.figure.get_supxlabel() == STAMP
    shown = plot._repr_html_()
    assert shown.startswith(f'<img alt="{plot.words}" src="data:image/png;base64,')
    assert axes.get_title(loc="left") in plot.words
    assert "pyplot" not in " ".join(name for name in sys.modules if name.startswith("matplotlib."))


def test_the_bars_are_the_real_shares_and_the_diamonds_the_synthetic_ones(quality):
    (column,) = [column for column in quality.columns if column.name == "age"]
    axes = axes_of(quality.plot_column("age"))
    pairs = enumerate(zip(column.real, column.synthetic, strict=True))
    shown = [(r, s) for i, (r, s) in pairs if i < column.values or r or s]
    assert [bar.get_height() for bar in axes.patches] == pytest.approx([100 * r for r, _ in shown])
    assert list(diamonds(axes).get_ydata()) == pytest.approx([100 * s for _, s in shown])


def test_columns_stand_in_the_order_of_their_distance_beside_their_yardstick(quality):
    worst = sorted(quality.columns, key=lambda column: -column.distance)
    axes = axes_of(quality.plot_columns())
    assert [label.get_text() for label in axes.get_yticklabels()] == [column.name for column in worst]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([100 * column.floor for column in worst])
    assert list(diamonds(axes).get_xdata()) == pytest.approx([100 * column.distance for column in worst])


def test_the_map_of_pairs_has_the_lower_triangle_of_their_distances(quality):
    (image,) = axes_of(quality.plot_pairs()).get_images()
    cells = image.get_array()
    for i, row in enumerate(quality.pairs):
        for j, distance in enumerate(row):
            if j <= i:
                assert cells[i, j] == pytest.approx(100 * distance)
            else:
                assert cells.mask[i, j]


def test_a_pair_that_was_not_compared_stays_empty(quality):
    pairs = tuple(tuple(None if i != j else d for j, d in enumerate(row)) for i, row in enumerate(quality.pairs))
    (image,) = axes_of(replace(quality, pairs=pairs).plot_pairs()).get_images()
    assert image.get_array().mask.sum() == len(pairs) * (len(pairs) - 1)


def test_models_are_drawn_with_both_measures_and_the_interval_of_their_difference(quality):
    axes = axes_of(quality.plot_downstream())
    assert [bar.get_width() for bar in axes.patches] == [0.9, 0.7]
    assert list(diamonds(axes).get_xdata()) == [0.8, 0.72]
    (spans,) = [each for each in axes.collections if each.get_label() == "90 % interval"]
    drawn = [tuple(round(float(x), 9) for x in span[:, 0]) for span in spans.get_segments()]
    assert drawn == [(0.75, 0.85), (0.68, 0.76)]


def test_the_colours_are_those_of_the_pages(quality):
    axes = axes_of(quality.plot_column("town"))
    assert {to_hex(bar.get_facecolor()) for bar in axes.patches} == {colours()["real"]}
    assert diamonds(axes).get_markeredgecolor() == colours()["synthetic"] == "#b3400b"


def test_what_cannot_be_drawn_is_refused_in_one_sentence(quality, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="'agee' is no column that was compared: did you mean 'age'"):
        quality.plot_column("agee")
    with pytest.raises(ValueError, match="no models were compared"):
        replace(quality, downstream=None).plot_downstream()
    with pytest.raises(ValueError, match=r"must end in \.png, \.svg or \.pdf"):
        quality.plot_pairs().save(tmp_path / "a.txt")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'dpsynth\[plots\]'"):
        quality.plot_pairs()


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf"])
def test_a_picture_is_kept_in_a_file_and_a_dollar_sign_begins_no_formula(ending, quality, tmp_path):
    priced = replace(quality, columns=tuple(replace(c, name=f"{c.name} $\\frac$") for c in quality.columns))
    file = priced.plot_columns().save(tmp_path / f"a{ending}")
    assert file.stat().st_size > 1000
