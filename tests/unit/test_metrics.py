"""One run's values, joined by prompt id; what is missing, doubled or unknown stops the run and is named."""

import math
import subprocess
import sys
from pathlib import Path

import pytest

from prefsweep.failures import Failure, StageError
from prefsweep.files import write_json, write_jsonl
from prefsweep.metrics import METRICS, REWARD_MODEL_SCORE, WIN_RATE, preference_metrics, score_run
from prefsweep.records.base import hashed_files
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.measure import Evaluation, Generation, PairScore
from prefsweep.records.score import Scores

SCORE = Path(__file__).parents[2] / "scripts" / "score.py"


def _prompt(name: str, part: str = "heldout", question: str = "How do I keep basil alive at home?") -> HeldOutPrompt:
    heldout = part == "heldout"
    return HeldOutPrompt.model_validate(
        {
            "id": name,
            "cluster": f"cluster-{name}",
            "part": part,
            "half": "test" if heldout else None,
            "messages": [{"role": "user", "content": question}],
            "chosen": "Give it sun and a sip of water every morning!" if heldout else None,
            "rejected": "Place it in sunlight and water it daily." if heldout else None,
        }
    )


def _generation(name: str, answer: str = "Sun and water! 🌿", finish: str = "stop") -> Generation:
    return Generation(
        prompt=name,
        part="heldout",
        answer=answer,
        finish_reason=finish,
        prompt_tokens=9,
        output_tokens=7,
        seconds=1,
    )


def _pair(name: str, chosen: float = -10.0, rejected: float = -12.0) -> PairScore:
    return PairScore(
        prompt=name,
        chosen_log_prob=chosen,
        rejected_log_prob=rejected,
        chosen_characters=20,
        rejected_characters=30,
    )


def _evaluation(*pairs: PairScore, tasks: tuple[str, ...] = ()) -> Evaluation:
    return Evaluation(
        run="dpo-1/seed-0",
        pairs=list(pairs),
        tasks={task: {} for task in tasks},
        documents={},
        task_versions={},
        total_seconds=1,
        versions={},
    )


def test_rows_are_joined_by_id_whatever_their_order() -> None:
    prompts = [_prompt("a"), _prompt("b"), _prompt("s", "showcase")]
    generations = [
        _generation("s"),
        _generation("b", "No emoji."),
        _generation("a", "Sun! 🌞🌞", finish="length"),
    ]
    scores = score_run(prompts, generations, _evaluation(_pair("b", -9, -5), _pair("a")))
    a, b, showcase = scores.prompts
    assert [row.prompt for row in scores.prompts] == ["a", "b", "s"]
    assert (a.metrics["emoji"], a.metrics["truncated"], a.metrics["preference_accuracy"]) == (2, 1, 1)
    assert (b.metrics["emoji"], b.metrics["truncated"], b.metrics["preference_accuracy"]) == (0, 0, 0)
    assert (a.cluster, a.half, showcase.half) == ("cluster-a", "test", None)
    assert "preference_accuracy" not in showcase.metrics
    assert "preference_margin" not in showcase.metrics


def test_every_value_has_an_entry_in_the_catalogue_and_the_other_way_round() -> None:
    scores = score_run([_prompt("a")], [_generation("a", "Sun and water. " * 8)], _evaluation(_pair("a")))
    joined = [WIN_RATE, REWARD_MODEL_SCORE]
    assert [*scores.prompts[0].metrics, *joined] == list(METRICS), "the last are joined where scores are read"


def test_preference_metrics_by_hand() -> None:
    found = preference_metrics(_pair("a", chosen=-10, rejected=-12))
    assert found == pytest.approx(
        {
            "preference_accuracy": 1.0,
            "preference_accuracy_normalised": 0.0,
            "preference_margin": 2.0,
            "preference_margin_normalised": -10 / 20 + 12 / 30,
            "chosen_log_prob": -10.0,
            "rejected_log_prob": -12.0,
            "chosen_nats_per_character": 0.5,
        }
    )


