"""What every synthesizer shares: its settings, its ledger, what a fit left behind, and its file."""

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
from dpsynth.base.places import expanded
from dpsynth.base.project import place_of
from dpsynth.evidence.certificate import Certificate
from dpsynth.kernel.budget import Budget
from dpsynth.ledger.ledger import Ledger
from dpsynth.synthesizers.model_file import read_model_file, write_model_file


class NotFittedError(DPSynthError, ValueError, AttributeError):
    """A release was asked for before `fit`."""


class NoLedgerWarning(UserWarning):
    """A fit spends budget and no ledger records it. Shown once in each process."""


class NewLedgerWarning(UserWarning):
    """A relative path names no ledger yet, so a fit creates one in the current folder.

    From another folder the same path would be another ledger.
    """


class CautionWarning(UserWarning):
    """A fit has found, by what it paid for, that a column was hardly read as declared.

    The certificate says the same.
    """


class NoLedger(Enum):
    """Stands for a ledger until somebody names one. Copies, clones and pickles keep it."""

    UNSTATED = "no ledger was named"
    LOADED = "a model was loaded, and no ledger was named since"


NamedLedger = Ledger | str | Path | None
"""A ledger, the path of one, or None: a person's decision that no ledger records the spending."""


class _HasCertificate(Protocol):
    @property
    def certificate(self) -> Certificate: ...


F = TypeVar("F", bound=_HasCertificate)
_warned = False  # whether NoLedgerWarning was shown: once in each process is enough


class BaseSynthesizer(ABC, Generic[F]):
    """What the synthesizers of tables and of images have in common.

    A subclass's constructor keeps each argument, unchanged, under its own name, and arguments that
    it does not name in `settings`. So it can be copied and cloned by scikit-learn, and pickled
    until it is fitted.
    """

    KIND: ClassVar[str]
    """What a model file calls its version."""
    FIT: ClassVar[str]
    """How `fit` is called, for messages."""

    mechanism: Any
    epsilon: float
    delta: float
    ledger: NamedLedger | NoLedger
    settings: dict[str, Any]
    fitted_: F

    @abstractmethod
    def _stored(self, fitted: F) -> tuple[Mapping[str, Any], dict[str, np.ndarray]]:
        """Plain fields and arrays of all that sampling depends on.

        TypeError for a model that cannot be stored.
        """

    @classmethod
    @abstractmethod
    def _built(cls, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        """A fitted synthesizer of what a file holds, whose `ledger` is `NoLedger.LOADED`."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments, as scikit-learn asks for them.

        Parameters
        ----------
        deep : bool
            Has no effect; scikit-learn passes it.

        Returns
        -------
        dict of str to object
            Each argument by its name, settings of the mechanism among them.
        """
        arguments = inspect.signature(type(self).__init__).parameters.values()
        # settings are the one argument of this kind, and are added by their own names
        single = [a for a in arguments if a.kind is not inspect.Parameter.VAR_KEYWORD]
        named = {a.name: getattr(self, a.name) for a in single if a.name != "self"}
        return {**named, **self.settings}

    def set_params(self, **params: Any) -> Self:
        """Changes arguments of this object, which is not fitted afterwards.

        Parameters
        ----------
        **params : object
            Arguments of the constructor; those that are left out stay as they are.

        Returns
        -------
        Self
            This object.
        """
        type(self).__init__(self, **{**self.get_params(), **params})
        self.__dict__.pop("fitted_", None)
        return self

    @property
    def certificate(self) -> Certificate:
        """What was promised, what was spent, and what is not promised.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        return self._fitted().certificate

    def save(self, path: str | Path) -> None:
        """Writes the fitted synthesizer: a zip of JSON and arrays, without code or private values.

        Parameters
        ----------
        path : str or Path
            The file to write.

        Raises
        ------
        NotFittedError
            Before `fit`.
        TypeError
            For a model of a kind that has no stored form.
        """
        fitted = self._fitted()
        content, arrays = self._stored(fitted)
        write_model_file(
            expanded(path), {**content, "certificate": fitted.certificate.record}, arrays
        )

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Reads what `save` wrote, with the settings that its certificate records.

        The result can sample at once. It cannot fit until `set_params(ledger=...)` names a ledger,
        since a second fit spends a second time. A ledger that dpsynth.toml names does not count:
        the model may come from another project.

        Parameters
        ----------
        path : str or Path
            A file that `save` wrote.

        Returns
        -------
        Self
            A fitted synthesizer.

        Raises
        ------
        ModelFileError
            For a file that is not a model of this kind, is damaged, or has another format.
        """
        return read_model_file(expanded(path), cls.KIND, cls._built)

    def __repr__(self) -> str:
        state = "fitted" if "fitted_" in self.__dict__ else "not fitted"
        budget = f"epsilon={self.epsilon!r}, delta={self.delta!r}"
        return f"{type(self).__name__}({self._what()}, {budget}, {state})"

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
            kind = type(self).__name__
            raise TypeError(
                f"a fitted {kind} cannot be pickled, because reading a pickle can run code: use"
                f" save(path), and {kind}.load(path)"
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
            raise ValueError(
                "epsilon must be above 0, got 0: with epsilon 0 nothing can be learned from the"
                " data, so choose a larger one"
            )
        return budget

    @property
    def named_ledger(self) -> NamedLedger:
        """The ledger that was named, here or by the project file; None where none was."""
        if self.ledger is NoLedger.UNSTATED:
            return place_of("ledger")
        if isinstance(self.ledger, str | Path):
            return expanded(self.ledger)
        return None if isinstance(self.ledger, NoLedger) else self.ledger

    def _ask_who_pays(self) -> None:
        """Checks, before anything is read, that it is clear which ledger records the spending.

        ValueError for a loaded synthesizer without one; a warning where nobody has named one.
        """
        if self.ledger is NoLedger.LOADED:
            raise ValueError(
                "a loaded synthesizer does not know which ledger paid for it, and another fit"
                " spends again: name the ledger by set_params(ledger=...), or call"
                " set_params(ledger=None) if no ledger has to record it"
            )
        if self.ledger is NoLedger.UNSTATED and self.named_ledger is None:
            _warn_once()

    def _warn_of_a_new_place(self) -> None:
        """A warning where a relative path is about to become a new ledger.

        Called after all checks that may refuse a fit: a fit that is refused creates no ledger.
        """
        named = self.named_ledger
        if not isinstance(named, str | Path):
            return
        path = Path(named)
        if not path.is_absolute() and not path.exists():
            warnings.warn(
                f"the relative path {str(named)!r} names no ledger yet, so this fit makes a new"
                f" one at {path.absolute()}: from another folder the same path would be another"
                " ledger, so give the absolute path, or name the ledger in dpsynth.toml",
                NewLedgerWarning,
                stacklevel=3,
            )


def _warn_once() -> None:
    global _warned
    if not _warned:
        warnings.warn(
            "no ledger was named, so nothing records what this fit and other fits of the same data"
            " spend together: give ledger=PATH, or ledger=None if this is what you want, or name"
            " one in dpsynth.toml",
            NoLedgerWarning,
            stacklevel=4,
        )
        _warned = True
