"""Servers that lie: answers of another model, to another prompt, without a word; errors, silence, a stranger's port.

What counts is what the job's own client makes of them; the server is the fake one, over real HTTP.
"""

import asyncio
import json
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from prefsweep import generation as generation_module
from prefsweep import serving as serving_module
from prefsweep.evaluation import evaluate
from prefsweep.failures import StageError
from prefsweep.generation import generate
from prefsweep.records.measure import Generation
from prefsweep.serving import check_identity
from tests.fake_serving import NAME, PROBE, SETTINGS, TOKEN_IDS, fake, prompts
from tests.local_server import local_server
from tests.tiny_models import make_tokenizer

STALL_SECONDS = "2"
HANGING_SECONDS = 60
"""No answer takes nearly as long, whatever its server does."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation_module, "_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(serving_module, "LAST_BREATH_SECONDS", 0.2)


def answered(directory: Path, count: int = 5) -> list[Generation]:
    with fake(directory) as server:
        asked = generate(server, prompts(count), TOKEN_IDS, SETTINGS, 0)
        return asyncio.run(asyncio.wait_for(asked, HANGING_SECONDS))


def refused(directory: Path) -> StageError:
    with pytest.raises(StageError) as caught:
        answered(directory)
    return caught.value


@pytest.mark.parametrize(
    ("fault", "failure", "message"),
    [
        ("other-answers", "wrong_model", f"was answered by somebody-else, not {NAME}"),
        ("empty", "score", "5 of 5 answers are empty"),
        ("broken", "server_crash", "status 500"),
        ("hang-generating", "timeout", f"left a request unanswered for {STALL_SECONDS} s"),
    ],
)
def test_a_servers_lie_is_named_and_no_answer_of_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, failure: str, message: str
) -> None:
    monkeypatch.setenv("FAKE_FAULTS", fault)
    if fault.startswith("hang"):
        monkeypatch.setenv("PREFSWEEP_STALL_SECONDS", STALL_SECONDS)
    error = refused(tmp_path)
    assert error.failure == failure
    assert message in str(error)


@pytest.mark.parametrize(("fault", "status"), [("busy", 503), ("throttled", 429)])
def test_a_busy_server_is_asked_again_and_each_attempt_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: str, status: int
) -> None:
    monkeypatch.setenv("FAKE_FAULTS", fault)
    assert [answer.answer for answer in answered(tmp_path)] == [f"HELLO {number}" for number in range(5)]
    said = capsys.readouterr().err
    assert said.count(f": status {status}, attempt ") == 2


def test_a_failing_server_is_asked_no_more_often_than_the_log_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAKE_FAULTS", "broken")
    with pytest.raises(StageError, match="status 500"):
        answered(tmp_path, count=1)
    said = capsys.readouterr().err
    assert [line for line in said.splitlines() if "attempt" in line] == [
        f"prompt p0: status 500, attempt {attempt} of 3" for attempt in (1, 2, 3)
    ]


def test_answers_that_were_cut_off_are_kept_and_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_FAULTS", "cut")
    assert {answer.finish_reason for answer in answered(tmp_path)} == {"length"}


def test_a_model_that_is_another_by_now_is_found_by_its_probabilities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_FAULTS", "stale")
    with fake(tmp_path) as server, pytest.raises(StageError, match=r"0\.5 per token apart") as caught:
        check_identity(server, [PROBE], "float32")
    assert caught.value.failure == "wrong_model"


def test_an_answer_to_another_prompt_is_found_by_the_tokens_that_were_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reordered and repeated answers alike: whoever asks learns which prompt was answered."""
    tokenizer = make_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    rendered = {
        prompt.id: tokenizer.apply_chat_template(prompt.messages, add_generation_prompt=True, return_dict=False)
        for prompt in prompts(4)
    }
    for fault, passes in (("", True), ("swapped", False)):
        monkeypatch.setenv("FAKE_FAULTS", fault)
        with fake(tmp_path, concurrency=1) as server:
            asked = generate(server, prompts(4), rendered, SETTINGS.model_copy(update={"concurrency": [1]}), 0)
            if passes:
                assert [answer.answer for answer in asyncio.run(asked)] == [f"HELLO {number}" for number in range(4)]
                continue
            with pytest.raises(StageError, match=r"prompt p1: from token [0-9]+ on, the tokenizer") as caught:
                asyncio.run(asked)
        assert caught.value.failure == "wrong_model"


class Stranger(BaseHTTPRequestHandler):
    """Answers whatever is asked, as a server of somebody else's model would."""

    asked: list[str]

    def do_GET(self) -> None:
        content = json.dumps({"data": [{"id": "their-model"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.asked.append(self.path)
        self.send_error(500)

    def log_message(self, *_: object) -> None:
        pass


def test_a_port_that_a_stranger_took_is_given_up_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []
    free_port, ports = serving_module._free_port, []
    with local_server(type("Here", (Stranger,), {"asked": asked})) as stranger:
        ports.append(int(stranger.rpartition(":")[2]))
        monkeypatch.setattr(serving_module, "_free_port", lambda: ports.pop() if ports else free_port())
        with fake(tmp_path) as server:
            check_identity(server, [PROBE], "float32")
            assert server.url != stranger
    assert "start 1 of at most 2 failed" in capsys.readouterr().err
    assert asked == [], "a stranger was asked for an answer"


def test_a_scorer_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFSWEEP_STALL_SECONDS", STALL_SECONDS)
    hanging = [sys.executable, "-c", "import time; time.sleep(3600)"]
    settings = {"tokenizer": tmp_path, "concurrency": 1, "max_length": 64, "seed": 0, "scratch": tmp_path}
    with fake(tmp_path) as server, pytest.raises(StageError, match="lm-eval showed no sign of life for 2 s") as caught:
        evaluate(server, hanging, [], [], **settings)  # type: ignore[arg-type]
    assert caught.value.failure == "timeout"
