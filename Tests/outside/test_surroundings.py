"""Surroundings that nobody wishes for: closed standard streams, other owners, foreign files, names that look like options."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time

import pytest
from daemon import BINARY, REPOSITORY, Daemon, environment, path_of

CONTROL = BINARY.with_name("sessionctl")
NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody else")


def control(*arguments: str, user: int | None = None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(CONTROL), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(),
        user=user,
        cwd="/",
    )


@pytest.fixture
def stopped(new_daemon) -> Daemon:
    """A daemon that has some data and doesn't run."""
    daemon = new_daemon().start()
    for number in range(5):
        assert daemon.request("PUT", path_of(f"s{number}", query="upsert=true"), {"siteCode": "main"}).status == 204
    assert daemon.terminate() == 0
    return daemon


def test_closed_standard_streams_take_nothing_from_the_data(tmp_path):
    """What is said with standard error closed must not go into the file that was opened in its place."""
    (tmp_path / "sessiond.json5").write_text("{accessLog: true}")
    address = f"unix:{tmp_path}/s.sock"
    command = f'exec "$0" --config sessiond.json5 --listen "{address}" --data-dir data --auth none <&- >&- 2>&-'
    process = subprocess.Popen(["/bin/sh", "-c", command, BINARY], cwd=tmp_path, env=environment())
    try:
        daemon = Daemon(tmp_path)
        daemon.addresses = [address]
        for _ in range(1000):
            if (tmp_path / "s.sock").exists():
                break
            assert process.poll() is None
            os.sched_yield()
            subprocess.run(["sleep", "0.01"], check=True)
        for number in range(300):
            assert daemon.request("PUT", path_of(f"s{number}", query="upsert=true"), {"siteCode": "main"}).status == 204
    finally:
        process.terminate()
        assert process.wait(20) == 0
    assert b"replaceContext" not in (tmp_path / "data/log/data.mdb").read_bytes()
    proof = control("--data-dir", tmp_path / "data", "verify")
    assert proof.returncode == 0 and "300 events" in proof.stdout, proof


def own_all(data, user: int):
    for folder, _, files in os.walk(data):
        for path in (folder, *(f"{folder}/{file}" for file in files)):
            os.chown(path, user, user)


def owners(data) -> set[int]:
    paths = [data, *data.rglob("*")]
    return {number for path in paths for number in (path.lstat().st_uid, path.lstat().st_gid)}


@needs_root
@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("verify",),
        ("rebuild",),
        ("erase", "acme", "--session", "s1"),
        ("tenant", "remove", "acme", "--confirm", "acme"),
    ],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize("is_whole", [True, False])
def test_what_root_makes_in_the_daemons_folder_is_the_daemons(stopped, words, is_whole):
    own_all(stopped.data, NOBODY)
    for lock in stopped.data.rglob("lock.mdb"):
        lock.unlink()
    if not is_whole:
        shutil.rmtree(stopped.data / "projections")
    done = control("--data-dir", stopped.data, *words)
    assert done.returncode == 0, done
    assert (stopped.data / "log/lock.mdb").exists()
    assert owners(stopped.data) == {NOBODY}


@needs_root
def test_what_root_archives_in_somebodys_folder_is_theirs(stopped, tmp_path):
    own_all(stopped.data, NOBODY)
    archive = tmp_path / "archive"
    archive.mkdir()
    os.chown(archive, NOBODY, NOBODY)
    done = control("--data-dir", stopped.data, "archive", archive)
    assert done.returncode == 0, done
    assert any(archive.rglob("*.ndjson.gz"))
    assert owners(archive) == {NOBODY}


