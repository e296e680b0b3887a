"""Cuts the power at any moment, on paper: rebuilds the disk as it may look then, and has the daemon start on it.

    python3 powercut.py --states N [--seed S] [--writers 6] [--binary FILE] [--sessionctl FILE]

A library that is loaded into the daemon records each write, sync, creation and renaming in its data directory, while
clients change sessions and note how many records there were when each change was acknowledged. Then N times: a cut after
some record. What had been synchronized by then is on the disk. Of each later write, every sector of 512 bytes is there or
isn't, by chance; so is every file's name that its folder wasn't synchronized for. The daemon starts on that disk, and

- each session holds a state that its client had made: at least the one acknowledged before the cut, at most the one that
  was asked for by then;
- `sessionctl verify` proves that log, chain and snapshots agree;
- sessions can be changed again.

Exit status: 0 fine, 1 a violation, whose disk is kept, 2 wrong use. Needs cc.
"""

from __future__ import annotations

import argparse
import json
import mmap
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "outside"))

from daemon import Daemon, StartFailed, path_of  # noqa: E402
from kill9 import Change, State, make_change  # noqa: E402
from options import arguments, checked  # noqa: E402
from preload import built  # noqa: E402
from wire import Wire, request_bytes  # noqa: E402

SECTOR = 512
HEAD = struct.Struct("<QBBHIQ")
CONFIG = {"storage": {"flushIntervalMilliseconds": 20}}
# The lock file holds nothing that counts after a restart.
LEFT_OUT = "lock.mdb"


class Violation(Exception):
    """The daemon broke a promise."""


# The disk


@dataclass
class Record:
    number: int
    operation: str
    is_synchronous: bool
    path: str
    offset: int
    data: bytes


def records(file: Path) -> Iterator[Record]:
    with open(file, "rb") as stream:
        while head := stream.read(HEAD.size):
            number, operation, flags, path_bytes, data_bytes, offset = HEAD.unpack(head)
            path = stream.read(path_bytes).decode()
            yield Record(number, chr(operation), bool(flags & 1), path, offset, stream.read(data_bytes))


@dataclass
class File:
    """What is on the disk for sure, and what may be."""

    content: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes]] = field(default_factory=list)
    is_named: bool = False

    def write(self, content: bytearray, offset: int, data: bytes):
        if len(content) < offset + len(data):
            content.extend(bytes(offset + len(data) - len(content)))
        content[offset : offset + len(data)] = data

    def settle(self):
        for offset, data in self.pending:
            self.write(self.content, offset, data)
        self.pending = []

    def after_a_cut(self, chance: random.Random) -> bytes:
        content = bytearray(self.content)
        share = chance.choice([0, 0.1, 0.5, 0.9, 1])
        for offset, data in self.pending:
            place = 0
            while place < len(data):
                end = min(len(data), place + SECTOR - (offset + place) % SECTOR)
                if chance.random() < share:
                    self.write(content, offset + place, data[place:end])
                place = end
        return bytes(content)


class Disk:
    """The data directory as the records make it."""

    def __init__(self):
        self.folders: dict[str, bool] = {"": True}  # Whether the folder's name is there for sure.
        self.files: dict[str, File] = {}

    def apply(self, record: Record):
        path = record.path
        if path.endswith(LEFT_OUT):
            return
        match record.operation:
            case "O":
                self.files[path] = File()
            case "M":
                self.folders[path] = False
            case "W":
                file = self.files[path]
                if record.is_synchronous:
                    # The write itself is settled, those before it aren't; where they overlap it is the later one.
                    file.write(file.content, record.offset, record.data)
                    file.pending = [
                        part for write in file.pending for part in outside(write, record.offset, len(record.data))
                    ]
                else:
                    file.pending.append((record.offset, record.data))
            case "S" if path in self.files:
                self.files[path].settle()
            case "S":
                for name, file in self.files.items():
                    if name.rpartition("/")[0] == path:
                        file.is_named = True
                for name in self.folders:
                    if name and name.rpartition("/")[0] == path:
                        self.folders[name] = True
            case "T":
                file = self.files[path]
                file.settle()
                del file.content[record.offset :]
                file.content.extend(bytes(record.offset - len(file.content)))
            case "R":
                self.rename(path, record.data.decode())
            case "U":
                self.files.pop(path, None)
                self.folders.pop(path, None)

    def rename(self, old: str, new: str):
        """Folders that are made elsewhere first: taken for settled, since that is done before they are named."""

        def moved(name: str) -> str:
            return new + name[len(old) :] if name == old or name.startswith(old + "/") else name

        self.files = {moved(name): file for name, file in self.files.items()}
        self.folders = {moved(name): is_named for name, is_named in self.folders.items()}

    def put(self, folder: Path, chance: random.Random):
        """Writes it as it may look after a cut now."""
        lost: list[str] = []
        for name, is_named in sorted(self.folders.items()):
            if any(name.startswith(other + "/") for other in lost) or (not is_named and chance.random() < 0.5):
                lost.append(name)
            else:
                (folder / name).mkdir(parents=True, exist_ok=True)
        for name, file in self.files.items():
            if any(name.startswith(other + "/") for other in lost) or (not file.is_named and chance.random() < 0.5):
                continue
            (folder / name).write_bytes(file.after_a_cut(chance))


