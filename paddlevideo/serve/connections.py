"""How many connections are held, and which one makes room for another."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Callable, Iterable
from typing import cast

from aiohttp import web
from aiohttp.typedefs import Handler

MAX_CONNECTIONS = 256
MAX_OF_ADDRESS = 64  # a browser opens 6; behind a proxy all browsers have one address
UNREAD_SECONDS = 60  # after which the system ends a connection whose other side does not take what was sent
FILES_SHARE = 4  # connections take at most one in so many of the files that the process may open


class Connections:
    """Bounds the connections of a server.

    Above a bound, the oldest connection that has no request in the works is closed for the new one, so whoever opens
    many and sends nothing locks out nobody. If there is no such connection, the new one is closed.
    """

    def __init__(self) -> None:
        self.limit = min(MAX_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // FILES_SHARE)
        self._busy: set[web.RequestHandler] = set()

    @web.middleware
    async def follow(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Middleware that notes which connections have a request in the works."""
        connection = request.protocol
        self._busy.add(connection)
        try:
            return await handler(request)
        finally:
            self._busy.discard(connection)

    def bounded(self, server: web.Server) -> Callable[[], asyncio.Protocol]:
        """The protocol factory of a listening socket that hands connections to `server` within the bounds."""
        return lambda: _Arrival(self, server)

    def make_room(self, held: Iterable[web.RequestHandler], address: str) -> bool:
        """Whether there is room for another connection from an address, maybe after one was closed.

        Args:
            held: connections that are open or have just been closed, the oldest first.
            address: of the new one's other side.
        """
        everybody = [one for one in held if one.transport is not None and not one.transport.is_closing()]
        neighbours = [connection for connection in everybody if _address(connection.transport) == address]
        for group, limit in ((neighbours, MAX_OF_ADDRESS), (everybody, self.limit)):
            if len(group) >= limit:
                idle = next((connection for connection in group if connection not in self._busy), None)
                if idle is None or idle.transport is None:
                    return False
                idle.transport.abort()  # to close it would wait until the other side has taken all that was sent
                return True
        return True


class _Arrival(asyncio.Protocol):
    """A connection until it is known whether there is room for it."""

    def __init__(self, connections: Connections, server: web.Server) -> None:
        self._connections, self._server = connections, server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast(asyncio.Transport, transport)
        if not self._connections.make_room(self._server.connections, _address(stream)):
            stream.abort()
            return
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # on Linux
            limit = 1000 * UNREAD_SECONDS
            stream.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, limit)
        handler = self._server()
        stream.set_protocol(handler)
        handler.connection_made(stream)


def _address(transport: asyncio.Transport | None) -> str:
    """The IP address at the other side; empty if it has gone."""
    peer = None if transport is None else transport.get_extra_info("peername")
    return str(peer[0]) if peer else ""
