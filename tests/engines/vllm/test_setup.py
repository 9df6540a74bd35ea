"""Settings that k2eval makes where the user makes none."""

import os
from pathlib import Path

import pytest

from k2eval.engines.vllm import setup
from k2eval.engines.vllm.setup import defaults, executor, keep_variables
from k2eval.system import cores


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VLLM_CPU_KVCACHE_SPACE", "VLLM_CPU_NUM_OF_RESERVED_CPU"):
        monkeypatch.setenv(name, "1")


@pytest.mark.parametrize(("native", "expected"), [(True, None), (False, "float32")])
def test_small_checkpoints_compute_in_float32_where_bfloat16_is_slow(
    native: bool, expected: str | None, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "has_bfloat16", lambda: native)
    assert defaults(str(checkpoint), on_cpu=True).get("dtype") == expected


def test_large_checkpoints_keep_their_type(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "has_bfloat16", lambda: False)
    monkeypatch.setattr(setup, "weight_bytes", lambda model: 2 << 30)
    assert "dtype" not in defaults(str(checkpoint), on_cpu=True)


def test_a_gpu_gets_none_of_what_the_cpu_needs(checkpoint: Path) -> None:
    assert set(defaults(str(checkpoint), on_cpu=False)) == {
        "generation_config", "enable_prefix_caching", "disable_log_stats", "scheduling_policy",
    }  # fmt: skip


def test_variables_are_kept_only_as_long_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from vllm import envs

    seen = []
    for value, kept in (("9", True), ("8", False)):
        keep_variables(kept)
        monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", value)
        keep_variables(kept)
        seen.append(envs.VLLM_CPU_KVCACHE_SPACE)
    assert seen == [1, 8]


@pytest.fixture
def few_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "count", lambda: 2)


@pytest.mark.usefixtures("few_cores")
@pytest.mark.filterwarnings("ignore")  # vLLM's import is loud
def test_on_few_cores_the_worker_shares_the_engines_process() -> None:
    assert executor({}, on_cpu=True)["distributed_executor_backend"].__name__ == "UniProcExecutor"


@pytest.mark.usefixtures("few_cores")
@pytest.mark.parametrize(
    "settings",
    [{"distributed_executor_backend": "mp"}, {"tensor_parallel_size": 2}, {"pipeline_parallel_size": 2}],
)
def test_another_choice_of_executor_stands(settings: dict[str, object]) -> None:
    assert executor(settings, on_cpu=True) == {}


@pytest.mark.usefixtures("few_cores")
def test_a_gpu_keeps_vllms_executor() -> None:
    assert executor({}, on_cpu=False) == {}


def test_many_cores_keep_vllms_executor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "count", lambda: 8)
    assert executor({}, on_cpu=True) == {}


def test_what_vllm_leaves_in_its_temporary_folder_vanishes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VLLM_RPC_BASE_PATH", raising=False)
    before = os.environ.get("TMPDIR")
    with setup.own_temporary_folder() as starting, starting:
        folder = Path(os.environ["VLLM_RPC_BASE_PATH"])
        (folder / "socket").touch()
        assert os.environ["TMPDIR"] == str(folder)
    assert not folder.exists()
    assert "VLLM_RPC_BASE_PATH" not in os.environ
    assert os.environ.get("TMPDIR") == before


def test_code_that_was_compiled_is_kept_for_later_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    with setup.own_temporary_folder() as starting, starting:
        cache = Path(os.environ["TORCHINDUCTOR_CACHE_DIR"])
        assert cache.parent == Path(os.environ["TMPDIR"]).parent
    assert "TORCHINDUCTOR_CACHE_DIR" not in os.environ


@pytest.mark.parametrize("named", [None, "elsewhere"])
def test_kernels_are_kept_where_the_next_start_looks(
    named: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRITON_HOME", str(tmp_path))
    monkeypatch.delenv("TRITON_CACHE_DIR", raising=False)
    if named:
        monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / named))
    with setup.own_temporary_folder() as starting, starting:
        assert os.environ["TRITON_CACHE_DIR"] == str(tmp_path / (named or ".triton/cache"))
    assert setup.cache_folders()["Triton's kernels"] == tmp_path / (named or ".triton/cache")


def test_a_folder_for_sockets_that_the_user_names_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_RPC_BASE_PATH", str(tmp_path))
    with setup.own_temporary_folder() as starting, starting:
        assert os.environ["VLLM_RPC_BASE_PATH"] == str(tmp_path)
    assert tmp_path.exists()


def test_a_passing_log_stays_only_where_something_failed() -> None:
    with setup.kept_on_failure(None) as log:
        assert log.exists()
    assert not log.exists()
    with pytest.raises(ValueError, match="broken"), setup.kept_on_failure(None) as log:
        raise ValueError("broken")
    assert log.exists()
    log.unlink()


def test_an_engine_that_died_is_explained_by_the_last_error_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_text("(EngineCore) ValueError: of an earlier start\n(EngineCore) OSError: the disk is full\n")
    error = RuntimeError("EngineCore encountered an issue. See stack trace (above) for the root cause.")
    text = setup.stopped_answering(error, log, log.read_text().index("\n"))
    assert text.startswith("vLLM stopped while answering: OSError: the disk is full. vLLM's own words are in")
    assert text.endswith("run the same command again to go on.")


def test_an_engine_that_died_without_a_log_is_explained_by_its_error() -> None:
    text = setup.stopped_answering(RuntimeError("gone."), None, 0)
    assert text.startswith("vLLM stopped while answering: RuntimeError: gone. What is finished is kept")
