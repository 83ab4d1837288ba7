"""The lab's management cluster: not there before every controller's webhooks are."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from lab import management


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[socket.socket]]:
    """A socket on loopback in place of each webhook."""
    monkeypatch.setattr(management, "NODE", "127.0.0.1")
    with ExitStack() as held:
        yield [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]


def test_a_webhook_listens_or_does_not(listening: list[socket.socket]) -> None:
    first, second = (each.getsockname()[1] for each in listening)
    listening[1].close()
    assert management._listens(first)
    assert not management._listens(second)
