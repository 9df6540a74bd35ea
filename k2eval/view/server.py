"""The pages of `k2eval view`, and the server for this user alone.

It listens on the loopback interface. The address that it prints holds a token; whoever opens it gets a cookie, and a
request without either gets nothing. Names in requests are looked up among what was found, so none becomes a path.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import re
import secrets
import socket
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from urllib.parse import urlencode

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from k2eval.compare import EXPLANATION, compare, name_of, remarks, score_table
from k2eval.errors import ConfigError, K2EvalError
from k2eval.leaderboard import board_tables, build, plain_grid
from k2eval.pages import render, script_json
from k2eval.records import Json, digest
from k2eval.report import ServedReport
from k2eval.system import open_file
from k2eval.view.found import Found, RunsFolder

_OWN_HOST = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::(?P<port>[0-9]{1,5}))?")
"""Matches "127.0.0.1:8000" and "localhost"; not "127.0.0.1:x" and "localhost.example"."""
_MOST_CHOSEN = 50
_KEPT_CHOICES, _KEPT_STATES = 6, 2
"""Most choices of runs whose samples are at hand, and most states of each: the latest, and the one before."""
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; worker-src blob:; connect-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_ALONE = "; ".join(
    (
        "sandbox allow-scripts",
        "default-src 'none'",
        "script-src 'unsafe-inline'",
        "style-src 'unsafe-inline'",
        "img-src data:",
    )
)
"""The policy of pages that lie in the folder, which anybody may have written: they see no cookie and no other page."""


class Viewer:
    """The pages over a folder of runs.

    Args:
        folder: The folder.
        data: The data folder, for the questions' texts in reports.
        include: Folders with own tasks, for the same.
        token: The token that the first request must name; a new one if None.
    """

    def __init__(
        self,
        folder: Path,
        *,
        data: Path | None = None,
        include: Sequence[Path] = (),
        token: str | None = None,
    ) -> None:
        self.token = token or secrets.token_urlsafe(24)
        self._runs = RunsFolder(folder)
        self._data, self._include = data, include
        self._reports: OrderedDict[tuple[str, ...], OrderedDict[str, ServedReport]] = OrderedDict()
        self._making = threading.Lock()
        self.app = Starlette(
            routes=[
                Route("/", self._list),
                Route("/runs.json", self._json),
                Route("/board", self._board),
                Route("/compare", self._compare),
                Route("/report", self._report),
                Route("/report.json", self._later),
                Route("/pieces/{name}/{number:int}", self._piece),
                Route("/found/{name}", self._found),
                Route("/page", self._page),
                Route("/favicon.ico", _nothing),
            ],
            middleware=[Middleware(BaseHTTPMiddleware, dispatch=self._guard)],
            exception_handlers={HTTPException: _refused, K2EvalError: _failed},
        )

    async def _guard(self, request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        own = _OWN_HOST.fullmatch(request.headers.get("host") or "")
        if own is None:
            return _text("This server answers to its own address alone.", 403)
        cookie = f"k2eval-{own['port'] or 80}"
        given = request.query_params.get("token")
        if given is not None and hmac.compare_digest(given.encode(), self.token.encode()):
            others = [(key, value) for key, value in request.query_params.multi_items() if key != "token"]
            response: Response = RedirectResponse(
                request.url.path + (f"?{urlencode(others)}" if others else ""), 303, _HEADERS
            )
            response.set_cookie(cookie, self.token, httponly=True, samesite="lax")
            return response
        if not hmac.compare_digest(request.cookies.get(cookie, "").encode(), self.token.encode()):
            return _text("Open the address that `k2eval view` printed: it holds the token.", 403)
        response = await answer(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    def _chosen(self, request: Request, least: int = 1, most: int = _MOST_CHOSEN) -> list[Found]:
        self._runs.look()
        keys = list(dict.fromkeys(request.query_params.getlist("run")))
        if any(key not in self._runs.runs for key in keys):
            self._runs.look(anew=True)  # one may have appeared a second ago
        gone = [key for key in keys if key not in self._runs.runs]
        if gone:
            raise HTTPException(404, f"There is no run {gone[0]!r:.200} here.")
        if not least <= len(keys) <= most:
            raise HTTPException(400, f"Choose {least} to {most} runs, got {len(keys)}.")
        chosen = [self._runs.runs[key] for key in keys]
        for run in chosen:
            run.check_path()
        return chosen

    async def _list(self, request: Request) -> Response:
        described = await asyncio.to_thread(self._runs.describe)
        page = render(
            "view.html",
            scripts=("view.js",),
            styles=("watch.css", "view.css"),
            connects=True,
            title=f"Runs: {self._runs.folder.resolve().name}",
            runs=script_json(described),
        )
        return HTMLResponse(page)

    async def _json(self, request: Request) -> Response:
        described = await asyncio.to_thread(self._runs.describe)
        return Response(json.dumps(described), media_type="application/json")  # ASCII, whatever a file holds

    async def _board(self, request: Request) -> Response:
        chosen = self._chosen(request)
        paths = [run.path for run in chosen]
        tables = await asyncio.to_thread(lambda: board_tables(build(paths)))
        page = render(
            "leaderboard.html",
            title="Leaderboard of the chosen runs",
            tables=tables,
            served=_query(chosen),
            several=len(chosen) > 1,
        )
        return HTMLResponse(page)

    async def _compare(self, request: Request) -> Response:
        chosen = self._chosen(request, 2, 8)
        made = await asyncio.to_thread(compare, [run.path for run in chosen])
        pairs = [
            {
                "title": f"{name_of(pair.second)} against {name_of(pair.first)}",
                "quantisation": pair.quantisation
                and plain_grid("Quantisation", pair.quantisation.header, pair.quantisation.rows),
                "sentence": pair.quantisation.sentence if pair.quantisation else "",
                "table": plain_grid("Scores", *score_table(pair)),
                "remarks": remarks(pair),
            }
            for pair in made.pairs
        ]
        page = render(
            "compare.html",
            title="Comparison",
            pairs=pairs,
            notes=made.notes,
            explanation=EXPLANATION,
            query=_query(chosen),
        )
        return HTMLResponse(page)

    async def _report(self, request: Request) -> Response:
        chosen = self._chosen(request)
        page = await asyncio.to_thread(self._make_page, chosen)
        return HTMLResponse(page)

    async def _later(self, request: Request) -> Response:
        """Answer with the samples of runs, if they are others than those that the page knows."""
        chosen = self._chosen(request)
        known = request.query_params.get("known", "")
        answer = await asyncio.to_thread(self._make_described, chosen, known)
        return Response(json.dumps(answer), media_type="application/json")

    async def _piece(self, request: Request) -> Response:
        report = self._known(request)
        try:
            piece = await asyncio.to_thread(report.piece, request.path_params["number"])
        except IndexError:
            raise HTTPException(404, "There is no such piece.") from None
        return Response(piece, media_type="application/zstd")

    async def _found(self, request: Request) -> Response:
        """Answer with the samples that hold words."""
        report = self._known(request)
        task, words = (request.query_params.get(name, "") for name in ("task", "words"))
        try:
            found = await asyncio.to_thread(report.found, task, words)
        except KeyError:
            raise HTTPException(404, "There is no such task.") from None
        return Response(json.dumps(found), media_type="application/json")

    def _known(self, request: Request) -> ServedReport:
        name = request.path_params["name"]
        report = next((states[name] for states in [*self._reports.values()] if name in states), None)
        if report is None:
            raise HTTPException(404, "These samples are gone; load the page again.")
        return report

    def _make_page(self, chosen: list[Found]) -> str:
        name, report = self._report_of(chosen)
        return report.page(_place(name, chosen), _query(chosen))

    def _make_described(self, chosen: list[Found], known: str) -> dict[str, Json]:
        for run in chosen:
            run.look()
        if _name_of(chosen) == known:
            return {"name": known, "running": _running(chosen)}
        name, report = self._report_of(chosen)
        return report.described | _place(name, chosen)

    def _report_of(self, chosen: list[Found]) -> tuple[str, ServedReport]:
        """Return the report of runs as they are now, and the name of their state."""
        with self._making:  # two at once would share the processors
            for run in chosen:
                run.look()
            name, keys = _name_of(chosen), tuple(run.key for run in chosen)
            states = self._reports.setdefault(keys, OrderedDict())
            if name not in states:
                known = [samples for report in states.values() for samples in report.samples]
                states[name] = ServedReport.load(
                    [run.path for run in chosen], self._data, self._include, known
                )
            states.move_to_end(name)
            self._reports.move_to_end(keys)
            for kept, most in ((states, _KEPT_STATES), (self._reports, _KEPT_CHOICES)):
                while len(kept) > most:
                    kept.popitem(last=False)
            return name, states[name]

    async def _page(self, request: Request) -> Response:
        self._runs.look()
        path = self._runs.pages.get(request.query_params.get("path", ""))
        if path is None:
            raise HTTPException(404, "There is no such page here.")
        try:
            with open_file(path, os.O_RDONLY | os.O_NOFOLLOW) as file:
                content = await asyncio.to_thread(file.read)
        except OSError as error:
            raise HTTPException(404, "The page is gone, or is no regular file.") from error
        return HTMLResponse(content, headers=_HEADERS | {"content-security-policy": _ALONE})


def _name_of(chosen: list[Found]) -> str:
    """Return the name of the state of runs as of the last look at them."""
    return digest([(run.key, run.stamp) for run in chosen])


def _running(chosen: list[Found]) -> bool:
    return any(run.is_running for run in chosen)


def _place(name: str, chosen: list[Found]) -> dict[str, Json]:
    """Return what the script of a report has to know of its server."""
    later = f"report.json?{_query(chosen)}"
    return {
        "name": name,
        "served": f"pieces/{name}",
        "found": f"found/{name}",
        "later": later,
        "running": _running(chosen),
    }


def _query(chosen: list[Found]) -> str:
    return urlencode([("run", run.key) for run in chosen])


async def _nothing(request: Request) -> Response:
    return Response(status_code=204)


def _text(words: str, status: int) -> Response:
    return HTMLResponse(render("message.html", title="k2eval view", words=words), status, _HEADERS)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _text(error.detail, error.status_code)


async def _failed(request: Request, error: Exception) -> Response:
    return _text(str(error), 422)


def bind(port: int) -> socket.socket:
    """Return a listening socket on the loopback interface; port 0 takes a free one.

    Raises:
        ConfigError: If the port cannot be taken.
    """
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen()  # so that a browser that is opened at once is answered
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"--port: cannot listen on port {port}: {error.strerror}. Give another one."
        ) from error
    return listening


def serve(viewer: Viewer, listening: socket.socket) -> None:
    """Answer requests until a signal asks for the end."""
    config = uvicorn.Config(viewer.app, log_level="warning", access_log=False, server_header=False)
    uvicorn.Server(config).run(sockets=[listening])
