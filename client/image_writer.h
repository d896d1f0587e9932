// The sending side of CalibrateLayerWeights: settings and images, on a thread
// of its own, while the calling thread reads answers.
// Thread-safe.

#ifndef SALIENCY_CLIENT_IMAGE_WRITER_H_
#define SALIENCY_CLIENT_IMAGE_WRITER_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <thread>

#include "core/base/mutex.h"
#include "grpcpp/support/sync_stream.h"
#include "saliency/v1/model_service.pb.h"

namespace saliency {

// nullopt: there are no more.
using NextLabelledImage = std::function<std::optional<v1::LabelledImage>()>;
using CalibrationNews =
    std::function<void(const v1::CalibrateLayerWeightsResponse&)>;

class ImageWriter {
 public:
  using Stream =
      grpc::ClientReaderWriterInterface<v1::CalibrateLayerWeightsRequest,
                                        v1::CalibrateLayerWeightsResponse>;
  struct Source {
    v1::CalibrationSettings settings;
    NextLabelledImage next;   // runs on the thread
    CalibrationNews on_news;  // may be null
    size_t max_bytes = 0;     // of a message
  };

  // Starts.  `stream` outlives this.
  ImageWriter(Source source, Stream& stream);
  // REQUIRES: the stream has ended, so that no write lasts.
  ~ImageWriter() { thread_.join(); }
  ImageWriter(const ImageWriter&) = delete;
  ImageWriter& operator=(const ImageWriter&) = delete;

  // Runs on_news; one of several threads at a time.
  void Tell(const v1::CalibrateLayerWeightsResponse& news)
      ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Run();
  // The server would end the stream for it.
  void RefuseTooLarge(const v1::CalibrateLayerWeightsRequest& request);

  const Source source_;
  Stream& stream_;
  Mutex mu_;            // held while on_news runs
  std::thread thread_;  // last: uses all of the above
};

}  // namespace saliency

#endif  // SALIENCY_CLIENT_IMAGE_WRITER_H_
