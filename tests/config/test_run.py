"""Configurations: flags, YAML and --set pairs mean the same, and every slip is named."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from k2eval.config.run import RunConfig, load_config
from k2eval.errors import ConfigError

TASKS = ["aime24", "smoke"]
NEEDED = {"model": "m", "tasks": "smoke", "out": Path("runs/x")}


def load(*sets: str, file: Path | None = None, **flags: Any) -> RunConfig:
    return load_config(file=file, flags={**NEEDED, **flags}, sets=sets, task_names=TASKS)


@pytest.fixture
def yaml(tmp_path: Path) -> Any:
    def written(content: str) -> Path:
        path = tmp_path / "run.yaml"
        path.write_text(content)
        return path

    return written


def test_flags_file_and_sets_mean_the_same(yaml: Any) -> None:
    file = yaml(
        "{repeats: 4, seed: 7, sampling: {temperature: 0.6}, engine: {kind: scripted, delay_s: 1.5}, "
        "smoke: {repeats: 2, sampling: {stop: [a, b]}}}"
    )
    from_file = load(file=file)
    sets = (
        "sampling.temperature=0.6", "engine.kind=scripted", "engine.delay_s=1.5",
        "smoke.repeats=2", "smoke.sampling.stop=[a, b]",
    )  # fmt: skip
    assert load(*sets, repeats=4, seed=7) == from_file
    assert from_file.engine.arguments == {"delay_s": 1.5}
    assert from_file.overrides["smoke"].sampling == {"stop": ["a", "b"]}


def test_flags_win_over_the_file_and_sets_over_both(yaml: Any) -> None:
    file = yaml("{repeats: 4, seed: 7, sampling: {temperature: 0.6, top_p: 0.9}}")
    config = load("sampling.top_p=0.8", file=file, repeats=2)
    assert (config.repeats, config.seed, config.sampling) == (2, 7, {"temperature": 0.6, "top_p": 0.8})


def test_flags_that_were_not_given_leave_the_file_alone(yaml: Any) -> None:
    assert load(file=yaml("repeats: 4"), repeats=None).repeats == 4


def test_switches_of_thinking_mean_the_same_as_flags_in_a_file_and_as_sets(yaml: Any) -> None:
    by_flag = load(thinking="on", reasoning_effort="high", thinking_budget=512, system="none")
    file = yaml("{thinking: on, reasoning_effort: high, thinking_budget: 512, system: none}")
    assert load(file=file) == by_flag
    assert by_flag.switches == {"thinking": True, "reasoning_effort": "high", "thinking_budget": 512}


def test_switches_of_one_task_and_of_one_role_are_sets() -> None:
    config = load("smoke.thinking=off", "roles.judge.reasoning_effort=low", "smoke.system=none")
    assert config.overrides_of("smoke").sampling == {"thinking": False}
    assert config.role_sampling("judge") == {"reasoning_effort": "low"}
    assert config.overrides["smoke"].system == "none"


@pytest.mark.parametrize("flags", [{"thinking": "maybe"}, {"reasoning_effort": ""}, {"thinking_budget": -1}])
def test_a_switch_with_a_wrong_value_is_refused(flags: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(flags))):
        load(**flags)


def test_task_names_may_be_separated_by_commas_and_spaces() -> None:
    assert load(tasks="aime24, smoke,").tasks == ("aime24", "smoke")


def test_task_options_need_no_section(yaml: Any) -> None:
    config = load("smoke.from=2024-08", file=yaml("smoke: {options: {until: 2025-02}}"))
    assert config.overrides["smoke"].options == {"until": "2025-02", "from": "2024-08"}


def test_a_value_that_names_a_file_needs_no_quotes() -> None:
    config = load("engine.base_url=@servers.txt", "engine.kind=endpoint")
    assert config.engine.arguments["base_url"] == "@servers.txt"


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("foo", r"--set expects section.key=value, such as .*; got 'foo'"),
        ("repeats=4", r"--set expects section.key=value"),
        (".a=4", r"--set expects section.key=value"),
        ("sampling.=4", r"--set expects section.key=value"),
        ("sampling.stop=[a", r"--set sampling.stop: the value '\[a' is not valid YAML"),
        ("seed.a=4", r"seed: Input should be a valid integer, got {'a': 4}"),
        ("model.a=4", r"--set model.a: model is 'm', not a section"),
        ("samplin.top_p=1", r"Unknown setting 'samplin'. Did you mean sampling\?"),
        ("smoek.repeats=1", r"Unknown setting 'smoek'. Did you mean smoke"),
        ("smoke.repeats=0", r"overrides.smoke.repeats: Input should be greater than or equal to 1, got 0"),
        ("smoke.options=5", r"smoke.options: expected a mapping of settings, got 5"),
        ("smoke.sampling=5", r"overrides.smoke.sampling: Input should be a valid dictionary, got 5"),
        ("engine.arguments=5", r"engine.arguments: expected a mapping of settings, got 5"),
        ("engine.kind=vlm", r"engine.kind: Input should be 'vllm', 'endpoint' or 'scripted', got 'vlm'"),
        ("overrides.smok={}", r"overrides: unknown task 'smok'. Did you mean smoke"),
    ],
)
def test_a_wrong_pair_is_named(pair: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(pair)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("repeats: many", r"repeats: Input should be a valid integer, .* got 'many'"),
        ("repeats: 2.5", r"repeats: Input should be a valid integer"),
        ("limit: 0", r"limit: Input should be greater than or equal to 1, got 0"),
        ("sampling: hot", r"sampling: Input should be a valid dictionary, got 'hot'"),
        ("engine: 5", r"engine: Input should be"),
        ("smoke: 5", r"smoke: expected a mapping such as .*, got 5"),
        ("overrides: 5", r"overrides: expected a mapping of settings, got 5"),
        ("roles: {judge: 5}", r"roles.judge: Input should be a valid dictionary, got 5"),
        ("repaets: 4", r"Unknown setting 'repaets'. Did you mean repeats"),
        ("1: 2", r"Unknown setting 1\. "),
        ("[1, 2]", r"must hold a mapping of settings, got list"),
        ("", r"must hold a mapping of settings, got NoneType"),
        ("tasks: [smoke", r"is not valid YAML: "),
        ("repeats: !!python/object:os.system x", r"is not valid YAML: "),
    ],
)
def test_a_wrong_file_is_explained(yaml: Any, content: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(file=yaml(content))


def test_a_wrong_type_of_tasks_is_explained() -> None:
    with pytest.raises(ConfigError, match=r"tasks: Input should be a valid tuple, got 5"):
        load(tasks=5)


def test_what_every_run_needs_is_asked_for() -> None:
    with pytest.raises(ConfigError, match=r"Expected --model, --tasks, --out, on the command line"):
        load_config(file=None, flags={}, task_names=TASKS)


def test_no_task_at_all_is_missing() -> None:
    with pytest.raises(ConfigError, match=r"Expected --tasks, on"):
        load(tasks=" , ")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Cannot read the configuration .*absent.yaml"):
        load(file=tmp_path / "absent.yaml")


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_pair_is_either_read_or_refused(key: str, value: str) -> None:
    try:
        assert isinstance(load(f"{key}={value}"), RunConfig)
    except ConfigError as error:
        assert str(error)


def test_an_included_folder_may_be_given_alone_or_in_a_list() -> None:
    assert load(include_path="mine").include_path == (Path("mine"),)
    assert load(include_path=["mine", "yours"]).include_path == (Path("mine"), Path("yours"))


def test_tasks_of_included_folders_may_be_overridden() -> None:
    config = load_config(
        file=None,
        flags={**NEEDED, "include_path": ("mine",)},
        sets=["puzzle.repeats=3"],
        task_names=lambda folders: [f"{folder}-task" for folder in folders] + ["puzzle"],
    )
    assert config.overrides["puzzle"].repeats == 3


def test_an_include_path_that_is_no_folder_is_refused() -> None:
    with pytest.raises(ConfigError, match="include_path: expected folders with task files, got 3"):
        load_config(file=None, flags={**NEEDED, "include_path": 3}, task_names=lambda folders: TASKS)


def test_an_empty_directory_in_a_file_is_not_the_current_one(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text('model: m\ntasks: smoke\nout: ""\n')
    with pytest.raises(ConfigError, match="Expected --out"):
        load_config(file=file, flags={})


def test_a_group_stands_for_its_tasks() -> None:
    flags = {"model": "m", "out": "o", "tasks": "a,both,c"}
    config = load_config(file=None, flags=flags, task_groups=lambda folders: {"both": ("b", "d")})
    assert config.tasks == ("a", "b", "d", "c")


def test_a_protocol_gives_the_recipe_unless_one_is_named(yaml: Any) -> None:
    assert load(protocol="k2-think").recipe == "k2"
    assert load(protocol="k2-think", recipe="plain").recipe == "plain"
    assert load(file=yaml("protocol: k2-think\n")).recipe == "k2"
    assert load(protocol="none").recipe == "plain"


def test_a_protocol_may_be_of_one_task() -> None:
    run = load("aime24.protocol=kimi", protocol="matharena", tasks="aime24,aime25")
    assert [run.overrides_of(name).protocol for name in run.tasks] == ["kimi", "matharena"]


def test_an_unknown_protocol_is_named_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="Did you mean matharena"):
        load(protocol="matharna")


@pytest.mark.parametrize("number", ["two", 0, -1, 2.5, True, 5000, [2]])
def test_a_number_of_replicas_that_is_none_is_told_what_may_stand_there(number: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"fleet\.replicas: .*expected a number from 1 to 4,096, auto or all"
    ):
        load_config(
            file=None,
            flags={"model": "m", "tasks": "smoke", "out": Path("x")},
            sets=[f"fleet.replicas={number}"],
        )
