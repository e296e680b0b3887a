"""Texts of every length come back as they were sent: short ones lie elsewhere in memory than long ones."""

from __future__ import annotations

import string

import pytest
from daemon import path_of

LETTERS = string.ascii_letters + string.digits


@pytest.mark.parametrize("length", range(1, 41))
def test_texts_of_every_length_come_back(daemon, length):
    text = (LETTERS * 2)[length : 2 * length]
    session = f"{length:02}" + text
    body = {"siteCode": text, "cartId": text[::-1], "context": {text: text, text + "ä": [text]}}
    assert daemon.request("PUT", path_of(session) + "?upsert=true", json=body).status == 204
    document = daemon.request("GET", path_of(session)).json()
    document.pop("metadata")
    assert document == {"sessionId": session, **body}
    event = daemon.request("GET", path_of(session) + "/events").json()["events"][0]
    assert event["subject"] == session
    assert event["data"] == body
    absent = daemon.request("GET", path_of(session + "x"))
    assert absent.json() == {"code": 404, "message": "Session not found", "sessionId": session + "x"}