def outside(write: tuple[int, bytes], offset: int, length: int) -> Iterator[tuple[int, bytes]]:
    """The parts of a write before and behind a range."""
    start, data = write
    before, behind = data[: max(0, offset - start)], data[max(0, offset + length - start) :]
    if before:
        yield start, before
    if behind:
        yield start + len(data) - len(behind), behind


# The clients


@dataclass
class Step:
    """A state that a client asked for, and how many records there were once it was acknowledged."""

    state: State
    records: int


class Client(threading.Thread):
    """Changes a few sessions of its own, one request after the other."""

    def __init__(self, number: int, sessions: int, address: str, count: mmap.mmap, until: float, seed: int):
        super().__init__(daemon=True)
        self.number, self.sessions = number, sessions
        self.address, self.count, self.until = address, count, until
        self.chance = random.Random(seed)
        self.steps: dict[str, list[Step]] = {}
        self.error: Exception | None = None

    def run(self):
        try:
            with Wire(self.address) as wire:
                number = 0
                while time.monotonic() < self.until:
                    number += 1
                    self.step(wire, f"{self.number}-{number}", f"s-{self.number}-{self.chance.randrange(self.sessions)}")
        except Exception as error:  # It must not end with the thread.
            self.error = error

    def step(self, wire: Wire, number: str, session: str):
        steps = self.steps.setdefault(session, [Step(State(), 0)])
        state = steps[-1].state
        if state.is_ended:
            return
        kinds = ["put", "patch", "set", "set"] + ["remove"] * ("context" in json.loads(state.document))
        kind = "put" if not state.version else "end" if self.chance.random() < 0.002 else self.chance.choice(kinds)
        names = list(json.loads(state.document).get("context", {})) or ["k0"]
        key = self.chance.choice(names) if kind == "remove" else f"k{self.chance.randrange(6)}"
        change: Change = make_change(kind, session, number, state.version, key, self.chance)
        after = change.apply(state)
        answer = wire.exchange(change.request)
        if answer.status not in (200, 201, 204) or after is None:
            raise Violation(f"{kind} of {session} in {state} got {answer}")
        steps.append(Step(after, struct.unpack("<Q", self.count[:8])[0]))


def possible(steps: list[Step], cut: int) -> list[State]:
    """What a session may hold after a cut: what was acknowledged by then, or what was being asked for."""
    last = max(index for index, step in enumerate(steps) if step.records <= cut)
    return [step.state for step in steps[last : last + 2]]


# The campaign


