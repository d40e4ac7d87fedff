"""What each run of a plan will cost, stage by stage: learnt from finished runs, or else a first guess that says so."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import median

from prefsweep import first_guess
from prefsweep.checking import DatasetCounts
from prefsweep.experience import Experience
from prefsweep.methods import Method
from prefsweep.model_size import ModelSize
from prefsweep.plan import BASE, Device, Estimate, GenerateSettings, Point, Stage, StageEstimate
from prefsweep.swift_settings import expected_steps

BYTES_PER_TOKEN = 4
"""Of UTF-8 text: about four English letters, or one and a third Chinese characters."""
_ANSWER_BYTES_PER_TOKEN, _RECORD_BYTES = 5, 500
"""What a measurement writes for each held-out prompt: its answer, and numbers."""
_DRIFT_BYTES = 150
"""Of a row of `drift.jsonl`."""


@dataclass(frozen=True)
class Estimator:
    """What estimates follow from; what is not known yet is None."""

    methods: Mapping[str, Method]
    counts: DatasetCounts | None
    data_revision: str
    size: ModelSize | None
    experience: Experience
    generate: GenerateSettings
    device: Device
    base_precision: str
    kl_from_base: bool

    def of(self, point: Point) -> Estimate:
        """A point's estimate, which holds for each of its seeds."""
        if point.method == BASE:
            return self._with_stages(point, 0, 0)
        if self.counts is None:
            return Estimate(steps=None, sequences=None, seconds=None, disk_bytes=None)
        answers = sum(self.counts.labels.values())
        method = self.methods[point.method]
        steps = expected_steps(method, point.settings, answers if method.data == "labelled" else self.counts.rows)
        return self._with_stages(point, steps, answers * int(point.settings["epochs"]))

    def of_rung(self, point: Point, steps: int) -> Estimate:
        """Of so many steps of a run that screens its point: half of the prompts are asked, nothing is timed."""
        whole = self.of(point)
        if self.counts is None or not whole.steps or whole.sequences is None:
            return Estimate(steps=steps, sequences=None, seconds=None, disk_bytes=None)
        asked = self.counts.model_copy(update={"heldout_rows": -(-self.counts.heldout_rows // 2)})
        untimed = self.generate.model_copy(update={"repeats": 0})
        part = replace(self, counts=asked, generate=untimed, kl_from_base=False)
        return part._with_stages(point, steps, round(whole.sequences * steps / whole.steps))

    def _tokens_per_sequence(self, point: Point, counts: DatasetCounts) -> float:
        limit = int(point.settings["max_length"])
        known = self.experience.tokens_per_sequence(self.data_revision, limit)
        return known or min(counts.sequence_bytes / BYTES_PER_TOKEN, limit)

    def _with_stages(self, point: Point, steps: int, sequences: int) -> Estimate:
        tokens = round(sequences * self._tokens_per_sequence(point, self.counts)) if sequences and self.counts else 0
        stages: list[StageEstimate] = []
        if self.counts and self.size:
            trained = [] if point.method == BASE else [self._train(point, tokens, self.size)]
            stages = [*trained, self._merge(point, self.size), self._measure(self.counts, self.size)]
            if self.kl_from_base and point.method != BASE:
                stages.append(self._drift(self.counts, self.size))
        return Estimate(
            steps=steps,
            sequences=sequences,
            tokens=tokens,
            seconds=sum(stage.seconds for stage in stages) if stages else None,
            disk_bytes=sum(stage.disk_bytes for stage in stages) if stages else None,
            stages=stages,
        )

    def _train(self, point: Point, tokens: int, size: ModelSize) -> StageEstimate:
        alike = self.experience.nearest(point.method, point.settings)
        known = None
        if alike:
            pace = median(run.train_seconds / run.tokens for run in alike)
            known = median(run.around_seconds for run in alike) + pace * tokens
        guess = first_guess.train_seconds(size, self.methods[point.method], point.settings, tokens, self.device)
        adapter = size.adapter_bytes(point.settings["lora_rank"])
        return self._stage("train", known, guess, point.settings["gpus"], adapter)

    def _merge(self, point: Point, size: ModelSize) -> StageEstimate:
        precision = point.settings.get("precision", self.base_precision)
        guess = first_guess.merge_seconds(size, precision, self.device)
        known = self.experience.merge_seconds(point.method)
        return self._stage("merge", known, guess, self.generate.tensor_parallel, size.merged_bytes(precision))

    def _measure(self, counts: DatasetCounts, size: ModelSize) -> StageEstimate:
        prompts = counts.heldout_rows
        sequence_tokens = counts.sequence_bytes / BYTES_PER_TOKEN
        guess = first_guess.measure_seconds(size, self.generate, prompts, sequence_tokens, self.device)
        written = prompts * (self.generate.max_tokens * _ANSWER_BYTES_PER_TOKEN + _RECORD_BYTES)
        known = self.experience.measure_seconds(prompts)
        return self._stage("measure", known, guess, self.generate.tensor_parallel, written)

    def _drift(self, counts: DatasetCounts, size: ModelSize) -> StageEstimate:
        prompts = counts.heldout_rows
        sequence_tokens = counts.sequence_bytes / BYTES_PER_TOKEN
        guess = first_guess.drift_seconds(size, self.generate, prompts, sequence_tokens, self.device)
        known = self.experience.drift_seconds(prompts)
        return self._stage("drift", known, guess, self.generate.tensor_parallel, prompts * _DRIFT_BYTES)

    def _stage(self, stage: Stage, known: float | None, guess: float, devices: int, disk_bytes: int) -> StageEstimate:
        return StageEstimate(
            stage=stage,
            seconds=round(guess if known is None else known, 1),
            gpus=devices if self.device == "cuda" else 0,
            disk_bytes=disk_bytes,
            basis="first guess" if known is None else "finished runs",
        )
