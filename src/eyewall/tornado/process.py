"""Processes, under Tornado's names."""

from eyewall.net.process import Subprocess, cpu_count, fork_processes, task_id

__all__ = ["Subprocess", "cpu_count", "fork_processes", "task_id"]
