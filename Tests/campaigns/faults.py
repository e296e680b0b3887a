"""Campaigns in which calls of the daemon fail: a case is a run with a fault, under load, and what must hold afterwards.

In a case the daemon is started with a fault; clients change sessions, as in kill9.py, until it ends or is ended. Then:

- it has never ended without saying why, and its status is one of the documented ones;
- started without the fault, it has every acknowledged change, in order, once; those without an answer, or with a 5xx,
  apply once when they are sent again; `sessionctl verify` proves log, chain and snapshots.

A store lives through some cases; then a new one begins, with a fault of its own.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import kill9
import options
from daemon import Daemon, StartFailed
from kill9 import Violation
from wire import Answer, NoAnswer

STORE_CASES = 12


@dataclass(frozen=True)
class Fault:
    """What fails: how the daemon is started so that it does, and what must and may come of it."""

    name: str
    prefix: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    config: dict = field(default_factory=dict)
    # The failures that may be answered; 503 when it is about to end.
    answers: frozenset[int] = frozenset({500, 503, 507})
    # What it must have written when it ends by itself, one of these.
    reasons: tuple[str, ...] = ()
    # Whether it may keep every answer from arriving: then the daemon isn't asked whether it is ready, but says so.
    may_silence: bool = False
    # Whether it may end by a signal, if it says so: the runtime ends a process that gets no memory.
    may_crash: bool = False
    # What is done to the data directory before the daemon is started so.
    before: Callable[[Path], None] | None = None
    # What is done beside the load.
    beside: Callable[[Daemon], AbstractContextManager] | None = None


class Store(kill9.Campaign):
    """A store with its clients, and the faults it lives through."""

    def __init__(self, options: argparse.Namespace, directory: Path):
        super().__init__(options, directory)
        self.failures: Counter[int] = Counter()
        self.endings: Counter[str] = Counter()
        self.told = ""

    def take_failure(self, answer: Answer):
        self.failures[answer.status] += 1
        raise NoAnswer(f"{answer}")

    def meet(self, fault: Fault):
        """A case."""
        status = self.run_with(fault)
        self.judge(fault, status)
        self.daemon.prefix, self.daemon.variables = (), {}
        try:
            self.start()
        except StartFailed as error:
            raise Violation(f"after {fault.name} it doesn't start: {error}\nit had written\n{self.told}") from error
        self.settle_all()
        self.verify()
        self.daemon.kill()

    def run_with(self, fault: Fault) -> int | None:
        """Runs the daemon with the fault and returns its status, None when it was killed in the end."""
        self.failures.clear()
        self.daemon.prefix, self.daemon.variables = fault.prefix, fault.variables
        interval = self.chance.choice([1, 10, 100])
        self.daemon.config = {"anonymousTTLSeconds": 0, **fault.config}
        self.daemon.config["storage"] = {
            "flushIntervalMilliseconds": interval, "mapSizeBytes": 1 << 34, **fault.config.get("storage", {})
        }  # fmt: skip
        if fault.before:
            fault.before(self.daemon.data)
        try:
            self.daemon.start(is_asked=not fault.may_silence)
        except StartFailed as error:
            self.told = self.daemon.stderr
            if error.status is None:
                raise Violation(f"with {fault.name} it neither starts nor ends: {error}") from error
            self.endings["refused to start" if error.status > 0 else "ended while it started"] += 1
            return error.status
        process = self.daemon.process
        address = self.daemon.address
        threads = [threading.Thread(target=writer.run, args=(address,)) for writer in self.writers]
        for thread in threads:
            thread.start()
        with fault.beside(self.daemon) if fault.beside else nullcontext():
            until = time.monotonic() + self.chance.uniform(0.2, 0.5)
            while process.poll() is None and time.monotonic() < until and any(thread.is_alive() for thread in threads):
                self.is_over.wait(0.01)
        # Ending in order writes, too, and so may fail.
        status = None
        if process.poll() is not None or self.chance.random() < 0.7:
            try:
                status = self.daemon.terminate() if process.poll() is None else self.daemon.wait()
            except subprocess.TimeoutExpired as error:
                raise Violation(f"with {fault.name} it does not end: {error}\n{self.daemon.stderr}") from error
        else:
            self.daemon.kill()
        self.told = self.daemon.stderr
        self.join(threads)
        ending = "was killed" if status is None else "crashed" if status < 0 else "stopped" if not status else "failed"
        self.endings[ending] += 1
        return status

    def judge(self, fault: Fault, status: int | None):
        """Whether it may have ended like that."""
        told = f"status {status}, it wrote\n{self.told}"
        if status is not None and status < 0 and not fault.may_crash:
            raise Violation(f"{fault.name} ended it by signal {-status}: {told}")
        if status not in (None, 0) and not any(reason in self.told for reason in fault.reasons):
            raise Violation(f"{fault.name} isn't named, one of {fault.reasons}: {told}")
        is_loaded = "error while loading shared libraries" not in self.told
        if status not in (None, 0, 1, 2, 3) and status > 0 and is_loaded:
            raise Violation(f"{fault.name} ended it with a status that nobody knows: {told}")
        if wrong := set(self.failures) - fault.answers:
            raise Violation(f"{fault.name} was answered with {wrong}: {told}")


class FaultCampaign:
    """Draws faults and has stores meet them until as many as asked for have happened."""

    def __init__(self, options: argparse.Namespace, draw: Callable[[random.Random, Path], Fault]):
        self.options = options
        self.draw = draw
        self.chance = random.Random(options.seed)
        self.kinds: Counter[str] = Counter()
        self.endings: Counter[str] = Counter()
        self.acknowledged = 0
        self.cases = 0
        self.without = 0
        self.store: Store | None = None

    def has_happened(self, fault: Fault, directory: Path) -> bool:
        """Whether the fault of the last run has happened."""
        raise NotImplementedError

    def kind(self, fault: Fault) -> str:
        """What faults are counted by."""
        return fault.name.split()[0].split(",")[0]

    def run_store(self, count: int):
        """Up to `count` cases on a new store."""
        directory = Path(tempfile.mkdtemp(prefix="sessiond-faults-")).resolve()
        options = argparse.Namespace(**vars(self.options), no_verify=False)
        options.seed = self.chance.getrandbits(32)
        self.store = Store(options, directory)
        try:
            for _ in range(count):
                fault = self.draw(self.chance, directory)
                try:
                    self.store.meet(fault)
                except Exception as error:
                    raise Violation(
                        f"case {self.cases + 1}, {fault.name}: {type(error).__name__}: {error}\n"
                        f"with {' '.join(fault.prefix)} {fault.variables} {fault.config}\n"
                        f"it wrote\n{self.store.told}\nthe data are kept in {directory}"
                    ) from error
                if self.has_happened(fault, directory):
                    self.cases += 1
                    self.kinds[self.kind(fault)] += 1
                else:
                    self.without += 1
        finally:
            self.store.daemon.kill()
        self.acknowledged += self.store.acknowledged
        self.endings += self.store.endings
        shutil.rmtree(directory)

    def run(self):
        wanted = self.options.cases
        told = 0
        while self.cases < wanted:
            self.run_store(min(self.chance.randint(1, STORE_CASES), wanted - self.cases))
            if self.without > 4 * wanted:
                raise Violation(f"only {self.cases} faults have happened in {self.cases + self.without} runs")
            if (self.cases - told) * 10 >= wanted:
                told = self.cases
                print(f"{self.cases} faults, {self.acknowledged} changes acknowledged", flush=True)


def arguments(what: str) -> argparse.ArgumentParser:
    """The options of a campaign of faults."""
    parser = options.arguments(what, "cases")
    parser.add_argument("--writers", type=int, default=8)
    return parser


def run(campaign: FaultCampaign) -> int:
    """Runs it and tells what came of it; returns the exit status."""
    print(f"seed {campaign.options.seed}, {campaign.options.cases} cases", flush=True)
    started = time.monotonic()
    try:
        campaign.run()
    except Violation as violation:
        print(f"VIOLATION: {violation}\nseed {campaign.options.seed}", flush=True)
        return 1
    for title, counter in (("failed", campaign.kinds), ("it", campaign.endings)):
        print(f"{title}: " + ", ".join(f"{name} {count}" for name, count in counter.most_common()))
    print(
        f"{campaign.cases} faults passed in {time.monotonic() - started:.0f} s ({campaign.without} more runs in which "
        f"none happened), {campaign.acknowledged} changes acknowledged; seed {campaign.options.seed}"
    )
    return 0
