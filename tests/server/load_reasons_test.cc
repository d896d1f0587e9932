// Models that must not become READY, each with the reason that its operator
// reads; and what is told of those that may.

#include <filesystem>
#include <string>

#include "core/base/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/convert/model_config_text.h"
#include "server/loading/model_loader.h"
#include "server/telemetry/engine_reporter.h"
#include "tests/server/temporary_folder.h"
#include "tests/server/test_server.h"
#include "tests/support/tiny_models.h"

namespace saliency {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;

class LoadReasonsTest : public testing::Test {
 protected:
  // net/1 with a convolution "conv" that `body` makes something of.
  void Write(const std::string& body, const std::string& config = "") {
    const ModelFile file(Net({{"conv", Conv(3, 4)}}, body));
    folder_.Write("net/1/note", "");
    folder_.Write("net/config.pbtxt",
                  "input { height: 8 width: 8 }\n" + config);
    std::filesystem::copy_file(
        file.path(), folder_ / "net/1/model.pt",
        std::filesystem::copy_options::overwrite_existing);
  }

  absl::StatusOr<std::shared_ptr<LoadedModel>> Load() {
    const RepositoryContents contents =
        ScanRepository(folder_.path(), &ParseModelConfigText).value();
    const RepositoryModel& model = contents.models.at(0);
    return LoadVersion(model, model.versions.at(0));
  }

  std::string WhyNot(const std::string& body, const std::string& config = "") {
    Write(body, config);
    const auto loaded = Load();
    EXPECT_FALSE(loaded.ok());
    return std::string(loaded.status().message());
  }

  // The version as it stands when it has been loaded.
  ModelVersion Serve() {
    Gate decided;
    Engine engine({.on_models_change =
                       [&] {
                         for (const auto& version : engine.models().List()) {
                           if (version->state != ModelState::kLoading) {
                             decided.Open();
                           }
                         }
                       }},
                  Clock::Real(), reporter_);
    const ModelLoader loader({.repository = folder_.path()}, engine, metrics_,
                             log_);
    decided.Pass();
    return *engine.models().List().at(0);
  }

