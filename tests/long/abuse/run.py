"""Runs attacks against servers of their own and prints a table (abuse.sh)."""

import argparse
import importlib
import pathlib
import sys
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from honest import Honest  # noqa: E402
from server import Server  # noqa: E402


def run(attack, program, logs):
    """One attack: the row of its table; raises what went wrong."""
    with Server(program, getattr(attack, "FLAGS", []),
                name=attack.__name__.split(".")[-1], logs=logs,
                **getattr(attack, "LIMITS", {})) as server:
        with Honest(server) as honest:
            outcome = attack.attack(server) or {}
        honest.check(allow_refusals=getattr(attack, "MAY_REFUSE", False),
                     allow_expiry=getattr(attack, "MAY_EXPIRE", False))
        if server.alive():
            honest.one_call()
            server.check_counts(honest.calls, outcome.get("calls"))
        elif not getattr(attack, "ENDS_SERVER", False):
            raise AssertionError(f"the server ended: {server.process.poll()}")
        peak = server.peak_mib()
        if peak > attack.BOUND_MIB:
            raise AssertionError(
                f"resident memory {peak:.0f} MiB > {attack.BOUND_MIB} MiB")
        if server.alive():
            server.stop()
        return [attack.ITEM, attack.WHAT, honest.summary(),
                f"{peak:.0f} of {attack.BOUND_MIB} MiB",
                outcome.get("note", "")]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--keep-logs", type=pathlib.Path)
    parser.add_argument("attacks", nargs="*")
    options = parser.parse_args()
    names = options.attacks or sorted(
        path.stem for path in (HERE / "attacks").glob("*.py"))
    failed = []
    print("| item | attack | others' calls | peak memory | seen |\n"
          "|---|---|---|---|---|", flush=True)
    for name in names:
        attack = importlib.import_module(f"attacks.{name}")
        try:
            row = run(attack, options.server, options.keep_logs)
        except Exception:  # the other attacks are tried all the same
            traceback.print_exc()
            failed.append(name)
            row = [attack.ITEM, attack.WHAT, "", "", "**FAILED**"]
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)
    if failed:
        sys.exit(f"failed: {' '.join(failed)}")


if __name__ == "__main__":
    main()
