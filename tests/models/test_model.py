"""Our own implementation against transformers', and the sampler against the model."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from models.nano import sampler as sampling  # noqa: E402
from models.nano.distil import match  # noqa: E402
from models.nano.learn import next_token_loss  # noqa: E402
from models.nano.model import Nano, Shape, blend, load_checkpoint, save_checkpoint  # noqa: E402

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SHAPE = Shape(layers=2, heads=2, inner=64, vocabulary=300)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Nano:
    torch.manual_seed(0)
    random = Nano(SHAPE)
    for parameter in random.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    folder = tmp_path_factory.mktemp("checkpoint")
    save_checkpoint(random, folder)
    result = load_checkpoint(folder, SHAPE)
    result.folder = folder
    return result


@pytest.fixture(scope="module")
def stock(model: Nano) -> "PreTrainedModel":
    return transformers.Qwen2ForCausalLM.from_pretrained(str(model.folder), dtype=torch.float32)


def test_scores_are_those_of_transformers(model: Nano, stock: "PreTrainedModel") -> None:
    ids = torch.randint(0, 300, (2, 60))
    with torch.no_grad():
        torch.testing.assert_close(model.logits(model(ids)), stock(ids).logits, rtol=1e-3, atol=1e-3)


def test_greedy_replies_are_those_of_transformers(model: Nano, stock: "PreTrainedModel") -> None:
    prompts = [torch.randint(0, 300, (size,)).tolist() for size in (5, 40, 17)]
    draw = sampling.Sampler(model, end=299, most=12, greedy=True, batch=4, longest=48)
    for prompt, reply in zip(prompts, draw(prompts), strict=True):
        ids = torch.tensor([prompt + reply.tokens])
        with torch.no_grad():
            scores = stock(ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        assert scores.argmax(-1).tolist() == reply.tokens
        assert reply.logprobs == pytest.approx(scores.max(-1).values.tolist(), abs=1e-3)


def test_a_smaller_batch_finishes_what_is_unfinished(model: Nano, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = [torch.randint(0, 300, (5 + i,)).tolist() for i in range(12)]
    alone = sampling.Sampler(model, end=299, most=30, greedy=True, batch=12, longest=48)(prompts)
    common = max(range(300), key=lambda token: sum(token in draw.tokens for draw in alone))
    whole = sampling.Sampler(model, end=common, most=30, greedy=True, batch=12, longest=48)
    monkeypatch.setattr(sampling, "_SMALLEST", 4)
    nested = sampling.Sampler(model, end=common, most=30, greedy=True, batch=12, longest=48)
    assert nested.small is not None
    assert [draw.tokens for draw in nested(prompts)] == [draw.tokens for draw in whole(prompts)]


def test_top_p_never_draws_outside_of_the_nucleus() -> None:
    torch.manual_seed(1)
    scores = torch.tensor([0.5, 0.3, 0.15, 0.05]).log().repeat(4_000, 1)
    drawn, _ = sampling.pick(scores, 0.75, greedy=False)
    shares = torch.bincount(drawn, minlength=4) / 4_000
    torch.testing.assert_close(shares, torch.tensor([0.625, 0.375, 0.0, 0.0]), rtol=0, atol=0.03)


def test_the_gradient_of_the_lookup_is_that_of_an_embedding(model: Nano) -> None:
    from models.nano.model import Lookup

    table = torch.randn(10, 4, requires_grad=True)
    ids = torch.tensor([[1, 1, 3], [9, 1, 0]])
    weight = torch.randn(2, 3, 4)
    (Lookup.apply(table, ids) * weight).sum().backward()
    ours, table.grad = table.grad, None
    (torch.nn.functional.embedding(ids, table) * weight).sum().backward()
    torch.testing.assert_close(ours, table.grad)


def test_saved_checkpoints_are_stock_qwen2(model: Nano) -> None:
    config = transformers.AutoConfig.from_pretrained(str(model.folder))
    assert config.model_type == "qwen2"
    assert config.hidden_size // config.num_attention_heads == 128
    assert sorted(path.name for path in Path(model.folder).iterdir()) == [
        "config.json",
        "generation_config.json",
        "model.safetensors",
    ]


@pytest.mark.parametrize(("share", "expected"), [(0.0, 2.0), (0.5, 3.0), (1.0, 4.0)])
def test_a_blend_lies_between_before_and_after(share: float, expected: float) -> None:
    before, after = Nano(SHAPE), Nano(SHAPE)
    for parameter, start in zip(after.parameters(), before.parameters(), strict=True):
        torch.nn.init.constant_(parameter, 4.0)
        torch.nn.init.constant_(start, 2.0)
    blend(after, before, share)
    assert all((parameter == expected).all() for parameter in after.parameters())


def test_a_draft_that_is_its_teacher_cannot_match_it_better(model: Nano) -> None:
    ids, weight = torch.randint(0, 300, (2, 20)), torch.full((2, 19), 1 / 38)
    draft = Nano(SHAPE)
    draft.load_state_dict(model.state_dict())
    loss = match(model)(draft, ids, weight)
    loss.backward()
    assert max(p.grad.abs().max() for p in draft.parameters() if p.grad is not None) < 1e-4
    other = Nano(SHAPE)
    assert match(model)(other, ids, weight) > loss


def test_only_what_has_weight_is_matched(model: Nano) -> None:
    ids = torch.randint(0, 300, (2, 20))
    draft, nothing = Nano(SHAPE), torch.zeros(2, 19)
    assert match(model)(draft, ids, nothing) == next_token_loss(draft, ids, nothing) == 0
