"""What `make bench-reproducibility` calls equal: the same bits, of everything but measurements of the machine."""

import shutil
from pathlib import Path

import pytest

from benchmarks.artefacts import compared, told
from prefsweep.files import write_jsonl
from prefsweep.records.measure import Evaluation, Generation
from tests.example_study import Shape, build_study

RUN = Path("runs/dpo-00000000/seed-0")


@pytest.fixture
def studies(tmp_path: Path) -> tuple[Path, Path]:
    """A made-up study and a copy."""
    first = build_study(tmp_path, Shape(methods=("dpo",), heldout=6))
    return first, shutil.copytree(first, tmp_path / "second")


def with_answer(study: Path, **changes: object) -> None:
    first, *others = Generation.read_rows(study / RUN / "generations.jsonl")
    rows = [first.model_copy(update=changes), *others]
    write_jsonl(study / RUN / "generations.jsonl", [row.model_dump() for row in rows])


def test_a_copy_is_equal(studies: tuple[Path, Path]) -> None:
    for kind in ("steps", "probes", "answers", "log_likelihoods", "metrics"):
        found = compared(kind, *studies)
        assert found.files == found.equal_files > 0
        assert found.parts == found.equal_parts > 0
        assert (found.apart, found.largest_difference) == ([], 0.0)


def test_an_answer_is_equal_whatever_time_it_took_and_not_in_other_words(studies: tuple[Path, Path]) -> None:
    with_answer(studies[1], seconds=99.0)
    assert compared("answers", *studies).apart == []
    with_answer(studies[1], answer="in other words")
    found = compared("answers", *studies)
    assert [name.partition(": ")[0] for name in found.apart] == [str(RUN / "generations.jsonl")]
    assert (found.files - found.equal_files, found.parts - found.equal_parts) == (1, 1)


def test_how_far_numbers_are_apart_is_told(studies: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    file = studies[1] / RUN / "evaluation.json"
    record = Evaluation.read(file)
    for place, step in ((0, 0.25), (1, -0.5)):
        pair = record.pairs[place]
        record.pairs[place] = pair.model_copy(update={"chosen_log_prob": pair.chosen_log_prob + step})
    record.write(file)
    found = compared("log_likelihoods", *studies)
    assert found.largest_difference == pytest.approx(0.5)
    assert found.parts - found.equal_parts == 2
    told({"log_likelihoods": found})
    first, *parts = capsys.readouterr().out.splitlines()
    assert first.endswith("parts equal, numbers at most 0.5 apart")
    assert len(parts) == 2


def test_a_tables_times_are_left_out_and_its_results_are_not(tmp_path: Path) -> None:
    for name, row in (("first", "dpo,1.5,0.7"), ("second", "dpo,2.5,0.8")):
        table = tmp_path / name / "report" / "runs.csv"
        table.parent.mkdir(parents=True)
        table.write_text(f"method,train_seconds,estimate\n{row}\n")
    assert compared("table_columns", tmp_path / "first", tmp_path / "second").apart == ["report/runs.csv: estimate"]


def test_a_page_is_compared_section_by_section(tmp_path: Path) -> None:
    page = '<main><section id="points">{}</section>\n<section id="speed">1.5</section></main><script></script>'
    for name, text in (("first", "dpo"), ("second", "cpo")):
        file = tmp_path / name / "report" / "index.html"
        file.parent.mkdir(parents=True)
        file.write_text(page.format(text))
    found = compared("page_sections", tmp_path / "first", tmp_path / "second")
    assert (found.parts, found.apart) == (2, ["report/index.html: points"])


def test_an_artefact_that_one_study_lacks_is_no_equality(studies: tuple[Path, Path]) -> None:
    (studies[1] / RUN / "scores.json").unlink()
    with pytest.raises(ValueError, match="metrics: one study has"):
        compared("metrics", *studies)
    with pytest.raises(ValueError, match="adapters: one study has"):  # nor one that both lack
        compared("adapters", *studies)
