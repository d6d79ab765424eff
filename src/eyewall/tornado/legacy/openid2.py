"""OpenID 2.0, which providers have given up for OpenID Connect."""

import re
import warnings
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlencode, urljoin

from eyewall.web.auth.errors import AuthError
from eyewall.web.auth.provider_client import ProviderClient

_NAMESPACE: Final = "http://specs.openid.net/auth/2.0"
_EXCHANGE: Final = "http://openid.net/srv/ax/1.0"
_ANYONE: Final = f"{_NAMESPACE}/identifier_select"
# Attributes of OpenID's attribute exchange, and what they are called here.
_TYPES: Final = {
    "name": {
        "firstname": "http://axschema.org/namePerson/first",
        "fullname": "http://axschema.org/namePerson",
        "lastname": "http://axschema.org/namePerson/last",
    },
    "email": {"email": "http://axschema.org/contact/email"},
    "language": {"language": "http://axschema.org/pref/language"},
    "username": {"username": "http://axschema.org/namePerson/friendly"},
}
_VALID: Final = re.compile(rb"^is_valid:true$", re.MULTILINE)


class OpenIdMixin(ProviderClient):
    """Logs people in at a provider with OpenID 2.0; set `_OPENID_ENDPOINT` in a subclass."""

    _OPENID_ENDPOINT: str

    def authenticate_redirect(
        self,
        callback_uri: str | None = None,
        ax_attrs: Iterable[str] = ("name", "email", "language", "username"),
    ) -> None:
        """Send the browser to the provider.

        Args:
            callback_uri: Where it comes back, absolute or relative to this request.
            ax_attrs: What is asked about the user.
        """
        warnings.warn(
            "OpenID 2.0 is given up by its providers; use OpenIDConnectMixin",
            DeprecationWarning,
            stacklevel=2,
        )
        handler = self._handler
        arguments = self._openid_args(callback_uri or handler.request.uri, ax_attrs)
        handler.redirect(f"{self._OPENID_ENDPOINT}?{urlencode(arguments)}")

    async def get_authenticated_user(self, http_client: Any = None) -> dict[str, Any]:
        """The user who came back from the provider: `name`, `email`, `claimed_id` and the like.

        Args:
            http_client: Asks the provider, instead of `get_auth_http_client()`.

        Raises:
            AuthError: The provider does not confirm what the browser brought.
            HTTPClientError: The provider cannot be asked, or fails.
        """
        self._hide_query()
        handler = self._handler
        arguments = {name: values[-1] for name, values in handler.request.arguments.items()}
        arguments["openid.mode"] = b"check_authentication"
        client = http_client or self.get_auth_http_client()
        response = await client.fetch(
            self._OPENID_ENDPOINT, method="POST", body=urlencode(arguments)
        )
        if _VALID.search(response.body) is None:
            raise AuthError("the provider does not confirm this login")
        return self._read_user()

    def _openid_args(self, callback_uri: str, ax_attrs: Iterable[str]) -> dict[str, str]:
        url = urljoin(self._handler.request.full_url(), callback_uri)
        arguments = {
            "openid.ns": _NAMESPACE,
            "openid.claimed_id": _ANYONE,
            "openid.identity": _ANYONE,
            "openid.return_to": url,
            "openid.realm": urljoin(url, "/"),
            "openid.mode": "checkid_setup",
        }
        wanted = {alias: uri for name in ax_attrs for alias, uri in _TYPES.get(name, {}).items()}
        if wanted:
            arguments["openid.ns.ax"] = _EXCHANGE
            arguments["openid.ax.mode"] = "fetch_request"
            arguments["openid.ax.required"] = ",".join(wanted)
            arguments.update({f"openid.ax.type.{alias}": uri for alias, uri in wanted.items()})
        return arguments

    def _read_user(self) -> dict[str, Any]:
        handler = self._handler
        found: dict[str, str] = {}
        # The provider chooses its own short names for the extension and its attributes.
        prefix = next(
            (
                name.removeprefix("openid.ns.")
                for name in handler.request.arguments
                if name.startswith("openid.ns.") and handler.get_argument(name) == _EXCHANGE
            ),
            None,
        )
        if prefix is not None:
            start = f"openid.{prefix}.type."
            uris = {
                handler.get_argument(name): name.removeprefix(start)
                for name in handler.request.arguments
                if name.startswith(start)
            }
            for types in _TYPES.values():
                for alias, uri in types.items():
                    if uri in uris:
                        value = handler.get_argument(f"openid.{prefix}.value.{uris[uri]}", "")
                        found[alias] = str(value)
        return _user_of(found, handler.get_argument("openid.claimed_id", None))


def _user_of(found: dict[str, str], claimed_id: str | None) -> dict[str, Any]:
    user: dict[str, Any] = {}
    first, last = found.get("firstname", ""), found.get("lastname", "")
    if first:
        user["first_name"] = first
    if last:
        user["last_name"] = last
    name = found.get("fullname") or " ".join(filter(None, (first, last)))
    email = found.get("email", "")
    if name or email:
        user["name"] = name or email.partition("@")[0]
    if email:
        user["email"] = email
    if found.get("language"):
        user["locale"] = found["language"]
    if found.get("username"):
        user["username"] = found["username"]
    if claimed_id:
        user["claimed_id"] = claimed_id
    return user