@needs_root
def test_what_a_killed_rebuild_by_root_leaves_is_the_daemons(stopped):
    own_all(stopped.data, NOBODY)
    for _ in range(10):
        command = [CONTROL, "--data-dir", stopped.data, "rebuild"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
        while process.poll() is None and not any(stopped.data.glob("projections.new*/lock.mdb")):
            pass
        time.sleep(0.002)
        process.kill()
        process.wait()
        # What is in them may go with them, whoever it belongs to.
        assert {path.stat().st_uid for path in stopped.data.rglob("*") if path.is_dir()} == {NOBODY}
    stopped.start()
    assert not any(stopped.data.glob("projections.new*"))


@needs_root
def test_root_follows_no_links_in_the_daemons_folder(stopped, tmp_path):
    own_all(stopped.data, NOBODY)
    secret, victim = tmp_path / "secret", tmp_path / "victim"
    secret.write_text("keep")
    victim.mkdir()
    (victim / "data.mdb").write_text("keep")
    (stopped.data / "innocent").symlink_to(secret)
    (stopped.data / "log/innocent").symlink_to(secret)
    assert control("--data-dir", stopped.data, "erase", "acme", "--session", "s1").returncode == 0
    assert secret.stat().st_uid == 0
    (stopped.data / "projections.new").symlink_to(victim)
    assert control("--data-dir", stopped.data, "rebuild").returncode == 3
    assert (victim / "data.mdb").read_text() == "keep"


@needs_root
def test_a_directory_that_one_may_not_look_into_is_told_as_that(stopped):
    os.chmod(stopped.directory.parent, 0o755)
    done = control("--data-dir", stopped.data, "status", user=NOBODY)
    assert done.returncode == 3, done
    assert "Permission denied" in done.stderr and "no store" not in done.stderr


def test_folders_whose_names_look_like_options_are_folders(stopped):
    data = stopped.directory / "--data"
    stopped.data.rename(data)
    done = subprocess.run(
        [CONTROL, "--data-dir=--data", "backup", "--", "--copy"],
        cwd=stopped.directory,
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert done.returncode == 0, done
    done = subprocess.run(
        [CONTROL, "--data-dir=--data", "rebuild"], cwd=stopped.directory, capture_output=True, text=True, env=environment()
    )
    assert done.returncode == 0, done


def test_a_backup_takes_over_no_folder_of_somebody_else(stopped, tmp_path):
    partial = tmp_path / "copy.partial"
    partial.mkdir()
    (partial / "precious").write_text("keep")
    done = control("--data-dir", stopped.data, "backup", tmp_path / "copy")
    assert done.returncode == 3 and "precious" in done.stderr, done
    assert [path.name for path in partial.iterdir()] == ["precious"]
    shutil.rmtree(partial)
    assert control("--data-dir", stopped.data, "backup", "").returncode == 3
    assert control("--data-dir", stopped.data, "backup", tmp_path / "copy").returncode == 0


def test_events_stand_on_one_line_each_however_their_values_were_sent(new_daemon):
    daemon = new_daemon().start()
    body = b'{"context":{"a":{\r\n"x": 1,\n\n"y": [\n2]}}}'
    assert daemon.request("PUT", path_of("nl", query="upsert=true"), body=body).status == 204
    done = control("--data-dir", daemon.data, "replay", "--json")
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["data"] == {"context": {"a": {"x": 1, "y": [2]}}}


def test_an_access_log_line_cannot_be_forged(new_daemon):
    daemon = new_daemon(config={"accessLog": True}).start()
    forged = 'a status=500 tenant=evil"\u2028\u009b31m'
    assert daemon.request("PUT", path_of(forged, query="upsert=true"), {}).status == 204
    assert daemon.terminate() == 0
    (line,) = [line for line in daemon.stderr.splitlines() if "PUT" in line]
    assert r'session="a status=500 tenant=evil\"\u{2028}\u{9b}31m"' in line
    assert line.count(" tenant=acme") == 1


ISSUER = {"issuer": "https://id.example", "audiences": ["a"], "tenants": ["acme"]}


@pytest.mark.parametrize(
    "config, status, text",
    [
        ({"issuers": [ISSUER | {"keyFile": "credential:keys_shop.json"}]}, 0, ""),
        ({"issuers": [ISSUER | {"keyFile": "/nowhere/keys.json"}]}, 2, "/nowhere/keys.json"),
        ({"issuers": [ISSUER | {"keyFile": "k", "tenants": ["*", "acme"]}]}, 2, "issuers[0].tenants: has * beside others"),
        ({"issuers": [ISSUER | {"keyFile": "k", "audiences": []}]}, 2, "issuers[0].audiences: is empty"),
        ({"listen": ["127.0.0.1:8080", "127.0.0.1:08080"]}, 2, "listen: 127.0.0.1:8080 is given twice"),
        ({"listen": ["unix:/a"], "adminListen": ["unix:/a"]}, 2, "adminListen: unix:/a is given twice"),
        ({"corsOrigins": ["nonsense"]}, 2, "corsOrigins: nonsense is no origin"),
        ({"corsOrigins": ["https://shop.example/"]}, 2, "corsOrigins: https://shop.example/ is no origin"),
        ({"corsOrigins": ["https://shop.example:8443", "http://[::1]:3000"]}, 0, ""),
    ],
)
def test_what_is_checked_is_what_a_start_would_say(tmp_path, config, status, text):
    path = tmp_path / "sessiond.json5"
    path.write_text(json.dumps(config))
    command = [BINARY, "--check-config", "--config", path, "--data-dir", tmp_path / "data"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, env=environment())
    assert done.returncode == status and text in done.stderr, done
    if status:
        command.remove("--check-config")
        start = subprocess.run(command, capture_output=True, text=True, timeout=20, env=environment())
        assert start.returncode == 2 and text in start.stderr, start


@pytest.mark.parametrize("keep, status", [("00", 2), ("08", 2), ("0", 2), ("", 0), ("x", 2), ("2", 0)])
def test_backups_are_kept_by_a_number_from_one_on(tmp_path, keep, status):
    backups = tmp_path / "backups"
    backups.mkdir()
    for day in range(1, 4):
        (backups / f"2026010{day}T020000Z").mkdir()
    script = (REPOSITORY / "systemd/backup").read_text().replace("/usr/bin/sessionctl", "true")
    variables = environment(STATE_DIRECTORY=f"{tmp_path}/data:{backups}")
    if keep:
        variables["KEEP"] = keep
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, env=variables)
    assert done.returncode == status, done
    assert len(list(backups.iterdir())) == (2 if keep == "2" else 3)


def test_backups_with_names_of_a_time_to_come_push_none_out(tmp_path):
    backups = tmp_path / "backups"
    ahead = [f"2099010{day}T020000Z" for day in range(1, 4)]
    for name in [*ahead, "20260101T020000Z", "20260102T020000Z", "mine.partial", "20260101T010000Z.partial"]:
        (backups / name).mkdir(parents=True)
    script = (REPOSITORY / "systemd/backup").read_text().replace("/usr/bin/sessionctl", "made() { mkdir \"$4\"; }; made")
    variables = environment(STATE_DIRECTORY=f"{tmp_path}/data:{backups}", KEEP="2")
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, env=variables)
    assert done.returncode == 0, done
    left = {entry.name for entry in backups.iterdir()}
    assert {*ahead, "20260102T020000Z", "mine.partial"} < left and len(left) == 6, left
    assert done.stdout.count("a time to come") == 3


