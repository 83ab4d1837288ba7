"""
The peer of balai.mall.files: the same files and effects, by Ansible's own modules, one at a time.

It stands for a role that is written as roles usually are, and knows only an unchanged machine.
"""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """The action one_by_one."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Copy or link each file, then ask whether each effect holds."""
        result: dict[str, Any] = {**super().run(tmp, task_vars), "changed": False}
        for item in self._task.args["files"]:
            if "link" in item:
                done = self._execute_module(
                    module_name="ansible.builtin.file",
                    module_args={"path": item["dest"], "src": item["link"], "state": "link"},
                    task_vars=task_vars,
                )
            else:
                done = self._copy({k: item[k] for k in ("dest", "content", "mode") if k in item}, task_vars)
            result["changed"] |= done["changed"]
        for effect in self._task.args.get("effects", []):
            if effect.get("holds"):
                args = {"_raw_params": effect["holds"], "_uses_shell": True}
                done = self._execute_module(
                    module_name="ansible.builtin.command", module_args=args, task_vars=task_vars
                )
                result["changed"] |= done["rc"] != 0
        return result

    def _copy(self, args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        task = self._task.copy()
        task.args = {"owner": "root", "group": "root", **args}
        action = self._shared_loader_obj.action_loader.get(
            "ansible.builtin.copy",
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        return dict(action.run(task_vars=task_vars))
