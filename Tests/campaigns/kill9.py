"""Kills the daemon again and again while clients change sessions, and proves that nothing acknowledged is lost.

    python3 kill9.py --cycles N [--seed S] [--writers 16] [--binary FILE] [--sessionctl FILE]

A cycle: writers change sessions over keep-alive connections and keep a journal of what was acknowledged, of what they
read, and of requests without an answer. In half of the cycles the daemon gets SIGKILL after 20 to 400 ms; in the others
a library that is loaded into it (trap.c) kills it when it comes to a named point of its work for the Nth time, which may
be while it starts. Then it is started on the same data; now and then it is killed once more while it recovers, or loses
its projections. Then, for every session:

- the acknowledged changes and some of those without an answer make up the versions without a gap, each once, and
  applying them in that order to what was there before gives exactly the document that is there now;
- nothing is missing that anybody has been shown;
- each request without an answer is sent again, byte for byte, and must be answered as a single application demands.

Sessions that ended or that nobody changes any more are looked at again, too. Every few cycles `sessionctl verify`
proves that log, chain and snapshots agree. A point that is never come to fails the campaign, too: then the daemon does
something else there than is believed. Exit status: 0 fine, 1 a violation, whose data are kept, 2 wrong use. Needs cc.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "outside"))

from daemon import Daemon, StartFailed, path_of  # noqa: E402
from options import arguments, checked  # noqa: E402
from preload import built  # noqa: E402
from wire import Answer, NoAnswer, Wire, request_bytes  # noqa: E402

TEXT_FIELDS = ("customerId", "siteCode", "currency", "cartId", "targetLocation", "language")
KEYS = [f"k{number}" for number in range(6)]
SHARED_SESSIONS = 4
# Together more than a slice of a flush holds.
OWN_SESSIONS = 6
CHANGES_BEFORE_RETIRING = 400
REMEMBERED_EVENTS = 32
VERIFY_SECONDS = 120
# How long it may take until a point is come to, and which time it may be that counts.
TRAP_SECONDS = 3
PASSES = [1, 2, 3, 5, 10, 20, 40]
# So often a point is tried before it counts as one that is never come to.
TRIES = 3
# Where the daemon can be killed, in the order in which a change comes by.
POINTS = {
    "before-append": "decided, nothing written",
    "after-append": "pages written to the log",
    "before-sync": "all pages written",
    "after-sync": "pages durable, but not counting yet",
    "before-commit": "the same, just before the meta page",
    "after-commit": "durable; not published, not answered",
    "before-wake": "published, not answered",
    "after-wake": "on its way to be answered",
    "before-answer": "the answer is written down",
    "after-answer": "answered",
    "before-flush": "in the overlay, not in the projections",
    "after-flush": "pages written to the projections",
    "before-flush-sync": "all pages written",
    "after-flush-sync": "pages durable, but not counting yet",
    "before-checkpoint": "the same, just before the meta page",
    "after-checkpoint": "snapshots and checkpoint durable; still in the overlay",
    "between-slices": "snapshots durable that are ahead of the checkpoint",
}


class Violation(Exception):
    """The daemon broke a promise."""


# What sessions and changes are


@dataclass(frozen=True)
class State:
    """What a session holds at a version. Version 0: it doesn't exist."""

    version: int = 0
    is_ended: bool = False
    document: str = "{}"  # JSON, so that states can be compared and shared.

    @property
    def is_live(self) -> bool:
        return self.version > 0 and not self.is_ended


@dataclass(eq=False)
class Change:
    """A request that changes a session, and what it does."""

    kind: str
    expected: int | None
    content: dict
    key: str | None
    request: bytes = b""
    after: State | None = None

    def apply(self, state: State) -> State | None:
        """What comes of it when it is accepted in `state`; None when it has to be refused."""
        if state.is_ended:
            return None
        document = json.loads(state.document)
        match self.kind:
            case "put":
                if state.version and state.version != self.expected:
                    return None
                document = dict(self.content)
            case _ if not state.version:
                return None
            case "patch":
                if state.version != self.expected:
                    return None
                document |= self.content
            case "set":
                document["context"] = document.get("context", {}) | {self.content["key"]: self.content["value"]}
            case "remove":
                if self.content["key"] not in document.get("context", {}):
                    return None
                del document["context"][self.content["key"]]
            case "end":
                return State(state.version + 1, True)
        if not document.get("context"):
            document.pop("context", None)
        return State(state.version + 1, False, json.dumps(document, sort_keys=True))

    def refusal(self, state: State) -> int:
        """The status of its refusal in `state`."""
        if state.is_ended:
            return 410
        if not state.version or self.kind == "remove":
            return 404
        return 409


