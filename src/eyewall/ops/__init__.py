"""Operation: processes, reload."""
