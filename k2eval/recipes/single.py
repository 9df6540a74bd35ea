"""The recipe with one prompt and one answer."""

from k2eval.recipes.sample import Sample
from k2eval.records import Response


async def plain(sample: Sample) -> Response:
    """Ask the question and take the answer."""
    return await sample.solve()
