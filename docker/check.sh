#!/usr/bin/env bash
# Tries the recipe of the Dockerfile where no container engine runs: the same
# scripts, in a bare Debian 13 that tests/debian13.sh lays out, and then the
# server in the image that they make - as a user without rights, in a tree that
# is read-only.
#   usage: check.sh [--cuda]
#     --cuda   the cuda flavour without cuDNN, whose licence is refused: it is
#              compiled and linked, but cannot be run
# The roots, in ${TMPDIR:-/tmp}, stay for the next time: about 4 GB, and 10 GB
# for --cuda.  Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."

user=10001
sample=deploy/models/voc-emoji/samples/bus-cow-horse-train
classes=(bus train)
seconds_to_start=120
# Those that run no programs of their own, which want more than the root has.
room_tests=(base_test attribution_test image_test model_test model_golden_test
  engine_test engine_model_test server_test client_test)

die() {
  echo "check.sh: $*" >&2
  exit 1
}

flavor=cpu
case "${1-}" in
  "") ;;
  --cuda) flavor=cuda ;;
  -h | --help)
    sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
    exit
    ;;
  *) die "unknown argument $1 (see --help)" ;;
esac
[[ $(id -u) == 0 ]] || die "must be root, for chroot and mount"

# Mounts are made in a namespace of our own, which ends with us.
if [[ ! ${SALIENCY_CHECK_NAMESPACE-} ]]; then
  SALIENCY_CHECK_NAMESPACE=1 exec unshare --mount --propagation private \
    "$PWD/docker/check.sh" "$@"
fi

folder=${TMPDIR:-/tmp}/saliency-docker-$flavor
# The packages of the two flavours exclude each other.
[[ $flavor == cpu ]] || export TMPDIR=$folder
root=${TMPDIR:-/tmp}/saliency-trixie
image=$root/image
mounted=$folder/run
mkdir -p "$mounted"

report=()
started=$SECONDS
# Ends a step, with what there is to say about it.
done_with() {
  report+=("$(printf '%-9s %s, %d s' "$1" "$2" $((SECONDS - started)))")
  echo "== ${report[-1]}"
  started=$SECONDS
}

# In the root's copy of this tree.
in_root() {
  tests/debian13.sh "$@"
}

version_of() {
  # shellcheck disable=SC2016  # dpkg-query's own variable
  in_root dpkg-query --show --showformat='${Version}' "$1"
}

build_failed() {
  die "the build failed: $(tail -n 30 "$folder/build.log")"
}

# configure_tests [CMAKE_OPTION...]
configure_tests() {
  in_root cmake --preset release --log-level=WARNING -DSALIENCY_TESTS=ON "$@" \
    >"$folder/build.log" || build_failed
}

# build [TARGET...]
build() {
  in_root deploy/build.sh release "$@" >>"$folder/build.log" || build_failed
}

# Prints how many passed.
run_tests() {
  local program log=$folder/tests.log
  : >"$log"
  for program in "${room_tests[@]}"; do
    in_root "build/release/bin/$program" >>"$log" 2>&1 ||
      { grep -E '^\[  FAILED' "$log" || tail -n 20 "$log"
        die "$program failed in the Debian 13 root; see $log"; } >&2
  done
  awk '/^\[==========\].* ran\./ {tests += $2; programs++}
       /^\[  SKIPPED \] [0-9]+ test/ {skipped += $4}
       END {printf "%d in %d programs passed, %d of them skipped",
            tests, programs, skipped}' "$log"
}

# The image as a container sees it: read-only, with a /proc and a bare /dev.
mount_image() {
  mount --bind "$image" "$mounted"
  mount -o remount,ro,bind "$mounted"
  mount -t proc -o ro proc "$mounted/proc"
  mount -t tmpfs -o size=64k tmpfs "$mounted/dev"
  local device
  for device in null zero urandom; do
    touch "$mounted/dev/$device"
    mount --bind "/dev/$device" "$mounted/dev/$device"
  done
  mount -o remount,ro "$mounted/dev"
}

# As the Dockerfile's USER, with no other groups and so with no capability.
in_image=(env -i "$(command -v chroot)" "--userspec=$user:$user" "--groups=$user" "$mounted")

check_image_is_bare() {
  local tools
  tools=$(find "$image" -path '*/bin/*' \( -name '*sh' -o -name 'python*' \
    -o -name perl -o -name apt -o -name busybox \))
  [[ -z $tools ]] || die "the image has more than it needs: $tools"
  ! touch "$mounted/models/new" 2>/dev/null || die "the tree can be written"
}

