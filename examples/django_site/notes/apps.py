"""The notes."""

from django.apps import AppConfig


class NotesConfig(AppConfig):
    """Connects the signals."""

    name = "notes"

    def ready(self):
        """Tell open pages of what is saved."""
        import notes.signals  # noqa: F401, PLC0415 - models can be imported from now on
