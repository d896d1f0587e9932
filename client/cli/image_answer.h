// One image: asked about, answered, and its files written.
// Safe from several threads at once for different images.

#ifndef SALIENCY_CLIENT_CLI_IMAGE_ANSWER_H_
#define SALIENCY_CLIENT_CLI_IMAGE_ANSWER_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/cli/image_files.h"
#include "client/cli/map_pixels.h"
#include "client/saliency_client.h"
#include "core/base/cancel_token.h"
#include "core/base/clock.h"
#include "saliency/v1/saliency_service.pb.h"

namespace saliency {

// What is written for each image; empty paths: nothing.
struct SavePlan {
  std::string overlay;  // a file, or "-", for a single result
  std::string out_dir;  // a folder, names from OutputName()
  // Which files go into out_dir: images that end in this (empty: none), npy.
  std::string out_image = ".png";
  bool out_npy = false;
  MapStyle style;

  bool any() const { return !overlay.empty() || !out_dir.empty(); }
};

struct MapFiles {
  std::string image;
  std::string npy;
  std::string bytes;    // of the PNG for standard output, which is not written
  absl::Status status;  // of writing them
};

// What MetaSaliency tells of a map.
struct MetaMark {
  bool stepped = true;  // false: the map of the model as it is
  std::string method;   // its name alone
  // With the map of the model as it is; none: undefined, or not asked for.
  std::optional<double> correlation;
};

struct ImageAnswer {
  std::string path;
  absl::Status status;  // of the call
  // Of CombineLayers: the combined maps, with words for a layer ("product
  // linear"), then the layers' own.  Of MetaSaliency: each stepped map, its
  // method as "meta norm_grad", and after it the plain one when asked for.
  v1::ComputeSaliencyResponse response;
  std::vector<MetaMark> meta;  // of MetaSaliency, one for each map
  bool correlated = false;     // whether stepped maps' correlations are told
  // What the first maps are combinations of, without pixels.
  std::vector<v1::CombinedMap> combined;
  std::vector<MapFiles> files;  // one for each map
  absl::Duration took;          // from sending to the answer

  // Whether the call, that map and its files are all well.
  absl::Status MapStatus(int map) const;
};

// Sends `request` with the image at `file` and saves what `plan` wants.  What
// goes wrong is in the answer.
ImageAnswer AnswerImage(const SaliencyClient& client,
                        v1::ComputeSaliencyRequest request,
                        const ImageFile& file, const SavePlan& plan,
                        const std::shared_ptr<CancelToken>& cancel,
                        Clock& clock);

ImageAnswer AnswerImage(const SaliencyClient& client,
                        v1::CombineLayersRequest request, const ImageFile& file,
                        const SavePlan& plan,
                        const std::shared_ptr<CancelToken>& cancel,
                        Clock& clock);

ImageAnswer AnswerImage(const SaliencyClient& client,
                        v1::MetaSaliencyRequest request, const ImageFile& file,
                        const SavePlan& plan,
                        const std::shared_ptr<CancelToken>& cancel,
                        Clock& clock);

// The same of a request that was sent on a stream; `took` is how long the
// answer took.
ImageAnswer AnswerImage(absl::StatusOr<v1::StreamSaliencyResponse> response,
                        const ImageFile& file, const SavePlan& plan,
                        absl::Duration took);

// Errors: INTERNAL when a map's data does not have the size it claims.
absl::Status CheckMaps(const v1::ComputeSaliencyResponse& response);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_IMAGE_ANSWER_H_