def make_change(kind: str, session: str, number: int, version: int, key: str, chance: random.Random) -> Change:
    """A change that no other one equals: it carries `number`."""
    content: dict = {}
    headers = {"Content-Type": "application/json", "X-Request-Id": f"change-{number}"}
    idempotency_key = f"key-{number}" if chance.random() < 0.5 else None
    if idempotency_key:
        headers["Idempotency-Key"] = idempotency_key
    expected = version if kind in ("put", "patch") else None
    method, path, body = "", path_of(session), None
    match kind:
        case "put":
            method, path = "PUT", path_of(session, query="upsert=true")
            content = {"siteCode": f"put-{number}", "currency": "EUR"}
            if chance.random() < 0.7:
                content["context"] = {name: number for name in chance.sample(KEYS, chance.randint(1, 4))}
        case "patch":
            method = "PATCH"
            content = {chance.choice(["cartId", "siteCode"]): f"patch-{number}"}
            if chance.random() < 0.2:
                content["context"] = {chance.choice(KEYS): [number]}
        case "set":
            method, path = "POST", path_of(session, "attributes")
            content = {"key": key, "value": {"number": number, "filling": "x" * chance.choice([0, 0, 10, 1000])}}
        case "remove":
            method, path = "DELETE", path_of(session, "attributes", key)
            content = {"key": key}
        case "end":
            method = "DELETE"
    if kind in ("put", "patch"):
        sent = dict(content)
        if version and chance.random() < 0.3:
            headers["If-Match"] = f'"{version}"'
        else:
            sent["metadata"] = {"version": version}
        body = json.dumps(sent).encode()
    elif kind == "set":
        body = json.dumps(content).encode()
    return Change(kind, expected, content, idempotency_key, request_bytes(method, path, headers, body))


@dataclass(eq=False)
class Session:
    """A session, what it was at the last check, and this cycle's journal."""

    name: str
    state: State = field(default_factory=State)
    created_at: str = ""
    acknowledged: list[tuple[int, Change]] = field(default_factory=list)
    unknown: list[Change] = field(default_factory=list)
    shown: int = 0  # The newest version that a writer has come across,
    seen: int = 0  # and the one who only reads.

    @property
    def get(self) -> bytes:
        return request_bytes("GET", path_of(self.name))


# Changing


