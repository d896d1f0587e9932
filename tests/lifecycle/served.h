// What the tests of a server's life share: one small model, questions about it,
// and health over the wire.
// Thread-safe.

#ifndef SALIENCY_TESTS_LIFECYCLE_SERVED_H_
#define SALIENCY_TESTS_LIFECYCLE_SERVED_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "saliency/v1/saliency_service.pb.h"
#include "tests/end_to_end/model_folder.h"
#include "tests/end_to_end/server_process.h"

namespace saliency {

using grpc::health::v1::HealthCheckResponse;

inline constexpr char kModel[] = "resnet";

// Adds the model, a small network.
void AddModel(ModelFolder& models);

// A model that is read for hours, being a terabyte of nothing, until it is cut
// short; then it fails.  Models are loaded by name: this one goes first.
class EndlessModel {
 public:
  // `config` is the text of its config.pbtxt.
  explicit EndlessModel(const ModelFolder& models,
                        const std::string& config = "");
  ~EndlessModel() { End(); }
  void End();

 private:
  const std::string path_;
};

// The real server over `models`; fails the test when it does not start.
std::unique_ptr<ServerProcess> Serve(const ModelFolder& models,
                                     std::vector<std::string> flags = {});

// A quick question to kModel about `rows` images.
v1::ComputeSaliencyRequest Question(int rows = 1);

// Asks it once, trying nothing again; the server's own code and message.
absl::Status AskOnce(const std::shared_ptr<grpc::Channel>& channel,
                     const v1::ComputeSaliencyRequest& request = Question());

HealthCheckResponse::ServingStatus CheckHealth(
    const std::shared_ptr<grpc::Channel>& channel, const std::string& service);

// What Watch tells of one name, state by state.
class HealthWatch {
 public:
  HealthWatch(const std::shared_ptr<grpc::Channel>& channel,
              const std::string& service);
  ~HealthWatch();

  // The next state; UNKNOWN when the stream ends.
  HealthCheckResponse::ServingStatus Next();

 private:
  std::unique_ptr<grpc::health::v1::Health::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<HealthCheckResponse>> reader_;
};

}  // namespace saliency

#endif  // SALIENCY_TESTS_LIFECYCLE_SERVED_H_
