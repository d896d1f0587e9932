#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/npy.h"
#include "core/image/image.h"
#include "tests/client/command_fixture.h"
#include "tests/client/fake_server.h"
#include "tests/client/made_answers.h"
#include "tests/client/run_command.h"

namespace saliency::combine_command_test {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class CombineCommandTest : public CommandFixture {
 protected:
  // `combine` against the fake.
  static RunResult Combine(const FakeServer& server,
                           std::vector<std::string> arguments) {
    return RunOn(server, "combine", std::move(arguments));
  }
};

TEST_F(CombineCommandTest, PrintsClassPointAndTheLayersWeights) {
  const FakeServer server;
  const RunResult result = Combine(server, {cat_});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out,
              StartsWith(cat_ + ": tabby (281) 93.2 %, score 14.25, norm_grad "
                                "@ sum uniform, point y=5 x=8, weights layer2 "
                                "0.5 (constant: layer1), "));
  EXPECT_THAT(result.out, EndsWith(" ms\n"));
  const v1::CombineLayersRequest request = server.combine_requests()[0];
  EXPECT_EQ(request.input().image(), ReadAll(cat_));
  EXPECT_EQ(request.output().encoding(), v1::MAP_ENCODING_NONE);
  ASSERT_EQ(request.combinations_size(), 1);
  EXPECT_TRUE(request.combinations(0).attribution().layers().empty());
  EXPECT_FALSE(request.layer_maps());
}

