"""The toy checkpoints that stand for families of real ones."""

import json
from pathlib import Path

import pytest

from tests.models.families import FAMILIES, write


@pytest.mark.parametrize("name", FAMILIES)
def test_each_piece_of_a_script_is_one_token_that_decodes_to_itself(name: str, tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    pieces = ["Let me see. ", "</answer>", "ends", " it"]
    write(name, tmp_path, pieces, weights=False)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    sizes = json.loads((tmp_path / "config.json").read_text("utf-8"))
    symbols = {
        number: tokenizer.decode([number], skip_special_tokens=False) for number in range(sizes["vocab_size"])
    }
    assert set(pieces) <= set(symbols.values())
    assert tokenizer.decode(tokenizer.encode("é 2 + 2").ids) == "é 2 + 2"


def test_a_piece_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="occurs twice"):
        write("base", tmp_path, ["a", "b", "a"], weights=False)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FAMILIES)
def test_a_toy_checkpoint_says_its_script_and_ends(name: str, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    write(name, tmp_path, ["Let me see. ", "It is ", "4"])
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    prompt = tokenizer("Hi?", add_special_tokens=False, return_tensors="pt")
    answer = model.generate(**prompt, max_new_tokens=9, do_sample=False)[0][prompt["input_ids"].shape[1] :]
    assert tokenizer.decode(answer, skip_special_tokens=True) == "Let me see. It is 4"
