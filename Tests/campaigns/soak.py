"""Has everything happen at once for a long time, and proves that memory, files, descriptors and threads stay bounded.

    python3 soak.py --seconds T [--seed S] [--binary FILE] [--sessionctl FILE]

Writers begin, change and end sessions of a fixed set of ids, readers read them, their histories and their past;
sessions expire within seconds, others and whole customers are erased. Beside them: live feeds that are followed and
must show each position once, feeds whose readers are stuck, and `sessionctl backup` and `verify` all the time. The
daemon is stopped, in order or with kill -9, and started again on the same data: three times, or every ten minutes.
Twice a second its process and its files are measured. Past the first third of each of its lives

- its own memory (RssAnon) must not grow by more than 16 MB, by the line that fits the measurements best;
- in the last life it must not have more than 32 MB above the first;
- its descriptors must be those of its clients and 48 others at most, its threads 4 more than in the beginning at most;
- the log must not take more than 1 KB an event and 8 MB, and the projections, of which the set of ids decides, not more
  than 32 MB.

Every answer must be one that can be. In the end the data and a backup are proved. Exit status: 0 fine, 1 a violation, 2
wrong use.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "outside"))

import control  # noqa: E402
from daemon import Daemon, path_of  # noqa: E402
from feeds import EVENTS, Feed  # noqa: E402
from kill9 import KEYS  # noqa: E402
from options import arguments, checked  # noqa: E402
from wire import NoAnswer, Wire, dial, request_bytes  # noqa: E402

MEGABYTE = 1 << 20
MEMORY_GROWTH, MEMORY_LATER = 16 * MEGABYTE, 32 * MEGABYTE
OTHER_DESCRIPTORS, MORE_THREADS = 48, 4
EVENT_BYTES, LOG_BYTES, PROJECTIONS_BYTES = 1 << 10, 8 * MEGABYTE, 32 * MEGABYTE
SESSIONS, CUSTOMERS = 400, 40
WRITERS, READERS, FOLLOWERS, STUCK = 6, 3, 3, 40
REQUESTS_A_SECOND = 40  # Of each client: the load is to last, not to be the most that there can be.
CONFIG = {
    "anonymousTTLSeconds": 4,
    "customerTTLSeconds": 8,
    "tombstoneSeconds": 2,
    "requireSaasToken": False,
    "limits": {"overlayBytes": 8 * MEGABYTE},
    "timeouts": {"sendSeconds": 10},
    "storage": {"flushIntervalMilliseconds": 100, "mapSizeBytes": 1 << 36},
}


class Violation(Exception):
    """Something grows, or an answer can't be."""


@dataclass(frozen=True)
class Sample:
    """The daemon at a time."""

    seconds: float
    memory: int
    sockets: int
    descriptors: int
    threads: int
    log: int
    projections: int
    events: int


def growth(samples: list[Sample], figure: Callable[[Sample], float]) -> float:
    """By how much a figure grows from the first to the last sample, by the least squares."""
    times, values = [sample.seconds for sample in samples], [figure(sample) for sample in samples]
    middle, mean = sum(times) / len(times), sum(values) / len(values)
    spread = sum((time - middle) ** 2 for time in times)
    slope = sum((time - middle) * (value - mean) for time, value in zip(times, values, strict=True)) / spread
    return slope * (times[-1] - times[0])


