from .data import (
    QuestionSet as QuestionSet,
    load_questions as load_questions,
)
from .task import (
    DataSpec as DataSpec,
    Item as Item,
    Items as Items,
    Task as Task,
    TaskSpec as TaskSpec,
    import_object as import_object,
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
    "import_object",
    "load_questions",
    "load_tasks",
    "sampling_with",
    "task_files",
    "tasks_folders",
]
