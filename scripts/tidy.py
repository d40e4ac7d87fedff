"""Remove the merged weights of a study; what is needed for its report, and the adapters, stay."""

import argparse
import shutil
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study-directories", type=Path, nargs="+", required=True, help="results/<study>")
    directories = parser.parse_args().study_directories
    freed = 0
    for merged in sorted(found for directory in directories for found in directory.glob("runs/*/seed-*/merged")):
        freed += sum(path.stat().st_size for path in merged.rglob("*") if path.is_file())
        shutil.rmtree(merged)
    print(f"{freed / 2**30:.2f} GiB freed; measuring a run again needs its merge again (snakemake --forcerun merge)")


if __name__ == "__main__":
    main()
