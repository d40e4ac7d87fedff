"""What all suites share."""

from collections.abc import Iterator

import pytest

from prefsweep import study as study_module
from prefsweep.methods import Method
from prefsweep.study import StudyConfig


@pytest.fixture(scope="session", autouse=True)
def _one_study_model_per_catalogue() -> Iterator[None]:
    """Made once for the same methods: it takes half a second, and hundreds of tests read a study."""
    made: dict[str, type[StudyConfig]] = {}
    make = study_module.study_model

    def remembered(methods: dict[str, Method]) -> type[StudyConfig]:
        key = repr(methods)
        if key not in made:
            made[key] = make(methods)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study_module, "study_model", remembered)
        yield
