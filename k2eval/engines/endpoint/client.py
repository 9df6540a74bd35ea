"""HTTP client of one server, which limits the size of what it receives."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakSet

import aiohttp
from yarl import URL

import k2eval
from k2eval.engines.endpoint import jsons
from k2eval.engines.endpoint.refusals import refusal_in
from k2eval.engines.endpoint.trouble import BadAnswer, Broken, NoConnection, Refusal, Trouble

Feed = Callable[[bytes], None]
"""Takes what has arrived; raises `BadAnswer` if it is too much or no answer."""

_KEPT_ALIVE_S = 3.0
"""Servers close connections that were idle for 5 s (uvicorn, vLLM) or longer; a request must not cross that."""
_CONNECT_S = 30.0
_SHOWN_S = 5.0
"""Seconds after which a break is no longer that of a connection that the server had closed before."""
_LARGEST_PAGE = 8 << 20
_LARGEST_REFUSAL = 1 << 16
_LONGEST_HEADER = 1 << 16
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 3
_LOOK_S = 10.0
"""Seconds for a page about the server, such as its list of models."""

_PROBES = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 20), (socket.TCP_KEEPCNT, 6))


class _Use:
    """Record of whether a request, and after a redirect its last hop, went over a connection that was used before."""

    __slots__ = ("reused",)

    def __init__(self) -> None:
        self.reused = False


_use: ContextVar[_Use] = ContextVar("_use")


class _Connector(aiohttp.TCPConnector):
    """Connector without a limit of connections, which knows the ones that were used before."""

    def __init__(self) -> None:
        super().__init__(limit=0, keepalive_timeout=_KEPT_ALIVE_S, socket_factory=_kept_open)
        self._used: WeakSet[Any] = WeakSet()

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> Any:
        connection = await super().connect(req, traces, timeout)
        _use.get().reused = connection.protocol in self._used
        self._used.add(connection.protocol)
        return connection


def _kept_open(address: Any) -> socket.socket:
    """Return a socket that shows routers on the way that a silent connection is still wanted."""
    family, kind, protocol = address[:3]
    opened = socket.socket(family, kind, protocol)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _PROBES:
        opened.setsockopt(socket.IPPROTO_TCP, option, value)
    return opened


class Client:
    """HTTP client of one server. Make it while an event loop runs, and close it.

    Args:
        url: Base URL, most often ending in ``/v1``.
        key: The API key; empty if there is none.
        headers: Sent with every request.
        query: Added to every address.
    """

    def __init__(
        self,
        url: str,
        key: str = "",
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.root = self.url.removesuffix("/v1")
        self._query = dict(query or {})
        self._urls: dict[str, URL] = {}
        self._is_private = bool(key or headers or query)
        bearer = {"Authorization": f"Bearer {key}"} if key else {}
        self._session = aiohttp.ClientSession(
            connector=_Connector(),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={
                "Accept-Encoding": "identity",
                "Content-Type": "application/json",
                "User-Agent": f"k2eval/{k2eval.__version__}",
                **bearer,
                **(headers or {}),
            },
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
            proxy=_proxy_for(self.url),
            read_bufsize=1 << 18,
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def ask(self, path: str, body: bytes, most: int, feed: Feed | None = None) -> bytes:
        """Post a request and return the body of its answer, or feed it as it arrives, to the end.

        A connection that the server closed before the first byte of an answer, since it had been idle, is no trouble:
        the request goes out again at once.

        Args:
            path: Behind the base URL.
            body: The request in JSON.
            most: Bytes that the answer may have.
            feed: Takes the answer in pieces; without it, the answer is returned.

        Raises:
            Refusal: If the server answers with another status than 200.
            NoConnection: If it cannot be reached.
            Broken: If the connection breaks.
            BadAnswer: If what comes is no HTTP, or ``feed`` says so.
        """
        url = self._urls.get(path) or self._address(path, self.url + path)
        whole = b""
        while True:
            use, sent = _Use(), time.monotonic()
            _use.set(use)
            try:
                response = await self._request("POST", url, body)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                is_unreached = isinstance(error, aiohttp.ClientConnectorError)
                if use.reused and not is_unreached and time.monotonic() - sent < _SHOWN_S:
                    continue
                raise _trouble(error) from error
            except (aiohttp.ClientError, ValueError) as error:
                raise _trouble(error) from error
            break
        try:
            if response.status in _REDIRECTS:
                raise _elsewhere(response)
            if response.status != 200:
                raise await _refusal(response)
            content = response.content
            while data := await content.readany():
                most -= len(data)
                if most < 0:
                    raise BadAnswer("the answer goes on far beyond max_tokens")
                if feed is not None:
                    feed(data)
                else:
                    whole = whole + data if whole else data
                if content.at_eof():
                    break
            return whole
        except (aiohttp.ClientError, OSError) as error:
            response.close()
            raise _trouble(error) from error
        except BaseException:
            response.close()
            raise

    async def page(self, address: str, body: Any = None) -> tuple[int, bytes]:
        """Return the status and content of a page about the server, got, or posted if there is a body.

        Raises:
            NoConnection: If the server cannot be reached.
            Trouble: If it does not answer in a few seconds, or not in HTTP.
        """
        method = "GET" if body is None else "POST"
        data = None if body is None else jsons.dumps(body)
        content = bytearray()
        _use.set(_Use())
        try:
            async with (
                asyncio.timeout(_LOOK_S),
                await self._request(method, self._address(address, address), data) as response,
            ):
                if response.status in _REDIRECTS:
                    return response.status, _elsewhere(response).words.encode()
                while piece := await response.content.readany():
                    content += piece
                    if len(content) > _LARGEST_PAGE:
                        raise BadAnswer("a page without end")
                return response.status, bytes(content)
        except TimeoutError:
            raise BadAnswer(f"no answer in {_LOOK_S:.0f} s") from None
        except (aiohttp.ClientError, ValueError, OSError) as error:
            raise _trouble(error) from error

    async def _request(self, method: str, url: URL, data: bytes | None) -> aiohttp.ClientResponse:
        """Return the answer to a request, after redirects that it may follow.

        A key goes to no other server, and a question is not turned into a plain look at a page.
        """
        followed = 0
        while True:
            response = await self._session.request(method, url, data=data, allow_redirects=False)
            target = response.headers.get("Location")
            if response.status not in _REDIRECTS or not target or followed == _MOST_REDIRECTS:
                return response
            there = url.join(URL(target))
            keeps_method = method == "GET" or response.status in (307, 308)
            if not keeps_method or (there.origin() != url.origin() and self._is_private):
                return response
            response.release()
            url, followed = there, followed + 1

    def _address(self, name: str, address: str) -> URL:
        url = self._urls[name] = URL(address).update_query(self._query)
        return url


def refusal_of(status: int, content: bytes, headers: Mapping[str, str] | None = None) -> Refusal:
    """Return what a server says with an HTTP status that is none of success."""
    seconds = retry_after_s(headers or {})
    try:
        return refusal_in(status, jsons.loads(content), seconds)
    except BadAnswer:
        words = re.sub(r"<[^<>]*>", " ", content.decode(errors="replace"))
    return Refusal(status, " ".join(words.split()), retry_after_s=seconds)


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Return the seconds that a server asks to wait: as a number, in milliseconds, or as a date.

    >>> retry_after_s({"Retry-After": "30"}), retry_after_s({"retry-after-ms": "1500"})
    (30.0, 1.5)
    """
    known = {name.lower(): value.strip() for name, value in headers.items()}
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = known.get(name, "")
        if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value):
            return unit * float(value)
        with contextlib.suppress(ValueError):
            until = parsedate_to_datetime(value)
            return max(0.0, (until - datetime.now(until.tzinfo)).total_seconds())
    return 0.0


def _elsewhere(response: aiohttp.ClientResponse) -> Refusal:
    """Return what is said of a redirect that is not followed."""
    place = response.headers.get("Location", "nowhere")[:300]
    return Refusal(
        response.status, f"it sends requests on to {place}: put the right address into engine.base_url"
    )


async def _refusal(response: aiohttp.ClientResponse) -> Refusal:
    content = bytearray()
    while len(content) < _LARGEST_REFUSAL and (piece := await response.content.readany()):
        content += piece
    return refusal_of(response.status, bytes(content[:_LARGEST_REFUSAL]), response.headers)


def _trouble(error: Exception) -> Trouble:
    if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError)):
        why = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
        return NoConnection(str(why).rstrip(".") or type(error).__name__)
    if isinstance(error, (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError)):
        return Broken()
    return BadAnswer("an answer that is no HTTP")


def _proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for an address, as other HTTP programs take it."""
    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    proxies = urllib.request.getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")
