"""Prompts rendered here, for servers that have completions only."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from k2eval.engines.endpoint.answers import THINK
from k2eval.engines.endpoint.bodies import template_arguments, turns_of
from k2eval.errors import ConfigError
from k2eval.records import Request

_KEPT = 64
"""Repeats of a question come side by side, so few prompts are worth keeping."""


class Renderer:
    """Renders prompts by a checkpoint's chat template.

    Args:
        name: Folder or hub name of the checkpoint.

    Raises:
        ConfigError: If it has no tokenizer, or no chat template.
    """

    def __init__(self, name: str) -> None:
        from transformers import AutoTokenizer

        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(name)
        except Exception as error:  # transformers raises many kinds for what is not there
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ConfigError(
                f"engine.tokenizer: no tokenizer can be read from {name}: {first} Give a folder or the hub name of the "
                "checkpoint that is served."
            ) from error
        if not getattr(self._tokenizer, "chat_template", None):
            raise ConfigError(
                f"engine.tokenizer: {name} has no chat template, so prompts cannot be rendered. Give a checkpoint that "
                "has one."
            )
        self._name = name
        self._cached = lru_cache(maxsize=_KEPT)(self._render)

    def render(self, request: Request) -> tuple[list[int], bool]:
        """Return the tokens of a request's prompt, and whether it ends in an open reasoning block.

        Raises:
            ConfigError: If the chat template refuses the prompt.
        """
        arguments = json.dumps(template_arguments(request.sampling), sort_keys=True)
        ids, opens = self._cached(json.dumps(turns_of(request)), arguments)
        return list(ids), opens

    def _render(self, turns: str, arguments: str) -> tuple[tuple[int, ...], bool]:
        from jinja2 import TemplateError

        try:
            text = self._tokenizer.apply_chat_template(
                json.loads(turns), tokenize=False, add_generation_prompt=True, **json.loads(arguments)
            )
        except TemplateError as error:
            raise ConfigError(
                f"The chat template of {self._name} refuses a prompt: {error}. --set TASK.system='' leaves the system "
                "turn out."
            ) from error
        ids = self._tokenizer.encode(text, add_special_tokens=False)
        return tuple(ids), text.rstrip().endswith(THINK[0])
