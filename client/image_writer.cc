#include "client/image_writer.h"

#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace saliency {

ImageWriter::ImageWriter(Source source, Stream& stream)
    : source_(std::move(source)), stream_(stream), thread_([this] { Run(); }) {}

void ImageWriter::Tell(const v1::CalibrateLayerWeightsResponse& news) {
  if (source_.on_news == nullptr) return;
  MutexLock lock(&mu_);
  source_.on_news(news);
}

void ImageWriter::Run() {
  v1::CalibrateLayerWeightsRequest request;
  *request.mutable_settings() = source_.settings;
  bool open = stream_.Write(request);
  int64_t images = 0;
  while (open) {
    std::optional<v1::LabelledImage> image = source_.next();
    if (!image.has_value()) break;
    *request.mutable_image() = *std::move(image);
    if (request.ByteSizeLong() <= source_.max_bytes) {
      open = stream_.Write(request);
      ++images;
    } else {
      RefuseTooLarge(request);
    }
  }
  if (!open) return;
  request.mutable_end()->set_images(images);
  if (stream_.Write(request)) stream_.WritesDone();
}

void ImageWriter::RefuseTooLarge(
    const v1::CalibrateLayerWeightsRequest& request) {
  v1::CalibrateLayerWeightsResponse news;
  news.mutable_rejected()->set_id(request.image().id());
  v1::ResultStatus& status = *news.mutable_rejected()->mutable_status();
  status.set_code(static_cast<int>(absl::StatusCode::kInvalidArgument));
  status.set_message(absl::StrCat("request of ", request.ByteSizeLong(),
                                  " bytes is above the limit of ",
                                  source_.max_bytes));
  Tell(news);
}

}  // namespace saliency
