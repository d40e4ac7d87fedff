"""What `merge` hands on: the manifest of a merged model and the means to recognise it."""

from prefsweep.records.base import FileHash, Record


class Probe(Record):
    """What the merged model says of a held-out conversation with the preferred answer.

    A server proves with it that it serves this very model, and lm-eval that it scores these very answers.
    """

    prompt: str
    """HeldOutPrompt.id"""
    token_ids: list[int]
    answer_tokens: int
    """How many of them, at the end, lm-eval counts to the answer; white space that ends the prompt is among them."""
    log_probs: list[float]
    """Of each of `token_ids[1:]`, natural logarithm."""

    @property
    def answer_log_prob(self) -> float:
        """Summed log-probability of the answer given the prompt."""
        return sum(self.log_probs[-self.answer_tokens :])


class RenderedPrompt(Record):
    """A held-out prompt as the trainer's template turns it into tokens; a server must see the same ones."""

    prompt: str
    """HeldOutPrompt.id"""
    token_ids: list[int]


class MergeRecord(Record):
    """`merge.json`: the manifest of one merged model and the proof that it equals base + adapter."""

    run: str
    argv: list[str]
    model: list[FileHash]
    parity_max_abs_logit_difference: float | None
    """max |merged − (base + adapter)| over the probes' logits in float32; None for the base arm."""
    parity_bound: float
    change_max_abs_logit_difference: float | None
    """max |merged − base|: zero would mean that the merge lost the adapter; None for the base arm."""
    probes: list[Probe]
    rendered: list[RenderedPrompt]
    eos_token_ids: list[int]
    pad_token_id: int | None
    chat_template_sha256: str
    total_seconds: float
    peak_memory_bytes: int
    versions: dict[str, str]
