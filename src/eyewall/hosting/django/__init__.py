"""A Django app: put "eyewall.hosting.django" into `INSTALLED_APPS`."""

from eyewall.hosting.django.auth import DjangoMixin
from eyewall.hosting.django.publish import publish

__all__ = ["DjangoMixin", "publish"]
