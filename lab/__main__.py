"""
`python -m lab up | down | status | tools | wan | clock | power`: the embedded data centre and mall.

`wan`, `clock` and `power` are what happens to a mall: `wan cut 1 [upstream|carrier]`, `wan restore 1`, `wan flap 1`,
`clock "2026-12-02 08:00:00"` (the calendar's, UTC), `clock real`, `power server-1`. `up` brings everything up, does
the main job on it (stacks, site, audit) and says how to look around. It may be killed at any moment and run again.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from balai.deploy import layers_of
from balai.errors import BalaiError, EnvironmentFault
from balai.estate import load_estate
from balai.sites import INVENTORIES
from lab import (
    approvals,
    capacity,
    control_plane,
    crds,
    gateway,
    images,
    internet,
    machines,
    management,
    network,
    node,
    packages,
    pki,
    plugins,
    processes,
    screens,
    state,
    toolchain,
    trees,
)

CLUSTER = "cikarang"
OTHER_ESTATE = ("BALAI_INVENTORIES", "BALAI_LAB_SITE")  # what a lab was brought up with holds for whoever looks at it
console = Console(stderr=True)


@dataclass
class Summary:
    """Rows of the closing table."""

    rows: list[tuple[str, str]] = field(default_factory=list)

    def step(self, title: str, work: Callable[[], str]) -> None:
        """Do one step with its title on the screen; keep what it says and how long it took."""
        began = time.monotonic()
        with console.status(title):
            said = work()
        self.rows.append((title, f"{said} ({time.monotonic() - began:.1f} s)"))
        console.print(f"[green]✓[/green] {title}: {said} ({time.monotonic() - began:.1f} s)", highlight=False)


def up() -> int:
    """Bring the lab up and do the main job; return the worst exit code of its parts."""
    state.require_root()
    state.require_space()
    with state.exclusive():
        processes.end(processes.JOB)
        summary, kept = Summary(), {}
        summary.step("Packages", packages.ensure)
        summary.step("Tools", lambda: _tools(kept))
        summary.step("Control plane", lambda: _control_plane(kept))
        summary.step("Management cluster", lambda: _management(kept))
        summary.step("Node", lambda: _node(kept))
        summary.step("Second data centre", lambda: _standby(kept))
        summary.step("Kinds of services", lambda: "; ".join(crds.start(kept[n]) for n in ("cluster", "standby")))
        network.make(machines.NETNS)
        summary.step("Hosts of the mall", lambda: ", ".join(host.name for host in machines.start()))
        summary.step("Ways out", internet.up)
        gateway.up()
        env = _environment(kept["tools"])
        # Machines of clusters are mostly waited for: tenants and mall are made meanwhile.
        clusters = ThreadPoolExecutor(1).submit(_clusters, env)
        summary.step("Stacks", lambda: _stacks(env))
        summary.step("Public services", lambda: gateway.publish(kept["cluster"]))
        summary.step("Site", lambda: _site(env))
        summary.step("Overlay", gateway.admit)
        summary.step("Screens", screens.show)
        summary.step("Clusters", clusters.result)
        summary.step("Audit", lambda: _audit(env))
        _print(summary, kept["cluster"])
    return 0


def down() -> int:
    """End everything that `up` started and remove what it made; caches of tools stay."""
    state.require_root()
    with state.exclusive():
        machines.stop()
        internet.stop()
        processes.end()
        for netns in (control_plane.NETNS, machines.NETNS):
            network.remove(netns)
        processes.unmount_below(state.ROOT)
        processes.unmount_below(state.RUN)
        if (mark := _config_mark()).exists():
            _forget_stack_settings(mark)
        shutil.rmtree(state.ROOT, ignore_errors=True)
    shutil.rmtree(state.RUN, ignore_errors=True)
    console.print("The lab is gone; its tools are kept in", str(toolchain.cache_root()), highlight=False)
    return 0


def status() -> int:
    """Print which daemons and hosts run; return 0 when all do, 3 otherwise."""
    names = [
        *control_plane.TENANTS.names,
        *control_plane.STANDBY.names,
        f"{control_plane.STANDBY.prefix}kwok",
        *management.names(),
        *node.DAEMONS,
        *(f"host-{host.name}" for host in [*machines.hosts(), *machines.visitors()]),
    ]
    table = Table("daemon", "pid", box=None)
    for name in names:
        table.add_row(name, str(processes.pid_of(name) or "-"))
    console.print(table)
    return 0 if all(map(processes.pid_of, names)) else EnvironmentFault.exit_code


def tools() -> int:
    """Install the lab's Debian packages and find or build its engines."""
    state.require_root()
    console.print(f"Packages: {packages.ensure()}", highlight=False)
    _tools({})
    return 0


