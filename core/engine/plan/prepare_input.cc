#include "core/engine/plan/prepare_input.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/status.h"
#include "core/image/preprocess.h"

namespace saliency {
namespace {

constexpr absl::string_view kShape = "input.tensor.shape";
constexpr const char* kImageField = "input.image";
constexpr int64_t kMaxInputPixels = 16 << 20;  // what a long image becomes

absl::Status ShapeError(const TensorInput& input, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat(kShape, " [", absl::StrJoin(input.shape, ","), "] ", why));
}

// The sizes [N,C,H,W] of a tensor input.
struct TensorSizes {
  int64_t images = 1;
  int64_t height = 0;
  int64_t width = 0;
};

absl::StatusOr<TensorSizes> CheckTensor(const TensorInput& input,
                                        const InputConfig& config,
                                        const EngineLimits& limits) {
  const std::string allowed = absl::StrCat("[", config.channels, ",H,W] or [N,",
                                           config.channels, ",H,W]");
  const std::size_t dims = input.shape.size();
  if (dims != 3 && dims != 4) {
    return absl::InvalidArgumentError(
        absl::StrCat(kShape, " has ", dims, " sizes; ", allowed, " is needed"));
  }
  for (const int64_t size : input.shape) {
    if (size < 1) return ShapeError(input, "has a size below 1");
  }
  if (input.shape[dims - 3] != config.channels) {
    return ShapeError(input, absl::StrCat("is not ", allowed));
  }
  const TensorSizes sizes = {.images = dims == 4 ? input.shape[0] : 1,
                             .height = input.shape[dims - 2],
                             .width = input.shape[dims - 1]};
  // Divisions, since the product of untrusted sizes may overflow.
  if (sizes.height > limits.decode.max_pixels / sizes.width) {
    return ShapeError(input,
                      absl::StrCat("has more than ", limits.decode.max_pixels,
                                   " pixels per image"));
  }
  if (sizes.images > limits.max_rows) {
    return ShapeError(
        input, absl::StrCat("has more than ", limits.max_rows, " images"));
  }
  const int64_t bytes = sizes.images * config.channels * sizes.height *
                        sizes.width * static_cast<int64_t>(sizeof(float));
  if (static_cast<int64_t>(input.data.size()) != bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "input.tensor.data has ", input.data.size(), " bytes; shape [",
        absl::StrJoin(input.shape, ","), "] needs ", bytes));
  }
  return sizes;
}

// Of the model's input for an image of this size.
struct InputShape {
  int64_t pixels = 0;
  int64_t side = 0;  // the longer one
};

InputShape ShapeOf(const InputConfig& config, int64_t height, int64_t width) {
  if (config.geometry != InputGeometry::kShortestSide) {
    return {.pixels = config.height * config.width,
            .side = std::max(config.height, config.width)};
  }
  const double shorter = static_cast<double>(std::min(height, width));
  const double longer = static_cast<double>(std::max(height, width));
  const double side = static_cast<double>(config.resize);
  const double long_side = std::ceil(side * longer / shorter);
  return {.pixels = static_cast<int64_t>(side * long_side),
          .side = static_cast<int64_t>(long_side)};
}

absl::StatusOr<PreparedInput> PrepareTensor(const TensorInput& input,
                                            const InputConfig& config,
                                            const TensorSizes& sizes) {
  PreparedInput prepared;
  prepared.tensor = at::empty(
      {sizes.images, config.channels, sizes.height, sizes.width}, at::kFloat);
  auto* values = prepared.tensor.data_ptr<float>();
  std::memcpy(values, input.data.data(), input.data.size());
  const int64_t count = prepared.tensor.numel();
  const float* bad = std::find_if_not(
      values, values + count, [](float value) { return std::isfinite(value); });
  if (bad != values + count) {
    return absl::InvalidArgumentError(absl::StrCat("input.tensor.data: value ",
                                                   bad - values, " of ", count,
                                                   " is not finite"));
  }
  prepared.images.assign(
      sizes.images,
      ImageGeometry{.height = sizes.height,
                    .width = sizes.width,
                    .region = {.height = sizes.height, .width = sizes.width}});
  return prepared;
}

}  // namespace

