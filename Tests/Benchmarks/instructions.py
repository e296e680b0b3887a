"""Counts the instructions of a request by callgrind, which runs the daemon on a processor of its own making.

It has AVX2 but no instructions for SHA-256, on any machine that has AVX2. Counted is what handles a request on a worker and
what writes a batch on the writer, from their first instruction to their last, libraries included; not the HTTP around
them, nor the projector. Needs valgrind, strip and nm.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from shop import Shop

SESSIONS = 1000
# valgrind can't map more.
MAP_BYTES = 4 << 30
# SessionAPI.handle(_:) and SessionStore.write(_:_:), with whatever arguments.
COUNTED = (r"\$s10SessionAPIAAC6handle\w+", r"\$s12SessionStoreAAC5writeyySay\w+")


def symbols(binary: Path) -> list[str]:
    """The names that the linker knows the counted functions by."""
    table = subprocess.run(["nm", str(binary)], capture_output=True, text=True, check=True).stdout
    found = [re.findall(rf" [tT] ({pattern})$", table, re.MULTILINE) for pattern in COUNTED]
    if any(len(names) != 1 for names in found):
        sys.exit(f"the functions whose instructions are counted have other names: {found}")
    return [names[0] for names in found]


def counted(options: argparse.Namespace, directory: Path, flags: dict[str, tuple[str, ...]]) -> dict[str, float]:
    """The instructions of a request of each kind, one after the other over one connection; `flags` are the client's."""
    shop = Shop(options, directory / "instructions", SESSIONS)
    daemon = shop.daemon
    daemon.config["storage"]["mapSizeBytes"] = MAP_BYTES
    # Without the debugger's tables, which take valgrind longer to read than all the rest.
    stripped = directory / "stripped"
    shutil.copy(options.binary, stripped)
    subprocess.run(["strip", "--strip-debug", str(stripped)], check=True)
    output = directory / "callgrind"
    daemon.binary = stripped
    daemon.prefix = ["valgrind", "--tool=callgrind", "--collect-atstart=no", f"--callgrind-out-file={output}"]
    daemon.prefix += [f"--toggle-collect={symbol}" for symbol in symbols(stripped)]
    requests = options.requests // 4
    counts: dict[str, float] = {}
    try:
        shop.start()
        for number, (name, arguments) in enumerate(flags.items(), 1):

            def ask(arguments: tuple[str, ...] = arguments):
                done = shop.ask(*arguments, "--requests", str(requests), seconds=120, connections=1)
                if done.requests != requests:
                    sys.exit(f"{done.requests} of {requests} requests were answered in time")

            ask()  # The warm-up.
            counts[f"instructions per {name}"] = collected(shop, output.with_suffix(f".{number}"), ask) / requests
        shop.stop()
    finally:
        daemon.kill()
    return counts


def collected(shop: Shop, dump: Path, ask: Callable[[], None]) -> int:
    """The instructions of the counted functions while `ask` runs. `dump` is the file that callgrind writes next."""
    control = ["callgrind_control", str(shop.server.pid)]
    subprocess.run([*control, "--zero"], capture_output=True, check=True)
    ask()
    subprocess.run([*control, "--dump"], capture_output=True, check=True)
    found = re.search(r"^(?:totals|summary): (\d+)$", dump.read_text(), re.MULTILINE)
    if found is None or int(found[1]) == 0:
        sys.exit(f"callgrind counted nothing in {dump.name}")
    return int(found[1])
