#!/usr/bin/env bash
# Builds the suite with sanitizers and runs it: slower than CI has time for.
#   usage: sanitize.sh asan|tsan [--filter REGEX]
#     asan             AddressSanitizer and UndefinedBehaviorSanitizer, all
#                      suites (needs deploy/packages/build.txt and test.txt)
#     tsan             ThreadSanitizer, base and engine: Debian's gRPC is not
#                      instrumented (needs sanitize.txt too)
#     --filter REGEX   asan: only the programs whose name matches, as ctest -R
set -euo pipefail
cd "$(dirname "$0")/.."

die() {
  echo "sanitize.sh: $* (see --help)" >&2
  exit 2
}

run_asan() {
  cmake --preset asan --log-level=WARNING
  cmake --build --preset asan
  ctest --test-dir build/asan --output-on-failure --no-tests=error \
    ${filter:+-R "$filter"}
}

run_tsan() {
  [[ ! $filter ]] || die "--filter is for asan"
  cmake --preset tsan --log-level=WARNING
  cmake --build --preset tsan --target base_test engine_test
  local suite
  for suite in base engine; do
    # Addresses at random may lie where the sanitizer keeps its own.
    TSAN_OPTIONS="suppressions=$PWD/tests/tsan.supp" \
      setarch --addr-no-randomize "build/tsan/bin/${suite}_test" --gtest_brief=1
  done
}

preset=${1-}
filter=
if [[ ${2-} ]]; then
  [[ $2 == --filter ]] || die "unknown argument $2"
  filter=${3:?sanitize.sh: --filter needs a REGEX}
fi
case $preset in
  asan | tsan) "run_$preset" ;;
  -h | --help) sed -n '2,/^set /s/^# \{0,1\}//p' "$0" ;;
  *) die "asan or tsan?" ;;
esac
