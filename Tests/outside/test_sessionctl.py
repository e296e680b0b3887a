"""sessionctl: what it shows beside a running daemon and without one, and what damage and sudden ends do to it."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from conftest import SEED
from control import CONTROL, FLIPS, KILLS, TENANTS, all_events, api, control, duration, feed, findings, kill_at_once
from daemon import REPOSITORY, Daemon, environment, path_of
from pages import PAGE, Pages

MEMORY = 16 << 20


@pytest.fixture(scope="module", autouse=True)
def control_is_there():
    if not CONTROL.exists():
        pytest.exit(f"{CONTROL} is missing: build it, or name it in SESSIONCTL_BIN", returncode=2)


@pytest.fixture(scope="module")
def fed(tmp_path_factory):
    """A running daemon with some history, and what was seen while that was made."""
    daemon = Daemon(tmp_path_factory.mktemp("fed")).start()
    seen = feed(daemon, 250, SEED)
    yield daemon, seen
    assert daemon.terminate() == 0


@pytest.fixture(scope="module")
def stopped(tmp_path_factory) -> Path:
    """The data directory of a daemon that was stopped in order. Copy it before changing it."""
    daemon = Daemon(tmp_path_factory.mktemp("stopped")).start()
    feed(daemon, 400, SEED + 1)
    daemon.request("PUT", path_of("customer", query="upsert=true"), {"customerId": "c1", "currency": "EUR"})
    daemon.request("DELETE", path_of("customer"), headers={"saas-token": "x"})
    assert daemon.terminate() == 0
    return daemon.data


@pytest.fixture
def copied(stopped, tmp_path) -> Path:
    return Path(shutil.copytree(stopped, tmp_path / "copied"))


# The command line


def test_help_version_and_wrong_use(tmp_path):
    """Each command explains itself; what can't be meant ends with 2, a missing store with 3."""
    general = control(tmp_path, "--help").out
    commands = re.findall(r"^  ([a-z]+)  ", general, re.MULTILINE)
    assert commands == [
        *("status", "show", "history", "diff", "replay", "tail"),
        *("verify", "rebuild", "backup", "restore", "archive", "tenant", "erase"),
    ]
    for command in commands:
        assert control(tmp_path, command, "--help").out.startswith(f"sessionctl {command}: ")
    assert re.fullmatch(r"sessionctl \d+\.\d+\.\d+\n", control(tmp_path, "--version").out)
    for words in ([], ["nothing"], ["show", "acme"], ["status", "extra"], ["status", "--nothing", "1"]):
        assert "see sessionctl --help" in control(tmp_path, *words, expect=2).err
    for words in (
        ["status"],
        ["show", "acme", "s"],
        ["replay"],
        ["verify"],
        ["rebuild"],
        ["backup", str(tmp_path / "b")],
        ["archive", str(tmp_path / "b")],
        ["tenant", "list"],
        ["tenant", "remove", "acme", "--confirm", "acme"],
        ["erase", "acme", "--session", "s"],
    ):
        control(tmp_path / "nowhere", *words, expect=3)
    assert not (tmp_path / "nowhere").exists() and not (tmp_path / "b").exists()


