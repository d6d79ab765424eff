"""Processes, under Tornado's names."""

from subprocess import CalledProcessError

from eyewall.net.process import Subprocess, cpu_count, fork_processes, task_id

__all__ = ["CalledProcessError", "Subprocess", "cpu_count", "fork_processes", "task_id"]
