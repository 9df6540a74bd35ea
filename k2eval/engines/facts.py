"""A checkpoint's facts, read from its files in milliseconds: context, end tokens, sampling of its own, size."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from k2eval.engines.checkpoint import checkpoint_config, checkpoint_file
from k2eval.engines.template import ChatTemplate, TemplateFiles
from k2eval.errors import ConfigError
from k2eval.records import Json, Message, Sampling

_OWN_SAMPLING = (
    "do_sample", "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty",
    "frequency_penalty", "max_length", "max_new_tokens",
)  # fmt: skip
_SCALED_ALREADY = (
    "yarn",
    "deepseek_yarn",
    "deepseek_llama_scaling",
    "llama3",
    "longrope",
    "su",
    "default",
    "mrope",
)
"""Kinds of positions for which config.json names the longest context itself, not that before scaling."""
_NO_LIMIT = 10**9
"""Lengths from here on stand for no limit in tokenizer_config.json."""
_ADDED_TOKENS = '"added_tokens"'
_MOST_SCALING = 8
"""By how much YaRN may extend a context; beyond, answers are no longer those of the model."""
_READ = 8 << 20
"""Characters of tokenizer.json that are read; the added tokens stand before the vocabulary."""


@dataclass(frozen=True, slots=True)
class CheckpointFacts:
    """The facts in the files of a checkpoint, its chat template aside."""

    config: Mapping[str, Json] = field(default_factory=dict)
    generation: Mapping[str, Json] = field(default_factory=dict)
    """generation_config.json."""
    tokenizer: Mapping[str, Json] = field(default_factory=dict)
    """tokenizer_config.json."""
    tokens: Mapping[int, str] = field(default_factory=dict)
    """Added tokens of the tokenizer by number."""
    weight_bytes: int = 0
    """Of a folder; 0 of a model on the hub that is not here."""

    @property
    def architecture(self) -> str:
        """Name of the model's class."""
        names = self.config.get("architectures")
        names = [names] if isinstance(names, str) else names
        return ", ".join(map(str, names)) if isinstance(names, list) and names else "an unnamed architecture"

    @property
    def dtype(self) -> str:
        """Kind of numbers of the weights."""
        inner = self._text_config
        return str(inner.get("dtype") or inner.get("torch_dtype") or self.config.get("dtype") or "unknown")

    @property
    def quantisation(self) -> str:
        """Name of the method by which the weights are quantised; empty if they are not."""
        entry = self.quantisation_config
        return str(entry.get("quant_method") or "a method without a name") if entry else ""

    @property
    def quantisation_config(self) -> Mapping[str, Json]:
        """The entry of config.json on the quantisation of the weights; empty if they are not quantised."""
        entry = self.config.get("quantization_config") or self._text_config.get("quantization_config")
        entry = entry or self.config.get("compression_config")
        if isinstance(entry, dict):
            return entry
        return {"quant_method": str(entry)} if entry else {}

    @property
    def context(self) -> int | None:
        """Longest prompt plus answer, in tokens, as vLLM reads it."""
        longest = self._text_config.get("max_position_embeddings")
        if not isinstance(longest, int):
            return None
        longest, limit = self._before_scaling(longest), self.tokenizer_limit
        scale = 1.0
        for rope in self._positions:
            kind = rope.get("rope_type", rope.get("type", "default"))
            factor = rope.get("factor")
            if kind not in _SCALED_ALREADY and isinstance(factor, (int, float)) and math.isfinite(factor):
                scale = factor
        if "gemma3" in str(self.config.get("model_type")):  # its config.json names the scaled one
            scale = 1.0
        return int((longest if limit is None else min(longest, limit)) * scale)

    @property
    def tokenizer_limit(self) -> int | None:
        """Most tokens by tokenizer_config.json, which vLLM keeps to; None if it names none."""
        limit = self.tokenizer.get("model_max_length")
        return int(limit) if isinstance(limit, (int, float)) and 0 < limit < _NO_LIMIT else None

    def _before_scaling(self, longest: int) -> int:
        kinds = [rope.get("rope_type", rope.get("type")) for rope in self._positions]
        own = self._text_config.get("original_max_position_embeddings")
        return own if "longrope" in kinds and isinstance(own, int) else longest

    @property
    def _positions(self) -> list[Mapping[str, Json]]:
        """The settings of the positions: one for all layers, or one for each kind of layer."""
        scaling = self._text_config.get("rope_parameters") or self._text_config.get("rope_scaling") or {}
        if not isinstance(scaling, dict):
            return []
        by_layer: list[Mapping[str, Json]] = [value for value in scaling.values() if isinstance(value, dict)]
        return by_layer if by_layer and len(by_layer) == len(scaling) else [scaling]

    @property
    def _text_config(self) -> Mapping[str, Json]:
        inner = self.config.get("text_config")
        return inner if isinstance(inner, dict) else self.config

    @property
    def own_sampling(self) -> dict[str, Json]:
        """The sampling and the lengths that generation_config.json names."""
        return {key: self.generation[key] for key in _OWN_SAMPLING if self.generation.get(key) is not None}

    @property
    def end_tokens(self) -> list[str]:
        """The tokens that end an answer, as vLLM reads them."""
        entries = [self.generation.get("eos_token_id"), self.config.get("eos_token_id")]
        ids = [number for entry in entries for number in (entry if isinstance(entry, list) else [entry])]
        numbers = dict.fromkeys(number for number in ids if isinstance(number, int))
        return [self.tokens.get(number, f"token {number}") for number in numbers]

    def longer_context(self, needed: int) -> str | None:
        """Return the option that extends the context to ``needed`` tokens by YaRN; None if the checkpoint has none."""
        config = self._text_config
        here, theta = config.get("max_position_embeddings"), config.get("rope_theta")
        if len(self._positions) != 1 or not isinstance(here, int) or needed <= here:
            return None
        [scaling] = self._positions
        if scaling.get("rope_type", scaling.get("type", "default")) != "default":
            return None  # scaled by its makers; scaling it once more is a change of the model
        theta = theta or scaling.get("rope_theta")
        if not isinstance(theta, (int, float)) or needed > _MOST_SCALING * here:
            return None
        return yarn_option(here, needed, float(theta))