class Writer:
    """A client: changes its own sessions, of which it knows everything, and shared ones, of which it doesn't."""

    def __init__(self, campaign: Campaign, number: int, seed: int):
        self.campaign = campaign
        self.number = number
        self.chance = random.Random(seed)
        self.own = [campaign.new_session(f"own-{number}") for _ in range(OWN_SESSIONS)]
        self.known: dict[str, int] = {}

    def exchange(self, wire: Wire, request: bytes) -> Answer:
        answer = wire.exchange(request)
        if answer.status >= 500:
            self.campaign.take_failure(answer)
        return answer

    def run(self, address: str):
        """Changes sessions until the connection breaks."""
        try:
            with Wire(address) as wire:
                while not self.campaign.is_over.is_set():
                    self.step(wire)
        except NoAnswer:
            return
        except OSError:
            return
        except Exception as error:  # Also what the checks on the way find: it must not end with the thread.
            self.campaign.report(error)

    def step(self, wire: Wire):
        if self.chance.random() < 0.6:
            session = self.chance.choice(self.own)
            self.change_own(wire, session)
        else:
            self.change_shared(wire, self.chance.randrange(SHARED_SESSIONS))

    def change_own(self, wire: Wire, session: Session):
        """Nobody else changes it, so that each answer is known beforehand."""
        state = session.acknowledged[-1][1].after if session.acknowledged else session.state
        if not state.is_live or state.version > CHANGES_BEFORE_RETIRING:
            if state.version:
                self.own.remove(session)
                session = self.campaign.new_session(f"own-{self.number}")
                self.own.append(session)
                state = session.state
            kind = "put"
        else:
            if self.chance.random() < 0.1:
                check_document(self.exchange(wire, session.get), session, state)
                session.shown = state.version
            kinds = ["put", "patch", "set", "set", "patch", "set", "remove", "end"]
            kind = self.chance.choices(kinds, [4, 4, 4, 4, 4, 4, 3, 0.3])[0]
        keys = sorted(json.loads(state.document).get("context", {}))
        if kind == "remove" and not keys:
            kind = "set"
        key = self.chance.choice(keys if kind == "remove" else KEYS)
        change = self.campaign.new_change(kind, session, state.version, key, self.chance)
        answer = self.send(wire, session, change)
        after = change.apply(state)
        if answer.status != 204 or version_of(answer) != after.version:
            raise Violation(
                f"{session.name}: at version {state.version} its only writer sent\n{change.request!r}\n"
                f"which must lead to version {after.version}, and got {answer}"
            )
        change.after = after
        session.acknowledged.append((after.version, change))

    def change_shared(self, wire: Wire, slot: int):
        session = self.campaign.shared[slot]
        known = self.known.get(session.name, 0)
        if self.chance.random() < 0.2:
            answer = self.exchange(wire, session.get)
            if answer.status == 200:
                version = answer.json()["metadata"]["version"]
                if version < known:
                    raise Violation(f"{session.name}: version {known} was there, then version {version} was read")
                self.known[session.name] = known = version
                session.shown = max(session.shown, version)
        kind = self.chance.choices(["put", "patch", "set", "remove", "end"], [4, 4, 4, 2, 0.1])[0] if known else "put"
        change = self.campaign.new_change(kind, session, known, self.chance.choice(KEYS), self.chance)
        answer = self.send(wire, session, change)
        if answer.status == 204:
            version = version_of(answer)
            if version <= known:
                raise Violation(f"{session.name}: version {known} was there, then a change led to version {version}")
            self.known[session.name] = version
            session.acknowledged.append((version, change))
        elif answer.status == 409:
            current = answer.json()["currentVersion"]
            if current < known:
                raise Violation(
                    f"{session.name}: version {known} was there, then a conflict spoke of version {current}"
                )
            self.known[session.name] = current
            session.shown = max(session.shown, current)
        elif answer.status == 412:
            self.known.pop(session.name, None)
        elif answer.status not in (404, 410):
            raise Violation(f"{session.name}: {change.request!r} got {answer}")
        if answer.status == 410 or (answer.status == 204 and kind == "end"):
            self.campaign.replace_shared(slot, session)

    def send(self, wire: Wire, session: Session, change: Change) -> Answer:
        """Sends a change; one without an answer gets into the journal as such."""
        try:
            return self.exchange(wire, change.request)
        except NoAnswer:
            session.unknown.append(change)
            raise


def version_of(answer: Answer) -> int:
    return int(answer.headers["etag"].strip('"'))


# Checking


def check_document(answer: Answer, session: Session, state: State):
    """Checks what a GET answers against what has to be there."""
    if not state.is_live:
        if answer.status != 404:
            raise Violation(f"{session.name}: {'ended' if state.is_ended else 'never begun'}, but a GET got {answer}")
        return
    if answer.status != 200:
        raise Violation(f"{session.name}: must be at version {state.version}, but a GET got {answer}")
    found, created_at = state_of(answer)
    if found != state:
        raise Violation(f"{session.name}: must be\n{state}\nbut is\n{found}")
    if session.created_at and created_at != session.created_at:
        raise Violation(f"{session.name}: was created at {session.created_at}, now at {created_at}")
    session.created_at = created_at


def state_of(answer: Answer) -> tuple[State, str]:
    document = answer.json()
    metadata = document.pop("metadata")
    content = {name: document[name] for name in (*TEXT_FIELDS, "context") if name in document}
    return State(metadata["version"], False, json.dumps(content, sort_keys=True)), metadata["createdAt"]


@dataclass(frozen=True)
class Story:
    """One way in which the journal can have led to what is there: each change without an answer at its version."""

    state: State
    versions: dict[Change, int]

    def retry(self, change: Change) -> tuple[int, Story]:
        """The answer that `change` must get when it is sent again, and the story from then on."""
        version = self.versions.get(change)
        if version is not None:
            is_remembered = change.key is not None and self.state.version - version < REMEMBERED_EVENTS
            is_last = change.kind in ("put", "patch") and version == self.state.version
            if is_remembered or is_last:
                return 204, self
        after = change.apply(self.state)
        if after is None:
            return change.refusal(self.state), self
        return 204, Story(after, self.versions | {change: after.version})


