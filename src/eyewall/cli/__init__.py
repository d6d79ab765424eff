"""The `eyewall` command."""
