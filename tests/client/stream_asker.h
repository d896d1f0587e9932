// Who asks many questions by SaliencyClient::Stream, and servers that answer
// them.
// Thread-compatible.

#ifndef SALIENCY_TESTS_CLIENT_STREAM_ASKER_H_
#define SALIENCY_TESTS_CLIENT_STREAM_ASKER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/saliency_client.h"
#include "saliency/v1/saliency_service.pb.h"
#include "tests/client/fake_server.h"

namespace saliency {

// With short delays between attempts.
ClientOptions OptionsFor(const std::vector<std::string>& servers);
std::unique_ptr<SaliencyClient> ClientOf(const FakeServer& server);

// Questions that name the models "0", "1", ..., and what comes of them.
class Asker {
 public:
  explicit Asker(int count) : count_(count) {}

  absl::Status Run(const SaliencyClient& client,
                   const BulkOptions& options = {});

  // Expects that each question that was asked has its own answer.
  void ExpectAllAnswered() const;
  absl::Status status(int index) const { return answers_.at(index).status(); }
  const std::vector<int64_t>& order() const { return order_; }
  int asked() const { return asked_; }
  int most_held() const { return most_held_; }

  int stop_after = 1 << 30;
  std::function<void()> on_answer = [] {};

 private:
  std::optional<v1::StreamSaliencyRequest> Next();

  const int count_;
  int asked_ = 0;
  int most_held_ = 0;
  std::map<int64_t, absl::StatusOr<v1::StreamSaliencyResponse>> answers_;
  std::vector<int64_t> order_;
};

// The model that a question names comes back as the model that answered.
v1::StreamSaliencyResponse Echo(const v1::StreamSaliencyRequest& question);

// Refuses every question so often, then echoes.
FakeServer::Stream RefuseFirst(int times, absl::StatusCode code,
                               std::optional<int> retry_after_ms);

}  // namespace saliency

#endif  // SALIENCY_TESTS_CLIENT_STREAM_ASKER_H_