class Campaign:
    def __init__(self, options: argparse.Namespace, folder: Path):
        self.options = options
        self.folder = folder
        self.chance = random.Random(options.seed)
        self.daemon = Daemon(folder, config=CONFIG, binary=options.binary)
        self.address = ""
        self.is_over = threading.Event()
        self.problem: Exception | None = None
        self.counts: Counter[str] = Counter()
        self.lives: list[list[Sample]] = []
        self.last_position = 0
        self.started = time.monotonic()

    # Clients

    def worker(self, work: Callable[[random.Random], None]) -> threading.Thread:
        """A thread that goes on, with new connections, when the daemon is stopped."""
        chance = random.Random(self.chance.getrandbits(32))

        def run():
            while not self.is_over.is_set():
                try:
                    if not self.address:
                        raise NoAnswer("it is being started")
                    work(chance)
                except (NoAnswer, OSError):
                    time.sleep(0.05)
                except Exception as error:  # It must not end with the thread.
                    self.problem = self.problem or error
                    self.is_over.set()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def converse(self, chance: random.Random, step: Callable[[Wire, random.Random], None]):
        """Requests over one connection, at an even pace."""
        with Wire(self.address) as wire:
            while not self.is_over.is_set():
                step(wire, chance)
                time.sleep(chance.uniform(0, 2 / REQUESTS_A_SECOND))

    def ask(self, wire: Wire, expected: tuple[int, ...], method: str, path: str, body: dict | None = None):
        headers = {"Content-Type": "application/json"} if body is not None else {}
        data = request_bytes(method, path, headers, json.dumps(body).encode() if body is not None else None)
        answer = wire.exchange(data)
        self.counts[method] += 1
        # 503: it is being stopped.
        if answer.status not in (*expected, 503):
            raise Violation(f"{data!r} got {answer}")
        if answer.closes:
            raise NoAnswer("the daemon ends the connection")
        return answer

    def write(self, wire: Wire, chance: random.Random):
        name = f"session-{chance.randrange(SESSIONS)}"
        path = path_of(name)
        content: dict = {"siteCode": "x" * chance.randint(1, 40), "context": {chance.choice(KEYS): chance.random()}}
        if chance.random() < 0.3:
            content["customerId"] = f"customer-{chance.randrange(CUSTOMERS)}"
        kind = chance.choices(("put", "patch", "set", "remove", "end", "erase"), (8, 8, 8, 3, 1, 0.1))[0]
        if kind in ("put", "patch"):
            read = self.ask(wire, (200, 404), "GET", path)
            content["metadata"] = {"version": read.json()["metadata"]["version"] if read.status == 200 else 0}
        match kind:
            case "put":
                self.ask(wire, (204, 409, 410), "PUT", f"{path}?upsert=true", content)
            case "patch":
                self.ask(wire, (204, 404, 409, 410), "PATCH", path, content)
            case "set":
                value = {"key": chance.choice(KEYS), "value": "x" * chance.choice((0, 10, 1000))}
                self.ask(wire, (204, 404, 410), "POST", f"{path}/attributes", value)
            case "remove":
                self.ask(wire, (204, 404, 410), "DELETE", f"{path}/attributes/{chance.choice(KEYS)}")
            case "end":
                self.ask(wire, (204, 404, 410), "DELETE", path)
            case _:
                customer = {"customerId": f"customer-{chance.randrange(CUSTOMERS)}"}
                subject = customer if chance.random() < 0.3 else {"sessionId": name}
                self.ask(wire, (200, 404), "POST", "/session-context/acme/erasures", subject)
                self.counts["erasures"] += 1

    def read(self, wire: Wire, chance: random.Random):
        path = path_of(f"session-{chance.randrange(SESSIONS)}")
        moment = time.strftime("%FT%TZ", time.gmtime(time.time() - chance.uniform(1, 60)))
        match chance.randrange(8):
            case 0:
                self.ask(wire, (200, 404), "GET", f"{path}/events?limit=100")
            case 1:
                self.ask(wire, (200, 404), "GET", f"{path}?asOf={moment}")
            case 2:
                customer = f"customer-{chance.randrange(CUSTOMERS)}"
                self.ask(wire, (200,), "GET", f"/session-context/acme/contexts?customerId={customer}")
            case 3:
                after = max(0, self.last_position - chance.randrange(2000))
                self.ask(wire, (200,), "GET", f"{EVENTS}?after={after}&limit=200")
            case _:
                self.ask(wire, (200, 404), "GET", path)

    def follower(self) -> Callable[[random.Random], None]:
        """Follows a feed and goes on where it was after each end; each event stands right behind the one before."""
        position = 0

        def work(_: random.Random):
            nonlocal position
            with Feed(self.daemon, last_id=str(position)) as feed:
                while not self.is_over.is_set():
                    feed.receive(0.5)
                    while (event := feed.next()) is not None:
                        if event.is_mark:
                            continue
                        if event.position != position + 1:
                            raise Violation(f"a feed shows position {event.position} behind {position}")
                        position = event.position
                        self.last_position = max(self.last_position, position)
                        self.counts["followed"] += 1

        return work

    def be_stuck(self, chance: random.Random):
        """Feeds that nobody reads, until the daemon ends them; then others."""
        stuck = []
        try:
            address = self.address
            for _ in range(STUCK):
                connected = dial(address)
                stuck.append(connected)
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                connected.sendall(request_bytes("GET", f"{EVENTS}?after=0", {"Accept": "text/event-stream"}))
            self.counts["stuck"] += len(stuck)
            until = time.monotonic() + chance.uniform(5, 20)
            while time.monotonic() < until and address == self.address and not self.is_over.is_set():
                time.sleep(0.1)
        finally:
            for connected in stuck:
                connected.close()

    # The operator

    def control(self, *words: str | Path):
        run = control.control(self.daemon.data, *map(str, words), expect=None)
        if run.status != 0:
            raise Violation(f"sessionctl {words} ended with status {run.status}\n{run.out}{run.err}")

    def operate(self, chance: random.Random):
        if chance.random() < 0.5:
            self.control("verify")
            self.counts["verified"] += 1
        else:
            backup = self.folder / "backup"
            shutil.rmtree(backup, ignore_errors=True)
            self.control("backup", backup)
            self.counts["backups"] += 1
        time.sleep(chance.uniform(0.5, 3))

    def sample(self) -> Sample:
        process = Path(f"/proc/{self.daemon.process.pid}")
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        links = []
        for number in os.listdir(process / "fd"):
            try:
                links.append(os.readlink(process / "fd" / number))
            except FileNotFoundError:
                continue  # It was closed in between.
        sockets = sum(link.startswith("socket:") for link in links)
        return Sample(
            time.monotonic() - self.started,
            int(status["RssAnon"].split()[0]) << 10,
            sockets,
            len(links) - sockets,
            int(status["Threads"]),
            size_of(self.daemon.data / "log"),
            size_of(self.daemon.data / "projections"),
            self.last_position,
        )

    def live(self, seconds: float, is_killed: bool):
        """One life of the daemon."""
        self.daemon.start()
        self.address = self.daemon.address
        samples: list[Sample] = []
        self.lives.append(samples)
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.is_over.is_set():
            self.is_over.wait(0.5)
            if self.daemon.process.poll() is not None:
                raise Violation(f"the daemon ended by itself with status {self.daemon.process.returncode}")
            samples.append(self.sample())
        if self.problem:
            raise self.problem
        self.check(samples)
        self.address = ""
        if is_killed:
            self.daemon.kill()
        elif (status := self.daemon.terminate()) != 0:
            raise Violation(f"SIGTERM ended the daemon with status {status}")

    def check(self, samples: list[Sample]):
        samples = samples[len(samples) // 3 :]
        last = samples[-1]
        grown = growth(samples, lambda sample: sample.memory)
        first_memory = max(sample.memory for sample in self.lives[0][len(self.lives[0]) // 3 :])
        clients = WRITERS + READERS + FOLLOWERS + 2 * STUCK
        bounds = {
            "memory": (grown, MEMORY_GROWTH, "bytes more than in the beginning of this life"),
            "memory later": (max(sample.memory for sample in samples) - first_memory, MEMORY_LATER,
                             "bytes more than in the first life"),
            "sockets": (max(sample.sockets for sample in samples), clients + OTHER_DESCRIPTORS, "open"),
            "descriptors": (max(sample.descriptors for sample in samples), OTHER_DESCRIPTORS, "open"),
            "threads": (max(sample.threads for sample in samples) - self.lives[0][0].threads, MORE_THREADS, "more"),
            "log": (last.log, last.events * EVENT_BYTES + LOG_BYTES, f"bytes for {last.events} events"),
            "projections": (last.projections, PROJECTIONS_BYTES, "bytes"),
        }  # fmt: skip
        print(
            f"{last.seconds:6.0f} s: memory {last.memory / MEGABYTE:.1f} MB ({grown / MEGABYTE:+.1f}), "
            f"{last.sockets} sockets, {last.descriptors} other descriptors, {last.threads} threads, "
            f"log {last.log / MEGABYTE:.1f} MB for {last.events} events, "
            f"projections {last.projections / MEGABYTE:.1f} MB",
            flush=True,
        )
        for name, (found, bound, unit) in bounds.items():
            if found > bound:
                raise Violation(f"{name}: {found:,.0f} {unit}, where {bound:,.0f} is the bound; {samples}")

    def run(self):
        lives = max(3, self.options.seconds // 600)
        threads = [self.worker(lambda chance: self.converse(chance, self.write)) for _ in range(WRITERS)]
        threads += [self.worker(lambda chance: self.converse(chance, self.read)) for _ in range(READERS)]
        threads += [self.worker(self.follower()) for _ in range(FOLLOWERS)]
        threads += [self.worker(self.be_stuck), self.worker(self.operate)]
        for life in range(lives):
            is_last = life == lives - 1
            self.live(self.options.seconds / lives, is_killed=not is_last and self.chance.random() < 0.5)
        self.is_over.set()
        for thread in threads:
            thread.join(60)
        if self.problem:
            raise self.problem
        self.control("verify")
        shutil.rmtree(self.folder / "backup", ignore_errors=True)
        self.control("backup", self.folder / "backup")
        self.daemon.data = self.folder / "restored"
        self.control("restore", self.folder / "backup")
        self.control("verify")
        for name in ("PUT", "erasures", "followed", "stuck", "verified", "backups"):
            if not self.counts[name]:
                raise Violation(f"nothing was there of {name}: {self.counts}")


def size_of(folder: Path) -> int:
    """What its files take of the disk."""
    return sum(file.stat().st_blocks * 512 for file in folder.iterdir())


def main() -> int:
    options = checked(arguments("Everything for a long time", "seconds"))
    control.CONTROL = options.sessionctl
    print(f"seed {options.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="sessiond-soak-"))
    campaign = Campaign(options, folder)
    try:
        campaign.run()
    except Violation as violation:
        print(f"VIOLATION: {violation}\nthe daemon wrote\n{campaign.daemon.stderr}")
        print(f"the data are kept in {folder}; seed {options.seed}", flush=True)
        return 1
    finally:
        campaign.is_over.set()
        campaign.daemon.kill()
    shutil.rmtree(folder)
    counts = campaign.counts
    requests = sum(counts[name] for name in ("GET", "PUT", "PATCH", "POST", "DELETE"))
    print(
        f"seed {options.seed}: {options.seconds} s passed, {len(campaign.lives)} lives, {requests} requests, "
        f"{campaign.last_position} events, {counts['erasures']} erasures, {counts['followed']} followed live, "
        f"{counts['stuck']} stuck feeds, {counts['backups']} backups, "
        f"{counts['verified']} verifications"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