def test_bash_completes_behind_an_equals_sign():
    def completed(*words: str) -> str:
        script = f'. "{REPOSITORY}/config/completions/sessionctl.bash"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
        script += '_sessionctl; printf "%s " "${COMPREPLY[@]}"'
        done = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert completed("sessionctl", "replay", "--format", "=") == "table ndjson csv"
    assert completed("sessionctl", "replay", "--format", "=", "n") == "ndjson"
    assert "verify" in completed("sessionctl", "--data-dir", "=", "/x", "").split()


@pytest.mark.parametrize("kind", ["a link", "a mount"])
@pytest.mark.parametrize("name", ["log", "projections"])
def test_a_part_of_the_data_directory_elsewhere_is_refused(stopped, tmp_path, kind, name):
    part, other = stopped.data / name, tmp_path / "other"
    part.rename(other)
    if kind == "a link":
        part.symlink_to(other)
    else:
        part.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(part)]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
            pytest.skip("nothing can be mounted here")
        for file in other.iterdir():
            shutil.copy(file, part)
    try:
        command = [BINARY, "--data-dir", stopped.data, "--listen", "127.0.0.1:0", "--auth", "none"]
        start = subprocess.run(command, capture_output=True, text=True, timeout=20, env=environment())
        assert start.returncode == 3 and f"{name} is a link or a mount" in start.stderr, start
        for words in (["rebuild"], ["erase", "acme", "--session", "s1"]):
            done = control("--data-dir", stopped.data, *words)
            assert done.returncode == 3 and f"{name} is a link or a mount" in done.stderr, done
    finally:
        if kind == "a mount":
            subprocess.run(["umount", "--lazy", str(part)], check=True)
    # As a whole the data directory may be one.
    if kind == "a link":
        part.unlink()
        other.rename(part)
        stopped.data.rename(other)
        stopped.data.symlink_to(other)
        assert stopped.start().request("GET", path_of("s1")).status == 200


