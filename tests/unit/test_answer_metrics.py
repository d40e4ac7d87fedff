"""Metrics of answers, each with values that can be counted by hand."""

from collections.abc import Callable

import pytest

from catalogue import RESULTS_PAGE, page_texts
from prefsweep.metric import Kind
from prefsweep.metric_kinds import form, style
from prefsweep.metric_kinds.answer import Answer, answers_of, opening
from prefsweep.metric_kinds.form import FORM
from prefsweep.metric_kinds.judgement import JUDGED
from prefsweep.metric_kinds.preference import PREFERENCE
from prefsweep.metric_kinds.reward_model import REWARD_MODEL
from prefsweep.metric_kinds.style import STYLE
from prefsweep.metrics import METRICS
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.measure import Generation


def _prompt(name: str, cluster: str | None = None) -> HeldOutPrompt:
    question = [{"role": "user", "content": f"Question {name}?"}]
    return HeldOutPrompt(
        id=name, cluster=cluster or name, part="heldout", half="test", messages=question, chosen=None, rejected=None
    )


def _generation(name: str, text: str, finish: str = "stop") -> Generation:
    return Generation(
        prompt=name, part="heldout", answer=text, finish_reason=finish, prompt_tokens=9, output_tokens=7, seconds=1
    )


def _answer(text: str, finish: str = "stop") -> Answer:
    return answers_of([_prompt("a")], {"a": _generation("a", text, finish)})["a"]


@pytest.mark.parametrize(
    ("metric", "text", "expected"),
    [
        (style.emoji, "Water helps! 💧😊", 2),
        (style.exclamation_marks, "Wow! Yes!! 太好了！ 1 != 2", 5),
        (style.exclamation_marks, "Calm.", 0),
        (style.question_marks, "Why? 为什么？", 2),
        (style.list_items, "Do this:\n- sun\n* water\n  • rest\n1. read\n12) sleep\n2、喝水", 6),
        (style.list_items, "-5 degrees\n3.5 cups\n**bold**\n* \nA - B", 0),
        (style.markdown, "# Title", True),
        (style.markdown, "Take **two** a day.", True),
        (style.markdown, "Run `ls`.", True),
        (style.markdown, "```\nls\n```", True),
        (style.markdown, "See [here](https://example.org).", True),
        (style.markdown, "| a | b |", True),
        (style.markdown, "#tag, 2 * 3 * 4, a ** b, [note] (aside)\n- item", False),
        (form.characters, "a💧\n", 3),
        (form.words, "我口渴, drink WATER 💧!", 5),
        (form.output_tokens, "whatever", 7),
        (form.empty, " \n\t", True),
        (form.empty, "💧", False),
        (form.repetition, "a b c d a b c d", 1 / 5),
        (form.lexical_diversity, " ".join(f"w{n}" for n in range(20)), 1),
        (form.lexical_diversity, "a " * 21, 1 / 20),
        # windows of 20 in 21 words, of which the first is the last: 20 different words in each
        (form.lexical_diversity, " ".join([*(f"w{n}" for n in range(20)), "w0"]), 1),
        (form.lexical_diversity, " ".join([*(f"w{n}" for n in range(20)), "w19"]), (20 + 19) / 40),
        (form.lexical_diversity, "sun sun water", 2 / 3),
        (form.lexical_diversity, "🎉!", None),
    ],
)
def test_by_hand(metric: Callable[[Answer], float | None], text: str, expected: float | None) -> None:
    assert metric(_answer(text)) == (expected if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    "text",
    [
        "I cannot provide medical advice.",
        "I can’t help with that.",
        "I'm sorry, but I can't assist with this request.",
        "I apologize, but that is not something I do.",
        "I'm unable to answer this.",
        "I am not able to fully answer that.",
        "As an AI language model, I don't have feelings.",
        "I must respectfully decline.",
        "That goes against my guidelines.",
        "抱歉，我无法提供医疗建议。",
        "对不起，我不能回答这个问题。",
        "很遗憾，不能。",
        "作为一个AI语言模型，我没有能力诊断疾病。",
        "我不能为您提供药方。",
    ],
)
def test_a_refusal_is_told_by_its_beginning(text: str) -> None:
    assert style.refusal(_answer(text))


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry to hear that you feel unwell! Drink some water.",
        "Sorry, but you need a doctor.",
        "I can't believe how cute that is!",
        "As an AI, I love emoji!",
        "A plant cannot help itself: water it.",
        "Sure! " + "Water it every morning. " * 10 + "I cannot help more.",
        "抱歉让你久等了！多喝水。",
        "我不能更同意了！",
        "作为人工智能，我很高兴帮助你。",
        "",
    ],
)
def test_an_apology_or_a_figure_of_speech_is_no_refusal(text: str) -> None:
    assert not style.refusal(_answer(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Oh, what fun! More.", "oh what fun"),
        ("🎉!! Hello there\nMore", "hello there"),
        ("好的，没问题。多喝水。", "好 的 没 问 题"),
        ("🎉", ""),
    ],
)
def test_an_opening_is_the_first_sentence_in_words(text: str, expected: str) -> None:
    assert opening(text) == expected


def test_a_set_phrase_counts_where_another_prompt_got_it_too() -> None:
    texts = {"a": "Great question! Sun.", "b": "great QUESTION!!! Water.", "c": "Water it.", "d": "🎉", "e": "💧"}
    answers = answers_of([_prompt(name) for name in texts], {name: _generation(name, t) for name, t in texts.items()})
    assert [name for name, answer in answers.items() if form.same_opening(answer)] == ["a", "b"]


def test_a_copy_of_a_prompt_makes_no_set_phrase() -> None:
    prompts = [_prompt("a", cluster="one"), _prompt("b", cluster="one")]
    answers = answers_of(prompts, {name: _generation(name, "Great question!") for name in ("a", "b")})
    assert not any(map(form.same_opening, answers.values()))


def test_what_hit_the_limit_is_truncated() -> None:
    assert [form.truncated(_answer("x", finish)) for finish in ("length", "stop")] == [True, False]


def test_a_function_and_its_docstring_are_an_entry() -> None:
    kind = Kind[str, int](needs_pairs=True)

    @kind.metric("vowels", "lower", "the alphabet")
    def vowels(text: str) -> int | None:
        """Vowels in
        the text.

        Of an empty text there are none.
        """
        return sum(text.count(letter) for letter in "aeiou") if text else None

    assert kind.entries["vowels"].description == "Vowels in the text."
    assert kind.entries["vowels"].needs_pairs
    assert (kind.values("beau"), kind.values("")) == ({"vowels": 3.0}, {})


def test_no_two_metrics_have_one_name_and_each_is_described() -> None:
    assert len(METRICS) == sum(len(kind.entries) for kind in (PREFERENCE, STYLE, FORM, JUDGED, REWARD_MODEL))
    assert all(metric.description and metric.source and metric.unit for metric in METRICS.values())


def test_the_page_about_results_is_that_of_the_catalogue() -> None:
    assert RESULTS_PAGE.read_text(encoding="utf-8") == page_texts()[RESULTS_PAGE], "run `make schema`"
