// The real saliency-server as a process of its own, on loopback ports that the
// system chooses.
//
//   ModelFolder models;
//   models.AddGolden("tiny_resnet", "script", "resnet");
//   auto server = ServerProcess::Start({.models = models.path()}).value();
//   server->AwaitServing();           // until every model is ready
//   ... server->address() ...
//   EXPECT_EQ(server->Stop(), 0);     // SIGTERM and its exit code
//
// Thread-safe.

#ifndef SALIENCY_TESTS_END_TO_END_SERVER_PROCESS_H_
#define SALIENCY_TESTS_END_TO_END_SERVER_PROCESS_H_

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/channel.h"
#include "tests/end_to_end/child_process.h"
#include "tests/end_to_end/metrics_page.h"

namespace saliency {

class ServerProcess {
 public:
  struct Options {
    std::string models;  // the repository's folder
    // "--name=value" or "--switch".  Unless given: listen and metrics addresses
    // 127.0.0.1:0, no drain delay, a port file of our own.  The log level must
    // let "listening" through.
    std::vector<std::string> flags;
    std::vector<std::string> environment;  // "NAME=value"
  };

  // Returns when the ports are open; models may still be loading.
  // Errors: INTERNAL with the server's stderr when it ended instead.
  static absl::StatusOr<std::unique_ptr<ServerProcess>> Start(Options options);
  // Kills it when it still runs.
  ~ServerProcess();

  // Waits by grpc.health.v1 until `service` ("": the server as a whole,
  // "model/<name>") is SERVING.
  // Errors: DEADLINE_EXCEEDED; UNAVAILABLE when the server ends.
  absl::Status AwaitServing(const std::string& service = "",
                            absl::Duration timeout = kPatience);

  // "127.0.0.1:PORT"; empty when there is no such port.
  const std::string& address() const { return address_; }
  const std::string& health_address() const { return health_address_; }
  const std::string& metrics_address() const { return metrics_address_; }
  // A plain channel without retries or limits of its own.
  std::shared_ptr<grpc::Channel> channel() const { return channel_; }
  absl::StatusOr<MetricsPage> Metrics() const {
    return MetricsPage::Fetch(metrics_address_);
  }

  // Pid, signals, exit code, output.
  ChildProcess& process() { return *process_; }
  // Sends SIGTERM and waits for the exit code.
  std::optional<int> Stop(absl::Duration timeout = kPatience);

 private:
  ServerProcess(std::filesystem::path folder,
                std::unique_ptr<ChildProcess> process)
      : folder_(std::move(folder)), process_(std::move(process)) {}

  absl::Status AwaitPorts();

  // Constant once Start has returned.
  const std::filesystem::path folder_;  // holds the port file
  std::string address_;
  std::string health_address_;
  std::string metrics_address_;
  std::shared_ptr<grpc::Channel> channel_;

  const std::unique_ptr<ChildProcess> process_;
};

}  // namespace saliency

#endif  // SALIENCY_TESTS_END_TO_END_SERVER_PROCESS_H_
