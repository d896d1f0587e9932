#!/usr/bin/python3
"""Checks that a room includes only rooms that it may know.

core/README.md says in a table which rooms each room uses, CMake says what each
target links to, and the sources say what they include.  All three must agree: an
include of a room that is not in the room's row, a row that CMake does not link,
and an entry that nothing includes are errors.  Prints each, with the file.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The room of a file is the longest of these that its path begins with.
TARGETS = {
    "core/base": "saliency_base",
    "core/attribution": "saliency_attribution",
    "core/kernels": "saliency_kernels",
    "core/model": "saliency_model",
    "core/serving": "saliency_serving",
    "core/image": "saliency_image",
    "core/engine": "saliency_engine",
    "server": "saliency_server_lib",
    "client": "saliency_client",
    "client/cli": "saliency_command_line",
}
ROW = re.compile(r"^\| `(\S+)` \| (.*?) \|", re.M)
LINK = re.compile(r"target_link_libraries\((\w+)\s([^)]*)\)")


def room_of(path):
    fitting = [room for room in TARGETS if path.startswith(room + "/")]
    return max(fitting, key=len, default=None)


def told():
    """By README: the rooms that each room uses."""
    text = (ROOT / "core/README.md").read_text()
    rows = {room: set(re.findall(r"`(\S+)`", uses))
            for room, uses in ROW.findall(text) if room in TARGETS}
    return {room: rows.get(room, set()) for room in TARGETS}


def linked():
    """By CMake: the rooms that each room's target comes to, one by one."""
    rooms = {f"saliency::{target.removeprefix('saliency_')}": room
             for room, target in TARGETS.items()}
    rooms["saliency::server"] = "server"
    direct = {room: set() for room in TARGETS}
    for lists in ROOT.glob("**/CMakeLists.txt"):
        for target, links in LINK.findall(lists.read_text()):
            for room, own in TARGETS.items():
                if own == target:
                    direct[room] |= {rooms[link] for link in links.split()
                                     if link in rooms}
    return direct


def included():
    """By the sources: room, room that it includes, file."""
    for room_folder in ("core", "server", "client"):
        for path in sorted((ROOT / room_folder).glob("**/*")):
            if path.suffix not in (".h", ".cc"):
                continue
            file = str(path.relative_to(ROOT))
            for target in re.findall(r'#include "([^"]+)"', path.read_text()):
                other = room_of(target)
                if other is not None and other != room_of(file):
                    yield room_of(file), other, file


def reach(links, room):
    seen, todo = set(), [room]
    while todo:
        for other in links[todo.pop()] - seen:
            seen.add(other)
            todo.append(other)
    return seen


def main():
    faults = []
    allowed, links = told(), linked()
    used = {room: set() for room in TARGETS}
    for room, other, file in included():
        used[room].add(other)
        if other not in allowed[room]:
            faults.append(f"{file}: {room} does not use {other} by core/README.md")
    for room in TARGETS:
        for other in sorted(allowed[room] - used[room]):
            faults.append(f"core/README.md: nothing in {room} includes {other}")
        for other in sorted(allowed[room] - reach(links, room)):
            faults.append(f"{TARGETS[room]} does not link to {TARGETS[other]}")
        for other in sorted(links[room] - allowed[room]):
            faults.append(f"{TARGETS[room]} links to {TARGETS[other]}, which "
                          "core/README.md does not tell")
    print("\n".join(sorted(set(faults))), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
