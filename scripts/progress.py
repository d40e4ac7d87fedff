"""How far studies are: jobs done, running, failed and waiting, the time left. Reads their folders, changes nothing."""

import argparse
import json
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from prefsweep.progress_view import shown
from prefsweep.records.progress import StudyProgress
from prefsweep.study_progress import read_progress, studies_below

_PIPED_WIDTH = 140
"""Columns where no terminal says how many there are."""
_SHORTEST_SECONDS = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "studies", type=Path, nargs="+", help="results/<study>; a folder of several studies is all of them"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--watch", type=float, metavar="SECONDS", help="in a terminal: look again until all is done")
    form.add_argument("--json", action="store_true", help="for scripts: a list with an entry for each study")
    options = parser.parse_args()
    try:
        if options.watch and sys.stdout.isatty():
            watch(options.studies, max(options.watch, _SHORTEST_SECONDS))
        elif options.json:
            found = [one.model_dump(mode="json") for one in looked_at(options.studies)]
            print(json.dumps(found, indent=2, ensure_ascii=False))
        else:
            console = Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH)
            console.print(view(options.studies, looked_at(options.studies)))
    except ValueError as error:  # a plan that another version of prefsweep wrote
        sys.exit(str(error))


def watch(folders: list[Path], seconds: float) -> None:
    """Show the studies until each is finished, or somebody has seen enough."""
    with suppress(KeyboardInterrupt), Live(auto_refresh=False) as live:
        while True:
            found = looked_at(folders)
            live.update(view(folders, found), refresh=True)
            if found and all(one.finished for one in found):
                break
            time.sleep(seconds)


def looked_at(folders: list[Path]) -> list[StudyProgress]:
    """The studies that have been planned."""
    now = datetime.now(UTC)
    return [read_progress(study, now) for folder in folders for study in studies_below(folder)]


def view(folders: list[Path], found: list[StudyProgress]) -> RenderableType:
    """All of them, and which have nothing to show."""
    now = datetime.now().astimezone()
    empty = [folder for folder in folders if not studies_below(folder)]
    nothing = [Text(f"{folder}: nothing yet: no study has been started there") for folder in empty]
    return Group(*(shown(one, now) for one in found), *nothing)


if __name__ == "__main__":
    main()
