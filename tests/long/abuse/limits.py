"""A cgroup with a limit on memory or processes, of whichever kind this machine
lets us write to."""

import contextlib
import os
import pathlib

ROOT = pathlib.Path("/sys/fs/cgroup")


class Group:
    """A cgroup of its own for one program; `None` limits are none."""

    def __init__(self, name, memory=None, pids=None):
        self.folders = {}
        name = f"saliency-abuse-{os.getpid()}-{name}"
        for controller, limit in (("memory", memory), ("pids", pids)):
            if limit is None:
                continue
            unified = (ROOT / "cgroup.controllers").exists()
            folder = (ROOT if unified else ROOT / controller) / name
            files = {"memory": "memory.max" if unified
                     else "memory.limit_in_bytes", "pids": "pids.max"}
            try:
                folder.mkdir(exist_ok=True)
                (folder / files[controller]).write_text(str(limit))
            except OSError:
                continue
            self.folders[controller] = folder

    def limits(self, controller):
        """Whether that limit is in force."""
        return controller in self.folders

    def holds(self, process):
        """Whether all of its limits are in force for that process."""
        return all(str(process) in (folder / "cgroup.procs").read_text().split()
                   for folder in self.folders.values())

    def enter(self):
        """Called in the child, before the program starts."""
        for folder in self.folders.values():
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self):
        """Called when the program has ended."""
        for folder in self.folders.values():
            with contextlib.suppress(OSError):
                folder.rmdir()