class Campaign:
    def __init__(self, options: argparse.Namespace, folder: Path):
        self.options = options
        self.folder = folder
        self.chance = random.Random(options.seed)
        self.steps: dict[str, list[Step]] = {}
        self.refused = 0

    def record(self) -> list[Record]:
        # Small flushes, of a slice each, or ones of several slices.
        sessions, interval = self.chance.choice([(3, 20), (16, 200)])
        library = built(HERE / "recorder.c", self.folder)
        place = self.folder / "recorded"
        place.mkdir()
        place = place.resolve()
        (place / "data").mkdir()
        count_file = place / "count"
        count_file.write_bytes(bytes(8))
        daemon = Daemon(
            place,
            {"storage": {"flushIntervalMilliseconds": interval}},
            binary=self.options.binary,
            variables={
                "LD_PRELOAD": str(library),
                "RECORDER_FOLDER": str(place / "data"),
                "RECORDER_LOG": str(place / "records"),
                "RECORDER_COUNT": str(count_file),
            },
        )
        try:
            for _ in range(3):  # Starts and ends are part of it, also one without a warning.
                daemon.start()
                with open(count_file, "r+b") as file:
                    count = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
                until = time.monotonic() + self.options.seconds
                clients = [
                    Client(len(self.steps) + number, sessions, daemon.address, count, until, self.chance.getrandbits(32))
                    for number in range(self.options.writers)
                ]
                for client in clients:
                    client.start()
                for client in clients:
                    client.join()
                    if client.error:
                        raise client.error
                    self.steps |= client.steps
                if daemon.terminate() != 0:
                    raise Violation(f"it did not end in order\n{daemon.stderr}")
        finally:
            daemon.kill()
        return list(records(place / "records"))

    def run(self):
        recorded = self.record()
        changes = sum(len(steps) - 1 for steps in self.steps.values())
        print(f"{len(recorded)} records of {changes} changes", flush=True)
        numbers = [record.number for record in recorded]
        if numbers != list(range(1, len(numbers) + 1)) or not changes:
            raise Violation("the recording isn't whole")
        # Half of the cuts at any time, half where things begin: the first records make the files.
        cuts = [self.chance.randint(0, len(recorded)) for _ in range(self.options.states - self.options.states // 8)]
        cuts += [self.chance.randint(0, min(60, len(recorded))) for _ in range(self.options.states // 8)]
        disk, place = Disk(), 0
        for done, cut in enumerate(sorted(cuts), 1):
            while place < cut:
                if recorded[place].operation != "S" or not self.options.ignore_syncs:
                    disk.apply(recorded[place])
                place += 1
            self.check(disk, cut)
            if done % 100 == 0 or done == len(cuts):
                print(f"{done} of {len(cuts)} states are fine", flush=True)
        print(f"{self.options.states} power cuts passed, {changes} acknowledged changes; seed {self.options.seed}")

    def check(self, disk: Disk, cut: int):
        place = self.folder / "cut"
        shutil.rmtree(place, ignore_errors=True)
        (place / "data").mkdir(parents=True)
        disk.put(place / "data", self.chance)
        kept = self.folder / "kept"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(place / "data", kept)
        daemon = Daemon(place, CONFIG, binary=self.options.binary)
        try:
            daemon.start()
            with daemon.wire() as wire:
                for session, steps in self.steps.items():
                    self.check_session(wire, session, possible(steps, cut), cut)
                session = f"after-{cut}"
                headers = {"Content-Type": "application/json"}
                put = request_bytes("PUT", path_of(session, query="upsert=true"), headers, b'{"siteCode":"x"}')
                if (answer := wire.exchange(put)).status != 204:
                    raise Violation(f"after a cut at {cut}, a new session got {answer}")
            command = [str(self.options.sessionctl), "--data-dir", str(daemon.data), "verify"]
            proof = subprocess.run(command, capture_output=True, text=True, timeout=120)
            if proof.returncode != 0:
                raise Violation(f"after a cut at {cut}, verify said\n{proof.stdout}{proof.stderr}")
        except StartFailed as error:
            raise Violation(f"after a cut at {cut}, it does not start: {error}") from error
        finally:
            daemon.kill()

    def check_session(self, wire: Wire, session: str, states: list[State], cut: int):
        answer = wire.exchange(request_bytes("GET", path_of(session)))
        if answer.status == 404 and any(not state.is_live for state in states):
            return
        if answer.status == 200:
            document = json.loads(answer.body)
            version = document.pop("metadata")["version"]
            del document["sessionId"]
            shown = State(version, False, json.dumps(document, sort_keys=True))
            if shown in states:
                return
        raise Violation(f"after a cut at {cut}, {session} is {answer}, where {states} are possible")


def main() -> int:
    parser = arguments("Power cuts", "states")
    parser.add_argument("--writers", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=0.5, help="how long the clients work, three times")
    parser.add_argument(
        "--ignore-syncs", action="store_true", help="take no sync for one, to see that the campaign finds what it looks for"
    )
    options = checked(parser)
    print(f"seed {options.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="sessiond-powercut-"))
    try:
        Campaign(options, folder).run()
    except Violation as violation:
        print(f"VIOLATION: {violation}\nthe disk is kept in {folder}/kept", flush=True)
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