def _tools(kept: dict[str, Any]) -> str:
    def tell(name: str, event: str, seconds: float) -> None:
        if event == "building":
            console.print(f"  building {name} …", highlight=False)
        elif event == "built":
            console.print(f"  built {name} in {seconds:.0f} s", highlight=False)

    kept["tools"] = toolchain.ensure(on_event=tell)
    kept["images"] = images.build()
    for kind in trees.TREES:
        trees.tree_of(kind)
    origins = [found.origin for found in kept["tools"].values()]
    return ", ".join(
        f"{origins.count(o)} {text}"
        for o, text in (("path", "on PATH"), ("cache", "cached"), ("built", "built"))
        if o in origins
    )


def _control_plane(kept: dict[str, Any]) -> str:
    control_plane.network_up()
    kept["cluster"] = control_plane.start(kept["tools"])
    version = kept["cluster"].request("GET", "/version")["gitVersion"]
    return f"Kubernetes {version} at {control_plane.SERVER}"


def _management(kept: dict[str, Any]) -> str:
    kept["management"] = management.start(kept["tools"])
    return f"Cluster API {kept['tools']['clusterctl'].tool.version} at {management.plane().server}"


def _node(kept: dict[str, Any]) -> str:
    node.start(kept["tools"], kept["images"], kept["cluster"])
    return f"{node.NAME} Ready, and {capacity.RACKS} KWOK nodes"


def _standby(kept: dict[str, Any]) -> str:
    plane = control_plane.STANDBY
    cluster = kept["standby"] = control_plane.start_plane(plane, kept["tools"])
    capacity.start(plane, kept["tools"], cluster, control_plane.GROUP, real_beside=False)
    names = capacity.names(plane)
    processes.wait_for(
        "Capacity of the second data centre",
        lambda: all(capacity.ready(cluster, name) for name in names),
        seconds=60,
        alive=[f"{plane.prefix}kwok"],
    )
    return f"Kubernetes at {plane.server}, and {len(names)} KWOK nodes"


def _environment(tools: dict[str, toolchain.Found]) -> dict[str, str]:
    """Write the file that a person sources to look around, and return the same settings."""
    binaries = state.ROOT / "bin"
    binaries.mkdir(exist_ok=True)
    for name in ("pulumi", "kubectl", "clusterctl"):
        link = binaries / name
        if not link.exists() or link.resolve() != tools[name].path.resolve():
            link.unlink(missing_ok=True)
            link.symlink_to(tools[name].path)
    passphrase = state.ROOT / "passphrase"
    if not passphrase.exists():
        pki.write_secret(passphrase, os.urandom(24).hex().encode())
    backend = state.ROOT / "pulumi"
    backend.mkdir(exist_ok=True)
    authority = pki.Authority(state.PKI, "cluster")
    for tenant in load_estate().tenants_of(CLUSTER):
        pki.kubeconfig(
            state.ROOT / "tenants" / f"{tenant.name}.kubeconfig",
            control_plane.SERVER,
            authority,
            f"operator-{tenant.name}",
            [tenant.group],
        )
    planes = (control_plane.TENANTS, control_plane.STANDBY, management.plane())
    pki.join(state.KUBECONFIG, [plane.kubeconfig for plane in planes])
    _keep_stack_settings_apart()
    estate = load_estate()
    layers = layers_of(estate, estate.data_centres, estate.clusters)
    allowed = approvals.give([name for layer in layers for name in layer])
    here = Path(sys.executable).parent
    settings = {
        "PATH": f"{binaries}:{here}:{os.environ['PATH']}:{plugins.install()}",
        "KUBECONFIG": str(state.KUBECONFIG),
        "PULUMI_HOME": str(state.ROOT / "pulumi-home"),
        "PULUMI_BACKEND_URL": f"file://{backend}?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase),
        "CLUSTERCTL_DISABLE_VERSIONCHECK": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
        "BALAI_INFRASTRUCTURE": "in-memory",
        "BALAI_APPROVALS": str(allowed),
        "BALAI_ENROLMENT": str(machines.ENROLMENT),
        "BALAI_SSH_CONFIG": str(state.SSH_CONFIG),
        "ANSIBLE_SSH_ARGS": f"-F {state.SSH_CONFIG}",
        **{name: os.environ[name] for name in OTHER_ESTATE if name in os.environ},
    }
    lines = {**settings, "PATH": f"{binaries}:{here}:$PATH:{state.ROOT / 'plugins'}"}
    state.write(state.ROOT / "env", "".join(f'export {key}="{value}"\n' for key, value in lines.items()))
    return {**os.environ, **settings}


def _config_mark() -> Path:
    return state.CHECKOUT / "stacks" / "config" / ".lab"


def _keep_stack_settings_apart() -> None:
    """A stack's settings hold the salt of one passphrase: those of a lab that is gone are useless."""
    instance = state.ROOT / "instance"
    if not instance.exists():
        instance.write_text(os.urandom(8).hex())
    mark = _config_mark()
    if not mark.exists() and list(mark.parent.glob("Pulumi.*.yaml")):
        return  # somebody's real settings: not the lab's to remove, now or later
    if mark.exists() and mark.read_text() != instance.read_text():
        _forget_stack_settings(mark)
    mark.write_text(instance.read_text())


def _forget_stack_settings(mark: Path) -> None:
    for path in mark.parent.glob("Pulumi.*.yaml"):
        path.unlink()
    mark.unlink(missing_ok=True)


