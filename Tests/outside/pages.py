"""The pages of an LMDB file as mdb.c lays them out: which are there, what they are for, and where the records lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

PAGE = 4096
BRANCH, LEAF = 0x01, 0x02
BIG_DATA, SUB_TABLE = 0x01, 0x02
NONE = (1 << 64) - 1
# Places within a meta page: the two roots that each lie at the end of a table's 48 bytes, and the transaction's number.
MAGIC, FREE, MAIN, LAST, TRANSACTION = 16, 16 + 24, 16 + 72, 16 + 120, 16 + 128


class Pages:
    """A data file that nobody writes to meanwhile."""

    def __init__(self, path: Path):
        self.path = path
        self.bytes = path.read_bytes()
        self.meta = max((0, PAGE), key=lambda page: self.number(page + TRANSACTION, 8))
        assert self.number(self.meta + MAGIC, 4) == 0xBEEFC0DE

    def number(self, place: int, size: int) -> int:
        return int.from_bytes(self.bytes[place : place + size], "little")

    @property
    def main(self) -> int:
        """The root of the table of tables."""
        return self.number(self.meta + MAIN + 40, 8)

    def table(self, name: str) -> list[tuple[int, int, int, int]]:
        """Place and length of each key and value."""
        for key, key_size, data, _ in self.entries(self.main):
            if self.bytes[key : key + key_size] == name.encode():
                return list(self.entries(self.number(data + 40, 8)))
        raise AssertionError(f"there is no table {name}")

    def entries(self, page: int) -> Iterator[tuple[int, int, int, int]]:
        for node, is_branch in self.nodes(page):
            low, high, kind, key_size = (self.number(node + 2 * place, 2) for place in range(4))
            if is_branch:
                yield from self.entries(low | high << 16 | kind << 32)
                continue
            data = node + 8 + key_size
            if kind & BIG_DATA:
                data = self.number(data, 8) * PAGE + 16
            yield node + 8, key_size, data, low | high << 16

    def nodes(self, page: int) -> Iterator[tuple[int, bool]]:
        """Where each node of a page begins, and whether it names a page."""
        start = page * PAGE
        flags, lower = self.number(start + 10, 2), self.number(start + 12, 2)
        assert flags & (BRANCH | LEAF)
        for index in range((lower - 16) // 2):
            yield start + self.number(start + 16 + 2 * index, 2), bool(flags & BRANCH)

    def used(self) -> dict[int, str]:
        """What each page that is in use is for: `meta`, `free list`, `branch`, `leaf`, or `overflow`."""
        kinds = dict.fromkeys((0, 1), "meta")
        for place, is_free_list in ((FREE, True), (MAIN, False)):
            self._walk(self.number(self.meta + place + 40, 8), kinds, is_free_list)
        return kinds

    def _walk(self, page: int, kinds: dict[int, str], is_free_list: bool):
        if page == NONE:
            return
        kinds[page] = "free list" if is_free_list else "branch" if self.number(page * PAGE + 10, 2) & BRANCH else "leaf"
        for node, is_branch in self.nodes(page):
            low, high, kind, key_size = (self.number(node + 2 * place, 2) for place in range(4))
            data = node + 8 + key_size
            if is_branch:
                self._walk(low | high << 16 | kind << 32, kinds, is_free_list)
            elif kind & SUB_TABLE:
                self._walk(self.number(data + 40, 8), kinds, is_free_list)
            elif kind & BIG_DATA:
                first = self.number(data, 8)
                count = self.number(first * PAGE + 12, 4)
                kinds.update(dict.fromkeys(range(first, first + count), "free list" if is_free_list else "overflow"))

    def names(self) -> list[tuple[int, int]]:
        """Place and length of each table's name, with its own length before it."""
        return [(key - 2, 2 + key_size) for key, key_size, _, _ in self.entries(self.main)]

    def keys(self) -> list[tuple[int, int]]:
        """Place and length of the key of each record, with its own length before it."""
        return [
            (node + 6, 2 + self.number(node + 6, 2))
            for page, kind in sorted(self.used().items()) if kind == "leaf"
            for node, _ in self.nodes(page)
        ]  # fmt: skip

    def free_places(self) -> list[int]:
        """Where the number of each free page stands."""
        places = []
        root = self.number(self.meta + FREE + 40, 8)
        for _, _, data, _ in self.entries(root) if root != NONE else ():
            places += [data + 8 * index for index in range(1, self.number(data, 8) + 1)]
        return places

    def flip(self, place: int, bit: int):
        self.flip_in(self.path, place, bit)

    @staticmethod
    def flip_in(path: Path, place: int, bit: int):
        with path.open("r+b") as file:
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ 1 << bit]))
