"""The one list of Debian packages, the manifest and the texts agree."""

from __future__ import annotations

import re

from daemon import REPOSITORY

LIST = (REPOSITORY / "config/debian-packages.txt").read_text()
NAMES = {line for line in LIST.splitlines() if line and not line.startswith("#")}


def test_every_provider_of_the_manifest_is_on_the_list():
    manifest = (REPOSITORY / "Package.swift").read_text()
    providers = set()
    for names in re.findall(r"\.apt\(\[([^\]]*)\]\)", manifest):
        providers |= set(re.findall(r'"([^"]+)"', names))
    assert providers
    assert providers <= NAMES, providers - NAMES


def test_the_list_is_installed_from_and_not_repeated():
    assert "debian-packages.txt" in (REPOSITORY / "config/install").read_text()
    for path in ("README.md", ".ci/run"):
        text = (REPOSITORY / path).read_text()
        assert "config/install" in text, path
        assert "apt-get install" not in text.replace("apt-get install -y ./sessiond", ""), path