def _run(argv: list[str], env: dict[str, str], fine: tuple[int, ...] = (0,)) -> str:
    """Run a part of the main job; in a cgroup, so that the next start ends what a killed one left."""
    words, code = processes.job(argv, cwd=state.CHECKOUT, env=env)
    if code not in fine:
        told = words[words.find("fatal: ") :][:3000] if "fatal: " in words else words.strip()[-3000:]
        raise EnvironmentFault(f"`{' '.join(argv)}` failed:\n{told}")
    return words


def _clusters(env: dict[str, str]) -> str:
    said = _bring_up([word for name in load_estate().data_centres for word in ("--data-centre", name)], env)
    return "; ".join([said, *management.standing()])


def _stacks(env: dict[str, str]) -> str:
    return _bring_up([word for name in load_estate().clusters for word in ("--cluster", name)], env)


def _bring_up(what: list[str], env: dict[str, str]) -> str:
    stacks = json.loads(_run([sys.executable, "-m", "balai", "up", *what, "--json"], env))
    changed = objects = 0
    for stack in stacks:
        mine = sum(n for op, n in stack["changes"].items() if op not in ("same", "read"))
        count = sum(n for op, n in stack["changes"].items() if op != "delete")
        console.print(f"  {stack['stack']}: {count} objects, {mine} changed", highlight=False)
        changed, objects = changed + mine, objects + count
    return f"{len(stacks)} stacks, {objects} objects, {changed} changed"


def _site(env: dict[str, str]) -> str:
    limit = ",".join(["localhost", *(host.name for host in machines.hosts())])
    said = _run(
        ["ansible-playbook", "site.yml", "-i", str(INVENTORIES / f"sites/{machines.SITE}.yml"), "--limit", limit], env
    )
    recap = re.findall(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)", said, flags=re.MULTILINE)
    return "; ".join(f"{host} ok={ok} changed={changed}" for host, ok, changed in recap if host != "localhost")


def _audit(env: dict[str, str]) -> str:
    said = _run(
        [
            sys.executable,
            "-m",
            "balai",
            "audit",
            "--site",
            machines.SITE,
            "--cluster",
            CLUSTER,
            "--out",
            str(state.REPORT),
            "--json",
        ],
        env,
        fine=(0, 1),
    )
    found = json.loads(said.strip().splitlines()[-1])
    tally = " ".join(f"{name} {n}" for name, n in found["counts"].items())
    return f"{tally}; {found['controls']} controls; {found['report']}"


def _print(summary: Summary, cluster: Any) -> None:
    table = Table(title="The lab is up", box=None, show_header=False, title_justify="left")
    for title, said in summary.rows:
        table.add_row(f"[bold]{title}[/bold]", said)
    service = cluster.request("GET", "/api/v1/namespaces/tenant-portal-layanan/services/web")["spec"]["clusterIP"]
    for title, command in (
        ("Look around", f". {state.ROOT}/env"),
        ("", "kubectl get pods -A"),
        ("", "pulumi stack ls"),
        ("", f"ssh -F $BALAI_SSH_CONFIG {machines.SITE}-server-1"),
        ("", f"curl http://{service}/"),
        ("Remove", "make down"),
    ):
        table.add_row(f"[bold]{title}[/bold]", command)
    Console(width=max(console.width, 100)).print(table, highlight=False)


def wan(what: str, number: str, *how: str) -> int:
    """Cut, mend or shake one of the mall's lines."""
    verbs: dict[str, Callable[..., None]] = {"cut": internet.cut, "restore": internet.restore, "flap": internet.flap}
    if what not in verbs or not number.isdigit() or how not in ((), *((h,) for h in internet.HOWS if what == "cut")):
        console.print(__doc__, highlight=False, markup=False)
        return 2
    verbs[what](int(number), *how)
    return 0


def clock(when: str) -> int:
    """Give the router's calendar a time of its own, or the real one again."""
    machines.set_clock(None if when == "real" else when)
    return 0


def power(*names: str) -> int:
    """Cut the power of hosts (router-1, server-1, office-1, …; all when none is named) and start them again."""
    machines.power_cut(*(names or [host.short for host in [*machines.hosts(), *machines.visitors()]]))
    return 0


def main() -> int:
    """Dispatch a verb; a fault of the machine is one sentence and exit 3."""
    verbs: dict[str, Callable[..., int]] = {
        "up": up, "down": down, "status": status, "tools": tools, "wan": wan, "clock": clock, "power": power
    }  # fmt: skip
    verb, words = verbs.get(next(iter(sys.argv[1:]), "")), sys.argv[2:]
    try:
        inspect.signature(verb or main).bind(*words)
    except TypeError:
        verb = None
    if verb is None:
        console.print(__doc__, highlight=False, markup=False)
        return 2
    try:
        return verb(*words)
    except BalaiError as error:
        console.print(
            f"[red]{error}[/red]" if console.is_terminal else str(error), highlight=False, markup=console.is_terminal
        )
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
