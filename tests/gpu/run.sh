#!/usr/bin/env bash
# Builds base, attribution and model without the services, on a machine with a
# GPU and an upstream LibTorch, and runs their tests and the benchmark there.
#   usage: run.sh [--torch PREFIX] [--models DIR]
#     --torch PREFIX   where LibTorch is: default what python3's torch brings;
#                      "system" takes the distribution's
#     --models DIR     networks to measure, DIR/resnet50/1/model.pt and so on;
#                      default: exported here, given python3's torchvision
#     SALIENCY_DEPS    in the environment: a folder into which libabsl-dev,
#                      libgtest-dev, libgmock-dev and nlohmann-json3-dev were
#                      unpacked (dpkg-deb -x); default: those installed
# Without a GPU it runs the tests of the CPU alone and measures nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=build/gpu

torch_prefix() {
  python3 -c 'import torch; print(torch.utils.cmake_prefix_path)' 2>/dev/null
}

# LibTorch's CMake files ask for the CUDA compiler.
find_nvcc() {
  local nvcc=/usr/local/cuda/bin/nvcc
  if ! command -v nvcc >/dev/null && [[ -x $nvcc ]]; then
    export CUDACXX=$nvcc
  fi
}

has_gpu() { nvidia-smi -L >/dev/null 2>&1; }

configure() {
  local prefixes=()
  [[ $torch == system ]] || prefixes+=("$torch")
  [[ ! ${SALIENCY_DEPS-} ]] || prefixes+=("$(realpath "$SALIENCY_DEPS")/usr")
  local joined
  joined=$(IFS=';' && echo "${prefixes[*]-}")
  cmake -S . -B $build -G Ninja --log-level=WARNING \
    -DCMAKE_BUILD_TYPE=Release -DSALIENCY_SERVICES=OFF \
    -DCMAKE_PREFIX_PATH="$joined"
}

measure() {
  if [[ ! $models ]]; then
    if ! python3 -c 'import torchvision' 2>/dev/null; then
      echo "no benchmark: python3 has no torchvision to export networks with;" \
        "give them by --models DIR" >&2
      return
    fi
    models=$build/models
    local network
    for network in resnet50 vgg16; do
      [[ -f $models/$network/1/model.pt ]] ||
        python3 deploy/export/torchvision_model.py "$network" --seed 1 \
          --out $models
    done
  fi
  $build/bin/pass_bench "$models" --device cuda:0 --json $build/pass_bench.json
}

main() {
  torch=
  models=
  while (($#)); do
    case $1 in
      --torch) torch=${2:?run.sh: --torch needs a PREFIX} && shift ;;
      --models) models=${2:?run.sh: --models needs a DIR} && shift ;;
      -h | --help)
        sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
        return
        ;;
      *)
        echo "run.sh: unknown argument $1 (see --help)" >&2
        return 2
        ;;
    esac
    shift
  done
  if [[ ! $torch ]]; then
    torch=$(torch_prefix) || {
      echo "run.sh: python3 has no torch; say --torch PREFIX or --torch system" >&2
      return 1
    }
  fi

  find_nvcc
  configure
  cmake --build $build -j "$(nproc)"
  ctest --test-dir $build --output-on-failure --no-tests=error
  if has_gpu; then
    measure
  else
    echo "no GPU here: the tests on it were skipped, and nothing is measured"
  fi
}

main "$@"
