#!/usr/bin/env bash
# Remakes the tables and plots of this folder: the paper's experiments with the
# bundled model, on scenes on photographs that it was not trained on.
#   usage: run.sh [--scenes N] [--work DIR] [--out DIR] [STEP...]
#     --scenes N   test scenes, and as many others to calibrate on (1000)
#     --work DIR   scenes, models and journals, kept for the next time: a step
#                  that was interrupted goes on (build/paper, and with another
#                  N build/paper-N)
#     --out DIR    where tables and plots go (this folder; with another N
#                  WORK/results)
#   STEPs, all of them by default:
#     pointing     calibrates, then plays the pointing game (Tables 3, 5, 6;
#                  Figs. 3, 9)
#     pixels       the pointing game at the pixels, on fewer scenes: methods that
#                  take many passes are among them
#     classes      sensitivity to the class, with and without meta (Figs. 6, 7)
#     weights      sensitivity to the weights (sec. 4.5, Fig. 13)
#     identity     the virtual identity against real convolutions (Table 4)
#     meta         steps in both directions on the samples (Fig. 12)
#     training     meta against plain maps over training (Fig. 10); trains a
#                  model of its own
set -euo pipefail
cd "$(dirname "$0")/../.."

bin=build/release/bin
# shellcheck source=deploy/local_server.sh
source deploy/local_server.sh
model=voc-emoji
samples=(deploy/models/"$model"/samples/*.jpg)
shown=bus-cow-horse-train  # the sample whose images are kept
python=/usr/bin/python3  # the one that Debian's python3-torch belongs to
methods=(gradient gradient_sum linear_approximation grad_cam norm_grad
  selective_norm_grad)
# With a backward rule of their own: slower after a meta step, and left out there.
rule_methods=(deconvnet guided_backprop excitation_backprop
  contrastive_excitation_backprop)
pixel_methods=(gradient deconvnet guided_backprop smooth_grad
  integrated_gradients)
layers=(relu layer1 layer2 layer3 layer4)
checkpoints=(1 6 11 16 19 23 27 31 34 37 40 43)  # of 43; the first is untrained
checkpoint_scenes=100
pixel_scenes=100
identity_scenes=40  # two maps for each of 20 convolutions and target
checkpoint_training=1000

say() { printf '\n== %s\n' "$*"; }

# make_scenes NAME SPLIT SEED COUNT
make_scenes() {
  [[ ! -d $work/scenes/$1 ]] || return 0
  say "Scenes: $1"
  rm -rf "$work/scenes/$1" "$work/scenes/$1.part"
  mkdir -p "$work/scenes"
  $python deploy/models/$model/scenes.py --out "$work/scenes/$1.part" \
    --split "$2" --seed "$3" --count "$4"
  mv "$work/scenes/$1.part" "$work/scenes/$1"
}

# A repository of our own, whose layer weights we may write.
serve_model() {
  stop_server
  mkdir -p "$work/models/$model"
  cp -r deploy/models/$model/{config.pbtxt,labels.txt,1} "$work/models/$model/"
  start_server "$work/server" $model --models "$work/models" --allow-calibration
}

# The repeated flags.
method_flags() { printf -- '--method %s ' "$@"; }
layer_flags() { printf -- '--layer %s ' "${layers[@]}"; }

# keep FROM TO: the tables and plots of an evaluation, not its journal.
keep() {
  mkdir -p "$results/$2"
  rm -f "$results/$2"/*
  cp "$1"/summary.* "$1"/*.png "$results/$2/"
}

pointing() {
  say "Calibration"
  [[ -f $work/calibrated ]] || {
    "$bin/saliency" calibrate "$work/scenes/calibration" --set train --seed 1 \
      --data "$scenes scenes of voc-emoji's generator, seed 8" \
      --out "$results/layer_weights.pbtxt" | tee "$results/calibration.txt"
    touch "$work/calibrated"
  }
  say "Pointing game"
  # shellcheck disable=SC2046
  "$bin/saliency" evaluate pointing-game "$work/scenes/test" \
    $(method_flags "${methods[@]}" "${rule_methods[@]}") $(layer_flags) \
    --out-dir "$work/pointing"
  keep "$work/pointing" pointing
}

# Maps at the pixels are smoothed, as is usual.
pixels() {
  say "Pointing game at the pixels"
  # shellcheck disable=SC2046
  "$bin/saliency" evaluate pointing-game "$work/scenes/test" \
    $(method_flags "${pixel_methods[@]}") --layer input \
    --combination uniform+sum --smooth 0.02 --limit $pixel_scenes \
    --timeout 10m \
    --out-dir "$work/pixels"
  keep "$work/pixels" pixels
}

classes() {
  say "Sensitivity to the class"
  # shellcheck disable=SC2046
  "$bin/saliency" evaluate class-sensitivity "$work/scenes/test" \
    $(method_flags "${methods[@]}") $(layer_flags) --meta \
    --out-dir "$work/classes"
  keep "$work/classes" classes
  say "Sensitivity to the class: backward rules"
  # shellcheck disable=SC2046
  "$bin/saliency" evaluate class-sensitivity "$work/scenes/test" \
    $(method_flags "${rule_methods[@]}") $(layer_flags) \
    --out-dir "$work/classes-rules"
  keep "$work/classes-rules" classes-rules
}

identity() {
  say "Virtual identity against real convolutions"
  "$bin/saliency" evaluate identity-check "$work/scenes/test" \
    --limit $identity_scenes --out-dir "$work/identity"
  keep "$work/identity" identity
}

weights() {
  local kind options
  for kind in weights weights-meta; do
    say "Sensitivity to the weights: $kind"
    options=(--sheet)
    [[ $kind == weights ]] || options=(--meta)
    # shellcheck disable=SC2046
    "$bin/saliency" evaluate weight-sensitivity "${samples[@]}" \
      $(method_flags "${methods[@]}") --layer layer3 "${options[@]}" \
      --out-dir "$work/$kind"
    keep "$work/$kind" $kind
    find "$results/$kind" -name '*_sheet*.png' ! -name "$shown*" -delete
    find "$results/$kind" -name '*_sheet*.png' -exec $python -c "$shrink" {} \;
  done
  # One rule a run: a study's maps share one.
  local method
  for method in "${rule_methods[@]}"; do
    say "Sensitivity to the weights: $method"
    "$bin/saliency" evaluate weight-sensitivity "${samples[@]}" \
      --method "$method" --layer layer3 --out-dir "$work/weights-$method"
    keep "$work/weights-$method" "weights-$method"
  done
}

# 256 colours: a sheet takes 3 MB with all of them.
shrink='import sys
from PIL import Image
sheet = Image.open(sys.argv[1]).convert("RGB").quantize(256)
sheet.save(sys.argv[1], optimize=True)'

# A class of which the model is sure hardly moves a map: those asked for are not
# its first guess.
meta() {
  say "Meta-saliency on the samples"
  rm -rf "$work/meta" "$results/meta"
  mkdir -p "$results/meta"
  local direction
  for direction in descent ascent; do
    "$bin/saliency" meta "${samples[@]}" --target top:3 --target bottom \
      --method norm_grad --method linear_approximation --layer layer3 \
      --direction $direction --plain --correlation --size input \
      --out-dir "$work/meta/$direction" | sed 's|deploy.*samples/||; s| -> .*||' |
      tee "$results/meta/$direction.txt"
    mkdir -p "$results/meta/$direction"
    cp "$work/meta/$direction/$shown"* "$results/meta/$direction/"
  done
}

# A model of its own, as it was before training and after each epoch, as the
# versions of a model folder.
train() {
  [[ ! -f $work/trained ]] || return 0
  say "Training"
  rm -rf "$work/checkpoints"
  $python deploy/models/$model/train.py --cache "$work/cache" \
    --count $checkpoint_training --test-count 200 \
    --checkpoints "$work/checkpoints" --out "$work/last.pt" |
    tee "$work/train.txt"
  touch "$work/trained"
}

# The checkpoints as the versions of one model.
serve_checkpoints() {
  local kept=$work/checkpoint-models/$model version
  mkdir -p "$kept"
  grep -v '^sha256' deploy/models/$model/config.pbtxt >"$kept/config.pbtxt"
  cp deploy/models/$model/labels.txt "$kept/"
  for version in "${checkpoints[@]}"; do
    cp -r "$work/checkpoints/$version" "$kept/"
  done
  stop_server
  start_server "$work/server" $model --models "$work/checkpoint-models"
  wait_until "load all checkpoints" all_are_loaded
}

all_are_loaded() {
  [[ $("$bin/saliency" models --json | grep -o '"state":"ready"' | wc -l) == \
    "${#checkpoints[@]}" ]]
}

# One line for each checkpoint and set: version, set, how many correlations are
# defined and how many are not, and their mean, on scenes of the checkpoint's own
# training and on held-out ones.
training() {
  train
  make_scenes trained-on train 1 $checkpoint_scenes
  serve_checkpoints
  say "Meta against plain maps over training"
  mkdir -p "$results/training"
  cp "$work/train.txt" "$results/training/"
  local version set
  for version in "${checkpoints[@]}"; do
    for set in trained-on test; do
      find "$work/scenes/$set/JPEGImages" -name '*.jpg' | sort |
        sed -n "1,${checkpoint_scenes}p" |
        xargs "$bin/saliency" meta --model-version "$version" --json \
          --method norm_grad --layer layer3 --correlation |
        $python -c "$mean_correlation" "$version" $set
    done
  done | tee "$results/training/correlation.csv"
  serve_model
}

# Reads one JSON object a line.
mean_correlation='import json, statistics, sys
values = [json.loads(line).get("plain_correlation") for line in sys.stdin]
known = [value for value in values if value is not None]
print(*sys.argv[1:], len(known), len(values) - len(known),
      f"{statistics.fmean(known):.4f}" if known else "", sep=",")'

main() {
  local scenes=1000 work='' results='' steps=()
  while (($#)); do
    case $1 in
      --scenes)
        scenes=${2:?run.sh: --scenes needs a number}
        shift
        ;;
      --work)
        work=${2:?run.sh: --work needs a folder}
        shift
        ;;
      --out)
        results=${2:?run.sh: --out needs a folder}
        shift
        ;;
      -h | --help)
        sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
        return
        ;;
      pointing | pixels | classes | weights | identity | meta | training) steps+=("$1") ;;
      *)
        echo "run.sh: unknown argument $1 (see --help)" >&2
        return 2
        ;;
    esac
    shift
  done
  ((${#steps[@]})) || steps=(pointing pixels classes weights identity meta training)
  if [[ $scenes == 1000 ]]; then
    : "${work:=build/paper}" "${results:=tests/paper}"
  else
    : "${work:=build/paper-$scenes}" "${results:=$work/results}"
  fi
  mkdir -p "$work" "$results"

  deploy/install_packages.sh build run train
  deploy/build.sh release saliency-server saliency
  make_scenes test test 7 "$scenes"
  make_scenes calibration train 8 "$scenes"
  trap stop_server EXIT
  serve_model
  local step started
  for step in "${steps[@]}"; do
    started=$SECONDS
    "$step"
    say "$step: $((SECONDS - started)) s"
  done
  stop_server
}

main "$@"
