"""Create the Python environments of this project, or bring them up to date. Needs nothing but Python 3.11."""

import argparse
import sys

if sys.version_info[:2] != (3, 11):
    found = f"{sys.executable} is Python {sys.version.split()[0]}"
    sys.exit(f"prefsweep needs Python 3.11; {found}.\n  Try: python3.11 {' '.join(sys.argv)}")

from prefsweep.environments import DEVICES, NAMES, OTHERS, SetupError, ensure, is_current


def main() -> None:
    """Parse the command line and set up what it names."""
    arguments = _parse()
    if arguments.check:
        stale = [name for name in arguments.environments if not is_current(name, arguments.device)]
        sys.exit(f"not up to date: {' '.join(stale)}" if stale else 0)
    try:
        ensure(arguments.environments, arguments.device)
    except SetupError as error:
        sys.exit(f"setup: {error}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=DEVICES, default="cpu", help="which engine builds (default: cpu)")
    parser.add_argument("--check", action="store_true", help="exit 1, naming them, if any are not up to date")
    parser.add_argument(
        "environments",
        nargs="*",
        metavar="ENVIRONMENT",
        help=f"any of {', '.join(NAMES)} (all of these by default), {', '.join(OTHERS)}",
    )
    arguments = parser.parse_args()
    arguments.environments = tuple(dict.fromkeys(arguments.environments)) or NAMES
    if unknown := set(arguments.environments) - {*NAMES, *OTHERS}:
        parser.error(f"no such environment: {', '.join(sorted(unknown))}")
    return arguments


if __name__ == "__main__":
    main()
