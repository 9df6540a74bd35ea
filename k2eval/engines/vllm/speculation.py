"""Checks of a speculative configuration before any weights load.

`check_checkpoints` reads small files only (``config.json``, tokenizers, the headers of safetensors), so that an
impossible combination is explained in a second instead of after the weights.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from k2eval.config import METHODS_WITH_PATH, SHORT_NAMES, is_scheduled
from k2eval.engines.vllm.suffix import PACKAGE
from k2eval.errors import ConfigError, did_you_mean

_OWN_WORDS = ("speculative_config", "spec_method", "spec_model", "spec_tokens")
"""Engine arguments of vLLM by which it would speculate without k2eval's knowledge."""


def refuse_hidden(arguments: Mapping[str, Any]) -> None:
    """Refuse speculation that is set as an engine argument: the run would not say that its seeds have no effect.

    Raises:
        ConfigError: If such an argument is set.
    """
    for name in _OWN_WORDS:
        if arguments.get(name):
            raise ConfigError(
                "Expected speculation as --speculative FORM, or as a mapping `speculative:` in YAML, got "
                f"engine.{name}. So the run says that seeds have no effect, and counts what is accepted."
            )


def check_checkpoints(model: str, speculative: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
    """Refuse speculation that cannot work with these checkpoints and settings; this check needs no vLLM.

    A hub name whose small files cannot be read is left to vLLM.

    Args:
        model: The target.
        speculative: The ``speculative_config`` of vLLM.
        arguments: The target's engine arguments.

    Raises:
        ConfigError: If something does not fit; names it, and what would fit.
    """
    method, draft = _method_of(speculative), speculative.get("model")
    _check_tokens(speculative, method)
    is_scheduled(speculative)  # refuses a wrong `when`
    parallel = int(arguments.get("tensor_parallel_size") or 1)
    allowed = [parallel] if method == "draft_model" else sorted({1, parallel})
    if speculative.get("draft_tensor_parallel_size") not in (None, *allowed):
        raise ConfigError(
            f"speculative.draft_tensor_parallel_size is {speculative['draft_tensor_parallel_size']}; the target's "
            f"tensor_parallel_size is {parallel}, so vLLM allows {' or '.join(map(str, allowed))} for {method}."
        )
    if method == "suffix":
        _check_suffix()
    target = _Checkpoint(model, arguments.get("revision"))
    head = _Checkpoint(str(draft), speculative.get("revision"))
    if method == "mtp" and not draft:
        _check_mtp(target)
    if method in METHODS_WITH_PATH:
        if not draft:
            raise ConfigError(f"Speculation with {method} needs a checkpoint: give speculative.model.")
        _check_files(str(draft), method)
    if method == "draft_model" and not speculative.get("use_heterogeneous_vocab"):
        tokenizer = _Checkpoint(
            str(arguments.get("tokenizer") or model),
            arguments.get("tokenizer_revision") or arguments.get("revision"),
        )
        _check_vocabulary(tokenizer, target, head, trust=bool(arguments.get("trust_remote_code")))
    if method in ("eagle", "eagle3"):
        _check_head(target, head, method)


class _Checkpoint(NamedTuple):
    """A folder, or a name on the hub with the commit that is asked."""

    name: str
    revision: str | None

    def __str__(self) -> str:
        return self.name


def _method_of(speculative: Mapping[str, Any]) -> str:
    method = speculative.get("method")
    if method is None:
        return "ngram" if speculative.get("model") in ("ngram", "[ngram]") else "draft_model"
    return "mtp" if str(method).endswith("_mtp") else str(method).strip("[]")


def check_words(speculative: Mapping[str, Any], version: str) -> None:
    """Refuse methods and settings that the installed vLLM does not know.

    Raises:
        ConfigError: If vLLM does not know a word; the message names it, and those like it.
    """
    from dataclasses import fields
    from typing import get_args

    from vllm.config import speculative as words

    known = [field.name for field in fields(words.SpeculativeConfig)]
    for key in speculative:
        if key not in known:
            raise ConfigError(
                f"vLLM {version} has no speculative setting {key!r}. {did_you_mean(key, [*SHORT_NAMES, *known])}"
            )

    def flat(literal: Any) -> list[str]:
        return [
            name for part in get_args(literal) for name in ([part] if isinstance(part, str) else flat(part))
        ]

    methods, method = (
        flat(words.SpeculativeMethod),
        str(speculative.get("method") or "draft_model").strip("[]"),
    )
    if method not in methods:
        raise ConfigError(
            f"vLLM {version} cannot speculate with {method!r}. {did_you_mean(method, methods)} "
            "Another version of vLLM may know it."
        )


def _check_tokens(speculative: Mapping[str, Any], method: str) -> None:
    tokens = speculative.get("num_speculative_tokens")
    if tokens is None:
        if method in ("draft_model", "ngram", "ngram_gpu", "mtp"):
            raise ConfigError(
                f"Speculation with {method} needs the number of tokens to draft: speculative.num_speculative_tokens=3."
            )
    elif not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 1:
        raise ConfigError(f"Expected a positive number of speculative tokens, got {tokens!r}.")
    low, high = speculative.get("prompt_lookup_min"), speculative.get("prompt_lookup_max")
    if isinstance(low, int) and isinstance(high, int) and low > high:
        raise ConfigError(f"speculative.prompt_lookup_min is {low}, more than prompt_lookup_max, {high}.")


def _check_suffix() -> None:
    import importlib.util

    if importlib.util.find_spec("arctic_inference") is None:
        raise ConfigError(
            "Speculation with suffix needs the package arctic-inference, which is not installed: "
            f"`pip install {PACKAGE}`. ngram needs nothing and drafts from the prompt and the answer alone."
        )


def _check_mtp(model: _Checkpoint) -> None:
    config = _config(model)
    if config is None:
        return
    sections = [config, *(part for part in config.values() if isinstance(part, dict))]
    heads = [
        value
        for part in sections
        for key, value in part.items()
        if "mtp" in key.lower() or "nextn" in key.lower()
    ]
    if not any(isinstance(value, int) and value > 0 for value in heads):
        raise ConfigError(
            f"{model} has no MTP head: its config.json names no multi-token prediction layers "
            f"(model_type {config.get('model_type')!r}). Use draft=PATH, eagle3=PATH or ngram."
        )


def _check_files(draft: str, method: str) -> None:
    folder = Path(draft)
    kind = "draft" if method == "draft_model" else f"{method} head"
    if not folder.exists():
        if draft.startswith((".", "/", "~")) or draft.count("/") != 1:
            raise ConfigError(
                f"There is no {kind} at {draft}. Give a folder with config.json, or a hub name."
            )
        return
    if not (folder / "config.json").is_file():
        raise ConfigError(f"{draft} is not a {kind}: it has no config.json. Give the folder that holds it.")
    if not any(path.suffix in (".safetensors", ".bin", ".pt") for path in folder.iterdir()):
        raise ConfigError(f"{draft} has a config.json and no weights (*.safetensors or *.bin).")


def _check_vocabulary(tokenizer: _Checkpoint, model: _Checkpoint, draft: _Checkpoint, *, trust: bool) -> None:
    sizes = [_vocabulary_size(_config(name)) for name in (model, draft)]
    vocabularies = [_vocabulary(checkpoint, trust=trust) for checkpoint in (tokenizer, draft)]
    remedy = (
        "A draft must read and write the target's tokens: take a small model of the same family, or use ngram, which "
        "needs no draft. (speculative.use_heterogeneous_vocab=true drafts with the tokens that both share.)"
    )
    target, other = vocabularies
    if target is not None and other is not None and target != other:
        different = sorted(
            (target.get(token, -1), token)
            for token in target.keys() | other.keys()
            if target.get(token) != other.get(token)
        )
        shown = next(((place, token) for place, token in different if place >= 0), different[0])
        raise ConfigError(
            f"The draft {draft} has another tokenizer than {model}: {len(other):,} tokens against {len(target):,}, "
            f"{len(different):,} of them different, such as {shown[1]!r}: {target.get(shown[1], 'absent')} in the "
            f"target, {other.get(shown[1], 'absent')} in the draft. {remedy}"
        )
    if None not in sizes and sizes[0] != sizes[1]:
        raise ConfigError(
            f"vLLM asks for one vocab_size: {model} has {sizes[0]:,}, the draft {draft} {sizes[1]:,}. "
            + (
                "The tokenizers agree, so this is padding: pad the smaller embedding (and lm_head) with zero rows and "
                "set vocab_size in its config.json."
                if target is not None and target == other
                else remedy
            )
        )


def _check_head(model: _Checkpoint, head: _Checkpoint, method: str) -> None:
    target, own = _config(model), _config(head)
    if target is None or own is None:
        return
    names = _tensor_names(Path(head.name))
    if names and not any("fc." in name for name in names):
        raise ConfigError(
            f"{head} is not an {method} head: it has no layer that joins the target's hidden state (fc). "
            f"For a small model that drafts by itself, use draft={head}."
        )
    size = _text(target).get("hidden_size")
    own_size = own.get("target_hidden_size") or _text(own).get("hidden_size")
    if size and own_size and size != own_size:
        raise ConfigError(
            f"The {method} head {head} was made for a target of hidden size {own_size}; {model} has {size}. "
            "A head belongs to the one checkpoint it was trained with."
        )


def _tensor_names(folder: Path) -> list[str]:
    names: list[str] = []
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            if size < 1 << 26:
                names += json.loads(stream.read(size))
    return names


def _text(config: dict[str, Any]) -> dict[str, Any]:
    inner = config.get("text_config")
    return inner if isinstance(inner, dict) else config


def _vocabulary_size(config: dict[str, Any] | None) -> int | None:
    size = _text(config).get("vocab_size") if config else None
    return size if isinstance(size, int) else None


def _config(checkpoint: _Checkpoint) -> dict[str, Any] | None:
    """Read a checkpoint's ``config.json``; return None if that fails."""
    name, revision = checkpoint
    path = Path(name) / "config.json"
    if not Path(name).exists():
        from huggingface_hub import hf_hub_download

        try:
            path = Path(hf_hub_download(name, "config.json", revision=revision, local_files_only=_offline()))
        except Exception:  # a gated, missing or unreachable repository: vLLM will say which
            return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"Cannot read {path}: {error}.") from error
    return content if isinstance(content, dict) else None


def _vocabulary(checkpoint: _Checkpoint, *, trust: bool) -> dict[str, int] | None:
    """Return token -> id; None if there is no tokenizer, as a draft without one uses the target's."""
    from transformers import AutoTokenizer

    name, revision = checkpoint
    if Path(name).exists() and not any(Path(name).glob("tokenizer*")):
        return None
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            name, revision=revision, trust_remote_code=trust, local_files_only=_offline()
        )
    except Exception:  # its many reasons are vLLM's to explain
        return None
    return dict(tokenizer.get_vocab())


def _offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")
