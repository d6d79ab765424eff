"""Accounts in MySQL or MariaDB: a pool, and transfers in transactions."""

import json
import os

import aiomysql

from eyewall import Application, HTTPError, RequestHandler

TABLE = (
    "CREATE TABLE IF NOT EXISTS accounts "
    "(name VARCHAR(40) PRIMARY KEY, amount INT NOT NULL CHECK (amount >= 0))"
)


class Account(RequestHandler):
    """One account."""

    async def get(self, name):
        """What is in it."""
        async with self.settings["pool"].acquire() as connection, connection.cursor() as cursor:
            await cursor.execute("SELECT amount FROM accounts WHERE name = %s", (name,))
            row = await cursor.fetchone()
        if row is None:
            raise HTTPError(404)
        self.write({"name": name, "amount": row[0]})

    async def put(self, name):
        """Open it, or set what is in it."""
        amount = int(self.get_argument("amount"))
        async with self.settings["pool"].acquire() as connection, connection.cursor() as cursor:
            await cursor.execute("REPLACE INTO accounts VALUES (%s, %s)", (name, amount))
            await connection.commit()
        self.write({"name": name, "amount": amount})


def check_found(rows, name):
    """Answer 404 where no row was changed."""
    if not rows:
        raise HTTPError(404, "there is no account %s", name)


class Transfer(RequestHandler):
    """From one account to another."""

    async def post(self):
        """All of it happens or nothing."""
        names, amount = (
            (self.get_argument("from"), self.get_argument("to")),
            self.get_argument("amount"),
        )
        async with self.settings["pool"].acquire() as connection, connection.cursor() as cursor:
            await connection.begin()
            try:
                for name, change in zip(names, (-int(amount), int(amount)), strict=True):
                    change_one = "UPDATE accounts SET amount = amount + %s WHERE name = %s"
                    found = await cursor.execute(change_one, (change, name))
                    check_found(found, name)
                await connection.commit()
            except aiomysql.OperationalError as error:
                await connection.rollback()
                raise HTTPError(409, "not enough in the account") from error
            except BaseException:
                await connection.rollback()
                raise
        self.set_status(204)


async def database(app):
    """A pool."""
    options = json.loads(os.environ["MYSQL"])
    async with aiomysql.create_pool(minsize=1, maxsize=10, charset="utf8mb4", **options) as pool:
        async with pool.acquire() as connection, connection.cursor() as cursor:
            await cursor.execute("SET sql_notes = 0")
            await cursor.execute(TABLE)
        app.settings["pool"] = pool
        yield


app = Application([(r"/accounts/(\w{1,40})", Account), (r"/transfers", Transfer)])
app.resource(database)
