#!/usr/bin/python3
"""Sends conversations of HTTP/2 frames, mutated, to a server's port.

  http2_fuzz.py --server PROGRAM [--seconds N] [--seed N] [--logs FOLDER]

PROGRAM is best built with sanitizers (preset asan).  Each conversation has a
connection of its own.  Now and then somebody else asks a plain question, which
must be answered; in the end the server must stop with 0 when it is told to,
which one with a sanitizer's finding does not.  Every conversation comes from
the seed and its number alone: the last ones are printed when something breaks.
Needs python3-grpcio.
"""

import argparse
import pathlib
import random
import socket
import struct
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "long" / "abuse"))

import http2  # noqa: E402
from honest import Honest, question  # noqa: E402
from server import Server  # noqa: E402

PRIORITY, PUSH_PROMISE, CONTINUATION = 2, 5, 9
SERVICE = "/saliency.v1.SaliencyService/"
PATHS = [SERVICE + "ComputeSaliency", SERVICE + "StreamSaliency",
         SERVICE + "CombineLayers", SERVICE + "CalibrateLayerWeights",
         "/saliency.v1.ModelService/ListModels",
         "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch",
         "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/", ""]
FIELDS = [("grpc-timeout", "1S"), ("grpc-timeout", "99999999H"),
          ("grpc-encoding", "gzip"), ("grpc-accept-encoding", "gzip,deflate"),
          ("x-request-id", "a"), ("x-request-id", "\n\x01" + "a" * 300),
          ("authorization", "Bearer x"), ("content-type", "text/plain"),
          ("x-bin-bin", "!!!"), (":path", "/twice"), ("Upper", "case"),
          ("grpc-previous-rpc-attempts", "9999999999")]
READ_S = 0.05  # after a conversation was sent
EVERY = 100  # conversations between two plain questions


def message(chance, body):
    """What follows a call's headers: whole, cut, or of a claimed size."""
    body = chance.choice([body, b"", body[:chance.randrange(len(body))]])
    size = chance.choice([None, None, 0, 1, len(body) + 1, 1 << 31,
                          (1 << 32) - 1])
    return http2.grpc_message(body, size, compressed=chance.random() < 0.1)


def call(chance, stream, body):
    """The frames of one call."""
    fields = chance.sample(FIELDS, chance.choice([0, 0, 1, 2]))
    block = http2.header_block(chance.choice(PATHS), fields)
    if chance.random() < 0.2:
        cut = chance.randrange(len(block))
        frames = [http2.frame(http2.HEADERS, 0, stream, block[:cut]),
                  http2.frame(CONTINUATION, http2.END_HEADERS, stream,
                              block[cut:])]
    else:
        frames = [http2.frame(http2.HEADERS, http2.END_HEADERS, stream, block)]
    for _ in range(chance.choice([0, 1, 1, 2])):
        data = message(chance, body)
        cut = chance.randrange(len(data))
        frames += [http2.frame(http2.DATA, 0, stream, data[:cut]),
                   http2.frame(http2.DATA, chance.choice([0, 1]), stream,
                               data[cut:cut + 16384])]
    return frames


def extra(chance):
    """A frame that may come at any time, on any stream."""
    stream = chance.choice([0, 1, 3, 2, 0x7fffffff])
    number = struct.pack(">I", chance.choice([0, 1, 0x7fffffff, 0xffffffff]))
    return chance.choice([
        http2.frame(http2.SETTINGS, 0, 0, b"".join(
            struct.pack(">HI", chance.randrange(10), chance.choice(
                [0, 1, 16383, 65535, 0x7fffffff, 0xffffffff]))
            for _ in range(chance.randrange(5)))),
        http2.frame(http2.SETTINGS, http2.ACK),
        http2.frame(http2.PING, chance.choice([0, 1]), 0, bytes(8)),
        http2.frame(http2.WINDOW_UPDATE, 0, stream, number),
        http2.frame(http2.RST_STREAM, 0, stream, number),
        http2.frame(http2.GOAWAY, 0, 0, number + number),
        http2.frame(PRIORITY, 0, stream, number + b"\x10"),
        http2.frame(PUSH_PROMISE, 4, stream, number),
        http2.frame(chance.randrange(256), chance.randrange(256), stream,
                    chance.randbytes(chance.randrange(40)))])


def mutate(chance, data):
    """Flips, cuts, repeats or inserts a few bytes."""
    data = bytearray(data)
    for _ in range(chance.choice([0, 1, 1, 2, 5])):
        at = chance.randrange(len(data) or 1)
        kind = chance.randrange(4)
        if kind == 0 and data:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del data[at:at + chance.randrange(1, 20)]
        elif kind == 2:
            data[at:at] = data[at:at + chance.randrange(1, 40)]
        else:
            data[at:at] = chance.randbytes(chance.randrange(1, 10))
    return bytes(data)


def conversation(seed, number, body):
    chance = random.Random(f"{seed} {number}")
    frames = [http2.frame(http2.SETTINGS)]
    for stream in range(1, 2 * chance.choice([1, 1, 2, 8]), 2):
        frames += call(chance, stream, body)
    for _ in range(chance.choice([0, 1, 3, 10])):
        frames.insert(chance.randrange(len(frames) + 1), extra(chance))
    if chance.random() < 0.3:
        chance.shuffle(frames)
    frames = [mutate(chance, frame) if chance.random() < 0.2 else frame
              for frame in frames]
    preface = http2.PREFACE
    if chance.random() < 0.05:
        preface = mutate(chance, preface)
    return preface + b"".join(frames)


def send(port, data):
    """Sends, and reads until nothing comes; the bytes that came."""
    received = 0
    with http2.connect(port) as peer:
        peer.settimeout(READ_S)
        try:
            peer.sendall(data)
            while part := peer.recv(1 << 16):
                received += len(part)
        except (TimeoutError, ConnectionError, socket.timeout):
            pass
    return received


def run(options):
    body = question()
    number = answered = 0
    with Server(options.server, name="http2_fuzz",
                logs=options.logs) as server:
        honest = Honest(server)
        end = time.monotonic() + options.seconds
        try:
            while time.monotonic() < end:
                answered += send(server.port, conversation(
                    options.seed, number, body)) > 0
                number += 1
                if number % EVERY == 0:
                    honest.one_call()
            honest.one_call()
            server.stop()
        except Exception:
            print(f"broken at conversation {number} of seed {options.seed}:\n"
                  + "".join(server.lines[-60:]), file=sys.stderr)
            raise
    print(f"{number} conversations, {answered} of them answered with "
          f"something, {honest.calls['ComputeSaliency']} questions beside them",
          flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--server", required=True)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--logs", type=pathlib.Path)
    run(parser.parse_args())


if __name__ == "__main__":
    main()
