"""An OpenAI-compatible server of the standard library with fault flags, started by the command vLLM would be.

Flags come from FAKE_FAULTS: `die` (at start), `die-generating`, `die-timing`, `die-evaluating` and `die-scoring` (in
the midst of it), `never-ready`, `wrong-model`, `orphan` (starts a child that ignores SIGTERM), `stubborn` (ignores
SIGTERM itself). As a reward model it gives a tenth of a point per token, or is one with `no-number`, with `two-labels`,
`miscounted` (tokens) or `refusing`.
"""

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAULTS = os.environ.get("FAKE_FAULTS", "").split()
COUNTED: Counter[str] = Counter()


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
    ThreadingHTTPServer((options.host, options.port), handler(name)).serve_forever()


def die_in_the_middle(phase: str, after: int) -> None:
    """What a kill by the kernel looks like, at the so-manieth call for this phase."""
    COUNTED[phase] += 1
    if f"die-{phase}" in FAULTS and COUNTED[phase] >= after:
        os.kill(os.getpid(), signal.SIGKILL)


def handler(name: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send({"data": [{"id": name}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.headers["Authorization"] != f"Bearer {os.environ['VLLM_API_KEY']}":
                self.send_error(401)
            elif self.path == "/classify":
                die_in_the_middle("scoring", 2)
                self._classify(body["input"])
            elif "messages" in body:
                die_in_the_middle("generating", 3)
                self._send(self._chat(body))
            elif body.get("stream"):
                self._stream(body)
            elif "prompt_logprobs" in body:
                tokens = [None, *({str(token): {"logprob": -1.0}} for token in body["prompt"][1:])]
                self._send({"model": name, "choices": [{"prompt_logprobs": tokens}]})
            else:
                die_in_the_middle("evaluating", 1)

        def _classify(self, conversations: list[list[int]]) -> None:
            if "refusing" in FAULTS:
                self.send_error(400)
                return
            scores = [math.nan if "no-number" in FAULTS else len(ids) / 10 for ids in conversations]
            labels = 2 if "two-labels" in FAULTS else 1
            rows = [{"index": index, "probs": [score] * labels} for index, score in enumerate(scores)]
            tokens = sum(map(len, conversations)) + ("miscounted" in FAULTS)
            self._send({"model": name, "data": rows[::-1], "usage": {"prompt_tokens": tokens}})

        def _stream(self, body: dict[str, Any]) -> None:
            self.send_response(200)
            self.end_headers()
            for _ in range(body["max_tokens"]):
                die_in_the_middle("timing", 3 * body["max_tokens"] - 5)
                self._event({"choices": [{"text": "a"}]})
            self._event({"choices": [], "usage": {"completion_tokens": body["max_tokens"]}})
            self.wfile.write(b"data: [DONE]\n\n")

        def _event(self, event: dict[str, Any]) -> None:
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())

        def _chat(self, body: dict[str, Any]) -> dict[str, Any]:
            message = {"content": body["messages"][-1]["content"].upper()}
            usage = {"prompt_tokens": 2, "completion_tokens": 3}
            choice = {"message": message, "finish_reason": "stop"}
            return {"model": name, "choices": [choice], "usage": usage, "prompt_token_ids": [1, 2]}

        def _send(self, document: dict[str, Any]) -> None:
            content = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


if __name__ == "__main__":
    main()
