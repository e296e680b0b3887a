from __future__ import annotations

import itertools
import os
import random

import pytest
from daemon import BINARY, Daemon
from hypothesis import settings

SEED = int(os.environ.get("TEST_SEED", random.SystemRandom().randrange(1 << 32)))
EXAMPLES = int(os.environ.get("TEST_EXAMPLES", 60))

settings.register_profile("outside", max_examples=EXAMPLES, deadline=None, database=None, print_blob=False)
settings.load_profile("outside")


def pytest_report_header():
    return [
        f"sessiond: {BINARY}",
        f"seed: {SEED} (TEST_SEED), examples: {EXAMPLES} (TEST_EXAMPLES)",
    ]


@pytest.fixture(scope="session", autouse=True)
def binary_is_there():
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is missing: build it, or name it in SESSIOND_BIN", returncode=2)


@pytest.fixture(scope="session")
def daemon(tmp_path_factory):
    """One daemon with the default configuration for all tests that don't change how it runs."""
    daemon = Daemon(tmp_path_factory.mktemp("shared")).start()
    yield daemon
    status = daemon.terminate()
    assert status == 0, f"it ended with status {status}\n{daemon.stderr}"


@pytest.fixture
def new_daemon(tmp_path):
    """Makes daemons of this test's own, not started yet; the ones that still run are killed in the end."""
    made: list[Daemon] = []

    def make(**options) -> Daemon:
        directory = tmp_path / str(len(made))
        directory.mkdir()
        made.append(Daemon(directory, **options))
        return made[-1]

    yield make
    for daemon in made:
        daemon.kill()


_numbers = itertools.count(1)


@pytest.fixture
def session() -> str:
    """A session id that no other test uses."""
    return f"session-{next(_numbers)}"
