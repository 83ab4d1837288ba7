"""The lab's management cluster: not there before every controller's webhooks are."""

from __future__ import annotations

import socket

import pytest

from lab import management


def test_a_webhook_listens_or_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(management, "NODE", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert management._listens(port)
    assert not management._listens(port)
