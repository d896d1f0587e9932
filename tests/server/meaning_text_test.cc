// What is told of a model's outputs, and what their classes are called: by the
// log, GetModel and labels.txt.

#include "server/convert/meaning_text.h"

#include <ATen/ATen.h>

#include <filesystem>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/convert/convert_model.h"
#include "server/convert/model_config_text.h"
#include "server/loading/model_loader.h"
#include "tests/server/temporary_folder.h"
#include "tests/support/tiny_models.h"

namespace saliency::meaning_text_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// The model that returns `result` of z [N,4] and o [N,1], loaded with what its
// folder says.
class MeaningTextTest : public testing::Test {
 protected:
  absl::StatusOr<std::shared_ptr<LoadedModel>> Load(
      const std::string& result, const std::string& labels = "",
      const std::string& config = "") const {
    at::manual_seed(20200616);
    const TemporaryFolder folder;
    folder.Write("net/config.pbtxt",
                 "input { height: 8 width: 8 } warm_up: false " + config);
    if (!labels.empty()) folder.Write("net/labels.txt", labels);
    folder.Write("net/1/note", "");
    const ModelFile file(
        Net({{"conv", Conv(3, 4)}, {"fc", Linear(4, 4)}, {"one", Linear(4, 1)}},
            "y = torch.mean(torch.relu(self.conv.forward(x)), [2, 3])\n"
            "z = self.fc.forward(y)\n"
            "o = self.one.forward(y)\n"
            "return " +
                result));
    std::filesystem::copy_file(file.path(), folder / "net/1/model.pt");
    const RepositoryContents contents =
        ScanRepository(folder.path(), &ParseModelConfigText).value();
    const RepositoryModel& model = contents.models.at(0);
    return LoadVersion(model, model.versions.at(0));
  }

  v1::GetModelResponse Told(const std::string& result,
                            const std::string& labels = "",
                            const std::string& config = "") const {
    v1::GetModelResponse response;
    ToProto(MetadataOf(**Load(result, labels, config)), &response);
    return response;
  }
};

TEST_F(MeaningTextTest, OneOutputHasTwoClassesWithTheLabelsOfBoth) {
  const v1::GetModelResponse none = Told("o");
  EXPECT_EQ(none.num_classes(), 2);
  EXPECT_THAT(none.labels(), IsEmpty());
  EXPECT_EQ(none.output_meaning().output_class(), 0);
  EXPECT_EQ(none.output_meaning().probabilities(), v1::PROBABILITIES_SIGMOID);
  EXPECT_EQ(none.output_meaning().basis(), v1::OUTPUT_BASIS_DEFAULT);
  EXPECT_EQ(none.config().output_activation(), v1::OUTPUT_ACTIVATION_SIGMOID);

  const v1::GetModelResponse one = Told("o[:, 0]", "dog\n");
  EXPECT_THAT(one.labels(), ElementsAre("dog", "not dog"));
  EXPECT_EQ(one.output_meaning().output_class(), 0);

  const v1::GetModelResponse two = Told("torch.sigmoid(o)", "cat\ndog\n");
  EXPECT_THAT(two.labels(), ElementsAre("cat", "dog"));
  EXPECT_EQ(two.output_meaning().output_class(), 1) << "the second is its own";
  EXPECT_EQ(two.output_meaning().probabilities(), v1::PROBABILITIES_GIVEN);
  EXPECT_EQ(two.output_meaning().basis(), v1::OUTPUT_BASIS_GRAPH);
  EXPECT_EQ(two.output_meaning().activation(), "sigmoid");

  EXPECT_EQ(
      Load("o", "a\nb\nc\n").status(),
      absl::InvalidArgumentError(
          "labels.txt has 3 lines, but the model has one output: one line "
          "names its class, two name the other class and then its own"));
}

TEST_F(MeaningTextTest, ARegressionHasOneValueOrSeveralAndNoClasses) {
  const std::string config = "output_activation: OUTPUT_ACTIVATION_REGRESSION";
  const v1::GetModelResponse one = Told("o", "age\n", config);
  EXPECT_EQ(one.num_classes(), 1);
  EXPECT_THAT(one.labels(), ElementsAre("age"));
  EXPECT_FALSE(one.output_meaning().has_output_class());
  EXPECT_EQ(one.output_meaning().probabilities(), v1::PROBABILITIES_NONE);
  EXPECT_EQ(one.output_meaning().basis(), v1::OUTPUT_BASIS_DECLARED);
  EXPECT_EQ(
      Told("torch.sigmoid(z)", "", config).output_meaning().probabilities(),
      v1::PROBABILITIES_NONE);
  EXPECT_THAT(std::string(Load("o", "a\nb\n", config).status().message()),
              HasSubstr("labels.txt has 2 lines, but the model has 1 classes"));
}

TEST_F(MeaningTextTest, TheLogSaysWhatOutputsAreAndWhoSaysSo) {
  const auto text = [&](const std::string& result,
                        const std::string& config = "") {
    return MeaningText((*Load(result, "", config))->replicas[0]->meaning());
  };
  EXPECT_EQ(text("z"), "logits for softmax, by default");
  EXPECT_EQ(text("o"), "one logit for sigmoid, by default");
  EXPECT_EQ(text("z", "output_activation: OUTPUT_ACTIVATION_SIGMOID"),
            "logits for sigmoid, declared");
  EXPECT_EQ(text("z", "output_activation: OUTPUT_ACTIVATION_NONE"),
            "plain values, declared");
  EXPECT_EQ(text("torch.softmax(z, 1)"),
            "probabilities, found: the model ends in softmax");
  EXPECT_EQ(text("torch.log_softmax(z, 1)"),
            "logarithms of probabilities, found: the model ends in "
            "log_softmax");
  EXPECT_EQ(text("torch.exp(z) / torch.sum(torch.exp(z), [1], True)"),
            "probabilities, found: they sum to 1");
}

TEST_F(MeaningTextTest, AnActivationThatIsNotAppliedIsToldToTheOperator) {
  const OutputMeaning given = {.probabilities = Probabilities::kGiven,
                               .basis = OutputBasis::kGraph,
                               .activation = "sigmoid"};
  EXPECT_EQ(UnusedActivation(OutputActivation::kSigmoid, given),
            "output_activation SIGMOID is not applied: the model returns "
            "probabilities, found: the model ends in sigmoid");
  EXPECT_EQ(UnusedActivation(OutputActivation::kNone, given), "");
  EXPECT_EQ(UnusedActivation(OutputActivation::kDefault, given), "");
  EXPECT_EQ(UnusedActivation(OutputActivation::kSoftmax, OutputMeaning()), "");
}

TEST_F(MeaningTextTest, BoundsThatTheGraphSetsAreTold) {
  const auto told = [&](const char* result) {
    return MeaningText(MetadataOf(**Load(result)).meaning);
  };
  EXPECT_EQ(told("1. / (1. + torch.exp(-z))"),
            "probabilities, found: they can only lie in [0,1]");
  EXPECT_EQ(told("torch.relu(o) + 1."),
            "plain values, found: one number that is never negative");
}

}  // namespace
}  // namespace saliency::meaning_text_test
