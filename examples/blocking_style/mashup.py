"""A page from three services, written with `requests` as one would for threads."""

import os

import requests

from eyewall import Application, HTTPError, RequestHandler
from eyewall.web.greenlets import greenlet_handler, setup_session

setup_session()

SERVICES = os.environ.get("SERVICES", "http://127.0.0.1:9000")


def rate(currency):
    """What a unit costs."""
    answer = requests.get(f"{SERVICES}/rate", params={"currency": currency}, timeout=30)
    answer.raise_for_status()
    return answer.json()["rate"]


def price(article):
    """What an article costs, in euros."""
    answer = requests.get(f"{SERVICES}/price/{article}", timeout=30)
    if answer.status_code == 404:
        return None
    answer.raise_for_status()
    return answer.json()["price"]


def note(article, shown):
    """Tell the books; nobody waits for them when they are closed."""
    try:
        requests.post(f"{SERVICES}/seen", json={"article": article, "price": shown}, timeout=30)
    except requests.ConnectionError:
        return False
    return True


class Price(RequestHandler):
    """The price of an article in a currency."""

    @greenlet_handler
    def get(self, article, currency):
        """Ask, reckon, tell."""
        euros = price(article)
        if euros is None:
            raise HTTPError(404, "there is no article %s", article)
        shown = round(euros * rate(currency), 2)
        self.write({"price": shown, "noted": note(article, shown)})


app = Application([(r"/(\w+)/([A-Z]{3})", Price)])
