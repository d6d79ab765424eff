"""Questions and answers: a page that updates itself for everyone who is looking at it."""

import os
import sqlite3
from pathlib import Path

from eyewall.pubsub import Hub
from eyewall.realtime.live import Action, Live, RefusedError
from eyewall.web import Application, RequestHandler

DATA = Path(os.environ.get("QUESTIONS_DATA", Path(__file__).parent / "data"))
LONGEST = 500


class Store:
    """Questions and answers in a SQLite file; few and small, so it is asked in the loop's thread."""

    def __init__(self, path):
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS questions (id INTEGER PRIMARY KEY, text TEXT NOT NULL,"
            " votes INTEGER NOT NULL DEFAULT 0)"
        )
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS answers (id INTEGER PRIMARY KEY, question INTEGER NOT NULL"
            " REFERENCES questions, text TEXT NOT NULL)"
        )

    def ask(self, text):
        """Keep a question; returns its id."""
        return self._db.execute("INSERT INTO questions (text) VALUES (?)", (text,)).lastrowid

    def answer(self, question, text):
        """Keep an answer."""
        self._db.execute("INSERT INTO answers (question, text) VALUES (?, ?)", (question, text))

    def vote(self, question):
        """Count a vote."""
        self._db.execute("UPDATE questions SET votes = votes + 1 WHERE id = ?", (question,))

    def one(self, question):
        """A question with its answers; None where there is none."""
        return next(iter(self._questions("WHERE id = ?", question)), None)

    def all(self):
        """All questions, the best first."""
        return self._questions("ORDER BY votes DESC, id DESC LIMIT 100")

    def _questions(self, which, *values):
        rows = self._db.execute(f"SELECT * FROM questions {which}", values).fetchall()
        answers = "SELECT text FROM answers WHERE question = ? ORDER BY id"
        return [
            {**row, "answers": [text for (text,) in self._db.execute(answers, (row["id"],))]}
            for row in map(dict, rows)
        ]


def make_app(data=DATA):
    """The application on a folder of its own."""
    data.mkdir(parents=True, exist_ok=True)
    store = Store(data / "questions.sqlite3")
    live = Live(Hub(os.environ.get("HUB") or f"sqlite://{data / 'hub.sqlite3'}"))
    live.hub.retain("questions", count=1000)

    @live.rule("questions")
    def anybody_may_look(user, action, topic):
        return action is not Action.PUBLISH

    @live.receive("questions")
    async def said(session, topic, data):
        text = str(data.get("text", "")).strip()[:LONGEST]
        question = data.get("question")
        if data.get("do") != "vote" and not text:
            raise RefusedError("write something first", "empty")
        if data.get("do") == "ask":
            question = store.ask(text)
        elif store.one(question) is None:
            raise RefusedError("there is no such question", "unknown")
        elif data.get("do") == "answer":
            store.answer(question, text)
        else:
            store.vote(question)
        await live.hub.publish(topic, store.one(question), key=str(question))
        return question

    class Home(RequestHandler):
        async def get(self):
            await live.hub.start()
            # What is published from here on comes by the connection: nothing is lost between.
            self.render("index.html", questions=store.all(), since=str(live.hub.position))

    return Application(
        [(r"/", Home), *live.routes()],
        template_path=Path(__file__).parent / "templates",
        secure_headers=True,
    )
