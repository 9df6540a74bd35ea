"""Prompts rendered by k2eval for servers that have only completions."""

from __future__ import annotations

from typing import Any

from k2eval.engines.begun import beginning
from k2eval.engines.template import template_of_tokenizer
from k2eval.errors import ConfigError
from k2eval.records import ReasoningFormat, Request


class Renderer:
    """Renderer of prompts by a checkpoint's chat template.

    Args:
        name: Folder or hub name of the checkpoint.
        revision: Commit, tag or branch on the hub.

    Raises:
        ConfigError: If it has no tokenizer, or no chat template.
    """

    def __init__(self, name: str, revision: str | None = None) -> None:
        from transformers import AutoTokenizer

        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(name, revision=revision)
        except Exception as error:  # transformers raises many kinds for what is not there
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ConfigError(
                f"engine.tokenizer: no tokenizer can be read from {name}: {first} Give a folder or the hub name of the "
                "checkpoint that is served."
            ) from error
        template = template_of_tokenizer(name, self._tokenizer)
        if template is None:
            raise ConfigError(
                f"engine.tokenizer: {name} has no chat template, so prompts cannot be rendered. Give a checkpoint that "
                "has one."
            )
        self._template = template

    def render(self, request: Request) -> tuple[list[int], str]:
        """Return the tokens of a request's prompt, and its text.

        Raises:
            ConfigError: If the chat template refuses the prompt.
        """
        text = self._template.render(request.messages, self._template.arguments_of(request.sampling)).text
        return self._encode(text), text

    def without_start(self, text: str) -> str:
        """Return a prompt's text without the token with which the tokenizer begins every text of itself."""
        adds = self._tokenizer("").input_ids[:1] == [self._tokenizer.bos_token_id]
        return text.removeprefix(self._tokenizer.bos_token) if adds else text

    def beginning(self, request: Request, form: ReasoningFormat) -> tuple[list[int], str]:
        """Return the tokens and the text of the beginning of an answer that the server goes on with.

        The text holds the chat template's prefill, whose tokens belong to the prompt.
        """
        start = beginning(request, form, self._encode, self._tokenizer.decode)
        return self._encode(start[len(request.begun.prefill) if request.begun else 0 :]), start

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))
