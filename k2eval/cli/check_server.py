"""Four short questions to a server, and what its answers tell about it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from k2eval.cli.check_model import Findings, first_of_each_step
from k2eval.config import RunConfig
from k2eval.engines import ScriptedEngine, server_fields
from k2eval.errors import ConfigError
from k2eval.reasoning import split
from k2eval.records import Json, Sampling
from k2eval.run import RoleEngines, Work

_TIMEOUT_S = 120.0
_ROOM = 1024
"""Tokens of an answer, so that a model that reasons comes to an end."""
_SUM = "What is 2 + 3? Answer with the number."
_TAGGED = "What is 2 + 3? Put the number between <answer> and </answer>."
_DRAW = "Name any three animals."
_SCHEMA: dict[str, Json] = {
    "type": "object",
    "properties": {"sum": {"type": "integer"}},
    "required": ["sum"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of a server, or its refusal."""

    status: int
    content: str = ""
    reasoning: str = ""
    field: str = ""
    """The field in which reasoning came apart."""
    finish_reason: str = ""
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    refusal: str = ""
    """The server's own words."""

    @property
    def text(self) -> str:
        """Return what a reader sees of it."""
        if self.refusal:
            return f"HTTP {self.status}: {self.refusal}"
        apart = f"({self.field}) {self.reasoning}\n\n" if self.reasoning else ""
        return f"{apart}{self.content}"

    @property
    def in_words(self) -> str:
        """Return how it ended and what was counted."""
        if self.refusal:
            return "refused"
        counted = "tokens not counted" if self.output_tokens is None else f"{self.output_tokens} tokens"
        return f"finish_reason {self.finish_reason or 'missing'}, {counted}"


