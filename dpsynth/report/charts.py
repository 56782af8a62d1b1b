"""Charts as inline SVG. Built as an element tree, so that they are well-formed and every name in them is escaped.

Colours come from the page's style sheet, by class. No chart tells anything by colour alone: real data are filled
bars and synthetic data are outlined marks, cells of the heat map carry a number or a title, and the page repeats the
numbers in a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from markupsafe import Markup

from dpsynth.report.text import clip, percent, printable

WIDTH = 340
LEVELS = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Upper ends of the heat map's classes; the last class is open."""

_LABEL = 118
_ROW = 19
_NUMBERED = 20


def share_bar(share: float) -> Markup:
    """A small bar, to stand beside its number: 1 fills the width."""
    svg = _svg(100, 10, "share", hidden=True)
    _rect(svg, "fill", 0, 0, 100 * min(max(share, 0.0), 1.0), 10)
    return _markup(svg)


def rows(title: str, labels: Sequence[str], real: Sequence[float], synthetic: Sequence[float]) -> Markup:
    """One row for each category: a filled bar for the real share, an outlined diamond for the synthetic one."""
    top = max([*real, *synthetic, 1e-12])
    width = WIDTH - _LABEL - 12
    svg = _svg(WIDTH, _ROW * len(labels) + 4, "plot", title)
    for i, (label, r, s) in enumerate(zip(labels, real, synthetic, strict=True)):
        y = _ROW * i + 3
        group = _titled(svg, f"{label}: real {percent(r)}, synthetic {percent(s)}")
        _text(group, _LABEL - 6, y + 11, clip(label, 19), "end")
        _rect(group, "real", _LABEL, y, width * r / top, _ROW - 5)
        _diamond(group, _LABEL + width * s / top, y + (_ROW - 5) / 2)
    return _markup(svg)


def steps(title: str, labels: Sequence[str], real: Sequence[float], synthetic: Sequence[float]) -> Markup:
    """One upright bar for each interval of an ordered column, and a diamond for the synthetic share.

    Only the first, middle and last intervals are named under the axis; each has its name as a title.
    """
    height, base = 120, 104
    top = max([*real, *synthetic, 1e-12])
    slot = (WIDTH - 12) / max(len(labels), 1)
    svg = _svg(WIDTH, height, "plot", title)
    for i, (label, r, s) in enumerate(zip(labels, real, synthetic, strict=True)):
        x = 6 + slot * i
        group = _titled(svg, f"{label}: real {percent(r)}, synthetic {percent(s)}")
        _rect(group, "real", x + slot * 0.08, base - 94 * r / top, slot * 0.84, 94 * r / top)
        _diamond(group, x + slot / 2, base - 94 * s / top)
    _line(svg, 6, base, WIDTH - 6, base)
    ends = {0: "start", len(labels) - 1: "end"} if len(labels) > 1 else {0: "middle"}
    if len(labels) > 4:
        ends[len(labels) // 2] = "middle"
    for i, anchor in ends.items():
        x = {"start": 6.0, "middle": 6 + slot * (i + 0.5), "end": WIDTH - 6.0}[anchor]
        _text(svg, x, height - 3, clip(labels[i], 16), anchor)
    return _markup(svg)


def heatmap(title: str, names: Sequence[str], matrix: Sequence[Sequence[float]]) -> Markup:
    """The lower triangle of a matrix of distances, in classes of `LEVELS`; up to 20 names, with numbers in percent."""
    n, numbered = len(names), len(names) <= _NUMBERED
    cell = 30 if numbered else 16
    svg = _svg(_LABEL + cell * n + 8, cell * n + 108, "heat", title)
    for i, name in enumerate(names):
        _text(svg, _LABEL - 6, cell * (i + 0.5) + 4, clip(name, 18), "end")
        for j in range(i + 1):
            x, y, level = _LABEL + cell * j, cell * i, _level(matrix[i][j])
            pair = name if i == j else f"{names[j]} × {name}"  # noqa: RUF001
            group = _titled(svg, f"{pair}: {percent(matrix[i][j])}")
            _rect(group, f"level{level}", x + 0.5, y + 0.5, cell - 1, cell - 1)
            if numbered:
                _text(group, x + cell / 2, y + cell / 2 + 4, _hundredths(matrix[i][j]), "middle", f"on{level}")
        _slanted(svg, _LABEL + cell * (i + 0.5) + 3, cell * n + 8, clip(name, 18))
    return _markup(svg)


def legend() -> list[tuple[Markup, str]]:
    """A swatch and a meaning for each class of the heat map."""
    bounds = [0.0, *LEVELS]
    meanings = [f"{percent(low)} to {percent(high)}" for low, high in zip(bounds, LEVELS, strict=False)]
    return [(_swatch(i), text) for i, text in enumerate([*meanings, f"over {percent(LEVELS[-1])}"])]


def _swatch(level: int) -> Markup:
    svg = _svg(14, 14, "swatch", hidden=True)
    _rect(svg, f"level{level}", 0.5, 0.5, 13, 13)
    return _markup(svg)


def _level(distance: float) -> int:
    return sum(distance > bound for bound in LEVELS)


def _hundredths(distance: float) -> str:
    return f"{100 * distance:.1f}" if distance < 0.0995 else f"{100 * distance:.0f}"


def _svg(width: float, height: float, kind: str, title: str = "", *, hidden: bool = False) -> ET.Element:
    size = {"viewBox": f"0 0 {width:g} {height:g}", "width": f"{width:g}", "height": f"{height:g}", "class": kind}
    if hidden:
        return ET.Element("svg", {**size, "aria-hidden": "true"})
    return _named(ET.Element("svg", {**size, "role": "img"}), title)


def _titled(parent: ET.Element, title: str) -> ET.Element:
    return _named(ET.SubElement(parent, "g"), title)


def _named(element: ET.Element, title: str) -> ET.Element:
    ET.SubElement(element, "title").text = str(printable(title))
    return element


def _rect(parent: ET.Element, kind: str, x: float, y: float, width: float, height: float) -> None:
    place = {"x": _px(x), "y": _px(y), "width": _px(width), "height": _px(height)}
    ET.SubElement(parent, "rect", {**place, "class": kind})


def _diamond(parent: ET.Element, x: float, y: float) -> None:
    corners = " ".join(f"{_px(a)},{_px(b)}" for a, b in ((x, y - 5), (x + 5, y), (x, y + 5), (x - 5, y)))
    ET.SubElement(parent, "polygon", {"points": corners, "class": "synthetic"})


def _line(parent: ET.Element, x1: float, y1: float, x2: float, y2: float) -> None:
    ET.SubElement(parent, "line", {"x1": _px(x1), "y1": _px(y1), "x2": _px(x2), "y2": _px(y2), "class": "axis"})


def _text(parent: ET.Element, x: float, y: float, text: str, anchor: str, kind: str = "label") -> None:
    place = {"x": _px(x), "y": _px(y), "text-anchor": anchor, "class": kind}
    ET.SubElement(parent, "text", place).text = str(printable(text))


def _slanted(parent: ET.Element, x: float, y: float, text: str) -> None:
    place = {"text-anchor": "end", "class": "label", "transform": f"translate({_px(x)} {_px(y)}) rotate(-55)"}
    ET.SubElement(parent, "text", place).text = str(printable(text))


def _px(x: float) -> str:
    return f"{x:.2f}".rstrip("0").rstrip(".")


def _markup(svg: ET.Element) -> Markup:
    return Markup(ET.tostring(svg, encoding="unicode"))
