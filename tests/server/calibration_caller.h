// A caller of CalibrateLayerWeights, which listens all the while, and what it
// hears.
// Thread-compatible.

#ifndef SALIENCY_TESTS_SERVER_CALIBRATION_CALLER_H_
#define SALIENCY_TESTS_SERVER_CALIBRATION_CALLER_H_

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "grpcpp/grpcpp.h"
#include "saliency/v1/model_service.grpc.pb.h"

namespace saliency {

// Measures FakeModel at "conv" and "last".
v1::CalibrationSettings FakeSettings();

// An image [3,8,8] of FakeModel: plane 0 is filled with `number`, plane 1 with
// `says`, plane 2 with noise of the number's own.
v1::LabelledImage FakeImage(int number, float says,
                            const std::vector<int>& classes);

struct CalibrationOutcome {
  grpc::Status status;
  std::map<std::string, v1::ResultStatus> rejected;  // by id
  std::vector<v1::CalibrationProgress> progress;
  v1::CalibrationResult result;  // when OK

  // "layer spread accuracy" of each, for comparing.
  std::vector<std::string> layers() const;
};

class CalibrationCaller {
 public:
  explicit CalibrationCaller(v1::ModelService::Stub& stub)
      : stream_(stub.CalibrateLayerWeights(&context_)),
        listener_([this] { Listen(); }) {}
  ~CalibrationCaller() {
    context_.TryCancel();
    if (listener_.joinable()) listener_.join();
  }

  // False: the server has ended the call.
  bool Send(const v1::CalibrationSettings& settings);
  bool Send(const v1::LabelledImage& image);
  bool SendEnd(int64_t images);
  bool SendNothing() { return stream_->Write({}); }
  // `of_each` images of classes 0 and 1, which their features tell apart.
  void SendTwoClasses(int of_each);

  void Cancel() { context_.TryCancel(); }
  // No more images; waits for the end.
  CalibrationOutcome Finish();
  // The same without a word about how many there were.
  CalibrationOutcome BreakOff();
  // The same without saying so.
  CalibrationOutcome ReadToTheEnd();

 private:
  void Listen();

  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::CalibrateLayerWeightsRequest,
                                           v1::CalibrateLayerWeightsResponse>>
      stream_;
  int64_t images_ = 0;          // sent
  CalibrationOutcome outcome_;  // the listener's until it has been joined
  std::thread listener_;        // last: uses all of the above
};

}  // namespace saliency

#endif  // SALIENCY_TESTS_SERVER_CALIBRATION_CALLER_H_
