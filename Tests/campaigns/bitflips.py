"""Flips one bit in the files of a store, again and again: it must be found, or be harmless, and never be a wrong answer.

    python3 bitflips.py --flips N [--seed S] [--jobs 2] [--binary FILE] [--sessionctl FILE]

A store with a long past is made once: several tenants, values on pages of their own, ended and erased sessions, a list of
freed pages. Its documents, histories and feeds are noted. For each flip a copy of it gets one bit changed, anywhere in
log/data.mdb or projections/data.mdb; pages of each kind have their share, and so have the keys of records, the tables'
names, and the parts that hold structure.
Then the daemon starts on it, is read, changes some sessions, is read again, stops, starts and is read once more:

- every answer is the one that the intact store gave, or a 5xx;
- a start that is refused, a 5xx, a failure and a crash come with a message that names what is damaged;
- what has been acknowledged after the flip is there as long as the daemon starts;
- `sessionctl verify` and `status` end in order.

Exit status: 0 fine, 1 a violation, whose data are kept, 2 wrong use.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "outside"))

from daemon import Daemon, StartFailed, environment, path_of  # noqa: E402
from kill9 import Violation  # noqa: E402
from options import arguments, checked  # noqa: E402
from pages import PAGE, Pages  # noqa: E402
from wire import Answer, NoAnswer, Wire, request_bytes  # noqa: E402

CONFIG = {"anonymousTTLSeconds": 0, "storage": {"flushIntervalMilliseconds": 20, "mapSizeBytes": 1 << 30}}
TENANTS = {"acme": 160, "beta": 40, "gamma": 3}
FILES = ("log", "projections")
# How often a page of each kind is drawn, or the key of a record, or a table's name; "any" is any page of the file, most
# of them free ones.
KINDS = {"meta": 3, "free list": 3, "branch": 5, "leaf": 8, "key": 5, "name": 1, "overflow": 3, "any": 3}
# What a message must hold that tells somebody of the damage.
NAMES = ("damaged", "could not", "has format")


@dataclass(frozen=True)
class Flip:
    file: str
    kind: str
    place: int
    bit: int

    def __str__(self) -> str:
        page, byte = divmod(self.place, PAGE)
        return f"bit {self.bit} of byte {byte} of page {page} of {self.file}/data.mdb, {self.kind}"


@dataclass
class Truth:
    """What the intact store answers, by path."""

    answers: dict[str, tuple[int, object]] = field(default_factory=dict)
    # The documents of sessions that may be changed, by tenant and session.
    live: dict[tuple[str, str], dict] = field(default_factory=dict)


def told(answer: Answer) -> tuple[int, object]:
    """What counts of an answer."""
    return answer.status, answer.json() if answer.status == 200 else None


def get(wire: Wire, path: str) -> Answer:
    return wire.exchange(request_bytes("GET", path))


def send(wire: Wire, method: str, path: str, body: dict | None = None) -> Answer:
    headers = {"Content-Type": "application/json"} if body is not None else {}
    return wire.exchange(request_bytes(method, path, headers, None if body is None else json.dumps(body).encode()))


def prepare(directory: Path, options: argparse.Namespace, chance: random.Random) -> Truth:
    """Makes the store, in `directory`, and returns what it answers."""
    daemon = Daemon(directory, CONFIG, binary=options.binary)
    # Few of the names that lie between two of them are taken, so that a changed one is still in order.
    sessions = [(tenant, f"{chance.getrandbits(48):012x}") for tenant, count in TENANTS.items() for _ in range(count)]
    truth = Truth()
    try:
        for rounds in range(3):
            daemon.start()
            with daemon.wire() as wire:
                for tenant, session in sessions if not rounds else chance.sample(sessions, len(sessions) // 2):
                    change_some(wire, tenant, session, rounds, chance)
            if daemon.terminate() != 0:
                raise Violation(f"the intact store does not end in order\n{daemon.stderr}")
        daemon.start()
        paths = [path_of(session, tenant=tenant) for tenant, session in sessions]
        paths += [path_of(session, "events", tenant=tenant) for tenant, session in chance.sample(sessions, 40)]
        paths += [f"/session-context/{tenant}/contexts?customerId=c{number}" for tenant in TENANTS for number in range(5)]
        paths.append("/session-context/nobody/context/s-1")
        with daemon.wire() as wire:
            for tenant in TENANTS:
                after = 0
                while True:
                    paths.append(f"/session-context/{tenant}/events?limit=500&after={after}")
                    events = get(wire, paths[-1]).json()["events"]
                    if len(events) < 500:
                        break
                    after = events[-1]["position"]
            for path in paths:
                truth.answers[path] = told(get(wire, path))
            for tenant, session in sessions:
                status, document = truth.answers[path_of(session, tenant=tenant)]
                if status == 200 and "customerId" not in document:
                    truth.live[tenant, session] = document
        if daemon.terminate() != 0:
            raise Violation(f"the intact store does not end in order\n{daemon.stderr}")
    finally:
        daemon.kill()
    return truth


def change_some(wire: Wire, tenant: str, session: str, rounds: int, chance: random.Random):
    path = path_of(session, tenant=tenant)
    document = {"siteCode": f"site-{rounds}", "currency": "EUR"}
    if chance.random() < 0.2:
        document["customerId"] = f"c{chance.randrange(5)}"
    if not rounds:
        send(wire, "PUT", path + "?upsert=true", document)
    for number in range(chance.randrange(1, 8)):
        value = "x" * chance.choice([0, 10, 100, 100, 100, 300, 600, 600, 1200, 4500])
        send(wire, "POST", path + "/attributes", {"key": f"k{number}", "value": [rounds, value]})
    draw = chance.random()
    if rounds == 2 and draw < 0.1:
        send(wire, "DELETE", path)
    elif rounds == 2 and draw < 0.15:
        send(wire, "POST", f"/session-context/{tenant}/erasures", {"sessionId": session})


def draw_flip(chance: random.Random, files: dict[str, Pages], kinds: dict[str, dict[str, list[int]]]) -> Flip:
    name = chance.choice(FILES)
    kind = chance.choices(list(KINDS), list(KINDS.values()))[0]
    if kind in ("key", "name"):
        place, length = chance.choice(files[name].keys() if kind == "key" else files[name].names())
        return Flip(name, kind, place + chance.randrange(length), chance.randrange(8))
    pages = kinds[name].get(kind)
    page = chance.choice(pages) if pages else chance.randrange(len(files[name].bytes) // PAGE)
    # Headers, and the list of nodes behind them, are where structure is densest.
    byte = chance.choice([chance.randrange(16), chance.randrange(16, 160), *[chance.randrange(PAGE)] * 3])
    if kind == "meta":
        byte = chance.choice([chance.randrange(16, 152), chance.randrange(PAGE)])
    return Flip(name, kind if pages else "any", page * PAGE + byte, chance.randrange(8))


class Trial:
    """One flip, and what comes of it."""

    def __init__(self, flip: Flip, truth: Truth, directory: Path, options: argparse.Namespace, seed: int):
        self.flip = flip
        self.options = options
        self.chance = random.Random(seed)
        self.answers = dict(truth.answers)
        self.live = dict(truth.live)
        self.daemon = Daemon(directory, CONFIG, binary=options.binary)
        self.found: set[str] = set()
        self.written = ""
        # Whether the process that runs now has answered that it could not.
        self.has_failed = False

    def run(self):
        """What it came to, in a word."""
        try:
            for is_first in (True, False):
                if not self.start():
                    break
                try:
                    with self.daemon.wire(60) as wire:
                        self.read(wire)
                        if is_first:
                            self.change(wire)
                            self.read(wire)
                    ending = self.daemon.terminate()
                except (NoAnswer, OSError):
                    ending = self.daemon.wait()
                self.end(ending)
        finally:
            self.daemon.kill()
            self.written += self.daemon.stderr
        self.control("verify")
        self.control("status")

    def start(self) -> bool:
        self.has_failed = False
        try:
            self.daemon.start()
            if "are built anew" in self.daemon.stderr:
                self.found.add("rebuilt")
            return True
        except StartFailed as error:
            if error.status is None:
                raise Violation(f"it neither starts nor ends: {error}") from error
            self.end(error.status, "refused")
            return False

    def end(self, status: int, word: str = "failed"):
        """Whether it may have ended like that."""
        text = self.daemon.stderr
        self.written += text
        if status == 0:
            if self.has_failed and not any(name in text for name in NAMES):
                raise Violation(f"a 5xx without a message\n{text}")
            return
        self.found.add("crashed, saying so" if status < 0 else word)
        if status not in (1, 3) and status > 0 or not any(name in text for name in NAMES):
            raise Violation(f"it ended with status {status} without a message\n{text}")

    def read(self, wire: Wire):
        for path, expected in self.answers.items():
            answer = get(wire, path)
            if answer.status >= 500:
                self.fail()
            elif told(answer) != expected:
                raise Violation(f"GET {path} got {answer}, which must be {expected}")

    def change(self, wire: Wire):
        for tenant, session in self.chance.sample(sorted(self.live), 8):
            self.forget(tenant, session)
            path, document = path_of(session, tenant=tenant), self.live[tenant, session]
            value = "y" * self.chance.choice([0, 100, 3000])
            answer = send(wire, "POST", path + "/attributes", {"key": "new", "value": value})
            if answer.status >= 500:
                # It may have been done or not; the check is on what is known.
                self.fail()
                self.answers.pop(path, None)
                continue
            version = document["metadata"]["version"] + 1
            if answer.status != 204 or answer.headers["etag"] != f'"{version}"':
                raise Violation(f"a change of {path}, at version {version - 1}, got {answer}")
            answer = get(wire, path)
            if answer.status >= 500:
                self.fail()
                self.answers.pop(path, None)
                continue
            found = answer.json()
            expected = document | {"context": document.get("context", {}) | {"new": value}}
            expected["metadata"] = document["metadata"] | {"version": version}
            found_times = {"modifiedAt": found["metadata"]["modifiedAt"]}
            expected["metadata"] |= found_times
            if found != expected:
                raise Violation(f"after a change {path} is {found}, which must be {expected}")
            self.answers[path] = (200, found)
        for number in range(4):
            tenant = self.chance.choice([*TENANTS, "delta"])
            path = path_of(f"new-{number}", tenant=tenant)
            answer = send(wire, "PUT", path + "?upsert=true", {"siteCode": "new"})
            self.forget(tenant, f"new-{number}")
            if answer.status >= 500:
                self.fail()
            elif answer.status != 204:
                raise Violation(f"a new session, {path}, got {answer}")
            else:
                answer = get(wire, path)
                if answer.status < 500:
                    if answer.status != 200 or answer.json()["metadata"]["version"] != 1:
                        raise Violation(f"a new session, {path}, is {answer}")
                    self.answers[path] = told(answer)

    def fail(self):
        self.found.add("5xx")
        self.has_failed = True

    def forget(self, tenant: str, session: str):
        """Leaves out what a change of the session changes, too: its history, and the end of the tenant's feed."""
        start = f"/session-context/{tenant}/events?"
        last = max((path for path in self.answers if path.startswith(start)), key=lambda path: int(path.split("=")[-1]),
                   default="")  # fmt: skip
        self.answers.pop(last, None)
        self.answers.pop(path_of(session, "events", tenant=tenant), None)

    def control(self, command: str):
        line = [str(self.options.sessionctl), "--data-dir", str(self.daemon.data), command]
        done = subprocess.run(line, capture_output=True, text=True, timeout=120, env=environment(), check=False)
        if done.returncode not in (0, 1, 3):
            raise Violation(f"sessionctl {command} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        if done.returncode and not any(name in done.stdout + done.stderr for name in (*NAMES, " finding")):
            raise Violation(f"sessionctl {command} found something that it doesn't name\n{done.stdout}{done.stderr}")
        if done.returncode:
            self.found.add(command)


class Campaign:
    def __init__(self, options: argparse.Namespace, folder: Path):
        self.options = options
        self.folder = folder
        self.chance = random.Random(options.seed)
        self.words: Counter[str] = Counter()
        self.by_kind: Counter[tuple[str, str]] = Counter()

    def run(self):
        self.truth = prepare(self.folder, self.options, self.chance)
        files = {name: Pages(self.folder / "data" / name / "data.mdb") for name in FILES}
        kinds: dict[str, dict[str, list[int]]] = {name: {} for name in FILES}
        for name in FILES:
            for page, kind in sorted(files[name].used().items()):
                kinds[name].setdefault(kind, []).append(page)
            counts = ", ".join(f"{len(pages)} {kind}" for kind, pages in kinds[name].items())
            print(f"{name}: {len(files[name].bytes) // PAGE} pages: {counts}", flush=True)
        flips = [(draw_flip(self.chance, files, kinds), self.chance.getrandbits(32)) for _ in range(self.options.flips)]
        with ThreadPoolExecutor(self.options.jobs) as pool:
            results = pool.map(lambda entry: self.trial(entry[0], *entry[1]), enumerate(flips))
            for done, problem in enumerate(results, 1):
                if problem:
                    pool.shutdown(cancel_futures=True)
                    raise problem
                if done % max(1, len(flips) // 10) == 0:
                    print(f"{done} flips", flush=True)

    def trial(self, number: int, flip: Flip, seed: int) -> Violation | None:
        place = self.folder / f"flip-{number}"
        shutil.copytree(self.folder / "data", place / "data")
        Pages.flip_in(place / "data" / flip.file / "data.mdb", flip.place, flip.bit)
        trial = Trial(flip, self.truth, place, self.options, seed)
        try:
            trial.run()
        except Exception as error:
            # The daemon's own word is part of what is needed to see why.
            text = trial.written or trial.daemon.stderr
            return Violation(f"flip {number}, {flip}: {type(error).__name__}: {error}\nit wrote\n{text}\nkept in {place}")
        shutil.rmtree(place)
        words = sorted(trial.found) or ["harmless"]
        self.words.update(words)
        self.by_kind[flip.kind, "harmless" if words == ["harmless"] else "found"] += 1
        return None


def main() -> int:
    parser = arguments("Bit flips", "flips")
    parser.add_argument("--jobs", type=int, default=2)
    options = checked(parser)
    print(f"seed {options.seed}, {options.flips} flips", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="sessiond-bitflips-")).resolve()
    campaign, started = Campaign(options, folder), time.monotonic()
    try:
        campaign.run()
    except Violation as violation:
        print(f"VIOLATION: {violation}\nseed {options.seed}, {options.flips} flips", flush=True)
        return 1
    shutil.rmtree(folder)
    for kind in KINDS:
        harmless, found = campaign.by_kind[kind, "harmless"], campaign.by_kind[kind, "found"]
        print(f"{kind}: {harmless + found} flips, {found} found, {harmless} harmless")
    print("what was seen: " + ", ".join(f"{word} {count}" for word, count in campaign.words.most_common()))
    print(f"{options.flips} flips passed in {time.monotonic() - started:.0f} s; seed {options.seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
