#!/usr/bin/env bash
# Step 1 of the image: what compiles the server, on a bare Debian 13.
#   usage: install_build.sh FLAVOR [ACCEPT_NVIDIA_LICENCE [GROUP...]]
#     FLAVOR                  cpu, or cuda: Debian's CUDA build of LibTorch
#     ACCEPT_NVIDIA_LICENCE   yes: cuDNN is downloaded from NVIDIA under its
#                             licence; no (default): it stays away, and what is
#                             linked cannot run
#     GROUP                   more lists of deploy/packages/, as test
set -euo pipefail
cd "$(dirname "$0")/.."
flavor=${1:?usage: install_build.sh cpu|cuda [yes|no [GROUP...]]}
licence=${2:-no}
shift $(($# < 2 ? $# : 2))
groups=(build run "$@")

# CUDA is in contrib, its libraries in non-free.
open_non_free() {
  local file
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.sources; do
    [[ -f $file ]] || continue
    sed -i -E -e '/^deb /s/ main.*/ main contrib non-free/' \
      -e 's/^Components:.*/Components: main contrib non-free/' "$file"
  done
}

# The package asks, and downloads only after a yes.
answer_cudnn() {
  local answer="I Decline"
  [[ $licence != yes ]] || answer="I Agree"
  echo "nvidia-cudnn nvidia-cudnn/question select $answer" |
    debconf-set-selections
}

install_cuda() {
  local packages
  mapfile -t packages < <(deploy/install_packages.sh --list "${groups[@]}" |
    sed 's/^libtorch-dev$/libtorch-cuda-dev/')
  open_non_free
  answer_cudnn
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q update
  # LibTorch's CMake files ask for nvcc, though nothing of ours needs it.
  apt-get -q -y install --no-install-recommends "${packages[@]}" \
    nvidia-cuda-toolkit
}

case $flavor in
  cpu) deploy/install_packages.sh "${groups[@]}" ;;
  cuda) install_cuda ;;
  *)
    echo "install_build.sh: no flavor \"$flavor\": cpu or cuda" >&2
    exit 2
    ;;
esac
