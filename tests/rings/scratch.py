"""Where tests of ledger files work: a disk in memory, where there is one, as a real one makes each charge wait."""

from __future__ import annotations

import os
from pathlib import Path

SCRATCH = "/dev/shm" if Path("/dev/shm").is_dir() and os.access("/dev/shm", os.W_OK) else None
"""For `tempfile`; None is its own default."""
