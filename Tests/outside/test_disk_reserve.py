"""A disk that is nearly full: changes are refused in time, reads go on, and room ends it."""

from __future__ import annotations

import errno
import os
import subprocess
import time

import pytest
from control import control
from daemon import StartFailed, own_path_of, path_of

MEBIBYTE = 1 << 20


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(disk)], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_changes_are_refused_before_the_disk_is_full_and_taken_again_when_there_is_room(new_daemon, small_disk):
    # An owner's read is worth an event after a tenth of that.
    config = {"storage": {"diskReserveBytes": 8 * MEBIBYTE}, "anonymousTTLSeconds": 20}
    daemon = new_daemon(config=config)
    daemon.data = small_disk / "data"
    daemon.start()

    def put(session: str):
        return daemon.request("PUT", path_of(session, query="upsert=true"), {"siteCode": "main"})

    def await_status(expected: int):
        deadline = time.monotonic() + 10
        while (answer := put("probe")).status != expected:
            assert time.monotonic() < deadline, answer
            time.sleep(0.1)
        return answer

    assert put("before").status == 204
    begun = time.monotonic()
    filler = small_disk / "filler"
    filler.write_bytes(bytes(26 * MEBIBYTE))

    refused = await_status(507)
    assert refused.headers["retry-after"] == "1"
    assert daemon.request("GET", path_of("before")).status == 200
    time.sleep(max(0, begun + 2.2 - time.monotonic()))
    own = daemon.request("GET", own_path_of(), headers={"session-id": "before"})
    assert (own.status, own.json()["metadata"]["version"]) == (200, 1)
    ready = daemon.admin("/readyz")
    assert (ready.status, ready.body) == (503, b"the disk is nearly full\n")
    assert daemon.admin("/livez").status == 200
    assert b"\nsessiond_disk_nearly_full 1\n" in daemon.admin("/metrics").body
    assert "changes are refused" in daemon.stderr

    filler.unlink()
    await_status(204)
    assert daemon.admin("/readyz").status == 200
    assert "changes are taken again" in daemon.stderr
    assert daemon.terminate() == 0


def test_what_cannot_be_flushed_for_want_of_room_is_read_and_flushed_when_there_is_some(new_daemon, small_disk):
    config = {"storage": {"diskReserveBytes": 0, "flushIntervalMilliseconds": 1500}}
    daemon = new_daemon(config=config)
    daemon.data = small_disk / "data"
    daemon.start()

    def put(session: str):
        return daemon.request("PUT", path_of(session, query="upsert=true"), {"siteCode": "main"})

    def lag() -> float:
        lines = daemon.admin("/metrics").body.decode().splitlines()
        return float(next(line for line in lines if line.startswith("sessiond_projector_lag_seconds ")).split()[1])

    for number in range(200):
        assert put(f"s{number}").status == 204
    filler = small_disk / "filler"
    free = os.statvfs(small_disk)
    filler.write_bytes(bytes(free.f_bavail * free.f_frsize - MEBIBYTE))
    for _ in range(2):
        time.sleep(4)
        assert lag() > 2
        for number in range(200):
            assert daemon.request("GET", path_of(f"s{number}")).status == 200
        assert daemon.terminate() == 0
        daemon.start()
    filler.unlink()
    deadline = time.monotonic() + 20
    while lag() > 0:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert daemon.terminate() == 0


def fill(disk):
    """Leaves no room but for names."""
    with open(disk / "filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError as full:
            assert full.errno == errno.ENOSPC


def test_a_full_disk_is_told_where_a_memory_map_would_have_ended_the_process(new_daemon, small_disk):
    daemon = new_daemon(config={"storage": {"diskReserveBytes": 0}})
    daemon.data = small_disk / "data"
    daemon.start()
    assert daemon.request("PUT", path_of("before", query="upsert=true"), {"siteCode": "main"}).status == 204
    assert daemon.terminate() == 0
    # Whoever opens an environment first maps its lock file, which LMDB makes without asking the disk for room.
    for lock in daemon.data.rglob("lock.mdb"):
        lock.unlink()
    fill(small_disk)
    assert "No space left on device" in control(daemon.data, "verify", expect=3).err
    with pytest.raises(StartFailed) as failed:
        daemon.start()
    assert failed.value.status == 3 and "No space left on device" in str(failed.value), failed.value
    (small_disk / "filler").unlink()
    control(daemon.data, "verify")
    daemon.start()
    assert daemon.request("GET", path_of("before")).status == 200
    assert daemon.terminate() == 0


def test_what_cannot_be_flushed_ends_neither_answers_nor_the_daemon(new_daemon, small_disk):
    """Small events of large sessions: the log has room for more of them than the projections."""
    config = {
        "storage": {"diskReserveBytes": 0, "flushIntervalMilliseconds": 60_000},
        "limits": {"overlayBytes": 6 * MEBIBYTE},
        "timeouts": {"drainSeconds": 3},
    }
    daemon = new_daemon(config=config)
    daemon.data = small_disk / "data"
    daemon.start()
    large = {"context": {f"a{number}": "x" * 14_000 for number in range(4)}}
    for number in range(150):
        assert daemon.request("PUT", path_of(f"s{number}", query="upsert=true"), large).status == 204
    daemon.restart()
    free = os.statvfs(small_disk)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(free.f_bavail * free.f_frsize - 5 * MEBIBYTE))

    def touch(number: int):
        return daemon.request("POST", path_of(f"s{number}", "attributes"), {"key": "n", "value": number})

    statuses = [touch(number).status for number in range(150)]
    assert set(statuses) == {204, 507}, statuses
    answer = touch(149)
    assert (answer.status, answer.headers["retry-after"]) == (507, "1")
    assert daemon.request("GET", path_of("s0")).json()["context"]["n"] == 0
    assert daemon.admin("/readyz").status == 503
    assert "changes are refused" in daemon.stderr
    assert daemon.terminate() == 0
    filler.unlink()
    daemon.start()
    for number, status in enumerate(statuses):
        assert ("n" in daemon.request("GET", path_of(f"s{number}")).json()["context"]) == (status == 204)
    assert touch(0).status == 204
    assert daemon.terminate() == 0
