"""A blog: people sign up and log in, write entries with a picture, and read each other's.

Run it with `eyewall run app:app --app-dir examples/blog`, or `make demo-blog`.
"""

import datetime
import os
import secrets
from pathlib import Path
from typing import Any

from store import Entry, NameTakenError, Person, Store

from eyewall import Application, HTTPError
from eyewall.http.multipart import MultipartLimits
from eyewall.web import StaticFileHandler, UIModule, authenticated
from eyewall.web.auth import check_password, hash_password
from eyewall.web.safe_redirect import is_safe_redirect
from eyewall.web.sessions import SessionMixin
from eyewall.web.sessions.sqlite_store import SQLiteStore
from eyewall.web.uploads import UploadMixin

HERE = Path(__file__).parent
PICTURES = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpg", b"GIF8": "gif"}
SHORTEST_PASSWORD = 8
LONGEST = {"name": 40, "title": 200, "text": 100_000}


class Handler(SessionMixin):
    """What the blog's handlers have in common."""

    @property
    def store(self) -> Store:
        """People and entries."""
        store: Store = self.settings["store"]
        return store

    def get_current_user(self) -> Person | None:
        """Whom the session says."""
        number = self.session.get("person")
        return self.store.person(number) if number else None

    def get_template_namespace(self) -> dict[str, Any]:
        """Templates also know what is to be said once."""
        return {**super().get_template_namespace(), "flashes": self.session.flashes}

    def field(self, name: str) -> str:
        """A field of the form: not too long.

        Raises:
            HTTPError: 400; it is missing or too long.
        """
        value: str = self.get_body_argument(name)
        if len(value) > LONGEST[name]:
            raise HTTPError(
                400, "%s has %d characters", name, len(value), reason=f"{name} too long"
            )
        return value

    def entry(self, slug: str) -> Entry:
        """The entry with that address.

        Raises:
            HTTPError: 404; there is none.
        """
        entry = self.store.entry(slug)
        if entry is None:
            raise HTTPError(404)
        return entry

    def own_entry(self, slug: str) -> Entry:
        """An entry that the reader wrote.

        Raises:
            HTTPError: 403 or 404; it is somebody else's, or there is none.
        """
        entry = self.entry(slug)
        if entry.author != self.current_user.id:
            raise HTTPError(403, "%s is not by %s", slug, self.current_user.name)
        return entry


class Home(Handler):
    """The newest entries, page by page."""

    def get(self) -> None:
        """Show a page of them."""
        before = self.get_query_argument("before", "")
        if before and not (before.isascii() and before.isdigit() and len(before) < 19):
            raise HTTPError(400, "before=%r is no number", before)
        entries = self.store.entries(int(before) if before else None, most=6)
        self.render("home.html", entries=entries[:5], more=len(entries) > 5)


class Read(Handler):
    """One entry."""

    def get(self, slug: str) -> None:
        """Show it."""
        self.render("read.html", entry=self.entry(slug))


class SignUp(Handler):
    """Make an account."""

    def get(self) -> None:
        """Show the form."""
        self.render("person.html", title="Sign up", error=None)

    async def post(self) -> None:
        """Make it, and log in."""
        name = self.field("name")
        password = self.get_body_argument("password", strip=False)
        if not name or len(password) < SHORTEST_PASSWORD:
            error = f"A name, and a password of at least {SHORTEST_PASSWORD} characters, please."
            self.render("person.html", title="Sign up", error=error)
            return
        try:
            person = self.store.add_person(name, await hash_password(password))
        except NameTakenError:
            self.render("person.html", title="Sign up", error="Somebody has this name already.")
            return
        self.log_in(person)
        self.redirect("/")

    def log_in(self, person: Person) -> None:
        """Remember in the session who it is."""
        self.session.rotate()
        self.session["person"] = person.id
        self.session.flash(f"Welcome, {person.name}")


