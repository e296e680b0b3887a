"""Archives of a real daemon's log: written beside it, proved without it, damaged in every way; and tenants that leave."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from conftest import SEED
from control import CONTROL, FLIPS, KILLS, TENANTS, all_events, control, duration, feed, findings, kill_at_once
from daemon import Daemon, environment, path_of
from wire import Wire, request_bytes


@pytest.fixture(scope="module", autouse=True)
def control_is_there():
    if not CONTROL.exists():
        pytest.exit(f"{CONTROL} is missing: build it, or name it in SESSIONCTL_BIN", returncode=2)


def proof(archive: Path, *arguments: str, data: Path | None = None) -> dict:
    """What verify --archive says; compared with the log when there are data."""
    command = [CONTROL, *(("--data-dir", data) if data else ()), "verify", "--archive", archive, "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=120, check=False)
    assert done.returncode in (0, 1), done
    report = json.loads(done.stdout)
    assert done.returncode == (1 if report["findings"] else 0) and report["logCompared"] == (data is not None), done
    return report


def segments(archive: Path, tenant: str = "acme") -> list[Path]:
    return sorted((archive / tenant).glob("*.ndjson.gz"))


def lines(archive: Path, tenant: str = "acme") -> list[dict]:
    return [json.loads(line) for path in segments(archive, tenant) for line in gzip.open(path, "rt", encoding="utf-8")]


def chain_of(archive: Path, tenant: str = "acme") -> str:
    """The chain at the end of an archive, computed by the manual alone; asserts that all before it holds."""
    chain = bytes(32)
    for number, line in enumerate(lines(archive, tenant), 1):
        frame = base64.b64decode(line["frame"], validate=True)
        end = 46 + frame[44] + frame[45]
        digest, stored, secret = frame[end : end + 32], frame[end + 32 : end + 64], frame[end + 64 :]
        assert frame[46 : 46 + frame[44]].decode() == tenant
        assert int.from_bytes(frame[20:28], "little") == line["position"] == line["event"]["position"] == number
        assert not secret or hashlib.sha256(secret).digest() == digest
        chain = hashlib.sha256(chain + frame[8:end] + digest).digest()
        assert chain == stored, number
    return chain.hex()


@pytest.fixture(scope="module")
def archived(tmp_path_factory):
    """A running daemon, and its archive, written in three runs. Copy the archive before changing it."""
    folder = tmp_path_factory.mktemp("archived")
    daemon = Daemon(folder).start()
    for number in range(3):
        feed(daemon, 80, SEED + number)
        control(daemon.data, "archive", str(folder / "archive"))
    yield daemon, folder / "archive"
    assert daemon.terminate() == 0


@pytest.fixture
def copied(archived, tmp_path) -> Path:
    return Path(shutil.copytree(archived[1], tmp_path / "copied"))


# What is written


def test_an_archive_holds_what_the_api_tells_and_proves_itself(archived):
    """Each event of the API is in it, in order; anybody can prove it by the manual; the chain is the log's."""
    daemon, archive = archived
    report = proof(archive, data=daemon.data)
    assert report["findings"] == [] and report["segments"] == 6
    chains = control(daemon.data, "verify", "--json").json()["chains"]
    assert report["chains"] == chains
    for tenant in TENANTS:
        assert [line["event"] for line in lines(archive, tenant)] == all_events(daemon, tenant)
        assert chain_of(archive, tenant) == chains[tenant]["chain"]
    assert proof(archive)["findings"] == []
    assert proof(archive, "--tenant", "beta")["chains"].keys() == {"beta"}
    control(daemon.data, "verify", "--archive", str(archive), "--tenant", "unheard", expect=3)
    control(daemon.data, "verify", "--archive", str(archive / "nothing"), expect=3)


def test_what_was_erased_has_neither_payload_nor_salt(new_daemon, tmp_path):
    """With the salt, a payload could be guessed from its digest. The chain holds without both."""
    daemon, archive = new_daemon().start(), tmp_path / "archive"
    for session in ("s1", "s2"):
        daemon.request("PUT", path_of(session, query="upsert=true"), {"currency": "EUR"})
    assert daemon.request("POST", "/session-context/acme/erasures", {"sessionId": "s1"}).status == 200
    control(daemon.data, "archive", str(archive))
    chain_of(archive)
    frames = [base64.b64decode(line["frame"]) for line in lines(archive)]
    # Behind the header, 32 bytes of digest and 32 of chain.
    secrets = [frame[46 + frame[44] + frame[45] + 64 :] for frame in frames]
    assert [bool(secret) for secret in secrets] == [False, True, True]


