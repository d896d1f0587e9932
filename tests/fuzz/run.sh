#!/bin/bash
# Fuzzes what strangers send, with libFuzzer, AddressSanitizer and
# UndefinedBehaviorSanitizer:
#
#   tests/fuzz/run.sh [SECONDS] [TARGET...]
#
# builds into build/fuzz and runs each target for SECONDS (default 60; 0 builds
# only).  CXX names another clang++ than that of deploy/packages/sanitize.txt.
# What was learnt stays in build/fuzz/found and is where the next run begins.
# Ends with 1 when an input breaks a target; the input is then in
# build/fuzz/broken: run build/fuzz/bin/TARGET INPUT to see it again.  Once the
# cause is mended it belongs into regressions/, which the test suite runs too.
# Bytes at the port of a whole server are http2_fuzz.py's.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${1:-60}
shift || true
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  targets=(image_fuzz model_config_fuzz labels_fuzz layer_weights_fuzz
    voc_annotation_fuzz request_fuzz graph_fuzz)
fi
deploy/install_packages.sh build run test sanitize
cxx=${CXX:-clang++-14}

build=build/fuzz
if [ ! -f $build/build.ninja ]; then
  cmake -S . -B $build -G Ninja -DCMAKE_CXX_COMPILER="$cxx" \
    -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1 \
    -DSALIENCY_FUZZ=ON -DSALIENCY_SANITIZER=address,undefined \
    -DSALIENCY_TESTS=OFF -DSALIENCY_BENCH=OFF
fi
ninja -C $build -j"${JOBS:-2}" "${targets[@]}"
[ "$seconds" -gt 0 ] || exit 0

corpus=$build/tests/fuzz/corpus
for target in "${targets[@]}"; do
  mkdir -p $build/found/"$target" $build/broken $build/log
  options=(-max_total_time="$seconds" -timeout=10 -max_len=8192
    -rss_limit_mb=2048 -malloc_limit_mb=512 -print_final_stats=1
    "-artifact_prefix=$build/broken/$target-")
  [ ! -f $corpus/"$target".dict ] || options+=("-dict=$corpus/$target.dict")
  # Decoders print about broken files; libFuzzer's own words come through.
  [ "$target" != image_fuzz ] || options+=(-close_fd_mask=2)
  log=$build/log/$target
  if ! $build/bin/"$target" "${options[@]}" $build/found/"$target" \
    $corpus/"$target" >"$log" 2>&1; then
    tail -60 "$log"
    echo "$target: broken, see $log and $build/broken" >&2
    exit 1
  fi
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  echo "$target: ${runs} inputs in ${seconds} s," \
    "$(find $build/found/"$target" -type f | wc -l) of them kept, none broken"
done
