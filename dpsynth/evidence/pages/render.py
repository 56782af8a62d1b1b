"""Pages from plain records: Jinja templates with escaping on and one inline style sheet.

A content security policy keeps a page from loading anything else.

`page` gives a whole document; `fragment` a small piece for a notebook, without a style of its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dpsynth.base.text import (
    at_most,
    difference,
    hundredths,
    one_in,
    percent,
    plain,
    printable,
    said,
    short,
    written,
)
from dpsynth.evidence.pages import charts, findings, gauges

_TEMPLATES = Path(__file__).parent / "templates"
_SCROLL = '<div class="scroll" tabindex="0" role="group" aria-label="scrolls sideways">'
"""A box that scrolls can be reached, and so be scrolled, by the keyboard."""


def page(template: str, record: Mapping[str, Any], *, images: bool = False) -> str:
    """A complete HTML document: templates/<template>.html, in which the record is `it`.

    images: whether the page has images inside itself. It can load none from elsewhere.
    """
    style = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    policy += "; img-src data:" if images else ""
    found = _environment().get_template(f"{template}.html")
    text = found.render(it=record, style=Markup(style), policy=policy)
    return text.replace('<div class="scroll">', _SCROLL)


def fragment(template: str, record: Mapping[str, Any]) -> str:
    """A piece of HTML for a notebook: templates/<template>_fragment.html."""
    return _environment().get_template(f"{template}_fragment.html").render(it=record)


@cache
def colours() -> dict[str, str]:
    """The colours of the pages in the light scheme, by the names of the style sheet."""
    style = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", style.partition("}")[0]))


def to_json(record: Mapping[str, Any]) -> str:
    """The record as indented JSON in ASCII."""
    return json.dumps(record, indent=2, allow_nan=False) + "\n"


def save(directory: str | Path, files: Mapping[str, str]) -> Path:
    """Writes files (name to text) into a directory, which it creates if needed and returns.

    OSError, in one sentence, when they cannot be written.
    """
    folder = Path(directory)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        names = " and ".join(files)
        raise OSError(
            f"cannot write {names} to {folder}: {reason}; choose a directory that can be written"
        ) from None
    return folder


def _odds(epsilon: float) -> str:
    """The factor by which an epsilon lets odds change, rounded up; a power where it is vast."""
    return said(at_most(math.exp(epsilon), 3)) if epsilon < 30 else f"e^{written(epsilon)}"


def _by_difference(pairs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Associations, those farthest from the real ones first."""
    return sorted(pairs, key=lambda pair: -abs(pair["real"] - pair["synthetic"]))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"written": written, "said": said, "one_in": one_in, "plain": plain}
    environment.filters |= {"percent": percent, "difference": difference}
    environment.filters |= {"odds": _odds}
    environment.filters |= {"at_most": lambda x, digits=4: said(at_most(x, digits))}
    environment.filters |= {"short": lambda x, digits=4: said(short(x, digits))}
    environment.filters |= {"hundredths": hundredths, "by_difference": _by_difference}
    environment.globals |= {"charts": charts, "findings": findings, "gauges": gauges}
    return environment
