"""The board in the admin."""

from django.contrib import admin

from notes.models import Note


@admin.register(Note)
class NoteAdmin(admin.ModelAdmin):
    """Notes, with what matters in their list."""

    list_display = ("text", "pinned", "written")
