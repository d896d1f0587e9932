#include "tests/end_to_end/server_environment.h"

#include "tests/end_to_end/wire.h"

namespace saliency {

void ServerEnvironment::SetUp() {
  fill_(models_);
  server_ = ServerProcess::Start({.models = models_.path()}).value();
  const absl::Status serving = server_->AwaitServing();
  ASSERT_TRUE(serving.ok()) << serving;
  client_ = ClientOf(*server_);
}

void ServerEnvironment::TearDown() {
  client_.reset();
  EXPECT_EQ(server_->Stop(), 0) << server_->process().err();
  server_.reset();
}

ServerEnvironment& UseServer(FillModels fill) {
  auto* environment = new ServerEnvironment(std::move(fill));
  ::testing::AddGlobalTestEnvironment(environment);  // takes it over
  return *environment;
}

ServerEnvironment& UseEmojiModel() {
  return UseServer([](ModelFolder& models) { models.AddBundled("voc-emoji"); });
}

}  // namespace saliency