absl::StatusOr<InputSize> MeasureImage(absl::string_view bytes,
                                       absl::string_view field,
                                       const InputConfig& config,
                                       const DecodeLimits& limits) {
  if (!config.takes_images()) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": the model's input has ", config.channels,
                     " channels, which no image gives; input.tensor does"));
  }
  const auto size = static_cast<int64_t>(bytes.size());
  if (size > limits.max_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        field, " has ", size, " bytes, of at most ", limits.max_bytes));
  }
  const absl::StatusOr<ImageHeader> header = ReadImageHeader(bytes);
  if (!header.ok()) return Annotate(header.status(), field);
  if (header->height < 1 || header->width < 1 ||
      header->height > limits.max_pixels / header->width) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " is ", header->height, " x ", header->width,
                     " pixels, of at most ", limits.max_pixels, " in all"));
  }
  const InputShape shape = ShapeOf(config, header->height, header->width);
  if (shape.pixels > kMaxInputPixels) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " of ", header->height, " x ", header->width,
                     " becomes a model input of ", shape.pixels,
                     " pixels, of at most ", kMaxInputPixels));
  }
  return InputSize{.image_height = header->height,
                   .image_width = header->width,
                   .input_pixels = shape.pixels,
                   .input_side = shape.side,
                   .encoded_bytes = size};
}

absl::StatusOr<PreparedInput> PrepareImage(absl::string_view bytes,
                                           absl::string_view field,
                                           const InputConfig& config,
                                           const DecodeLimits& limits,
                                           KeepImage keep) {
  absl::StatusOr<Image> image = DecodeImage(bytes, limits);
  if (!image.ok()) return Annotate(image.status(), field);
  absl::StatusOr<PreparedImage> chw =
      Preprocess(*image, config, kMaxInputPixels);
  if (!chw.ok()) return Annotate(chw.status(), field);
  PreparedInput prepared;
  prepared.tensor =
      at::empty({1, config.channels, chw->height, chw->width}, at::kFloat);
  std::copy(chw->chw.begin(), chw->chw.end(),
            prepared.tensor.data_ptr<float>());
  prepared.images = {
      {.height = image->height, .width = image->width, .region = chw->region}};
  if (keep == KeepImage::kYes) prepared.image = *std::move(image);
  return prepared;
}

absl::StatusOr<InputSize> MeasureInput(const JobInput& input,
                                       const InputConfig& config,
                                       const EngineLimits& limits) {
  if (const auto* image = std::get_if<EncodedImage>(&input)) {
    return MeasureImage(image->bytes, kImageField, config, limits.decode);
  }
  const auto& tensor = std::get<TensorInput>(input);
  ASSIGN_OR_RETURN(const TensorSizes sizes,
                   CheckTensor(tensor, config, limits));
  return InputSize{.images = sizes.images,
                   .image_height = sizes.height,
                   .image_width = sizes.width,
                   .input_pixels = sizes.height * sizes.width,
                   .input_side = std::max(sizes.height, sizes.width),
                   .encoded_bytes = static_cast<int64_t>(tensor.data.size())};
}

absl::StatusOr<PreparedInput> PrepareInput(const JobInput& input,
                                           const InputConfig& config,
                                           const EngineLimits& limits,
                                           KeepImage keep) {
  if (const auto* image = std::get_if<EncodedImage>(&input)) {
    return PrepareImage(image->bytes, kImageField, config, limits.decode, keep);
  }
  const auto& tensor = std::get<TensorInput>(input);
  ASSIGN_OR_RETURN(const TensorSizes sizes,
                   CheckTensor(tensor, config, limits));
  return PrepareTensor(tensor, config, sizes);
}

}  // namespace saliency
