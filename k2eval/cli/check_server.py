"""Short questions to a server, asked as a run would ask them, and what its answers tell about it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from k2eval.cli.findings import Findings, first_of_each_step
from k2eval.config import RunConfig
from k2eval.engines import ScriptedEngine
from k2eval.engines.endpoint import EndpointEngine, Secrets, checked, reasoning_field
from k2eval.errors import ConfigError, EngineError, EngineStopped
from k2eval.reasoning import Parts, find_format
from k2eval.records import Generation, Json, Message, ReasoningFormat, Request, Sampling
from k2eval.run import RoleEngines, Work

_PATIENCE_S = 60.0
_ROOM = 1024
"""Tokens of an answer, so that a model that reasons comes to an end."""
_ATTEMPTS = 2
_SHOWN = 10
"""Most names of models that are listed."""
_SUM = "What is 2 + 3? Answer with the number."
_TAGGED = "What is 2 + 3? Put the number between <answer> and </answer>."
_SCHEMA: dict[str, Json] = {
    "type": "object",
    "properties": {"sum": {"type": "integer"}},
    "required": ["sum"],
    "additionalProperties": False,
}


@dataclass(slots=True)
class Server:
    """A server outside a run, for what an engine does not show: its list of models, and the fields of an answer."""

    url: str
    headers: Mapping[str, str]
    query: Mapping[str, str]

    @classmethod
    def of(cls, url: str, arguments: Mapping[str, Any]) -> Server:
        """Return the one that settings of an endpoint describe."""
        settings = checked({**arguments, "base_url": url})
        secrets, [url, *_] = Secrets(settings), settings.base_url
        bearer = {"Authorization": f"Bearer {secrets.key}"} if secrets.key else {}
        return cls(url.rstrip("/"), {**bearer, **secrets.headers}, secrets.query)

    def models(self) -> list[str]:
        """Return the models that it lists.

        Raises:
            ConfigError: If it lists none.
        """
        try:
            answer = httpx.get(
                f"{self.url}/models", headers=self.headers, params=self.query, timeout=_PATIENCE_S
            )
            names = [str(entry["id"]) for entry in answer.json()["data"]]
        except httpx.HTTPError as error:
            raise ConfigError(
                f"{self.url} cannot be reached ({type(error).__name__}: {error}). Start the server, or correct the "
                "URL; it usually ends in /v1."
            ) from error
        except (ValueError, KeyError, TypeError):
            names = []
        if not names:
            words = " ".join(answer.text.split())[:200]
            raise ConfigError(
                f"{self.url} does not list its models (HTTP {answer.status_code}: {words}). "
                "Name the model with --model NAME; or correct the URL, it usually ends in /v1."
            )
        return names

    def field_of_reasoning(self, model: str) -> str | None:
        """Return the field of an answer in which reasoning comes apart; None if there is none, or no answer."""
        body = {"model": model, "messages": [{"role": "user", "content": _SUM}], "max_tokens": _ROOM}
        try:
            answer = httpx.post(
                f"{self.url}/chat/completions",
                json=body,
                headers=self.headers,
                params=self.query,
                timeout=_PATIENCE_S,
            )
            return reasoning_field(answer.json()["choices"][0]["message"])
        except (httpx.HTTPError, ValueError, KeyError, IndexError, TypeError, AttributeError):
            return None


def check_server(config: RunConfig, served: str | None) -> Findings:
    """Ask a server short questions and the prompts of all stages.

    Args:
        config: ``model`` is the server's URL.
        served: The model's name there; the first that it lists if None.

    Raises:
        ConfigError: If it cannot be reached, or no model's name is known.
        EngineError: If it does not answer for the model.
    """
    url = config.model.rstrip("/")
    server = Server.of(url, config.engine.arguments)
    findings = Findings(url)
    models = [served] if served else server.models()
    if len(models) > 1:
        findings.note(
            f"the server lists {len(models)} models, the first was asked; --model NAME names another: "
            f"{', '.join(models[:_SHOWN])}{', …' if len(models) > _SHOWN else ''}"
        )
    arguments = {"attempts": _ATTEMPTS, "timeout_s": _PATIENCE_S, **config.engine.arguments, "base_url": url}
    findings.facts["model"] = models[0]
    reasoning = find_format(models[0], config.reasoning)
    engine = EndpointEngine(models[0], arguments, reasoning)
    asyncio.run(_ask_all(findings, engine, config, reasoning.form))
    field = server.field_of_reasoning(models[0])
    if field:
        findings.facts["reasoning"] = f"comes apart, in the field {field}"
    findings.facts.setdefault("reasoning", "none seen")
    return findings


async def _ask_all(
    findings: Findings, engine: EndpointEngine, config: RunConfig, form: ReasoningFormat
) -> None:
    work = Work(config)
    sampling = work.sampling_of(work.sets[0]).model_copy(update={"temperature": 0.0, "max_tokens": _ROOM})
    async with engine:
        seeds = "honoured" if engine.info.honours_seeds else "not honoured, or not checked"
        findings.facts["seeds"] = seeds
        if engine.info.context:
            findings.facts["context"] = f"{engine.info.context:,} tokens"
        for title, question, drawn, check in _questions(sampling):
            try:
                generation = await engine.generate(_request(question, drawn))
            except EngineStopped:
                raise
            except EngineError as error:
                findings.must(f"{title}: {error}")
                continue
            ended = f"finish_reason {generation.finish_reason}, {generation.output_tokens} tokens"
            findings.prompts.append((f"{title}: {ended}", generation.prefill + generation.text))
            check(findings, generation, Parts.of(generation, form))
        await _ask_stages(findings, engine, work)
        for note in engine.info.notes:
            findings.note(note.text.rstrip("."))


def _questions(sampling: Sampling) -> Iterator[tuple[str, str, Sampling, Any]]:
    plain = sampling.model_copy(update={"stop": ()})
    yield "a question", _SUM, plain, _check_plain
    yield "a stop string that the prompt names", _TAGGED, sampling, _check_stop
    yield "a JSON schema", _SUM, plain.model_copy(update={"json_schema": _SCHEMA}), _check_schema


def _request(question: str, sampling: Sampling) -> Request:
    return Request(
        key="check",
        task="check-model",
        question_id="2 + 3",
        repeat_index=0,
        stage="check",
        messages=(Message(role="user", content=question),),
        sampling=sampling,
        seed=1,
    )


def _check_plain(findings: Findings, generation: Generation, parts: Parts) -> None:
    if parts.reasoning or not parts.complete:
        findings.facts["reasoning"] = "comes within the text, between its marks"
    if not parts.complete or not parts.answer.strip():
        findings.must(
            f"a plain question gets no answer in {_ROOM:,} tokens (finish_reason {generation.finish_reason}): "
            "the model reasons on and on, or the server hides what it says"
        )


def _check_stop(findings: Findings, generation: Generation, parts: Parts) -> None:
    if generation.finish_reason == "stop" and not parts.complete:
        findings.must(
            "the stop string </answer> ended an answer within its reasoning: --set 'sampling.stop=[]', or give the "
            "server a reasoning parser"
        )


def _check_schema(findings: Findings, generation: Generation, parts: Parts) -> None:
    try:
        held = isinstance(json.loads(parts.answer)["sum"], int)
    except (ValueError, KeyError, TypeError):
        held = False
    if generation.finish_reason == "length":
        findings.note(
            f"within a JSON schema the model comes to no end in {_ROOM:,} tokens: judges are asked again then"
        )
    elif not held:
        findings.note(
            "the server does not hold answers to a JSON schema: judges are asked again if a reply is unreadable"
        )


async def _ask_stages(findings: Findings, engine: EndpointEngine, work: Work) -> None:
    """Ask each stage's prompt for one token: a chat template that refuses it says so."""
    unstarted = RoleEngines({"solver": ScriptedEngine(lambda request: "")})
    lengths = []
    for step, asked in (await first_of_each_step(work, unstarted)).items():
        sampling = asked.request.sampling.model_copy(update={"max_tokens": 1})
        try:
            generation = await engine.generate(asked.request.model_copy(update={"sampling": sampling}))
            lengths.append(f"{step} ({asked.role}) {generation.prompt_tokens} tokens")
        except EngineStopped:
            raise
        except EngineError as error:
            findings.must(f"{step} ({asked.role}): {error}")
    findings.facts["prompts"] = ", ".join(lengths)
