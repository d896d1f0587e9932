#!/usr/bin/env bash
# Remakes the tables and plots of this folder: the paper's experiments with the
# bundled model, on scenes on photographs that it was not trained on.
#   usage: run.sh [--scenes N] [--work DIR] [STEP...]
#     --scenes N   test scenes, and as many others to calibrate on (1000)
#     --work DIR   scenes, models and journals, kept for the next time: a step
#                  that was interrupted goes on (build/paper)
#   STEPs, all of them by default:
#     pointing     calibrates, then plays the pointing game (Tables 3, 5, 6;
#                  Figs. 3, 9)
#     classes      sensitivity to the class, with and without meta (Figs. 6, 7)
#     weights      sensitivity to the weights (sec. 4.5, Fig. 13)
#     identity     the virtual identity against real convolutions (Table 4)
#     meta         steps in both directions on the samples (Fig. 12)
#     training     meta against plain maps over training (Fig. 10); trains a
#                  model of its own
# With 1000 scenes all but the last take about two hours on two cores.
set -euo pipefail
cd "$(dirname "$0")/../.."

bin=build/release/bin
# shellcheck source=deploy/local_server.sh
source deploy/local_server.sh
results=tests/paper
model=voc-emoji
python=/usr/bin/python3  # the one that Debian's python3-torch belongs to
methods=(gradient gradient_sum linear_approximation grad_cam norm_grad
  selective_norm_grad)
layers=(relu layer1 layer2 layer3 layer4)
checkpoints=(1 6 11 16 19 23 27 31 34 37 40 43)  # of 43; the first is untrained
checkpoint_scenes=100
checkpoint_training=1600

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
copy_model() {
  mkdir -p "$work/models/$model"
  cp -r deploy/models/$model/{config.pbtxt,labels.txt,1} "$work/models/$model/"
}

# options METHODS|LAYERS: the repeated flags.
method_flags() { printf -- '--method %s ' "${methods[@]}"; }
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
      --out $results/layer_weights.pbtxt | tee $results/calibration.txt
    touch "$work/calibrated"
  }
  say "Pointing game"
  # shellcheck disable=SC2046
  "$bin/saliency" evaluate pointing-game "$work/scenes/test" \
    $(method_flags) $(layer_flags) --out-dir "$work/pointing"
  keep "$work/pointing" pointing
}

classes() {
  say "Sensitivity to the class"
  # shellcheck disable=SC2046
  "$bin/saliency" evaluate class-sensitivity "$work/scenes/test" \
    $(method_flags) $(layer_flags) --meta --out-dir "$work/classes"
  keep "$work/classes" classes
}

identity() {
  say "Virtual identity against real convolutions"
  "$bin/saliency" evaluate identity-check "$work/scenes/test" \
    --out-dir "$work/identity"
  keep "$work/identity" identity
}

weights() {
  say "Sensitivity to the weights"
  # shellcheck disable=SC2046
  "$bin/saliency" evaluate weight-sensitivity deploy/models/$model/samples/*.jpg \
    $(method_flags) --layer layer3 --out-dir "$work/weights"
  keep "$work/weights" weights
}

meta() {
  say "Meta-saliency on the samples"
  mkdir -p $results/meta
  rm -f $results/meta/*
  local direction
  for direction in descent ascent; do
    "$bin/saliency" meta deploy/models/$model/samples/bus-cow-horse-train.jpg \
      --target bus --target train --method norm_grad --layer layer3 \
      --direction $direction --correlation --out-dir "$work/meta-$direction" |
      tee "$work/meta-$direction.txt"
  done
}

# A model of its own, as it was before training and after each epoch, as the
# versions of a model folder.
train() {
  [[ ! -f $work/trained ]] || return 0
  say "Training"
  rm -rf "$work/checkpoints"
  $python deploy/models/$model/train.py --cache "$work/cache" \
    --count $checkpoint_training --test-count 500 \
    --checkpoints "$work/checkpoints" --out "$work/last.pt" |
    tee "$work/train.txt"
  touch "$work/trained"
}

# One line for each checkpoint: version, and the mean correlation and count on
# scenes of its own training and on held-out ones.
training() {
  train
  make_scenes trained-on train 1 $checkpoint_scenes
  local version set kept=$work/checkpoint-models/$model
  mkdir -p "$kept"
  cp deploy/models/$model/{config.pbtxt,labels.txt} "$kept/"
  for version in "${checkpoints[@]}"; do
    cp -r "$work/checkpoints/$version" "$kept/"
  done
  stop_server
  start_server "$work/server" $model --models "$work/checkpoint-models"
  say "Meta against plain maps over training"
  mkdir -p $results/training
  for version in "${checkpoints[@]}"; do
    for set in trained-on test; do
      find "$work/scenes/$set/JPEGImages" -name '*.jpg' | sort |
        sed ${checkpoint_scenes}q |
        xargs "$bin/saliency" meta --model-version "$version" --json \
          --method norm_grad --layer layer4 --correlation |
        $python -c "$mean_correlation" "$version" $set
    done
  done | tee $results/training/correlation.csv
}

# Reads one JSON object a line.
mean_correlation='import json, statistics, sys
values = [json.loads(line).get("plain_correlation") for line in sys.stdin]
known = [value for value in values if value is not None]
print(*sys.argv[1:], len(known), len(values) - len(known),
      f"{statistics.fmean(known):.4f}" if known else "", sep=",")'

main() {
  local scenes=1000 work=build/paper steps=()
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
      -h | --help)
        sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
        return
        ;;
      pointing | classes | weights | identity | meta | training) steps+=("$1") ;;
      *)
        echo "run.sh: unknown argument $1 (see --help)" >&2
        return 2
        ;;
    esac
    shift
  done
  ((${#steps[@]})) || steps=(pointing classes weights identity meta training)

  deploy/install_packages.sh build run train
  deploy/build.sh release saliency-server saliency
  make_scenes test test 7 "$scenes"
  make_scenes calibration train 8 "$scenes"
  copy_model
  trap stop_server EXIT
  start_server "$work/server" $model --models "$work/models" --allow-calibration
  local step
  for step in "${steps[@]}"; do "$step"; done
  stop_server
  say "Done in $SECONDS s"
}

main "$@"
