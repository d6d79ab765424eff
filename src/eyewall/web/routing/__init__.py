"""Routes: what patterns are, and how a path finds its route."""
