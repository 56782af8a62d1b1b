"""Parts of a model that are independent of each other, and a few rows in place of others.

Rows that break a rule are drawn again. Where a model knows of no dependence between two groups of
columns, only the group that the rule is about has to be; and a few rows need no rounding, which
takes about as long for a hundred of them as for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from dpsynth.base.domain import Clique
from dpsynth.models.base import Codes, Evidence, Model


@runtime_checkable
class Separable(Protocol):
    """A model that knows which of its columns are independent of each other."""

    def groups(self) -> tuple[Clique, ...]:
        """Groups of attributes, each attribute in one: different groups are independent."""
        ...

    def among(self, attributes: Clique) -> Model:
        """The model of these attributes, which are whole groups, in the domain's order."""
        ...


@runtime_checkable
class DrawingFew(Protocol):
    """A model that draws a few rows quickly."""

    def sample_few(self, n: int, rng: np.random.Generator, evidence: Evidence | None) -> Codes:
        """What `sample` draws, where n is small without any rounding of counts."""
        ...


def groups_of(model: Model) -> tuple[Clique, ...]:
    """`Separable.groups`; of another model one group of all attributes."""
    return model.groups() if isinstance(model, Separable) else (model.domain.attributes,)


def among(model: Model, attributes: Sequence[str]) -> Model:
    """The model of these attributes, which are whole groups of it."""
    wanted = model.domain.ordered(attributes)
    if wanted == model.domain.attributes:
        return model
    assert isinstance(model, Separable)
    return model.among(wanted)


def few_rows(
    model: Model, n: int, rng: np.random.Generator, evidence: Evidence | None = None
) -> Codes:
    """n rows that take the place of others; of a model that cannot do it sooner, a sample."""
    if isinstance(model, DrawingFew):
        return model.sample_few(n, rng, evidence)
    return model.sample(n, rng, evidence) if evidence else model.sample(n, rng)
