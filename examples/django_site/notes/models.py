"""What is kept."""

from django.db import models


class Note(models.Model):
    """A line on the board."""

    text = models.CharField(max_length=200)
    pinned = models.BooleanField(default=False)
    written = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-pinned", "-written")

    def __str__(self):
        return self.text

    def as_dict(self):
        """What pages are told."""
        return {"id": self.pk, "text": self.text, "pinned": self.pinned}