def test_output_that_cannot_be_written_is_told(stopped):
    for words in (["status"], ["replay"], ["verify"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [CONTROL, "--data-dir", stopped, *words],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                env=environment(),
                check=False,
            )
        assert done.returncode == 3 and "No space left" in done.stderr


def test_completions_and_manual_know_what_the_help_knows(tmp_path):
    """Every command and option of the help is completed by bash and zsh and explained in the manual; no other is."""
    bash = REPOSITORY / "config/completions/sessionctl.bash"
    zsh = (REPOSITORY / "config/completions/_sessionctl").read_text()
    manual = (REPOSITORY / "config/man/sessionctl.8").read_text()

    def completed(*words: str) -> set[str]:
        script = (
            f'. "{bash}"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sessionctl; printf "%s\\n" "${{COMPREPLY[@]}}"'
        )
        done = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True, check=True)
        return set(done.stdout.split())

    commands = re.findall(r"^  ([a-z]+)  ", control(tmp_path, "--help").out, re.MULTILINE)
    assert {word for word in completed("sessionctl", "") if word[0] != "-"} == set(commands)
    assert re.findall(r"^    '([a-z]+):", zsh, re.MULTILINE) == commands
    explained = re.findall(r"^\.It Cm ([a-z]+)\b", manual, re.MULTILINE)
    assert list(dict.fromkeys(explained)) == commands
    for command in commands:
        usage, _, _ = control(tmp_path, command, "--help").out.partition("\nexamples:")
        options = set(re.findall(r"--[a-z][a-z-]*", usage)) | {"--data-dir", "--json", "--help"}
        assert completed("sessionctl", command, "-") == options, command
        for option in options:
            assert f"{option}=" in zsh or f"{option}[" in zsh, option
            assert f"Fl {option[1:]}" in manual, option
    if shutil.which("mandoc"):
        for page in (REPOSITORY / "config/man").iterdir():
            lint = subprocess.run(
                ["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True, check=False
            )
            assert (lint.returncode, lint.stdout) == (0, ""), lint.stdout


# Beside a running daemon


def test_each_version_is_shown_as_it_was_read(fed):
    """show, by version and by time, is what GET answered then, and what the API answers about it now."""
    daemon, seen = fed
    times = {}
    for tenant in TENANTS:
        for event in all_events(daemon, tenant):
            times[tenant, event["subject"], event["sessionversion"]] = event["time"]
    for one in random.Random(SEED).sample(seen, 60) + seen[-5:]:
        shown = control(daemon.data, "show", one.tenant, one.session, "--version", str(one.version), "--json").json()
        assert shown["document"] == one.document
        assert shown["document"] == api(daemon, path_of(one.session, tenant=one.tenant, query=f"version={one.version}"))
        moment = times[one.tenant, one.session, one.version]
        then = control(daemon.data, "show", one.tenant, one.session, "--as-of", moment, "--json").json()
        assert then["document"] == one.document
        answer = daemon.request("GET", path_of(one.session, tenant=one.tenant, query=f"asOf={quote(moment)}"))
        assert answer.json() == one.document and str(then["position"]) == answer.headers["sessiond-position"]
    newest = {(one.tenant, one.session): one for one in seen}
    for (tenant, session), one in newest.items():
        assert control(daemon.data, "show", tenant, session, "--json").json()["document"] == one.document
    first = seen[0]
    before = times[first.tenant, first.session, 1].replace("20", "19", 1)
    assert (
        "was not there then"
        in control(daemon.data, "show", first.tenant, first.session, "--as-of", before, expect=1).err
    )
    assert "has no session" in control(daemon.data, "show", "acme", "no such", expect=1).err
    assert "has no session" in control(daemon.data, "show", "unheard", "no such", expect=1).err


def test_text_cannot_act_on_a_terminal(fed):
    daemon, seen = fed
    for words in (["replay"], ["history", seen[0].tenant, seen[0].session], ["show", seen[0].tenant, seen[0].session]):
        text = control(daemon.data, *words).out
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert r"\u{202e}" in control(daemon.data, "replay").out


def test_history_is_the_apis(fed):
    daemon, seen = fed
    for tenant, session in {(one.tenant, one.session) for one in seen[:40]}:
        expected = api(daemon, path_of(session, "events", tenant=tenant, query="limit=1000"))["events"]
        history = control(daemon.data, "history", tenant, session, "--limit", "1000", "--json").json()
        assert history == {"events": expected, "hasOlder": False}
        page = control(daemon.data, "history", tenant, session, "--limit", "1", "--json").json()
        assert page == {"events": expected[:1], "hasOlder": len(expected) > 1}
        table = control(daemon.data, "history", tenant, session, "--limit", "1000").out.splitlines()
        assert [line.split()[0] for line in table[1:]] == [event["id"] for event in expected]
    control(daemon.data, "history", "acme", "no such", expect=1)


def test_differences_are_the_apis(fed):
    daemon, seen = fed
    for one in random.Random(SEED).sample([one for one in seen if one.version > 1], 20):
        for old in {1, one.version - 1, one.version}:
            query = f"from={old}&to={one.version}"
            expected = api(daemon, path_of(one.session, "diff", tenant=one.tenant, query=query))
            words = ["diff", one.tenant, one.session, "--from", str(old), "--to", str(one.version)]
            assert control(daemon.data, *words, "--json").json() == expected
            life, _, *rows = control(daemon.data, *words).out.splitlines()
            assert life == f"life {expected['life']}, version {old} to {one.version}"
            assert [row.split("  ")[0] for row in rows] == [change["field"] for change in expected["changes"]]
    control(daemon.data, "diff", seen[0].tenant, seen[0].session, "--from", "1", "--to", "9999", expect=1)


def test_the_version_that_ended_a_session_holds_nothing(new_daemon):
    daemon = new_daemon().start()
    assert daemon.request("PUT", path_of("s1", query="upsert=true"), {"currency": "EUR"}).status == 204
    assert daemon.request("DELETE", path_of("s1")).status == 204
    expected = {
        "sessionId": "s1",
        "life": 1,
        "from": 1,
        "to": 2,
        "changes": [{"field": "currency", "old": "EUR"}],
    }
    assert api(daemon, path_of("s1", "diff", query="from=1&to=2")) == expected
    assert control(daemon.data, "diff", "acme", "s1", "--from", "1", "--to", "2", "--json").json() == expected
    assert "erased" not in control(daemon.data, "diff", "acme", "s1", "--from", "1", "--to", "2").out
    missing = daemon.request("GET", path_of("s1", "diff", query="from=3&to=1"))
    assert (missing.status, missing.json()["message"]) == (404, "The session never had a version 3")
    assert "never had a version 3" in control(daemon.data, "diff", "acme", "s1", "--from", "3", "--to", "1", expect=1).err


def test_a_time_that_has_not_come_is_refused(fed):
    daemon, seen = fed
    future = "2999-01-01T00:00:00Z"
    one = seen[-1]
    words = ["show", one.tenant, one.session, "--as-of", future]
    assert "--as-of must not lie in the future" in control(daemon.data, *words, expect=2).err
    answer = daemon.request("GET", path_of(one.session, tenant=one.tenant, query=f"asOf={future}"))
    assert answer.status == 400 and "asOf: must not lie in the future" in answer.json()["details"]


def test_a_long_life_takes_little_memory(new_daemon):
    """Whatever a life's events hold together, a question about it takes the memory that one document takes."""
    daemon = new_daemon().start()
    versions = 500
    value = "x" * 15_000
    for version in range(versions):
        document = {"context": {f"a{number}": f"{version} {value}" for number in range(4)}}
        document["metadata"] = {"version": version}
        assert daemon.request("PUT", path_of("s1", query="upsert=true"), document).status == 204
    for words in (
        ("show", "acme", "s1", "--version", str(versions), "--json"),
        ("show", "acme", "s1", "--json"),
        ("diff", "acme", "s1", "--from", "2", "--to", str(versions), "--json"),
    ):
        # The log is mapped read-only: what counts is what the process itself takes, an eighth of what the events hold.
        done = subprocess.run(
            [CONTROL, "--data-dir", daemon.data, *words],
            capture_output=True,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY)),
        )
        assert done.returncode == 0, (words, done.returncode, done.stderr)
        assert json.loads(done.stdout)