# Starts as the container does, but on free loopback ports, which the log tells.
start_server() {
  "${in_image[@]}" /usr/bin/saliency-server --config=/etc/saliency/server.toml \
    --listen-address=127.0.0.1:0 --health-address=127.0.0.1:0 \
    --metrics-address=127.0.0.1:0 --drain-delay=0s 2>"$folder/server.log" &
  server=$!
  trap 'kill "$server" 2>/dev/null || true' EXIT
  local deadline=$((SECONDS + seconds_to_start))
  until port_of grpc >/dev/null && is_healthy; do
    kill -0 "$server" 2>/dev/null || die "the server ended: $(<"$folder/server.log")"
    ((SECONDS < deadline)) || die "not healthy within $seconds_to_start s"
    sleep 0.1
  done
}

port_of() {
  grep -m 1 -o "\"$1_port\":[0-9]*" "$folder/server.log" | cut -d : -f 2
}

# The container's own health check.
is_healthy() {
  "${in_image[@]}" /usr/bin/saliency health --server "127.0.0.1:$(port_of health)" \
    --timeout 3s >/dev/null 2>&1
}

explain() {
  local targets=() class
  for class in "${classes[@]}"; do targets+=(--target "$class"); done
  # The image comes from outside: the image holds none.
  mount -t tmpfs -o size=4m tmpfs "$mounted/tmp"
  cp $sample.jpg "$mounted/tmp/image.jpg"
  chmod 644 "$mounted/tmp/image.jpg"
  mount -o remount,ro "$mounted/tmp"
  "${in_image[@]}" /usr/bin/saliency explain /tmp/image.jpg --model voc-emoji "${targets[@]}" \
    --server "127.0.0.1:$(port_of grpc)" --method linear_approximation \
    --layer layer4 >"$folder/explain.txt"
  for class in "${classes[@]}"; do
    awk -v class="$class" -v asked="${classes[*]}" -f deploy/check_point.awk \
      "$folder/explain.txt" $sample.xml
  done
}

# Of the process that serves, not of the shell that started it.
user_of_server() {
  awk '/^Uid|^Gid|^CapEff|^NoNewPrivs/ {printf "%s %s ", $1, $2}' \
    "/proc/$server/status"
}

stop_server() {
  local code=0
  kill -TERM "$server"
  wait "$server" || code=$?
  [[ $code == 0 ]] || die "the server ended with code $code"
  trap - EXIT
}

check_cpu() {
  in_root docker/install_build.sh cpu no test >"$folder/install.log"
  done_with packages "LibTorch $(version_of libtorch-dev)"
  # The Dockerfile's context has no tests.
  in_root bash -c 'rm -rf tests build/release/build.ninja && docker/build.sh' \
    >"$folder/build.log" || build_failed
  done_with build "server and client"
  configure_tests
  build "${room_tests[@]}"
  done_with build "tests of the rooms"
  local passed
  passed=$(run_tests)
  done_with tests "$passed"
  rm -rf "$image"
  in_root docker/collect_image.sh /image
  done_with image "$(du -sm "$image" | cut -f 1) MB in $(find "$image" -type f | wc -l) files"
  mount_image
  check_image_is_bare
  start_server
  done_with start "SERVING as $(user_of_server)"
  explain
  done_with explain "points of ${classes[*]} in their boxes"
  report+=("memory    $(awk '/VmRSS/ {print int($2 / 1024)}' "/proc/$server/status") MB resident after that")
  stop_server
  done_with stop "exit code 0"
}

# As far as it goes without cuDNN: the linker is told to let its names be.  What
# cannot be run need not be optimised.
check_cuda() {
  in_root docker/install_build.sh cuda no test >"$folder/install.log"
  done_with packages "LibTorch $(version_of libtorch-cuda-dev), cuDNN refused"
  local linker=-Wl,--unresolved-symbols=ignore-in-shared-libs
  configure_tests "-DCMAKE_EXE_LINKER_FLAGS=$linker" \
    -DCMAKE_CXX_FLAGS_RELEASE="-O0 -DNDEBUG"
  build
  done_with build "server, client and tests compiled and linked"
  in_root ldd build/release/bin/saliency-server >"$folder/ldd.txt"
  grep -q libtorch_cuda "$folder/ldd.txt" ||
    die "the server is not linked against CUDA's LibTorch"
  done_with missing "$(awk '/not found/ {printf "%s ", $1}' "$folder/ldd.txt")"
}

check_$flavor
echo
echo "docker/check.sh, flavour $flavor: all well after $SECONDS s"
printf '  %s\n' "${report[@]}"
