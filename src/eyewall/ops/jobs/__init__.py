"""Scheduled jobs: who runs them, when, and never twice at once."""
