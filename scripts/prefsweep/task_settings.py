"""How a study names lm-eval's tasks: by name, or by name with settings of its own."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_serializer
from pydantic_core import PydanticCustomError

from prefsweep.records.base import Record


class TaskSettings(Record):
    """An lm-eval task and what a study changes of it; the name alone where that is nothing."""

    name: str = Field(min_length=1, description="A file in config/tasks/, the path of one, or a name of lm-eval's.")
    limit: int | None = Field(
        None, strict=True, ge=1, description="The first so many documents, of a group's tasks each; unset: all."
    )
    num_fewshot: int | None = Field(
        None, strict=True, ge=0, le=1000, description="Solved examples before each document; unset: as the task has it."
    )
    apply_chat_template: bool = Field(
        False, strict=True, description="Documents as chats, by the model's template, instead of plain text."
    )

    @property
    def changes(self) -> dict[str, int | bool]:
        """The keys that are set to anything but their default."""
        fields = type(self).model_fields
        return {key: value for key, value in self if key != "name" and value != fields[key].default}

    def __str__(self) -> str:
        """For people: `gsm8k`, or `gsm8k (limit 100)`."""
        given = ", ".join(f"{key} {str(value).lower()}" for key, value in self.changes.items())
        return f"{self.name} ({given})" if given else self.name

    @model_serializer
    def _as_written(self) -> Any:
        return {"name": self.name, **self.changes} if self.changes else self.name


def _by_name(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _once_each(tasks: list[TaskSettings]) -> list[TaskSettings]:
    names = [task.name for task in tasks]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        message = "{name} is there twice, and lm-eval has one result for it; keep one of them"
        raise PydanticCustomError("task_twice", message, {"name": twice[0]})
    return tasks


Task = Annotated[TaskSettings, BeforeValidator(_by_name, json_schema_input_type=str | TaskSettings)]
Tasks = Annotated[list[Task], AfterValidator(_once_each)]
