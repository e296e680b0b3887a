"""Many clients change and read few sessions at once, and one order that respects real time must explain each answer.

    python3 linearizable.py --operations N [--seed S] [--clients 64] [--readers 8] [--binary FILE]

In a round, 64 clients change 20 new sessions, mostly with the version that they expect, and read them; readers do
nothing else. Now and then a client closes its connection before the answer comes and sends the same bytes again, with
or without an Idempotency-Key, as often as it takes. In half of the rounds the daemon is stopped in between, in order or
with kill -9, and started again. Then each session's history, as the API lists it, must explain all that was seen; what
that means stands in ../outside/linearity.py. Exit status: 0 fine, 1 a violation, 2 wrong use.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "outside"))

from daemon import Daemon, path_of  # noqa: E402
from kill9 import KEYS, Change, State, make_change, state_of, version_of  # noqa: E402
from linearity import Inexplicable, Look, Write, explain  # noqa: E402
from options import arguments, checked  # noqa: E402
from wire import Answer, NoAnswer, Wire, request_bytes  # noqa: E402

SESSIONS = 20
OPERATIONS_A_ROUND = 10_000
THROWN_AWAY = 0.05
ROUND_SECONDS = 120.0
CONFIG = {"anonymousTTLSeconds": 0, "storage": {"flushIntervalMilliseconds": 20}}


class Violation(Exception):
    """The daemon broke a promise."""


@dataclass
class Session:
    name: str
    writes: dict[str, Write] = field(default_factory=dict)
    looks: list[Look] = field(default_factory=list)


class Client:
    """Sends one request after the other and writes down when each began and ended."""

    def __init__(self, campaign: Campaign, seed: int):
        self.campaign = campaign
        self.chance = random.Random(seed)
        self.wire: Wire | None = None

    def run(self):
        versions: dict[str, int] = {}
        session = self.chance.choice(self.campaign.sessions)
        try:
            while self.campaign.take_operation():
                # Most changes go to a session that the client just had to do with, so that not all of them are refused.
                if self.chance.random() < 0.3:
                    session = self.chance.choice(self.campaign.sessions)
                self.step(session, versions)
        except Exception as error:  # It must not end with the thread.
            self.campaign.problems.append(error)
        finally:
            self.disconnect()

    def step(self, session: Session, versions: dict[str, int]):
        self.read(session)

    def disconnect(self):
        if self.wire is not None:
            self.wire.close()
            self.wire = None

    def attempt(self, data: bytes, is_thrown_away: bool = False) -> Answer | None:
        """Sends a request; None when there is no answer, or none that says what became of it."""
        try:
            if self.wire is None:
                self.wire = Wire(self.campaign.address, timeout=30)
            if is_thrown_away:
                self.wire.send(data)
                time.sleep(self.chance.choice((0, 0, 0.001, 0.01)))
                self.disconnect()
                return None
            answer = self.wire.exchange(data)
        except (NoAnswer, OSError):
            self.disconnect()
            time.sleep(0.005)
            return None
        if answer.closes:
            self.disconnect()
        if answer.status >= 500:
            if answer.status != 503:
                raise Violation(f"{data!r} got {answer}")
            time.sleep(0.01)
            return None
        return answer

    def read(self, session: Session) -> int | None:
        """The version that is shown."""
        begin = time.monotonic()
        answer = self.attempt(request_bytes("GET", path_of(session.name)))
        end = time.monotonic()
        if answer is None:
            return None
        if answer.status == 404:
            state = State()
        elif answer.status == 200:
            state = state_of(answer)[0]
        else:
            raise Violation(f"a GET of {session.name} got {answer}")
        session.looks.append(Look(state.version, begin, end, state))
        return state.version


class Writer(Client):
    def step(self, session: Session, versions: dict[str, int]):
        known = versions.get(session.name)
        if known is None or self.chance.random() < 0.35:
            known = self.read(session)
            if known is not None:
                versions[session.name] = known
            return
        kind = self.chance.choice(("put", "patch", "patch", "set")) if known else "put"
        number = next(self.campaign.numbers)
        change = make_change(kind, session.name, number, known, self.chance.choice(KEYS), self.chance)
        write = self.send(session, change)
        session.writes[f"change-{number}"] = write
        if write.version is not None:
            versions[session.name] = write.version
        elif write.refused_at is not None:
            versions[session.name] = write.refused_at

    def send(self, session: Session, change: Change) -> Write:
        """Sends a change until there is an answer, if it is one that may be sent again."""
        is_repeatable = change.key is not None or change.kind in ("put", "patch")
        begin, attempts = time.monotonic(), 0
        while True:
            attempts += 1
            started = time.monotonic()
            is_thrown_away = is_repeatable and attempts < 4 and self.chance.random() < THROWN_AWAY
            answer = self.attempt(change.request, is_thrown_away)
            if answer is not None:
                break
            if not is_repeatable or started - begin > ROUND_SECONDS:
                return Write(change, begin)
        end = time.monotonic()
        self.campaign.counts["sent again"] += attempts > 1
        if answer.status == 204:
            return Write(change, begin, end, attempts, version=version_of(answer))
        if answer.status not in (409, 412):
            raise Violation(f"{change.request!r} got {answer}")
        # The refusal shows the current version as a read does that began with the last attempt.
        current = answer.json()["currentVersion"]
        session.looks.append(Look(current, started, end))
        return Write(change, begin, end, attempts, refused_at=current)


class Campaign:
    def __init__(self, options: argparse.Namespace, folder: Path):
        self.options = options
        self.folder = folder
        self.chance = random.Random(options.seed)
        # The address stays the same across restarts.
        self.address = f"unix:{folder}/socket"
        self.daemon = Daemon(folder, config=CONFIG, listen=(self.address,), binary=options.binary)
        self.numbers = itertools.count(1)
        self.rounds = itertools.count(1)
        self.problems: list[Exception] = []
        self.counts: Counter[str] = Counter()
        self.sessions: list[Session] = []
        self.operations = iter(range(0))

    def take_operation(self) -> bool:
        return not self.problems and next(self.operations, None) is not None

    def run(self):
        self.daemon.start()
        shown = 0
        while self.counts["operations"] < self.options.operations:
            self.round(min(OPERATIONS_A_ROUND, self.options.operations - self.counts["operations"]))
            if self.counts["operations"] - shown >= self.options.operations / 10:
                shown = self.counts["operations"]
                print(f"{shown} operations", flush=True)
        if (status := self.daemon.terminate()) != 0:
            raise Violation(f"SIGTERM ended the daemon with status {status}")

    def round(self, operations: int):
        number = next(self.rounds)
        self.sessions = [Session(f"round-{number}-{place}") for place in range(SESSIONS)]
        self.operations = iter(range(operations))
        clients: list[Client] = [Writer(self, self.chance.getrandbits(32)) for _ in range(self.options.clients)]
        clients += [Client(self, self.chance.getrandbits(32)) for _ in range(self.options.readers)]
        threads = [threading.Thread(target=client.run, daemon=True) for client in clients]
        for thread in threads:
            thread.start()
        if self.chance.random() < 0.5:
            time.sleep(self.chance.uniform(0.05, 1))
            self.restart()
        for thread in threads:
            thread.join(ROUND_SECONDS)
            if thread.is_alive():
                raise Violation(f"a client still waits after {ROUND_SECONDS} s")
        if self.problems:
            raise self.problems[0]
        for session in self.sessions:
            self.check(session)
        self.counts["operations"] += operations

    def restart(self):
        if self.chance.random() < 0.5:
            self.daemon.kill()
        elif (status := self.daemon.terminate()) != 0:
            raise Violation(f"SIGTERM ended the daemon with status {status}")
        self.daemon.start()
        self.counts["restarts"] += 1

    def check(self, session: Session):
        answer = self.daemon.request("GET", path_of(session.name))
        now = time.monotonic()
        last = state_of(answer)[0] if answer.status == 200 else State()
        session.looks.append(Look(last.version, now, now, last))
        events = self.history(session)
        history = [(event["sessionversion"], event.get("requestid", "")) for event in events]
        try:
            final = explain(State(), session.writes, session.looks, history)
        except Inexplicable as reason:
            (self.folder / "session.json").write_text(
                json.dumps(
                    {
                        "session": session.name,
                        "writes": {name: str(write) for name, write in session.writes.items()},
                        "looks": [str(look) for look in sorted(session.looks, key=lambda look: look.begin)],
                        "events": events,
                    },
                    indent=1,
                )
            )
            raise Violation(f"{session.name}: {reason}") from None
        if final != last:
            raise Violation(f"{session.name} is {last} in the end, but its events make {final}")
        self.counts["changes"] += len(history)
        self.counts["refusals"] += sum(write.refused_at is not None for write in session.writes.values())
        self.counts["looks"] += len(session.looks)
        self.counts["unanswered"] += sum(write.version is write.refused_at is None for write in session.writes.values())

    def history(self, session: Session) -> list[dict]:
        """The session's events as its history lists them, oldest first."""
        events: list[dict] = []
        path: str | None = path_of(session.name, "events", query="limit=1000")
        while path is not None:
            answer = self.daemon.request("GET", path)
            if answer.status == 404 and not events:
                return []
            if answer.status != 200:
                raise Violation(f"the history of {session.name} got {answer}")
            page = answer.json()
            events += page["events"]
            path = page.get("next")
        return events[::-1]


def main() -> int:
    parser = arguments("Consistency", "operations", has_control=False)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--readers", type=int, default=8)
    options = checked(parser)
    print(f"seed {options.seed}", flush=True)
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="sessiond-linearizable-"))
    campaign = Campaign(options, folder)
    try:
        campaign.run()
    except Violation as violation:
        print(f"VIOLATION: {violation}\nthe daemon wrote\n{campaign.daemon.stderr}")
        print(f"what was seen and the data are kept in {folder}; seed {options.seed}", flush=True)
        return 1
    finally:
        campaign.daemon.kill()
    shutil.rmtree(folder)
    counts = campaign.counts
    seconds = time.monotonic() - started
    print(
        f"seed {options.seed}: {counts['operations']} operations passed in {seconds:.1f} s: {counts['changes']} "
        f"changes, {counts['refusals']} conflicts and {counts['looks']} looks explained, "
        f"{counts['sent again']} sent again, {counts['unanswered']} left without an answer, "
        f"{counts['restarts']} restarts"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