def test_no_file_in_the_data_directory_can_be_removed_to_have_two_writers(new_daemon):
    daemon = new_daemon().start()
    assert daemon.request("PUT", path_of("s1", query="upsert=true"), {"siteCode": "main"}).status == 204
    for file in daemon.data.iterdir():
        if file.is_file():
            file.unlink()
    for words in (["erase", "acme", "--session", "s1"], ["rebuild"], ["tenant", "remove", "acme", "--confirm", "acme"]):
        done = control("--data-dir", daemon.data, *words)
        assert done.returncode == 3 and "another sessiond" in done.stderr, done
    command = [BINARY, "--data-dir", daemon.data, "--listen", "127.0.0.1:0", "--auth", "none"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=20, env=environment())
    assert second.returncode == 3 and "another sessiond" in second.stderr, second
    assert daemon.request("GET", path_of("s1")).status == 200


@pytest.mark.parametrize("words", [("verify",), ("verify", "--json"), ("status",)])
def test_a_finding_is_told_by_the_status_also_where_nobody_reads(stopped, words):
    projections = stopped.data / "projections/data.mdb"
    projections.write_bytes(b"x" * projections.stat().st_size)
    read, write = os.pipe()
    os.close(read)
    command = [CONTROL, "--data-dir", stopped.data, *words]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, timeout=60, env=environment())
    os.close(write)
    assert done.returncode == 1, done


def test_what_could_not_be_looked_at_is_no_finding(stopped):
    """For want of descriptors or of address space, of which the log's map takes a TiB and the projections' another."""
    statuses = []
    for limit in [f"--nofile={count}:{count}" for count in range(4, 12)] + ["--as=1500000000000"]:
        command = ["prlimit", limit, CONTROL, "--data-dir", stopped.data, "verify"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment())
        statuses.append(done.returncode)
        if done.returncode != 0:
            assert done.returncode == 3 and "finding" not in done.stdout, done
    assert statuses[-1] == 3 and statuses[0] == 3 and 0 in statuses, statuses


def test_an_erasure_that_is_committed_is_told_where_it_can_not_be_flushed(stopped, tmp_path):
    """The projections' file can't grow any more, the log's can."""
    library = tmp_path / "full.so"
    source = tmp_path / "full.c"
    source.write_text(
        """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <errno.h>
        #include <stdio.h>
        #include <string.h>
        #include <unistd.h>
        int fdatasync(int file) {
          char link[64], path[4096];
          snprintf(link, sizeof link, "/proc/self/fd/%d", file);
          ssize_t length = readlink(link, path, sizeof path - 1);
          if (length > 0) { path[length] = 0; if (strstr(path, "/projections/")) { errno = ENOSPC; return -1; } }
          int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
          return real(file);
        }
        """
    )
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    command = [CONTROL, "--data-dir", stopped.data, "erase", "acme", "--session", "s1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(LD_PRELOAD=str(library)), timeout=60)
    assert done.returncode == 0 and "folds in" in done.stderr, done
    assert [session["sessionId"] for session in json.loads(done.stdout)["sessions"]] == ["s1"]
    assert stopped.start().request("GET", path_of("s1")).status == 404
    assert control("--data-dir", stopped.data, "verify").returncode == 0
