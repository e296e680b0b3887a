"""The shipped configuration file, `config/sessiond.json5`: it documents every setting, and this holds it to that."""

from __future__ import annotations

import copy
import json
import re
import subprocess

import json5
import pytest
from daemon import BINARY, REPOSITORY, environment

FILE = REPOSITORY / "config/sessiond.json5"
TEXT = FILE.read_text(encoding="utf-8")
# A commented-out setting has no blank after the slashes, or two and more for what is inside it; prose has one.
WITH_EXAMPLES = re.sub(r"^(\s*)//(?! \S)", r"\1", TEXT, flags=re.MULTILINE)

SHIPPED = json5.loads(TEXT)
ALL = json5.loads(WITH_EXAMPLES)

Key = tuple[str | int, ...]


def keys(value, path: Key = ()) -> list[Key]:
    """The places of all settings in it, those that hold others, too."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [path] if path and isinstance(path[-1], str) else []
    for name, member in members:
        found += keys(member, (*path, name))
    return found


def name(path: Key) -> str:
    """The place in the words of sessiond: `limits.bodyBytes`, `issuers[0].claims.tenant`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)[1:]


def value_at(path: Key):
    value = ALL
    for part in path:
        value = value[part]
    return value


def with_value(path: Key, value) -> dict:
    """All settings, with another value in that place."""
    changed = copy.deepcopy(ALL)
    place = changed
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return changed


KEYS = keys(ALL)
NUMBERS = [path for path in KEYS if isinstance(value_at(path), (int, float)) and not isinstance(value_at(path), bool)]


def comment(path: Key) -> str:
    """The comment right above a setting, with the one above the section that it is in."""
    lines = WITH_EXAMPLES.splitlines()
    text, start = "", 0
    for part in path:
        if isinstance(part, int):
            continue
        at = next(index for index in range(start, len(lines)) if re.match(rf"\s*{part}:", lines[index]))
        first = at
        while lines[first - 1].lstrip().startswith("//"):
            first -= 1
        text += " ".join(line.strip().removeprefix("//").strip() for line in lines[first:at]) + " "
        start = at + 1
    return text


@pytest.fixture
def check(tmp_path):
    """Has sessiond check a configuration."""

    def check(text: str) -> subprocess.CompletedProcess:
        path = tmp_path / "sessiond.json5"
        keys = tmp_path / "keys.json"
        keys.write_text('{"keys":[{"kty":"oct","kid":"a","alg":"HS256","k":"' + "QUJD" * 11 + '"}]}')
        path.write_text(text.replace(ALL["issuers"][0]["keyFile"], str(keys)), encoding="utf-8")
        return subprocess.run(
            [str(BINARY), "--check-config", "--config", str(path)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            env=environment(),
        )

    return check


def check_refused(result: subprocess.CompletedProcess, path: Key) -> str:
    """Refused with one line that names the place; returns that line."""
    assert result.returncode == 2, result
    assert result.stderr.count("\n") == 1, result.stderr
    assert re.search(rf"(?<![\w.]){re.escape(name(path))}(: |\[)", result.stderr), result.stderr
    return result.stderr


@pytest.mark.parametrize("text", [TEXT, WITH_EXAMPLES], ids=["as it is", "with its examples"])
def test_is_accepted(check, text):
    result = check(text)
    assert (result.returncode, result.stderr) == (0, ""), result


def test_its_examples_are_what_has_no_default():
    assert set(ALL) - set(SHIPPED) == {"listen", "dataDirectory", "auth", "issuers"}
    assert {key: ALL[key] for key in SHIPPED} == SHIPPED


@pytest.mark.parametrize("path", KEYS, ids=name)
def test_a_wrong_type_is_refused_by_name(check, path):
    value = value_at(path)
    wrong = [{"of": "another type"}] if not isinstance(value, dict) else []
    if not isinstance(value, str):
        wrong.append("text")
    if not isinstance(value, bool):
        wrong.append(True)
    if isinstance(value, (bool, str, list, dict)):
        wrong.append(5)
    if isinstance(value, int) and not isinstance(value, bool) and path[0] != "timeouts":
        wrong.append(value + 0.5)
    if not isinstance(value, list):
        wrong.append([])
    elif path != ("issuers",):
        wrong.append([5])
    for other in wrong:
        check_refused(check(json.dumps(with_value(path, other))), path)


@pytest.mark.parametrize("path", KEYS, ids=name)
def test_a_misspelt_key_is_refused_by_name(check, path):
    changed = with_value(path, value_at(path))
    place = changed
    for part in path[:-1]:
        place = place[part]
    place[path[-1] + "s"] = place.pop(path[-1])
    result = check(json.dumps(changed))
    assert result.returncode == 2, result
    # Of a setting that must be there, its absence may be told first.
    assert name(path) in result.stderr, result.stderr


@pytest.mark.parametrize("path", [path for path in NUMBERS if path != ("conflictStatus",)], ids=name)
def test_the_limits_of_a_number_are_those_in_its_comment(check, path):
    documented = re.search(r"\b([\d.]+) to (\d+)", comment(path))
    assert documented, comment(path)
    low, high = (json.loads(number) for number in documented.groups())
    assert low <= value_at(path) <= high
    for inside in (low, high):
        result = check(json.dumps(with_value(path, inside)))
        assert result.returncode == 0, result
    for outside in (low - 1, high + 1):
        check_refused(check(json.dumps(with_value(path, outside))), path)
