"""The pages that people read, and what is in them: links, headings, fenced blocks and commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.structure.source import ROOT

FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^()\s]+)\)")


def pages(root: Path = ROOT) -> list[Path]:
    """Every Markdown page at the top of the project, in docs/ and in examples/."""
    return [
        *sorted(root.glob("*.md")),
        *sorted((root / "docs").rglob("*.md")),
        *sorted((root / "examples").glob("*.md")),
    ]


def fenced(text: str, *languages: str) -> list[str]:
    """The fenced blocks of these languages; "" is a block that names none."""
    return [body for _, language, body in FENCE.findall(text) if language in languages]


def prose(text: str) -> str:
    """A page without its fenced blocks and without code in backticks."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))


def links(text: str) -> list[str]:
    """Where the links of a page lead to, pictures included."""
    return LINK.findall(prose(text))


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings: lower case, a hyphen for each space, other signs left out."""
    headings = re.findall(r"^#+ +(.+?) *$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(text: str) -> Iterator[str]:
    """The command lines of a page that begin with dpsynth, each in one line and without its comment."""
    for block in fenced(text, "", "console", "shell", "bash"):
        for line in re.sub(r" *\\\n *", " ", block).splitlines():
            for part in re.sub(r"\s#\s.*", "", line).split("&&"):
                if part.strip().startswith("dpsynth "):
                    yield part.strip()
