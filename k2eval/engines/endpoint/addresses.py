"""The addresses of an endpoint's servers: fixed ones, those in a file, and those behind a DNS name."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from k2eval.errors import ConfigError
from k2eval.system import open_file

FILE, NAME = "@", "dns+http://"
_LARGEST = 1 << 20
"""Bytes of a list of servers."""
_PATHS_OF_REQUESTS = re.compile(r"/(?:chat/completions|completions|models|responses)/*\Z")


class Addresses:
    """A list of servers that may change while a run goes on.

    Args:
        entries: The entries of ``base_url``: a URL; ``@FILE``, a file with a URL on each line; or
            ``dns+http://NAME:PORT/v1``, one server for each address of the name.
    """

    def __init__(self, entries: Sequence[str]) -> None:
        self._entries = entries
        self._known: dict[str, tuple[str, ...]] = {}
        self.problem = ""
        """The reason for which a part of the list is an older one; empty if it is not."""

    def __str__(self) -> str:
        return ", ".join(self._entries)

    @property
    def may_change(self) -> bool:
        """Whether it holds more than fixed addresses."""
        return any(entry.startswith((FILE, NAME)) for entry in self._entries)

    async def now(self) -> tuple[str, ...]:
        """Return the addresses as they are now. A part that cannot be read stays as it was.

        Raises:
            ConfigError: If a part could never be read.
        """
        self.problem = ""
        urls: list[str] = []
        for entry in self._entries:
            try:
                self._known[entry] = await self._read(entry)
            except ConfigError as error:
                if entry not in self._known:
                    raise
                self.problem = str(error)
            urls += self._known[entry]
        return tuple(dict.fromkeys(urls))

    async def _read(self, entry: str) -> tuple[str, ...]:
        if entry.startswith(FILE):
            return in_file(Path(entry[len(FILE) :]))
        if entry.startswith(NAME):
            return await _behind_name(entry)
        return (entry,)


def base_of(url: str) -> str:
    """Return the address of a server, of which ``url`` may be the address of one kind of request.

    >>> base_of("http://a:8000/v1/models "), base_of("http://a:8000/v1/"), base_of("@lists/models")
    ('http://a:8000/v1', 'http://a:8000/v1', '@lists/models')
    """
    url = url.strip()
    return url if url.startswith(FILE) else _PATHS_OF_REQUESTS.sub("", url).rstrip("/")


def check_address(entry: str) -> None:
    """Check one entry of ``base_url``; files must be there already, names need not.

    Raises:
        ConfigError: If it is no address.
    """
    if entry.startswith(FILE):
        in_file(Path(entry[len(FILE) :]))
        return
    url = entry.removeprefix("dns+") if entry.startswith(NAME) else entry
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ConfigError(
            f"engine.base_url: expected http://host:port/v1, got {entry!r}. Or give a file of such lines as @FILE, or "
            "dns+http://name:port/v1."
        )
    if parts.username or parts.password or parts.query:
        raise ConfigError(
            "engine.base_url must hold no password and no query: run directories keep the address. Put the key "
            "into the environment, and anything else into engine.query."
        )


def in_file(path: Path) -> tuple[str, ...]:
    """Return the addresses in a file, one a line; ``#`` begins a comment. The file may be empty for a while.

    Raises:
        ConfigError: If the file cannot be read, or a line is no address.
    """
    try:
        with open_file(path) as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise ValueError(f"expected at most {_LARGEST >> 10} KiB, got more")
        lines = content.decode("utf-8-sig").splitlines()  # some editors begin a file with a mark
    except (OSError, ValueError) as error:
        raise ConfigError(f"engine.base_url: cannot read the list of servers {path}: {error}.") from error
    urls = [base_of(line.partition("#")[0]) for line in lines]
    for url in filter(None, urls):
        if url.startswith((FILE, NAME)):
            raise ConfigError(f"{path}: expected http://host:port/v1 on each line, got {url!r:.200}.")
        check_address(url)
    return tuple(filter(None, urls))


async def _behind_name(entry: str) -> tuple[str, ...]:
    parts = urlsplit(entry.removeprefix("dns+"))
    assert parts.hostname is not None
    port = parts.port or 80
    try:
        loop = asyncio.get_running_loop()
        answers = await loop.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"engine.base_url: cannot resolve {parts.hostname}: {error}.") from error
    return tuple(
        _with_address(addresses, port, parts.path) for addresses in _hosts(answer[4][0] for answer in answers)
    )


def _hosts(addresses: Iterable[object]) -> list[str]:
    return sorted({str(address) for address in addresses})


def _with_address(address: str, port: int, path: str) -> str:
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{port}{path}"
