#include "client/cli/image_answer.h"

#include <limits>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "client/cli/console.h"
#include "client/cli/npy.h"
#include "client/cli/output_name.h"
#include "client/cli/result_text.h"
#include "core/base/atomic_file.h"
#include "core/base/status.h"
#include "core/image/image.h"
#include "core/image/preprocess.h"

namespace saliency {
namespace {

// The image is our own file and was accepted by the server: no limits here.
DecodeLimits NoLimits() {
  return {.max_bytes = std::numeric_limits<int64_t>::max(),
          .max_pixels = std::numeric_limits<int64_t>::max()};
}

// `to_output` gets the bytes when `path` stands for standard output.
absl::Status WriteImage(const Image& image, const v1::SaliencyMap& map,
                        const MapStyle& style, const std::string& path,
                        std::string& to_output) {
  ASSIGN_OR_RETURN(std::string file,
                   MapFile(image, map, style, CodingFor(path)));
  if (path != kStandardOutput) return WriteFileAtomically(path, file);
  to_output = std::move(file);
  return absl::OkStatus();
}

// The image as the maps show it: scaled once for all of them.
absl::StatusOr<Image> DecodeFor(const std::string& bytes,
                                const v1::ComputeSaliencyResponse& response,
                                const MapStyle& style) {
  ASSIGN_OR_RETURN(Image image, DecodeImage(bytes, NoLimits()));
  if (!style.over_image) return image;
  for (const v1::SaliencyMap& map : response.maps()) {
    if (map.status().code() != 0) continue;
    return ResizeImage(image, map.height(), map.width());
  }
  return image;
}

// Fills in `files` as they come into being.
absl::Status SaveMap(const Image& image, const v1::SaliencyMap& map,
                     const SavePlan& plan, const std::string& name,
                     MapFiles& files) {
  if (!plan.overlay.empty()) {
    RETURN_IF_ERROR(
        WriteImage(image, map, plan.style, plan.overlay, files.bytes));
    files.image = plan.overlay == kStandardOutput ? "stdout" : plan.overlay;
  }
  if (plan.out_dir.empty()) return absl::OkStatus();
  const std::string base = absl::StrCat(plan.out_dir, "/", name);
  if (!plan.out_image.empty()) {
    const std::string path = base + plan.out_image;
    RETURN_IF_ERROR(WriteImage(image, map, plan.style, path, files.bytes));
    files.image = path;
  }
  if (plan.out_npy) {
    files.npy = base + ".npy";
    return WriteFileAtomically(
        files.npy, EncodeNpy(map.height(), map.width(), map.data()));
  }
  return absl::OkStatus();
}

absl::Status SaveMaps(const std::string& bytes, const ImageFile& file,
                      const SavePlan& plan, ImageAnswer& answer) {
  if (!plan.any()) return absl::OkStatus();
  const int num_maps = answer.response.maps_size();
  if (!plan.overlay.empty() && num_maps > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("the answer has ", num_maps,
                     " maps and --overlay holds one: name one --layer or use "
                     "--out-dir DIR"));
  }
  Image image;
  if (!plan.overlay.empty() || !plan.out_image.empty()) {
    ASSIGN_OR_RETURN(image, DecodeFor(bytes, answer.response, plan.style));
  }
  UniqueNames names;
  for (int i = 0; i < num_maps; ++i) {
    const v1::SaliencyMap& map = answer.response.maps(i);
    if (map.status().code() != 0) continue;
    SavePlan how = plan;
    if (i < static_cast<int>(answer.combined.size())) {
      how.style.form = MapForm::kCombined;
    }
    answer.files[i].status =
        SaveMap(image, map, how, names.Take(OutputName(file.stem, map)),
                answer.files[i]);
  }
  return absl::OkStatus();
}

void Take(v1::ComputeSaliencyResponse response, ImageAnswer& answer) {
  answer.response = std::move(response);
}

// The stepped maps and the plain ones as one list.
void Take(v1::MetaSaliencyResponse response, ImageAnswer& answer) {
  v1::ComputeSaliencyResponse& flat = answer.response;
  *flat.mutable_summary() = std::move(*response.mutable_summary());
  for (v1::MetaMap& pair : *response.mutable_maps()) {
    v1::SaliencyMap& map = *flat.add_maps();
    map = std::move(*pair.mutable_map());
    MetaMark mark = {.method = map.method()};
    if (pair.has_plain_correlation()) {
      mark.correlation = pair.plain_correlation();
    }
    map.set_method(absl::StrCat("meta ", mark.method));
    answer.meta.push_back(mark);
    if (!pair.has_plain()) continue;
    *flat.add_maps() = std::move(*pair.mutable_plain());
    answer.meta.push_back({.stepped = false, .method = mark.method});
  }
}

// The combined maps and the layers' own as one list.
void Take(v1::CombineLayersResponse response, ImageAnswer& answer) {
  v1::ComputeSaliencyResponse& flat = answer.response;
  *flat.mutable_summary() = std::move(*response.mutable_summary());
  for (v1::CombinedMap& combined : *response.mutable_combined()) {
    v1::SaliencyMap& map = *flat.add_maps();
    map = std::move(*combined.mutable_map());
    map.set_layer(CombinationText(combined));
    combined.clear_map();
    answer.combined.push_back(std::move(combined));
  }
  for (v1::SaliencyMap& map : *response.mutable_layer_maps()) {
    *flat.add_maps() = std::move(map);
  }
}

// Saves what `plan` wants of an answer that is there; `image` is the file.
void Save(const std::string& image, const ImageFile& file, const SavePlan& plan,
          ImageAnswer& answer) {
  answer.files.resize(answer.response.maps_size());
  const absl::Status saved = SaveMaps(image, file, plan, answer);
  for (MapFiles& files : answer.files) {
    if (!saved.ok()) files.status = saved;
  }
}

// Sends `request` with the image by `call`, lets the fitting Take fill in what
// comes, and saves what `plan` wants.
template <typename Request, typename Response>
ImageAnswer AnswerBy(absl::StatusOr<Response> (SaliencyClient::*call)(
                         Request, const CallOptions&) const,
                     const SaliencyClient& client, Request request,
                     const ImageFile& file, const SavePlan& plan,
                     const std::shared_ptr<CancelToken>& cancel, Clock& clock) {
  ImageAnswer answer = {.path = file.path};
  const absl::StatusOr<std::string> image = ReadImage(file);
  answer.status = image.status();
  if (!answer.status.ok()) return answer;
  const absl::Time start = clock.Now();
  request.mutable_input()->set_image(*image);
  absl::StatusOr<Response> response =
      (client.*call)(std::move(request), {.cancel = cancel});
  answer.status = response.status();
  if (response.ok()) Take(*std::move(response), answer);
  answer.took = clock.Now() - start;
  if (answer.status.ok()) answer.status = CheckMaps(answer.response);
  if (answer.status.ok()) Save(*image, file, plan, answer);
  return answer;
}

}  // namespace

