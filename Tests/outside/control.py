"""sessionctl as a process, and a workload whose history is known."""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from daemon import BINARY, Daemon, environment, path_of

CONTROL = Path(os.environ.get("SESSIONCTL_BIN", BINARY.with_name("sessionctl")))
FLIPS = int(os.environ.get("TEST_FLIPS", "200"))
KILLS = int(os.environ.get("TEST_KILLS", "12"))
TENANTS = ("acme", "beta")


@dataclass
class Run:
    status: int
    out: str
    err: str

    def json(self):
        return json.loads(self.out)

    def lines(self) -> list:
        return [json.loads(line) for line in self.out.splitlines()]


def control(data: Path, *arguments: str, expect: int | None = 0) -> Run:
    """Runs sessionctl on a data directory. Whatever the data are, it may not end by a signal."""
    done = subprocess.run(
        [CONTROL, "--data-dir", data, *arguments],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=120,
        check=False,
    )
    run = Run(done.returncode, done.stdout, done.stderr)
    assert done.returncode in (0, 1, 2, 3), f"{arguments}: {run}"
    if expect is not None:
        assert done.returncode == expect, f"{arguments}: {run}"
    if done.returncode in (2, 3):
        assert run.err.startswith("sessionctl: ") and run.err.count("\n") == 1, run
    return run


def findings(data: Path, *arguments: str) -> list[dict]:
    run = control(data, "verify", "--json", *arguments, expect=None)
    found = run.json()["findings"]
    assert run.status == (1 if found else 0), run
    return found


# A workload, with what a GET answered after each change


@dataclass
class Seen:
    """What a session's document was after a change."""

    tenant: str
    session: str
    version: int
    document: dict


def feed(daemon: Daemon, count: int, seed: int, sessions: int = 12) -> list[Seen]:
    """Makes that many changes of some sessions of both tenants; no life begins twice."""
    draw = random.Random(seed)
    versions: dict[tuple[str, str], int] = {}
    seen = []
    while len(seen) < count:
        tenant = draw.choice(TENANTS)
        session = f"s{draw.randrange(sessions)} é/{seed % 1000}"
        version = versions.get((tenant, session), 0)
        path = path_of(session, tenant=tenant)
        currency = draw.choice(["EUR", "USD", "CHF"])
        attribute = draw.choice(["a", "größe", "c.d"])
        value = draw.choice([1, None, "x\u202e\t", {"deep": [1, 2.5]}, "y" * draw.randrange(200)])
        change = draw.randrange(5) if version else 0
        if change <= 1:
            document = {"siteCode": "main", "currency": currency, "context": {attribute: value}}
            if draw.randrange(3) == 0:
                document["targetLocation"] = draw.choice(["DE", "FR"])
            if version:
                document["metadata"] = {"version": version}
            answer = daemon.request("PUT", path + "?upsert=true", document)
        elif change == 2:
            cart = draw.choice([None, f"cart-{draw.randrange(99)}"])
            answer = daemon.request("PATCH", path, {"metadata": {"version": version}, "cartId": cart})
        elif change == 3:
            answer = daemon.request("POST", path + "/attributes", {"key": attribute, "value": value})
        else:
            answer = daemon.request("DELETE", path + "/attributes/" + quote(attribute))
            if answer.status == 404:
                continue
        assert answer.status == 204, answer
        read = daemon.request("GET", path).json()
        now = read["metadata"]["version"]
        assert now in (version, version + 1)
        versions[tenant, session] = now
        if now > version:
            seen.append(Seen(tenant, session, now, read))
    return seen


def api(daemon: Daemon, path: str):
    answer = daemon.request("GET", path)
    assert answer.status == 200, answer
    return answer.json()


def all_events(daemon: Daemon, tenant: str) -> list[dict]:
    events, after = [], 0
    while page := api(daemon, f"/session-context/{tenant}/events?limit=1000&after={after}")["events"]:
        events += page
        after = page[-1]["position"]
    return events


# Sudden ends


def kill_at_once(data: Path, *words: str, seconds: float) -> bool:
    """Starts sessionctl and ends it with SIGKILL after that time; returns whether it had ended before."""
    process = subprocess.Popen(
        [CONTROL, "--data-dir", data, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment()
    )
    try:
        _, said = process.communicate(timeout=seconds)
        assert process.returncode == 0, said
        return True
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return False


def duration(data: Path, *words: str) -> float:
    started = time.monotonic()
    control(data, *words)
    return time.monotonic() - started