def test_runs_go_on_where_they_ended(new_daemon, tmp_path):
    """New segments only: what was written stays byte for byte, while the daemon goes on writing."""
    daemon, archive = new_daemon().start(), tmp_path / "archive"
    kept: dict[Path, bytes] = {}
    for number in range(4):
        feed(daemon, 30, number)
        answer = control(daemon.data, "archive", str(archive), "--json").json()
        assert set(answer["tenants"]) == set(TENANTS)
        new = {path: path.read_bytes() for tenant in TENANTS for path in segments(archive, tenant)}
        assert kept.items() <= new.items() and len(new) == len(kept) + 2
        kept = new
        assert proof(archive, data=daemon.data)["findings"] == []
    again = control(daemon.data, "archive", str(archive), "--json").json()
    assert all(tenant["from"] is None and tenant["segments"] == 0 for tenant in again["tenants"].values())
    assert "nothing new behind position" in control(daemon.data, "archive", str(archive)).out
    one = control(daemon.data, "archive", str(tmp_path / "one"), "--tenant", "beta", "--json").json()
    assert set(one["tenants"]) == {"beta"} and len(segments(tmp_path / "one", "beta")) == 1
    control(daemon.data, "archive", str(tmp_path / "none"), "--tenant", "unheard", expect=1)
    # The archive of a store isn't gone on with from another one.
    other = new_daemon().start()
    feed(other, 10, 1)
    assert "is of the store" in control(other.data, "archive", str(archive), "--tenant", "acme", expect=3).err
    found = proof(archive, data=other.data)["findings"]
    assert {finding["tenant"] for finding in found} == set(TENANTS)
    assert all("is of the store" in finding["problem"] for finding in found)


def test_archives_under_load_are_whole(new_daemon, tmp_path):
    daemon, archive = new_daemon().start(), tmp_path / "archive"
    feed(daemon, 10, SEED)
    is_done = threading.Event()

    def write():
        number = 0
        while not is_done.is_set():
            number += 1
            daemon.request("PUT", path_of(f"load-{number}", query="upsert=true"), {"currency": "EUR"})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(6):
            control(daemon.data, "archive", str(archive))
            assert proof(archive, data=daemon.data)["findings"] == []
    finally:
        is_done.set()
        writer.join()
    assert len(segments(archive)) > 1


# Damage


def test_every_flipped_bit_is_found(archived, copied):
    """A single bit of any file: verify says so and names the segment; the position when a line is readable."""
    draw = random.Random(SEED)
    files = [path for tenant in TENANTS for path in [*segments(copied, tenant), copied / tenant / "manifest"]]
    for number in range(FLIPS):
        path = draw.choice(files)
        content = bytearray(path.read_bytes())
        place, bit = draw.randrange(len(content)), draw.randrange(8)
        content[place] ^= 1 << bit
        original = path.read_bytes()
        path.write_bytes(content)
        found = proof(copied)["findings"]
        case = f"flip {number}, seed {SEED}: bit {bit} of byte {place} of {path}: {found}"
        assert found and {finding["tenant"] for finding in found} == {path.parent.name}, case
        if path.suffix == ".gz":
            assert {finding["segment"] for finding in found} == {path.name}, case
        path.write_bytes(original)
    assert proof(copied)["findings"] == []


def test_damaged_lines_are_named_by_their_positions(copied):
    """A flipped bit within a line, compressed again: the position is named, however the rest of the file is."""
    draw = random.Random(SEED)
    for _ in range(30):
        path = draw.choice(segments(copied))
        original = path.read_bytes()
        text = gzip.decompress(original).splitlines(keepends=True)
        number = draw.randrange(len(text))
        line = bytearray(text[number])
        line[draw.randrange(len(line) - 1)] ^= 1
        text[number] = bytes(line)
        path.write_bytes(gzip.compress(b"".join(text)))
        first = int(path.name.split("-")[0])
        found = proof(copied)["findings"]
        assert (path.name, first + number) in [(one["segment"], one["position"]) for one in found], found
        path.write_bytes(original)


