"""What is saved, wherever it is saved, is told to open pages."""

from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from eyewall.hosting.django import publish
from notes.models import Note


@receiver(post_save, sender=Note)
def saved(instance, **_):
    """A note was written or changed."""
    note = instance.as_dict()
    transaction.on_commit(lambda: publish("notes", {"saved": note}))


@receiver(post_delete, sender=Note)
def deleted(instance, **_):
    """A note was taken off the board."""
    pk = instance.pk
    transaction.on_commit(lambda: publish("notes", {"deleted": pk}))
