// One server for all the tests of a binary, with a client.
//
//   ServerEnvironment& environment = UseServer([](ModelFolder& models) {
//     models.AddGolden("tiny_resnet", "script", "resnet");
//   });
//
// Thread-compatible.

#ifndef SALIENCY_TESTS_END_TO_END_SERVER_ENVIRONMENT_H_
#define SALIENCY_TESTS_END_TO_END_SERVER_ENVIRONMENT_H_

#include <functional>
#include <memory>
#include <utility>

#include "client/saliency_client.h"
#include "gtest/gtest.h"
#include "tests/end_to_end/model_folder.h"
#include "tests/end_to_end/server_process.h"

namespace saliency {

using FillModels = std::function<void(ModelFolder&)>;

class ServerEnvironment : public ::testing::Environment {
 public:
  explicit ServerEnvironment(FillModels fill) : fill_(std::move(fill)) {}

  // Waits until every model is ready.
  void SetUp() override;
  // Expects the server to end well.
  void TearDown() override;

  ServerProcess& server() { return *server_; }
  // Tries nothing again.
  const SaliencyClient& client() const { return *client_; }

 private:
  const FillModels fill_;
  ModelFolder models_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<SaliencyClient> client_;
};

// To be called before the tests run; the result lives until they have.
ServerEnvironment& UseServer(FillModels fill);
// voc-emoji alone, of the bundled models: the one that loads in no time.
ServerEnvironment& UseEmojiModel();

}  // namespace saliency

#endif  // SALIENCY_TESTS_END_TO_END_SERVER_ENVIRONMENT_H_
