"""An OpenAI-compatible server of the standard library with fault flags, started by the command vLLM would be.

Flags come from FAKE_FAULTS: `die` (at start), `die-` or `hang-` with `generating`, `timing` or `evaluating`,
`die-scoring`, `die-judging` and, later, `die-judging-others` (in the midst of it; health stays good), `never-ready`,
`wrong-model`, `orphan` (starts a child that ignores SIGTERM), `stubborn` (ignores SIGTERM itself). Its answers are
another model's with `other-answers`, of a model that has changed with `stale`, without a word with `empty`, cut off
with `cut`, and those to the prompt before with `swapped`; the first two come with status 503 for `busy` and 429 for
`throttled`, all with 500 for `broken`. As a reward model it gives a tenth of a point per token, or is one with
`no-number`, with `two-labels`, `miscounted` (tokens) or `refusing`. As a judge it prefers the longer answer, or has no
opinion with `babbling`.
"""

import argparse
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

FAULTS = os.environ.get("FAKE_FAULTS", "").split()
COUNTED: Counter[str] = Counter()
REFUSALS = {"busy": (503, 2), "throttled": (429, 2), "broken": (500, 1_000_000)}
"""Flag → status, and how many requests for an answer have it."""


def fake_vllm(folder: Path) -> Path:
    """A command `vllm` in a folder that starts this server."""
    vllm = folder / "vllm"
    vllm.write_text(f'#!/bin/sh\nshift\nexec "{sys.executable}" "{Path(__file__).resolve()}" "$@"\n')
    vllm.chmod(0o755)
    return vllm


def log_prob_of(weights: Path) -> float:
    """What the model whose weights are in this folder says of each token: that of a run of ORPO another than any."""
    return -2.0 if "orpo" in str(weights) else -1.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--served-model-name")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    options, _ = parser.parse_known_args()
    if "die" in FAULTS:
        print("no memory for the key-value cache", flush=True)
        sys.exit(3)
    if "never-ready" in FAULTS:
        time.sleep(3600)
    if "stubborn" in FAULTS:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "orphan" in FAULTS:
        ignore = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(3600)"
        subprocess.Popen([sys.executable, "-c", ignore])
    name = "somebody-else" if "wrong-model" in FAULTS else options.served_model_name
    ThreadingHTTPServer((options.host, options.port), handler(name, Path(options.model))).serve_forever()


def in_the_middle(phase: str, after: int) -> None:
    """What a kill by the kernel, or a dead engine behind a living server, looks like: at the so-manieth call."""
    COUNTED[phase] += 1
    if COUNTED[phase] < after:
        return
    if f"die-{phase}" in FAULTS:
        os.kill(os.getpid(), signal.SIGKILL)
    if f"hang-{phase}" in FAULTS:
        time.sleep(3600)


@cache
def tokenizer_of(model: Path) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(model / "tokenizer.json"))


def token_ids_of(model: Path, messages: list[dict[str, str]]) -> list[int]:
    """As the tests' ChatML template renders them; of a model without a tokenizer always the same."""
    if not (model / "tokenizer.json").exists():
        return [1, 2]
    turns = [f"<|im_start|>{turn['role']}\n{turn['content']}<|im_end|>\n" for turn in messages]
    text = "".join([*turns, "<|im_start|>assistant\n"])
    return list(tokenizer_of(model).encode(text, add_special_tokens=False).ids)


