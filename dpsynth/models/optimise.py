"""A compact L-BFGS for smooth convex functions, with a diagonal that may follow the curvature.

Nocedal and Wright 2006, algorithm 7.4, with backtracking (3.1). scipy's L-BFGS-B keeps one scale
for all coordinates and stops by the size of the objective; here the caller knows the curvature of
each coordinate and what matters.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_MEMORY = 10
_SUFFICIENT = 1e-4
_SMALLEST_STEP = 1e-10


@dataclass(frozen=True, eq=False)
class Point:
    """Where the optimiser is: the value and gradient of the objective, and its curvature along each
    coordinate.
    """

    x: np.ndarray
    value: float
    gradient: np.ndarray
    curvature: np.ndarray


def minimise(
    objective: Callable[[np.ndarray], Point],
    start: np.ndarray,
    finished: Callable[[Point], bool],
    limit: int,
) -> tuple[Point, int, bool]:
    """The last point, the number of steps, and whether it is finished.

    A value that is not finite turns a step back. Gives up, unfinished, after `limit` steps or where
    rounding hides any further descent.
    """
    point = objective(start)
    pairs: deque[tuple[np.ndarray, np.ndarray, float]] = deque(maxlen=_MEMORY)
    for steps in range(limit):
        if finished(point):
            return point, steps, True
        following = _line_search(objective, point, _direction(point, pairs))
        if following is None:
            return point, steps, False
        moved = following.x - point.x
        turned = following.gradient - point.gradient
        bend = float(moved @ turned)
        if bend > 1e-14 * math.sqrt(float(moved @ moved) * float(turned @ turned)):
            pairs.append((moved, turned, 1 / bend))
        point = following
    return point, limit, finished(point)


def _direction(point: Point, pairs: deque[tuple[np.ndarray, np.ndarray, float]]) -> np.ndarray:
    """Minus the inverse Hessian, as the last steps show it, times the gradient: the two-loop
    recursion.
    """
    direction = -point.gradient
    weights = []
    for moved, turned, inverse in reversed(pairs):
        weights.append(inverse * float(moved @ direction))
        direction -= weights[-1] * turned
    direction /= point.curvature
    if pairs:
        _, turned, inverse = pairs[-1]
        direction /= inverse * float(turned @ (turned / point.curvature))
    for (moved, turned, inverse), weight in zip(pairs, reversed(weights), strict=True):
        direction += (weight - inverse * float(turned @ direction)) * moved
    return direction


def _line_search(
    objective: Callable[[np.ndarray], Point], point: Point, direction: np.ndarray
) -> Point | None:
    slope = float(point.gradient @ direction)
    rounding = 1e-13 * abs(point.value)
    step = 1.0
    while step > _SMALLEST_STEP and slope < 0:
        trial = objective(point.x + step * direction)
        rise = trial.value - point.value
        if rise <= _SUFFICIENT * step * slope:
            return trial
        if abs(rise) <= rounding and abs(float(trial.gradient @ direction)) <= -slope:
            return trial
        parabola = -slope * step / (2 * (rise - slope * step)) if math.isfinite(rise) else 0.0
        step *= min(max(parabola, 0.1), 0.5)
    return None
