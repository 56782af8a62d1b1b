"""What every front door shares: settings, the account that pays, what a fit left behind, and its file."""

from __future__ import annotations

import copy
import inspect
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import numpy as np

from dpsynth.base.errors import DPSynthError
from dpsynth.base.project import place_of
from dpsynth.evidence.certificate import Certificate
from dpsynth.kernel.budget import Budget
from dpsynth.ledger.ledger import Ledger
from dpsynth.synthesizers.model_file import read_model_file, write_model_file


class NotFittedError(DPSynthError, ValueError, AttributeError):
    """A release was asked for before `fit`."""


class NoLedgerWarning(UserWarning):
    """A fit spends, and no ledger will remember it. Said once a process."""


class NewLedgerWarning(UserWarning):
    """A relative path names no ledger yet, and this fit makes one there: from another folder it names another."""


class NoLedger(Enum):
    """What stands in place of a ledger as long as nobody has named one. It outlives copies, clones and pickles."""

    UNSTATED = "no ledger was named"
    LOADED = "a model was loaded, and no ledger was named since"


NamedLedger = Ledger | str | Path | None
"""A ledger, the path of one, or None: a person's decision that nothing remembers what is spent."""


class _HasCertificate(Protocol):
    @property
    def certificate(self) -> Certificate: ...


F = TypeVar("F", bound=_HasCertificate)
_warned = False


class BaseSynthesizer(ABC, Generic[F]):
    """A front door. A subclass's constructor keeps each argument, unchanged, under its own name, and what it does not
    name in `settings`; so it can be copied, cloned by scikit-learn, and pickled until it is fitted.
    """

    KIND: ClassVar[str]
    """What a model file calls its version."""
    FIT: ClassVar[str]
    """How `fit` is called, for sentences."""

    mechanism: Any
    epsilon: float
    delta: float
    ledger: NamedLedger | NoLedger
    settings: dict[str, Any]
    fitted_: F

    @abstractmethod
    def _stored(self, fitted: F) -> tuple[Mapping[str, Any], dict[str, np.ndarray]]:
        """Plain fields and arrays of all that sampling depends on. TypeError for a model that cannot be stored."""

    @classmethod
    @abstractmethod
    def _built(cls, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        """A fitted synthesizer of what a file holds, whose `ledger` is `NoLedger.LOADED`."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments."""
        arguments = inspect.signature(type(self).__init__).parameters.values()
        named = [a.name for a in arguments if a.name != "self" and a.kind is not inspect.Parameter.VAR_KEYWORD]
        return {**{name: getattr(self, name) for name in named}, **self.settings}

    def set_params(self, **params: Any) -> Self:
        """The same object with other arguments, and forgetting what it was fitted to."""
        type(self).__init__(self, **{**self.get_params(), **params})
        self.__dict__.pop("fitted_", None)
        return self

    @property
    def certificate(self) -> Certificate:
        """What was promised, what was spent, and what is not promised."""
        return self._fitted().certificate

    def save(self, path: str | Path) -> None:
        """Writes the fitted synthesizer: a zip of JSON and arrays, which holds no code and no private value."""
        fitted = self._fitted()
        content, arrays = self._stored(fitted)
        write_model_file(path, {**content, "certificate": fitted.certificate.record}, arrays)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """What `save` wrote, ready to sample, with the settings that its certificate records.

        It is not ready to fit: `fit` is refused until a ledger is named, since a second fit spends a second time. A
        project file does not count: it may lie in another project than the one that the model is from.
        ModelFileError for any other file.
        """
        return read_model_file(path, cls.KIND, cls._built)

    def __repr__(self) -> str:
        state = "fitted" if "fitted_" in self.__dict__ else "not fitted"
        return f"{type(self).__name__}({self._what()}, epsilon={self.epsilon!r}, delta={self.delta!r}, {state})"

    def __copy__(self) -> Self:
        made = type(self).__new__(type(self))
        made.__dict__.update(self.__dict__)
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Arguments are copied; what a fit left behind does not change, and is shared."""
        made = copy.copy(self)
        memo[id(self)] = made
        own = {name: value for name, value in self.__dict__.items() if name != "fitted_"}
        made.__dict__.update(copy.deepcopy(own, memo))
        return made

    def __getstate__(self) -> dict[str, Any]:
        if "fitted_" in self.__dict__:
            raise TypeError(
                f"a fitted {type(self).__name__} is not pickled, as reading a pickle runs code: use save(path), and"
                f" {type(self).__name__}.load(path)"
            )
        return dict(self.__dict__)

    @abstractmethod
    def _what(self) -> str:
        """What `repr` names first."""

    def _fitted(self) -> F:
        if "fitted_" not in self.__dict__:
            raise NotFittedError(f"this synthesizer is not fitted yet: call {self.FIT} first")
        return self.fitted_

    def _budget(self) -> Budget:
        """What one fit spends; ValueError where that is nothing."""
        budget = Budget(self.epsilon, self.delta)
        if budget.epsilon == 0:
            raise ValueError("epsilon must be above 0: 0 would mean to learn nothing")
        return budget

    @property
    def _ledger(self) -> NamedLedger:
        """The ledger that was named, here or by the project file; None where none was."""
        if self.ledger is NoLedger.UNSTATED:
            return place_of("ledger")
        return None if isinstance(self.ledger, NoLedger) else self.ledger

    def _ask_who_pays(self) -> None:
        """Before anything is read: ValueError where a loaded synthesizer names no ledger, a warning where none was."""
        if self.ledger is NoLedger.LOADED:
            raise ValueError(
                "a loaded synthesizer does not know which ledger paid for it, and another fit spends again: name the"
                " ledger by set_params(ledger=...), or say set_params(ledger=None) where nothing needs to remember it"
            )
        if self.ledger is NoLedger.UNSTATED and self._ledger is None:
            _warn_once()

    def _warn_of_a_new_place(self) -> None:
        """When all that can be refused was: a warning where a relative path is about to become a new ledger."""
        named = self._ledger
        if isinstance(named, str | Path) and not Path(named).is_absolute() and not Path(named).exists():
            warnings.warn(
                f"the relative path {str(named)!r} names no ledger yet, and this fit makes a new one at"
                f" {Path(named).absolute()}: from another folder the same path is another account, so give the whole"
                " path, or name the ledger in dpsynth.toml",
                NewLedgerWarning,
                stacklevel=3,
            )


def _warn_once() -> None:
    global _warned
    if not _warned:
        warnings.warn(
            "no ledger was named, so nothing remembers what this fit spends beside others of the same data: give"
            " ledger=PATH, or ledger=None to say that this is meant, or name one in dpsynth.toml",
            NoLedgerWarning,
            stacklevel=4,
        )
        _warned = True
