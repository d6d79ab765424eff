"""Processes: forking several, and children with streams."""

from eyewall.net.child_process import Subprocess
from eyewall.net.fork import cpu_count, fork_processes, task_id

__all__ = ["Subprocess", "cpu_count", "fork_processes", "task_id"]
