"""A limit on processes that is too low to start."""

ITEM = "19"
WHAT = "a pids limit of 12"
BOUND_MIB = 4096
LIMITS = {"pids": 12, "expect_start": False}
ENDS_SERVER = True


def attack(server):
    if not server.group.limits("pids"):
        return {"note": "not tried: no cgroup to write to"}
    code = server.process.wait(60)
    text = "".join(server.lines)
    if code != 1 or "threads that the server needs" not in text:
        raise AssertionError(f"exit code {code}: {text}")
    return {"note": "exit code 1, naming the limit"}
