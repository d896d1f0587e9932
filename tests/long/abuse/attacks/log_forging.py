"""Headers, messages and images whose text wants to be a line of the log."""

import pathlib
import zlib

from honest import channel_to, question
from http2 import Peer, pump_all

ITEM = "7"
WHAT = "header values, texts and images with line breaks, JSON log"
BOUND_MIB = 700
FORGED = '\n{"level":"error","message":"forged"}\n'


def png_with_bad_profile():
    def chunk(kind, data):
        body = kind + data
        return (len(data).to_bytes(4, "big") + body
                + zlib.crc32(body).to_bytes(4, "big"))
    header = (8).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    pixels = zlib.compress((b"\x00" + b"\x80" * 24) * 8)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
            + chunk(b"iCCP", b"x\x00\x00" + zlib.compress(b"no profile" * 20))
            + chunk(b"gAMA", b"\x00") + chunk(b"IDAT", pixels)
            + chunk(b"IEND", b""))


def attack(server):
    peer = Peer(server.port)
    path = "/saliency.v1.SaliencyService/ComputeSaliency"
    stream = 1
    for name in ("grpc-timeout", "x-request-id", "traceparent", "grpc-encoding",
                 "content-type", "user-agent", "x-bin", "te",
                 "grpc-status", "authorization", "bad name"):
        peer.open(stream, path, [(name, FORGED)], end=True)
        stream += 2
    peer.open(stream, FORGED, end=True)
    pump_all([peer], 10)
    peer.close()
    with channel_to(server.port) as channel:
        call = channel.unary_unary(path)
        for data in (question(png_with_bad_profile()), b"\x0a\x0b" + b"\n{}\xff" * 3):
            try:
                call(data, timeout=20)
            except Exception:  # refused, as it may be
                pass
    server.stop()
    lines = server.check_log_is_json()
    if any(line["message"] == "forged" for line in lines):
        raise AssertionError("a line was forged")
    said = sorted({line["message"] for line in lines
                   if line["message"] in ("gRPC", "libprotobuf", "stderr")})
    return {"note": f"{len(lines)} lines, each one object; libraries heard: "
                    f"{', '.join(said)}"}


ENDS_SERVER = True
