#!/usr/bin/env bash
# Installs what is missing, builds the preset dev and runs its tests.
#   usage: run.sh [--filter REGEX]
#     --filter REGEX   only the programs of tests whose name matches, as
#                      ctest -R: server_test, end_to_end
# A single test: build/dev/bin/server_test --gtest_filter=PATTERN.
set -euo pipefail
cd "$(dirname "$0")/.."

filter=
case "${1-}" in
  "") ;;
  --filter) filter=${2:?run.sh: --filter needs a REGEX} ;;
  -h | --help)
    sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
    exit
    ;;
  *)
    echo "run.sh: unknown argument $1 (see --help)" >&2
    exit 2
    ;;
esac

deploy/install_packages.sh build run test
deploy/install_packages.sh deploy ||
  echo "run.sh: not all of deploy/packages/deploy.txt is to be had:" \
    "the tests that need it are skipped" >&2
if ! { command -v prometheus && command -v promtool; } >/dev/null; then
  programs=$(tests/deploy/unpack_prometheus.sh build/prometheus) ||
    echo "run.sh: no Prometheus to be had: the tests that need it are skipped" >&2
  PATH=$PATH${programs:+:$programs}
fi
installed=$SECONDS
deploy/build.sh dev
built=$SECONDS

log=build/dev/ctest.log
code=0
ctest --preset dev -j 2 --no-tests=error --output-log $log \
  ${filter:+-R "$filter"} || code=$?

echo
echo "packages $installed s, build $((built - installed)) s," \
  "tests $((SECONDS - built)) s, together $SECONDS s"
grep -E '^[0-9]+% tests passed|^Total Test time' $log
exit $code