def stories(session: Session, found: State | None) -> Iterator[Story]:
    """All ways in which the session can have come to `found`; None: there is nothing to be read."""
    acknowledged = dict(session.acknowledged)
    if len(acknowledged) != len(session.acknowledged):
        raise Violation(
            f"{session.name}: a version was acknowledged twice: {sorted(v for v, _ in session.acknowledged)}"
        )
    last = max([session.shown, session.seen, *acknowledged])
    if found is not None and found.version < last:
        raise Violation(
            f"{session.name}: version {last} was acknowledged or read, but version {found.version} is there"
        )

    def search(state: State, rest: frozenset[Change], versions: dict[Change, int]) -> Iterator[Story]:
        if (state == found) if found is not None else (not state.is_live and state.version >= last):
            yield Story(state, versions)
        if found is not None and state.version >= found.version:
            return
        version = state.version + 1
        for change in [acknowledged[version]] if version in acknowledged else rest:
            after = change.apply(state)
            if after is not None:
                is_unknown = change in rest
                yield from search(after, rest - {change}, versions | {change: version} if is_unknown else versions)

    return search(session.state, frozenset(session.unknown), {})


class Campaign:
    def __init__(self, options: argparse.Namespace, directory: Path):
        self.options = options
        self.chance = random.Random(options.seed)
        self.daemon = Daemon(directory, config={}, binary=options.binary)
        self.is_over = threading.Event()
        self.problems: list[Exception] = []
        self.session_numbers = itertools.count(1)
        self.change_numbers = itertools.count(1)
        self.active: list[Session] = []
        self.settled: list[Session] = []
        self.shared = [self.new_session("shared") for _ in range(SHARED_SESSIONS)]
        self.slots = threading.Lock()
        self.writers = [Writer(self, number, self.chance.randrange(1 << 62)) for number in range(options.writers)]
        self.acknowledged = 0
        self.repeated = 0
        self.verified = 0
        self.trap = built(HERE / "trap.c", directory)
        self.tried: Counter[str] = Counter()
        self.hit: Counter[str] = Counter()
        self.points: list[str] = []

    def new_session(self, prefix: str) -> Session:
        session = Session(f"{prefix}-{next(self.session_numbers)}")
        self.active.append(session)
        return session

    def replace_shared(self, slot: int, ended: Session):
        with self.slots:
            if self.shared[slot] is ended:
                self.shared[slot] = self.new_session("shared")

    def new_change(self, kind: str, session: Session, version: int, key: str, chance: random.Random) -> Change:
        return make_change(kind, session.name, next(self.change_numbers), version, key, chance)

    def take_failure(self, answer: Answer):
        """Takes an answer that says nothing of what was done. Where nothing but the daemon's end may fail, it is wrong."""
        raise Violation(f"it answered {answer}")

    def report(self, error: Exception):
        self.problems.append(error)
        self.is_over.set()

    # A cycle

    def start(self, point: str | None = None):
        """Starts the daemon; now and then it loses its projections before, or is killed while it recovers.

        With a `point` it will be killed there, perhaps already while it starts; then it is not ready on return.
        """
        if self.daemon.data.exists() and self.chance.random() < 0.03:
            shutil.rmtree(self.daemon.data / "projections", ignore_errors=True)
        # Flushes that wait long don't come by often enough for a point among them.
        intervals = [1, 10] if point and ("flush" in point or "checkpoint" in point) else [1, 10, 100, 1000]
        passes = PASSES
        if point == "between-slices":
            # One that is worth more than a slice, and still some of them before the time is up.
            intervals, passes = [600], [1, 2, 3]
        self.daemon.config = {
            "anonymousTTLSeconds": 0,
            "storage": {"flushIntervalMilliseconds": self.chance.choice(intervals), "mapSizeBytes": 1 << 34},
        }
        if self.chance.random() < 0.15:
            self.daemon.launch()
            time.sleep(self.chance.uniform(0, 0.06))  # The moment of the kill is what is tried here.
            self.daemon.kill()
        if point is None:
            self.daemon.start()
            return
        self.tried[point] += 1
        self.daemon.variables = {
            "LD_PRELOAD": str(self.trap),
            "TRAP_AT": f"{point}:{self.chance.choice(passes)}",
            "TRAP_PAUSE": str(self.chance.choice([0, 0, 20])),
        }
        try:
            self.daemon.start()
        except StartFailed as failure:
            self.note_end(point, failure.status)
        finally:
            self.daemon.variables = {}

    def cycle(self):
        point = self.next_point() if self.chance.random() < 0.5 else None
        if point:
            self.daemon.kill()
            self.start(point)
        if self.daemon.process is not None:
            self.work(point)
        self.start()
        self.settle_all()

    def join(self, threads: list[threading.Thread]):
        """Waits for the clients of a daemon that has ended."""
        for thread in threads:
            thread.join(30)
            if thread.is_alive():
                raise Violation("a client still waits for an answer of a daemon that is gone")
        if self.problems:
            raise self.problems[0]

    def settle_all(self):
        """Checks after a restart all that was changed before it, and some of what wasn't."""
        with self.daemon.wire() as wire:
            for session in self.active:
                self.settle(wire, session)
            self.retire()
            for session in self.chance.sample(self.settled, min(10, len(self.settled))):
                check_document(wire.exchange(session.get), session, session.state)

    def next_point(self) -> str:
        """Each point comes as often as any other."""
        if not self.points:
            self.points = self.chance.sample(list(POINTS), len(POINTS))
        return self.points.pop()

    def work(self, point: str | None):
        """Has the writers work until the daemon is killed: at the point, or after some time."""
        clients = [*(writer.run for writer in self.writers), self.read]
        threads = [threading.Thread(target=client, args=(self.daemon.address,)) for client in clients]
        for thread in threads:
            thread.start()
        if point is None:
            self.is_over.wait(self.chance.uniform(0.02, 0.4))
        else:
            # It ends when a writer has found something wrong, too; then there is nothing to wait for.
            until = time.monotonic() + TRAP_SECONDS
            while self.daemon.process.poll() is None and time.monotonic() < until and not self.is_over.wait(0.002):
                pass
        if self.daemon.process.poll() is None:
            self.daemon.kill()
        else:
            self.note_end(point, self.daemon.wait())
        self.join(threads)

    def read(self, address: str):
        """Reads what others change, until the connection breaks: what it is shown must stay."""
        try:
            with Wire(address) as wire:
                while not self.is_over.wait(0.001):
                    for session in list(self.shared):
                        answer = wire.exchange(session.get)
                        if answer.status == 200:
                            session.seen = max(session.seen, answer.json()["metadata"]["version"])
        except (NoAnswer, OSError):
            return
        except Exception as error:  # It must not end with the thread.
            self.report(error)

    def note_end(self, point: str | None, status: int | None):
        """Takes note of an end that wasn't asked for by a signal, which has to be the one at the point."""
        if point is None or status != -signal.SIGKILL or f"killed at {point}" not in self.daemon.stderr:
            raise Violation(f"the daemon ended by itself with status {status}")
        self.hit[point] += 1

    def settle(self, wire: Wire, session: Session):
        """Checks a session after a restart, sends again what had no answer, and begins a new journal."""
        answer = wire.exchange(session.get)
        found = state_of(answer)[0] if answer.status == 200 else None
        possible = list(stories(session, found))
        if not possible:
            raise Violation(self.explain(session, answer))
        self.acknowledged += len(session.acknowledged)
        for change in self.chance.sample(session.unknown, len(session.unknown)):
            answer = wire.exchange(change.request)
            self.repeated += 1
            told = []
            for story in possible:
                status, after = story.retry(change)
                # If-Match says the same as a version in the body, but is refused with a status of its own.
                if status == 409 and b"If-Match" in change.request:
                    status = 412
                if answer.status == status and (status != 204 or version_of(answer) == after.versions[change]):
                    told.append(after)
            if not told:
                expected = [
                    (status, story.versions.get(change)) for status, story in (s.retry(change) for s in possible)
                ]
                raise Violation(
                    f"{session.name}: sent again after a restart:\n{change.request!r}\ngot {answer}\n"
                    f"where one of these (status, version) is right: {expected}\n{self.explain(session, answer)}"
                )
            possible = told
        answer = wire.exchange(session.get)
        found = state_of(answer)[0] if answer.status == 200 else None
        possible = [story for story in possible if story.state == found or (found is None and not story.state.is_live)]
        if not possible:
            raise Violation(f"after the retries\n{self.explain(session, answer)}")
        session.state = possible[0].state
        check_document(answer, session, session.state)
        session.acknowledged, session.unknown, session.shown, session.seen = [], [], 0, 0

    @staticmethod
    def explain(session: Session, answer: Answer) -> str:
        lines = [
            f"{session.name}: what is there can't have come of what was acknowledged and what may have been accepted",
            f"before this cycle: {session.state}",
            f"shown to readers: version {max(session.shown, session.seen)}",
        ]
        lines += [
            f"acknowledged as version {version}: {change.request!r}"
            for version, change in sorted(session.acknowledged, key=lambda entry: entry[0])
        ][-40:]
        lines += [f"without an answer: {change.request!r}" for change in session.unknown]
        return "\n".join([*lines, f"there now: {answer}"])

    def retire(self):
        """Sessions that nobody changes any more are only looked at from now on."""
        in_use = {id(session) for session in self.shared}
        in_use |= {id(session) for writer in self.writers for session in writer.own}
        self.settled += [session for session in self.active if id(session) not in in_use]
        self.active = [session for session in self.active if id(session) in in_use]

    def verify(self):
        """Lets sessionctl prove that log, chain and snapshots agree."""
        if self.options.no_verify:
            return
        command = [str(self.options.sessionctl), "--data-dir", str(self.daemon.data), "verify"]
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=VERIFY_SECONDS, check=False
        )
        if result.returncode != 0:
            raise Violation(f"{' '.join(command)}: status {result.returncode}\n{result.stdout}{result.stderr}")
        self.verified += 1

    def finish(self):
        """Looks at every session there ever was, then stops in order and verifies what is on disk."""
        with self.daemon.wire() as wire:
            for session in self.active + self.settled:
                check_document(wire.exchange(session.get), session, session.state)
                if session.state.is_ended:
                    late = request_bytes(
                        "PUT", path_of(session.name, query="upsert=true"), {"Content-Type": "application/json"}, b"{}"
                    )
                    answer = wire.exchange(late)
                    if answer.status != 410:
                        raise Violation(f"{session.name}: ended, but a late save got {answer}")
        self.verify()
        status = self.daemon.terminate()
        if status != 0:
            raise Violation(f"SIGTERM ended the daemon with status {status}")
        self.verify()
        missed = [point for point in POINTS if self.tried[point] >= TRIES and not self.hit[point]]
        if missed:
            raise Violation(f"never come to, however often it was tried: {', '.join(missed)}")


