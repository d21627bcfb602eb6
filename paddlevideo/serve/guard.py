"""What keeps other sites, and names that were bent to point here, away from a server in a browser's reach."""

from __future__ import annotations

import ipaddress
import re
from itertools import chain

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


@web.middleware
async def only_text(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Middleware that refuses a path or a header that is not UTF-8, which no browser sends."""
    parts = [request.raw_path.encode(errors="surrogateescape"), *chain.from_iterable(request.raw_headers)]
    if not all(map(_is_utf8, parts)):
        raise web.HTTPBadRequest(
            text="expected a path and headers in UTF-8, got other bytes; open the page in a browser"
        )
    return await handler(request)


def only_own_page(host: str) -> Middleware:
    """Middleware that refuses what does not come from this server's own page.

    The `Host` of a request must be an address, `localhost` or `host`: under any other name a page of another site could
    have been pointed here. An `Origin`, which browsers send with everything that changes or connects, must be the same.

    Args:
        host: that the server is bound to.
    """

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        name = re.sub(r":\d*$", "", request.host).strip("[]").lower()
        origin = request.headers.get("Origin")
        if name not in ("localhost", host.lower()) and not is_address(name):
            raise web.HTTPForbidden(
                text=f"unknown host {name}; open this page by its address, or start with --host NAME"
            )
        if origin not in (None, f"http://{request.host}", f"https://{request.host}"):
            raise web.HTTPForbidden(text=f"a page of {origin} may not use this server; open its own page")
        return await handler(request)

    return guard


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Tell the browser to load nothing from elsewhere and to show the page within no other."""
    response.headers.update(HEADERS)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_address(name: str) -> bool:
    """Whether this is an IP address and no name."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether a server that is bound to this can be reached from its own machine only."""
    return host.lower() == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)
