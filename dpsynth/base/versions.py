"""Which versions of Python and of packages made a file."""

from __future__ import annotations

import platform
from functools import cache
from importlib import metadata

_PACKAGES = ("dpsynth", "numpy", "scipy", "pandas", "pyarrow", "mpmath")


def versions() -> dict[str, str]:
    """The versions that a result may depend on, by name."""
    return {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}}


@cache
def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed as a package"
