"""Parts of inline SVG, built as an element tree: well-formed, with every name escaped.

Colours come from the page's style sheet, by class.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from markupsafe import Markup

from dpsynth.base.text import printable


def root(
    width: float, height: float, kind: str, title: str = "", *, hidden: bool = False
) -> ET.Element:
    """A picture with a title for those who do not see it. hidden: its text stands beside it."""
    box = {"viewBox": f"0 0 {width:g} {height:g}"}
    size = {**box, "width": f"{width:g}", "height": f"{height:g}", "class": kind}
    if hidden:
        return ET.Element("svg", {**size, "aria-hidden": "true"})
    return named(ET.Element("svg", {**size, "role": "img"}), title)


def titled(parent: ET.Element, title: str) -> ET.Element:
    """A group of shapes that says what it shows when it is pointed at."""
    return named(ET.SubElement(parent, "g"), title)


def named(element: ET.Element, title: str) -> ET.Element:
    ET.SubElement(element, "title").text = str(printable(title))
    return element


def rect(parent: ET.Element, kind: str, x: float, y: float, width: float, height: float) -> None:
    place = {"x": px(x), "y": px(y), "width": px(width), "height": px(height)}
    ET.SubElement(parent, "rect", {**place, "class": kind})


def diamond(parent: ET.Element, x: float, y: float) -> None:
    places = ((x, y - 5), (x + 5, y), (x, y + 5), (x - 5, y))
    corners = " ".join(f"{px(a)},{px(b)}" for a, b in places)
    ET.SubElement(parent, "polygon", {"points": corners, "class": "synthetic"})


def line(parent: ET.Element, kind: str, x1: float, y1: float, x2: float, y2: float) -> None:
    ends = {"x1": px(x1), "y1": px(y1), "x2": px(x2), "y2": px(y2)}
    ET.SubElement(parent, "line", {**ends, "class": kind})


def text(
    parent: ET.Element, x: float, y: float, words: str, anchor: str, kind: str = "label"
) -> None:
    place = {"x": px(x), "y": px(y), "text-anchor": anchor, "class": kind}
    ET.SubElement(parent, "text", place).text = str(printable(words))


def slanted(parent: ET.Element, x: float, y: float, words: str) -> None:
    turned = f"translate({px(x)} {px(y)}) rotate(-55)"
    place = {"text-anchor": "end", "class": "label", "transform": turned}
    ET.SubElement(parent, "text", place).text = str(printable(words))


def px(x: float) -> str:
    return f"{x:.2f}".rstrip("0").rstrip(".")


def markup(svg: ET.Element) -> Markup:
    return Markup(ET.tostring(svg, encoding="unicode"))
