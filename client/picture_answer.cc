#include "client/picture_answer.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/atomic_file.h"
#include "client/npy.h"
#include "client/output_name.h"
#include "core/base/status.h"
#include "core/image/picture.h"

namespace saliency {
namespace {

// The picture is our own file and was accepted by the server: no limits here.
DecodeLimits NoLimits() {
  return {.max_bytes = std::numeric_limits<int64_t>::max(),
          .max_pixels = std::numeric_limits<int64_t>::max()};
}

absl::Status WritePng(const Picture& picture, const v1::SaliencyMap& map,
                      const MapStyle& style, const std::string& path) {
  ASSIGN_OR_RETURN(const std::string png, MapPng(picture, map, style));
  return WriteFileAtomically(path, png);
}

// Fills in `files` as they come into being.
absl::Status SaveMap(const Picture& picture, const v1::SaliencyMap& map,
                     const SavePlan& plan, const std::string& name,
                     MapFiles& files) {
  if (!plan.overlay.empty()) {
    RETURN_IF_ERROR(WritePng(picture, map, plan.style, plan.overlay));
    files.png = plan.overlay;
  }
  if (plan.out_dir.empty()) return absl::OkStatus();
  const std::string base = absl::StrCat(plan.out_dir, "/", name);
  if (plan.out_png) {
    const std::string path = base + ".png";
    RETURN_IF_ERROR(WritePng(picture, map, plan.style, path));
    files.png = path;
  }
  if (plan.out_npy) {
    files.npy = base + ".npy";
    return WriteFileAtomically(
        files.npy, EncodeNpy(map.height(), map.width(), map.data()));
  }
  return absl::OkStatus();
}

absl::Status SaveMaps(const std::string& bytes, const PictureFile& file,
                      const SavePlan& plan, PictureAnswer& answer) {
  if (!plan.any()) return absl::OkStatus();
  const int num_maps = answer.response.maps_size();
  if (!plan.overlay.empty() && num_maps > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("the answer has ", num_maps,
                     " maps and --overlay holds one: name one --layer or use "
                     "--out-dir DIR"));
  }
  Picture picture;
  if (!plan.overlay.empty() || plan.out_png) {
    ASSIGN_OR_RETURN(picture, DecodePicture(bytes, NoLimits()));
  }
  UniqueNames names;
  for (int i = 0; i < num_maps; ++i) {
    const v1::SaliencyMap& map = answer.response.maps(i);
    if (map.status().code() != 0) continue;
    answer.files[i].status =
        SaveMap(picture, map, plan, names.Take(OutputName(file.stem, map)),
                answer.files[i]);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status PictureAnswer::MapStatus(int map) const {
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

PictureAnswer AnswerPicture(const SaliencyClient& client,
                            v1::ComputeSaliencyRequest request,
                            const PictureFile& file, const SavePlan& plan,
                            const std::shared_ptr<CancelToken>& cancel,
                            Clock& clock) {
  PictureAnswer answer;
  answer.path = file.path;
  absl::StatusOr<std::string> bytes = ReadFile(file.path);
  if (!bytes.ok()) {
    answer.status = bytes.status();
    return answer;
  }
  request.mutable_input()->set_picture(*bytes);
  const absl::Time start = clock.Now();
  absl::StatusOr<v1::ComputeSaliencyResponse> response =
      client.ComputeSaliency(request, {.cancel = cancel});
  answer.took = clock.Now() - start;
  answer.status = response.ok() ? CheckMaps(*response) : response.status();
  if (!answer.status.ok()) return answer;
  answer.response = *std::move(response);
  answer.files.resize(answer.response.maps_size());
  const absl::Status saved = SaveMaps(*bytes, file, plan, answer);
  for (MapFiles& files : answer.files) {
    if (!saved.ok()) files.status = saved;
  }
  return answer;
}

}  // namespace saliency
