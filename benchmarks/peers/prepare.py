"""Makes one virtual environment for each peer, with pinned versions.

    python benchmarks/peers/prepare.py DIR [--python python3.11]

A peer's packages contradict ours, so each lives in DIR/<peer> and is spoken to through files only. An environment that
is there is brought to the pinned versions. On Linux pip takes the CUDA build of torch, which is gigabytes, unless a CPU
wheel is within its reach (`PIP_FIND_LINKS`).
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
PEERS = ("smartnoise", "dpmm", "anonymeter")


def prepare(peer: str, folder: Path, python: str) -> None:
    """Creates or updates the environment of one peer."""
    environment = folder / peer
    if not interpreter(folder, peer).exists():
        subprocess.run([python, "-m", "venv", str(environment)], check=True)
    install = ["-m", "pip", "install", "--quiet", "-r", str(HERE / f"{peer}.txt")]
    subprocess.run([str(interpreter(folder, peer)), *install], check=True)
    print(f"{peer}: {environment}")


def interpreter(folder: Path, peer: str) -> Path:
    """The Python of a peer's environment."""
    return folder / peer / "bin" / "python"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peers", nargs="+", default=PEERS, choices=PEERS)
    parser.add_argument("--python", default="python3.11", help="the interpreter that the environments are made from")
    options = parser.parse_args()
    for peer in options.peers:
        prepare(peer, options.folder.resolve(), options.python)


if __name__ == "__main__":
    main()
