"""Answers written as bytes, status line and headers among them."""

import asyncio

from eyewall.http.headers import HTTPHeaders
from eyewall.http.request_connection import RequestConnection
from eyewall.http.start_lines import parse_response_start_line

_LONGEST_HEAD = 65536


class RawConnection(RequestConnection):
    """A connection whose first `write` may be a head; `write_headers` works too."""

    _head = b""

    def write(self, chunk: bytes) -> "asyncio.Future[None]":
        """Send bytes: of the head until that is complete, then of the body.

        Raises:
            HTTPInputError: The head is malformed.
            ValueError: It is too long.
        """
        if self._begun:
            return super().write(chunk)
        self._head += chunk
        while b"\r\n\r\n" in self._head:
            head, _, self._head = self._head.partition(b"\r\n\r\n")
            first, _, rest = head.decode("latin-1").partition("\r\n")
            start_line, headers = parse_response_start_line(first), HTTPHeaders.parse(rest)
            # Informational answers are the engine's: it knows whether they are waited for.
            if start_line.code >= 200:
                return self.write_headers(start_line, headers, self._head)
        if len(self._head) > _LONGEST_HEAD:
            raise ValueError("the head of the answer does not end")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done
