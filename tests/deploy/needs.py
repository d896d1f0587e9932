"""What a test needs of the machine, or a reason to skip it."""

import shutil
import sys

SKIPPED = 77  # what ctest is told to read as "skipped"


def program(name, package):
    """The path of a program; ends the test as skipped where there is none."""
    path = shutil.which(name)
    if path is None:
        print(f"SKIPPED: {name} is not here (Debian package {package})")
        sys.exit(SKIPPED)
    return path
