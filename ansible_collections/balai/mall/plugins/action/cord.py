"""
Apply a change that could cut the cord, and confirm it over a new session, in one task.

An established session proves nothing: a firewall lets it live. So the old one is closed, a new one
is opened as a technician would, and only over that the change is confirmed. When none can be opened
in time the machine puts the old state back by itself, and the task says so with its receipt.
"""

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

MODULE = "balai.mall.cord"
SPARE = 20  # seconds that a machine may need for its undo
MOMENT = 3  # seconds until the change is in force; a session that was opened before proves nothing


class ActionModule(ActionBase):  # type: ignore[misc]
    """The action balai.mall.cord."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Apply, reconnect, confirm."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = dict(self._task.args)
        result.update(self._execute_module(module_name=MODULE, module_args=args, task_vars=task_vars))
        if result.get("failed") or not result.get("changed") or self._task.check_mode:
            return result
        self._hang_up()
        time.sleep(MOMENT)
        # One attempt takes as long as the connection's own time-out: the undo must come after several.
        seconds = int(args.get("seconds", 60))
        confirmed = self._insist({"name": args["name"], "state": "confirmed"}, task_vars, seconds - 5)
        if confirmed and not confirmed.get("failed"):
            result["receipt"] = confirmed["receipt"]
            return result
        said = confirmed or self._insist({"name": args["name"], "state": "confirmed"}, task_vars, SPARE + 10)
        receipt = (said or {}).get("receipt", "unknown: the machine does not answer")
        result.update(
            failed=True,
            receipt=receipt,
            msg=(
                f"Perubahan {args['name']} memutus jalur ke mesin ini, jadi mesin mengembalikan keadaan lama "
                f"({receipt}). Perbaiki isinya, lalu jalankan lagi. / "
                f"The change {args['name']} cut the way to this machine, so it has put the old state back "
                f"({receipt}). Mend what it says, and run again."
            ),
        )
        return result

    def _insist(self, args: dict[str, Any], task_vars: Any, seconds: float) -> dict[str, Any] | None:
        """Run the module over a new session, trying until the time is over; None when there is no way."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self._hang_up()
                answer: dict[str, Any] = self._execute_module(module_name=MODULE, module_args=args, task_vars=task_vars)
                if not answer.get("unreachable") and not answer.get("again"):
                    return answer
            except AnsibleConnectionFailure:
                answer = {}
            if time.monotonic() > deadline:
                return None
            time.sleep(1)

    def _hang_up(self) -> None:
        if hasattr(self._connection, "reset"):
            self._connection.reset()
