from benchmarks.sides import Result
from benchmarks.stock import _score, compared


def side(score: float, seconds: float = 10.0) -> Result:
    return {"whole_s": 2 * seconds, "generation_s": seconds, "answers": 1200.0, "score t": score}


def test_scores_that_differ_by_more_than_noise_are_named() -> None:
    lines = compared({"stock": [side(0.5)], "k2eval": [side(0.6)]})
    assert lines[0] == "t: stock 50.0, k2eval 60.0: DIFFERENT"


def test_the_ratio_is_that_of_the_medians() -> None:
    stock = [side(0.5, seconds) for seconds in (10.0, 30.0, 12.0)]
    assert compared({"stock": stock, "k2eval": [side(0.5)] * 3})[-1] == "stock / k2eval, whole process: 1.200"


def test_the_score_of_lm_eval_is_the_mean_over_repeats() -> None:
    metrics = {
        "alias": "t",
        "pass_at_k,graded": 0.9,
        "avg_at_k,graded": 0.75,
        "avg_at_k_stderr,graded": "N/A",
    }
    assert _score(metrics) == 0.75


def test_sides_with_other_numbers_of_answers_are_told() -> None:
    lines = compared({"stock": [{**side(0.5), "answers": 900.0}], "k2eval": [side(0.5)]})
    assert lines[1] == "The sides did not do the same: stock 900 answers, k2eval 1200"