def test_missing_cut_and_foreign_segments_are_found(archived, copied):
    daemon, archive = archived
    first, middle, last = segments(copied)

    def found() -> list[tuple]:
        problems = proof(copied)["findings"]
        return [(one["tenant"], one["segment"], one["position"], one["problem"]) for one in problems]

    def restore(path: Path):
        shutil.copy(archive / path.parent.name / path.name, path)

    for path in (first, middle, last):
        path.unlink()
        assert found() == [("acme", path.name, int(path.name.split("-")[0]), "the segment is missing")]
        restore(path)
    whole = middle.read_bytes()
    for count in random.Random(SEED).sample(range(len(whole)), 20):
        middle.write_bytes(whole[:count])
        (one,) = found()
        assert one[:2] == ("acme", middle.name) and "cut short" in one[3], one
    middle.write_bytes(whole + b"\n")
    assert "something follows the compressed data" in found()[0][3]
    shutil.copy(segments(copied, "beta")[1], middle)
    assert "the record is one of tenant beta" in found()[0][3]
    restore(middle)
    shutil.copy(middle, copied / "acme" / "00000000000000009000-00000000000000009001.ndjson.gz")
    assert [one[1:3] for one in found()] == [("00000000000000009000-00000000000000009001.ndjson.gz", None)]
    (copied / "acme" / "00000000000000009000-00000000000000009001.ndjson.gz").unlink()
    (copied / "acme/manifest").write_text("")
    assert found() == [("acme", None, None, "the manifest is damaged; the segments are proved without it")]
    control(daemon.data, "archive", str(copied), "--tenant", "acme", expect=1)
    restore(copied / "acme/manifest")
    assert found() == []


def test_killed_archive_runs_are_gone_on_with(new_daemon, tmp_path):
    """SIGKILL at any time: what the manifest names is whole, and the next run completes the archive."""
    daemon, archive = new_daemon().start(), tmp_path / "archive"
    feed(daemon, 300, SEED)
    draw = random.Random(SEED)
    took = duration(daemon.data, "archive", str(tmp_path / "other"))
    ended = []
    for number in range(KILLS):
        feed(daemon, 5, SEED + 1 + number)
        ended.append(kill_at_once(daemon.data, "archive", str(archive), seconds=draw.uniform(0, 1.1 * took)))
        if list(archive.glob("*/manifest")):
            found = proof(archive, data=daemon.data)["findings"]
            assert all("the next one removes it" in one["problem"] or "is missing" in one["problem"] for one in found)
    control(daemon.data, "archive", str(archive))
    report = proof(archive, data=daemon.data)
    assert report["findings"] == []
    assert report["chains"] == control(daemon.data, "verify", "--json").json()["chains"]
    assert not all(ended)


# Tenants


def test_tenants_are_listed_with_their_sizes(archived):
    daemon, archive = archived
    listed = control(daemon.data, "tenant", "list", "--json").json()["tenants"]
    assert listed.keys() == set(TENANTS)
    for tenant, size in listed.items():
        events = all_events(daemon, tenant)
        assert size["events"] == len(events)
        assert size["sessions"] == len({event["subject"] for event in events})
        assert size["bytes"] == sum(len(base64.b64decode(line["frame"])) for line in lines(archive, tenant))
    table = [line.split() for line in control(daemon.data, "tenant", "list").out.splitlines()]
    assert table[0] == ["TENANT", "EVENTS", "SESSIONS", "BYTES"]
    assert table[1:] == [[name, *(str(number) for number in size.values())] for name, size in listed.items()]


