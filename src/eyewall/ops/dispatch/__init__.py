"""Requests dispatched through Redis: fronts put them on a stream, workers on any machine answer.

docs/reference/dispatch-protocol.md has the wire format; nothing here may differ from it.
"""