TEST_F(CombineCommandTest, FlagsBecomeTheRequest) {
  const FakeServer server;
  const RunResult result =
      Combine(server, {cat_,       "--method",    "grad_cam", "-m",
                       "bias+sum", "--layer",     "layer2",   "-l",
                       "layer4",   "--weighting", "linear",   "--weighting",
                       "explicit", "--weight",    "layer2=1", "--weight",
                       "layer4=3", "--rule",      "sum",      "--rule",
                       "product",  "--target",    "7",        "-t",
                       "bottom",   "--model",     "tiny",     "--size",
                       "24x32",    "--smooth",    "0.02",     "--score",
                       "softmax",  "--top-k",     "2",        "--model-version",
                       "3",        "--layer-maps"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const v1::CombineLayersRequest request = server.combine_requests()[0];
  EXPECT_EQ(request.model().name(), "tiny");
  EXPECT_EQ(request.model().version(), 3);
  EXPECT_EQ(request.targets_size(), 2);
  EXPECT_EQ(request.score(), v1::SCORE_SOFTMAX);
  EXPECT_EQ(request.top_k(), 2);
  EXPECT_EQ(request.output().explicit_size().width(), 32);
  EXPECT_FLOAT_EQ(request.output().smooth_sigma(), 0.02F);
  EXPECT_TRUE(request.layer_maps());
  ASSERT_EQ(request.combinations_size(), 2 * 2 * 2);
  const v1::Combination& first = request.combinations(0);
  EXPECT_EQ(first.attribution().method(), "grad_cam");
  EXPECT_THAT(first.attribution().layers(), ElementsAre("layer2", "layer4"));
  EXPECT_EQ(first.weighting(), v1::WEIGHTING_LINEAR);
  EXPECT_EQ(first.rule(), v1::COMBINE_RULE_SUM);
  EXPECT_EQ(first.weights_size(), 0);
  const v1::Combination& last = request.combinations(7);
  EXPECT_TRUE(last.attribution().has_pair());
  EXPECT_EQ(last.weighting(), v1::WEIGHTING_EXPLICIT);
  EXPECT_EQ(last.rule(), v1::COMBINE_RULE_PRODUCT);
  ASSERT_EQ(last.weights_size(), 2);
  EXPECT_EQ(last.weights(1).layer(), "layer4");
  EXPECT_EQ(last.weights(1).weight(), 3);
}

TEST_F(CombineCommandTest, WeightsImplyTheExplicitWeighting) {
  const FakeServer server;
  ASSERT_EQ(Combine(server, {cat_, "--weight", "layer2=1"}).exit_code, 0);
  EXPECT_EQ(server.combine_requests()[0].combinations(0).weighting(),
            v1::WEIGHTING_EXPLICIT);
}

TEST_F(CombineCommandTest, LayerMapsAreReportedAfterTheCombinedOnes) {
  const FakeServer server;
  const RunResult result = Combine(server, {cat_, "--layer-maps"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  ASSERT_EQ(result.out_lines().size(), 3U);
  EXPECT_THAT(result.out_lines()[0], HasSubstr("norm_grad @ sum uniform"));
  EXPECT_THAT(result.out_lines()[1], HasSubstr("norm_grad @ layer1"));
  EXPECT_THAT(result.out_lines()[2], HasSubstr("norm_grad @ layer2"));
}

TEST_F(CombineCommandTest, JsonTellsTheCombination) {
  const FakeServer server;
  const auto lines =
      Combine(server, {cat_, "--rule", "product", "--layer-maps", "--json"})
          .out_lines();
  ASSERT_EQ(lines.size(), 3U);
  const auto combined = nlohmann::json::parse(lines[0]);
  EXPECT_EQ(combined["combination"]["rule"], "product");
  EXPECT_EQ(combined["combination"]["weighting"], "uniform");
  EXPECT_EQ(combined["combination"]["layers"][0]["constant"], true);
  EXPECT_EQ(combined["combination"]["layers"][1]["layer"], "layer2");
  EXPECT_EQ(combined["combination"]["layers"][1]["weight"], 0.5);
  EXPECT_FALSE(combined.contains("layer"));
  const auto layer = nlohmann::json::parse(lines[2]);
  EXPECT_EQ(layer["layer"], "layer2");
  EXPECT_FALSE(layer.contains("combination"));
}

TEST_F(CombineCommandTest, OutDirNamesFilesByRuleAndWeighting) {
  const FakeServer server;
  const std::string out = folder_.path("out");
  const RunResult result =
      Combine(server, {cat_, "--rule", "sum", "--rule", "product",
                       "--layer-maps", "-o", out, "--save", "npy"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(out)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  EXPECT_THAT(names, ElementsAre("cat_281-tabby_norm_grad_layer1.npy",
                                 "cat_281-tabby_norm_grad_layer2.npy",
                                 "cat_281-tabby_norm_grad_product_uniform.npy",
                                 "cat_281-tabby_norm_grad_sum_uniform.npy"));
  EXPECT_EQ(ReadAll(out + "/cat_281-tabby_norm_grad_sum_uniform.npy"),
            EncodeNpy(6, 9, RampMap(6, 9)))
      << "the server's numbers as they are";
}

TEST_F(CombineCommandTest, AnOverlayShowsTheMapStretched) {
  // Values in [0.25, 0.75]: shown as they are they would fill half the colours.
  const FakeServer narrow(
      nullptr, nullptr, [](auto&, const auto& request, auto& response) {
        const grpc::Status status = CombineRamps(request, response);
        std::vector<float> values(120 * 160);
        for (size_t i = 0; i < values.size(); ++i) {
          values[i] = 0.25F + 0.5F * static_cast<float>(i) /
                                  static_cast<float>(values.size() - 1);
        }
        response.mutable_combined(0)->mutable_map()->set_data(
            std::string(reinterpret_cast<const char*>(values.data()),
                        values.size() * sizeof(float)));
        return status;
      });
  // The same in [0, 1].
  const FakeServer wide(
      nullptr, nullptr, [](auto&, const auto& request, auto& response) {
        const grpc::Status status = CombineRamps(request, response);
        response.mutable_combined(0)->mutable_map()->set_raw_min(0);
        response.mutable_combined(0)->mutable_map()->set_raw_max(1);
        return status;
      });
  const std::string image = folder_.AddImage("large.png", 120, 160);
  const std::string a = folder_.path("a.png");
  const std::string b = folder_.path("b.png");
  ASSERT_EQ(Combine(narrow, {image, "--overlay", a}).exit_code, 0);
  ASSERT_EQ(Combine(wide, {image, "--overlay", b}).exit_code, 0);
  const Image shown = DecodeImage(ReadAll(a), DecodeLimits()).value();
  const Image expected = DecodeImage(ReadAll(b), DecodeLimits()).value();
  ASSERT_EQ(shown.rgb.size(), expected.rgb.size());
  int largest = 0;
  // But for the colour bar below, whose numbers differ.
  const size_t above = 3 * 160 * (shown.height - (shown.height - 120) / 2);
  for (size_t i = 0; i < above; ++i) {
    largest = std::max(largest, std::abs(shown.rgb[i] - expected.rgb[i]));
  }
  // A value may round to the next of 256 colours, which differ by up to 3.
  EXPECT_LE(largest, 4) << "rounding";
}

TEST_F(CombineCommandTest, NpyStacksCombinedAndLayerMaps) {
  const FakeServer server;
  const std::string out = folder_.path("maps.npy");
  const RunResult result =
      Combine(server, {cat_, cat_, "--layer-maps", "--npy", out});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(ReadAll(out), StartsWith(NpyHeader({6, 6, 9})));
}

TEST_F(CombineCommandTest, FailedCombinationsAreToldAndTheOthersPrinted) {
  const FakeServer server(
      nullptr, nullptr, [](auto&, const auto& request, auto& response) {
        const grpc::Status status = CombineRamps(request, response);
        v1::CombinedMap& failed = *response.mutable_combined(0);
        failed.mutable_map()->mutable_status()->set_code(9);
        failed.mutable_map()->mutable_status()->set_message(
            "weights are not calibrated");
        failed.clear_shares();
        return status;
      });
  const RunResult result = Combine(
      server, {cat_, "--weighting", "feature_spread", "--weighting", "linear"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.out_lines().size(), 1U);
  EXPECT_THAT(result.err, HasSubstr("norm_grad @ sum feature_spread: weights "
                                    "are not calibrated"));
}

TEST_F(CombineCommandTest, AServerThatRefusesIsExitCodeOne) {
  const FakeServer server(nullptr, nullptr, [](auto&, const auto&, auto&) {
    return grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "");
  });
  EXPECT_EQ(Combine(server, {cat_}).exit_code, 1);
}

}  // namespace
}  // namespace saliency::combine_command_test
