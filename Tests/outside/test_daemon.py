"""The process itself: command line, configuration, listeners, signals and what is left on disk."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import threading

import pytest
from daemon import BINARY, Daemon, StartFailed, environment, path_of
from wire import NoAnswer, Wire, request_bytes


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess:
    """Runs sessiond for a command line that makes it end by itself."""
    return subprocess.run(
        [str(BINARY), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        env=environment(**variables),
    )


def check_one_line(result: subprocess.CompletedProcess, *texts: str):
    """A failure that says in one line on stderr what is wrong, and nothing on stdout."""
    assert result.returncode > 0, result
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1 and result.stderr.endswith("\n"), result.stderr
    for text in texts:
        assert text in result.stderr, result.stderr


def check_not_started(daemon: Daemon, text: str):
    """The daemon ends by itself, in order, and its last line says why."""
    with pytest.raises(StartFailed) as failure:
        daemon.start()
    assert failure.value.status is not None and failure.value.status > 0, str(failure.value)[:500]
    assert text in str(failure.value).splitlines()[-1], failure.value


def upsert(daemon: Daemon, session: str, document: dict):
    answer = daemon.request("PUT", path_of(session, query="upsert=true"), document)
    assert answer.status == 204, answer


class TestCommandLine:
    def test_help_names_every_option(self):
        result = run("--help")
        assert (result.returncode, result.stderr) == (0, "")
        for option in (
            "--config",
            "--listen",
            "--admin-listen",
            "--data-dir",
            "--auth",
            "--check-config",
            "--version",
            "--help",
        ):
            assert option in result.stdout

    def test_version_is_one_line(self):
        result = run("--version")
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.startswith("sessiond ") and result.stdout.count("\n") == 1
        assert any(character.isdigit() for character in result.stdout)

    @pytest.mark.parametrize(
        "arguments, text",
        [
            (("--colour",), "--colour"),
            (("serve",), "serve"),
            (("--listen",), "--listen"),
            (("--config",), "--config"),
            (("--auth", "some"), "auth"),
            (("--two\r\nlines",), "lines"),
            (("--listen", "localhost:8080"), "localhost:8080"),
            (("--listen", "127.0.0.1"), "127.0.0.1"),
            (("--listen", "127.0.0.1:99999"), "99999"),
            (("--listen", "unix:relative.sock"), "relative.sock"),
            (("--admin-listen", "::1:80"), "::1:80"),
        ],
    )
    def test_that_is_wrong_is_refused(self, tmp_path, arguments, text):
        check_one_line(run("--data-dir", str(tmp_path), *arguments), text)

    def test_with_a_configuration_that_is_missing_is_refused(self, tmp_path):
        check_one_line(run("--config", str(tmp_path / "nothing.json5")), "nothing.json5")


class TestConfiguration:
    @pytest.fixture
    def check(self, tmp_path):
        """Checks a configuration file with that text."""

        def check(text: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
            path = tmp_path / "sessiond.json5"
            path.write_text(text)
            return run("--check-config", "--config", str(path), *arguments, **variables)

        return check

    def test_is_json5_with_comments(self, check, tmp_path):
        result = check(
            f"""// A comment.
            {{
              listen: ['127.0.0.1:0', "[::1]:0"], /* another */
              adminListen: ['127.0.0.1:0'],
              dataDirectory: '{tmp_path}/data',
              auth: 'none',
              conflictStatus: 404,
              anonymousTTLSeconds: 60, customerTTLSeconds: 0, tombstoneSeconds: +86400,
              limits: {{ bodyBytes: 0x8000 }},
              timeouts: {{ headerSeconds: .5 }},
            }}"""
        )
        assert result.returncode == 0, result
        assert not (tmp_path / "data").exists(), "a check must not begin anything"

    @pytest.mark.parametrize(
        "text, key",
        [
            ("{auth: 'none', colour: 1}", "colour"),
            ("{auth: 'none', anonymousTTLSecond: 1}", "anonymousTTLSecond"),
            ("{auth: 'none', limits: {colours: 1}}", "limits.colours"),
            ("{auth: 'none', limits: {bodyBytes: 0}}", "limits.bodyBytes"),
            ("{auth: 'none', anonymousTTLSeconds: '60'}", "anonymousTTLSeconds"),
            ("{auth: 'none', anonymousTTLSeconds: 1.5}", "anonymousTTLSeconds"),
            ("{auth: 'none', anonymousTTLSeconds: true}", "anonymousTTLSeconds"),
            ("{auth: 'none', tombstoneSeconds: []}", "tombstoneSeconds"),
            ("{auth: 'none', listen: 5}", "listen"),
            ("{auth: 'none', listen: [5]}", "listen"),
            ("{auth: 'none', dataDirectory: {}}", "dataDirectory"),
            ("{auth: 'none', limits: 5}", "limits"),
            ("{auth: 'none', anonymousTTLSeconds: -1}", "anonymousTTLSeconds"),
            ("{auth: 'none', customerTTLSeconds: -1}", "customerTTLSeconds"),
            ("{auth: 'none', tombstoneSeconds: -1}", "tombstoneSeconds"),
            ("{auth: 'none', tombstoneSeconds: 9223372036854775808}", "tombstoneSeconds"),
            ("{auth: 'none', conflictStatus: 500}", "conflictStatus"),
            ("{auth: 'none', conflictStatus: '409'}", "conflictStatus"),
            ("{auth: 'some'}", "auth"),
            ("{auth: 'none', listen: ['localhost:80']}", "localhost:80"),
            ("{auth: 'none', adminListen: ['127.0.0.1']}", "adminListen"),
        ],
    )
    def test_that_is_wrong_is_refused_by_name(self, check, text, key):
        check_one_line(check(text), key)

    @pytest.mark.parametrize("text", ["", "{", "[]", "5", "{auth: 'none',, }", "{auth: 'none'} x", "auth = none"])
    def test_that_is_no_json5_object_is_refused(self, check, text):
        check_one_line(check(text), "sessiond.json5")

    def test_is_overridden_by_the_environment_and_that_by_options(self, check):
        assert check("{auth: 'none', listen: ['nonsense']}").returncode != 0
        good, bad = {"SESSIOND_LISTEN": "127.0.0.1:0"}, {"SESSIOND_LISTEN": "nonsense"}
        assert check("{auth: 'none', listen: ['nonsense']}", **good).returncode == 0
        assert check("{auth: 'none', listen: ['127.0.0.1:0']}", **bad).returncode != 0
        assert check("{auth: 'none'}", "--listen", "127.0.0.1:0", **bad).returncode == 0

    def test_of_the_environment_has_no_unknown_variables(self, check):
        result = check("{auth: 'none'}", SESSIOND_COLOUR="1")
        check_one_line(result, "SESSIOND_COLOUR")

    def test_that_cannot_start_does_not_start(self, new_daemon):
        daemon = new_daemon(config={"colour": 1})
        check_not_started(daemon, "colour")
        assert not daemon.data.exists()


class TestAuthNone:
    @pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
    def test_is_refused_for_a_listener_that_others_reach(self, tmp_path, address):
        result = run("--auth", "none", "--data-dir", str(tmp_path / "data"), "--listen", address)
        check_one_line(result, "auth", address.rpartition(":")[0])

    def test_is_refused_when_one_of_several_listeners_is_not_local(self, tmp_path):
        listeners = ("--listen", "127.0.0.1:0", "--listen", "0.0.0.0:0")
        check_one_line(run("--auth", "none", "--data-dir", str(tmp_path / "data"), *listeners), "0.0.0.0")

    def test_is_refused_for_an_admin_listener_that_others_reach(self, tmp_path):
        result = run("--auth", "none", "--data-dir", str(tmp_path / "data"), "--admin-listen", "0.0.0.0:0")
        check_one_line(result, "auth", "0.0.0.0")

    def test_is_refused_for_a_listener_that_others_reach_when_it_is_not_said(self, tmp_path):
        check_one_line(run("--data-dir", str(tmp_path / "data"), "--listen", "0.0.0.0:0"), "auth", "0.0.0.0")


class TestListeners:
    def test_may_be_several(self, new_daemon):
        daemon = new_daemon(listen=("127.0.0.1:0", "[::1]:0", "127.0.0.1:0")).start()
        assert len(set(daemon.addresses)) == 3
        for address in daemon.addresses:
            with Wire(address) as wire:
                assert wire.exchange(request_bytes("GET", path_of("x"))).status == 404

    def test_may_be_a_unix_socket(self, new_daemon, tmp_path):
        path = tmp_path / "s.sock"
        daemon = new_daemon(listen=(f"unix:{path}",)).start()
        assert daemon.address == f"unix:{path}"
        assert stat.S_ISSOCK(path.stat().st_mode)
        upsert(daemon, "one", {"siteCode": "main"})
        daemon.restart()
        assert daemon.request("GET", path_of("one")).json()["siteCode"] == "main"
        daemon.kill()
        daemon.start()
        assert daemon.request("GET", path_of("one")).status == 200
        assert daemon.terminate() == 0
        assert not path.exists(), "the socket's file is left behind"
        assert "libmicrohttpd" not in daemon.stderr, "a socket without TCP is nothing to warn of"

    def test_do_not_replace_a_file_that_is_no_socket(self, new_daemon, tmp_path):
        path = tmp_path / "precious"
        path.write_text("data")
        check_not_started(new_daemon(listen=(f"unix:{path}",)), "precious")
        assert path.read_text() == "data"

    def test_whose_unix_socket_is_served_by_another_are_refused(self, new_daemon, tmp_path):
        path = tmp_path / "s.sock"
        first = new_daemon(listen=(f"unix:{path}",)).start()
        check_not_started(new_daemon(listen=(f"unix:{path}",)), "s.sock")
        assert first.request("GET", path_of("x")).status == 404

    def test_whose_port_is_in_use_are_refused(self, new_daemon):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            daemon = new_daemon(listen=(address,))
            check_not_started(daemon, address)

    def test_whose_port_is_anothers_daemon_are_refused(self, new_daemon):
        first = new_daemon().start()
        check_not_started(new_daemon(listen=(first.address,)), first.address)
        assert first.request("GET", path_of("x")).status == 404


class TestAdmin:
    def test_has_health_and_metrics(self, daemon):
        assert daemon.admin("/livez").status == 200
        assert daemon.admin("/readyz").status == 200
        metrics = daemon.admin("/metrics")
        assert metrics.status == 200
        assert metrics.headers["content-type"].startswith("text/plain")
        assert b"sessiond_" in metrics.body
        assert daemon.admin("/nothing").status == 404

    def test_and_api_have_listeners_of_their_own(self, daemon):
        assert daemon.admin(path_of("x")).json().get("sessionId") is None
        for path in ("/livez", "/readyz", "/metrics"):
            assert daemon.request("GET", path).status == 404

    def test_counts_answers(self, new_daemon):
        daemon = new_daemon().start()
        upsert(daemon, "one", {})
        for _ in range(3):
            assert daemon.request("GET", path_of("one")).status == 200
        lines = daemon.admin("/metrics").body.decode().splitlines()
        counts = [line for line in lines if "getContext" in line and '"200"' in line]
        assert [line.rpartition(" ")[2] for line in counts] == ["3"], lines


class TestDataDirectory:
    def test_is_served_by_one_daemon_only(self, new_daemon):
        first = new_daemon().start()
        second = new_daemon()
        second.data = first.data
        check_not_started(second, str(first.data))
        upsert(first, "one", {})
        first.kill()
        second.start()
        assert second.request("GET", path_of("one")).status == 200

    def test_that_cannot_be_made_is_refused(self, new_daemon, tmp_path):
        (tmp_path / "file").write_text("")
        daemon = new_daemon()
        daemon.data = tmp_path / "file" / "data"
        check_not_started(daemon, "file/data")

    def test_is_not_readable_by_others(self, new_daemon):
        daemon = new_daemon().start()
        upsert(daemon, "one", {})
        for folder, _, files in os.walk(daemon.data):
            for name in (".", *files):
                mode = stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode)
                assert mode & 0o007 == 0, f"{os.path.join(folder, name)} has mode {mode:o}"

    def test_whose_projections_were_removed_is_rebuilt(self, new_daemon):
        daemon = new_daemon().start()
        for number in range(40):
            upsert(daemon, f"s{number % 20}", {"cartId": str(number), "metadata": {"version": number // 20}})
        daemon.request("POST", path_of("s1", "attributes"), body=b'{"key":"a","value":{ "x":1.0 }}')
        assert daemon.request("DELETE", path_of("s2")).status == 204
        before = answers(daemon, 21)
        assert daemon.terminate() == 0
        shutil.rmtree(daemon.data / "projections")
        daemon.start()
        assert answers(daemon, 21) == before
        assert daemon.request("PUT", path_of("s2", query="upsert=true"), {}).status == 410


def answers(daemon: Daemon, count: int) -> list:
    """What GET answers for the first sessions, the current second left out."""
    seen = []
    for number in range(count):
        answer = daemon.request("GET", path_of(f"s{number}"))
        answer.headers.pop("date")
        seen.append(answer)
    return seen


class TestEnd:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_in_order_keeps_everything(self, new_daemon, number):
        daemon = new_daemon().start()
        for index in range(10):
            upsert(daemon, f"s{index}", {"cartId": str(index)})
        before = answers(daemon, 11)
        assert daemon.signal(number) == 0, daemon.stderr
        daemon.start()
        assert answers(daemon, 11) == before

    def test_by_sigkill_keeps_everything_acknowledged(self, new_daemon):
        daemon = new_daemon().start()
        for index in range(10):
            upsert(daemon, f"s{index}", {"cartId": str(index)})
        before = answers(daemon, 11)
        daemon.kill()
        daemon.start()
        assert answers(daemon, 11) == before

    def test_answers_the_requests_that_have_begun(self, new_daemon):
        """Under load each request that was answered is kept, and no answer is a failure."""
        daemon = new_daemon().start()
        address, failures, acknowledged = daemon.address, [], {}
        is_loaded = threading.Event()

        def load(name: str):
            try:
                with Wire(address) as wire:
                    for number in range(1_000_000):
                        body = b'{"key":"a","value":%d}' % number
                        path = path_of(name, "attributes") if number else path_of(name, query="upsert=true")
                        method = "POST" if number else "PUT"
                        data = request_bytes(
                            method, path, {"Content-Type": "application/json"}, body if number else b"{}"
                        )
                        answer = wire.exchange(data)
                        if answer.status != 204:
                            failures.append(answer)
                            return
                        acknowledged[name] = number
                        if number == 20:
                            is_loaded.set()
            except (NoAnswer, OSError):
                return  # The end of the connection: what wasn't answered may or may not be there.

        threads = [threading.Thread(target=load, args=(f"load-{index}",)) for index in range(8)]
        for thread in threads:
            thread.start()
        assert is_loaded.wait(20)
        assert daemon.terminate() == 0, daemon.stderr
        for thread in threads:
            thread.join(20)
        assert not failures, failures
        daemon.start()
        for name, number in acknowledged.items():
            document = daemon.request("GET", path_of(name)).json()
            assert document["metadata"]["version"] in (number + 1, number + 2), document

    def test_closes_idle_connections_at_once(self, new_daemon):
        daemon = new_daemon().start()
        with daemon.wire() as used, daemon.wire() as unused:
            assert used.exchange(request_bytes("GET", path_of("x"))).status == 404
            assert daemon.terminate() == 0
            assert used.read_to_end() == b""
            assert unused.read_to_end() == b""


class TestHangup:
    def test_does_not_end_the_daemon(self, new_daemon):
        daemon = new_daemon().start()
        daemon.process.send_signal(signal.SIGHUP)
        upsert(daemon, "one", {})
        assert daemon.terminate() == 0