absl::Status ImageAnswer::MapStatus(int map) const {
  RETURN_IF_ERROR(status);
  const v1::ResultStatus& result = response.maps(map).status();
  if (result.code() != 0) {
    return absl::Status(static_cast<absl::StatusCode>(result.code()),
                        result.message());
  }
  return files[map].status;
}

absl::Status CheckMaps(const v1::ComputeSaliencyResponse& response) {
  for (int i = 0; i < response.maps_size(); ++i) {
    const v1::SaliencyMap& map = response.maps(i);
    if (map.status().code() != 0 || map.encoding() == v1::MAP_ENCODING_NONE) {
      continue;
    }
    const int64_t wanted = int64_t{4} * map.height() * map.width();  // float32
    if (map.encoding() != v1::MAP_ENCODING_FLOAT32 || map.height() < 1 ||
        map.width() < 1 || static_cast<int64_t>(map.data().size()) != wanted) {
      return absl::InternalError(absl::StrCat(
          "the server's answer is malformed: map ", i, " of ", map.height(),
          "x", map.width(), " has ", map.data().size(), " bytes"));
    }
  }
  return absl::OkStatus();
}

ImageAnswer AnswerImage(const SaliencyClient& client,
                        v1::ComputeSaliencyRequest request,
                        const ImageFile& file, const SavePlan& plan,
                        const std::shared_ptr<CancelToken>& cancel,
                        Clock& clock) {
  return AnswerBy(&SaliencyClient::ComputeSaliency, client, std::move(request),
                  file, plan, cancel, clock);
}

ImageAnswer AnswerImage(const SaliencyClient& client,
                        v1::CombineLayersRequest request, const ImageFile& file,
                        const SavePlan& plan,
                        const std::shared_ptr<CancelToken>& cancel,
                        Clock& clock) {
  return AnswerBy(&SaliencyClient::CombineLayers, client, std::move(request),
                  file, plan, cancel, clock);
}

ImageAnswer AnswerImage(const SaliencyClient& client,
                        v1::MetaSaliencyRequest request, const ImageFile& file,
                        const SavePlan& plan,
                        const std::shared_ptr<CancelToken>& cancel,
                        Clock& clock) {
  const bool correlated = request.plain_correlation();
  ImageAnswer answer = AnswerBy(&SaliencyClient::MetaSaliency, client,
                                std::move(request), file, plan, cancel, clock);
  answer.correlated = correlated;
  return answer;
}

ImageAnswer AnswerImage(absl::StatusOr<v1::StreamSaliencyResponse> response,
                        const ImageFile& file, const SavePlan& plan,
                        absl::Duration took) {
  ImageAnswer answer = {.path = file.path, .status = response.status()};
  answer.took = took;
  if (!answer.status.ok()) return answer;
  if (response->has_combine()) {
    Take(std::move(*response->mutable_combine()), answer);
  } else if (response->has_meta()) {
    Take(std::move(*response->mutable_meta()), answer);
  } else {
    Take(std::move(*response->mutable_compute()), answer);
  }
  answer.status = CheckMaps(answer.response);
  if (!answer.status.ok()) return answer;
  // Not kept while the request was on its way.
  absl::StatusOr<std::string> image = std::string();
  if (plan.any()) image = ReadImage(file);
  answer.status = image.status();
  if (answer.status.ok()) Save(*image, file, plan, answer);
  return answer;
}

}  // namespace saliency
