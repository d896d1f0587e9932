// Meta-saliency and class sensitivity over the wire, with voc-emoji:
// what single requests and the mathematics say they are, and a model that stays
// as it was.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/end_to_end/child_process.h"
#include "tests/end_to_end/server_environment.h"
#include "tests/end_to_end/wire.h"
#include "tests/server/temporary_folder.h"

namespace saliency::meta_test {
namespace {

ServerEnvironment& environment = UseEmojiModel();

std::string Sample(const std::string& name) {
  return absl::StrCat(SampleFolder(), "/", name, ".jpg");
}

// One class and two layers of a sample, raw maps at layer resolution.  Of
// several classes the model chooses by its clock between two ways to run them,
// which round differently.
v1::ComputeSaliencyRequest PlainRequest(const std::string& label = "boat") {
  v1::ComputeSaliencyRequest request;
  *request.mutable_input() = ImageInput(Sample("dog-tvmonitor"));
  *request.add_targets() = LabelTarget(label);
  *request.add_attributions() = At("norm_grad", {"layer2", "layer3"});
  request.mutable_output()->set_named_size(v1::NAMED_SIZE_LAYER);
  request.mutable_output()->set_normalise(false);
  return request;
}

v1::MetaSaliencyRequest MetaRequest(double epsilon,
                                    const std::string& label = "boat") {
  const v1::ComputeSaliencyRequest plain = PlainRequest(label);
  v1::MetaSaliencyRequest request;
  *request.mutable_input() = plain.input();
  *request.mutable_targets() = plain.targets();
  *request.mutable_attributions() = plain.attributions();
  *request.mutable_output() = plain.output();
  request.mutable_step()->set_epsilon(epsilon);
  return request;
}

// All the bytes of the maps and scores of the plain request.
std::string Fingerprint() {
  const auto response = environment.client().ComputeSaliency(PlainRequest());
  EXPECT_TRUE(response.ok()) << response.status();
  std::string bytes;
  for (const v1::SaliencyMap& map : response->maps()) {
    absl::StrAppend(&bytes, map.explained_class().logit(), " ", map.data());
  }
  return bytes;
}

TEST(MetaEndToEndTest, AStepOfSizeZeroIsThePlainMapBitForBit) {
  const auto plain = environment.client().ComputeSaliency(PlainRequest());
  ASSERT_TRUE(plain.ok()) << plain.status();
  v1::MetaSaliencyRequest request = MetaRequest(0);
  request.set_plain_maps(true);
  request.set_plain_correlation(true);
  const auto meta = environment.client().MetaSaliency(request);
  ASSERT_TRUE(meta.ok()) << meta.status();
  ASSERT_EQ(meta->maps_size(), plain->maps_size());
  for (int i = 0; i < meta->maps_size(); ++i) {
    EXPECT_EQ(meta->maps(i).map().data(), plain->maps(i).data()) << i;
    EXPECT_EQ(meta->maps(i).plain().data(), plain->maps(i).data()) << i;
    EXPECT_EQ(meta->maps(i).plain_correlation(), 1) << i;
  }
}

TEST(MetaEndToEndTest, DescentRaisesTheScoreAndAscentLowersIt) {
  // Classes that are not there: of the dog the model is so sure that its loss
  // has no slope.
  for (const char* label : {"cow", "boat"}) {
    const auto plain =
        environment.client().ComputeSaliency(PlainRequest(label));
    ASSERT_TRUE(plain.ok()) << plain.status();
    const float score = plain->maps(0).score();
    for (const bool ascent : {false, true}) {
      SCOPED_TRACE(absl::StrCat(label, ascent ? " ascent" : " descent"));
      v1::MetaSaliencyRequest request = MetaRequest(0.001, label);
      if (ascent) {
        request.mutable_step()->set_direction(v1::META_DIRECTION_ASCENT);
      }
      const auto meta = environment.client().MetaSaliency(request);
      ASSERT_TRUE(meta.ok()) << meta.status();
      // The score is the logit: the loss falls as it rises.
      const float stepped = meta->maps(0).map().score();
      EXPECT_TRUE(ascent ? stepped < score : stepped > score) << stepped;
      EXPECT_EQ(meta->maps(0).map().explained_class().logit(), stepped);
      // Of the model as it is, by another graph: rounding aside.
      EXPECT_NEAR(meta->summary().images(0).top(0).logit(),
                  plain->summary().images(0).top(0).logit(), 1e-3);
    }
  }
}

TEST(MetaEndToEndTest, WrongStepsAreRefusedByNameValueAndLimit) {
  for (const double epsilon : {-0.5, 1.5}) {
    const auto meta = environment.client().MetaSaliency(MetaRequest(epsilon));
    EXPECT_EQ(meta.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(meta.status().message(),
              absl::StrCat("step.epsilon ", epsilon, " not in [0, 1]"));
  }
}

// What a client of the mixture does in turn `i`; failures are part of it.
void Disturb(int i) {
  const SaliencyClient& client = environment.client();
  switch (i % 5) {
    case 0:
      client.ComputeSaliency(PlainRequest()).IgnoreError();
      break;
    case 1: {
      v1::MetaSaliencyRequest request = MetaRequest(0.01 * i);
      request.set_plain_correlation(true);
      client.MetaSaliency(request).IgnoreError();
      break;
    }
    case 2:  // gone before it is answered
      client
          .MetaSaliency(MetaRequest(1), {.timeout = absl::Milliseconds(5 + i)})
          .IgnoreError();
      break;
    case 3: {
      v1::MetaSaliencyRequest request = MetaRequest(1);
      request.mutable_step()->set_direction(v1::META_DIRECTION_ASCENT);
      request.mutable_attributions(0)->set_layers(0, "layer9");
      client.MetaSaliency(request).IgnoreError();
      break;
    }
    default: {
      v1::MeasureClassSensitivityRequest request;
      *request.mutable_input() = PlainRequest().input();
      request.mutable_step()->set_epsilon(0.5);
      client.MeasureClassSensitivity(request).IgnoreError();
    }
  }
}

TEST(MetaEndToEndTest, AMixtureOfEverythingLeavesTheModelAsItWas) {
  const std::string before = Fingerprint();
  std::vector<std::thread> callers;
  callers.reserve(4);
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([caller] {
      for (int i = 0; i < 6; ++i) Disturb(i + caller);
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(Fingerprint(), before) << "bit for bit";
}

// `saliency ARGUMENTS` in a folder of the test's own.
ProgramResult RunClient(const TemporaryFolder& folder,
                        const std::vector<std::string>& arguments) {
  ChildProcess::Options options = {
      .command = {SALIENCY_CLIENT_BINARY},
      .environment = {"SALIENCY_SERVER=" + environment.server().address()},
      .folder = folder.path()};
  options.command.insert(options.command.end(), arguments.begin(),
                         arguments.end());
  return RunProgram(options);
}

TEST(MetaEndToEndTest, TheCommandWritesBothMapsAndTellsTheirCorrelation) {
  const TemporaryFolder folder;
  const ProgramResult result =
      RunClient(folder, {"meta", Sample("dog-tvmonitor"), "--target", "boat",
                         "--layer", "layer3", "--epsilon", "0.01", "--plain",
                         "--correlation", "--out-dir", "out", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::vector<std::string> lines =
      absl::StrSplit(result.out, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 2U);
  const auto stepped = nlohmann::json::parse(lines[0]);
  const auto plain = nlohmann::json::parse(lines[1]);
  EXPECT_EQ(stepped["meta"], true);
  EXPECT_EQ(plain["meta"], false);
  EXPECT_GT(stepped["score"], plain["score"]);
  EXPECT_LT(stepped["plain_correlation"], 1);
  for (const char* name :
       {"meta_norm_grad_layer3.png", "norm_grad_layer3.png"}) {
    EXPECT_TRUE(std::filesystem::exists(
        folder / absl::StrCat("out/dog-tvmonitor_3-boat_", name)))
        << name;
  }
}

// Behind the last layer stands a global average pool: g is the
// same at every position, so that `gradient` is constant and NormGrad's maps of
// any two classes have the same ranks.
TEST(MetaEndToEndTest, ClassSensitivityAtTheLastLayerIsWhatItMustBe) {
  const TemporaryFolder folder;
  const ProgramResult result = RunClient(
      folder, {"evaluate", "class-sensitivity", SampleFolder(), "-m",
               "gradient", "-m", "norm_grad", "-m", "linear_approximation",
               "-l", "layer3", "-l", "layer4", "--combination", "uniform+sum",
               "--meta", "--out-dir", "out", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  const int images = json["images"];
  EXPECT_GE(images, 6);
  EXPECT_EQ(json["results"].size(), 3 * (2 + 1) * 2U);
  for (const auto& entry : json["results"]) {
    SCOPED_TRACE(entry.dump());
    EXPECT_EQ(entry["count"].get<int>() + entry["undefined"].get<int>(),
              images);
    if (entry.value("layer", "") != "layer4" || entry["meta"]) continue;
    if (entry["method"] == "gradient") {
      EXPECT_EQ(entry["undefined"], images);
    } else if (entry["method"] == "norm_grad") {
      EXPECT_GT(entry["mean"], 0.999);
    } else {
      EXPECT_LT(entry["mean"], 0.5) << "linear approximation tells them apart";
    }
  }
  for (const char* file : {"summary.csv", "summary.json", "summary.md",
                           "correlation.png", "correlation_meta.png"}) {
    EXPECT_TRUE(std::filesystem::exists(folder / absl::StrCat("out/", file)))
        << file;
  }
}

}  // namespace
}  // namespace saliency::meta_test
