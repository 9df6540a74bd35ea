from .data import (
    QuestionSet as QuestionSet,
    load_questions as load_questions,
    text_hash as text_hash,
)
from .imports import (
    check_call as check_call,
    import_object as import_object,
    in_words as in_words,
    kind_of as kind_of,
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
    task_files as task_files,
    tasks_folders as tasks_folders,
)

__all__ = [
    "DataSpec",
    "Item",
    "Items",
    "QuestionSet",
    "Task",
    "TaskSpec",
    "check_call",
    "import_object",
    "in_words",
    "kind_of",
    "load_questions",
    "load_tasks",
    "sampling_with",
    "task_files",
    "tasks_folders",
    "text_hash",
]
