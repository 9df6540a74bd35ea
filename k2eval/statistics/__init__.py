"""What scores mean: averages, intervals, pass@k and tests, all of them clustered by question.

Everything here is a pure function of arrays. ``Scores`` is the one input format: an array of shape
(questions, repeats) with one score in [0, 1] per sample and NaN where there is none, because the sample failed
for reasons that are not the model's or because fewer repeats were made of that question. Scores are fractions,
not percent. The unit that is sampled is the *question*: 16 repeats of 30 questions are 30 observations, each
known more or less precisely.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
