// The structs that travel through the engine: Job (what a caller asked for) ->
// PassItem (what the model has to do for it, explainer.h) -> Explanation (the
// answer).  No proto here: server/convert makes and reads these.
// Value types; thread-compatible.

#ifndef SALIENCY_CORE_ENGINE_JOB_H_
#define SALIENCY_CORE_ENGINE_JOB_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/attribution/attribution.h"
#include "core/attribution/combination_weights.h"
#include "core/attribution/combine.h"
#include "core/base/cancel_token.h"
#include "core/base/input_config.h"
#include "core/model/probe.h"

namespace saliency {

// JPEG, PNG, WebP, BMP or TIFF bytes.
struct EncodedImage {
  std::string bytes;
};
// Already preprocessed: [C,H,W] or [N,C,H,W] float32, little-endian, row-major;
// C as InputConfig::channels.
struct TensorInput {
  std::vector<int64_t> shape;
  std::string data;
};
// A map computed earlier: [height,width] float32, little-endian, row-major.
struct GivenMap {
  std::string layer;
  int64_t height = 0;
  int64_t width = 0;
  std::string data;
};
// Maps of one image and one class.  A job of these asks no model: its model,
// targets and score mean nothing, and it may have combinations only.
struct PrecomputedMaps {
  std::vector<GivenMap> maps;  // shallow to deep
  std::string image;           // as EncodedImage::bytes; empty: none
};
using JobInput = std::variant<EncodedImage, TensorInput, PrecomputedMaps>;

struct Label {
  std::string text;  // a line of labels.txt
};
// Adds `weight` times the score of a further class to a target's.
struct JobTerm {
  std::variant<ClassIndex, Label> target;
  double weight = 1;
};

using NamedTarget =
    std::variant<RankFromTop, ClassIndex, RankFromBottom, Label>;
struct JobTarget : NamedTarget {
  using NamedTarget::NamedTarget;

  std::vector<JobTerm> others;
};

struct JobAttribution {
  Attribution attribution;
  std::vector<std::string> layers;  // empty: the model's default layers
};

struct LayerWeight {
  std::string layer;
  double weight = 0;
};

// One way to join the maps of several layers.
struct JobCombination {
  std::optional<Attribution> attribution;  // none for PrecomputedMaps
  // Shallow to deep; empty: those of `weights`, else the model's
  // combine_layers (all that are given).
  std::vector<std::string> layers;
  Weighting weighting = Weighting::kUniform;
  CombineRule rule = CombineRule::kSum;
  std::vector<LayerWeight> weights;  // kExplicit only: each layer once
};

enum class OutputSize { kImage, kLayer, kModelInput, kExplicit };
enum class MapEncoding {
  kNone,
  kFloat32,
  kPng16,
  kColourPng,
  kOverlayPng,
  kOverlayJpeg,
  kOverlayWebp
};
inline bool IsOverlay(MapEncoding encoding) {
  return encoding == MapEncoding::kOverlayPng ||
         encoding == MapEncoding::kOverlayJpeg ||
         encoding == MapEncoding::kOverlayWebp;
}

struct OutputOptions {
  OutputSize size = OutputSize::kImage;
  int64_t height = 0;  // kExplicit only
  int64_t width = 0;
  bool normalise = true;
  double smooth_sigma = 0;  // fraction of the longer side, in [0, 0.5]
  MapEncoding encoding = MapEncoding::kFloat32;
  std::string colour_map;  // empty: inferno, or coolwarm for signed maps
  float overlay_opacity = 0.65F;
  bool overlay_title = true;
  bool overlay_colour_bar = true;
  // kImage only: the longest side, pixels; 0: the image's.  None:
  // kLookedAtSide (shown_size.h) for colours and overlays, else the image's.
  std::optional<int64_t> max_side;
  // What the caller can receive; 0: EngineLimits::max_answer_bytes.
  int64_t max_answer_bytes = 0;
};

// A meta step (model/probe.h) as a caller asks for it.
struct JobMetaStep {
  double epsilon = MetaStep().epsilon;  // in [0, 1]
  MetaDirection direction = MetaDirection::kDescent;
  std::optional<MetaLoss> loss;  // none: by the model's output activation
};

// Which maps a job's maps are compared with, by Spearman's rank correlation at
// the size of the maps, before they are normalised.
enum class Correlate {
  kNone,
  kPlain,    // the same map of the model as it is; needs a meta step
  kTargets,  // those of the first target with those of the second
  kStages,   // those of a cascade's stage 0, with absolute values as well
};

// How often a job is told of at most.
inline constexpr absl::Duration kSampleProgressEvery = absl::Milliseconds(500);

// How many samples have been run; targets of an image share them.
struct SampleProgress {
  int64_t done = 0;
  int64_t total = 0;  // of all images and variants
};

struct Job {
  std::string request_id;
  // Who asks: callers take turns, and each has a bounded share of what may
  // wait. Empty: nobody in particular, whose share is all.
  std::string caller;
  std::string model;    // empty: the only model there is
  int64_t version = 0;  // 0: the highest that is ready
  JobInput input;
  std::vector<JobTarget> targets;            // empty: the predicted class
  std::vector<JobAttribution> attributions;  // these, the combinations and the
  std::vector<JobCombination> combinations;  // pooled layers: at least one
  bool layer_maps = false;  // the maps of the combinations' layers too
  // Spatial layers whose features, averaged over positions, are wanted as well
  // as, or instead of, maps; they alone need no backward.
  std::vector<std::string> pooled_layers;
  Score score = Score::kLogit;
  std::optional<JobMetaStep> meta;  // none: the model as it is
  bool plain_maps = false;          // with `meta`: the maps without it too
  Correlate correlate = Correlate::kNone;
  OutputOptions output;
  int top_k = 5;  // how many classes with scores the answer lists
  absl::Time deadline = absl::InfiniteFuture();
  // Hears how far a job with samples is, each kSampleProgressEvery at most, on
  // any thread and under no lock; perhaps still when it has just been answered.
  // Null: nobody wants to know.
  std::function<void(const SampleProgress& progress)> on_progress;
  // Of this job alone; the engine sets its listener.  Null: cannot be
  // cancelled.
  std::shared_ptr<CancelToken> cancel;

