"""The board's page."""

from django.shortcuts import render

from notes.models import Note


def board(request):
    """All notes; what changes later comes by WebSocket."""
    return render(request, "notes/board.html", {"notes": Note.objects.all()})
