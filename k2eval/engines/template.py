"""Chat templates: read from a checkpoint's files, rendered as transformers renders them."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal, NamedTuple

from jinja2 import TemplateError, meta, nodes

from k2eval.engines.checkpoint import checkpoint_file
from k2eval.engines.template_environment import environment
from k2eval.engines.thinking import FLAGS, TEMPLATE_NAMES, template_arguments
from k2eval.engines.trial import fault_of_trial
from k2eval.errors import ConfigError
from k2eval.records import Json, Message, Sampling

Turns = Sequence[Mapping[str, Json]]
Render = Callable[[Turns, Mapping[str, Json]], str]
"""(turns, arguments) -> text, up to where the answer begins."""

SystemTurn = Literal["kept", "dropped", "refused"]
"""The treatments of a system turn by a template."""

_KEPT = 1024
"""Prompts that are cached: the repeats of a question come in turn, with those of other questions between them."""
_FAILURES = (
    TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError,
)  # fmt: skip
"""Errors of a template: its own, or an operation on an argument that is not there."""
_NOT_ARGUMENTS = frozenset(
    {"messages", "tools", "documents", "add_generation_prompt", "continue_final_message", "raise_exception",
     "strftime_now", "builtin_tools", "tools_in_user_message", "available_tools", "controls"}
)  # fmt: skip
_SWITCH_NAMES = frozenset(name for names in TEMPLATE_NAMES.values() for name in names)
_DEFAULT = "default"
_OF_PROCESSOR = "chat_template.json"
"""File of models that see pictures, whose tokenizer has no template."""
_SYSTEM, _QUESTION = "7305-9141", "2618-5077"
"""Turns to try a template with: texts that no template holds, or begins or ends like."""


class Prompt(NamedTuple):
    """A prompt as text."""

    text: str
    folded: bool
    """Whether the system text is in the first user turn."""


class ChatTemplate:
    """A chat template, which renders turns and arguments.

    Args:
        model: The checkpoint's name, for messages.
        source: The text of the template.
        render: Function that renders turns with the template.
        tokens: Tokens that the tokenizer passes to the template, such as ``bos_token``.
    """

    def __init__(self, model: str, source: str, render: Render, tokens: Sequence[str] = ()) -> None:
        self.source = source
        self.arguments = frozenset(
            name for name in variables(source) - _NOT_ARGUMENTS - set(tokens) if not name.endswith("_token")
        )
        """Names of the arguments that it reads, such as ``enable_thinking``."""
        self._model = model
        self._raw = render
        self._render = lru_cache(maxsize=_KEPT)(self._render_uncached)
        self._system_turn = lru_cache(maxsize=_KEPT)(self._system_turn_uncached)
        self._takes_parts = lru_cache(maxsize=_KEPT)(self._takes_parts_uncached)

    def arguments_of(self, sampling: Sampling) -> dict[str, Json]:
        """Return the arguments that a request gives it, the switches of thinking under the names that it reads."""
        other = "chat_template" in sampling.chat_template  # another template, which reads nobody knows what
        return template_arguments(sampling, None if other else self.arguments)

    def render(self, messages: Sequence[Message], arguments: Mapping[str, Json] | None = None) -> Prompt:
        """Return the prompt; the system text stands in the first user turn if the template has no system turn.

        Raises:
            ConfigError: If the template refuses the turns or fails without an argument.
        """
        return self._render(tuple(messages), json.dumps(arguments or {}, sort_keys=True))

    def system_turn(self, arguments: Mapping[str, Json] | None = None) -> SystemTurn:
        """Return what becomes of a system turn."""
        return self._system_turn(json.dumps(arguments or {}, sort_keys=True))

    def own_system(self, arguments: Mapping[str, Json] | None = None) -> str:
        """Return the system text that the template adds if none is given, and leaves out if one is; or nothing."""
        alone = self._try(_turns(_QUESTION), arguments or {})
        both = self._try(_turns(_QUESTION, _SYSTEM), arguments or {})
        if alone is None or both is None or _QUESTION not in alone:
            return ""
        text = _apart(alone.partition(_QUESTION)[0], both.partition(_QUESTION)[0]).strip()
        return text if len(text.split()) > 2 else ""

    def _render_uncached(self, messages: tuple[Message, ...], as_json: str) -> Prompt:
        arguments = json.loads(as_json)
        folds = messages[0].role == "system" and self._system_turn(as_json) != "kept"
        turns: Turns = [
            {"role": turn.role, "content": turn.content} for turn in (fold(messages) if folds else messages)
        ]
        try:
            if self._takes_parts(as_json):
                turns = _in_parts(turns)
            return Prompt(self._raw(turns, arguments), folds)
        except _FAILURES as error:
            missing = [_flag_for(name) for name in sorted(self.arguments - set(arguments))]
            remedy = (
                f"It reads arguments that are not set: {', '.join(missing)}."
                if missing
                else "Correct the template, or the arguments under sampling.chat_template."
            )
            raise ConfigError(
                f"The chat template of {self._model} refuses a prompt with the turns "
                f"{', '.join(turn['role'] for turn in turns)}: {str(error).rstrip('.')}. {remedy}"
            ) from error

    def _system_turn_uncached(self, as_json: str) -> SystemTurn:
        arguments = json.loads(as_json)
        both = self._try(_turns(_QUESTION, _SYSTEM), arguments)
        if both is not None:
            return "dropped" if _SYSTEM not in both and _QUESTION in both else "kept"
        return "kept" if self._try(_turns(_QUESTION), arguments) is None else "refused"

    def _takes_parts_uncached(self, as_json: str) -> bool:
        """Return whether a turn's content must be a list of parts, as templates of models that see pictures want it.

        Raises:
            TemplateError: If the template leaves the question out of the prompt either way.
        """
        arguments, turns = json.loads(as_json), _turns(_QUESTION)
        plain = self._try(turns, arguments, parts=False)
        if plain is None or _QUESTION in plain:  # what is wrong with it is told by the prompt itself
            return False
        if _QUESTION in (self._try(turns, arguments, parts=True) or ""):
            return True
        raise TemplateError("it leaves the question out of the prompt")

    def _try(self, turns: Turns, arguments: Mapping[str, Json], parts: bool | None = None) -> str | None:
        try:
            if parts is None:
                parts = self._takes_parts(json.dumps(arguments, sort_keys=True))
            return self._raw(_in_parts(turns) if parts else turns, arguments)
        except _FAILURES:
            return None


def fold(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return the turns with the system text at the start of the first user turn.

    >>> turns = [Message(role="system", content="Be brief."), Message(role="user", content="2 + 2?")]
    >>> [turn.content for turn in fold(turns)]
    ['Be brief.\\n\\n2 + 2?']
    """
    system = "\n\n".join(turn.content for turn in messages if turn.role == "system")
    others = [turn for turn in messages if turn.role != "system"]
    place = next((index for index, turn in enumerate(others) if turn.role == "user"), None)
    if place is None:
        return (Message(role="user", content=system), *others)
    others[place] = Message(role="user", content=f"{system}\n\n{others[place].content}")
    return tuple(others)


