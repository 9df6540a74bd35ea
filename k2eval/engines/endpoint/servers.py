"""The servers behind an endpoint: which one is asked next, and what each says of itself before the run."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import openai
from openai import AsyncOpenAI

from k2eval.engines.endpoint.chat_stream import THINK, transport
from k2eval.errors import EngineError, EngineStopped, did_you_mean
from k2eval.records import Request

_RESTS_S = 10.0
"""Seconds that a server which failed is passed over, where there is another; twice as long after each trial."""

_RESTS_AT_MOST_S = 300.0


@dataclass(slots=True, eq=False)
class Server:
    """One base URL."""

    url: str
    client: AsyncOpenAI
    limit: int
    """Requests it is sent at once."""
    in_flight: int = 0
    failures: int = 0
    """Since its last answer; those before a rest is over count as one."""
    rests_until: float = 0.0
    is_vllm: bool = False
    context: int | None = None
    opens_think: dict[str, bool] = field(default_factory=dict)
    """Whether a chat template with these arguments opens the reasoning, so that answers do not."""
    troubles: Counter[str] = field(default_factory=Counter)
    """What went wrong and was asked again."""

    def failed(self, what: str) -> None:
        """Remember a failure, and pass the server over for a while."""
        self.troubles[what] += 1
        if self.rests_until <= time.monotonic():
            self.failures += 1
            rest = min(_RESTS_S * 2 ** (self.failures - 1), _RESTS_AT_MOST_S)
            self.rests_until = time.monotonic() + rest

    def answered(self) -> None:
        """It is well."""
        self.failures, self.rests_until = 0, 0.0

    @property
    def is_up(self) -> bool:
        """Whether it can be sent more; after a rest, a single request tries it out."""
        return self.rests_until <= time.monotonic() and not (self.failures and self.in_flight)


def least_loaded(servers: list[Server]) -> Server | None:
    """The server with the fewest requests in flight, of those that are up if any is; None if these are full."""
    up = [server for server in servers if server.is_up]
    free = [server for server in up or servers if server.in_flight < server.limit]
    return min(free, key=lambda server: server.in_flight, default=None)


async def introduce(server: Server, model: str) -> None:
    """Ask a server which models it has, and learn what it is.

    Raises:
        EngineError: When it cannot be reached or does not serve the model.
        EngineStopped: When it refuses the key.
    """
    try:
        page = await server.client.models.list()
        known = {entry.id: entry for entry in getattr(page, "data", None) or []}
    except openai.AuthenticationError as error:
        raise EngineStopped(
            f"{server.url} refused the API key (HTTP {error.status_code}). Put the right key into the environment; "
            "engine.api_key_env names the variable."
        ) from None
    except (openai.NotFoundError, openai.PermissionDeniedError):
        return  # a server need not list its models
    except openai.APIConnectionError as error:
        raise EngineError(
            f"{server.url} cannot be reached ({type(error.__cause__ or error).__name__}). Start the server, or correct "
            "engine.base_url."
        ) from None
    except (openai.OpenAIError, transport.HTTPError, ValueError, AttributeError) as error:
        raise EngineError(
            f"No list of models from {server.url}: {type(error).__name__}. Expected an OpenAI-compatible server; its "
            "base URL usually ends in /v1."
        ) from None
    if known and model not in known:
        raise EngineError(f"{server.url} does not serve {model!r}. {did_you_mean(model, list(known))}")
    entry = known.get(model)
    server.is_vllm = getattr(entry, "owned_by", "") == "vllm"
    context = getattr(entry, "max_model_len", None)
    server.context = context if isinstance(context, int) else None


async def measure(server: Server, model: str, request: Request) -> int | None:
    """The prompt's length in tokens; learns on the way whether it ends in an open ``<think>``.

    None where the server does not say; vLLM's does.
    """
    template = template_of(request)
    body = {
        "model": model,
        "messages": [{"role": turn.role, "content": turn.content} for turn in request.messages],
        "add_generation_prompt": True,
        "chat_template_kwargs": request.sampling.chat_template,
        "return_token_strs": True,
    }
    root = server.url.rstrip("/").removesuffix("/v1")
    try:
        answer = await server.client.post(f"{root}/tokenize", body=body, cast_to=transport.Response)
        found: Any = answer.json()
        last = "".join(str(piece) for piece in (found.get("token_strs") or [])[-12:])
        # Byte-level vocabularies write spaces and line ends as other letters.
        server.opens_think[template] = last.rstrip("ĊĠ\n \u2581").endswith(THINK[0])
        return int(found["count"])
    except (openai.OpenAIError, transport.HTTPError, ValueError, KeyError, TypeError, AttributeError):
        server.opens_think.setdefault(template, False)
        return None


def template_of(request: Request) -> str:
    """The chat template's arguments as a text."""
    return json.dumps(request.sampling.chat_template, sort_keys=True)
