"""Charts as inline SVG, built as an element tree: well-formed, with every name escaped.

Colours come from the page's style sheet, by class. No chart uses colour alone: real data are filled
bars and synthetic data are outlined marks, cells of the heat map have a number or a title, and the
page repeats the numbers in a table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from dpsynth.base.text import clip, percent
from dpsynth.evidence.pages import svg

WIDTH = 340
"""Of the chart of one column, in pixels."""
LEVELS = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Upper ends of the heat map's classes; the last class is open."""

MAX_ROWS = 14
"""Categories of a nominal column; the others share the last row."""
MAX_NUMBERED = 20
"""Columns of a heat map with numbers in its cells."""
MAX_NAMES = 60
"""Columns of any heat map."""

# in pixels
_LABEL = 124  # beside a row, for its name of 18 characters
_NUMBER = 66  # beside a row, for its two numbers
_ROW = 19
_AXIS = 25  # letters of a name under an axis
_BASE = 104  # where upright bars stand
_HIGH = 94  # the most that they are high


def share_bar(share: float) -> Markup:
    """A small bar, to stand beside its number: 1 fills the width."""
    picture = svg.root(100, 10, "share", hidden=True)
    picture.set("preserveAspectRatio", "none")
    svg.rect(picture, "fill", 0, 0, 100 * min(max(share, 0.0), 1.0), 10)
    return svg.markup(picture)


def mark(kind: str) -> Markup:
    """The mark of "real" or "synthetic" data, for a key."""
    picture = svg.root(14, 14, "swatch", hidden=True)
    if kind == "real":
        svg.rect(picture, "real", 0, 3, 14, 8)
    else:
        svg.diamond(picture, 7, 7)
    return svg.markup(picture)


def distribution(column: Mapping[str, Any]) -> Markup:
    """The shares of one column: `name`, `ordered`, `values`, `labels`, `real`, `synthetic`."""
    labels, real, synthetic = zip(*shown(column), strict=True)
    title = f"{column['name']}: frequencies of real and synthetic rows"
    if column["ordered"]:
        return steps(title, labels, real, synthetic, column["values"])
    return rows(title, labels, real, synthetic)


