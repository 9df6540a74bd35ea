"""vLLM in process, through its asynchronous engine. Works with vLLM 0.25 to 0.33, on CPU and GPU."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from k2eval.engines.architecture import Architecture, difference, read_architecture
from k2eval.engines.checkpoint import checkpoint_fingerprint, is_local
from k2eval.engines.hub import pinned, pinned_draft, with_tokenizer
from k2eval.engines.protocol import Demand, Engine, EngineInfo
from k2eval.engines.vllm import cpu_repair, schedule, speculation, starting, suffix, swapping
from k2eval.engines.vllm.counters import EngineCounters
from k2eval.engines.vllm.device import facts_of_start
from k2eval.engines.vllm.preview import FOLDED, NO_TEMPLATE, Preview
from k2eval.engines.vllm.requests import (
    Prompts,
    generate_arguments,
    generation_of,
    plain,
    sampling_params,
)
from k2eval.engines.vllm.room import room_for
from k2eval.engines.vllm.running import RunningVllm, cache_salt
from k2eval.engines.vllm.setup import (
    cannot_start,
    check_kernels,
    defaults,
    executor,
    further_arguments,
    is_cpu,
    stopped_answering,
    vllm_version,
    with_some_ahead,
)
from k2eval.engines.vllm.stages import current_stage
from k2eval.engines.vllm.texts import Read, TextStream, given, is_fast
from k2eval.engines.vllm.waiting import variables_of_threads
from k2eval.engines.vllm.watching import Marks, Written, watched, whole
from k2eval.errors import EngineError, EngineStopped, K2EvalError, PromptTooLong
from k2eval.reasoning import Detection, StopWatch, find_format
from k2eval.records import Generation, Note, Request, SpeculativeCounts
from k2eval.statistics import subtract_counts


class VllmEngine:
    """An engine that answers requests with vLLM, which is imported when the engine is entered.

    Args:
        model: A local checkpoint folder or a hub name.
        arguments: Any of vLLM's engine arguments.
        speculative: vLLM's ``speculative_config``, if any.
        log: File for what this process and vLLM print while the engine lives; the terminal if None.
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
        speculation.refuse_hidden(self._arguments)
        self._speculative = self._asked_for = pinned_draft(speculative)
        self._vllm = RunningVllm(log)
        self._architecture: Architecture | str = ""
        self._draft = ""
        self._commit = None if is_local(model) else str(self._arguments["revision"])
        self._fingerprint = self._own_fingerprint()
        self._swapped_from: str | None = None
        self._version = vllm_version()
        self._settings: dict[str, Any] = dict(self._arguments)
        self._device = ""
        self.cards: tuple[str, ...] = ()
        """Cards to start on, as ``CUDA_VISIBLE_DEVICES`` names them; if empty, all."""
        self.plan = ""
        """The reason for the number of cards, for people; empty if the user has set it."""
        self.capacity = with_some_ahead(256)
        self._spoken_before: SpeculativeCounts | None = None
        self._prompts = Prompts(model, None)
        self._preview = Preview(model, self._arguments)
        self._decodes = False
        self._context = 0
        self._notes: list[Note] = []
        self._marks = Marks()
        self._demand: Demand | None = None

    def anticipate(self, demand: Demand) -> None:
        """Take notice of all that will be asked; see `k2eval.engines.protocol.Anticipates`."""
        self._demand = demand

    async def __aenter__(self) -> Self:
        """Start vLLM; see `RunningVllm.start`.

        Raises:
            ConfigError: If an argument is unknown, or speculation cannot work with these settings.
            EngineError: If vLLM cannot start.
        """
        try:
            self.describe()
            await self._vllm.start(self._prepare, self.cards)
        except (asyncio.CancelledError, K2EvalError):
            raise
        except Exception as error:  # anything from a bad argument to a GPU out of memory
            settings = self._settings | (
                {"speculative_config": self._speculative} if self._speculative else {}
            )
            vllm = self._vllm
            text = cannot_start(self._model, self._version, error, settings, vllm.log, vllm.log_start or 0)
            raise EngineError(text) from error
        try:
            self._meet()
        except BaseException:
            await self._vllm.close()
            raise
        return self

    def _meet(self) -> None:
        if self._own_fingerprint() != self._fingerprint:
            raise EngineError(f"{self._model} was changed while vLLM read it. Run the same command again.")
        self._notes += [cpu_repair.NOTE] if self._vllm.repaired and self._speculative else []
        if self._reasoning.form.name == "auto":  # a checkpoint of the hub has been downloaded by now
            self._reasoning = find_format(self._model, "auto", self._arguments)
        config = self._vllm.llm.vllm_config
        self._notes += schedule.notes_on(config, self._device == "cpu")
        self._marks = Marks.of(self.tokenizer, config.model_config, self._reasoning.form)
        self._context = int(config.model_config.max_model_len)
        places = int(config.scheduler_config.max_num_seqs) * int(config.parallel_config.data_parallel_size)
        self.capacity = with_some_ahead(places)
        self._meet_tokenizer()

    def _meet_tokenizer(self) -> None:
        if not getattr(self.tokenizer, "chat_template", None) and self._preview.files.template:
            # A model that sees pictures has its template beside the processor's settings.
            self.tokenizer.chat_template = self._preview.files.template.source
        self._prompts = Prompts(self._model, self.tokenizer, self._reasoning.form)
        self._decodes = is_fast(self.tokenizer)
        if not getattr(self.tokenizer, "chat_template", None):
            self._notes.append(NO_TEMPLATE)

    def _prepare(self) -> dict[str, Any]:
        if self._speculative:  # importing vLLM takes longer than this check
            speculation.check_checkpoints(self._model, self._speculative, self._arguments)
        self._settle()
        if self._speculative:
            speculation.check_words(self._speculative, self._version)
        chosen = executor(self._settings, is_cpu())
        if chosen and self._settings["worker_extension_cls"] == cpu_repair.EXTENSION:
            self._vllm.choose_waiting(variables_of_threads())
        settings = {"model": self._model, **self._settings, **chosen}
        # A copy, since vLLM writes objects of its own into what it is given.
        return settings | (
            {"speculative_config": copy.deepcopy(self._speculative)} if self._speculative else {}
        )

    def _settle(self) -> None:
        """Complete the settings by those that depend on vLLM and on this machine."""
        on_cpu = is_cpu()
        self._device = "cpu" if on_cpu else "gpu"
        self._settings = defaults(self._model, on_cpu) | self._arguments
        room = room_for(self._demand, self._model, self._settings) if self._demand and not on_cpu else None
        self._speculative, notes = schedule.resolved(
            self._fingerprint, self._speculative, self._settings, self._version, on_cpu, self._demand, room
        )
        self._notes += [note for note in notes if note not in self._notes]
        self._settings |= schedule.steps_ahead(self._speculative, self._settings, on_cpu)
        speculates, thinks = self._speculative is not None, self._reasoning.form.name != "none"
        self._settings = (
            further_arguments(self._arguments, self._version, speculates, thinks) | self._settings
        )
        if on_cpu:
            check_kernels(self._model)
        if self._demand and not on_cpu:
            fitted, note = starting.fitted(
                self._demand, self._fingerprint, self._settings, self._speculative, self._version
            )
            self._settings |= fitted
            self._notes += [note] if note else []
        self._settings |= self._preview.reasoning(self._version, self._reasoning.form)
        if on_cpu or suffix.drafts(self._speculative):
            self._settings.setdefault("worker_extension_cls", cpu_repair.EXTENSION)

    def describe(self) -> None:
        """Read what the checkpoint is but for its weights; see `k2eval.engines.protocol.Described`."""
        self._architecture = read_architecture(self._model, self._arguments)
        self._draft = swapping.draft_fingerprint(self._asked_for)

    def unlike(self, running: Engine) -> str | None:
        """Return in what this checkpoint differs from a running one; see `k2eval.engines.protocol.Described`."""
        if not isinstance(running, VllmEngine):
            return "the engine before was another one"
        self.describe()
        if self._draft != running._draft:
            return "the draft was changed"
        if self._fingerprint == running._fingerprint:
            return None
        return difference(running._architecture, self._architecture) or swapping.obstacle_of_settings(
            running._settings, running._speculative, running._device == "cpu"
        )

    def obstacle(self, running: Engine) -> str | None:
        """Return why this engine cannot take over a running one; see `k2eval.engines.protocol.Succeeds`."""
        if not isinstance(running, VllmEngine):
            return "the engine before was another one"
        if running.is_dead:
            return "vLLM has ended"
        if reason := self.unlike(running):
            return reason
        self._settle()
        return swapping.differing_settings(
            running._settings | {"speculation": running._speculative, "reasoning": running._reasoning.form},
            self._settings | {"speculation": self._speculative, "reasoning": self._reasoning.form},
        )

    async def take_over(self, running: Engine) -> None:
        """Answer through the vLLM of another engine; see `k2eval.engines.protocol.Succeeds`."""
        assert isinstance(running, VllmEngine)
        vllm = running._vllm
        if self._fingerprint != running._fingerprint:
            await swapping.swap_weights(vllm, self._model, self._fingerprint, self._device == "cpu")
            if self._own_fingerprint() != self._fingerprint:
                raise EngineError(f"{self._model} was changed while vLLM read it")
            self._swapped_from = running._model
        self._vllm, running._vllm = vllm, RunningVllm(None)
        self._spoken_before = vllm.counters.speculation
        self._marks, self._context, self.capacity = running._marks, running._context, running.capacity
        self._notes += [note for note in running._notes if note == cpu_repair.NOTE]
        vllm.forget_load()
        self._meet_tokenizer()

    def _own_fingerprint(self) -> str:
        return with_tokenizer(checkpoint_fingerprint(self._model, self._commit), self._arguments)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._vllm.close()

    @property
    def info(self) -> EngineInfo:
        """Identity and settings; device, defaults and context are known once the engine has started."""
        log = self._vllm.log
        return EngineInfo(
            name=self._model,
            fingerprint=self._fingerprint,
            commit=self._commit,
            engine=f"vllm {self._version}" + (f" ({self._device})" if self._device else ""),
            # Speculation draws from other random streams than plain decoding (vllm-project/vllm#6038).
            honours_seeds=self._speculative is None,
            **facts_of_start(self._model, self._fingerprint, dict(self._settings), self._device),
            context=self._context or None,
            reasoning=self._reasoning.form,
            reasoning_from=self._reasoning.place,
            # A copy: while vLLM starts, another thread may add settings.
            settings={key: plain(value) for key, value in dict(self._settings).items()}
            | ({"speculative_config": self._speculative} if self._speculative else {}),
            notes=(*self._notes, *self._notes_on_prompts(), *self._vllm.notes),
            speculation=self._speculation,
            stage=current_stage(log, self._vllm.log_start)
            if log and self._vllm.log_start is not None
            else "",
            log=log,
            plan=self.plan,
            swapped_from=self._swapped_from,
        )

    @property
    def _speculation(self) -> SpeculativeCounts | None:
        """The counts since this engine answers."""
        total, before = self.counters.speculation, self._spoken_before
        return subtract_counts(total, before) if total and before else total

    @property
    def counters(self) -> EngineCounters:
        """The counts of vLLM since it started."""
        return self._vllm.counters

    @property
    def start_s(self) -> float:
        """Duration of vLLM's start in seconds."""
        return self._vllm.start_s

    def begin_run(self) -> None:
        """Forget what was noted of the runs before; see `k2eval.engines.protocol.Outlives`."""
        self._vllm.forget_load()

    async def leave_time(self, wanted: bool) -> None:
        """Leave time to the graders; see `k2eval.engines.protocol.SharesProcessors`."""
        if self._vllm.waiting and not self.is_dead:
            await self._vllm.waiting.leave_time(wanted)

    @property
    def moments(self) -> Mapping[str, float]:
        """Moments of vLLM's start; see `RunningVllm`."""
        return self._vllm.moments

    def _notes_on_prompts(self) -> list[Note]:
        return [*self._preview.notes, *([FOLDED] if self._prompts.folds and not self._preview.folds else [])]

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
        return self.llm is None or bool(getattr(self.llm, "errored", False))

    @property
    def llm(self) -> Any:
        """The ``AsyncLLM`` itself, once the engine has been entered; for measurements."""
        return self._vllm.llm

    @property
    def tokenizer(self) -> Any:
        """The checkpoint's tokenizer, once the engine has been entered."""
        return self._vllm.tokenizer

    def preview(self, request: Request, switches: Collection[str] = ()) -> str | None:
        """Show the prompt of a request before vLLM starts; see `k2eval.engines.protocol.Previews`."""
        return self._preview.show(request, switches)

    def prompt_ids(self, request: Request) -> list[int]:
        """Return the tokens of a request's prompt."""
        return list(self._prompts.of(request)[0])

    async def generate(self, request: Request) -> Generation:
        """Answer one request; see `k2eval.engines.protocol.Engine`."""
        ids, prefill = self._prompts.of(request)
        room = self._context - len(ids)
        if room <= 0:
            raise PromptTooLong(
                f"Question {request.question_id!r} ({request.task}, {request.stage}): the prompt has {len(ids)} "
                f"tokens, the context {self._context}. Raise it with --set engine.max_model_len=N, if the model can."
            )
        started = time.perf_counter()
        form, stop = self._reasoning.form, request.sampling.stop
        watch = StopWatch(form, stop, prefill) if stop and form.name != "none" else None
        budget = self._prompts.budget(request.sampling)
        skipped, watches, fast = self._marks.skipped, watch is not None, self._decodes
        parameters = sampling_params(request, room, skipped, budget, watched=watches, decoded=not fast)
        ours = None if parameters.detokenize else TextStream(self.tokenizer._tokenizer, skipped, ids)
        read = ours.read if ours else given
        written = await self._await_answer(request, ids, parameters, watch, read)
        text, duration_s = self._marks.without_end(written), time.perf_counter() - started
        return generation_of(request, written, text, (ids, prefill), self._model, duration_s)

    async def _await_answer(
        self, request: Request, ids: tuple[int, ...], params: Any, watch: StopWatch | None, read: Read
    ) -> Written:
        salt = cache_salt.get() or self._vllm.salt
        outputs = self.llm.generate(**generate_arguments(request, ids, params, salt, self._settings))
        answer = watched(outputs, watch, self._decode, read) if watch else whole(outputs, self._decode, read)
        try:
            written = await answer
        except Exception as error:  # vLLM's own exceptions differ between versions
            if getattr(self.llm, "errored", False):
                text = stopped_answering(error, self._vllm.log, self._vllm.log_start or 0)
                raise EngineStopped(text) from error
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
        return str(self.tokenizer.decode(list(token_ids), skip_special_tokens=self._marks.skipped))
