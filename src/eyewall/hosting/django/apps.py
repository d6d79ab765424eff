"""What Django knows of the app."""

from django.apps import AppConfig


class EyewallConfig(AppConfig):
    """The app behind `manage.py runeyewall`."""

    name = "eyewall.hosting.django"
    label = "eyewall"
    verbose_name = "Eyewall"