def test_a_tenant_leaves(new_daemon, tmp_path):
    """Export, remove: the export proves itself, nothing of the tenant is left, the others are as they were."""
    daemon = new_daemon().start()
    feed(daemon, 200, SEED)
    daemon.request("PUT", path_of("c", query="upsert=true"), {"customerId": "c1", "currency": "EUR"})
    events = all_events(daemon, "acme")
    exported = control(daemon.data, "tenant", "export", "acme", str(tmp_path / "export"), "--json").json()
    chains = control(daemon.data, "verify", "--json").json()["chains"]
    assert exported["events"] == len(events) and exported["chain"] == chains["acme"]["chain"]
    assert chain_of(tmp_path / "export") == chains["acme"]["chain"]
    control(daemon.data, "tenant", "export", "unheard", str(tmp_path / "none"), expect=1)
    # Not beside a daemon, not without the name, not with another one.
    assert "stop it" in control(daemon.data, "tenant", "remove", "acme", "--confirm", "acme", expect=3).err
    daemon.signal(signal.SIGKILL)
    control(daemon.data, "tenant", "remove", "acme", expect=2)
    control(daemon.data, "tenant", "remove", "acme", "--confirm", "beta", expect=2)
    assert control(daemon.data, "verify", "--json").json()["chains"] == chains
    removed = control(daemon.data, "tenant", "remove", "acme", "--confirm", "acme", "--json").json()
    assert removed == {"tenant": "acme", "events": len(events)}
    assert "there is no tenant acme" in control(daemon.data, "tenant", "remove", "acme", "--confirm", "acme", expect=1).err
    report = control(daemon.data, "verify", "--json").json()
    assert report["findings"] == [] and report["chains"] == {"beta": chains["beta"]}
    assert control(daemon.data, "tenant", "list", "--json").json()["tenants"].keys() == {"beta"}
    assert proof(tmp_path / "export")["findings"] == []
    assert proof(tmp_path / "export", data=daemon.data)["findings"]
    # A compact copy holds no byte of it.
    control(daemon.data, "backup", str(tmp_path / "backup"))
    control(tmp_path / "anew", "restore", str(tmp_path / "backup"))
    for path in [*(tmp_path / "anew").glob("*/data.mdb"), tmp_path / "backup/log/data.mdb"]:
        assert b"acme\0" not in path.read_bytes()
    # The name can be used anew.
    daemon.start()
    assert "anew" not in daemon.stderr
    assert daemon.request("GET", path_of(events[0]["subject"])).status == 404
    assert daemon.request("PUT", path_of("new", query="upsert=true"), {"currency": "CHF"}).status == 204
    assert [event["position"] for event in all_events(daemon, "acme")] == [1]
    assert findings(daemon.data) == []
    # What was archived of the old log isn't gone on with.
    assert "is of another log" in control(daemon.data, "archive", str(tmp_path / "export"), expect=3).err


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    """The data of a daemon with a log that takes several transactions to remove. Copy it before changing it."""
    daemon = Daemon(tmp_path_factory.mktemp("large")).start()
    feed(daemon, 50, SEED)

    def fill(number: int):
        with Wire(daemon.address, 60) as wire:
            for count in range(1500):
                body = json.dumps({"currency": "EUR", "cartId": f"{number} {count}"}).encode()
                path = path_of(f"{number}-{count % 300}-{count}", query="upsert=true")
                answer = wire.exchange(request_bytes("PUT", path, {"Content-Type": "application/json"}, body), "PUT")
                assert answer.status == 204, answer

    threads = [threading.Thread(target=fill, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert daemon.terminate() == 0
    return daemon.data


def test_killed_removals_are_undone_or_completed(large, new_daemon, tmp_path):
    """SIGKILL at any time: the tenant is there, whole; or the next start, or the next run, completes the removal."""
    draw = random.Random(SEED)
    words = ("tenant", "remove", "acme", "--confirm", "acme")
    chains = control(large, "verify", "--json").json()["chains"]
    left = {"beta": chains["beta"]}
    assert chains["acme"]["position"] > 10_000
    shutil.copytree(large, tmp_path / "timed")
    took = duration(tmp_path / "timed", *words)
    seen = []
    for number in range(KILLS):
        daemon = new_daemon()
        shutil.copytree(large, daemon.data)
        kill_at_once(daemon.data, *words, seconds=draw.uniform(0, 1.1 * took))
        # Of a whole log, damage is no part.
        run = control(daemon.data, "verify", "--json", expect=None).json()
        is_interrupted = any("was interrupted" in finding["problem"] for finding in run["findings"])
        seen.append("interrupted" if is_interrupted else "removed" if "acme" not in run["chains"] else "there")
        if is_interrupted:
            assert {finding["tenant"] for finding in run["findings"]} == {"acme"}
            assert "was interrupted" in control(daemon.data, "rebuild", expect=3).err
            if number % 2:
                daemon.start()
                assert "the removal of tenant acme was interrupted and is completed now" in daemon.stderr
                assert "anew" not in daemon.stderr
                assert daemon.request("GET", path_of("0-0-0")).status == 404
            else:
                control(daemon.data, *words)
        else:
            assert run["findings"] == []
            if seen[-1] == "there":
                assert run["chains"] == chains
                control(daemon.data, *words)
        report = control(daemon.data, "verify", "--json").json()
        assert report["findings"] == [] and report["chains"] == left
        assert control(daemon.data, "tenant", "list", "--json").json()["tenants"].keys() == {"beta"}
        if daemon.process is None:
            daemon.start()
        assert daemon.request("PUT", path_of("0-0-0", query="upsert=true"), {"currency": "EUR"}).status == 204
        assert [event["position"] for event in all_events(daemon, "acme")] == [1]
        assert findings(daemon.data) == []
        daemon.kill()
        shutil.rmtree(daemon.data)
    assert os.environ.get("TEST_KILLS") or "interrupted" in seen, seen