def main() -> int:
    parser = arguments("Kills the daemon again and again", "cycles")
    parser.add_argument("--writers", type=int, default=16)
    parser.add_argument("--verify-every", type=int, default=10, metavar="CYCLES")
    parser.add_argument("--no-verify", action="store_true", help="leave out what needs sessionctl")
    options = checked(parser)
    needed = [options.binary] if options.no_verify else [options.binary, options.sessionctl]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"seed {options.seed}, {options.cycles} cycles, {options.writers} writers")
    # Programs of different builds may not read each other's files.
    for program in needed:
        print(f"{program}, built {time.strftime('%F %T', time.localtime(program.stat().st_mtime))}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="sessiond-kill9-"))
    campaign = Campaign(options, directory)
    passed, started = 0, time.monotonic()
    problem: Exception | None = None
    try:
        campaign.start()
        for number in range(1, options.cycles + 1):
            campaign.cycle()
            if number % options.verify_every == 0:
                campaign.verify()
            passed += 1
            if number % max(1, options.cycles // 10) == 0:
                print(f"{number} cycles, {campaign.acknowledged} changes acknowledged", flush=True)
        campaign.finish()
    except Exception as error:
        problem = error
    finally:
        campaign.is_over.set()
        campaign.daemon.kill()
    seconds = time.monotonic() - started
    if problem is not None:
        print(f"\nVIOLATION in cycle {passed + 1}: {type(problem).__name__}\n{problem}")
        print(f"\nthe daemon wrote\n{campaign.daemon.stderr}\nthe data are kept in {campaign.daemon.data}")
    else:
        shutil.rmtree(directory)
    print("killed at " + ", ".join(f"{point} {campaign.hit[point]}" for point in POINTS))
    print(
        f"seed {options.seed}: {passed} cycles in {seconds:.1f} s, {campaign.acknowledged} changes acknowledged, "
        f"{campaign.repeated} requests without an answer sent again, {campaign.verified} verifications"
    )
    failed = 0 if problem is None else 1
    print(f"{passed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main())
