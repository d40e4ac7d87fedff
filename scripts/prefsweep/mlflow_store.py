"""A study into MLflow, once: what is there already, unchanged, is left as it is.

Imported in the environment `track`, which has MLflow's client; nothing else of this library needs it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, TypeVar

from mlflow.entities import Metric, Param, Run
from mlflow.tracking import MlflowClient

from prefsweep.failures import StageError
from prefsweep.records.tracked import TrackedRun, TrackedStudy
from prefsweep.tracking_uri import artefact_folder

Outcome = Literal["new", "replaced", "unchanged"]

ID, CONTENT = "prefsweep.id", "prefsweep.sha256"
"""Tags by which a run is found again. The second is set last: a run without it was not logged to its end."""
_PARENT, _DESCRIPTION = "mlflow.parentRunId", "mlflow.note.content"
_METRICS_AT_ONCE, _PARAMETERS_AT_ONCE, _RUNS_AT_ONCE = 1000, 100, 1000
"""The most that MLflow takes or gives."""

_T = TypeVar("_T")


def log_study(study: TrackedStudy, uri: str) -> Counter[Outcome]:
    """Log a study; how many runs are new, replace one that had changed, or were there.

    Raises StageError when the experiment was deleted, MlflowException when the store cannot be used.
    """
    client = MlflowClient(tracking_uri=uri)
    experiment = _Experiment(client, _experiment_id(client, study, uri), study.reported_at)
    there = experiment.logged()
    known: dict[str, str] = {}
    outcomes: Counter[Outcome] = Counter()
    for run in study.runs:
        parent = known[run.parent] if run.parent else None
        known[run.id], outcome = experiment.put(run, parent, there.get(run.id, []))
        outcomes[outcome] += 1
    return outcomes


def _experiment_id(client: MlflowClient, study: TrackedStudy, uri: str) -> str:
    """Of the study's experiment, which is made if it is not there."""
    found = client.get_experiment_by_name(study.experiment)
    if found and found.lifecycle_stage == "deleted":
        remedy = "Restore it in MLflow, delete it for good (mlflow gc), or name the study otherwise."
        raise StageError("config", f"the experiment {study.experiment} was deleted in MLflow", remedy)
    if found:
        identifier = str(found.experiment_id)
    else:
        folder = artefact_folder(uri)
        identifier = client.create_experiment(study.experiment, folder.as_uri() if folder else None)
    client.set_experiment_tag(identifier, _DESCRIPTION, study.description)
    return identifier


@dataclass(frozen=True)
class _Experiment:
    """Where a study's runs go."""

    client: MlflowClient
    id: str
    reported_at: float

    def logged(self) -> dict[str, list[Run]]:
        """By their ids in the plan, the runs that are there and were not deleted."""
        found: dict[str, list[Run]] = {}
        token: str | None = None
        while token != "":
            page = self.client.search_runs([self.id], max_results=_RUNS_AT_ONCE, page_token=token)
            for run in page:
                found.setdefault(run.data.tags.get(ID, ""), []).append(run)
            token = page.token or ""
        return found

    def put(self, run: TrackedRun, parent: str | None, earlier: Sequence[Run]) -> tuple[str, Outcome]:
        """Have one run there, as it is now, below `parent`: MLflow's id of it, and what that took.

        `earlier` are those of the same id; what is not the same goes.
        """
        content = run.sha256()
        same = next((one for one in earlier if one.data.tags.get(CONTENT) == content), None)
        identifier = str(same.info.run_id) if same else self._log(run, parent)
        if same and parent and same.data.tags.get(_PARENT) != parent:
            self.client.set_tag(identifier, _PARENT, parent)
        for one in earlier:
            if one is not same:
                self.client.delete_run(one.info.run_id)
        if same:
            return identifier, "unchanged"
        return identifier, "replaced" if earlier else "new"

    def _log(self, run: TrackedRun, parent: str | None) -> str:
        """A new run; MLflow's id of it. It ends when the report was made and lasts as long as its stages took."""
        ended, began = round(1000 * self.reported_at), round(1000 * (self.reported_at - run.seconds))
        tags = run.tags | {ID: run.id, _DESCRIPTION: run.description} | ({_PARENT: parent} if parent else {})
        identifier = str(self.client.create_run(self.id, start_time=began, tags=tags, run_name=run.name).info.run_id)
        for parameters in _portions([Param(*pair) for pair in run.parameters.items()], _PARAMETERS_AT_ONCE):
            self.client.log_batch(identifier, params=parameters)
        for metrics in _portions(_metrics(run, began, ended), _METRICS_AT_ONCE):
            self.client.log_batch(identifier, metrics=metrics)
        for file in run.files:
            self.client.log_artifact(identifier, str(file.path), file.folder or None)
        if run.status == "SCHEDULED":
            self.client.update_run(identifier, status=run.status)
        else:
            self.client.set_terminated(identifier, run.status, ended)
        self.client.set_tag(identifier, CONTENT, run.sha256())
        return identifier


def _metrics(run: TrackedRun, began: int, ended: int) -> list[Metric]:
    """All numbers of a run; times are in milliseconds since 1970."""
    means = [Metric(name, value, ended, 0) for name, value in run.metrics.items()]
    return means + [
        Metric(curve.metric, value, began + round(1000 * seconds), step)
        for curve in run.curves
        for step, value, seconds in curve.points
    ]


def _portions(items: Sequence[_T], most: int) -> Iterator[list[_T]]:
    remaining = iter(items)
    while portion := list(islice(remaining, most)):
        yield portion
