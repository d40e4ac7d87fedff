"""What a browser prints, read back: poppler's `pdftotext` tells every word of a PDF and where it stands."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests import debian

PROGRAM = "/usr/bin/pdftotext"
_XHTML = "{http://www.w3.org/1999/xhtml}"


@dataclass(frozen=True)
class Word:
    """Where it stands on its page, in points from the left."""

    text: str
    left: float
    right: float


@dataclass(frozen=True)
class Sheet:
    """One printed page, in points."""

    width: float
    words: list[Word]

    def beyond(self, margin: float) -> list[str]:
        """Words that stand within so many points of an edge, or off the paper."""
        ends = (margin, self.width - margin)
        return [word.text for word in self.words if word.left < ends[0] or word.right > ends[1]]


def sheets(pdf: Path) -> list[Sheet]:
    """The pages of a PDF; what reads it is installed first where it is missing. Raises NotInstallable."""
    debian.ensure([PROGRAM], ["poppler-utils"])
    read = subprocess.run([PROGRAM, "-bbox", pdf, "-"], check=True, capture_output=True)
    return [_sheet(page) for page in ElementTree.fromstring(read.stdout).iter(f"{_XHTML}page")]


def _sheet(page: ElementTree.Element) -> Sheet:
    words = [
        Word(word.text or "", float(word.attrib["xMin"]), float(word.attrib["xMax"]))
        for word in page.iter(f"{_XHTML}word")
    ]
    return Sheet(float(page.attrib["width"]), words)