def variables(source: str) -> frozenset[str]:
    """Return the names that a template takes from outside; not those that it sets itself, switches of thinking aside.

    >>> sorted(variables("{% if enable_thinking is defined %}{{ messages[0].content }}{% endif %}"))
    ['enable_thinking', 'messages']
    """
    try:
        tree = environment().parse(source)
        free = meta.find_undeclared_variables(tree)
    except TemplateError:
        return frozenset()
    # A name that is set in one branch counts as free in the others, as a template may set a missing switch.
    own = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "store"}
    return frozenset(free) - (own - _SWITCH_NAMES)


def template_of_tokenizer(model: str, tokenizer: Any) -> ChatTemplate | None:
    """Return the chat template of a loaded tokenizer; None if it has none."""
    source = getattr(tokenizer, "chat_template", None)
    if not source:
        return None
    if isinstance(source, Mapping):
        source = source.get("default", "")

    def render(turns: Turns, arguments: Mapping[str, Json]) -> str:
        return str(
            tokenizer.apply_chat_template(
                list(turns), tokenize=False, add_generation_prompt=True, **arguments
            )
        )

    return ChatTemplate(model, str(source), render, tuple(getattr(tokenizer, "special_tokens_map", {})))


@dataclass(frozen=True, slots=True)
class TemplateFiles:
    """A checkpoint's chat template, as far as its files tell."""

    template: ChatTemplate | None
    """The chat template; None if there is none."""
    file: str = ""
    """Name of the file that holds it."""
    tokens: Mapping[str, str] | None = None
    """Special tokens by name, such as ``bos_token``."""
    dates: list[str] = field(default_factory=list)
    """The forms of dates that the template has written into prompts so far."""
    is_known: bool = True
    """False if the checkpoint's code, not a template, writes its prompts: they are seen once it is loaded."""