def yarn_option(here: int, needed: int, theta: float) -> str:
    """Return the options by which vLLM extends a context of ``here`` tokens to ``needed`` ones or a few more."""
    factor = math.ceil(needed / here)
    longest = here * factor
    positions = f"rope_type: yarn, factor: {float(factor)}, original_max_position_embeddings: {here}"
    overrides = f"max_position_embeddings: {longest}, rope_parameters: {{{positions}, rope_theta: {theta}}}"
    return f"--set 'engine.hf_overrides={{{overrides}}}' --set engine.max_model_len={longest}"


def checkpoint_facts(model: str, revision: str | None = None) -> CheckpointFacts:
    """Read the facts of a checkpoint.

    Raises:
        ConfigError: If a file is there but cannot be read.
    """
    return CheckpointFacts(
        config=_json(model, "config.json", revision),
        generation=_json(model, "generation_config.json", revision),
        tokenizer=_json(model, "tokenizer_config.json", revision),
        tokens=_added_tokens(checkpoint_file(model, "tokenizer.json", revision)),
        weight_bytes=_weight_bytes(model, revision),
    )


def longest_context(model: str) -> int | None:
    """Return the number of tokens that a local checkpoint was made for; None if its files do not tell.

    Raises:
        ConfigError: If there is no checkpoint, or a file of it cannot be read.
    """
    config = checkpoint_config(model)
    return (
        CheckpointFacts(config, tokenizer=_json(model, "tokenizer_config.json", None)).context
        if config
        else None
    )


def turn_end(template: ChatTemplate, arguments: Mapping[str, Json]) -> str | None:
    """Return the token by which a template ends an answer; None if that cannot be seen."""
    answer = "4096-2187"
    turns = [Message(role="user", content="2618-5077"), Message(role="assistant", content=answer)]
    turns.append(Message(role="user", content="7305-9141"))
    try:
        text = template.render(turns, arguments).text
    except ConfigError:
        return None
    after = text.partition(answer)[2].lstrip()
    start = next((mark for mark in ("<", "[") if after.startswith(mark)), None)
    end = {"<": ">", "[": "]"}.get(start or "")
    return after[: after.index(end) + 1] if end and end in after[:60] else None


def doubled_start(prompt: str, files: TemplateFiles) -> str | None:
    """Return the token that stands twice at a prompt's beginning; None if none does."""
    start = (files.tokens or {}).get("bos_token")
    if not start or not prompt.startswith(start):
        return None
    return start if prompt.removeprefix(start).lstrip().startswith(start) else None


def differing_sampling(own: Mapping[str, Json], sampling: Sampling) -> list[str]:
    """Return in words where a checkpoint's own sampling and that of a task differ.

    >>> differing_sampling({"temperature": 0.6, "top_p": 0.95, "repetition_penalty": 1.05}, Sampling())
    ['temperature 0.6 (asked with 1.0)', 'repetition_penalty 1.05 (asked without)']
    """
    drawn = sampling.model_dump()
    words = []
    for key, value in own.items():
        asked = drawn.get("max_tokens" if key in ("max_length", "max_new_tokens") else key)
        neutral = (key == "do_sample") or (key == "repetition_penalty" and value == 1.0)
        if neutral or asked == value or (key == "top_k" and value in (0, -1)):
            continue
        words.append(f"{key} {value} ({f'asked with {asked}' if asked is not None else 'asked without'})")
    return words


def _json(model: str, name: str, revision: str | None) -> dict[str, Json]:
    path = checkpoint_file(model, name, revision)
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"Cannot read {path}: expected JSON; {error}. Copy the checkpoint again."
        ) from error
    return content if isinstance(content, dict) else {}


def _added_tokens(path: Path | None) -> dict[int, str]:
    if path is None:
        return {}
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(_READ)
        start = text.index("[", text.index(_ADDED_TOKENS))
        entries: Sequence[Any] = json.JSONDecoder().raw_decode(text, start)[0]
        return {int(entry["id"]): str(entry["content"]) for entry in entries}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _weight_bytes(model: str, revision: str | None) -> int:
    folder = Path(model)
    if folder.is_dir():
        return sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    index = _json(model, "model.safetensors.index.json", revision).get("metadata")
    size = index.get("total_size") if isinstance(index, dict) else None
    return size if isinstance(size, int) else 0
