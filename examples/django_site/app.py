"""The site for `eyewall run` and `make demo-django_site`; its database is made where there is none."""

import os
from concurrent.futures import ThreadPoolExecutor

from django.core.management import call_command

from eyewall.hosting.django.site import make_app as make_site

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")


def make_app():
    """Bring the database up to date, then serve the site."""
    site = make_site()
    # Django's commands do not run in the thread of an event loop.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(call_command, "migrate", verbosity=0).result()
    return site
