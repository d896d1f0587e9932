#!/usr/bin/env bash
# Configures a preset of CMakePresets.json when it has to be, and builds it with
# as many jobs as there are processors and memory for.
#   usage: build.sh PRESET [TARGET...]      default: all targets
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:?usage: build.sh PRESET [TARGET...]}
shift
build=build/$preset

# A unit of files that include LibTorch takes up to 2 GB to compile.
jobs_that_fit() {
  local processors gigabytes
  processors=$(nproc)
  gigabytes=$(awk '/^MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo)
  local jobs=$((gigabytes / 2 < processors ? gigabytes / 2 : processors))
  echo $((jobs < 1 ? 1 : jobs))
}

# Lets a second clone find what a first one compiled.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

# A cache newer than the presets, and a build file: configured to the end.
if [[ ! -f $build/build.ninja ||
      CMakePresets.json -nt $build/CMakeCache.txt ]]; then
  cmake --preset "$preset" --log-level=WARNING
fi
targets=()
for target in "$@"; do targets+=(--target "$target"); done
cmake --build "$build" -j "$(jobs_that_fit)" "${targets[@]}"
