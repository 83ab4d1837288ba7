"""Debian packages that the lab needs on the machine itself."""

from __future__ import annotations

import os
import subprocess

from balai.errors import EnvironmentFault
from lab.processes import run
from lab.toolchain import debian_packages


def ensure() -> str:
    """Install what is missing; return what was done."""
    wanted = debian_packages()
    query = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    present = {line.split()[0] for line in query.stdout.splitlines() if line.endswith(" installed")}
    missing = [name for name in wanted if name not in present]
    if not missing:
        return f"{len(wanted)} present"
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    run(["apt-get", "update", "-qq"], sentence="The package lists cannot be fetched")
    run(
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing],
        sentence=f"Debian packages cannot be installed ({', '.join(missing)})",
    )
    if subprocess.run(["dpkg-query", "-W", *missing], capture_output=True, check=False).returncode:
        raise EnvironmentFault(f"apt-get did not install {', '.join(missing)}: see its log in /var/log/apt.")
    return f"{len(missing)} installed"
