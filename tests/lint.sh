#!/usr/bin/env bash
# Checks the form of the sources, which no compiler minds.
#   usage: lint.sh [CHECK...]   default: all
#     format     C++ is laid out as clang-format 14 does it
#     safety     clang's thread-safety analysis of base, engine, server and client
#     tidy       clang-tidy 14, on the files of base, engine, server and client
#                that differ from $LINT_BASE (default HEAD~1); at most ten minutes
#     shell      shellcheck on every script
#     paths      no file names a path of somebody's machine
#     packages   what CMake looks for stands in deploy/packages/
#     rooms      includes and CMake's links are those that core/README.md tells
# Runs all of them, then fails if one did.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
readonly tidy_seconds=420  # none is begun later; one takes up to two minutes

check_format() {
  git ls-files -z '*.cc' '*.h' |
    xargs -0 clang-format-14 --dry-run -Werror
}

# Generates the messages' headers in a configured folder.
generate_protos() {
  ninja -C "$1" -t targets all |
    sed -n 's/^\(proto\/.*\.pb\.h\): .*/\1/p' |
    xargs ninja -C "$1" --quiet
}

# The analysis happens before code is generated, so none is.
check_safety() {
  local build=build/safety
  cmake --preset tidy -B $build -DCMAKE_CXX_COMPILER=clang++-14 \
    -DSALIENCY_UNITY=ON -DSALIENCY_TESTS=OFF --log-level=WARNING >/dev/null &&
    generate_protos $build || return 1
  ninja -C $build -t commands saliency_base saliency_engine \
    saliency_server_lib saliency_client saliency_command_line |
    grep -E -- ' -c [^ ]*/(core/base|core/engine|server|client)/[^ ]*$' |
    sed -e 's/ -MD -MT [^ ]* -MF [^ ]*//' -e 's/ -o [^ ]* -c / -fsyntax-only /' |
    (cd $build && xargs -P "$(nproc)" -d '\n' -n 1 bash -c)
}

# The sources that changed, or whose header did; a fixed few when none did, so
# that a change of .clang-tidy or of the compiler shows.
files_to_tidy() {
  local changed
  changed=$(git diff --name-only --diff-filter=d "${LINT_BASE:-HEAD~1}" -- \
    core/base core/engine server client | sed -n 's/\.\(cc\|h\)$/.cc/p' |
    sort -u | xargs -r ls -d 2>/dev/null)
  if [[ $changed ]]; then
    echo "$changed"
  else
    printf '%s\n' core/base/thread_pool.cc core/engine/run/batcher.cc \
      server/services/health_registry.cc client/cli/ordered_fan_out.cc
  fi
}

# Runs clang-tidy on one file; past the deadline it says so instead.
tidy_file() {
  if ((EPOCHSECONDS > tidy_deadline)); then
    echo "not looked at for want of time: $1"
  else
    clang-tidy-14 --quiet -p build/tidy "$1" 2> >(
      grep -v -E '^[0-9]+ warnings? (generated|treated)|^Suppressed' >&2)
  fi
}

check_tidy() {
  cmake --preset tidy -DCMAKE_CXX_COMPILER=clang++-14 --log-level=WARNING &&
    generate_protos build/tidy || return 1
  export -f tidy_file
  export tidy_deadline=$((EPOCHSECONDS + tidy_seconds))
  files_to_tidy | xargs -P "$(nproc)" -I {} bash -c 'tidy_file {}'
}

check_shell() {
  git grep -lE '^#!.*\<(ba|da)?sh$' | xargs shellcheck -S warning
}

# The folders that people and machines work in, apart from those that a
# container's image itself makes.
check_paths() {
  ! git grep -nI -E '(^|[^A-Za-z0-9._/-])/(root|work|home|Users|farm)/' -- .
}

# Each name that a find_package or find_path in CMake asks for is the comment
# of a package (threads and OpenMP come with the compiler).
check_packages() {
  local name missing=0
  for name in $(git grep -hoE '(find_package\(|find_path\([A-Z0-9_]+ )[A-Za-z0-9/._-]+' \
    -- '*CMakeLists.txt' | sed 's/.*[( ]//' | sort -u); do
    [[ $name =~ ^(Threads|OpenMP|Python3)$ ]] ||
      grep -qE "# $name( |,|\$)" deploy/packages/{build,test,bench}.txt || {
      echo "no package in deploy/packages/ has the comment \"$name\""
      missing=1
    }
  done
  return $missing
}

check_rooms() {
  /usr/bin/python3 tests/lint/rooms.py
}

main() {
  local started check failed=()
  (($#)) || set -- format shell paths packages rooms safety tidy
  for check in "$@"; do
    started=$EPOCHSECONDS
    "check_$check" || failed+=("$check")
    echo "lint: $check took $((EPOCHSECONDS - started)) s"
  done
  ((${#failed[@]} == 0)) || {
    echo "lint: FAILED: ${failed[*]}"
    return 1
  }
}

case "${1-}" in
  -h | --help) sed -n '2,/^set /s/^# \{0,1\}//p' "$0" ;;
  *) main "$@" ;;
esac
