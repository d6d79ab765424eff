"""Eyewall's pytest plugin; a package of its own, so that a test run without it never imports Eyewall."""
