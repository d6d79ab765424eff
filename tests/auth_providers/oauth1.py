"""An OAuth 1.0a provider on oauthlib's server side, as a process of its own.

It prints its address on standard output. The one program that it knows is "app" with the secret
"app-secret-for-tests"; "ann" logs in by the button of its page.
"""

import html
import json
import secrets
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from oauthlib.oauth1 import RequestValidator, ResourceEndpoint, WebApplicationServer

CLIENT, SECRET = "app", "app-secret-for-tests"


class Memory(RequestValidator):
    """What the provider knows; all in memory."""

    enforce_ssl = False
    client_key_length = (1, 30)
    dummy_client = "nobody"
    dummy_request_token = "nothing"
    dummy_access_token = "nothing"

    def __init__(self):
        super().__init__()
        self.request_tokens, self.access_tokens, self.seen = {}, {}, set()

    @property
    def nonce_length(self):
        return (10, 40)

    def check_request_token(self, token):
        return bool(token)

    def check_access_token(self, token):
        return bool(token)

    def check_verifier(self, verifier):
        return bool(verifier)

    def validate_client_key(self, client_key, request):
        return client_key == CLIENT

    def get_client_secret(self, client_key, request):
        return SECRET if client_key == CLIENT else "dummy"

    def validate_timestamp_and_nonce(
        self, client_key, timestamp, nonce, request, request_token=None, access_token=None
    ):
        once = (client_key, timestamp, nonce)
        fresh = once not in self.seen
        self.seen.add(once)
        return fresh

    def validate_redirect_uri(self, client_key, redirect_uri, request):
        return redirect_uri.startswith("http://127.0.0.1:")

    def validate_requested_realms(self, client_key, realms, request):
        return True

    def validate_realms(self, client_key, token, request, uri=None, realms=None):
        return True

    def get_default_realms(self, client_key, request):
        return []

    def get_realms(self, token, request):
        return []

    def verify_realms(self, token, realms, request):
        return True

    def save_request_token(self, token, request):
        kept = {"secret": token["oauth_token_secret"], "redirect_uri": request.redirect_uri}
        self.request_tokens[token["oauth_token"]] = kept

    def verify_request_token(self, token, request):
        return token in self.request_tokens

    def get_redirect_uri(self, token, request):
        return self.request_tokens[token]["redirect_uri"]

    def save_verifier(self, token, verifier, request):
        self.request_tokens[token] |= verifier

    def validate_request_token(self, client_key, token, request):
        return token in self.request_tokens

    def get_request_token_secret(self, client_key, token, request):
        return self.request_tokens.get(token, {}).get("secret", "dummy")

    def validate_verifier(self, client_key, token, verifier, request):
        known = self.request_tokens.get(token, {}).get("oauth_verifier", "")
        return bool(known) and secrets.compare_digest(known, verifier)

    def save_access_token(self, token, request):
        self.access_tokens[token["oauth_token"]] = token["oauth_token_secret"]

    def invalidate_request_token(self, client_key, request_token, request):
        del self.request_tokens[request_token]

    def validate_access_token(self, client_key, token, request):
        return token in self.access_tokens

    def get_access_token_secret(self, client_key, token, request):
        return self.access_tokens.get(token, "dummy")

    def get_rsa_key(self, client_key, request):
        return None


MEMORY = Memory()
SERVER, API = WebApplicationServer(MEMORY), ResourceEndpoint(MEMORY)


class Pages(BaseHTTPRequestHandler):
    def do_GET(self):
        self.serve()

    def do_POST(self):
        self.serve()

    def serve(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length).decode() or None
        path = urlsplit(self.path).path
        uri = f"http://{self.headers['Host']}{self.path}"
        headers = {name: value for name, value in self.headers.items() if name != "Host"}
        given = (uri, self.command, body, headers)
        if path == "/request_token":
            self.answer(*SERVER.create_request_token_response(*given))
        elif path == "/access_token":
            self.answer(*SERVER.create_access_token_response(*given))
        elif path == "/authorize" and self.command == "GET":
            self.ask(uri)
        elif path == "/authorize":
            token = parse_qs(body)["oauth_token"][0]
            allowed = f"http://provider/authorize?{urlencode({'oauth_token': token})}"
            user = {"user": "ann"}
            self.answer(*SERVER.create_authorization_response(allowed, "POST", credentials=user))
        elif path in {"/api/me", "/api/echo"}:
            valid, request = API.validate_protected_resource_request(*given, realms=[])
            said = parse_qs(urlsplit(self.path).query) | parse_qs(body or "")
            answer = {"name": "ann", "said": said.get("say", [None])[0]}
            self.answer({}, json.dumps(answer), 200 if valid else 401)
        else:
            self.answer({}, "", 404)

    def ask(self, uri):
        SERVER.get_realms_and_credentials(uri)
        token = html.escape(parse_qs(urlsplit(uri).query)["oauth_token"][0])
        page = (
            "<form method=post action=/authorize>"
            f"<input type=hidden name=oauth_token value='{token}'>"
            "<button id=allow>Allow</button></form>"
        )
        self.answer({"Content-Type": "text/html"}, page, 200)

    def answer(self, headers, body, status):
        data = (body or "").encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
