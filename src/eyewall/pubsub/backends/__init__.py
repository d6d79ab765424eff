"""Backplanes: where messages are kept, and how they reach other processes."""