def handler(name: str, model: Path) -> type[BaseHTTPRequestHandler]:
    told = "somebody-else" if "other-answers" in FAULTS else name
    earlier: list[dict[str, str]] = []
    loaded = [model]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send({"version": "0.0.fake"} if self.path == "/version" else {"data": [{"id": name}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.headers["Authorization"] != f"Bearer {os.environ['VLLM_API_KEY']}":
                self.send_error(401)
            elif self.path == "/collective_rpc":
                self._swap(body)
            elif self.path == "/classify":
                in_the_middle("scoring", 2)
                self._classify(body["input"])
            elif "messages" in body and "<answer_a>" in body["messages"][-1]["content"]:
                in_the_middle("judging", 3)
                in_the_middle("judging-others", 15)
                self._verdict(body["messages"][-1]["content"])
            elif "messages" in body:
                in_the_middle("generating", 3)
                self._chat(body["messages"])
            elif body.get("stream"):
                self._stream(body)
            elif "prompt_logprobs" in body:
                log_prob = -1.5 if "stale" in FAULTS else log_prob_of(loaded[-1])
                tokens = [None, *({str(token): {"logprob": log_prob}} for token in body["prompt"][1:])]
                self._send({"model": told, "choices": [{"prompt_logprobs": tokens}]})
            else:
                in_the_middle("evaluating", 1)
                self._echo(body["prompt"])

        def _echo(self, prompts: list[list[int]]) -> None:
            """Each prompt as lm-eval asks for it, with the log-probabilities of its tokens and of one more."""
            log_prob = log_prob_of(loaded[-1])
            choices = [
                {
                    "index": index,
                    "text": "",
                    "logprobs": {
                        "token_logprobs": found,
                        "top_logprobs": [{"a": log_prob}] * len(found),
                        "tokens": ["a"] * len(found),
                    },
                }
                for index, found in enumerate([log_prob] * (len(prompt) + 1) for prompt in prompts)
            ]
            self._send({"model": told, "choices": choices})

        def _swap(self, body: dict[str, Any]) -> None:
            if body["method"] != "reload_weights" or "unswappable" in FAULTS:
                self.send_error(500)
                return
            loaded.append(Path(body["kwargs"]["weights_path"]))
            self._send({"results": [None]})

        def _classify(self, conversations: list[list[int]]) -> None:
            if "refusing" in FAULTS:
                self.send_error(400)
                return
            scores = [math.nan if "no-number" in FAULTS else len(ids) / 10 for ids in conversations]
            labels = 2 if "two-labels" in FAULTS else 1
            rows = [{"index": index, "probs": [score] * labels} for index, score in enumerate(scores)]
            tokens = sum(map(len, conversations)) + ("miscounted" in FAULTS)
            self._send({"model": told, "data": rows[::-1], "usage": {"prompt_tokens": tokens}})

        def _stream(self, body: dict[str, Any]) -> None:
            self.send_response(200)
            self.end_headers()
            for _ in range(body["max_tokens"]):
                in_the_middle("timing", 3 * body["max_tokens"] - 5)
                self._event({"choices": [{"text": "a"}]})
            self._event({"choices": [], "usage": {"completion_tokens": body["max_tokens"]}})
            self.wfile.write(b"data: [DONE]\n\n")

        def _event(self, event: dict[str, Any]) -> None:
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())

        def _verdict(self, question: str) -> None:
            first, second = map(len, re.findall(r"<answer_[ab]>\n(.*?)\n</answer_[ab]>", question, re.DOTALL))
            verdict = "tie" if first == second else "A" if first > second else "B"
            said = "Lovely!" if "babbling" in FAULTS else json.dumps({"reasons": "length", "verdict": verdict})
            usage = {"prompt_tokens": 20, "completion_tokens": 3}
            self._send({"model": told, "choices": [{"message": {"content": said}}], "usage": usage})

        def _chat(self, messages: list[dict[str, str]]) -> None:
            for flag, (status, times) in REFUSALS.items():
                if flag in FAULTS and COUNTED["generating"] <= times:
                    self.send_error(status)
                    return
            if "swapped" in FAULTS:
                earlier.append(messages[-1])
                messages = [*messages[:-1], earlier[max(0, len(earlier) - 2)]]
            ids = token_ids_of(model, messages)
            text = "" if "empty" in FAULTS else messages[-1]["content"].upper()
            choice = {"message": {"content": text}, "finish_reason": "length" if "cut" in FAULTS else "stop"}
            usage = {"prompt_tokens": len(ids), "completion_tokens": 3}
            self._send({"model": told, "choices": [choice], "usage": usage, "prompt_token_ids": ids})

        def _send(self, document: dict[str, Any]) -> None:
            content = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


if __name__ == "__main__":
    main()
