"""Has the daemon's system calls fail, one kind and one moment at a time, and proves that nothing acknowledged is lost.

    python3 ioerrors.py --cases N [--seed S] [--writers 8] [--binary FILE] [--sessionctl FILE]

A case: the daemon runs under strace, which has the Nth call of a kind fail, or all from the Nth on, on each thread: with
EIO, ENOSPC, EINTR and others, or as a short write. Most are calls on the files of the data directory; some are those of
the network, or of any file, which a start needs. See faults.py for what must hold then; besides, a full disk is answered
with 507 and other failures with 500, and when it ends it has named the error.

A case counts when the fault has happened. Exit status: 0 fine, 1 a violation, whose data are kept, 2 wrong use. Needs
strace.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "outside"))

from faults import Fault, FaultCampaign, arguments, run  # noqa: E402
from options import checked  # noqa: E402

MOMENTS = 60
FULL = ("ENOSPC", "EDQUOT")


@dataclass(frozen=True)
class Kind:
    """Calls that fail alike."""

    call: str
    errors: tuple[str, ...]
    weight: int = 1
    # On files of the data directory alone.
    is_data: bool = True
    # On connections: while all of them fail, no answer arrives.
    is_wire: bool = False
    # Those of a start that removes projections it can't use and builds them anew; others hardly make them.
    is_rebuild: bool = False
    lasting: int = MOMENTS
    # What is said of it in other words than the error's.
    words: tuple[str, ...] = ()


# The library's threads and the daemon's own.
NO_THREAD = ("libmicrohttpd refused to start", "no further thread can be started")
KINDS = [
    # "short": so many bytes fewer than asked for are said to be written.
    Kind("pwrite64", ("EIO", "ENOSPC", "EINTR", "EDQUOT", "short"), 6),
    Kind("writev", ("EIO", "ENOSPC", "EINTR", "short"), 5),
    Kind("fdatasync", ("EIO", "ENOSPC", "EINTR", "EDQUOT"), 6),
    Kind("fsync", ("EIO", "ENOSPC", "EINTR"), 3, lasting=6),
    Kind("lseek", ("EIO",), 1),
    Kind("pread64", ("EIO", "EINTR"), 2, lasting=4),
    Kind("openat", ("EIO", "EMFILE", "ENFILE", "EINTR", "EACCES", "EROFS"), 3, lasting=10),
    Kind("mkdir", ("EIO", "ENOSPC", "EROFS"), 1, lasting=6),
    Kind("rename,renameat,renameat2", ("EIO", "ENOSPC"), 1, is_rebuild=True, lasting=2),
    # Each by itself: a folder is emptied before it is removed, so that the first that fails would always be an unlink.
    Kind("unlink,unlinkat", ("EIO",), 1, is_rebuild=True, lasting=3),
    Kind("rmdir", ("EIO",), 1, is_rebuild=True, lasting=2),
    Kind("mmap", ("ENOMEM", "EAGAIN"), 2, lasting=4),
    # LMDB forgets why it could not lock its file, a new one included.
    Kind("fcntl", ("EIO", "ENOLCK", "EINTR"), 1, lasting=6, words=("LMDB could not open", "LMDB could not create")),
    Kind("flock", ("EIO", "ENOLCK", "EINTR"), 1, lasting=1),
    Kind("newfstatat,fstat,statfs,fstatfs", ("EIO",), 4, lasting=10),
    Kind("ftruncate,fallocate", ("EIO", "ENOSPC", "EINTR"), 1, lasting=2),
    # The network, and what a start needs.
    Kind("accept4", ("EINTR", "EMFILE", "ENFILE", "ECONNABORTED", "ENOBUFS", "ENOMEM"), 2, is_data=False, is_wire=True),
    Kind("recvfrom", ("EINTR", "EAGAIN", "ECONNRESET", "ENOBUFS"), 1, is_data=False, is_wire=True),
    Kind("sendto,sendmsg", ("EINTR", "EAGAIN", "EPIPE", "ECONNRESET", "ENOBUFS"), 1, is_data=False, is_wire=True),
    Kind("epoll_wait,epoll_pwait", ("EINTR",), 1, is_data=False),
    Kind("openat", ("EIO", "EMFILE", "EINTR"), 1, is_data=False, words=("error while loading shared libraries",)),
    Kind("socket,bind,listen,epoll_create1,eventfd2", ("EMFILE", "ENOBUFS"), 1, is_data=False, lasting=4),
    Kind("clone3", ("EAGAIN", "ENOMEM"), 1, is_data=False, lasting=8, words=NO_THREAD),
]


def files(data: Path) -> list[Path]:
    """All that the daemon makes in its data directory, and the directory."""
    names = [data]
    for environment in ("log", "log.new", "projections", "projections.new"):
        names += [data / environment, data / environment / "data.mdb", data / environment / "lock.mdb"]
    return names


def spoil_projections(data: Path):
    """Makes them no database any more; a store that has none yet is left as it is."""
    file = data / "projections/data.mdb"
    if file.exists():
        file.write_bytes(bytes(8192))


def draw(chance: random.Random, directory: Path) -> Fault:
    kind = chance.choices(KINDS, [kind.weight for kind in KINDS])[0]
    error = chance.choice(kind.errors)
    number = round(kind.lasting ** chance.random())
    # For good or once; an interruption or a short write for good would be no fault but an end.
    when = f"{number}+" if error not in ("EINTR", "short") and chance.random() < 0.4 else f"{number}"
    effect = f"retval={chance.choice([0, 1, 512, 4095])}" if error == "short" else f"error={error}"
    command = ["strace", "-D", "-f", "--seccomp-bpf", "-qq", "-o", str(directory / "trace")]
    command += ["-e", f"trace={kind.call}", "-e", f"inject={kind.call}:{effect}:when={when}"]
    if kind.is_data:
        for file in files(directory / "data"):
            command += ["-P", str(file)]
    code = "EIO" if error == "short" else error
    # LMDB takes a short write of a new file's first pages for a full disk (mdb.c, mdb_env_init_meta).
    codes = [code, "ENOSPC"] if error == "short" else [code]
    return Fault(
        name=f"{kind.call}{'' if kind.is_data else ' anywhere'} {error} when {when}",
        prefix=tuple(command),
        answers=frozenset({507, 503} if code in FULL else {500, 503}),
        reasons=(*(os.strerror(getattr(errno, code)) for code in codes), *kind.words),
        may_silence=kind.is_wire and when.endswith("+"),
        before=spoil_projections if kind.is_rebuild else None,
    )


class Campaign(FaultCampaign):
    def has_happened(self, fault: Fault, directory: Path) -> bool:
        trace = directory / "trace"
        has = trace.exists() and "(INJECTED)" in trace.read_text(errors="replace")
        trace.unlink(missing_ok=True)
        return has


def main() -> int:
    options = checked(arguments("I/O errors"))
    if shutil.which("strace") is None:
        print("strace is missing: apt-get install strace", file=sys.stderr)
        return 2
    return run(Campaign(options, draw))


if __name__ == "__main__":
    sys.exit(main())
