"""Many connections whose requests arrive together."""

from __future__ import annotations

import signal
import time

import pytest
from daemon import path_of
from wire import request_bytes

# libmicrohttpd asks the kernel for so many events at once.
BATCH = 128


@pytest.mark.parametrize("connections", [BATCH - 1, BATCH, 2 * BATCH])
def test_requests_that_fill_a_worker_s_batch_of_events_are_answered(new_daemon, session, connections):
    daemon = new_daemon(config={"storage": {"httpThreads": 1}}).start()
    assert daemon.request("PUT", path_of(session, query="upsert=true"), json={}).status == 204
    wires = [daemon.wire(timeout=5) for _ in range(connections)]
    request = request_bytes("GET", path_of(session))
    for wire in wires:
        assert wire.exchange(request).status == 200
    for _ in range(3):
        # While it is stopped all of them become ready, so that its worker is told of them together.
        daemon.process.send_signal(signal.SIGSTOP)
        try:
            for wire in wires:
                wire.send(request)
            time.sleep(0.05)
        finally:
            daemon.process.send_signal(signal.SIGCONT)
        assert [wire.read().status for wire in wires] == [200] * connections
    for wire in wires:
        wire.close()