def check_server(config: RunConfig) -> Findings:
    """Ask a server the short questions and the prompts of all stages.

    Raises:
        ConfigError: If it cannot be reached, or no model's name is known.
    """
    url = config.model.rstrip("/")
    found = Findings(url)
    variable = str(config.engine.arguments.get("api_key_env", "OPENAI_API_KEY"))
    key = os.environ.get(variable, "").strip()
    headers = {"authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(headers=headers, timeout=_TIMEOUT_S) as client:
        name = str(config.engine.arguments.get("model") or _served(client, url, found))
        found.facts["model"] = name
        work = Work(config)
        sampling = work.sampling_of(work.sets[0])
        asker = _Asker(client, url, name, server_fields(sampling))
        plain = asker.ask(_SUM)
        _show(found, "a question", plain)
        if plain.refusal:
            found.must(f"the server refuses a plain question: {plain.refusal}")
            return found
        _check_plain(found, plain)
        _check_stop(found, asker)
        _check_schema(found, asker)
        _check_seeds(found, asker)
        _check_switches(found, asker, sampling, plain)
        _check_stages(found, asker, work)
    return found


@dataclass(slots=True)
class _Asker:
    client: httpx.Client
    url: str
    model: str
    fields: Mapping[str, Json]
    """Switches of thinking, as they are sent with each question."""

    def ask(self, question: str | list[dict[str, str]], bare: bool = False, **changes: Json) -> Reply:
        turns = [{"role": "user", "content": question}] if isinstance(question, str) else question
        body = {"model": self.model, "messages": turns, "temperature": 0.0, "max_tokens": _ROOM, "seed": 1}
        body |= {**({} if bare else self.fields), **changes}
        try:
            answer = self.client.post(f"{self.url}/chat/completions", json=body)
        except httpx.HTTPError as error:
            raise ConfigError(
                f"{self.url} did not answer ({type(error).__name__}: {error}). Start the server, or correct the URL."
            ) from error
        return _read(answer)


def _served(client: httpx.Client, url: str, found: Findings) -> str:
    """Return the first model that the server lists."""
    try:
        answer = client.get(f"{url}/models")
    except httpx.HTTPError as error:
        raise ConfigError(
            f"{url} cannot be reached ({type(error).__name__}: {error}). Start the server, or correct the URL; it "
            "usually ends in /v1."
        ) from error
    try:
        names = [str(entry["id"]) for entry in answer.json()["data"]]
    except (ValueError, KeyError, TypeError):
        names = []
    if not names:
        raise ConfigError(
            f"{url} lists no models (HTTP {answer.status_code}: {_first_words(answer.text)}). Name the model with "
            "--served NAME; if the URL is wrong, correct it: it usually ends in /v1."
        )
    if len(names) > 1:
        found.note(f"the server lists {len(names)} models, the first was asked; --served NAME names another")
    return names[0]


def _read(answer: httpx.Response) -> Reply:
    if answer.is_error:
        return Reply(answer.status_code, refusal=_first_words(answer.text))
    try:
        body = answer.json()
        choice = body["choices"][0]
        message = choice["message"]
    except (ValueError, KeyError, IndexError, TypeError):
        return Reply(answer.status_code, refusal=f"no chat completion: {_first_words(answer.text)}")
    field = next((name for name in ("reasoning_content", "reasoning") if message.get(name)), "")
    usage = body.get("usage") or {}
    return Reply(
        status=answer.status_code,
        content=str(message.get("content") or ""),
        reasoning=str(message.get(field) or "") if field else "",
        field=field,
        finish_reason=str(choice.get("finish_reason") or ""),
        prompt_tokens=_count(usage.get("prompt_tokens")),
        output_tokens=_count(usage.get("completion_tokens")),
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _first_words(text: str) -> str:
    try:
        content = json.loads(text)
        error = content.get("error", content) if isinstance(content, dict) else content
        text = str(error.get("message", error)) if isinstance(error, dict) else str(error)
    except ValueError:
        pass
    return " ".join(text.split())[:300] or "no words"


def _show(found: Findings, what: str, reply: Reply) -> None:
    found.prompts.append((f"{what}: {reply.in_words}", reply.text))


def _check_plain(found: Findings, reply: Reply) -> None:
    parts = split(reply.content)
    if reply.field:
        found.facts["reasoning"] = f"comes apart, in the field {reply.field}"
    elif parts.reasoning or not parts.complete:
        found.facts["reasoning"] = "comes within the text, between its marks"
    else:
        found.facts["reasoning"] = "none seen in a plain answer"
    if reply.output_tokens is None:
        found.note("the server counts no tokens: the table will count pieces or words")
    if not reply.content.strip():
        why = "it reasons until it is cut" if reply.finish_reason == "length" else "its content is empty"
        found.must(
            f"a plain question gets no answer ({why}; {reply.in_words}): see the server's reasoning parser"
        )


def _check_stop(found: Findings, asker: _Asker) -> None:
    reply = asker.ask(_TAGGED, stop=["</answer>"])
    _show(found, "a stop string that the prompt names", reply)
    if reply.refusal:
        found.must(f"the server refuses stop strings ({reply.refusal}): --set 'sampling.stop=[]'")
    elif reply.finish_reason == "stop" and not split(reply.content).complete:
        found.must(
            "the stop string </answer> ended the answer within its reasoning: --set 'sampling.stop=[]', or give the "
            "server a reasoning parser"
        )
    elif reply.finish_reason == "stop" and reply.reasoning and not reply.content.strip():
        found.must(
            "the stop string </answer> ended the answer within its reasoning: --set 'sampling.stop=[]'"
        )


def _check_schema(found: Findings, asker: _Asker) -> None:
    schema = {"name": "reply", "schema": _SCHEMA, "strict": True}
    reply = asker.ask(_SUM, response_format={"type": "json_schema", "json_schema": schema})
    _show(found, "a JSON schema", reply)
    try:
        held = isinstance(json.loads(split(reply.content).answer)["sum"], int)
    except (ValueError, KeyError, TypeError):
        held = False
    if not held:
        why = f" ({reply.refusal})" if reply.refusal else ""
        found.note(
            f"the server does not hold answers to a JSON schema{why}: judges are asked again until one fits"
        )


def _check_seeds(found: Findings, asker: _Asker) -> None:
    first, again, other = (
        asker.ask(_DRAW, temperature=1.0, seed=seed, max_tokens=48).text for seed in (1, 1, 2)
    )
    found.facts["seeds"] = (
        "not honoured: the same seed gave two answers"
        if first != again
        else "honoured"
        if first != other
        else "not seen: two seeds gave the same answer"
    )
    if first != again:
        found.note("seeds are not honoured: a repetition of the run may differ")


def _check_switches(found: Findings, asker: _Asker, sampling: Sampling, plain: Reply) -> None:
    """See whether switches of thinking change the prompt or the answer."""
    if not asker.fields:
        return
    bare = asker.ask(_SUM, bare=True)
    _show(found, "the same question without switches of thinking", bare)
    if (bare.prompt_tokens, bare.text) == (plain.prompt_tokens, plain.text):
        sent = ", ".join(sorted(asker.fields))
        found.must(
            f"the switches of thinking change neither prompt nor answer: the server ignores {sent}. Leave them out, or "
            "start the server with a chat template that reads them"
        )


def _check_stages(found: Findings, asker: _Asker, work: Work) -> None:
    """Ask each stage's prompt for one token: a template that refuses it says so."""
    engines = RoleEngines({"solver": ScriptedEngine(lambda request: "")})
    asked = first_of_each_step(work, engines)
    lengths = []
    for step, entry in asked.items():
        turns = [{"role": turn.role, "content": turn.content} for turn in entry.request.messages]
        reply = asker.ask(turns, bare=True, **server_fields(entry.request.sampling), max_tokens=1)
        lengths.append(f"{step} ({entry.role}) {reply.prompt_tokens or '?'} tokens")
        if reply.refusal:
            found.must(f"{step} ({entry.role}): the server refuses the prompt: {reply.refusal}")
    found.facts["prompts"] = ", ".join(lengths)