def read_template(model: str, revision: str | None = None) -> TemplateFiles:
    """Read the chat template of a checkpoint from its files.

    Args:
        model: A folder, or a name on the hub.
        revision: Commit, tag or branch on the hub.

    Raises:
        ConfigError: If a file cannot be read, or the template is not valid Jinja.
    """
    config = _read_json(model, "tokenizer_config.json", revision)
    tokens = special_tokens({**_read_json(model, "special_tokens_map.json", revision), **config})
    file = "tokenizer_config.json"
    named = _named(config.get("chat_template"))
    if not named and (other := _named(_read_json(model, _OF_PROCESSOR, revision).get("chat_template"))):
        file, named = _OF_PROCESSOR, other
    if (jinja := checkpoint_file(model, "chat_template.jinja", revision)) is not None:
        file, named = jinja.name, {**named, _DEFAULT: _read(jinja)}
    if not named:
        own = "auto_map" in config or checkpoint_file(model, "tekken.json", revision) is not None
        return TemplateFiles(None, tokens=tokens, is_known=not own)
    dates: list[str] = []
    tried: set[str] = set()

    def strftime_now(form: str) -> str:
        dates.append(form)
        return datetime.datetime.now().strftime(form)

    source = named.get(_DEFAULT, "")
    refuse_if_endless = partial(_refuse_if_endless, f"{file} of {model}")
    # Jinja computes constants already when it compiles.
    refuse_if_endless(lambda: [environment().from_string(text) for text in named.values()])
    try:
        compiled = environment().from_string(source)
    except TemplateError as error:
        raise ConfigError(
            f"The chat template in {file} of {model} is not valid Jinja: {error}. Copy the checkpoint again."
        ) from error

    def render(turns: Turns, arguments: Mapping[str, Json]) -> str:
        own = arguments.get("chat_template")
        if not own and _DEFAULT not in named:
            raise TemplateError(no_default(named))
        template = environment().from_string(named.get(str(own), str(own))) if own else compiled
        context = {**tokens, **arguments, "messages": turns, "tools": None, "documents": None}
        compute = partial(template.render, **context, add_generation_prompt=True, strftime_now=strftime_now)
        key = json.dumps(arguments, sort_keys=True, default=str)
        if key not in tried:
            refuse_if_endless(compute)
        tried.add(key)
        return compute()

    template = ChatTemplate(model, source, render, tuple(tokens))
    return TemplateFiles(template, file, tokens, dates=dates)


def _refuse_if_endless(where: str, compute: Callable[[], object]) -> None:
    if fault := fault_of_trial(compute):
        raise ConfigError(f"The chat template in {where} is refused: {fault}. Correct the checkpoint.")


def no_default(named: Iterable[str]) -> str:
    """Return the words about several templates of which none is the one that is used by itself."""
    return (
        f"there are several templates ({', '.join(sorted(named))}) and none is called default; choose one with "
        "--set sampling.chat_template.chat_template=NAME"
    )


def special_tokens(config: Mapping[str, Json]) -> dict[str, str]:
    """Return the special tokens that a tokenizer's configuration names, as templates see them.

    >>> special_tokens({"bos_token": "<s>", "eos_token": {"content": "</s>"}, "pad_token": None})
    {'bos_token': '<s>', 'eos_token': '</s>'}
    """
    named = {name: value for name, value in config.items() if name.endswith("_token")}
    extra = config.get("extra_special_tokens")
    named |= extra if isinstance(extra, dict) else {}
    contents = {
        name: value.get("content") if isinstance(value, dict) else value for name, value in named.items()
    }
    return {name: content for name, content in contents.items() if isinstance(content, str)}


def _named(entry: Json) -> dict[str, str]:
    """Return the templates in a configuration by name; a single one is the default."""
    if isinstance(entry, list):
        entry = {str(named.get("name")): named.get("template") for named in entry if isinstance(named, dict)}
    if isinstance(entry, str):
        entry = {_DEFAULT: entry}
    named = entry if isinstance(entry, dict) else {}
    return {name: source for name, source in named.items() if isinstance(source, str) and source}


def _read_json(model: str, name: str, revision: str | None) -> dict[str, Json]:
    path = checkpoint_file(model, name, revision)
    if path is None:
        return {}
    try:
        content = json.loads(_read(path))
    except ValueError as error:
        raise ConfigError(
            f"Cannot read {path}: expected JSON; {error}. Copy the checkpoint again."
        ) from error
    return content if isinstance(content, dict) else {}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(f"Cannot read {path}: {error}. Copy the checkpoint again.") from error


def _flag_for(name: str) -> str:
    """Return how an argument of a template is set."""
    switch = next((switch for switch, names in TEMPLATE_NAMES.items() if name in names), None)
    return f"{FLAGS[switch]} VALUE" if switch else f"--set sampling.chat_template.{name}=VALUE"


def _in_parts(turns: Turns) -> Turns:
    """Return turns whose contents are lists of parts, each with one text."""
    return [{**turn, "content": [{"type": "text", "text": turn["content"]}]} for turn in turns]


def _turns(question: str, system: str | None = None) -> Turns:
    turns: list[dict[str, Json]] = [{"role": "system", "content": system}] if system else []
    return [*turns, {"role": "user", "content": question}]


def _apart(text: str, other: str) -> str:
    """Return ``text`` without what it begins and ends with as ``other`` does."""
    start = _same(text, other)
    return text[start : len(text) - _same(text[start:][::-1], other[start:][::-1])]


def _same(text: str, other: str) -> int:
    """Return how many characters both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(text, other, strict=False)))
