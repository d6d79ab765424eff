"""Locks for coroutines, under Tornado's names."""

from eyewall.aio import (
    BoundedSemaphore,
    Condition,
    Event,
    Lock,
    Semaphore,
)

__all__ = [
    "BoundedSemaphore",
    "Condition",
    "Event",
    "Lock",
    "Semaphore",
]
