#!/usr/bin/env bash
# Builds the preset bench, exports the networks that are measured, with random
# weights, and runs every benchmark.
#   usage: run.sh [--quick] [--filter REGEX] [--json FILE]
#     --quick          3 rounds of each case: minutes instead of ten
#     --filter REGEX   only the cases whose name matches
#     --json FILE      also write the rows as a JSON list
# Ends with a code other than 0 when a case misses its target.
set -euo pipefail
invoked_from=$PWD
cd "$(dirname "$0")/../.."

# Each is called as NAME MODELS [--rounds N] [--filter REGEX] [--json FILE],
# prints its rows, and fails when one misses its target (see ratio.h).
benches=(pass_bench method_bench serving_bench sweep_bench)
networks=(resnet50 vgg16)
models=build/bench/models
python=/usr/bin/python3  # the one that Debian's python3-torch belongs to

export_networks() {
  local network
  for network in "${networks[@]}"; do
    [[ -f $models/$network/1/model.pt ]] && continue
    # Written elsewhere first: half a file is never mistaken for a network.
    rm -rf "$models.part"
    $python deploy/export/torchvision_model.py "$network" --seed 1 \
      --out "$models.part" >/dev/null
    mkdir -p $models
    rm -rf "${models:?}/$network"
    mv "$models.part/$network" $models/
    echo "exported $network"
  done
}

# One JSON list out of those that the benchmarks wrote.
join_rows() {
  $python -c 'import json, sys
rows = [row for path in sys.argv[1:] for row in json.load(open(path))]
print(json.dumps(rows, indent=1))' "$@"
}

main() {
  local options=() json=
  while (($#)); do
    case $1 in
      --quick) options+=(--rounds 3) ;;
      --filter)
        options+=(--filter "${2:?run.sh: --filter needs a REGEX}")
        shift
        ;;
      --json)
        json=$(cd "$invoked_from" && realpath "${2:?run.sh: --json needs a FILE}")
        shift
        ;;
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

  deploy/install_packages.sh build run bench
  deploy/build.sh bench "${benches[@]}"
  export_networks
  local bench code=0 written=()
  for bench in "${benches[@]}"; do
    rm -f "build/bench/$bench.json"
    "build/bench/bin/$bench" $models "${options[@]}" \
      --json "build/bench/$bench.json" || code=$?
    [[ ! -f build/bench/$bench.json ]] || written+=("build/bench/$bench.json")
  done
  [[ ! $json ]] || join_rows "${written[@]}" >"$json"
  echo "benchmark: $SECONDS s"
  return $code
}

main "$@"