class Login(SignUp):
    """Log in."""

    def get(self) -> None:
        """Show the form."""
        self.render("person.html", title="Log in", error=None)

    async def post(self) -> None:
        """Check the password, and go back to where the reader came from."""
        person = self.store.person_named(self.field("name"))
        password = self.get_body_argument("password", strip=False)
        if not await check_password(password, person and person.password) or person is None:
            self.set_status(403)
            self.render("person.html", title="Log in", error="Name or password are wrong.")
            return
        self.log_in(person)
        back = self.get_query_argument("next", "/")
        self.redirect(back if is_safe_redirect(back, self.request.host) else "/")


class Logout(Handler):
    """Log out."""

    def post(self) -> None:
        """Forget the session."""
        self.session.invalidate()
        self.redirect("/")


class Write(Handler, UploadMixin):
    """Write an entry, or change one's own."""

    max_body_size = 4 * 1024 * 1024
    upload_limits = MultipartLimits(parts=8, field_bytes=512 * 1024)

    async def prepare(self) -> None:
        """Nobody else's upload is received."""
        if self.request.method == "POST" and self.current_user is None:
            raise HTTPError(403, "nobody is logged in")

    @authenticated
    def get(self, slug: str | None = None) -> None:
        """Show the form."""
        self.render("write.html", entry=self.own_entry(slug) if slug else None, error=None)

    @authenticated
    def post(self, slug: str | None = None) -> None:
        """Keep the entry."""
        entry = self.own_entry(slug) if slug else None
        title, text = self.field("title"), self.field("text")
        if not title or not text:
            self.render("write.html", entry=entry, error="A title and a text, please.")
            return
        picture = self.keep_picture() or (entry.picture if entry else None)
        if entry is None:
            slug = self.store.add_entry(self.current_user, title, text, picture)
        else:
            self.store.change_entry(entry, title, text, picture)
        self.session.flash("Published")
        self.redirect(self.reverse_url("read", slug))

    def keep_picture(self) -> str | None:
        """Keep the picture that came; what it is, its first bytes say.

        Raises:
            HTTPError: 415; it is none.
        """
        [picture] = self.uploads.get("picture") or [None]
        if picture is None or not picture.size:
            return None
        head = picture.file.read(8)
        kind = next((kind for magic, kind in PICTURES.items() if head.startswith(magic)), None)
        if kind is None:
            raise HTTPError(415, "the picture begins with %r", head, reason="No picture")
        name = f"{secrets.token_urlsafe(12)}.{kind}"
        picture.save_to(Path(self.settings["pictures"]) / name)
        return name


class Remove(Handler):
    """Remove one's own entry."""

    @authenticated
    def post(self, slug: str) -> None:
        """Remove it."""
        self.store.remove_entry(self.own_entry(slug))
        self.session.flash("Removed")
        self.redirect("/")


class EntryModule(UIModule):
    """An entry on a page."""

    def render(self, entry: Entry, whole: bool = False) -> bytes:
        """Its HTML."""
        at = datetime.datetime.fromtimestamp(entry.at, datetime.UTC)
        return self.render_string("entry.html", entry=entry, at=at, whole=whole)


def make_app(folder: str | None = None) -> Application:
    """The application, with all that it keeps in `folder` (BLOG_DATA, or data here)."""
    data = Path(folder or os.environ.get("BLOG_DATA") or HERE / "data")
    pictures = data / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    return Application(
        [
            (r"/", Home),
            (r"/sign-up", SignUp),
            (r"/login", Login),
            (r"/logout", Logout),
            (r"/write", Write),
            (r"/pictures/(.*)", StaticFileHandler, {"path": str(pictures)}),
            (r"/entries/([a-z0-9-]+)", Read, {}, "read"),
            (r"/entries/([a-z0-9-]+)/write", Write, {}, "change"),
            (r"/entries/([a-z0-9-]+)/remove", Remove, {}, "remove"),
        ],
        store=Store(str(data / "blog.sqlite3")),
        session={"store": SQLiteStore(str(data / "sessions.sqlite3"))},
        pictures=str(pictures),
        static_path=str(HERE / "static"),
        template_path=str(HERE / "templates"),
        ui_modules={"Entry": EntryModule},
        login_url="/login",
        xsrf_cookies=True,
        secure_headers=True,
        compress_response=True,
    )


app = make_app()
