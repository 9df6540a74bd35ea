from .answer_judge import (
    NOTE as NOTE,
    judged as judged,
)
from .best_of_n import (
    BestOfN as BestOfN,
)
from .called import (
    response_of as response_of,
)
from .candidates import (
    Candidate as Candidate,
    make_candidate as make_candidate,
)
from .conversation import (
    opening as opening,
)
from .majority import (
    Majority as Majority,
)
from .planning import (
    plan as plan,
)
from .prompts import (
    judge_messages as judge_messages,
    plan_messages as plan_messages,
    scicode_messages as scicode_messages,
    with_plan as with_plan,
)
from .published import (
    Published as Published,
)
from .registry import (
    BUILT_IN as BUILT_IN,
    Recipe as Recipe,
    recipe_for as recipe_for,
)
from .sample import (
    Generate as Generate,
    Prepare as Prepare,
    Sample as Sample,
)
from .selection import (
    Formats as Formats,
    parts_of as parts_of,
    reasoning_of as reasoning_of,
    selected_steps as selected_steps,
    text_of as text_of,
)
from .single import (
    plain as plain,
)

__all__ = [
    "BUILT_IN",
    "NOTE",
    "BestOfN",
    "Candidate",
    "Formats",
    "Generate",
    "Majority",
    "Prepare",
    "Published",
    "Recipe",
    "Sample",
    "judge_messages",
    "judged",
    "make_candidate",
    "opening",
    "parts_of",
    "plain",
    "plan",
    "plan_messages",
    "reasoning_of",
    "recipe_for",
    "response_of",
    "scicode_messages",
    "selected_steps",
    "text_of",
    "with_plan",
]
