"""Settings shared by all tests."""

import os

from hypothesis import settings

settings.register_profile("dpsynth", deadline=None, print_blob=True, derandomize="CI" in os.environ)
settings.load_profile("dpsynth")
