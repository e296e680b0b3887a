"""/metrics in the text format of Prometheus, parsed strictly, and what /livez and /readyz say."""

from __future__ import annotations

import json
import math
import re
import time
from collections import defaultdict

from daemon import REPOSITORY, path_of

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
NUMBER = re.compile(r"[+-]?(Inf|[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?)|NaN")


def parse(text: str) -> dict[str, dict]:
    """The families by name. Anything that exposition format 0.0.4 doesn't allow, or promtool warns of, is an error."""
    assert text.endswith("\n") and "\r" not in text
    families: dict[str, dict] = {}
    current = None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, _, help_text = line[7:].partition(" ")
            assert NAME.fullmatch(name) and help_text and name not in families, line
            current = families[name] = {"type": None, "samples": {}}
            continue
        if line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert families.get(name) is current and current["type"] is None and not current["samples"], line
            assert kind in ("counter", "gauge", "histogram"), line
            assert (kind == "counter") == name.endswith("_total"), f"promtool: {line}"
            current["type"] = kind
            continue
        match = re.fullmatch(r"([^{ ]+)(?:\{(.*)\})? (\S+)", line)
        assert match, f"neither a comment nor a sample: {line!r}"
        sample, labels_text, value = match.groups()
        assert NAME.fullmatch(sample) and NUMBER.fullmatch(value), line
        labels = {}
        rest = labels_text or ""
        while rest:
            label = LABEL.match(rest)
            assert label and label[1] not in labels, line
            labels[label[1]] = label[2]
            rest = rest[label.end() :]
        suffix = sample.removeprefix(name)
        assert current is families[name] and sample.startswith(name), f"a sample of another family: {line}"
        assert suffix in (("_bucket", "_sum", "_count") if current["type"] == "histogram" else ("",)), line
        key = (suffix, tuple(sorted(labels.items())))
        assert key not in current["samples"], f"twice: {line}"
        current["samples"][key] = float(value)
    for name, family in families.items():
        assert family["type"] and family["samples"], name
        if family["type"] == "histogram":
            check_histogram(name, family["samples"])
        if family["type"] != "gauge":
            assert all(value >= 0 for value in family["samples"].values()), name
    return families


def check_histogram(name: str, samples: dict):
    buckets = defaultdict(list)
    for (suffix, labels), value in samples.items():
        if suffix == "_bucket":
            bound = dict(labels)["le"]
            buckets[tuple(pair for pair in labels if pair[0] != "le")].append((float(bound), value))
    assert buckets, name
    for labels, pairs in buckets.items():
        assert pairs == sorted(pairs), f"{name}: the bounds don't ascend"
        values = [value for _, value in pairs]
        assert values == sorted(values), f"{name}: the buckets aren't cumulative"
        assert pairs[-1][0] == math.inf, f"{name}: no +Inf"
        assert pairs[-1][1] == samples[("_count", labels)], name
        assert ("_sum", labels) in samples, name


def figures(daemon) -> dict[str, dict]:
    answer = daemon.admin("/metrics")
    assert answer.status == 200
    return parse(answer.body.decode())


def value(families: dict, name: str, suffix: str = "", **labels: str) -> float:
    return families[name]["samples"].get((suffix, tuple(sorted(labels.items()))), 0.0)


def settled(daemon, condition) -> dict:
    deadline = time.monotonic() + 10
    while not condition(found := figures(daemon)):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def test_every_figure_is_valid_and_counts_what_happened(new_daemon):
    daemon = new_daemon().start()
    for number in range(5):
        path = path_of(f"counted-{number}", query="upsert=true")
        assert daemon.request("PUT", path, {"siteCode": "main"}).status == 204
    assert daemon.request("GET", path_of("counted-0")).status == 200
    assert daemon.request("GET", path_of("missing")).status == 404
    assert daemon.request("GET", "/nowhere").status == 404

    found = settled(daemon, lambda found: value(found, "sessiond_log_events_total") == 5)

    assert value(found, "sessiond_requests_total", operation="replaceContext", status="204") == 5
    assert value(found, "sessiond_requests_total", operation="getContext", status="404") == 1
    assert value(found, "sessiond_requests_total", operation="none", status="404") == 1
    assert value(found, "sessiond_request_duration_seconds", "_count", operation="replaceContext") == 5
    assert 0 < value(found, "sessiond_request_duration_seconds", "_sum", operation="replaceContext") < 60
    assert value(found, "sessiond_batch_commands", "_sum") == 5
    commits = value(found, "sessiond_commit_duration_seconds", "_count")
    assert 1 <= commits == value(found, "sessiond_batch_commands", "_count") <= 5
    assert value(found, "sessiond_open_sessions", tenant_class="small") == 5
    assert value(found, "sessiond_tenants", tenant_class="small") == 1
    assert value(found, "sessiond_disk_available_bytes") > value(found, "sessiond_disk_reserve_bytes") == 64 << 20
    assert value(found, "sessiond_map_size_bytes") == 1 << 40
    assert value(found, "sessiond_ready") == 1
    flushed = settled(daemon, lambda found: value(found, "sessiond_projector_lag_events") == 0)
    assert value(flushed, "sessiond_projector_lag_seconds") == 0
    assert value(flushed, "sessiond_log_bytes") > 0 and value(flushed, "sessiond_projections_bytes") > 0


def test_the_projectors_lag_is_told_while_nothing_is_flushed(new_daemon):
    daemon = new_daemon(config={"storage": {"flushIntervalMilliseconds": 60_000}}).start()
    assert daemon.request("PUT", path_of("waiting", query="upsert=true"), {"siteCode": "main"}).status == 204
    found = settled(daemon, lambda found: value(found, "sessiond_projector_lag_seconds") > 0.2)
    assert value(found, "sessiond_projector_lag_events") == 1
    assert value(found, "sessiond_overlay_sessions") == 1
    assert value(found, "sessiond_overlay_bytes") > 0


def test_remembered_tokens_are_counted_only_where_tokens_are_used(daemon):
    assert "sessiond_token_cache_entries" not in figures(daemon)


def test_live_and_ready(daemon):
    assert (daemon.admin("/livez").status, daemon.admin("/livez").body) == (200, b"ok\n")
    assert (daemon.admin("/readyz").status, daemon.admin("/readyz").body) == (200, b"ready\n")


def named_in(text: str) -> set[str]:
    return set(re.findall(r"\bsessiond_[a-z0-9_]+", text))


def test_dashboard_and_alerts_ask_only_for_figures_that_exist(daemon):
    assert daemon.request("GET", path_of("missing")).status == 404
    assert daemon.request("PUT", path_of("asked-for", query="upsert=true"), {"siteCode": "main"}).status == 204
    known = {"sessiond_token_cache_entries"}
    for name, family in figures(daemon).items():
        known |= {name + suffix for suffix, _ in family["samples"]}
    dashboard = json.loads((REPOSITORY / "config/grafana-dashboard.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(asked) > 15
    asked.append((REPOSITORY / "config/prometheus-alerts.yml").read_text())
    for text in asked:
        assert named_in(text) <= known, named_in(text) - known
