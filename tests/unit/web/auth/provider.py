"""A small OpenID Connect provider in the test's own loop, which can be made to misbehave."""

import base64
import hashlib
import json
import time
from urllib.parse import parse_qsl, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from eyewall.http.server.server import HTTPServer
from eyewall.testing import bind_unused_port
from eyewall.web import Application, RequestHandler


class Provider:
    """Logs "ann" in at once. `claims`, `answer` and `metadata` override what it says."""

    def __init__(self):
        self.keys = [RSAKey.generate_key(2048, {"kid": "k1"})]
        self.claims, self.answer, self.metadata = {}, {}, {}
        self.user = {"sub": "ann", "name": "Ann"}
        self.codes, self.asked, self.credentials, self.forms = {}, [], [], []
        self.down, self.moved, self.key_set = False, None, None
        self.without, self.dropped = (), ()

    async def __aenter__(self):
        pages = [(r"/(.*)", Pages, {"provider": self})]
        self.server = HTTPServer(Application(pages, access_log=False))
        sock, port = bind_unused_port()
        with sock:
            self.server.add_socket(sock)
        self.issuer = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *exc):
        self.server.close()

    def log_in(self, location):
        """What the provider does with a browser: returns the query that it comes back with."""
        sent = dict(parse_qsl(urlsplit(location).query))
        code = f"code-{len(self.codes)}"
        self.codes[code] = sent
        return {"code": code, "state": sent["state"]}

    def tokens(self, nonce):
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": "app",
            "sub": "ann",
            "exp": now + 300,
            "iat": now,
            "nonce": nonce,
        } | self.claims
        kept = {name: value for name, value in claims.items() if value is not None}
        key = self.keys[0]
        answer = {
            "access_token": "access-1",
            "refresh_token": "refresh-1",
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": jwt.encode({"alg": "RS256", "kid": key.kid}, kept, key),
        }
        answer |= self.answer
        return {name: value for name, value in answer.items() if name not in self.dropped}


class Pages(RequestHandler):
    def initialize(self, provider):
        self.provider = provider

    def get(self, path):
        provider = self.provider
        provider.asked.append(path)
        if provider.down:
            self.set_status(503)
        elif path == ".well-known/openid-configuration":
            base = provider.issuer
            metadata = {
                "issuer": base,
                "authorization_endpoint": f"{base}/authorize",
                "token_endpoint": f"{base}/token",
                "jwks_uri": f"{base}/jwks",
                "userinfo_endpoint": f"{base}/me",
                "end_session_endpoint": f"{base}/logout?tenant=1",
                "id_token_signing_alg_values_supported": ["RS256"],
            } | provider.metadata
            self.write({k: v for k, v in metadata.items() if k not in provider.without})
        elif path == "jwks" and provider.key_set is not None:
            self.write(json.dumps(provider.key_set))
        elif path == "jwks":
            self.write({"keys": [key.as_dict(private=False) for key in provider.keys]})
        elif path == "me" and self.request.headers.get("Authorization") == "Bearer access-1":
            self.write(provider.user)
        else:
            self.set_status(401)

    def post(self, path):
        provider = self.provider
        provider.asked.append(path)
        provider.credentials.append(self.request.headers.get("Authorization"))
        form = dict(parse_qsl(self.request.body.decode()))
        provider.forms.append(form)
        if provider.down:
            self.set_status(503)
        elif provider.moved:
            self.redirect(provider.moved, status=307)
        elif form["grant_type"] == "refresh_token":
            self.write(provider.tokens(None))
        elif self._is_proved(form):
            self.write(provider.tokens(provider.codes.pop(form["code"])["nonce"]))
        else:
            self.set_status(400)
            self.write(json.dumps({"error": "invalid_grant", "error_description": form["code"]}))

    def _is_proved(self, form):
        sent = self.provider.codes.get(form["code"])
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return (
            sent
            and sent["code_challenge"] == proof
            and sent["redirect_uri"] == form["redirect_uri"]
        )
