"""What lm-eval is given of the held-out prompts."""

from prefsweep.evaluation import task_rows
from prefsweep.records.data import HeldOutPrompt


def heldout(name: str, chosen: str | None, rejected: str | None) -> HeldOutPrompt:
    messages = [{"role": "user", "content": name}]
    return HeldOutPrompt(
        id=name, cluster=name, part="heldout", half="test", messages=messages, chosen=chosen, rejected=rejected
    )


def test_prompts_without_a_preferred_answer_are_not_scored() -> None:
    """Rows labelled one by one leave some: an empty answer would count as one that is easy to predict."""
    prompts = [heldout("a", "yes", "no"), heldout("b", None, "no"), heldout("c", "yes", None)]
    assert task_rows(prompts, ["A", "B", "C"]) == [
        {"id": "a", "prompt": "A", "chosen": "yes", "rejected": "no"},
        {"id": "c", "prompt": "C", "chosen": "yes", "rejected": ""},
    ]