def shown(column: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    """Label, real and synthetic share of what is drawn.

    Of a nominal column these are its most frequent categories, then all others together. A label
    that is not a value ("missing") is left out where neither side has it.
    """
    listed = list(zip(column["labels"], column["real"], column["synthetic"], strict=True))
    found = [row for i, row in enumerate(listed) if i < column["values"] or row[1] or row[2]]
    if column["ordered"]:
        return found
    found.sort(key=lambda row: -row[1])
    if len(found) <= MAX_ROWS:
        return found
    rest = found[MAX_ROWS - 1 :]
    real = sum(r for _, r, _ in rest)
    synthetic = sum(s for _, _, s in rest)
    return [*found[: MAX_ROWS - 1], (f"{len(rest)} others", real, synthetic)]


def rows(
    title: str, labels: Sequence[str], real: Sequence[float], synthetic: Sequence[float]
) -> Markup:
    """One row for each category: a filled bar for the real share, a diamond for the synthetic."""
    top = max([*real, *synthetic, 1e-12])
    width = WIDTH - _LABEL - _NUMBER - 8
    picture = svg.root(WIDTH, _ROW * len(labels) + 4, "plot", title)
    for i, (label, r, s) in enumerate(zip(labels, real, synthetic, strict=True)):
        y = _ROW * i + 3
        group = svg.titled(picture, f"{label}: real {percent(r)}, synthetic {percent(s)}")
        svg.text(group, _LABEL - 8, y + 11, clip(label, 18), "end")
        svg.rect(group, "real", _LABEL, y, width * r / top, _ROW - 5)
        svg.diamond(group, _LABEL + width * s / top, y + (_ROW - 5) / 2)
        svg.text(group, WIDTH, y + 11, f"{_hundredths(r)} | {_hundredths(s)}", "end", "quiet")
    return svg.markup(picture)


def steps(
    title: str,
    labels: Sequence[str],
    real: Sequence[float],
    synthetic: Sequence[float],
    values: int,
) -> Markup:
    """One upright bar for each interval of an ordered column; a diamond for the synthetic share.

    Intervals after the first `values` are not values ("missing"), and stand apart. Only some
    intervals are named under the axis; each has its name as a title. A spike that would flatten all
    others is cut, and shows its number.
    """
    gap = 8.0 if values < len(labels) else 0.0
    slot = (WIDTH - 12 - gap) / max(len(labels), 1)
    top = _scale([max(pair) for pair in zip(real, synthetic, strict=True)])
    picture = svg.root(WIDTH, _BASE + 18, "plot", title)
    for i, (label, r, s) in enumerate(zip(labels, real, synthetic, strict=True)):
        x = 6 + slot * i + (gap if i >= values else 0)
        group = svg.titled(picture, f"{label}: real {percent(r)}, synthetic {percent(s)}")
        height = _HIGH * min(r / top, 1)
        svg.rect(group, "real", x + slot * 0.08, _BASE - height, slot * 0.84, height)
        svg.diamond(group, x + slot / 2, _BASE - _HIGH * min(s / top, 1))
        if max(r, s) > top:
            svg.line(group, "cut", x, _BASE - 0.62 * _HIGH, x + slot, _BASE - 0.72 * _HIGH)
            right, anchor = (x + slot + 4, "start") if i < len(labels) / 2 else (x - 4, "end")
            svg.text(group, right, 20, f"{_hundredths(r)} | {_hundredths(s)}", anchor)
    svg.line(picture, "axis", 6, _BASE, 6 + slot * values, _BASE)
    named = _named_slots(len(labels), values)
    if any(len(labels[i]) > 16 for i, _ in named):
        named = [(i, anchor) for i, anchor in named if anchor != "middle"]
    for i, anchor in named:
        within = {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]
        x = 6 + slot * (i + within) + (gap if i >= values else 0)
        label = _at_the_end(labels[i], anchor) if values > 1 else labels[i]
        svg.text(picture, x, _BASE + 14, clip(label, _AXIS), anchor)
    return svg.markup(picture)


def powers(title: str, spectrum: Mapping[str, Any]) -> Markup:
    """Power by frequency on a logarithmic scale: `frequencies`, `real`, `synthetic`, `holdout`.

    A filled bar for real images, a diamond for synthetic ones, a line across for the holdout. What
    is below a millionth of the largest power stands on the axis.
    """
    real, synthetic, holdout = (spectrum[k] for k in ("real", "synthetic", "holdout"))
    top = max([*real, *synthetic, 1e-12])
    slot = (WIDTH - 12) / len(real)
    picture = svg.root(WIDTH, _BASE + 18, "plot", title)

    def up(power: float) -> float:
        return _HIGH * max(0.0, 1 + math.log10(max(power / top, 1e-12)) / 6)

    for i, (frequency, r, s) in enumerate(
        zip(spectrum["frequencies"], real, synthetic, strict=True)
    ):
        x = 6 + slot * i
        group = svg.titled(
            picture, f"{frequency:.3g} cycles a pixel: real {r:.3g}, synthetic {s:.3g}"
        )
        svg.rect(group, "real", x + slot * 0.08, _BASE - up(r), slot * 0.84, up(r))
        if holdout is not None:
            svg.line(group, "axis", x, _BASE - up(holdout[i]), x + slot, _BASE - up(holdout[i]))
        svg.diamond(group, x + slot / 2, _BASE - up(s))
    svg.line(picture, "axis", 6, _BASE, WIDTH - 6, _BASE)
    svg.text(picture, 6, _BASE + 14, "coarse", "start")
    svg.text(picture, WIDTH - 6, _BASE + 14, "fine", "end")
    return svg.markup(picture)


def _at_the_end(label: str, anchor: str) -> str:
    """Of a long range that ends the axis, the end of it that lies there."""
    if len(label) <= _AXIS or anchor == "middle":
        return label
    return label.split(" to ")[0 if anchor == "start" else -1]


def heatmap(
    title: str,
    names: Sequence[str],
    matrix: Sequence[Sequence[float | None]],
    write: Callable[[float], str] = percent,
) -> Markup:
    """The lower triangle of a matrix of distances, coloured by the classes of `LEVELS`.

    write: how a cell's title has its number. With up to MAX_NUMBERED names, cells have numbers in
    hundredths. Of more than MAX_NAMES names, those with the largest mean are drawn. A cell without
    a distance, None, stays empty.
    """
    names, matrix = farthest(names, matrix)
    n = len(names)
    numbered = n <= MAX_NUMBERED
    cell = 30 if numbered else 16
    picture = svg.root(_LABEL + cell * n + 8, cell * n + 108, "heat", title)
    for i, name in enumerate(names):
        svg.text(picture, _LABEL - 6, cell * (i + 0.5) + 4, clip(name, 18), "end")
        for j in range(i + 1):
            if (distance := matrix[i][j]) is None:
                continue
            x = _LABEL + cell * j
            y = cell * i
            level = _level(distance)
            pair = name if i == j else f"{names[j]} × {name}"  # noqa: RUF001
            group = svg.titled(picture, f"{pair}: {write(distance)}")
            svg.rect(group, f"level{level}", x + 0.5, y + 0.5, cell - 1, cell - 1)
            if numbered:
                number = _hundredths(distance)
                svg.text(group, x + cell / 2, y + cell / 2 + 4, number, "middle", f"on{level}")
        svg.slanted(picture, _LABEL + cell * (i + 0.5) + 3, cell * n + 8, clip(name, 18))
    return svg.markup(picture)


def differences(
    title: str, names: Sequence[str], matrix: Sequence[Sequence[float | None]]
) -> Markup:
    """The same for differences of correlations, 0 to 2, in hundredths."""
    return heatmap(title, names, matrix, lambda x: f"{x:.2f}")


def legend(unit: str = "\xa0%") -> list[tuple[Markup, str]]:
    """A swatch and a meaning for each class of the heat map. unit: of a hundredth."""
    bounds = [0.0, *LEVELS]
    ranges = zip(bounds, LEVELS, strict=False)
    meanings = [f"{100 * low:g} to {100 * high:g}{unit}" for low, high in ranges]
    meanings.append(f"over {100 * LEVELS[-1]:g}{unit}")
    return [(_swatch(level), text) for level, text in enumerate(meanings)]


def farthest(
    names: Sequence[str], matrix: Sequence[Sequence[float | None]]
) -> tuple[list[str], list[list[float | None]]]:
    order = sorted(range(len(names)), key=lambda i: -_mean_of(matrix[i]))
    kept = sorted(order[:MAX_NAMES])
    return [names[i] for i in kept], [[matrix[i][j] for j in kept] for i in kept]


def _mean_of(distances: Sequence[float | None]) -> float:
    there = [each for each in distances if each is not None]
    return sum(there) / max(len(there), 1)


def _scale(shares: Sequence[float]) -> float:
    """The share that fills the height: the largest; or, where it is far above all others, less."""
    first, second = sorted([0.0, 0.0, *shares])[:-3:-1]
    return 1.5 * second if first > 4 * second > 0 else max(first, 1e-12)


def _named_slots(count: int, values: int) -> list[tuple[int, str]]:
    """Which intervals are named under the axis, and where their names are anchored."""
    if values == 1:
        found = [(0, "start")]
    else:
        middle = [(values // 2, "middle")] if values > 4 else []
        found = [(0, "start"), *middle, (values - 1, "end")]
    if count > values:
        found = [*found[:-1], (values, "end")] if values > 1 else [*found, (values, "end")]
    return found


def _swatch(level: int) -> Markup:
    picture = svg.root(14, 14, "swatch", hidden=True)
    svg.rect(picture, f"level{level}", 0.5, 0.5, 13, 13)
    return svg.markup(picture)


def _level(distance: float) -> int:
    return sum(distance > bound for bound in LEVELS)


def _hundredths(distance: float) -> str:
    return f"{100 * distance:.1f}" if distance < 0.0995 else f"{100 * distance:.0f}"
