"""Test suites that every implementation of a protocol must pass; subclass them in your own tests."""
