// What a model's outputs mean: found in its graph, tried at load or declared,
// and what one output of two classes comes to.

#include "core/model/output_meaning.h"

#include <torch/torch.h>

#include <cmath>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/model/model_fixture.h"
#include "tests/support/tensor_close.h"

namespace saliency::output_meaning_test {
namespace {

using testing::HasSubstr;

// conv relu, then `body` over z [N,4], the means of y [N,4,8,8] times 5.
TinyModule MeaningNet(const std::string& body) {
  return Net({{"conv", Conv(3, 4)},
              {"relu", Relu()},
              {"fc", Linear(4, 4)},
              {"one", Linear(4, 1)}},
             "y = self.relu.forward(self.conv.forward(x))\n"
             "z = self.fc.forward(torch.mean(y, [2, 3])) * 5.\n"
             "o = self.one.forward(torch.mean(y, [2, 3])) - 2.\n" +
                 body);
}

class OutputMeaningTest : public ModelTest {
 protected:
  OutputMeaning Of(const std::string& body,
                   OutputActivation declared = OutputActivation::kDefault,
                   LoadOptions options = {}) const {
    options.activation = declared;
    return Load(MeaningNet(body), options)->meaning();
  }
};
SALIENCY_INSTANTIATE_DEVICES(OutputMeaningTest);

TEST_P(OutputMeaningTest, AnActivationAtTheEndIsFoundInTheGraph) {
  struct Case {
    const char* body;
    Probabilities probabilities;
    const char* activation;
    bool exclusive;
  };
  const Case cases[] = {
      {"return torch.softmax(z, 1)", Probabilities::kGiven, "softmax", true},
      {"return torch.softmax(z, -1)", Probabilities::kGiven, "softmax", true},
      {"return torch.log_softmax(z, 1)", Probabilities::kGivenLogs,
       "log_softmax", true},
      {"return torch.sigmoid(z)", Probabilities::kGiven, "sigmoid", false},
      {"return torch.sigmoid_(z)", Probabilities::kGiven, "sigmoid", false},
      {"return torch.exp(torch.log_softmax(z, 1))", Probabilities::kGiven,
       "softmax", true},
      {"return torch.log(torch.softmax(z, 1))", Probabilities::kGivenLogs,
       "log_softmax", true},
      {"return torch.log(torch.sigmoid(z))", Probabilities::kGivenLogs,
       "logsigmoid", false},
      {"return torch.softmax(torch.unsqueeze(z, 2), 1).view(-1, 4)",
       Probabilities::kGiven, "softmax", true},
      {"return torch.sigmoid(z).to(7)", Probabilities::kGiven, "sigmoid",
       false},
      {"return torch.clamp(torch.sigmoid(z), 0.001, 0.999)",
       Probabilities::kGiven, "sigmoid", false},
      {"return torch.mean(torch.sigmoid(y), [2, 3])", Probabilities::kGiven,
       "sigmoid", false},
      {"return torch.sigmoid(y)", Probabilities::kGiven, "sigmoid", false},
      {"return torch.softmax(y, 1)", Probabilities::kGiven, "softmax", true},
      {"return torch.cat([torch.sigmoid(z), torch.sigmoid(o)], 1)",
       Probabilities::kGiven, "sigmoid", false},
      {"return torch.cat([torch.softmax(z, 1), torch.softmax(z, 1)], 1)",
       Probabilities::kGiven, "sigmoid", false},
      {"return (torch.softmax(z, 1), z)", Probabilities::kGiven, "softmax",
       true},
      {"return {\"p\": torch.sigmoid(z), \"z\": z}", Probabilities::kGiven,
       "sigmoid", false}};
  for (const Case& one : cases) {
    SCOPED_TRACE(one.body);
    for (const OutputActivation declared :
         {OutputActivation::kDefault, OutputActivation::kSigmoid,
          OutputActivation::kNone}) {
      const OutputMeaning meaning = Of(one.body, declared);
      EXPECT_EQ(meaning.probabilities, one.probabilities);
      EXPECT_EQ(meaning.basis, OutputBasis::kGraph);
      EXPECT_EQ(meaning.activation, one.activation);
      EXPECT_EQ(meaning.exclusive, one.exclusive);
      EXPECT_FALSE(meaning.one_output);
    }
  }
}

TEST_P(OutputMeaningTest, TheActivationIsThatOfTheChosenOutput) {
  LoadOptions second;
  second.output_index = 1;
  EXPECT_EQ(Of("return (z, torch.sigmoid(z))").probabilities,
            Probabilities::kSoftmax);
  EXPECT_EQ(Of("return (z, torch.sigmoid(z))", {}, second).probabilities,
            Probabilities::kGiven);
  LoadOptions key;
  key.output_key = "p";
  const char kDict[] = "return {\"z\": z, \"p\": torch.log_softmax(z, 1)}";
  EXPECT_EQ(Of(kDict).probabilities, Probabilities::kSoftmax);
  EXPECT_EQ(Of(kDict, {}, key).probabilities, Probabilities::kGivenLogs);
}

TEST_P(OutputMeaningTest, WhatSumsToOneIsProbabilitiesWhateverMadeIt) {
  for (const char* body :
       {"e = torch.exp(z)\nreturn e / torch.sum(e, 1, True)",
        "p = torch.sigmoid(o)\nreturn torch.cat([1. - p, p], 1)",
        "return (torch.softmax(z, 1) + torch.softmax(-z, 1)) / 2.",
        "a = torch.softmax(z, 1)\nreturn 0.9 * a + 0.025"}) {
    SCOPED_TRACE(body);
    for (const OutputActivation declared :
         {OutputActivation::kDefault, OutputActivation::kSoftmax}) {
      const OutputMeaning meaning = Of(body, declared);
      EXPECT_EQ(meaning.probabilities, Probabilities::kGiven);
      EXPECT_EQ(meaning.basis, OutputBasis::kTrial);
      EXPECT_TRUE(meaning.exclusive);
    }
  }
  EXPECT_EQ(Of("return z - torch.logsumexp(z, [1], True)").probabilities,
            Probabilities::kGivenLogs);
}

TEST_P(OutputMeaningTest, PercentagesArePlainValues) {
  for (const OutputActivation declared :
       {OutputActivation::kDefault, OutputActivation::kSoftmax}) {
    const OutputMeaning meaning =
        Of("return torch.softmax(z, 1) * 100.", declared);
    EXPECT_EQ(meaning.probabilities, Probabilities::kNone);
    EXPECT_EQ(meaning.basis, OutputBasis::kTrial);
    EXPECT_FALSE(meaning.exclusive);
  }
  // Logits whose sums differ as little as they do themselves.
  for (const char* body : {"return 1e-4 * z + 5.", "return z * 0. + 5."}) {
    SCOPED_TRACE(body);
    EXPECT_EQ(Of(body).probabilities, Probabilities::kSoftmax);
  }
}

// Sigmoids written by hand, and limits.
TEST_P(OutputMeaningTest, WhatCanOnlyLieInTheUnitIntervalIsAProbability) {
  for (const char* body :
       {"return 1. / (1. + torch.exp(-z))",
        "return torch.reciprocal(torch.exp(-z) + 1.)",
        "return 0.5 * (torch.tanh(z) + 1.)", "return torch.clamp(z, 0., 1.)",
        "return torch.hardtanh(z, 0., 1.)", "return torch.relu6(z + 3.) / 6.",
        "return 1. - torch.exp(-torch.relu(z))",
        "return torch.cat([torch.sigmoid(z), 0.5 * torch.sigmoid(o)], 1)"}) {
    SCOPED_TRACE(body);
    for (const OutputActivation declared :
         {OutputActivation::kDefault, OutputActivation::kSigmoid}) {
      const OutputMeaning meaning = Of(body, declared);
      EXPECT_EQ(meaning.probabilities, Probabilities::kGiven);
      EXPECT_EQ(meaning.basis, OutputBasis::kGraph);
      EXPECT_FALSE(meaning.exclusive);
    }
  }
  const OutputMeaning one = Of("return 1. / (1. + torch.exp(-o))");
  EXPECT_EQ(one.probabilities, Probabilities::kGiven);
  EXPECT_TRUE(one.one_output);
}

TEST_P(OutputMeaningTest, OneNumberThatIsNeverNegativeIsAPlainValue) {
  for (const char* body :
       {"return torch.relu(o)", "return torch.exp(o)",
        "return torch.softplus(o)", "return 100. * torch.sigmoid(o)",
        "return torch.abs(o)[:, 0]"}) {
    SCOPED_TRACE(body);
    const OutputMeaning meaning = Of(body);
    EXPECT_EQ(meaning.probabilities, Probabilities::kNone);
    EXPECT_EQ(meaning.basis, OutputBasis::kGraph);
    EXPECT_FALSE(meaning.one_output);
    EXPECT_EQ(Of(body, OutputActivation::kSigmoid).probabilities,
              Probabilities::kSigmoid);
  }
  for (const char* body : {"return torch.tanh(o)", "return torch.relu(o) - 1.",
                           "return torch.max(o, -o) * o"}) {
    SCOPED_TRACE(body);
    EXPECT_EQ(Of(body).probabilities, Probabilities::kSigmoid);
    EXPECT_EQ(Of(body).basis, OutputBasis::kDefault);
  }
}

TEST_P(OutputMeaningTest, LogitsAreNotTakenForProbabilities) {
  for (const char* body :
       {"return z", "return torch.relu(z) + 2.", "return torch.sigmoid(z) * 3.",
        "return z * torch.sigmoid(z)", "return torch.sigmoid(z) * 2. - 0.5",
        "return torch.sigmoid(z) / (torch.sigmoid(o) - 0.5)",
        "return self.fc.forward(torch.softmax(z, 1)) * 5."}) {
    SCOPED_TRACE(body);
    EXPECT_EQ(Of(body).probabilities, Probabilities::kSoftmax);
    EXPECT_EQ(Of(body).basis, OutputBasis::kDefault);
    EXPECT_EQ(Of(body, OutputActivation::kSigmoid).probabilities,
              Probabilities::kSigmoid);
    EXPECT_EQ(Of(body, OutputActivation::kNone).probabilities,
              Probabilities::kNone);
  }
}

TEST_P(OutputMeaningTest, NoneShowsWhatLiesInTheUnitIntervalAsProbabilities) {
  const OutputMeaning meaning =
      Of("return torch.abs(torch.sin(z))", OutputActivation::kNone);
  EXPECT_EQ(meaning.probabilities, Probabilities::kGiven);
  EXPECT_EQ(meaning.basis, OutputBasis::kDeclared);
  EXPECT_FALSE(meaning.exclusive);
}

TEST_P(OutputMeaningTest, ARegressionIsNeverAProbability) {
  for (const char* body : {"return torch.sigmoid(z)", "return o",
                           "return torch.softmax(z, 1)", "return o[:, 0]"}) {
    SCOPED_TRACE(body);
    const OutputMeaning meaning = Of(body, OutputActivation::kRegression);
    EXPECT_EQ(meaning.probabilities, Probabilities::kNone);
    EXPECT_EQ(meaning.basis, OutputBasis::kDeclared);
    EXPECT_FALSE(meaning.one_output);
  }
}

TEST_P(OutputMeaningTest, SoftmaxOfASingleOutputIsRefused) {
  const ModelFile file(MeaningNet("return o"));
  LoadOptions options;
  options.device = GetParam();
  options.input_height = options.input_width = 8;
  options.activation = OutputActivation::kSoftmax;
  EXPECT_THAT(
      std::string(ProbedModel::Load(file.path(), options).status().message()),
      HasSubstr("output_activation SOFTMAX of a model with one output is 1"));
}

// The other class's outputs by definition, for each form of one output.
TEST_P(OutputMeaningTest, ASingleOutputHasTwoClasses) {
  struct Case {
    const char* body;
    Probabilities probabilities;
    at::Tensor (*opposite)(const at::Tensor&);
  };
  const Case cases[] = {
      {"return o", Probabilities::kSigmoid,
       [](const at::Tensor& v) { return -v; }},
      {"return o[:, 0]", Probabilities::kSigmoid,
       [](const at::Tensor& v) { return -v; }},
      {"return torch.sigmoid(o)", Probabilities::kGiven,
       [](const at::Tensor& v) { return 1 - v; }},
      {"return torch.softmax(z, 1)[:, 1]", Probabilities::kGiven,
       [](const at::Tensor& v) { return 1 - v; }},
      {"return torch.log(torch.sigmoid(o))", Probabilities::kGivenLogs,
       [](const at::Tensor& v) { return at::log(1 - at::exp(v)); }}};
  for (const Case& one : cases) {
    for (const int64_t own : {0, 1}) {
      SCOPED_TRACE(one.body);
      LoadOptions options;
      options.output_class = own;
      const auto model = Load(MeaningNet(one.body), options);
      EXPECT_TRUE(model->meaning().one_output);
      EXPECT_EQ(model->meaning().probabilities, one.probabilities);
      ASSERT_EQ(model->num_classes(), 2);
      const at::Tensor images = Images(1);
      ProbeRequest request = EachImage(images, 1, {"relu"});
      request.rows = {{0, ClassIndex{0}}, {0, ClassIndex{1}}, {0, {}}};
      request.rows[2].score = Score::kScalarOutput;
      const ProbeResult result = model->Run(request).value();
      const at::Tensor value = result.logits.select(1, own);
      EXPECT_TRUE(RowsClose(result.logits.select(1, 1 - own),
                            one.opposite(value), 1e-5));
      EXPECT_FLOAT_EQ(result.score[2], result.score[own]);
      // Every form is a function of one number: the maps are parallel.
      const at::Tensor gradient = result.records[0].gradient.cpu();
      EXPECT_GT(gradient[own].abs().max().item<float>(), 0);
      EXPECT_TRUE(RowsClose(gradient[2].unsqueeze(0),
                            gradient[own].unsqueeze(0), 1e-5));
      const double slope =
          one.probabilities == Probabilities::kGivenLogs
              ? -std::exp(result.score[own]) / (1 - std::exp(result.score[own]))
              : -1;
      EXPECT_TRUE(RowsClose(gradient[1 - own].unsqueeze(0),
                            slope * gradient[own].unsqueeze(0), 1e-4));
    }
  }
}

TEST_P(OutputMeaningTest, CamOfTheOtherClassIsTheNegative) {
  const auto model = Load(MeaningNet("return o + 2."));
  ASSERT_FALSE(model->linear_head().has_value()) << "o is no plain linear";
  TinyModule net = Net({{"conv", Conv(3, 4)}, {"fc", Linear(4, 1)}},
                       "y = self.conv.forward(x)\n"
                       "return self.fc.forward(torch.mean(y, [2, 3]))");
  const auto plain = Load(net);
  ASSERT_TRUE(plain->linear_head().has_value());
  const at::Tensor weight = plain->linear_head()->weight;
  ASSERT_EQ(weight.size(0), 2);
  EXPECT_TRUE(at::equal(weight[0], -weight[1]));
}

// A model that ends in softmax takes the step that its logits would take.
TEST_P(OutputMeaningTest, AMetaStepFollowsTheModelsOwnProbabilities) {
  struct Case {
    const char* logits;
    const char* returned;
    OutputActivation declared;
    at::Tensor (*activate)(const at::Tensor&);
  };
  const Case cases[] = {
      {"return z", "return torch.softmax(z, 1)", OutputActivation::kSoftmax,
       [](const at::Tensor& v) { return at::softmax(v, 1); }},
      {"return z", "return torch.log_softmax(z, 1)", OutputActivation::kSoftmax,
       [](const at::Tensor& v) { return at::log_softmax(v, 1); }},
      {"return z", "e = torch.exp(z)\nreturn e / torch.sum(e, 1, True)",
       OutputActivation::kSoftmax,
       [](const at::Tensor& v) { return at::softmax(v, 1); }},
      {"return z", "return torch.sigmoid(z)", OutputActivation::kSigmoid,
       [](const at::Tensor& v) { return at::sigmoid(v); }},
      {"return o", "return torch.sigmoid(o)", OutputActivation::kDefault,
       [](const at::Tensor& v) { return at::sigmoid(v); }}};
  for (const Case& one : cases) {
    SCOPED_TRACE(one.returned);
    const at::Tensor images = Images(2);
    const auto stepped = [&](const char* body) {
      torch::manual_seed(7);
      LoadOptions options;
      options.activation = one.declared;
      const auto model = Load(MeaningNet(body), options);
      ProbeRequest request = EachImage(images, 2, {"relu"});
      for (ProbeRow& row : request.rows) {
        row.meta = MetaStep{.epsilon = 0.01, .loss = LossOf(model->meaning())};
      }
      return model->Run(request).value().stepped_logits;
    };
    const at::Tensor of_logits = stepped(one.logits);
    EXPECT_TRUE(
        RowsClose(stepped(one.returned), one.activate(of_logits), 1e-4));
  }
}

TEST_P(OutputMeaningTest, ALossThatTheOutputDoesNotHaveIsRefused) {
  const auto refusal = [&](const std::string& body, OutputActivation declared,
                           MetaLoss loss) {
    LoadOptions options;
    options.activation = declared;
    const auto model = Load(MeaningNet(body), options);
    ProbeRequest request = EachImage(Images(1), 1, {"relu"});
    request.rows[0].meta = MetaStep{.loss = loss};
    return std::string(model->Run(request).status().message());
  };
  EXPECT_THAT(
      refusal("return torch.softmax(z, 1)", {}, MetaLoss::kBinaryCrossEntropy),
      HasSubstr("BINARY_CROSS_ENTROPY needs logits"));
  EXPECT_THAT(refusal("return torch.sigmoid(z)", {}, MetaLoss::kCrossEntropy),
              HasSubstr("CROSS_ENTROPY needs logits"));
  EXPECT_THAT(refusal("return o", {}, MetaLoss::kCrossEntropy),
              HasSubstr("CROSS_ENTROPY needs two logits"));
  EXPECT_THAT(refusal("return o", OutputActivation::kRegression,
                      MetaLoss::kBinaryCrossEntropy),
              HasSubstr("plain values"));
}

}  // namespace
}  // namespace saliency::output_meaning_test
