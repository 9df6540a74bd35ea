"""What scores mean: averages, intervals, pass@k and tests, all of them clustered by question.

Everything here is a pure function of arrays. ``Scores`` is the one input format: an array of shape
(questions, repeats) with one score in [0, 1] per sample and NaN where there is none, because the sample failed
for reasons that are not the model's or because fewer repeats were made of that question. Scores are fractions,
not percent. The unit that is sampled is the *question*: 16 repeats of 30 questions are 30 observations, each
known more or less precisely.
"""

from k2eval.statistics.difference import Difference, combine, holm, paired, sign_flip_p, unpaired
from k2eval.statistics.estimate import (
    Array,
    Estimate,
    Scores,
    Spread,
    average,
    average_of,
    bootstrap,
    detectable,
    pool,
    question_means,
    spread,
)
from k2eval.statistics.ranks import RankInterval, rank_intervals, resample
from k2eval.statistics.sampling import Vote, maj_at_k, majority_at_k, majority_curve, pass_at_k, supported

__all__ = [
    "Array",
    "Difference",
    "Estimate",
    "RankInterval",
    "Scores",
    "Spread",
    "Vote",
    "average",
    "average_of",
    "bootstrap",
    "combine",
    "detectable",
    "holm",
    "maj_at_k",
    "majority_at_k",
    "majority_curve",
    "paired",
    "pass_at_k",
    "pool",
    "question_means",
    "rank_intervals",
    "resample",
    "sign_flip_p",
    "spread",
    "supported",
    "unpaired",
]