  // Whether the maps of the model as it is are needed beside the stepped ones.
  bool needs_plain() const {
    return meta.has_value() && (plain_maps || correlate == Correlate::kPlain);
  }
};

struct ClassScore {
  int64_t index = 0;
  std::string label;  // empty when the model has no labels
  float logit = 0;
  std::optional<float> probability;  // none: the logit is a plain value
};

// One target x attribution x layer of one image.
struct MapResult {
  absl::Status status;  // not OK: only the names below are set
  int image = 0;        // indices into the job
  int target = 0;
  int attribution = 0;
  std::string method;  // Attribution::name()
  std::string layer;
  // The resolved class and what was differentiated, at theta' after a meta
  // step.
  ClassScore explained;
  std::string others_text;  // what the score is besides: "- cat"
  float score = 0;
  int64_t height = 0;  // of the map
  int64_t width = 0;
  float raw_min = 0;  // before normalising, inside `region`
  float raw_max = 0;
  int64_t point_y = 0;  // argmax, pixels of the map
  int64_t point_x = 0;
  int64_t image_y = 0;  // the same place on the image
  int64_t image_x = 0;
  bool is_signed = false;  // 0 is neutral, and values below speak against
  bool constant = false;
  std::string warning;  // why the map may say nothing; empty for most
  // Of integrated gradients: the raw map's sum less score(x) - score(baseline).
  std::optional<double> completeness_gap;
  // Where the model looked, in pixels of the map: all of it but for a centre
  // crop at image size.
  PixelRect region;
  MapEncoding encoding = MapEncoding::kNone;
  std::string data;
};

// One layer's part in a combined map.
struct LayerShare {
  std::string layer;
  double weight = 0;      // in this map; 0 where it was left out
  bool constant = false;  // its map said nothing and was left out
  std::string warning;    // as in MapResult
};

// One target x combination of one image.
struct CombinedResult {
  // In [0,1] as the combination gives it; `attribution` is the index into
  // Job::combinations, `layer` is empty.
  MapResult map;
  Weighting weighting = Weighting::kUniform;
  CombineRule rule = CombineRule::kSum;
  std::vector<LayerShare> shares;  // empty when the map has failed
};

struct ImageInfo {
  int64_t height = 0;  // as decoded (a tensor input: the tensor's size)
  int64_t width = 0;
  std::vector<ClassScore> top;  // by descending logit
  std::vector<float> pooled;    // of Job::pooled_layers, one after another
};

struct StageTimes {
  absl::Duration decode;
  absl::Duration queue;
  absl::Duration forward;  // of the whole batch this job rode in
  absl::Duration backward;
  absl::Duration aggregate;
  absl::Duration render;
};

struct Explanation {
  std::string model;
  int64_t version = 0;
  std::vector<ImageInfo> images;
  std::vector<MapResult> results;  // image-major, then target, attribution,
                                   // layer
  std::vector<CombinedResult> combined;  // image-major, then target,
                                         // combination
  // Of combinations, when asked for: image-major, then target, then each
  // (method, layer) once; `attribution` is the first combination that names it.
  std::vector<MapResult> layer_maps;
  // With Job::plain_maps: what `results` and `combined` are without the step.
  std::vector<MapResult> plain_results;
  std::vector<CombinedResult> plain_combined;
  // As Job::correlate asks; none: undefined (one map is constant, not finite or
  // failed).  kPlain, kStages: one for each of `results` and `combined`.
  // kTargets: one for each image and attribution x layer, or combination.
  std::vector<std::optional<double>> correlations;
  std::vector<std::optional<double>> combined_correlations;
  // kStages: as correlations, of the maps' absolute values.
  std::vector<std::optional<double>> absolute_correlations;
  int batch_requests = 1;  // how many requests shared the passes
  int batch_rows = 1;
  StageTimes times;
  // Stands for the memory of the answer: to be kept until that has left.
  std::shared_ptr<void> hold;
};

// Runs exactly once per submitted job, on any thread.
using JobDone = std::function<void(absl::StatusOr<Explanation>)>;

// Takes a job and answers it exactly once: Engine::Submit, or a test's own.
using SubmitJob = std::function<void(Job job, JobDone done)>;

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_JOB_H_
