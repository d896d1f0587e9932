"""A drain whose time is up while a worker is in a pass."""

import threading
import time

from asking import META, ask
from attacks.long_meta import question

ITEM = "6"
WHAT = "SIGTERM during MetaSaliency of 1,024 rows, --drain-timeout 500ms"
BOUND_MIB = 2000
FLAGS = ["--drain-timeout=500ms"]
ENDS_SERVER = True
MAY_REFUSE = True


def attack(server):
    thread = threading.Thread(
        target=ask, args=(server, META, question(16, 64), 120))
    thread.start()
    while server.metric("saliency_in_flight") == 0:
        time.sleep(0.05)
    time.sleep(1)
    start = time.monotonic()
    server.tell_to_go()
    code = server.process.wait(60)
    seconds = time.monotonic() - start
    thread.join()
    if code != 4 or seconds > 6:
        raise AssertionError(f"exit code {code} after {seconds:.1f} s")
    return {"note": f"exit code 4 after {seconds:.1f} s"}
