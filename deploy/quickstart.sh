#!/usr/bin/env bash
# From a fresh clone to explained images: installs what is missing, builds the
# server and the client, starts the server on loopback with the bundled models
# and explains a photograph of two animals.
#   usage: quickstart.sh [--keep]
#     --keep   leave the server running and print its address
# Writes out/quickstart/.  A second run installs and builds nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

out=out/quickstart
bin=build/release/bin
model=efficientnet_lite0
sample=deploy/models/$model/samples/ram-hen
classes=(ram hen)
unsure_class=hen
method=grad_cam
layer=stage7

# shellcheck source=deploy/local_server.sh
source deploy/local_server.sh

say() { printf '\n== %s\n' "$*"; }
die() {
  echo "quickstart: $*" >&2
  exit 1
}

install_packages() {
  say "Packages"
  deploy/install_packages.sh build run
}

build() {
  say "Release build"
  deploy/build.sh release saliency-server saliency
}

serve() {
  say "Server"
  mkdir -p $out
  rm -f $out/*.png
  start_server $out $model --models deploy/models
  "$bin/saliency" models
}

explain() {
  say "Explaining ${sample##*/}.jpg: ${classes[*]}"
  local targets=() class
  for class in "${classes[@]}"; do targets+=(--target "$class"); done
  "$bin/saliency" explain $sample.jpg --model $model "${targets[@]}" \
    --method $method --layer $layer --top-k 4 --out-dir $out | tee $out/explain.txt
}

# The model was given no box.  Each map's maximum must lie on an object of the
# class that it explains, and on none of the others that were asked about.
check_points() {
  say "Where the maps are largest, against the annotated boxes"
  local class
  for class in "${classes[@]}"; do
    awk -v class="$class" -v asked="${classes[*]}" -f deploy/check_point.awk \
      $out/explain.txt $sample.xml
  done
}

contact_sheet() {
  say "Contact sheet: layers down, methods across"
  "$bin/saliency" grid $sample.jpg --model $model --target "${classes[0]}" \
    --out $out/contact_sheet.png >$out/contact_sheet.txt
  echo "$(grep -c " @ " $out/contact_sheet.txt) maps of one request"
}

combine_layers() {
  say "Combining layers: ${classes[0]}"
  "$bin/saliency" combine $sample.jpg --model $model --target "${classes[0]}" \
    --method $method --rule product --overlay $out/combined.png
}

# Of a class that the model is sure of there is little left to learn.
meta_saliency() {
  say "Meta-saliency: $unsure_class, after one step of SGD on the image"
  "$bin/saliency" meta $sample.jpg --model $model --target $unsure_class \
    --method $method --layer $layer --plain --correlation --out-dir $out
}

report() {
  say "Images"
  printf '%s\n' $out/*.png
  if [[ $keep ]]; then
    say "The server goes on at $SALIENCY_SERVER"
    echo "  export SALIENCY_SERVER=$SALIENCY_SERVER"
    echo "  $bin/saliency explain YOUR.jpg --model $model --overlay FILE.png"
    echo "  kill $server    # ends it"
    server=  # no longer ours to stop
  fi
}

main() {
  keep=
  case "${1-}" in
    --keep) keep=1 ;;
    "") ;;
    -h | --help)
      sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
      return
      ;;
    *) die "unknown argument $1 (see --help)" ;;
  esac
  trap stop_server EXIT
  trap 'exit 130' INT TERM

  install_packages
  local installed=$SECONDS
  build
  local built=$SECONDS
  serve
  explain
  check_points
  contact_sheet
  combine_layers
  meta_saliency
  report
  stop_server
  say "Done: packages $installed s, build $((built - installed)) s," \
    "explaining $((SECONDS - built)) s, together $SECONDS s"
}

main "$@"