def test_replay_filters_and_formats(fed):
    """Every filter gives what filtering all events gives; every format tells the same events."""
    daemon, _ = fed
    events = {tenant: all_events(daemon, tenant) for tenant in TENANTS}
    everything = events["acme"] + events["beta"]

    def check(expected: list[dict], *words: str):
        assert control(daemon.data, "replay", "--json", *words).lines() == expected, words

    check(everything)
    check(events["beta"], "--tenant", "beta")
    assert "there is no tenant unheard" in control(daemon.data, "replay", "--tenant", "unheard", expect=1).err
    acme = events["acme"]
    one = acme[len(acme) // 2]
    check([event for event in everything if event["subject"] == one["subject"]], "--session", one["subject"])
    check([event for event in everything if event["type"] == one["type"]], "--type", one["type"])
    check([event for event in everything if ".started." in event["type"]], "--type", "started")
    check(acme[9:20], "--tenant", "acme", "--from", "10", "--to", "20")
    check([event for event in everything if event["position"] >= 100], "--from", "100")
    check([], "--tenant", "acme", "--from", str(len(acme) + 1))
    check([event for event in everything if event["time"] >= one["time"]], "--since", one["time"])
    check([event for event in everything if event["time"] <= one["time"]], "--until", one["time"])
    check(
        [event for event in acme if event["subject"] == one["subject"] and event["position"] <= one["position"]],
        *("--tenant", "acme", "--session", one["subject"], "--until", one["time"]),
    )
    rows = list(csv.DictReader(io.StringIO(control(daemon.data, "replay", "--format", "csv").out, newline="")))
    assert len(rows) == len(everything)
    for row, event in zip(rows, everything, strict=True):
        assert row["tenant"] == event["source"].split("/")[-1] and row["position"] == event["id"]
        assert row["type"] == event["type"] and row["session"] == event["subject"] and row["time"] == event["time"]
        assert json.loads(row["data"]) == event["data"] and row["actor"] == event["actor"]
    table = control(daemon.data, "replay").out.splitlines()
    assert table[0].split()[:6] == ["TENANT", "POSITION", "TIME", "SESSION", "LIFE", "VERSION"]
    assert [line.split()[:2] for line in table[1:]] == [
        [event["source"].split("/")[-1], event["id"]] for event in everything
    ]
    place = table[0].index("LIFE")
    assert [line[place:].split()[:2] for line in table[1:] if line.isascii()] == [
        [str(event["sessionlife"]), str(event["sessionversion"])] for event in everything if event["subject"].isascii()
    ]


def test_replay_of_a_customer(new_daemon):
    """All events of the sessions that carry or once carried the id, wherever the projections are."""
    daemon = new_daemon(config={"requireSaasToken": False}).start()
    for number in range(6):
        path = path_of(f"s{number}")
        assert daemon.request("PUT", path + "?upsert=true", {"currency": "EUR"}).status == 204
        if number % 2:
            body = {"metadata": {"version": 1}, "customerId": f"c{number % 4}"}
            assert daemon.request("PATCH", path, body).status == 204
    assert daemon.request("PATCH", path_of("s1"), {"metadata": {"version": 2}, "customerId": None}).status == 204

    def check():
        for customer, sessions in (("c1", {"s1", "s5"}), ("c3", {"s3"}), ("c", set())):
            found = control(daemon.data, "replay", "--customer", customer, "--json").lines()
            assert found == [event for event in all_events(daemon, "acme") if event["subject"] in sessions]
        patched = control(daemon.data, "replay", "--customer", "c1", "--type", "started", "--json").lines()
        assert [event["subject"] for event in patched] == ["s1", "s5"]

    check()
    daemon.restart()
    check()


def test_replay_of_an_erased_customer_has_nothing_of_what_came_under_the_same_id(new_daemon):
    daemon = new_daemon(config={"storage": {"flushIntervalMilliseconds": 200}}).start()
    path = path_of("s1", query="upsert=true")
    assert daemon.request("PUT", path, {"customerId": "c1"}).status == 204
    daemon.restart()  # Flushed: the index of customers has it.
    daemon.config["storage"]["flushIntervalMilliseconds"] = 60_000
    daemon.restart()
    tail = Tail(daemon.data, "--from", "1", "--customer", "c1")
    try:
        tail.wait(1)
        assert daemon.request("POST", "/session-context/acme/erasures", {"customerId": "c1"}).status == 200
        assert daemon.request("PUT", path, {"customerId": "c2", "currency": "EUR"}).status == 204
        assert control(daemon.data, "replay", "--customer", "c1", "--json").lines() == []
        later = control(daemon.data, "replay", "--customer", "c2", "--json").lines()
        assert [event["position"] for event in later] == [1, 2, 3]
        assert daemon.request("PUT", path_of("s2", query="upsert=true"), {"customerId": "c1"}).status == 204
        assert [line["position"] for line in tail.wait(3)] == [1, 2, 4]
    finally:
        assert tail.end(signal.SIGTERM) == 0


def test_replay_ends_quietly_when_nobody_reads(fed):
    daemon, _ = fed
    for words in (["replay", "--json"], ["replay"], ["--help"]):
        command = [CONTROL, "--data-dir", daemon.data, *words]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        process.stdout.close()
        assert (process.stderr.read(), process.wait(10)) == (b"", 0)


def test_reads_are_fresh_under_writes(fed):
    """A change that was acknowledged is seen by the next call, though the projections lag behind."""
    daemon, _ = fed
    writer = Daemon(daemon.directory, binary=daemon.binary)
    writer.addresses = daemon.addresses
    stop = threading.Event()

    def write():
        number = 0
        while not stop.is_set():
            number += 1
            path = path_of(f"noise-{number % 50}", "attributes", tenant="noise")
            if number <= 50:
                writer.request("PUT", path_of(f"noise-{number % 50}", tenant="noise", query="upsert=true"), {})
            writer.request("POST", path, {"key": "n", "value": number})

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for number in range(1, 41):
            answer = daemon.request("POST", path_of("fresh", "attributes"), {"key": "n", "value": number})
            if number == 1:
                assert answer.status == 404
                answer = daemon.request("PUT", path_of("fresh", query="upsert=true"), {"context": {"n": 1}})
            assert answer.status == 204
            shown = control(daemon.data, "show", "acme", "fresh", "--json").json()
            assert shown["document"]["context"] == {"n": number} and shown["document"]["metadata"]["version"] == number
            history = control(daemon.data, "history", "acme", "fresh", "--json").json()["events"]
            assert history[0]["sessionversion"] == number
        for _ in range(3):
            assert findings(daemon.data) == []
    finally:
        stop.set()
        thread.join()


def test_status(fed):
    daemon, _ = fed
    deadline = time.monotonic() + 10
    while (status := control(daemon.data, "status", "--json").json())["lag"] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert status["lag"] == 0
    for tenant in TENANTS:
        events = all_events(daemon, tenant)
        own = status["tenants"][tenant]
        assert own["position"] == own["checkpoint"] == len(events)
        assert own["openSessions"] == len({event["subject"] for event in events})
    assert status["events"] == sum(tenant["position"] for tenant in status["tenants"].values())
    assert status["formats"] == {"log": "1", "record": 1, "projections": "5"}
    assert re.fullmatch("[0-9a-f]{32}", status["store"])
    for name in ("log", "projections"):
        assert status[name]["fileBytes"] == (daemon.data / name / "data.mdb").stat().st_size
        assert status[name]["usedBytes"] <= status[name]["fileBytes"]
    text = control(daemon.data, "status").out
    assert status["store"] in text and re.search(
        rf"^acme +{status['tenants']['acme']['position']} ", text, re.MULTILINE
    )


# Tail


class Tail:
    def __init__(self, data: Path, *words: str):
        command = [CONTROL, "--data-dir", data, "tail", "--json", *words]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        self.lines: list[dict] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self._news:
                self.lines.append(json.loads(line))
                self._news.notify_all()

    def wait_for(self, condition) -> list[dict]:
        with self._news:
            assert self._news.wait_for(lambda: condition(self.lines), 10), self.lines
            return list(self.lines)

    def wait(self, count: int) -> list[dict]:
        return self.wait_for(lambda lines: len(lines) >= count)

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        status = self.process.wait(10)
        self._reader.join(10)
        assert self.process.stderr.read() == b""
        return status


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_tail_follows(new_daemon, number):
    daemon = new_daemon().start()
    assert daemon.request("PUT", path_of("s1", query="upsert=true"), {}).status == 204
    every, new, beta = Tail(daemon.data, "--from", "1"), Tail(daemon.data), Tail(daemon.data, "--tenant", "beta")
    try:
        every.wait(1)
        # Nothing tells that the other two are at the end already: the ones that they see begin with some change.
        count = 1
        while not (new.lines and beta.lines):
            count += 2
            assert count < 400
            assert daemon.request("POST", path_of("s1", "attributes"), {"key": "n", "value": count}).status == 204
            path = path_of(f"s{count}", tenant="beta", query="upsert=true")
            assert daemon.request("PUT", path, {}).status == 204
            time.sleep(0.05)
        expected = {tenant: all_events(daemon, tenant) for tenant in TENANTS}
        lines = every.wait(count)
        for tenant in TENANTS:
            assert [line for line in lines if line["source"].endswith(tenant)] == expected[tenant]
        # What the other two have, from their first event on, is everything.
        for tail, tenants in ((new, TENANTS), (beta, ("beta",))):
            for tenant in tenants:
                own = expected[tenant]
                wanted = own[-1]
                tail.wait_for(lambda lines, wanted=wanted: wanted in lines)
                got = [line for line in tail.lines if line["source"] == wanted["source"]]
                assert got == own[-len(got) :] and (tenant == "beta" or len(got) < len(own))
        daemon.restart()
        assert daemon.request("PUT", path_of("late", query="upsert=true"), {}).status == 204
        assert every.wait(count + 1)[-1]["subject"] == "late"
    finally:
        statuses = [tail.end(number) for tail in (every, new, beta)]
    assert statuses == [0, 0, 0]


def test_tail_ends_when_the_store_is_replaced(new_daemon, tmp_path):
    daemon = new_daemon().start()
    assert daemon.request("PUT", path_of("s1", query="upsert=true"), {}).status == 204
    control(daemon.data, "backup", str(tmp_path / "backup"))
    tail = Tail(daemon.data, "--from", "1")
    tail.wait(1)
    assert daemon.terminate() == 0
    daemon.data.rename(tmp_path / "old")
    control(daemon.data, "restore", str(tmp_path / "backup"))
    assert tail.process.wait(10) == 3
    assert b"begin again" in tail.process.stderr.read()


def test_nothing_before_the_position_is_shown_where_the_log_ends_before_it(new_daemon):
    daemon = new_daemon().start()
    for number in range(5):
        assert daemon.request("PUT", path_of(f"s{number}", query="upsert=true"), {}).status == 204
    assert control(daemon.data, "replay", "--from", "8", "--format", "ndjson").out == ""
    tail = Tail(daemon.data, "--from", "8")
    try:
        for number in range(5, 9):
            time.sleep(0.3)
            assert daemon.request("PUT", path_of(f"s{number}", query="upsert=true"), {}).status == 204
        assert [line["subject"] for line in tail.wait(2)] == ["s7", "s8"]
    finally:
        assert tail.end(signal.SIGTERM) == 0


def test_tail_goes_on_with_a_tenant_that_is_begun_anew(new_daemon):
    daemon = new_daemon().start()
    for number in range(5):
        assert daemon.request("PUT", path_of(f"s{number}", query="upsert=true"), {}).status == 204
    tail = Tail(daemon.data, "--from", "1")
    try:
        tail.wait(5)
        assert daemon.terminate() == 0
        control(daemon.data, "tenant", "remove", "acme", "--confirm", "acme")
        daemon.start()
        time.sleep(0.5)
        assert daemon.request("PUT", path_of("anew", query="upsert=true"), {}).status == 204
        assert tail.wait(6)[-1]["subject"] == "anew"
    finally:
        assert tail.end(signal.SIGTERM) == 0


def test_tail_ends_when_nobody_reads(fed):
    daemon, _ = fed
    command = [CONTROL, "--data-dir", daemon.data, "tail"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    process.stdout.readline()
    process.stdout.close()
    assert (process.wait(10), process.stderr.read()) == (0, b"")


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE])
def test_a_fault_is_explained(fed, number):
    """Where a damaged page of a large log, which isn't looked at first, ends a command that reads it."""
    daemon, _ = fed
    command = [CONTROL, "--data-dir", daemon.data, "tail"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    process.stdout.readline()
    process.send_signal(number)
    assert process.wait(10) == -number
    line = f"sessionctl: ended by {number.name}: a damaged page of log/data.mdb or projections/data.mdb may be why"
    assert process.stderr.read().decode().startswith(line)
    process.stdout.close()


# Damage

def test_every_flipped_bit_of_a_record_is_found(copied):
    """A single bit of any record or its key, on disk: verify says so, and names the position when the key is whole."""
    assert findings(copied) == []
    pages = Pages(copied / "log/data.mdb")
    records = pages.table("events")
    draw = random.Random(SEED)
    for number in range(FLIPS):
        key, key_size, data, data_size = draw.choice(records)
        tenant, _, position = pages.bytes[key : key + key_size].partition(b"\0")
        is_key = draw.randrange(10) == 0
        place = key + draw.randrange(key_size) if is_key else data + draw.randrange(data_size)
        bit = draw.randrange(8)
        pages.flip(place, bit)
        found = findings(copied)
        where = (tenant.decode(), int.from_bytes(position, "big"))
        case = f"flip {number}, seed {SEED}: bit {bit} at {place}, of {where}, key: {is_key}: {found}"
        assert found, case
        if not is_key:
            assert where in [(finding["tenant"], finding["position"]) for finding in found], case
            assert all(finding["tenant"] == where[0] for finding in found), case
        pages.flip(place, bit)
    assert findings(copied) == []


def test_flipped_bits_of_page_structure_end_nothing(copied):
    """LMDB trusts its pages. Whatever a bit there does, sessionctl ends in order; what it can't read it calls damaged."""
    draw = random.Random(SEED)
    for name in ("log", "projections"):
        pages = Pages(copied / name / "data.mdb")
        used = sorted(pages.used())

        def status_with(place: int, bit: int, name=name, pages=pages) -> int:
            pages.flip(place, bit)
            run = control(copied, "verify", "--json", expect=None)
            case = f"{name}, seed {SEED}: bit {bit} at {place}: {run}"
            if run.status == 3:
                # A number of LMDB's or ours that says "another version" can't be told from damage.
                assert "LMDB could not" in run.err or "has format other than" in run.err, case
            else:
                assert run.status == (1 if run.json()["findings"] else 0), case
            pages.flip(place, bit)
            return run.status

        for number in range(max(20, FLIPS // 4)):
            # Most pages of a small store are free ones by now, in which a bit says nothing.
            page = draw.choice(used) if number % 4 else draw.randrange(len(pages.bytes) // PAGE)
            # Headers, the list of nodes, and nodes' own headers: where structure is densest.
            place = page * PAGE + draw.choice([draw.randrange(16), draw.randrange(16, 200), draw.randrange(PAGE)])
            status_with(place, draw.randrange(8))
        # The flags of the root of the tables say what kind of page it is: this one can't be harmless.
        assert status_with(pages.main * PAGE + 10, 1) in (1, 3), name
    assert findings(copied) == []


def test_a_branch_page_that_lost_its_nodes_is_told_before_it_is_read(copied):
    """LMDB takes two nodes for granted there, and ends the process of whoever looks."""
    for name, questions in (("log", ["status", "replay", "tail", "show acme s1"]), ("projections", ["status"])):
        pages = Pages(copied / name / "data.mdb")
        branches = [page for page, kind in pages.used().items() if kind == "branch"]
        # The few sessions of this store fit into one leaf at times.
        assert branches or name == "projections"
        for page in branches:
            lower = page * PAGE + 12
            bits = [bit for bit in range(8) if (pages.bytes[lower] ^ (16 + 2)) >> bit & 1]
            for bit in bits:
                pages.flip(lower, bit)
            for question in questions:
                run = control(copied, *question.split(), expect=1)
                assert f"page {page}: " in run.out + run.err, run
            for bit in bits:
                pages.flip(lower, bit)


def test_damage_is_told_by_all_that_read_it(copied, tmp_path):
    """One record is damaged: what needs it says so with 1, and what doesn't need it works."""
    pages = Pages(copied / "log/data.mdb")
    key, key_size, data, data_size = pages.table("events")[40]
    assert pages.bytes[key : key + 5] == b"acme\0"
    position = int.from_bytes(pages.bytes[key + key_size - 8 : key + key_size], "big")
    intact = control(copied, "replay", "--json").lines()
    session = intact[position - 1]["subject"]
    other = next(event["subject"] for event in intact if event["subject"] != session)
    pages.flip(data + data_size - 1, 0)
    replayed = control(copied, "replay", "--json", expect=1)
    assert replayed.lines() == intact[: position - 1] + intact[position:]
    assert f"tenant acme, position {position}: " in replayed.err
    assert f"position {position}" in control(copied, "history", "acme", session, "--limit", "999", expect=1).err
    control(copied, "show", "acme", other)
    assert f"position {position}" in control(copied, "rebuild", expect=1).err
    assert not (copied / "projections.new").exists()
    assert "there is no backup" in control(copied, "backup", str(tmp_path / "b"), expect=1).err
    assert list(tmp_path.glob("b*")) == []
    assert control(copied, "verify", "--tenant", "beta").status == 0


def test_damage_does_not_matter_to_what_does_not_need_it(copied):
    """Any one record is damaged: questions about times and other sessions are answered as if it weren't."""
    intact = control(copied, "replay", "--tenant", "acme", "--json").lines()
    shutil.rmtree(copied / "projections")
    pages = Pages(copied / "log/data.mdb")
    records = [record for record in pages.table("events") if pages.bytes[record[0] :].startswith(b"acme\0")]
    draw = random.Random(SEED)
    # Those in the middle are where a search by time begins.
    for index in {len(records) // 2 - 1, len(records) // 2, *(draw.randrange(1, len(records)) for _ in range(10))}:
        *_, data, data_size = records[index]
        damaged = intact[index]
        pages.flip(data + data_size - 1, 0)
        for since in (draw.choice(intact)["time"], damaged["time"], intact[index - 1]["time"]):
            replayed = control(copied, "replay", "--tenant", "acme", "--json", "--since", since, expect=None)
            assert replayed.lines() == [event for event in intact if event["time"] >= since and event != damaged]
            if damaged["time"] >= since:
                assert replayed.status == 1 and f"position {index + 1}: " in replayed.err
        other = draw.choice([event for event in intact[: index + 1] if event["subject"] != damaged["subject"]])
        shown = control(copied, "show", "acme", other["subject"], "--as-of", other["time"], "--json").json()
        assert shown["document"]["metadata"]["version"] >= other["sessionversion"]
        control(copied, "show", "acme", other["subject"])
        pages.flip(data + data_size - 1, 0)


def test_a_cut_file_is_a_finding(copied):
    for name in ("projections", "log"):
        file = copied / name / "data.mdb"
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2 // PAGE * PAGE])
        found = findings(copied)
        assert any("damaged" in finding["problem"] for finding in found), found
        file.write_bytes(whole)
    assert findings(copied) == []


def test_projections_that_do_not_fit_are_found(copied):
    pages = Pages(copied / "projections/data.mdb")
    for table in ("snapshots", "checkpoints"):
        _, _, data, data_size = pages.table(table)[0]
        for place in (data, data + data_size // 2, data + data_size - 1):
            pages.flip(place, 3)
            assert findings(copied), f"{table}, {place}"
            pages.flip(place, 3)
    assert findings(copied) == []


def test_a_damaged_snapshot_is_never_served(copied, new_daemon):
    """Any one bit of every snapshot is flipped: a GET answers as before, which may be by luck, or 500."""
    daemon = new_daemon()
    daemon.data = copied

    def snapshots() -> dict[str, tuple[int, int]]:
        pages = Pages(copied / "projections/data.mdb")
        return {pages.bytes[key : key + size].decode(): rest for key, size, *rest in pages.table("snapshots")}

    def answers() -> dict[str, tuple[int, bytes]]:
        found = {}
        daemon.start()
        for name in snapshots():
            tenant, session = name.split("\0")
            answer = daemon.request("GET", path_of(session, tenant=tenant))
            found[name] = (answer.status, answer.body)
        assert daemon.terminate() == 0
        return found

    intact = answers()
    draw = random.Random(SEED)
    for data, length in snapshots().values():
        Pages(copied / "projections/data.mdb").flip(data + draw.randrange(length), draw.randrange(8))
    damaged = answers()
    for name, answer in damaged.items():
        assert answer == intact[name] or answer[0] == 500, (name, answer, intact[name])
    assert 500 in [status for status, _ in damaged.values()]


def test_verify_goes_on_from_its_marks(new_daemon, tmp_path):
    daemon = new_daemon().start()
    feed(daemon, 60, SEED)
    marks = tmp_path / "marks"
    first = control(daemon.data, "verify", "--resume", str(marks), "--json").json()
    assert (
        first["events"] == sum(chain["position"] for chain in first["chains"].values()) and first["projectionsCompared"]
    )
    backup = tmp_path / "old"
    control(daemon.data, "backup", str(backup))
    feed(daemon, 30, SEED + 1)
    second = control(daemon.data, "verify", "--resume", str(marks), "--json").json()
    assert second["events"] == 30 and not second["projectionsCompared"]
    assert second["chains"] == control(daemon.data, "verify", "--json").json()["chains"]
    assert control(daemon.data, "verify", "--resume", str(marks), "--json").json()["events"] == 0
    kept = marks.read_bytes()
    # Damage behind a mark isn't looked at, and damage at or after it is.
    assert daemon.terminate() == 0
    pages = Pages(daemon.data / "log/data.mdb")
    for index, is_found in ((2, False), (-1, True)):
        _, _, data, data_size = pages.table("events")[index]
        pages.flip(data + data_size - 1, 1)
        assert bool(findings(daemon.data, "--resume", str(marks))) is is_found
        assert marks.read_bytes() == kept
        pages.flip(data + data_size - 1, 1)
    # A log that took another way since the backup is not the one that was proved.
    control(tmp_path / "other", "restore", str(backup))
    other = new_daemon()
    shutil.copytree(tmp_path / "other", other.data)
    other.start()
    feed(other, 40, SEED + 2)
    assert findings(other.data) == []
    found = findings(other.data, "--resume", str(marks))
    assert any("isn't the one that was proved before" in finding["problem"] for finding in found)
    # Nor is a log that was cut off, nor another store, nor a damaged file.
    assert findings(backup, "--resume", str(marks))
    strange = new_daemon().start()
    assert "of the store" in findings(strange.data, "--resume", str(marks))[0]["problem"]
    marks.write_bytes(kept.replace(b"acme", b"acmf"))
    assert "holds no marks" in control(daemon.data, "verify", "--resume", str(marks), expect=3).err


# Backup, restore, rebuild


def test_backup_under_load_restores_to_what_was(new_daemon, tmp_path):
    """A backup beside a daemon that writes is some moment of its log, whole; restored, it answers as the original did."""
    daemon = new_daemon().start()
    feed(daemon, 100, SEED)
    stop = threading.Event()
    writer = Daemon(daemon.directory)
    writer.addresses = daemon.addresses

    def load():
        seed = SEED
        while not stop.is_set():
            seed += 1
            feed(writer, 20, seed)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        backups = [tmp_path / f"backup-{number}" for number in range(4)]
        told = [control(daemon.data, "backup", str(backup), "--json").json() for backup in backups]
    finally:
        stop.set()
        thread.join()
    assert [one["events"] for one in told] == sorted(one["events"] for one in told)
    original = {tenant: all_events(daemon, tenant) for tenant in TENANTS}
    for backup, one in zip(backups, told, strict=True):
        assert control(backup, "verify", "--json").json()["events"] == one["events"]
        assert "is there already" in control(daemon.data, "backup", str(backup) + "/", expect=3).err
    backup, restored = backups[1], new_daemon()
    assert control(restored.data, "restore", str(backup), "--json").json()["events"] == told[1]["events"]
    report = control(restored.data, "verify", "--json").json()
    assert report["findings"] == [] and report["projectionsCompared"] and report["snapshots"] > 0
    assert not [path for path in restored.data.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]
    restored.start()
    newest = {}
    for tenant in TENANTS:
        events = all_events(restored, tenant)
        assert events == original[tenant][: len(events)] and len(events) == report["chains"][tenant]["position"]
        newest |= {(tenant, event["subject"]): event["sessionversion"] for event in events}
    for (tenant, session), version in newest.items():
        then = control(daemon.data, "show", tenant, session, "--version", str(version), "--json").json()
        assert restored.request("GET", path_of(session, tenant=tenant)).json() == then["document"]
    # It goes on, too, and is not restored over.
    assert restored.request("PUT", path_of("more", query="upsert=true"), {}).status == 204
    assert "another sessiond, or a sessionctl that writes, has" in control(restored.data, "restore", str(backup), expect=3).err
    assert restored.terminate() == 0
    assert "there is a store in" in control(restored.data, "restore", str(backup), expect=3).err
    assert findings(restored.data) == []


def test_restore_refuses_what_is_no_whole_backup(stopped, tmp_path):
    backup, target = tmp_path / "backup", tmp_path / "target"
    control(stopped, "backup", str(backup))
    assert "no whole backup" in control(target, "restore", str(stopped), expect=3).err
    assert "no whole backup" in control(target, "restore", str(tmp_path / "nothing"), expect=3).err
    assert not target.exists()
    pages = Pages(backup / "log/data.mdb")
    _, _, data, data_size = pages.table("events")[7]
    pages.flip(data + data_size - 1, 2)
    assert "nothing was restored" in control(target, "restore", str(backup), expect=1).err
    pages.flip(data + data_size - 1, 2)
    chains = backup / "chains"
    text = chains.read_text()
    chains.write_text(text.replace("acme", "acmf"))
    assert "is damaged" in control(target, "restore", str(backup), expect=3).err
    # A backup of an earlier moment under the marks of a later one has lost something.
    daemon = Daemon(tmp_path / "later")
    shutil.copytree(stopped, daemon.data)
    daemon.start()
    feed(daemon, 1, SEED)
    assert daemon.terminate() == 0
    control(daemon.data, "backup", str(tmp_path / "later-backup"))
    shutil.copy(tmp_path / "later-backup/chains", chains)
    assert "isn't what it was" in control(target, "restore", str(backup), expect=1).err
    assert not (target / "log").exists()
    chains.write_text(text)
    control(target, "restore", str(backup))
    assert findings(target) == []


def test_rebuild_after_a_crash_equals_what_the_daemon_had(new_daemon):
    """Old projections that lag are equal with the late events folded over them; ones that differ are told and replaced."""
    daemon = new_daemon().start()
    assert "another sessiond, or a sessionctl that writes, has" in control(daemon.data, "rebuild", expect=3).err
    feed(daemon, 150, SEED)
    daemon.kill()
    for _ in range(2):
        report = control(daemon.data, "rebuild", "--json").json()
        assert report["compared"] and report["differences"] == [] and report["problem"] is None
        assert report["events"] == control(daemon.data, "status", "--json").json()["events"]
        assert findings(daemon.data) == []
        assert sorted(path.name for path in daemon.data.iterdir()) == ["log", "projections"]
    pages = Pages(daemon.data / "projections/data.mdb")
    _, _, data, data_size = pages.table("snapshots")[3]
    pages.flip(data + data_size - 9, 0)
    report = control(daemon.data, "rebuild", "--json", expect=1).json()
    assert len(report["differences"]) == 1 and "the old snapshot of session" in report["differences"][0]
    assert findings(daemon.data) == []
    (daemon.data / "projections/data.mdb").write_bytes(b"x" * 3 * PAGE)
    report = control(daemon.data, "rebuild", "--json", expect=1).json()
    assert not report["compared"] and report["problem"]
    assert findings(daemon.data) == []
    shutil.rmtree(daemon.data / "projections")
    report = control(daemon.data, "rebuild", "--json").json()
    assert not report["compared"] and report["problem"] is None
    assert findings(daemon.data) == []
    daemon.start()
    assert "anew" not in daemon.stderr


def test_a_killed_command_leaves_no_process_behind(copied):
    """The one that reads for it ends with it, even while it is stopped."""

    def stopped_reader(command: subprocess.Popen) -> int | None:
        """Stops the process that reads for `command`, once it reads; None when it was done before."""
        children = Path(f"/proc/{command.pid}/task/{command.pid}/children")
        reader: list[str] = []
        while not reader and command.poll() is None:
            reader = children.read_text().split()
        try:
            while "data.mdb" not in Path(f"/proc/{reader[0]}/maps").read_text():
                pass
            os.kill(int(reader[0]), signal.SIGSTOP)
            return int(reader[0])
        except (IndexError, FileNotFoundError, ProcessLookupError):
            return None

    def is_over(process: int) -> bool:
        try:
            return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except FileNotFoundError:
            return True

    for _ in range(100):
        arguments = [CONTROL, "--data-dir", copied, "verify"]
        command = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, env=environment())
        reader = stopped_reader(command)
        command.kill()
        command.wait()
        if reader:
            break
    else:
        pytest.fail("a verification is always done before it can be stopped")
    deadline = time.monotonic() + 10
    try:
        while not is_over(reader):
            assert time.monotonic() < deadline, "the process that read is left behind"
            time.sleep(0.01)
    finally:
        if not is_over(reader):
            os.kill(reader, signal.SIGKILL)


def test_killed_rebuild_backup_and_restore_leave_what_was(copied, tmp_path):
    """SIGKILL at any time: the old state or the new one is there, whole, and the same command works the next time."""
    draw = random.Random(SEED)
    chains = control(copied, "verify", "--json").json()["chains"]
    took = duration(copied, "rebuild")
    ended = []
    for _ in range(KILLS):
        ended.append(kill_at_once(copied, "rebuild", seconds=draw.uniform(0, 1.1 * took)))
        report = control(copied, "verify", "--json").json()
        assert report["projectionsCompared"] and report["chains"] == chains
    control(copied, "rebuild")

    backup = tmp_path / "backup"
    took = duration(copied, "backup", str(backup))
    for _ in range(KILLS):
        shutil.rmtree(backup, ignore_errors=True)
        ended.append(kill_at_once(copied, "backup", str(backup), seconds=draw.uniform(0, 1.1 * took)))
        if not backup.exists():
            control(copied, "backup", str(backup))
        assert control(backup, "verify", "--json").json()["chains"] == chains
        assert not (tmp_path / "backup.partial").exists()

    target = tmp_path / "target"
    took = duration(target, "restore", str(backup))
    for _ in range(KILLS):
        shutil.rmtree(target)
        ended.append(kill_at_once(target, "restore", str(backup), seconds=draw.uniform(0, 1.1 * took)))
        if not (target / "log").exists():
            control(target, "restore", str(backup))
        report = control(target, "verify", "--json").json()
        assert report["projectionsCompared"] and report["chains"] == chains
        assert not list(target.glob("*.restoring"))
    assert not all(ended)
