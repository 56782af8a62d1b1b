"""Pictures of an account: how much of a budget is spent, and how it was spent over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dpsynth.base.text import at_most, written
from dpsynth.evidence.pages import svg

# in pixels
_WIDTH = 640
_HIGH = 150  # from the axis to the line of what is allowed
_TOP = 22  # above that line, for what went over it and for its name
_LEFT = 40
_RIGHT = 14


@dataclass(frozen=True)
class Point:
    """What was spent in all after one run: `at` from 0 to 1 along the axis."""

    at: float
    label: str
    spent: float


def gauge(title: str, spent: float, allowed: float) -> Markup:
    """A bar as wide as its box: filled up to what was spent; in another colour where it is over."""
    picture = svg.root(100, 8, "gauge", title)
    picture.set("preserveAspectRatio", "none")
    svg.rect(picture, "track", 0, 0, 100, 8)
    share = spent / allowed if allowed > 0 else 1.0
    svg.rect(picture, "fill" if share <= 1 else "over", 0, 0, 100 * min(share, 1.0), 8)
    return svg.markup(picture)


def timeline(
    title: str, points: Sequence[Point], allowed: float, ends: tuple[str, str], last: str
) -> Markup:
    """What was spent in all, as steps from left to right, below the line of what is allowed.

    ends: the names of both ends of the axis. last: what the final figure is called.
    """
    top = max([allowed, *(point.spent for point in points)])
    height = _TOP + _HIGH + 24
    picture = svg.root(_WIDTH, height, "time", title)
    floor, width = _TOP + _HIGH, _WIDTH - _LEFT - _RIGHT

    def across(at: float) -> float:
        return _LEFT + width * at

    def up(epsilon: float) -> float:
        return floor - _HIGH * epsilon / top

    for here, after in zip(points, [*(p.at for p in points[1:]), 1.0], strict=True):
        group = svg.titled(picture, f"{here.label}: epsilon {at_most(here.spent)} in all")
        x, y = across(here.at), up(here.spent)
        svg.rect(group, "real", x, y, max(across(after) - x, 1.5), floor - y)
        svg.diamond(group, x, y)
    svg.line(picture, "axis", _LEFT, floor, _LEFT + width, floor)
    svg.line(picture, "limit", _LEFT, up(allowed), _LEFT + width, up(allowed))
    svg.text(picture, _LEFT - 6, up(allowed) + 4, written(allowed, 3), "end")
    svg.text(picture, _LEFT - 6, floor + 4, "0", "end")
    svg.text(picture, _LEFT + 4, up(allowed) - 6, "epsilon allowed", "start", "quiet")
    svg.text(picture, _LEFT, floor + 16, ends[0], "start")
    svg.text(picture, _LEFT + width, floor + 16, ends[1], "end")
    if points and up(points[-1].spent) > up(allowed) + 16:
        svg.text(picture, _LEFT + width, up(points[-1].spent) - 6, last, "end", "quiet")
    return svg.markup(picture)
