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
#include "core/base/cancel_token.h"
#include "core/base/input_config.h"
#include "core/model/probe.h"

namespace saliency {

// JPEG, PNG, WebP, BMP or TIFF bytes.
struct EncodedPicture {
  std::string bytes;
};
// Already preprocessed: [3,H,W] or [N,3,H,W] float32, little-endian, row-major.
struct TensorInput {
  std::vector<int64_t> shape;
  std::string data;
};
using JobInput = std::variant<EncodedPicture, TensorInput>;

struct Label {
  std::string text;  // a line of labels.txt
};
using JobTarget = std::variant<RankFromTop, ClassIndex, RankFromBottom, Label>;

struct JobAttribution {
  Attribution attribution;
  std::vector<std::string> layers;  // empty: the model's default layers
};

enum class OutputSize { kPicture, kLayer, kModelInput, kExplicit };
enum class MapEncoding { kNone, kFloat32, kPng16, kColourPng, kOverlayPng };

struct OutputOptions {
  OutputSize size = OutputSize::kPicture;
  int64_t height = 0;  // kExplicit only
  int64_t width = 0;
  bool normalise = true;
  double smooth_sigma = 0;  // fraction of the longer side, in [0, 0.5]
  MapEncoding encoding = MapEncoding::kFloat32;
  std::string colour_map;  // empty: inferno, or coolwarm for signed raw maps
  float overlay_opacity = 0.55F;
  bool overlay_title = true;
};

struct Job {
  std::string request_id;
  std::string model;    // empty: the only model there is
  int64_t version = 0;  // 0: the highest that is ready
  JobInput input;
  std::vector<JobTarget> targets;            // empty: the predicted class
  std::vector<JobAttribution> attributions;  // at least one
  Score score = Score::kLogit;
  OutputOptions output;
  int top_k = 5;  // how many classes with scores the answer lists
  absl::Time deadline = absl::InfiniteFuture();
  // Of this job alone; the engine sets its listener.  Null: cannot be
  // cancelled.
  std::shared_ptr<CancelToken> cancel;
};

struct ClassScore {
  int64_t index = 0;
  std::string label;  // empty when the model has no labels
  float logit = 0;
  float probability = 0;  // softmax or sigmoid, as the model is configured
};

// One target x attribution x layer of one picture.
struct MapResult {
  absl::Status status;  // not OK: only the names below are set
  int picture = 0;      // indices into the job
  int target = 0;
  int attribution = 0;
  std::string method;  // Attribution::name()
  std::string layer;
  ClassScore explained;  // resolved class; `score` is what was differentiated
  float score = 0;
  int64_t height = 0;  // of the map
  int64_t width = 0;
  float raw_min = 0;  // before normalising, inside `region`
  float raw_max = 0;
  int64_t point_y = 0;  // argmax, pixels of the map
  int64_t point_x = 0;
  bool constant = false;
  // Where the model looked, in pixels of the map: all of it but for a centre
  // crop at picture size.
  PixelRect region;
  MapEncoding encoding = MapEncoding::kNone;
  std::string data;
};

struct PictureInfo {
  int64_t height = 0;  // as decoded (a tensor input: the tensor's size)
  int64_t width = 0;
  std::vector<ClassScore> top;  // by descending logit
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
  std::vector<PictureInfo> pictures;
  std::vector<MapResult> results;  // picture-major, then target, attribution,
                                   // layer
  int batch_requests = 1;          // how many requests shared the passes
  int batch_rows = 1;
  StageTimes times;
};

// Runs exactly once per submitted job, on any thread.
using JobDone = std::function<void(absl::StatusOr<Explanation>)>;

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_JOB_H_
