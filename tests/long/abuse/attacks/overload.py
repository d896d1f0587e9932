"""Four times as many calls as the server can answer."""

import json
import statistics
import threading
import time

import grpc

from honest import channel_to, question
from asking import COMPUTE

ITEM = "19"
WHAT = "an open loop at 4 times the measured capacity for 20 s"
BOUND_MIB = 2000
MAY_REFUSE = True
QUEUE = 256
IN_WORK = 2 * 16  # a batch in its pass, another that is rendered
SECONDS = 20


def capacity(server, channels):
    """Calls a second by 16 callers who wait for each answer."""
    done = []
    end = time.monotonic() + 8

    def call(channel):
        method = channel.unary_unary(COMPUTE)
        while time.monotonic() < end:
            method(question(), timeout=60)
            done.append(1)
    threads = [threading.Thread(target=call, args=(c,)) for c in channels]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(done) / 8


def in_server(lines):
    """Seconds from arrival to answer of the calls that were served."""
    calls = [json.loads(line) for line in lines if '"code":"OK"' in line]
    return [call["seconds"] for call in calls]


def p99(seconds):
    return statistics.quantiles(seconds, n=100)[98]


def attack(server):
    channels = [channel_to(server.port) for _ in range(16)]
    rate = capacity(server, channels)
    message = question()
    lines_before = len(server.lines)
    latencies, codes = [], []
    lock = threading.Lock()
    pending = []
    start = time.monotonic()
    number = 0
    while time.monotonic() - start < SECONDS:
        due = start + number / (4 * rate)
        time.sleep(max(0, due - time.monotonic()))
        asked = time.monotonic()
        call = channels[number % 16].unary_unary(COMPUTE).future(message,
                                                                 timeout=60)

        def done(call, asked=asked):
            with lock:
                codes.append(call.code())
                if call.code() == grpc.StatusCode.OK:
                    latencies.append(time.monotonic() - asked)
        call.add_done_callback(done)
        pending.append(call)
        number += 1
    for call in pending:
        try:
            call.result()
        except grpc.RpcError:
            pass
    # What waited at the end of the flood was served after it.
    served = len(latencies) / (time.monotonic() - start)
    here = p99(latencies)
    there = p99(in_server(server.lines[lines_before:]))
    promised = (QUEUE + IN_WORK) / served + 0.5
    for channel in channels:
        channel.close()
    if there > promised:
        raise AssertionError(f"p99 {there:.2f} s > {promised:.2f} s, at the "
                             f"callers {here:.2f} s")
    return {"note": f"{served:.0f} of {4 * rate:.0f} a second served, p99 "
                    f"{there:.2f} s in the server (promised {promised:.2f} s), "
                    f"{here:.2f} s at the callers, "
                    f"{len(codes) - len(latencies)} refused", "calls": None}
