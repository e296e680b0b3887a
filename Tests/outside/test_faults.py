"""What the daemon does about calls that fail, threads it doesn't get, and damaged pages. The campaigns try many more."""

from __future__ import annotations

import signal

import pytest
from daemon import REPOSITORY, Daemon, StartFailed, path_of
from pages import PAGE, Pages
from preload import built


def fill(daemon: Daemon):
    for number in range(40):
        path = path_of(f"s{number}", query="upsert=true")
        assert daemon.request("PUT", path, {"siteCode": f"site-{number}", "currency": "EUR"}).status == 204


def expect_whole(daemon: Daemon):
    for number in range(40):
        assert daemon.request("GET", path_of(f"s{number}")).json()["siteCode"] == f"site-{number}"


@pytest.fixture
def filled(new_daemon) -> Daemon:
    """A daemon that was stopped after 40 sessions began."""
    daemon = new_daemon().start()
    fill(daemon)
    assert daemon.terminate() == 0
    return daemon


def failing(call: str, error: str, when: str, *files) -> tuple[str, ...]:
    """The command that has a call of what it runs fail."""
    paths = [word for file in files for word in ("-P", str(file))]
    inject = f"inject={call}:error={error}:when={when}"
    return ("strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject, *paths)


@pytest.mark.parametrize("name", ["log", "projections"])
def test_a_file_that_cannot_be_looked_for_is_not_a_missing_one(filled, name):
    """Whoever takes it for missing begins a new one over it."""
    filled.prefix = failing("newfstatat", "EIO", "1+", filled.data / name / "data.mdb")
    with pytest.raises(StartFailed) as failure:
        filled.start()
    assert failure.value.status == 3
    assert f"look for {filled.data}/{name}/data.mdb: Input/output error" in str(failure.value)
    filled.prefix = ()
    expect_whole(filled.start())


def test_a_folder_that_cannot_be_looked_at_is_named(filled):
    filled.prefix = failing("newfstatat", "EIO", "1+", filled.data / "projections")
    with pytest.raises(StartFailed) as failure:
        filled.start()
    assert failure.value.status == 3
    assert f"look for {filled.data}/projections: Input/output error" in str(failure.value)


@pytest.mark.parametrize("when", [1, 4])
def test_a_thread_that_it_does_not_get_is_named(filled, when):
    filled.prefix = failing("clone3", "EAGAIN", f"{when}+")
    with pytest.raises(StartFailed) as failure:
        filled.start()
    assert failure.value.status in (1, 3)
    assert "raise TasksMax" in str(failure.value)


@pytest.mark.parametrize("number", [1, 2, 3, 5])
def test_the_first_memory_that_it_does_not_get_is_named(new_daemon, tmp_path, number):
    library = built(REPOSITORY / "Tests/campaigns/allocator.c", tmp_path)
    variables = {"LD_PRELOAD": str(library), "ALLOCATOR_FROM": str(number), "ALLOCATOR_COUNT": "1000000"}
    with pytest.raises(StartFailed) as failure:
        new_daemon(variables=variables).start()
    assert failure.value.status
    assert "memory" in str(failure.value)


def test_a_damaged_page_of_the_log_keeps_it_from_starting(filled):
    pages = Pages(filled.data / "log/data.mdb")
    pages.flip(pages.main * PAGE + 10, 1)
    with pytest.raises(StartFailed) as failure:
        filled.start()
    assert failure.value.status == 3
    assert f"log/data.mdb: MDB_CORRUPTED: Located page was wrong type; the file is damaged, page {pages.main}: " in str(
        failure.value
    )
    pages.flip(pages.main * PAGE + 10, 1)
    expect_whole(filled.start())


def test_a_free_page_that_is_in_use_keeps_it_from_starting(filled):
    """It would be written over."""
    pages = Pages(filled.data / "log/data.mdb")
    used = next(page for page, kind in pages.used().items() if kind == "leaf")
    listed = pages.free_places()[-1]
    with pages.path.open("r+b") as file:
        file.seek(listed)
        file.write(used.to_bytes(8, "little"))
    with pytest.raises(StartFailed) as failure:
        filled.start()
    assert failure.value.status == 3
    assert "the file is damaged, page " in str(failure.value)


def test_damaged_pages_of_the_projections_are_built_anew(filled):
    pages = Pages(filled.data / "projections/data.mdb")
    pages.flip(pages.main * PAGE + 12, 2)
    expect_whole(filled.start())
    assert "are built anew from the log: LMDB could not use" in filled.stderr


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL])
def test_a_fault_is_explained(filled, number):
    filled.start()
    assert filled.signal(number) == -number
    assert f"<2>ended by {number.name}: want of memory may be why, or a damaged page of log/data.mdb" in filled.stderr
    expect_whole(filled.start())
