"""Find the server that a run may ask in place of an engine of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import k2eval
from k2eval.engines.protocol import Engine
from k2eval.engines.scripted import ScriptedEngine
from k2eval.engines.served.states import ServerState, read_states
from k2eval.engines.vllm.engine import VllmEngine
from k2eval.engines.vllm.setup import vllm_version
from k2eval.engines.vllm.swapping import draft_fingerprint
from k2eval.errors import ConfigError, EngineError
from k2eval.records import Json, Role

_SHAPING = ("VLLM_", "CUDA_VISIBLE_DEVICES", "K2EVAL_ENGINE_")
"""Beginnings of the variables that shape an engine."""
_OF_OUTPUT = ("VLLM_LOGGING", "VLLM_NO_USAGE_STATS", "VLLM_API_KEY", "VLLM_CONFIGURE_LOGGING")
_WORDS = {
    "checkpoint": "another checkpoint",
    "draft": "another draft",
    "k2eval": "another version of k2eval",
    "vllm": "another version of vLLM",
    "speculation": "other speculation",
    "reasoning": "another format of reasoning",
    "settings": "other settings",
    "environment": "other environment variables",
}


def asked_of(engine: Engine) -> dict[str, Json]:
    """Return all that a server must have in common with an engine that has not started yet."""
    info = engine.info
    settings = dict(info.settings)
    speculative = settings.pop("speculative_config", None)
    kind = info.engine.split()[0]
    asked: dict[str, Json] = {
        "checkpoint": info.fingerprint,
        "k2eval": k2eval.__version__,
        "reasoning": info.reasoning.model_dump(mode="json"),
        "settings": settings,
        "environment": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(_SHAPING) and not name.startswith(_OF_OUTPUT)
        },
    }
    if kind == "vllm":
        speculation = dict(speculative) if isinstance(speculative, Mapping) else None
        asked["vllm"] = vllm_version()
        asked["draft"] = draft_fingerprint(speculation)
        if speculation and asked["draft"]:  # the place of a draft does not count
            speculation.pop("model", None)
        asked["speculation"] = speculation
    return asked


def difference(there: Mapping[str, Json], here: Mapping[str, Json]) -> str | None:
    """Return in words in what a server differs from what is asked for; None if in nothing.

    >>> difference({"k2eval": "0.1.0", "settings": {}}, {"k2eval": "0.2.0", "settings": {"dtype": "half"}})
    'another version of k2eval, other settings (dtype)'
    """
    parts = []
    for name, words in _WORDS.items():
        old, new = there.get(name), here.get(name)
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            names = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
            words += f" ({', '.join(names)})" if names else ""
        parts.append(words)
    return ", ".join(parts) or None


def with_servers(engines: Mapping[Role, Engine]) -> tuple[dict[Role, Engine], list[str]]:
    """Return engines that ask the servers that match, and the others as they are; and what a user must know of it.

    Args:
        engines: Engines by role, none of them started.
    """
    try:
        states = read_states()
    except EngineError as error:
        return dict(engines), [str(error)]
    found: dict[int, Engine] = {}
    words: dict[str, None] = {}
    for engine in engines.values() if states else ():
        if id(engine) not in found:
            found[id(engine)], lines = _with_server(engine, states)
            words |= dict.fromkeys(lines)
    return {role: found.get(id(engine), engine) for role, engine in engines.items()}, list(words)


def _with_server(engine: Engine, states: Sequence[ServerState]) -> tuple[Engine, list[str]]:
    from k2eval.engines.served.engine import ServedEngine  # with its HTTP client, which most runs do not need

    if engine.info.engine == "endpoint":
        return engine, []
    same = [state for state in states if state.asked.get("checkpoint") == engine.info.fingerprint]
    if not same:
        return engine, []
    if not isinstance(engine, (ScriptedEngine, VllmEngine)):
        return engine, [
            "this run has replicas, so the server of `k2eval serve` is not asked (see --replicas)"
        ]
    try:
        asked = asked_of(engine)
    except ConfigError:  # the engine itself will say what is wrong with its draft
        return engine, []
    reasons = []
    for state in same:
        unlike = difference(state.asked, asked)
        if unlike is None:
            served = ServedEngine(engine, state)
            return served, [served.words]
        reasons.append(
            f"the server of process {state.pid} is not asked, since it has {unlike}; it keeps its memory until "
            "`k2eval serve --stop`"
        )
    return engine, reasons


def find_server(engine: Engine) -> ServerState | None:
    """Return the server that matches an engine; None if there is none."""
    asked = asked_of(engine)
    return next((state for state in read_states() if difference(state.asked, asked) is None), None)
