"""The machines that the lab boots, as root sees them over SSH."""

from __future__ import annotations

import os

import pytest
import testinfra
from testinfra.host import Host

NAMES = ["mpp-banyuwangi-router-1", "mpp-banyuwangi-server-1", "mpp-banyuwangi-kiosk-1", "mpp-banyuwangi-display-1"]


@pytest.fixture(params=NAMES)
def host(request: pytest.FixtureRequest) -> Host:
    """Return each machine in turn."""
    return testinfra.get_host(f"ssh://{request.param}", ssh_config=os.environ["BALAI_SSH_CONFIG"], sudo=True)