def test_an_exact_tie_counts_one_half() -> None:
    assert preference_metrics(_pair("a", -3, -3))["preference_accuracy"] == 0.5


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["a"], "1 prompts without answer: b"),
        (["a", "b", "b"], "1 prompts with more than one answer: b"),
        (["a", "b", "z"], "1 prompts with answer that the study does not have: z"),
    ],
)
def test_every_prompt_is_answered_exactly_once(names: list[str], complaint: str) -> None:
    with pytest.raises(StageError, match=complaint) as caught:
        score_run([_prompt("a"), _prompt("b")], [_generation(name) for name in names], _evaluation())
    assert caught.value.failure == "score"


def test_a_missing_pair_is_named() -> None:
    prompts, generations = [_prompt("a"), _prompt("b")], [_generation("a"), _generation("b")]
    with pytest.raises(StageError, match="without pair score: b"):
        score_run(prompts, generations, _evaluation(_pair("a")))


def test_pairs_may_be_absent_only_when_the_task_was_not_asked_for() -> None:
    prompts, generations = [_prompt("a")], [_generation("a")]
    assert "preference_accuracy" not in score_run(prompts, generations, _evaluation()).prompts[0].metrics
    with pytest.raises(StageError, match="without pair score: a"):
        score_run(prompts, generations, _evaluation(tasks=("preference-accuracy",)))


@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_a_log_probability_that_is_not_a_number_is_refused(value: float) -> None:
    with pytest.raises(StageError, match="prompt a"):
        preference_metrics(_pair("a", chosen=value))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Keep it in the sun and give it some water every single morning.", 1.0),
        ("把它放在阳光下，每天早上浇一点水就可以了。", 0.0),
        ("🌿🌿🌿", 1.0),
    ],
)
def test_another_language_is_noticed(answer: str, expected: float) -> None:
    scores = score_run([_prompt("a")], [_generation("a", answer)], _evaluation())
    assert scores.prompts[0].metrics["same_language"] == expected


def test_a_set_phrase_is_looked_for_in_the_whole_run() -> None:
    prompts = [_prompt("a"), _prompt("b"), _prompt("c")]
    answers = [_generation("a", "Sure! Sun."), _generation("b", "Sure! Water."), _generation("c", "Shade.")]
    scores = score_run(prompts, answers, _evaluation())
    assert [row.metrics["same_opening"] for row in scores.prompts] == [1, 1, 0]


def test_without_a_reference_language_the_metric_is_absent() -> None:
    showcase = _prompt("s", "showcase", question="2 + 2 = ?")
    assert "same_language" not in score_run([showcase], [_generation("s")], _evaluation()).prompts[0].metrics


def _score(folder: Path, run: str, generations: list[Generation]) -> subprocess.CompletedProcess[str]:
    write_jsonl(folder / "heldout.jsonl", [_prompt("a").model_dump()])
    write_json(folder / "data.json", {"files": [file.model_dump() for file in hashed_files(folder)]})
    write_jsonl(folder / "generations.jsonl", [row.model_dump() for row in generations])
    _evaluation(_pair("a")).write(folder / "evaluation.json")
    files = {"heldout": "heldout.jsonl", "generations": "generations.jsonl", "evaluation": "evaluation.json"}
    options = [part for name, file in files.items() for part in (f"--{name}", str(folder / file))]
    command = [sys.executable, str(SCORE), "--run", run, *options, "--output", str(folder / "scores.json")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_writes_scores(tmp_path: Path) -> None:
    done = _score(tmp_path, "dpo-1/seed-0", [_generation("a")])
    assert done.returncode == 0, done.stderr
    assert Scores.read(tmp_path / "scores.json").prompts[0].metrics["emoji"] == 1


@pytest.mark.parametrize(
    ("run", "generations", "complaint"),
    [
        ("dpo-1/seed-0", [], "without answer: a"),
        ("orpo-1/seed-0", [_generation("a")], "belongs to dpo-1/seed-0"),
    ],
)
def test_the_command_leaves_a_failure_and_no_scores(
    tmp_path: Path, run: str, generations: list[Generation], complaint: str
) -> None:
    done = _score(tmp_path, run, generations)
    assert done.returncode == 1
    failure = Failure.read(tmp_path / "failure-score.json")
    assert failure.failure == "score"
    assert complaint in failure.message
    assert not (tmp_path / "scores.json").exists()
