"""The options that the campaigns share: how many, from which seed, and of which build."""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

from daemon import BINARY


def arguments(what: str, count: str, *, has_control: bool = True) -> argparse.ArgumentParser:
    """A parser for a campaign of `what` that wants so many of `count`; with sessionctl unless it has no use for that."""
    parser = argparse.ArgumentParser(description=f"{what}; see the head of this file.")
    parser.add_argument(f"--{count}", type=int, required=True)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--binary", type=Path, default=BINARY)
    if has_control:
        parser.add_argument("--sessionctl", type=Path, help="default: beside the binary")
    return parser


def checked(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The options with the programs' defaults; ends the process with 2 when a program that is needed is missing."""
    options = parser.parse_args()
    needed = [options.binary]
    if hasattr(options, "sessionctl"):
        options.sessionctl = options.sessionctl or options.binary.parent / "sessionctl"
        if not getattr(options, "no_verify", False):
            needed.append(options.sessionctl)
    for program in needed:
        if not program.exists():
            print(f"{program} is missing: build it, or name another one", file=sys.stderr)
            sys.exit(2)
    return options
