#!/bin/sh
# Generates the Python messages and stubs of saliency.v1.
#   usage: make_stubs.sh [FOLDER]      default: build/python of this checkout
# Needs protobuf-compiler, protobuf-compiler-grpc, python3-protobuf and
# python3-grpcio.  Prints the folder, which belongs on PYTHONPATH.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
out=${1:-$root/build/python}
mkdir -p "$out"
protoc -I "$root/proto" \
  --plugin=protoc-gen-grpc_python="$(command -v grpc_python_plugin)" \
  --python_out="$out" --grpc_python_out="$out" \
  "$root"/proto/saliency/v1/*.proto
echo "$out"
