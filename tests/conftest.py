"""Settings shared by all tests."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads that wait for a busy core spin, and spinning is CPU time

from hypothesis import settings

settings.register_profile("dpsynth", deadline=None, print_blob=True, derandomize="CI" in os.environ)
settings.load_profile("dpsynth")
