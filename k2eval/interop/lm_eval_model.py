"""k2eval as a model of stock lm-eval: any generative task runs through our recipes, journal and engines.

``lm_eval --model k2eval --model_args pretrained=CHECKPOINT,recipe=plain,out=DIR`` works if k2eval is registered.
lm-eval after 0.4.13 reads k2eval's entry point. Before, use ``python -m k2eval lm-eval …`` or `register`.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import lm_eval.models  # noqa: F401  # fills lm-eval's registry, which it does only as long as that is empty
from lm_eval.api.model import LM
from lm_eval.api.registry import MODEL_REGISTRY, register_model
from lm_eval.models.utils import postprocess_generated_text
from rich.console import Console

from k2eval.config import load_config
from k2eval.engines import open_engines
from k2eval.errors import ConfigError, EngineError
from k2eval.interop.lm_eval import Answer
from k2eval.interop.lm_eval_batch import Batch, Chat, Occurrence, read_batch
from k2eval.journal import RUN, Journal, read_run
from k2eval.reasoning import Parts, setting_of_end
from k2eval.records import Json
from k2eval.run import Runner
from k2eval.system import exit_code, terminal

NAME = "k2eval"


def no_protocol(name: str) -> str:
    """Return why no protocol of others can be asked for through lm-eval."""
    return (
        f"Expected no protocol, since lm-eval itself writes the prompts and the sampling, got {name!r:.50}. Leave it "
        "out, or ask with `k2eval run --protocol`."
    )


class K2EvalModel(LM):  # type: ignore[misc]  # lm-eval has no types
    """The model of ``--model k2eval``.

    Args:
        pretrained: Checkpoint folder, hub name, or a served model's name; for the scripted engine its file.
        out: Run directory; if it already holds this run, the run resumes.
        recipe: Recipe of each response; see ``k2eval recipes``.
        seed: Seed that all requests' seeds derive from.
        engine: ``vllm``, ``endpoint`` or ``scripted``.
        speculative: Speculative decoding in the short form, such as ``ngram``.
        config: YAML file as for ``k2eval run``, for roles and other settings that have no argument here.
        data: Folder with the rows of our benchmarks.
        workers: Grading processes for our tasks.
        max_gen_toks: Longest answer in tokens, if a task sets none.
        reasoning: How the checkpoint marks its reasoning, as ``--reasoning``; of answers to tasks that are not ours
            lm-eval sees what follows the reasoning.
        think_end_token: The same in the way of lm-eval: the mark that ends the reasoning.
        chat_template_args: Extra arguments of the chat template.
        enable_thinking: The chat template's argument of that name.
        batch_size: Ignored, like the next two arguments of lm-eval: the runner keeps the engine full.
        max_batch_size: Ignored.
        device: Ignored.
        protocol: None, since lm-eval itself writes the prompts.
        engine_arguments: Arguments of the engine, such as ``max_model_len=8192``.

    Raises:
        ConfigError: If an argument is missing, unknown or impossible.
    """

    def __init__(
        self,
        pretrained: str | None = None,
        out: str | None = None,
        recipe: str | None = None,
        seed: int | None = None,
        engine: str | None = None,
        speculative: str | Mapping[str, Json] | None = None,
        config: str | None = None,
        data: str | None = None,
        workers: int | None = None,
        max_gen_toks: int = 2048,
        reasoning: str | Mapping[str, str] | None = None,
        think_end_token: str | None = None,
        chat_template_args: Mapping[str, Json] | None = None,
        enable_thinking: bool | None = None,
        batch_size: int | str | None = None,
        max_batch_size: int | None = None,
        device: str | None = None,
        protocol: str | None = None,
        **engine_arguments: Any,
    ) -> None:
        super().__init__()
        if out is None and config is None:
            raise ConfigError(
                "--model k2eval needs a run directory: --model_args pretrained=…,out=runs/NAME."
            )
        if reasoning is None and think_end_token:
            reasoning = setting_of_end(think_end_token)
        arguments = {**engine_arguments, **({"kind": engine} if engine else {})}
        self._config = load_config(
            file=Path(config) if config else None,
            flags={
                "model": pretrained, "out": out, "recipe": recipe, "seed": seed, "data": data,
                "speculative": speculative, "workers": workers, "reasoning": reasoning, "tasks": ("lm-eval",),
            },
            sets=[f"engine.{key}={json.dumps(value)}" for key, value in arguments.items()],
        )  # fmt: skip
        if protocol is not None or self._config.protocol is not None:
            raise ConfigError(no_protocol(protocol or str(self._config.protocol)))
        self._max_tokens = max_gen_toks
        thinking = {} if enable_thinking is None else {"enable_thinking": enable_thinking}
        self._chat_template: dict[str, Json] = {**(chat_template_args or {}), **thinking}
        self._console = terminal(stderr=True)

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """Answer a batch of requests; each repeat of a request has its own seed.

        Raises:
            EngineError: If samples of tasks that are not ours could not be finished on our side.
        """
        occurrences = read_batch(requests, self._max_tokens, self._chat_template)
        if not occurrences:
            return []
        names = tuple(dict.fromkeys(request.question.task for request in occurrences))
        batch = Batch(self._config.model_copy(update={"tasks": names}), occurrences)
        asyncio.run(_answer(batch, self._console))
        lost = [
            request for request in occurrences if not request.own and request.sample_key in batch.failures
        ]
        if lost:
            reason = batch.failures[lost[0].sample_key].detail["reason"]
            raise EngineError(
                f"{len(lost)} of {len(occurrences)} samples could not be finished on our side, such as question "
                f"{lost[0].question.id} of {lost[0].question.task}: {reason} All others are kept in "
                f"{self._config.out}; the same command tries these again."
            )
        return [self._answer_to(request, batch) for request in occurrences]

    def _answer_to(self, request: Occurrence, batch: Batch) -> Answer:
        response = batch.responses.get(request.sample_key)
        if response is None:
            return Answer("", failure=batch.failures[request.sample_key])
        truncated = response.finish_reason == "length"
        if request.own:
            return Answer(
                response.text,
                truncated=truncated,
                reasoning=response.reasoning,
                answer_start=response.answer_start,
            )
        parts = Parts.of(response)
        answer = parts.answer if parts.answer == response.text else parts.answer.lstrip()
        text = postprocess_generated_text(answer, list(request.until), None)
        return Answer(text, truncated=truncated or not parts.complete)

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> NoReturn:
        """Refuse log-likelihood requests.

        Raises:
            ConfigError: If it is called, since k2eval generates text and does not score given continuations.
        """
        names = ", ".join(sorted({str(request.task_name) for request in requests})[:5])
        raise ConfigError(
            f"Expected tasks that generate (output_type: generate_until), got log-likelihood requests of {names}. "
            "Choose a generative variant of the task, or another --model, such as vllm, for these tasks."
        )

    loglikelihood_rolling = loglikelihood

    def apply_chat_template(
        self, chat_history: Sequence[Mapping[str, Any]], add_generation_prompt: bool = True
    ) -> str:
        """Return the messages unchanged: the engine applies the checkpoint's own template."""
        return Chat.of(chat_history)

    def chat_template(self, chat_template: bool | str = False) -> str:
        """Return the text that lm-eval logs as the template."""
        if isinstance(chat_template, str) and chat_template != "default":
            raise ConfigError(
                f"--apply_chat_template {chat_template}: k2eval uses the checkpoint's own template. Leave the name out."
            )
        return "the checkpoint's own, applied by k2eval" if chat_template else ""

    @property
    def tokenizer_name(self) -> str:
        """The name that lm-eval's request cache uses."""
        return f"{NAME}-chat"

    def get_model_info(self) -> dict[str, Json]:
        """Return the facts that lm-eval writes beside the results."""
        info: dict[str, Json] = {
            "run_directory": str(self._config.out),
            "recipe": self._config.recipe,
            "seed": self._config.seed,
        }
        if (self._config.out / RUN).exists():
            run = read_run(self._config.out)
            info |= {"model_name": run.model.name, "model_fingerprint": run.model.fingerprint}
            info |= {"engine": run.model.engine, "reproducible": run.reproducible}
        return info


async def _answer(batch: Batch, console: Console) -> None:
    """Fill the batch's responses and failures.

    Raises:
        SystemExit: If a signal ended the run, such as Ctrl-C with exit code 130.
    """
    runner = Runner(batch.config, open_engines(batch.config), console, batch)
    await batch.replay(runner.engines.fingerprints, runner.engines.reasoning)
    if not batch.own and len(batch.responses) == len(batch):
        return
    summary = await runner.run()
    if summary.interrupted:
        console.print("Stopped. The same command goes on from there.")
        raise SystemExit(exit_code(summary.signal or signal.SIGINT))
    with Journal(batch.config.out) as journal:
        graded = all(not journal.verdicts[key].outcome.is_infrastructure for key in batch.own)
        run = journal.read_run()
        if run is not None:
            journal.write_run(run.model_copy(update={"complete": graded and not batch.failures}))


def register() -> None:
    """Register ``--model k2eval`` with lm-eval in this process."""
    if NAME not in MODEL_REGISTRY:
        register_model(NAME)(K2EvalModel)