  TemporaryFolder folder_;
  LogLines lines_;
  Log log_{LogFormat::kJson, LogLevel::kDebug, lines_.Sink()};
  Metrics metrics_;
  EngineReporter reporter_{*metrics_.registry(), log_, [] {}};
};

TEST_F(LoadReasonsTest, AnOutputThatIsNotFinite) {
  EXPECT_THAT(WhyNot("return torch.mean(self.conv.forward(x), [2, 3]) / 0."),
              HasSubstr("the model's output for a random image is not "
                        "finite"));
  EXPECT_THAT(WhyNot("return torch.log(-torch.mean(torch.abs("
                     "self.conv.forward(x)), [2, 3]))"),
              HasSubstr("is not finite"));
}

TEST_F(LoadReasonsTest, AGradientThatIsNotFinite) {
  // sqrt at 0 has an infinite slope, and what is behind it none.
  EXPECT_THAT(WhyNot("y = torch.mean(self.conv.forward(x), [2, 3])\n"
                     "return y + torch.sqrt((y * 0.) * (y * 0.))"),
              HasSubstr("not finite"));
}

TEST_F(LoadReasonsTest, NoGradientAtAll) {
  const std::pair<const char*, const char*> cases[] = {
      {"y.detach()", "detach"},
      {"torch.round(y * 8.)", "round"},
      {"torch.one_hot(torch.argmax(y, 1), 4).to(6)", "argmax"},
      {"y.to(3).to(6)", "whole numbers"},
      {"torch.ones_like(y)", "ones_like"}};
  for (const auto& [result, name] : cases) {
    SCOPED_TRACE(result);
    EXPECT_THAT(
        WhyNot(std::string("y = torch.mean(self.conv.forward(x), [2, 3])\n"
                           "return ") +
               result),
        AllOf(HasSubstr("no gradient reaches layer \"input\": "),
              HasSubstr(name)));
  }
}

TEST_F(LoadReasonsTest, NoGradientToTheFirstOfSeveralOutputsTellsTheOthers) {
  EXPECT_THAT(WhyNot("y = torch.mean(self.conv.forward(x), [2, 3])\n"
                     "return (torch.argmax(y, 1), y)"),
              AllOf(HasSubstr("argmax"),
                    HasSubstr("output_index in config.pbtxt picks another: "
                              "output 1 [4]")));
}

TEST_F(LoadReasonsTest, WhoWantsAModelWithoutGradientsMayHaveIt) {
  Write("return torch.mean(self.conv.forward(x), [2, 3]).detach()",
        "warm_up: false");
  EXPECT_TRUE(Load().ok());
}

TEST_F(LoadReasonsTest, AGradientThatEndsHalfWayIsNoReason) {
  Write(R"(y = self.conv.forward(x).detach() * torch.mean(x)
        return torch.mean(y, [2, 3]))");
  EXPECT_TRUE(Load().ok());
}

TEST_F(LoadReasonsTest, TheOperatorThatFailsReachesLogAndTable) {
  Write("return torch.mean(self.conv.forward(x.double()), [2, 3])");
  const ModelVersion failed = Serve();
  EXPECT_EQ(failed.state, ModelState::kFailed);
  const char kWhy[] = "operator conv2d of layer \"conv\" meets float32 and ";
  EXPECT_THAT(failed.message, HasSubstr(kWhy));
  EXPECT_THAT(lines_.all(), Contains(AllOf(HasSubstr("model failed"),
                                           HasSubstr("operator conv2d"))));
}

constexpr char kTwoOutputs[] =
    "y = self.conv.forward(x)\n"
    "return (y, torch.mean(y, [2, 3])[:, 0:2])";

TEST_F(LoadReasonsTest, OfSeveralOutputsTheOneThatIsTakenIsTold) {
  Write(kTwoOutputs);
  const ModelVersion ready = Serve();
  EXPECT_EQ(ready.state, ModelState::kReady);
  EXPECT_THAT(ready.message,
              HasSubstr("of 2 outputs the first tensor is explained, output 0 "
                        "[4,8,8]; output_index in config.pbtxt picks another: "
                        "output 1 [2]"));
  EXPECT_THAT(lines_.all(), Contains(AllOf(HasSubstr("model ready"),
                                           HasSubstr("output 0 [4,8,8]"))));
}

TEST_F(LoadReasonsTest, APartThatHoldsSeveralTensorsIsNotLeftOut) {
  Write(
      "y = self.conv.forward(x)\n"
      "return ((torch.mean(y, [2, 3]), y), torch.mean(y, [2, 3])[:, 0:2])");
  EXPECT_THAT(Serve().message,
              HasSubstr("of 2 outputs the first tensor is explained, output 1 "
                        "[2]; output_index in config.pbtxt picks another: "
                        "output 0 (holds tensors: flatten it)"));
}

TEST_F(LoadReasonsTest, AnOutputThatWasChosenNeedsNoNote) {
  Write(kTwoOutputs, "output_index: 1");
  const ModelVersion ready = Serve();
  EXPECT_EQ(ready.state, ModelState::kReady);
  EXPECT_EQ(ready.message, "");
  EXPECT_EQ(ready.metadata->output.name, "output 1");
  EXPECT_EQ(ready.metadata->num_classes, 2);
}

TEST_F(LoadReasonsTest, LabelsOfAnotherOutputSayWhichOutputsThereAre) {
  folder_.Write("net/labels.txt", "cat\ndog\n");
  EXPECT_THAT(WhyNot(kTwoOutputs),
              AllOf(HasSubstr("labels.txt has 2 lines, but the model has 4 "
                              "classes"),
                    HasSubstr("output_index in config.pbtxt picks another: "
                              "output 1 [2]")));
  Write(kTwoOutputs, "output_index: 1");
  EXPECT_TRUE(Load().ok());
}

}  // namespace
}  // namespace saliency
