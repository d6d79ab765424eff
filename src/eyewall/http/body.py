"""Reading a request's body piece by piece."""

import asyncio

from eyewall.http.exchange import Exchange


async def read_piece(exchange: Exchange) -> bytes:
    """The next piece of a body; b"" at its end.

    Raises:
        ProtocolError: The peer broke the framing or a limit.
        StreamClosedError: The peer has gone.
    """
    waiting: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def arrived(piece: bytes | Exception) -> None:
        if waiting.done():
            return
        if isinstance(piece, Exception):
            waiting.set_exception(piece)
        else:
            waiting.set_result(piece)

    piece = exchange.read(arrived)
    return await waiting if piece is None else piece
