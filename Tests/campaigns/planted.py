"""Tests the tests: plants bugs one at a time, and demands that the campaign or test named for each finds it.

    python3 planted.py [--only NAME …] [--pick N] [--seed S] [--list]

A bug is a patch in `planted/`, whose first line says what it does; sources and release builds know nothing of them. Each
is applied to a copy of the sources, which is built, and given to its catcher, which must fail by what it found: not by a
compiler's error, nor by a daemon that doesn't start. Before that the catcher must pass on the copy as it is.

`--pick` tries that many bugs, chosen by the seed. Exit status: 0 all were caught, 1 one wasn't or a patch doesn't apply
any more, 2 wrong use. Needs patch, and what the catchers need.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

CAMPAIGNS = Path(__file__).resolve().parent
REPOSITORY = CAMPAIGNS.parents[1]
PATCHES = CAMPAIGNS / "planted"
FOLDER = REPOSITORY / ".build/planted"
CATCHER_SECONDS = 1800


class Problem(Exception):
    """Why a bug counts as not caught, or why that can't be told."""


# Who catches


@dataclass(frozen=True)
class Catcher:
    """A campaign or test: what is run, and how it is known that it found something."""

    words: tuple[str, ...]
    finding: str
    excuse: str | None = None  # What it may not have failed by.

    def __str__(self) -> str:
        return " ".join(self.words)

    def run(self, binaries: Path) -> tuple[int, str]:
        tool, *words = self.words
        if tool == "pytest":
            command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *words]
        else:
            command = [sys.executable, CAMPAIGNS / tool, "--seed", "1", "--binary", binaries / "sessiond", *words]
        programs = {"SESSIOND_BIN": str(binaries / "sessiond"), "SESSIONCTL_BIN": str(binaries / "sessionctl")}
        # What a catcher keeps of a violation is of no use here.
        with tempfile.TemporaryDirectory(prefix="planted-") as folder:
            done = subprocess.run(
                command,
                cwd=REPOSITORY,
                env=os.environ | programs | {"TEST_SEED": "1", "TEST_FLIPS": "40", "TMPDIR": folder},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=CATCHER_SECONDS,
                check=False,
            )
        return done.returncode, done.stdout


def kill9(cycles: int, notices_itself: bool = False, next_start_says: str | None = None) -> Catcher:
    """The daemon is killed that many times. One that ends by itself counts where it has to notice the bug itself, one that
    doesn't start again where it says so."""
    finding = r"VIOLATION in cycle \d+: Violation\n" + ("" if notices_itself else "(?!the daemon ended)")
    if next_start_says:
        finding += rf"|VIOLATION in cycle \d+: StartFailed\n(.*\n)*?.*{next_start_says}"
    return Catcher(("kill9.py", "--cycles", str(cycles), "--verify-every", "4"), finding)


def powercut(states: int) -> Catcher:
    """After a power cut a daemon that doesn't start is a violation, too."""
    return Catcher(("powercut.py", "--states", str(states)), r"^VIOLATION: ")


def outside(file: str, name: str) -> Catcher:
    return Catcher(("pytest", f"Tests/outside/{file}", "-k", name), r"^FAILED ", "StartFailed")


BUGS = {
    "answer-before-commit": kill9(80),
    "log-without-sync": powercut(150),
    "log-meta-page-without-sync": powercut(150),
    "folder-without-sync": powercut(150),
    "new-data-file-without-sync": powercut(150),
    # What a reader sees too early, the projector may flush too early.
    "published-before-commit": kill9(80, next_start_says="the projections were folded from it up to position"),
    "overlay-dropped-before-flush": kill9(20),
    "checkpoint-ahead-of-flush": kill9(80),
    "projector-skips-one": kill9(20),
    "replay-skips-one": kill9(20),
    "replay-folds-twice": kill9(80),
    # The next append doesn't find the log's end where it has to be.
    "last-of-batch-lost": kill9(20, notices_itself=True),
    "answers-in-another-order": kill9(20),
    "version-not-checked": kill9(20),
    "if-match-ignored": outside("test_management.py", "that_fails_answers_412"),
    "idempotency-key-forgotten": kill9(20),
    "retry-refused": kill9(80),
    "tombstone-ignored": kill9(20),
    "expired-readable": outside("test_expiry.py", "test_expiry_is_exact"),
    "expiry-late-by-one": outside("test_expiry.py", "exact_to_the_microsecond"),
    "touch-not-recorded": outside("test_own.py", "every_request_is_activity"),
    "chain-without-header": outside("test_archive.py", "test_an_archive_holds"),
    "record-checksum-ignored": outside("test_sessionctl.py", "test_every_flipped_bit"),
    "snapshot-checksum-ignored": outside("test_sessionctl.py", "damaged_snapshot_is_never_served"),
    "absence-not-proved": Catcher(("bitflips.py", "--flips", "300"), r"^VIOLATION: flip .* got Answer\(status=404"),
    "table-made-anew": Catcher(("bitflips.py", "--flips", "300"), r"^VIOLATION: flip .* got Answer\(status=(404|200)"),
    "erased-payload-kept": outside("test_erasure.py", "test_no_byte_of_erased"),
    "erased-salt-kept": outside("test_archive.py", "neither_payload_nor_salt"),
    "erased-customer-kept-in-index": outside("test_erasure.py", "test_kill_9_before_the_flush"),
    "tenant-not-in-snapshot-key": outside("test_management.py", "do_not_see_each_others_sessions"),
    "tenant-of-token-not-checked": outside("test_tenants.py", "test_every_operation_by_every_caller"),
    "audit-scope-not-checked": outside("test_tenants.py", "test_every_operation_by_every_caller"),
    "two-content-lengths": outside("test_framing.py", "TestGate and test_refuses"),
    "length-and-transfer-encoding": outside("test_framing.py", "TestGate and test_refuses"),
    "feed-skips-one": outside("test_feed.py", "test_every_event_comes_once"),
    "store-closed-before-drain": outside("test_signals.py", "test_sigterm_answers"),
}


