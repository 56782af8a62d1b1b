"""What a comparison comes to in two sentences: what a release is good for, and what to avoid.

Computed from the findings by a fixed rule, so that two releases are told by the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dpsynth.base.text import percent, some
from dpsynth.evaluation.analyses import AnalysisQuality
from dpsynth.evaluation.blind_spots import BlindSpot
from dpsynth.evaluation.downstream import Downstream
from dpsynth.evaluation.group_distances import GroupDistance, weak_groups
from dpsynth.evaluation.pattern import Pattern
from dpsynth.evidence.verdict import FAR, GOOD, WEAK, grade

MODELS_KEPT, MODELS_LOST = 0.9, 0.7
"""Of what a model has beyond a guess: from here on its release is good for it, or below weak."""
_WAYS = {1: "single columns", 2: "pairs of columns", 3: "three columns at once"}
_NAMED = 3
"""How many of each kind of finding are named."""


def advice(
    verdict: Mapping[str, Any],
    columns: Sequence[Mapping[str, Any]],
    patterns: Sequence[Pattern],
    blind_spots: Sequence[BlindSpot],
    groups: Sequence[GroupDistance],
    downstream: Downstream | None,
    analyses: Sequence[AnalysisQuality],
) -> tuple[str, str]:
    """What it is good for, and what to avoid; in this order, one sentence each."""
    good = [*_ways(verdict["ways"], GOOD), *_models(downstream, good=True), *_whole(analyses)]
    avoid = [
        *_ways(verdict["ways"], WEAK),
        *_models(downstream, good=False),
        *_broken(analyses),
        *_columns(columns),
        *_listed("regions", [spot.where for spot in blind_spots]),
        *_listed("groups", weak_groups(groups)),
        *_listed("what was lost", _named(patterns, "lost")),
        *_listed("what was invented", _named(patterns, "invented")),
    ]
    return (
        f"Rely on it for: {'; '.join(good)}."
        if good
        else "Nothing that was compared is close enough to rely on without the real rows.",
        f"Avoid: {'; '.join(avoid)}."
        if avoid
        else "Nothing that was looked for speaks against a use; groups of a few rows may be made up"
        " all the same.",
    )


def _ways(grades: Mapping[int, str], which: str) -> list[str]:
    return [_WAYS[k] for k, g in grades.items() if g == which]


def _models(found: Downstream | None, *, good: bool) -> Iterator[str]:
    if found is None or found.kept is None:
        return
    if found.kept >= MODELS_KEPT if good else found.kept < MODELS_LOST:
        kept = percent(found.kept)
        yield f"models of {found.target} (they keep {kept} of what goes beyond a guess)"


def _whole(found: Sequence[AnalysisQuality]) -> Iterator[str]:
    whole = [one.name for one in found if one.estimates and all(e.kept for e in one.estimates)]
    if whole:
        yield f"analyses: {some(whole, _NAMED)}"


def _broken(found: Sequence[AnalysisQuality]) -> Iterator[str]:
    """Analyses of which the release loses half of the estimates, that the yardstick does not."""
    broken = []
    for one in found:
        kept, usual = (sum(getattr(e, w) for e in one.estimates) for w in ("kept", "yardstick"))
        if kept <= len(one.estimates) / 2 and kept < usual:
            broken.append(one.name)
    if broken:
        yield f"analyses: {some(broken, _NAMED)}"


def _columns(columns: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    far = [c for c in columns if c["distance"] > FAR and grade(c["distance"], c["floor"]) != GOOD]
    far.sort(key=lambda c: -c["distance"])
    yield from _listed("columns", [c["name"] for c in far])


def _listed(what: str, names: Sequence[str]) -> Iterator[str]:
    if names:
        yield f"{what}: {some(names, _NAMED)}"


def _named(patterns: Iterable[Pattern], fate: str) -> list[str]:
    return [
        f"{p.kind} of {' and '.join(p.columns)}" if p.columns else p.kind
        for p in patterns
        if p.fate == fate
    ]
