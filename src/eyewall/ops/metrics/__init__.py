"""Metrics: what a server counts, added up over its workers, as text for Prometheus."""
