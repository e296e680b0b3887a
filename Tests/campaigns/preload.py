"""Libraries in C that are loaded into the daemon before all others, to watch or to disturb it. Needs cc."""

from __future__ import annotations

import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent


def built(name: str, folder: Path) -> Path:
    """Builds `name`.c, which lies here, in `folder`; for LD_PRELOAD."""
    library = folder / f"{name}.so"
    options = ["-O1", "-Wall", "-Werror", "-shared", "-fPIC"]
    subprocess.run(["cc", *options, "-o", library, HERE / f"{name}.c", "-ldl", "-lpthread"], check=True)
    return library
