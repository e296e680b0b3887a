"""Measures how sessiond scales, and draws it: over 1 to 512 connections, and over 10 thousand to 5 million sessions.

    python3 plots.py [--only connections,sessions] [--most-sessions 5000000] [--rounds 3] [--seconds 3] [--draw]
                     [--binary SESSIOND] [--bench SESSIONBENCH] [--directory DIR]

Writes the figures to plots/connections.json and plots/sessions.json, and beside them what is drawn from them, as SVG.
--draw draws from the figures that are there. Sessions are picked at random; every answer is checked. Needs cc.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from load import CONNECTIONS, HERE, REPOSITORY, Round, add_options, check_statuses, check_tools, median
from shop import Shop
from table import SOME_SESSIONS, machine

FOLDER = HERE / "plots"
CONNECTION_COUNTS = [1 << power for power in range(10)]
SESSION_COUNTS = [10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000]


# Measuring


def figures(rounds: list[Round]) -> dict[str, float]:
    return {name: median(rounds, name) for name in ("per_second", "p99_milliseconds", "cpu_microseconds")}


def measure_connections(options: argparse.Namespace, directory: Path) -> list[dict]:
    shop = Shop(options, directory / "shop", min(SOME_SESSIONS, options.most_sessions)).start()
    points = []
    try:
        for count in CONNECTION_COUNTS:
            point: dict = {"connections": count}
            for name, flags in (("get", ("--read",)), ("put", ())):
                shop.ask(*flags, seconds=0.5, connections=count)
                rounds = [shop.ask(*flags, seconds=options.seconds, connections=count) for _ in range(options.rounds)]
                point[name] = figures(rounds)
            points.append(point)
            print(f"{count:>4} connections: {shown(point)}", flush=True)
        check_statuses(shop.daemon)
        shop.stop()
    finally:
        shop.daemon.kill()
    return points


def measure_sessions(options: argparse.Namespace, directory: Path) -> list[dict]:
    points = []
    for count in (count for count in SESSION_COUNTS if count <= options.most_sessions):
        shop = Shop(options, directory / f"{count}", count).start()
        point: dict = {"sessions": count}
        try:
            for name, flags in (("get", ("--read",)), ("put", ())):
                shop.ask(*flags, seconds=1)
                point[name] = figures([shop.ask(*flags, seconds=options.seconds) for _ in range(options.rounds)])
            point["anonymous_mebibytes"] = shop.anonymous_bytes() / (1 << 20)
            check_statuses(shop.daemon)
            shop.stop()
        finally:
            shop.daemon.kill()
        points.append(point)
        print(f"{count:>9,} sessions: {shown(point)}, {point['anonymous_mebibytes']:.0f} MiB", flush=True)
        shutil.rmtree(directory / f"{count}")
    return points


def shown(point: dict) -> str:
    def of(name: str) -> str:
        rate, p99, cpu = (point[name][figure] for figure in ("per_second", "p99_milliseconds", "cpu_microseconds"))
        return f"{name.upper()} {rate:,.0f}/s, p99 {p99:.2f} ms, {cpu:.1f} µs"

    return f"{of('get')}, {of('put')}"


# Drawing

PANEL_WIDTH, PANEL_HEIGHT = 380, 250
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 44, 46
COLOURS = {"GET": "#1f6feb", "durable PUT": "#d1480a"}
# Readable on a light page and on a dark one, of which README's readers have both.
INK = "#7d8590"


@dataclass
class Panel:
    """A chart: lines over a logarithmic axis, from a value axis that begins at 0 or is logarithmic, too."""

    title: str
    axis: str
    lines: dict[str, list[tuple[float, float]]]
    is_logarithmic: bool = False

    def draw(self, left: float) -> list[str]:
        across = [x for points in self.lines.values() for x, _ in points]
        values = [y for points in self.lines.values() for _, y in points]
        first, last = math.log(min(across)), math.log(max(across))
        ticks = self.logarithmic_ticks(values) if self.is_logarithmic else linear_ticks(max(values))
        width, height = PANEL_WIDTH - LEFT - RIGHT, PANEL_HEIGHT - TOP - BOTTOM

        def place(value: float) -> float:
            if self.is_logarithmic:
                share = (math.log(value) - math.log(ticks[0])) / (math.log(ticks[-1]) - math.log(ticks[0]))
            else:
                share = value / ticks[-1]
            return TOP + height * (1 - share)

        def column(value: float) -> float:
            return left + LEFT + width * ((math.log(value) - first) / (last - first) if last > first else 0.5)

        parts = [text(left + LEFT, 20, self.title, "start", "bold")]
        for tick in ticks:
            parts.append(line(left + LEFT, place(tick), left + LEFT + width, place(tick)))
            parts.append(text(left + LEFT - 7, place(tick) + 4, compact(tick)))
        reached = -math.inf
        for mark in sorted(set(across)):
            parts.append(line(column(mark), TOP + height, column(mark), TOP + height + 4))
            # Not where the label before it reaches.
            if column(mark) - reached > 30:
                parts.append(text(column(mark), TOP + height + 18, compact(mark), "middle"))
                reached = column(mark)
        parts.append(text(left + LEFT + width / 2, PANEL_HEIGHT - 8, self.axis, "middle"))
        for number, (name, points) in enumerate(self.lines.items()):
            path = " ".join(f"{column(x):.1f},{place(y):.1f}" for x, y in points)
            colour = COLOURS[name]
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
            parts += [f'<circle cx="{column(x):.1f}" cy="{place(y):.1f}" r="3" fill="{colour}"/>' for x, y in points]
            at = left + LEFT + number * 60
            parts.append(f'<circle cx="{at + 4:.1f}" cy="32" r="4" fill="{colour}"/>')
            parts.append(text(at + 13, 36, name, "start"))
        return parts

    @staticmethod
    def logarithmic_ticks(values: list[float]) -> list[float]:
        """The powers of ten around the values, with the steps between when there are few."""
        low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        ticks = [10.0**power for power in range(low, max(high, low + 1) + 1)]
        if len(ticks) > 3:
            return ticks
        steps = sorted(tick * step for tick in ticks[:-1] for step in (1, 2, 5)) + ticks[-1:]
        return [tick for number, tick in enumerate(steps) if is_near(steps, number, values)]


def is_near(steps: list[float], number: int, values: list[float]) -> bool:
    """Whether a step lies between the values, or is the last one before them or the first one behind them."""
    reaches_low = number + 1 == len(steps) or steps[number + 1] > min(values)
    return reaches_low and (number == 0 or steps[number - 1] < max(values))


def linear_ticks(most: float) -> list[float]:
    """Four to six round values from 0 on, the last one not below `most`."""
    step = 10 ** math.floor(math.log10(most))
    while most / step > 5:
        step *= 2
    while most / step <= 2.5:
        step /= 2
    return [step * number for number in range(math.ceil(most / step) + 1)]


def compact(value: float) -> str:
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:g}{unit}"
    return f"{value:g}"


def text(x: float, y: float, content: str, anchor: str = "end", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">{escape(content)}</text>'


def line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{INK}" stroke-opacity="0.25"/>'


def picture(panels: list[Panel], note: str) -> str:
    width, height = PANEL_WIDTH * len(panels), PANEL_HEIGHT + 22
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="{INK}">'
    ]
    for number, panel in enumerate(panels):
        parts += panel.draw(number * PANEL_WIDTH)
    parts.append(text(width / 2, height - 6, note, "middle"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def lines_of(points: list[dict], axis: str, figure: str) -> dict[str, list[tuple[float, float]]]:
    names = {"GET": "get", "durable PUT": "put"}
    return {name: [(point[axis], point[key][figure]) for point in points] for name, key in names.items()}


def draw(name: str):
    """Draws plots/NAME.svg from plots/NAME.json."""
    measured = json.loads((FOLDER / f"{name}.json").read_text())
    points, surroundings = measured["points"], measured["machine"]
    note = f"{surroundings['cpus']} CPUs with the load generator, "
    note += f"{surroundings['sync_microseconds']:,.0f} µs to make 4 KiB durable, documents of 400 bytes"
    if name == "connections":
        panels = [
            Panel("requests a second", name, lines_of(points, name, "per_second")),
            Panel("99th percentile, ms", name, lines_of(points, name, "p99_milliseconds"), is_logarithmic=True),
        ]
        note += f", {measured['sessions']:,} sessions"
    else:
        panels = [
            Panel("server CPU a request, µs", name, lines_of(points, name, "cpu_microseconds")),
            Panel("requests a second", name, lines_of(points, name, "per_second")),
        ]
        note += f", {CONNECTIONS} connections"
    (FOLDER / f"{name}.svg").write_text(picture(panels, note))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.set_defaults(rounds=3)
    kinds = {"connections": measure_connections, "sessions": measure_sessions}
    parser.add_argument("--bench", type=Path, default=REPOSITORY / ".build/release/sessionbench")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(kinds), metavar="|".join(kinds))
    parser.add_argument("--most-sessions", type=int, default=SESSION_COUNTS[-1])
    parser.add_argument("--directory", type=Path, help="where to put the data, on a disk; default: the system's")
    parser.add_argument("--draw", action="store_true", help="only draw")
    options = parser.parse_args()
    if unknown := set(options.only) - set(kinds):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    if not options.draw:
        check_tools(options, "cc")
        if not options.bench.exists():
            sys.exit(f"{options.bench} is missing: swift build -c release, or name another one with --bench")
    FOLDER.mkdir(exist_ok=True)
    for name in options.only:
        if not options.draw:
            with tempfile.TemporaryDirectory(prefix="sessiond-plots-", dir=options.directory) as directory:
                measured = {"machine": machine(Path(directory)), "rounds": options.rounds, "seconds": options.seconds}
                measured["sessions"] = min(SOME_SESSIONS, options.most_sessions)
                measured["points"] = kinds[name](options, Path(directory))
            (FOLDER / f"{name}.json").write_text(json.dumps(measured, indent=2, ensure_ascii=False) + "\n")
        draw(name)
        print(FOLDER / f"{name}.svg")


if __name__ == "__main__":
    main()
