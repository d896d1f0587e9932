"""Calibrations that were opened and left."""

import threading
import time

from honest import channel_to

ITEM = "11"
WHAT = "50 calibrations opened without a word, then SIGTERM"
BOUND_MIB = 1000
FLAGS = ["--allow-calibration"]
ENDS_SERVER = True
MAY_REFUSE = True


def attack(server):
    over = threading.Event()

    def nothing():
        over.wait()
        yield from ()

    channel = channel_to(server.port)
    calls = [channel.stream_stream(
        "/saliency.v1.ModelService/CalibrateLayerWeights")(nothing())
        for _ in range(50)]
    time.sleep(2)
    seconds = server.stop()  # exit code 0
    over.set()
    codes = {call.code().name for call in calls}
    channel.close()
    if seconds > 10:
        raise AssertionError(f"{seconds:.1f} s")
    return {"note": f"exit code 0 after {seconds:.1f} s, {codes}"}
