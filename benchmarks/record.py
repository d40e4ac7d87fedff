"""What all benchmarks write: figures, the machine they are about, and the commit that was measured."""

from pathlib import Path

from prefsweep.files import write_json
from prefsweep.provenance import checkout, hardware

ROOT = Path(__file__).resolve().parent.parent


def record(name: str, figures: dict[str, float]) -> None:
    """Write `benchmarks/results/<name>.json` and print it; figures carry their unit in their name."""
    target = ROOT / "benchmarks" / "results" / f"{name}.json"
    write_json(target, {"figures": figures, "machine": hardware(), "commit": checkout(ROOT)})
    print(target.read_text(encoding="utf-8"), end="")
