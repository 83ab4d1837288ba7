"""What fails around us is one sentence with what to do, and exit 3."""

from __future__ import annotations

import sys
from pathlib import Path


def test_up_without_pulumi_says_so(balai) -> None:
    done = balai("up", "--cluster", "cikarang", PATH="/nowhere", PULUMI_BACKEND_URL="")

    assert done.returncode == 3
    assert "`pulumi` is not on PATH" in done.stderr


def test_audit_of_a_cluster_without_kubeconfig_is_a_row_for_each_check_and_no_pass(balai, tmp_path: Path) -> None:
    done = balai("audit", "--cluster", "batam", "--out", str(tmp_path), KUBECONFIG="/nowhere/config")

    assert done.returncode == 1
    assert "PASS 0, FAIL 0" in done.stdout
    assert "There is no kubeconfig at /nowhere/config" in (tmp_path / "results.json").read_text()


def test_audit_of_an_api_server_that_does_not_answer_says_so(balai, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("""apiVersion: v1
kind: Config
current-context: batam
clusters: [{name: b, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: x}}]
contexts: [{name: batam, context: {cluster: b, user: u}}]
""")

    done = balai("audit", "--cluster", "batam", "--out", str(tmp_path), KUBECONFIG=str(config))

    assert done.returncode == 1
    assert "does not answer" in (tmp_path / "results.json").read_text()


def test_an_unknown_site_or_cluster_is_bad_input(balai) -> None:
    assert balai("audit", "--site", "mpp-nowhere").returncode == 2
    assert balai("preview", "--cluster", "nowhere").returncode == 2
    assert balai("audit").returncode == 2


def test_the_lab_refuses_a_disk_that_would_fill_up(run, tmp_path: Path) -> None:
    program = (
        "from lab import state; state.FREE_BYTES = 10**18; state.RUN = state.ROOT\n"
        "import sys; from balai.errors import BalaiError\n"
        "try: state.require_space()\nexcept BalaiError as e: print(e); sys.exit(e.exit_code)"
    )

    done = run(sys.executable, "-c", program, BALAI_LAB_STATE=str(tmp_path / "state"))

    assert done.returncode == 3
    assert "free some space" in done.stdout


def test_the_lab_refuses_to_start_without_root(run) -> None:
    program = (
        "import os, sys; os.geteuid = lambda: 1000; from lab import state; from balai.errors import BalaiError\n"
        "try: state.require_root()\nexcept BalaiError as e: print(e); sys.exit(e.exit_code)"
    )

    done = run(sys.executable, "-c", program)

    assert done.returncode == 3
    assert "sudo make up" in done.stdout
