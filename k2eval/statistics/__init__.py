"""Averages, intervals, pass@k and tests, all of them clustered by question.

Everything here is a pure function of arrays. ``Scores`` is the one input format: an array of shape
(questions, repeats) with one score in [0, 1] per sample. A score is NaN if the sample failed for a reason that is
not the model's, or if the question has fewer repeats than others. Scores are fractions, not percent. The unit
that is sampled is the *question*: 16 repeats of 30 questions are 30 observations, each known more or less
precisely.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
