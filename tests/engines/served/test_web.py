"""The pages of a server, called as a web server calls them."""

import asyncio
from collections.abc import Iterator
from typing import Any

from k2eval.engines.served.messages import GENERATE, LOOK, pack_question, unpack_answer, unpack_look
from k2eval.engines.served.web import Pages
from k2eval.records import Request
from tests.engines.served.conftest import KEY, request, scripted


async def asked(pages: Pages, path: str, body: bytes = b"", key: str = KEY) -> tuple[int, bytes]:
    sent: list[dict[str, Any]] = []
    messages: Iterator[dict[str, Any]] = iter([{"type": "http.request", "body": body}])

    async def receive() -> dict[str, Any]:
        message = next(messages, None)
        if message is None:
            await asyncio.sleep(60)
        return message or {}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path, "headers": [(b"authorization", f"Bearer {key}".encode())]}
    await pages(scope, receive, send)
    return sent[0]["status"], sent[1]["body"]


async def test_every_page_wants_the_key() -> None:
    for path in (LOOK, GENERATE, "/v1/models", "/metrics", "/"):
        assert (await asked(Pages(scripted(), KEY), path, key="wrong"))[0] == 401


async def test_a_request_is_answered() -> None:
    status, body = await asked(Pages(scripted(), KEY), GENERATE, pack_question(request(), "run"))
    assert (status, unpack_answer(body).text) == (200, "35")


async def test_nonsense_is_an_error_of_ours_and_not_an_answer() -> None:
    _, body = await asked(Pages(scripted(), KEY), GENERATE, b"[]")
    assert b"expected a request of k2eval" in body


async def test_an_error_that_nobody_expected_is_told() -> None:
    def broken(asked: Request) -> str:
        raise ZeroDivisionError("by zero")

    _, body = await asked(Pages(scripted(broken), KEY), GENERATE, pack_question(request(), "run"))
    assert b"ZeroDivisionError: by zero" in body


async def test_a_look_tells_who_answers() -> None:
    _, body = await asked(Pages(scripted(), KEY), LOOK)
    assert (unpack_look(body).info, unpack_look(body).in_flight) == (scripted().info, 0)


async def test_a_page_that_is_not_there_is_told() -> None:
    assert (await asked(Pages(scripted(), KEY), "/v1/models"))[0] == 404


async def test_all_other_pages_are_those_of_vllm() -> None:
    async def others(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 203})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    assert await asked(Pages(scripted(), KEY, others), "/v1/models") == (203, b"/v1/models")


async def test_notes_of_a_run_begin_with_its_first_request() -> None:
    class Noting:
        begun = 0
        generate = scripted().generate
        capacity, info, __aenter__, __aexit__ = 1, scripted().info, None, None

        def begin_run(self) -> None:
            self.begun += 1

    engine: Any = Noting()
    pages = Pages(engine, KEY)
    for run in ("a", "a", "b"):
        await asked(pages, GENERATE, pack_question(request(), run))
    assert engine.begun == 2


async def test_several_runs_are_answered_in_the_order_of_their_requests() -> None:
    engine = scripted()
    pages = Pages(engine, KEY)
    for run, priority in (("long", -30_000), ("short", -500)):
        asked_for = request().model_copy(update={"priority": priority})
        await asked(pages, GENERATE, pack_question(asked_for, run))
    assert [each.priority for each in engine.requests] == [0, 0]
