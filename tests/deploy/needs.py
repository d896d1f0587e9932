"""What a test needs of the machine, or a reason to skip it."""

import importlib
import shutil
import sys

SKIPPED = 77  # what ctest is told to read as "skipped"


def skip(name, package):
    print(f"SKIPPED: {name} is not here (Debian package {package})")
    sys.exit(SKIPPED)


def program(name, package):
    """The path of a program; ends the test as skipped where there is none."""
    return shutil.which(name) or skip(name, package)


def module(name, package):
    """A module of Python; ends the test as skipped where there is none."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return skip(name, package)