# The copy


def patch_of(name: str) -> Path:
    return PATCHES / f"{name}.patch"


def put(source: Path, target: Path):
    """Copies a file unless it is the same, so that what is built of it stays good."""
    if not target.exists() or target.read_bytes() != source.read_bytes():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


class Tree:
    """A copy of the sources, with a build of its own that each bug changes only a little."""

    root = FOLDER / "tree"

    def restore(self):
        """Makes it equal to the checkout."""
        self.root.mkdir(parents=True, exist_ok=True)
        wanted = {file.relative_to(REPOSITORY) for file in (REPOSITORY / "Sources").rglob("*") if file.is_file()}
        for file in (self.root / "Sources").rglob("*"):
            if file.is_file() and file.relative_to(self.root) not in wanted:
                file.unlink()
        for name in [*wanted, Path("Package.swift")]:
            put(REPOSITORY / name, self.root / name)
        tests = self.root / "Tests"
        if not tests.is_symlink():
            tests.symlink_to(REPOSITORY / "Tests")

    def apply(self, name: str):
        command = ["patch", "-p1", "--fuzz=0", "--no-backup-if-mismatch", "-i", str(patch_of(name))]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Problem(f"the patch doesn't apply any more\n{done.stdout}{done.stderr}")

    def build(self) -> Path:
        """Builds it; returns the folder with the programs."""
        command = ["swift", "build", "--scratch-path", str(FOLDER / "build")]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Problem(f"it doesn't compile\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
        return FOLDER / "build/debug"


# The campaign


def check_list():
    """Each patch has its catcher, and the other way round."""
    patches = {file.stem for file in PATCHES.glob("*.patch")}
    if odd := patches ^ set(BUGS):
        raise Problem(f"these are only in the list or only in {PATCHES.name}/: {', '.join(sorted(odd))}")


def summary(output: str) -> str:
    """What a catcher says in the end."""
    return "\n".join(f"    {line}" for line in output.strip().splitlines()[-30:])


def catch(name: str, tree: Tree) -> str:
    """Plants a bug, and returns in a line what its catcher found."""
    catcher = BUGS[name]
    tree.restore()
    tree.apply(name)
    status, output = catcher.run(tree.build())
    if status == 0:
        raise Problem(f"it survived {catcher}\n{summary(output)}")
    found = re.search(catcher.finding, output, re.MULTILINE)
    if found is None or (catcher.excuse and catcher.excuse in output):
        raise Problem(f"{catcher} failed, but not by a finding\n{summary(output)}")
    start = output.rfind("\n", 0, found.start()) + 1
    lines = output[start:].splitlines()
    # A campaign says in the line below its headline what is broken.
    return " ".join(lines[:2] if lines[0].startswith("VIOLATION in") else lines[:1])[:160]


def check_sound(catchers: list[Catcher], tree: Tree):
    """What fails without a bug can't be believed with one."""
    tree.restore()
    binaries = tree.build()
    for catcher in catchers:
        started = time.monotonic()
        status, output = catcher.run(binaries)
        if status != 0:
            raise Problem(f"without a bug, {catcher} failed\n{summary(output)}")
        print(f"passes without a bug: {catcher} ({time.monotonic() - started:.0f} s)", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Tests the tests; see the head of this file.")
    parser.add_argument("--only", action="append", metavar="NAME", choices=BUGS, help="this bug; may be repeated")
    parser.add_argument("--pick", type=int, metavar="N", help="so many bugs, chosen by the seed")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--list", action="store_true", help="only says which bugs there are")
    options = parser.parse_args()
    names = options.only or list(BUGS)
    if options.pick:
        names = random.Random(options.seed).sample(names, min(options.pick, len(names)))
    survived: list[str] = []
    try:
        check_list()
        if options.list:
            for name in names:
                print(f"{name}: {patch_of(name).read_text().splitlines()[0]} → {BUGS[name]}")
            return 0
        print(f"seed {options.seed}, {len(names)} bugs", flush=True)
        tree = Tree()
        check_sound(list({BUGS[name].words: BUGS[name] for name in names}.values()), tree)
    except Problem as problem:
        print(problem)
        return 1
    for name in names:
        started = time.monotonic()
        try:
            found = catch(name, tree)
            print(f"{name} → {BUGS[name]} ({time.monotonic() - started:.0f} s)\n    {found}", flush=True)
        except Problem as problem:
            survived.append(name)
            print(f"{name}: NOT CAUGHT: {problem}", flush=True)
    tree.restore()
    print(f"{len(names) - len(survived)} of {len(names)} planted bugs were caught; seed {options.seed}")
    if survived:
        print(f"not caught: {', '.join(survived)}")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
