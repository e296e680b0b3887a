"""SIGTERM, SIGHUP, and what the service manager is told: a stand-in for systemd's side of sd_notify and of sockets."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import threading
import time

import pytest
from daemon import BINARY, Daemon, environment, path_of
from wire import NoAnswer, Wire, request_bytes

HELPER = 'export LISTEN_PID=$$; exec "$0" "$@"'


class Manager:
    """Passes listening sockets on and hears what it is told, as systemd does."""

    def __init__(self, directory, *options: str, names: tuple[str, ...] = ("api", "admin"), watchdog_seconds: int = 2):
        self.directory = directory
        self.options = options
        self.sockets = {name: self._listen() for name in names}
        self.names = names
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(directory / "notify"))
        self.heard: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._hear, daemon=True).start()
        self.watchdog_seconds = watchdog_seconds
        self.process: subprocess.Popen | None = None

    @staticmethod
    def _listen() -> socket.socket:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        return listener

    def _hear(self):
        # Always, since whoever tells waits while the socket's queue is full.
        while True:
            self.heard.put(self.notify.recv(8192).decode())

    def address(self, name: str = "api") -> str:
        return "127.0.0.1:%d" % self.sockets[name].getsockname()[1]

    def start(self):
        held = [listener.fileno() for listener in self.sockets.values()]

        def place():
            copies = [os.dup(descriptor) for descriptor in held]
            copies = [os.dup2(descriptor, 40 + index) for index, descriptor in enumerate(copies)]
            for index, descriptor in enumerate(copies):
                os.dup2(descriptor, 3 + index)

        variables = environment(
            LISTEN_FDS=str(len(held)),
            LISTEN_FDNAMES=":".join(self.names),
            NOTIFY_SOCKET=str(self.directory / "notify"),
            WATCHDOG_USEC=str(self.watchdog_seconds * 1_000_000),
        )
        command = ["sh", "-c", HELPER, str(BINARY), "--data-dir", str(self.directory / "data"), *self.options]
        self.process = subprocess.Popen(
            command, preexec_fn=place, close_fds=False, env=variables, stderr=open(self.directory / "stderr", "ab")
        )
        return self

    def told(self, seconds: float = 20.0) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.heard.get(timeout=seconds).splitlines())

    def await_told(self, key: str, value: str | None = None) -> dict[str, str]:
        while True:
            told = self.told()
            if key in told and value in (None, told[key]):
                return told

    def request(self, method: str, path: str, body: bytes | None = None, name: str = "api"):
        with Wire(self.address(name)) as wire:
            headers = {"Content-Type": "application/json", "Connection": "close"}
            return wire.exchange(request_bytes(method, path, headers, body), method)

    def put(self, session: str) -> int:
        return self.request("PUT", path_of(session, query="upsert=true"), b'{"siteCode":"main"}').status

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture
def manager(tmp_path):
    made: list[Manager] = []

    def make(*options: str, **settings) -> Manager:
        made.append(Manager(tmp_path, *options, **settings))
        return made[-1]

    yield make
    for manager in made:
        if manager.process and manager.process.poll() is None:
            manager.process.kill()
            manager.process.wait()


def test_the_manager_is_told_of_the_whole_life(manager):
    service = manager().start()
    ready = service.await_told("READY")
    assert ready["READY"] == "1" and ready["STATUS"].startswith("serving")
    service.process.send_signal(signal.SIGHUP)
    assert service.await_told("RELOADING")["RELOADING"] == "1"
    assert service.await_told("READY")["STATUS"].startswith("serving")
    service.process.send_signal(signal.SIGTERM)
    stopping = service.await_told("STOPPING")
    assert int(stopping["EXTEND_TIMEOUT_USEC"]) > 10_000_000
    assert service.process.wait(30) == 0


def test_the_watchdog_is_fed_while_idle_and_under_load(manager):
    service = manager(watchdog_seconds=2).start()
    service.await_told("READY")
    for is_idle in (True, False):
        for number in range(3):
            started = time.monotonic()
            if not is_idle:
                assert service.put(f"fed-{number}") == 204
            service.await_told("WATCHDOG", "1")
            assert time.monotonic() - started < 2, "later than the watchdog's interval"


def test_the_watchdog_is_not_fed_by_a_stopped_process(manager):
    service = manager().start()
    service.await_told("READY")
    service.process.send_signal(signal.SIGSTOP)
    time.sleep(0.5)
    with pytest.raises(queue.Empty):
        while True:
            service.told(3.0)
    service.process.send_signal(signal.SIGCONT)
    service.await_told("WATCHDOG")


def test_passed_sockets_are_served_each_by_its_name(manager):
    service = manager().start()
    service.await_told("READY")
    assert service.put("passed") == 204
    assert service.request("GET", "/readyz", name="admin").body == b"ready\n"
    assert service.request("GET", "/readyz", name="api").status == 404


class Load:
    """A thread that begins one session after the other, by a client of one of two kinds.

    The one makes a connection for each request: every such request has to be answered. The other keeps its connection,
    which HTTP lets the server close at any time between two requests (RFC 9112, section 9.5). So it must be ready to find
    it closed, without a byte of an answer, and then sends its request once more on a new one, which has to answer.
    """

    def __init__(self, service: Manager, name: str, keeps: bool):
        self.service = service
        self.name = name
        self.keeps = keeps
        self.begun: list[str] = []
        self.failures: list[object] = []
        self.retries = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self):
        self._is_over.set()
        self._thread.join()

    def _run(self):
        wire = None
        while not self._is_over.is_set():
            session = f"{self.name}-{len(self.begun)}"
            headers = {"Content-Type": "application/json"} | ({} if self.keeps else {"Connection": "close"})
            data = request_bytes("PUT", path_of(session, query="upsert=true"), headers, b'{"siteCode":"main"}')
            is_reused = wire is not None
            try:
                wire = wire or Wire(self.service.address(), timeout=30.0)
                answer = wire.exchange(data, "PUT")
            except (NoAnswer, OSError) as error:
                if is_reused and not wire.received:
                    self.retries += 1
                else:
                    self.failures.append((session, error))
                if wire is not None:
                    wire.close()
                wire = None
                continue
            if answer.status == 204:
                self.begun.append(session)
            else:
                self.failures.append((session, answer))
            if answer.closes:
                wire.close()
                wire = None


# One client alone leaves moments without a connection, in which a stop is over at once; several leave none.
@pytest.mark.parametrize("clients", [{"fresh": False}, {"fresh-a": False, "fresh-b": False, "kept": True}])
def test_a_restart_answers_every_request_and_loses_no_write(manager, clients):
    service = manager().start()
    service.await_told("READY")
    loads = [Load(service, name, keeps) for name, keeps in clients.items()]
    for _ in range(4):
        time.sleep(0.3)
        assert service.end() == 0, (service.directory / "stderr").read_text()
        service.start()
    time.sleep(1)
    for load in loads:
        load.end()
    for load in loads:
        assert not load.failures and len(load.begun) > 20, (load.failures, len(load.begun))
        # A stop ends the kept connection at most once.
        assert load.retries <= (4 if load.keeps else 0)
        for session in load.begun:
            document = service.request("GET", path_of(session)).json()
            assert document["metadata"]["version"] == 1, "a request without an answer was carried out"


def test_a_client_that_has_just_connected_is_answered_by_the_process_that_stops(manager):
    service = manager().start()
    service.await_told("READY")
    with Wire(service.address()) as wire:
        time.sleep(0.1)  # The process has accepted it by then.
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        answer = wire.exchange(request_bytes("GET", path_of("none")), "GET")
        assert (answer.status, answer.closes) == (404, True)
    assert service.process.wait(30) == 0


def test_everybody_is_let_in_only_on_passed_sockets_that_are_local(manager):
    service = manager(names=("api",))
    service.sockets["api"].close()
    listener = socket.socket()
    listener.bind(("0.0.0.0", 0))
    listener.listen(1)
    service.sockets["api"] = listener
    service.start()
    assert service.process.wait(30) == 2
    assert "auth: none lets everybody in" in (service.directory / "stderr").read_text()


def test_sigterm_answers_what_is_under_way(new_daemon):
    daemon = new_daemon().start()
    body = b'{"siteCode":"main"}'
    with daemon.wire() as wire:
        data = request_bytes("PUT", path_of("slow", query="upsert=true"), {"Content-Type": "application/json"}, body)
        wire.send(data[:-5])
        time.sleep(0.2)
        daemon.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert daemon.process.poll() is None, "it did not wait for the request"
        assert wire.exchange(data[-5:], "PUT").status == 204
    assert daemon.wait() == 0
    assert daemon.start().request("GET", path_of("slow")).status == 200


def test_a_stop_says_how_many_requests_it_cut_off(new_daemon):
    daemon = new_daemon(config={"timeouts": {"drainSeconds": 0.5}}).start()
    data = request_bytes("PUT", path_of("slow"), {"Content-Type": "application/json"}, b'{"siteCode":"main"}')
    with daemon.wire() as first, daemon.wire() as second:
        for wire in (first, second):
            wire.send(data[:-5])
        time.sleep(0.2)
        assert daemon.terminate() == 0
    assert "<5>requests that the stop didn't wait for: 0 answered 503, 2 cut off" in daemon.stderr
    assert daemon.start().request("GET", path_of("slow")).status == 404
    assert daemon.terminate() == 0
    assert "didn't wait" not in daemon.stderr


def reread(daemon: Daemon, config: dict, expected: str):
    (daemon.directory / "sessiond.json5").write_text(json.dumps(config))
    daemon.process.send_signal(signal.SIGHUP)
    daemon.await_stderr(expected)


def test_sighup_changes_limits_and_says_so(new_daemon):
    daemon = new_daemon(config={"limits": {"sessionsPerTenant": 1}}).start()

    def put(session: str) -> int:
        return daemon.request("PUT", path_of(session, query="upsert=true"), {"siteCode": "main"}).status

    assert (put("one"), put("two")) == (204, 507)
    reread(daemon, {"limits": {"sessionsPerTenant": 2}}, "limits.sessionsPerTenant is now 2, before 1")
    assert (put("two"), put("three")) == (204, 507)
    reread(daemon, {"logLevel": "debug"}, "logLevel is now debug, before info")
    assert put("three") == 204
    reread(daemon, {"accessLog": True}, "accessLog is now true, before false")
    put("three")
    daemon.await_stderr("PUT replaceContext status=")
    reread(daemon, {"timeouts": {"idleSeconds": 5}}, "counts from the next start on")


def test_sighup_with_bad_settings_keeps_the_old_ones(new_daemon):
    daemon = new_daemon(config={"limits": {"sessionsPerTenant": 1}}).start()
    reread(daemon, {"limits": {"sessionsPerTenant": "many"}}, "the old ones stay")
    assert "limits.sessionsPerTenant" in daemon.stderr
    assert daemon.request("GET", path_of("missing")).status == 404
