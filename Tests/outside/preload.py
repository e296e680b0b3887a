"""Libraries in C that are loaded into the daemon before all others, to watch or to disturb it. Needs cc."""

from __future__ import annotations

import subprocess
from pathlib import Path


def built(source: Path, folder: Path) -> Path:
    """Builds a library in `folder`; for LD_PRELOAD."""
    library = folder / f"{source.stem}.so"
    options = ["-O1", "-Wall", "-Werror", "-shared", "-fPIC"]
    subprocess.run(["cc", *options, "-o", library, source, "-ldl", "-lpthread"], check=True)
    return library
