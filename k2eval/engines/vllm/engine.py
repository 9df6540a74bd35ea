"""vLLM in process, through its asynchronous engine. Works with vLLM 0.25 to 0.33, on CPU and GPU."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import time
import warnings
from collections.abc import Collection, Mapping, Sequence
from multiprocessing import resource_tracker
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from k2eval.engines.checkpoint import checkpoint_fingerprint, is_local
from k2eval.engines.hub import pinned, pinned_draft, with_tokenizer
from k2eval.engines.protocol import EngineInfo
from k2eval.engines.vllm import cpu_repair, speculation
from k2eval.engines.vllm.children import Children
from k2eval.engines.vllm.counters import EngineCounters
from k2eval.engines.vllm.preview import FOLDED, Preview
from k2eval.engines.vllm.requests import Prompts, elapsed, sampling_params, speculative_counts
from k2eval.engines.vllm.setup import (
    defaults,
    executor,
    is_cpu,
    own_temporary_folder,
    reason,
    redirected,
    root_cause,
    vllm_version,
)
from k2eval.engines.vllm.stages import current_stage
from k2eval.engines.vllm.waiting import Waiting, is_ours_to_choose
from k2eval.engines.vllm.watching import INTERVAL, Marks, Written, watched, whole
from k2eval.errors import ConfigError, EngineError, EngineStopped, K2EvalError, PromptTooLong, did_you_mean
from k2eval.reasoning import Detection, StopWatch, find_format
from k2eval.records import Generation, Json, Note, NoteKind, Request
from k2eval.system import load

_NOTICE_EVERY_S = 1.0


class VllmEngine:
    """An engine that answers requests with vLLM, which is imported when the engine is entered.

    Args:
        model: A local checkpoint folder or a hub name.
        arguments: Any of vLLM's engine arguments.
        speculative: The ``speculative_config`` of vLLM, if any.
        log: File for the output of this process and of vLLM's while the engine lives; the terminal if None.
        reasoning: How the checkpoint marks its reasoning; looked for in its files if None.

    Raises:
        ConfigError: If the model cannot be read, or vLLM is not installed.
    """

    def __init__(
        self,
        model: str,
        arguments: Mapping[str, Any] | None = None,
        speculative: Mapping[str, Any] | None = None,
        log: Path | None = None,
        reasoning: Detection | None = None,
    ) -> None:
        self._model = model
        self._arguments = pinned(model, arguments or {})
        self._reasoning = reasoning or find_format(model, "auto", self._arguments)
        self._speculative = pinned_draft(speculative)
        self._log = log
        self._log_start: int | None = None
        self._commit = None if is_local(model) else str(self._arguments["revision"])
        self._fingerprint = with_tokenizer(checkpoint_fingerprint(model, self._commit), self._arguments)
        self._version = vllm_version()
        self._settings: dict[str, Any] = dict(self._arguments)
        self._device = ""
        self.plan = ""
        """The reason for the number of cards, for people; empty if the user has set it."""
        self.counters = EngineCounters()
        self.capacity = 2 * 256
        self._engine: Any = None
        self._tokenizer: Any = None
        self._prompts = Prompts(model, None)
        self._preview = Preview(model, self._arguments)
        self._context = 0
        self._notes: list[Note] = []
        self._marks = Marks()
        self._abandoned = False
        self._waiting: Waiting | None = None
        self._others_at_start = 0.0
        self._stack = contextlib.AsyncExitStack()
        self._children: Children

    async def __aenter__(self) -> Self:
        """Start vLLM, in a thread, so that Ctrl-C is heard meanwhile.

        Raises:
            ConfigError: If an argument is unknown, or speculation cannot work with these settings.
            EngineError: If vLLM cannot start.
        """
        async with contextlib.AsyncExitStack() as stack:
            self._log_start = log_start = self._log.stat().st_size if self._log and self._log.exists() else 0
            stack.enter_context(redirected(self._log))
            stack.enter_context(own_temporary_folder())
            self._children = children = Children()
            stack.callback(children.close)
            starting = asyncio.ensure_future(asyncio.to_thread(self._start))
            try:
                while not starting.done():
                    await asyncio.wait([starting], timeout=_NOTICE_EVERY_S)
                    children.note()
                starting.result()
                self._tokenizer = await _maybe_await(self._engine.get_tokenizer())
                if not getattr(self._tokenizer, "chat_template", None) and self._preview.files.template:
                    # A model that sees pictures has its template beside the processor's settings.
                    self._tokenizer.chat_template = self._preview.files.template.source
                if self._settings.get("worker_extension_cls") == cpu_repair.EXTENSION:
                    repaired = any(await self._engine.collective_rpc("repair"))
                    self._notes += [cpu_repair.NOTE] if repaired and self._speculative else []
                if self._waiting:
                    await self._waiting.look(self._others_at_start)
            except asyncio.CancelledError:
                await self._give_up(starting, children)
                raise
            except K2EvalError:
                raise
            except Exception as error:  # anything from a bad argument to a GPU out of memory
                raise EngineError(self._cannot_start(error, log_start)) from error
            if self._waiting:
                watch = asyncio.create_task(self._waiting.watch())
                stack.callback(watch.cancel)
            self._log_start = None
            self._stack = stack.pop_all()
        config = self._engine.vllm_config
        if self._reasoning.form.name == "auto":  # a checkpoint of the hub has been downloaded by now
            self._reasoning = find_format(self._model, "auto", self._arguments)
        self._prompts = Prompts(self._model, self._tokenizer, self._reasoning.form)
        self._marks = Marks.of(self._tokenizer, config.model_config, self._reasoning.form)
        self._context = int(config.model_config.max_model_len)
        self.capacity = (
            2 * int(config.scheduler_config.max_num_seqs) * int(config.parallel_config.data_parallel_size)
        )
        if not getattr(self._tokenizer, "chat_template", None):
            text = "the checkpoint has no chat template: prompts are plain text"
            self._notes.append(Note(kind=NoteKind.ENGINE, text=text))
        return self

    def _start(self) -> None:
        if self._speculative:  # importing vLLM takes longer than this check
            speculation.check_checkpoints(self._model, self._speculative, self._arguments)
        # Into a log of its own vLLM may write what it does, which is then shown; a terminal is for k2eval's words.
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "INFO" if self._log else "ERROR")
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        # This process has threads, open journals and locks by now; forked, vLLM's processes would take them along.
        os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
        # vLLM's processes inherit the mask of the thread that starts them: a Ctrl-C on the terminal then reaches
        # this process alone, which ends them in order. Starting Python's tracker would lift the mask.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        before = load.sample()
        from vllm import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        on_cpu = is_cpu()
        self._device = "cpu" if on_cpu else "gpu"
        self._settings = defaults(self._model, on_cpu) | self._arguments
        self._check_arguments()
        if self._speculative:
            speculation.check_words(self._speculative, self._version)
        self._settings |= self._preview.reasoning(self._version, self._reasoning.form)
        if on_cpu:
            self._settings.setdefault("worker_extension_cls", cpu_repair.EXTENSION)
        chosen = executor(self._settings, on_cpu)
        if chosen and self._settings["worker_extension_cls"] == cpu_repair.EXTENSION and is_ours_to_choose():
            self._waiting = Waiting(self._wait_asleep)
        self._others_at_start = load.others_since(before)
        settings = self._settings | chosen
        if self._speculative:
            settings["speculative_config"] = self._speculative
        if self._abandoned:
            raise EngineError("The start was given up.")
        args = AsyncEngineArgs(model=self._model, **settings)
        # Keep the engine on self, do not return it. A reference in the future or its frame would survive until
        # interpreter shutdown, where vLLM's teardown prints errors.
        self._engine = AsyncLLM.from_engine_args(args, stat_loggers=[self.counters.logger])

    async def _wait_asleep(self, asleep: bool) -> bool:
        return all(await self._engine.collective_rpc("wait_asleep", args=(asleep,)))

    async def _give_up(self, starting: asyncio.Future[None], children: Children) -> None:
        """End a start that nobody waits for any more; importing vLLM cannot be cut short."""
        self._abandoned = True
        while not starting.done():
            children.note()
            children.kill()
            await asyncio.wait([starting], timeout=0.2)
        starting.exception()  # looked at, so that nobody complains about it
        self._stop()

    def _cannot_start(self, error: Exception, log_start: int) -> str:
        why = reason(error)
        if self._log and "root cause" in why:
            why = root_cause(self._log, log_start) or why
        words = (
            f"vLLM's own words are in {self._log}." if self._log else "VLLM_LOGGING_LEVEL=INFO shows more."
        )
        settings = self._settings | ({"speculative_config": self._speculative} if self._speculative else {})
        return (
            f"vLLM {self._version} could not start with {self._model}: {why}\n"
            f"Settings: {json.dumps(settings, default=str)}\n{words} Correct the checkpoint, or change a setting with "
            "--set engine.NAME=VALUE."
        )

    def _check_arguments(self) -> None:
        from dataclasses import fields

        from vllm import AsyncEngineArgs

        known = [field.name for field in fields(AsyncEngineArgs)]
        for key in self._arguments:
            if key not in known:
                raise ConfigError(
                    f"vLLM {self._version} has no engine argument {key!r}. {did_you_mean(key, known)}"
                )
        # Newer versions of vLLM count speculation per request, older versions only per engine.
        if self._speculative and "per_request_spec_decode_metrics" in known:
            self._settings.setdefault("per_request_spec_decode_metrics", "summary")
        if "stream_interval" in known and self._reasoning.form.name != "none":
            self._settings.setdefault("stream_interval", INTERVAL)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with self._stack:
            if self._log:  # which takes their complaints; their own way to an end takes seconds
                self._children.note()
                self._children.kill()
            self._stop()
            await asyncio.sleep(0)  # lets its tasks see that they are cancelled
            with warnings.catch_warnings():  # about sockets that vLLM leaves open
                warnings.simplefilter("ignore")
                gc.collect()  # else vLLM's engine is torn down, with complaints, when Python ends

    def _stop(self) -> None:
        if self._engine is not None:
            self._engine.shutdown()
            self._engine = None

    @property
    def info(self) -> EngineInfo:
        """Identity and settings; device, defaults and context are known once the engine has started."""
        return EngineInfo(
            name=self._model,
            fingerprint=self._fingerprint,
            commit=self._commit,
            engine=f"vllm {self._version}" + (f" ({self._device})" if self._device else ""),
            # Speculation draws from other random streams than plain decoding (vllm-project/vllm#6038).
            honours_seeds=self._speculative is None,
            context=self._context or None,
            reasoning=self._reasoning.form,
            reasoning_from=self._reasoning.place,
            # A copy: while vLLM starts, another thread may add settings.
            settings={key: _plain(value) for key, value in dict(self._settings).items()}
            | ({"speculative_config": self._speculative} if self._speculative else {}),
            notes=(*self._notes, *self._notes_on_prompts(), *self._notes_on_waiting()),
            speculation=self.counters.speculation,
            stage=current_stage(self._log, self._log_start)
            if self._log and self._log_start is not None
            else "",
            log=self._log,
            plan=self.plan,
        )

    def _notes_on_prompts(self) -> list[Note]:
        notes = self._preview.notes
        return [*notes, *([FOLDED] if self._prompts.folds and FOLDED not in notes else [])]

    def _notes_on_waiting(self) -> list[Note]:
        text = self._waiting.note if self._waiting else None
        return [Note(kind=NoteKind.ENGINE, text=text)] if text else []

    @property
    def keeps_budgets(self) -> bool:
        """Whether vLLM itself must end thinking; known once all prompts have been shown."""
        return self._preview.keeps_budgets

    @keeps_budgets.setter
    def keeps_budgets(self, value: bool) -> None:
        self._preview.keeps_budgets = value

    @property
    def progress(self) -> int:
        """Number of scheduler steps; see `k2eval.engines.protocol.Supervised`."""
        return self.counters.count

    @property
    def is_dead(self) -> bool:
        """Whether vLLM has died."""
        return self._engine is None or bool(getattr(self._engine, "errored", False))

    @property
    def llm(self) -> Any:
        """The ``AsyncLLM`` itself, once the engine has been entered; for measurements."""
        return self._engine

    @property
    def tokenizer(self) -> Any:
        """The checkpoint's tokenizer, once the engine has been entered."""
        return self._tokenizer

    def preview(self, request: Request, switches: Collection[str] = ()) -> str | None:
        """Show the prompt of a request before vLLM starts; see `k2eval.engines.protocol.Previews`."""
        return self._preview.show(request, switches)

    def prompt_ids(self, request: Request) -> list[int]:
        """Return the tokens of a request's prompt."""
        return list(self._prompts.of(request)[0])

    async def generate(self, request: Request) -> Generation:
        """Answer one request; see `k2eval.engines.protocol.Engine`."""
        ids, prefill = self._prompts.of(request)
        if len(ids) >= self._context:
            raise PromptTooLong(
                f"Question {request.question_id!r} ({request.task}, {request.stage}): the prompt has {len(ids)} "
                f"tokens, the context {self._context}. Raise it with --set engine.max_model_len=N, if the model can."
            )
        room = self._context - len(ids)
        started = time.perf_counter()
        watch = None
        if request.sampling.stop and self._reasoning.form.name != "none":
            watch = StopWatch(self._reasoning.form, request.sampling.stop, prefill)
        budget = self._prompts.budget(request.sampling)
        parameters = sampling_params(request, room, self._marks.skipped, budget, watched=watch is not None)
        written = await self._await_answer(request, ids, parameters, watch)
        duration = time.perf_counter() - started
        metrics = written.last.metrics
        return Generation.answering(
            request,
            text=self._marks.without_end(written),
            finish_reason="length" if written.finish_reason == "length" else "stop",
            prefill=prefill,
            prompt_tokens=len(ids),
            cached_tokens=written.last.num_cached_tokens or 0,
            output_tokens=len(written.token_ids),
            queue_s=elapsed(metrics, "queued_ts", "scheduled_ts"),
            ttft_s=round(metrics.first_token_latency, 6) if metrics and metrics.first_token_latency else None,
            duration_s=round(duration, 6),
            model=self._model,
            speculative=speculative_counts(getattr(written.last.outputs[0], "spec_decode_metrics", None)),
        )

    async def _await_answer(
        self, request: Request, ids: tuple[int, ...], params: Any, watch: StopWatch | None
    ) -> Written:
        from vllm import TokensPrompt

        request_id = f"{request.key}-{os.urandom(4).hex()}"
        outputs = self._engine.generate(TokensPrompt(prompt_token_ids=list(ids)), params, request_id)
        try:
            written = await (watched(outputs, watch, self._decode) if watch else whole(outputs))
        except asyncio.CancelledError:
            raise
        except Exception as error:  # vLLM's own exceptions differ between versions
            if getattr(self._engine, "errored", False):
                raise EngineStopped(
                    f"vLLM stopped while answering: {reason(error).rstrip('.')}. "
                    + (f"vLLM's own words are in {self._log}. " if self._log else "")
                    + "What is finished is kept; run the same command again to go on."
                ) from error
            raise EngineError(
                f"vLLM failed on question {request.question_id!r}: {type(error).__name__}: {error}"
            ) from error
        if written.finish_reason not in ("stop", "length"):
            ending = written.finish_reason or "nothing"
            raise EngineError(
                f"vLLM ended question {request.question_id!r} with {ending!r} instead of stop or length."
            )
        return written

    def _decode(self, token_ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(token_ids), skip_special_tokens=self._marks.skipped))


async def _maybe_await(value: Any) -> Any:
    return await value if hasattr(value, "__await__") else value


def _plain(value: Any) -> Json:
    return value if isinstance(value, (str, int, float, bool, type(None), list, dict)) else str(value)
