"""A checkpoint's prompts and its switches of thinking, known from its files before vLLM starts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any

from k2eval.engines.template import TemplateFiles, read_template
from k2eval.engines.thinking import FLAGS, no_switch, unknown_switches
from k2eval.errors import ConfigError
from k2eval.reasoning import pairs_of
from k2eval.records import Note, NoteKind, ReasoningFormat, Request

NO_TEMPLATE = Note(kind=NoteKind.ENGINE, text="the checkpoint has no chat template: prompts are plain text")
FOLDED = Note(
    kind=NoteKind.ENGINE,
    text="the chat template has no system turn: system text stands at the start of the first user turn",
)
DATED = Note(
    kind=NoteKind.ENGINE,
    text="the chat template writes the date into prompts: they differ from day to day",
)
_OF_REASONING = ("reasoning_config", "reasoning_parser")


class Preview:
    """The prompts of one checkpoint.

    Args:
        model: A folder or a hub name.
        arguments: Engine arguments of vLLM.
    """

    def __init__(self, model: str, arguments: Mapping[str, Any]) -> None:
        self._model = model
        self._arguments = arguments
        self.folds = False
        """Whether system text was put into a user turn."""
        self.keeps_budgets = False
        """Whether vLLM itself must end thinking, since the chat template knows no budget."""

    @cached_property
    def files(self) -> TemplateFiles:
        """The checkpoint's chat template."""
        tokenizer = self._arguments.get("tokenizer") or self._model
        revision = self._arguments.get("tokenizer_revision") or self._arguments.get("revision")
        return read_template(str(tokenizer), revision)

    @property
    def notes(self) -> list[Note]:
        """What a reader of the scores must know about the prompts so far."""
        dated = "files" in self.__dict__ and self.files.dates
        return [*([FOLDED] if self.folds else []), *([DATED] if dated else [])]

    def show(self, request: Request, switches: Collection[str] = ()) -> str | None:
        """Return the prompt of a request as text, as `k2eval.engines.protocol.Previews` describes."""
        if not self.files.is_known:
            return None
        template, sampling = self.files.template, request.sampling
        reads = template.arguments if template else frozenset()
        if "chat_template" not in sampling.chat_template:
            for switch in unknown_switches(switches, reads):
                if switch != "thinking_budget":
                    raise ConfigError(no_switch(self._model, switch, reads))
            if sampling.thinking_budget is not None and sampling.thinking is not False:
                self.keeps_budgets |= bool(unknown_switches(["thinking_budget"], reads))
        if template is None:
            return "\n\n".join(message.content for message in request.messages)
        prompt = template.render(request.messages, template.arguments_of(request.sampling))
        self.folds = self.folds or prompt.folded
        return prompt.text

    def reasoning(self, version: str, form: ReasoningFormat) -> dict[str, Any]:
        """Return the engine arguments by which vLLM, of this version, keeps budgets of thinking; none if it need not.

        Raises:
            ConfigError: If this vLLM keeps none, or nobody says where thinking begins and ends.
        """
        if not self.keeps_budgets:
            return {}
        from vllm import SamplingParams

        if not hasattr(SamplingParams, "thinking_token_budget"):
            raise ConfigError(
                f"The chat template of {self._model} knows no budget of thinking, and vLLM {version} keeps none. Leave "
                f"{FLAGS['thinking_budget']} out, or install a newer vLLM."
            )
        if any(self._arguments.get(name) for name in _OF_REASONING):
            return {}
        source = self.files.template.source if self.files.template else ""
        pairs = pairs_of(form)
        usual = pairs[0] if pairs and form.name != "auto" else None
        pair = next((pair for pair in pairs if pair[0] in source), usual)
        if pair is None:
            raise ConfigError(
                f"The chat template of {self._model} knows no budget of thinking ({FLAGS['thinking_budget']}), and "
                "vLLM must be told where thinking begins and ends to keep one. Set --set engine.reasoning_parser=NAME."
            )
        return {"reasoning_config": {"reasoning_start_str": pair[0], "reasoning_end_str": pair[1]}}
