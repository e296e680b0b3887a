"""Runs in the booted container: installs the package and looks at the service through its life."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
import traceback
from pathlib import Path

DROP_IN = Path("/etc/systemd/system/sessiond.service.d")
CONFIG = Path("/etc/sessiond/sessiond.json5")
DATA = Path("/var/lib/private/sessiond")
BACKUPS = Path("/var/lib/private/sessiond-backup")


def run(*command: str, check: bool = True) -> str:
    result = subprocess.run(command, capture_output=True, text=True)
    if check and result.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: status {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout.strip()


def install(package: str):
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    run("apt-get", "install", "-y", f"/test/{package}.deb")


def show(name: str, unit: str = "sessiond.service") -> str:
    return run("systemctl", "show", "--value", "-p", name, unit)


def main_pid() -> int:
    return int(show("MainPID"))


def eventually(what: str, condition, seconds: float = 20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}\n{run('journalctl', '-u', 'sessiond', '-n', '40', '--no-pager')}"
        time.sleep(0.1)


class UNIXConnection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("/run/sessiond/sessiond.sock")


def request(method: str, path: str, body=None, headers=None, port: int = 8080, connection=None) -> tuple[int, bytes]:
    connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    data = None if body is None else json.dumps(body)
    connection.request(method, path, data, {"Content-Type": "application/json", "Connection": "close", **(headers or {})})
    answer = connection.getresponse()
    result = (answer.status, answer.read())
    connection.close()
    return result


def path(session: str) -> str:
    return f"/session-context/acme/context/{session}"


def put(session: str, headers=None, **options) -> int:
    body = {"siteCode": "main", "context": {"note": "SECRET-VALUE"}}
    return request("PUT", path(session) + "?upsert=true", body, headers, **options)[0]


def has(session: str) -> bool:
    return request("GET", path(session))[0] == 200


def configure(text: str):
    CONFIG.write_text(text)
    os.chmod(CONFIG, 0o644)


def drop_in(name: str, text: str):
    DROP_IN.mkdir(exist_ok=True)
    (DROP_IN / name).write_text(text)
    run("systemctl", "daemon-reload")


# Each check goes on from where the one before it has left the service.


def installing_starts_it():
    install("old")
    eventually("it is active", lambda: show("ActiveState") == "active")
    assert "serving" in show("StatusText"), show("StatusText")
    assert request("GET", "/readyz", port=8081)[0] == 200
    assert put("first") == 204
    assert put("by-unix-socket", connection=UNIXConnection("localhost")) == 204
    assert oct(DATA.stat().st_mode & 0o777) == "0o700", oct(DATA.stat().st_mode)
    assert os.stat(f"/proc/{main_pid()}").st_uid != 0, "it runs as root"


def upgrading_keeps_the_data():
    before = main_pid()
    install("new")
    assert run("dpkg-query", "-Wf", "${Version}", "sessiond") != "0.0.1"
    eventually("the new version runs", lambda: show("ActiveState") == "active" and main_pid() not in (0, before))
    assert has("first") and has("by-unix-socket")


def a_connection_starts_it():
    run("systemctl", "stop", "sessiond.service")
    assert show("ActiveState") == "inactive"
    assert show("Result") == "success", "SIGTERM did not end it in order"
    assert has("first")
    assert show("ActiveState") == "active"


def kill_9_restarts_it():
    assert put("before-kill") == 204
    before = main_pid()
    os.kill(before, signal.SIGKILL)
    assert has("before-kill")
    assert main_pid() != before


def a_stuck_process_is_restarted():
    drop_in("watchdog.conf", "[Service]\nWatchdogSec=4\n")
    run("systemctl", "restart", "sessiond.service")
    before = main_pid()
    time.sleep(9)
    assert main_pid() == before, "the watchdog isn't fed while nothing is written"
    os.kill(before, signal.SIGSTOP)
    eventually("the watchdog has it restarted", lambda: main_pid() not in (0, before), 40)
    assert has("before-kill")
    assert "watchdog" in run("journalctl", "-u", "sessiond", "--no-pager").lower()


def a_restart_under_load_loses_nothing():
    acknowledged: list[str] = []
    failures: list[str] = []
    is_over = threading.Event()

    def load(worker: int):
        number = 0
        while not is_over.is_set():
            session = f"load-{worker}-{number}"
            number += 1
            try:
                status = put(session)
                if status == 204:
                    acknowledged.append(session)
                elif status != 503:
                    failures.append(f"{session}: {status}")
            except ConnectionRefusedError as error:
                failures.append(f"{session}: {error}")
            except (http.client.HTTPException, OSError) as error:
                failures.append(f"{session}: {error!r}")

    threads = [threading.Thread(target=load, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            time.sleep(0.7)
            before = main_pid()
            run("systemctl", "restart", "sessiond.service")
            assert main_pid() != before
        time.sleep(0.5)
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert not failures, failures[:5]
    assert len(acknowledged) > 100, f"only {len(acknowledged)} writes"
    lost = [session for session in acknowledged if not has(session)]
    assert not lost, f"{len(lost)} of {len(acknowledged)} are lost: {lost[:5]}"
    print(f"  {len(acknowledged)} writes over 3 restarts")


def a_reload_says_what_changed_and_the_journal_has_fields():
    configure('{accessLog: true, limits: {writesPerSecondPerTenant: 1000}}')
    before = main_pid()
    run("systemctl", "reload", "sessiond.service")

    def entries() -> list[dict]:
        return [json.loads(line) for line in run("journalctl", "-u", "sessiond", "-o", "json", "--no-pager").splitlines()]

    eventually(
        "it says that the access log is on",
        lambda: any("accessLog is now true" in entry["MESSAGE"] for entry in entries()),
    )
    assert main_pid() == before
    assert put("journaled", {"X-Request-Id": "request-17", "Authorization": "Bearer SECRET-TOKEN"}) == 204

    def found() -> list[dict]:
        return [entry for entry in entries() if entry.get("SESSIOND_SESSION") == "journaled"]

    eventually("the request is in the journal", found)
    entry = found()[0]
    for name, value in {
        "SESSIOND_TENANT": "acme",
        "SESSIOND_STATUS": "204",
        "SESSIOND_REQUEST_ID": "request-17",
        "SYSLOG_IDENTIFIER": "sessiond",
        "PRIORITY": "6",
    }.items():
        assert entry.get(name) == value, (name, entry)
    assert int(entry["SESSIOND_POSITION"]) > 0 and int(entry["SESSIOND_DURATION_US"]) > 0, entry
    assert "SECRET" not in run("journalctl", "-o", "export", "-u", "sessiond", "--no-pager")


def it_works_without_network():
    drop_in("no-network.conf", Path("/test/no-network.conf").read_text())
    run("systemctl", "restart", "sessiond.service")
    assert put("without-network") == 204
    assert request("GET", "/readyz", port=8081)[0] == 200
    links = run("nsenter", "-n", "-t", str(main_pid()), "cat", "/proc/net/dev").splitlines()
    assert len(links) == 3, links


def backups_are_made_and_can_be_restored():
    for _ in range(3):
        run("systemctl", "start", "sessiond-backup.service")
        time.sleep(1.1)
    assert len(list(BACKUPS.iterdir())) == 3
    override = Path("/etc/systemd/system/sessiond-backup.service.d")
    override.mkdir()
    (override / "keep.conf").write_text("[Service]\nEnvironment=KEEP=2\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "start", "sessiond-backup.service")
    backups = sorted(BACKUPS.iterdir())
    assert len(backups) == 2, backups
    run("sessionctl", "--data-dir", "/root/restored", "restore", str(backups[-1]))
    run("sessionctl", "--data-dir", "/root/restored", "verify")
    daemon = subprocess.Popen(["sessiond", "--data-dir", "/root/restored", "--listen", "127.0.0.1:9090"])
    try:
        def is_there() -> bool:
            try:
                return request("GET", path("without-network"), port=9090)[0] == 200
            except OSError:
                return False

        eventually("the restored data are served", is_there)
    finally:
        daemon.terminate()
        assert daemon.wait(30) == 0


def the_proof_runs():
    run("systemctl", "start", "sessiond-verify.service")


def nothing_was_killed_by_the_filter():
    journal = run("journalctl", "--no-pager")
    assert "SIGSYS" not in journal and "signal=SYS" not in journal, "seccomp has killed a process"


def removing_keeps_the_data_and_purging_does_not():
    run("apt-get", "remove", "-y", "sessiond")
    assert show("ActiveState") in ("inactive", "failed")
    assert (DATA / "log" / "data.mdb").exists()
    install("new")
    eventually("it is active again", lambda: show("ActiveState") == "active")
    assert has("first")
    run("apt-get", "purge", "-y", "sessiond")
    for folder in (DATA, BACKUPS, Path("/var/lib/sessiond"), Path("/etc/sessiond")):
        assert not folder.exists() and not folder.is_symlink(), f"{folder} is still there"


CHECKS = [
    installing_starts_it,
    upgrading_keeps_the_data,
    a_connection_starts_it,
    kill_9_restarts_it,
    a_stuck_process_is_restarted,
    a_restart_under_load_loses_nothing,
    a_reload_says_what_changed_and_the_journal_has_fields,
    it_works_without_network,
    backups_are_made_and_can_be_restored,
    the_proof_runs,
    nothing_was_killed_by_the_filter,
    removing_keeps_the_data_and_purging_does_not,
]


def main():
    failed = 0
    for check in CHECKS:
        name = check.__name__.replace("_", " ")
        try:
            check()
            print(f"ok: {name}", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED: {name}\n{traceback.format_exc()}", flush=True)
    journal = ("journalctl", "-u", "sessiond*", "-n", "120", "--no-pager")
    print("the service is fine" if failed == 0 else run(*journal, check=False), flush=True)


main()
