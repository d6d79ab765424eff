"""The status page: what a server does now, for whoever runs it."""
