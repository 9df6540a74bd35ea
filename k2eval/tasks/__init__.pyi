from .conversation import (
    container as container,
    replies as replies,
    script_of as script_of,
)
from .corpus import (
    CorpusMatches as CorpusMatches,
    passed_over as passed_over,
    search_corpus as search_corpus,
)
from .data import (
    QuestionSet as QuestionSet,
    load_questions as load_questions,
    text_hash as text_hash,
    text_of as text_of,
)
from .files import (
    task_files as task_files,
    task_groups as task_groups,
    tasks_folders as tasks_folders,
)
from .imports import (
    check_call as check_call,
    import_object as import_object,
    in_words as in_words,
    kind_of as kind_of,
)
from .overlap import (
    Twin as Twin,
    groups_in_words as groups_in_words,
    hashes_of_twins as hashes_of_twins,
    overlaps_in_words as overlaps_in_words,
    texts_of as texts_of,
    twins as twins,
    words_of as words_of,
)
from .spec import (
    DataSpec as DataSpec,
    TaskSpec as TaskSpec,
)
from .task import (
    Item as Item,
    Items as Items,
    Task as Task,
    load_tasks as load_tasks,
    sampling_with as sampling_with,
)

__all__ = [
    "CorpusMatches",
    "DataSpec",
    "Item",
    "Items",
    "QuestionSet",
    "Task",
    "TaskSpec",
    "Twin",
    "check_call",
    "container",
    "groups_in_words",
    "hashes_of_twins",
    "import_object",
    "in_words",
    "kind_of",
    "load_questions",
    "load_tasks",
    "overlaps_in_words",
    "passed_over",
    "replies",
    "sampling_with",
    "script_of",
    "search_corpus",
    "task_files",
    "task_groups",
    "tasks_folders",
    "text_hash",
    "text_of",
    "texts_of",
    "twins",
    "words_of",
]
