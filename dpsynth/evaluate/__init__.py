"""Evaluate: how close a release is to real records, for anybody's synthetic data. Exact, hence internal.

`dpsynth.evaluate` is this package and, called, the function `dpsynth.evaluate.fidelity.evaluate`: whichever of the two
was imported first, both work.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from dpsynth.evaluate.fidelity import evaluate

        return evaluate(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
