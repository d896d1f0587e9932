// The command over a server whose maps agree at layer1, are opposed at layer2
// and constant at layer3.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "client/cli/evaluate/evaluation_journal.h"
#include "client/cli/interrupt.h"
#include "core/image/image.h"
#include "tests/client/fake_server.h"
#include "tests/client/made_answers.h"
#include "tests/client/run_command.h"
#include "tests/client/tabby_folder.h"

namespace saliency::identity_check_command_test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr int kSide = 7;  // of AnswerWithRamps at layer resolution

std::string Turned(const std::string& floats) {
  std::string turned;
  for (size_t at = floats.size(); at > 0; at -= sizeof(float)) {
    turned += floats.substr(at - sizeof(float), sizeof(float));
  }
  return turned;
}

// The identity's maps point at (10, 10), those of the convolution elsewhere in
// layer2 alone.
grpc::Status Answer(const v1::ComputeSaliencyRequest& request,
                    v1::ComputeSaliencyResponse& response) {
  const grpc::Status status = AnswerWithRamps(request, response);
  for (v1::SaliencyMap& map : *response.mutable_maps()) {
    const bool real_conv = map.method() == "norm_grad_real_conv";
    const bool opposed = real_conv && map.layer() == "layer2";
    map.mutable_point()->set_y(10);
    map.mutable_point()->set_x(opposed ? 70 : 10);
    if (map.encoding() != v1::MAP_ENCODING_FLOAT32) continue;
    if (opposed) map.set_data(Turned(map.data()));
    if (real_conv && map.layer() == "layer3") {
      map.set_data(std::string(kSide * kSide * sizeof(float), '\0'));
    }
  }
  return status;
}

class IdentityCheckCommandTest : public testing::Test {
 protected:
  IdentityCheckCommandTest() {
    for (int i = 0; i < 6; ++i) {
      folder_.AddImage(absl::StrCat("images/", i, ".png"), 60, 80);
    }
  }

  std::vector<std::string> Command(const FakeServer& server,
                                   const std::string& data,
                                   const std::string& out,
                                   std::vector<std::string> more = {}) const {
    std::vector<std::string> command = {
        "evaluate",        "identity-check", data,
        "--server",        server.address(), "--out-dir",
        folder_.path(out), "--concurrency",  "2"};
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }

  // `before` runs ahead of each answer.
  static std::unique_ptr<FakeServer> Server(std::function<void()> before = [] {
  }) {
    return std::make_unique<FakeServer>(
        [before = std::move(before)](grpc::ServerContext&,
                                     const v1::ComputeSaliencyRequest& request,
                                     v1::ComputeSaliencyResponse& response) {
          before();
          return Answer(request, response);
        });
  }

  TestFolder folder_;
};

TEST_F(IdentityCheckCommandTest, AFolderOfImagesGivesCorrelations) {
  const auto server = Server();
  const RunResult result =
      RunCommand(Command(*server, folder_.path("images"), "out"));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("6 images."));
  EXPECT_THAT(result.out, HasSubstr("| layer1 | 1.000 +- 0.000 |\n"
                                    "| layer2 | -1.000 +- 0.000 |\n"
                                    "| layer3 | - (6 undefined) |\n"));
  EXPECT_THAT(result.out, Not(HasSubstr("Pointing game")));
  EXPECT_TRUE(
      ReadImageHeader(ReadAll(folder_.path("out/correlation.png"))).ok());
  EXPECT_FALSE(std::filesystem::exists(folder_.path("out/accuracy.png")));
  EXPECT_EQ(server->calls(), 6) << "one request for each image";
  EXPECT_EQ(server->requests()[0].model().name(), "tiny");
  EXPECT_EQ(server->requests()[0].model().version(), 3);
}

TEST_F(IdentityCheckCommandTest, AVocFolderGivesAccuraciesToo) {
  const auto server = Server();
  // Odd images show the thing where the maps do not point.
  const std::string voc = AddTabbyFolder(folder_);
  const RunResult result = RunCommand(Command(*server, voc, "out", {"--json"}));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_THAT(std::string(json["title"]),
              HasSubstr("identity-check model=tiny/3 set=test layers=layer1,"));
  EXPECT_EQ(json["results"][1]["layer"], "layer2");
  const auto& trials = json["results"][1]["all"];
  EXPECT_EQ(trials["norm_grad"]["accuracy"], 0.5);
  EXPECT_EQ(trials["norm_grad_real_conv"]["accuracy"], 0.5);
  EXPECT_EQ(trials["difference"], 0.0) << "what one misses the other hits";
  EXPECT_GT(trials["difference_standard_error"], 0.0);
  EXPECT_EQ(json["results"][0]["all"]["difference_standard_error"], 0.0);
  EXPECT_EQ(json["differences"]["all"]["mean"], 0.0);
  EXPECT_THAT(ReadAll(folder_.path("out/summary.csv")),
              HasSubstr("layer1,1.000000,0.000000,6,0,all,0.500000,0.500000,"
                        "0.000000,0.000000\n"));
  EXPECT_TRUE(ReadImageHeader(ReadAll(folder_.path("out/accuracy.png"))).ok());
  EXPECT_EQ(server->calls(), 12) << "maps and points of each image";
  EXPECT_EQ(server->requests()[0].targets(0).label(), "tabby");
}

TEST_F(IdentityCheckCommandTest, AnInterruptedRunEndsLikeOneThatWasNot) {
  Interrupt interrupt;
  std::atomic<int> calls = 0;
  const auto server = Server([&] {
    if (++calls == 3) interrupt.Raise();
  });
  const std::string data = folder_.path("images");
  std::vector<std::string> one_by_one = Command(*server, data, "cut");
  one_by_one.back() = "1";  // so that what came before the third is done
  const RunResult cut = RunCommand(one_by_one, interrupt);
  EXPECT_EQ(cut.exit_code, 3) << cut.err;
  EXPECT_LT(
      ReadJournal(folder_.path("cut/identity_check.csv")).value().done.size(),
      6U);
  EXPECT_EQ(RunCommand(Command(*server, data, "cut")).exit_code, 0);
  ASSERT_EQ(RunCommand(Command(*server, data, "whole")).exit_code, 0);
  for (const char* file :
       {"identity_check.csv", "summary.md", "summary.csv", "summary.json"}) {
    EXPECT_EQ(ReadAll(folder_.path("cut/" + std::string(file))),
              ReadAll(folder_.path("whole/" + std::string(file))))
        << file;
  }
}

TEST_F(IdentityCheckCommandTest, LayersThatAreNoConvolutionsAreRefused) {
  const auto server = Server();
  const RunResult result = RunCommand(
      Command(*server, folder_.path("images"), "out", {"-l", "layer9"}));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("convolution \"layer9\" not found"));
  const RunResult methods = RunCommand(
      Command(*server, folder_.path("images"), "out", {"-m", "grad_cam"}));
  EXPECT_EQ(methods.exit_code, 2) << "there is nothing to choose";
}

}  // namespace
}  // namespace saliency::identity_check_command_test
