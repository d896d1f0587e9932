// Excitation backprop and its contrast against their definitions, and where
// they are refused.

#include <ATen/ATen.h>

#include <string>

#include "gmock/gmock.h"
#include "tests/model/model_fixture.h"
#include "tests/model/rule_oracle.h"
#include "tests/support/tensor_close.h"

namespace saliency::excitation_rules_test {
namespace {

using testing::HasSubstr;

constexpr BackwardRule kExcitation = {.kind = BackwardRule::Kind::kExcitation};
constexpr BackwardRule kContrast = {
    .kind = BackwardRule::Kind::kContrastiveExcitation};

// Two convolutions, an average over positions, a linear layer: 5 classes.
TinyModule PlainNet() {
  return Net({{"c1", Conv(3, 6)},
              {"r1", Relu()},
              {"c2", Conv(6, 7)},
              {"r2", Relu()},
              {"fc", Linear(7, 5)}},
             "y = self.r1.forward(self.c1.forward(x))\n"
             "y = self.r2.forward(self.c2.forward(y))\n"
             "return self.fc.forward(torch.mean(y, [2, 3]))");
}

// Of the features f [B,K] of each image's class by weights [K], p_i = f_i w_i /
// sum f w.
at::Tensor AtFeatures(const at::Tensor& f, const at::Tensor& weight) {
  const at::Tensor part = f * weight;
  return part / part.sum(1, /*keepdim=*/true);
}

class ExcitationRulesTest : public ModelTest {
 protected:
  static ProbeResult Run(ProbedModel& model, const at::Tensor& images,
                         const BackwardRule& rule, const std::string& layer) {
    ProbeRequest request = EachImage(images, 5, {layer});
    request.rule = rule;
    return model.Run(request).value();
  }

  // What comes to r1 by the definition, for each image's class.
  at::Tensor Expected(const TinyModule& net, const at::Tensor& images,
                      bool contrast) const {
    const at::Tensor x = images.to(device());
    const at::Tensor r1 = ApplyConv(net, "c1", x).relu();
    const at::Tensor r2 = ApplyConv(net, "c2", r1).relu();
    const at::Tensor f = r2.mean({2, 3});
    std::vector<at::Tensor> of_class;
    for (int64_t i = 0; i < images.size(0); ++i) {
      of_class.push_back(net.At("fc.weight").detach()[i % 5]);
    }
    const at::Tensor weight = at::stack(of_class).to(device());
    at::Tensor p = AtFeatures(f, weight.clamp_min(0));
    if (contrast) p = p - AtFeatures(f, (-weight).clamp_min(0));
    const at::Tensor sums = r2.sum({2, 3}, /*keepdim=*/true);
    at::Tensor at_r2 =
        at::where(sums == 0, 0.0, r2 / sums) * p.unsqueeze(2).unsqueeze(3);
    at_r2 = at_r2 * (r2 > 0);
    const at::Tensor positive =
        net.At("c2.weight").detach().to(device()).clamp_min(0);
    const ConvContributions c =
        ContributionsOf(r1, positive, at::zeros({7}, x.options()));
    return HandOn(at::where(c.z == 0, 0.0, c.all / c.z), at_r2, r1);
  }
};
SALIENCY_INSTANTIATE_DEVICES(ExcitationRulesTest);

TEST_P(ExcitationRulesTest, SignalsAreThoseOfTheDefinition) {
  at::manual_seed(21);
  const TinyModule net = PlainNet();
  const auto model = Load(net);
  const at::Tensor images = Images(5);
  for (const bool contrast : {false, true}) {
    const ProbeResult got =
        Run(*model, images, contrast ? kContrast : kExcitation, "r1");
    EXPECT_TRUE(RowsClose(got.records[0].gradient,
                          Expected(net, images, contrast), 1e-5));
  }
}

// Behind a sum only what both branches have in common is all of it.
TEST_P(ExcitationRulesTest, ProbabilitiesSumToOneAtEveryCut) {
  at::manual_seed(22);
  const auto model = Load(ResidualNet());
  for (const char* layer : {"relu", "block", "tail"}) {
    SCOPED_TRACE(layer);
    const at::Tensor images = Images(6);
    const at::Tensor sums = Run(*model, images, kExcitation, layer)
                                .records[0]
                                .gradient.sum({1, 2, 3});
    EXPECT_TRUE(
        RowsClose(sums.unsqueeze(1), at::ones_like(sums).unsqueeze(1), 1e-3));
    // The contrast takes as much away.
    const at::Tensor contrast =
        Run(*model, images, kContrast, layer).records[0].gradient;
    EXPECT_LE(contrast.sum({1, 2, 3}).abs().max().item<float>(), 1e-3);
    EXPECT_GT(contrast.abs().sum({1, 2, 3}).min().item<float>(), 1e-3);
  }
}

TEST_P(ExcitationRulesTest, ASumSharesInProportionOrGivesAllToEach) {
  at::manual_seed(23);
  const TinyModule net = Net({{"c", Conv(3, 5)}, {"r", Relu()}},
                             "y = self.r.forward(self.c.forward(x))\n"
                             "return torch.mean(y + 3. * y, [2, 3])");
  const auto model = Load(net);
  const at::Tensor images = Images(2);
  BackwardRule rule = kExcitation;
  const at::Tensor shared = Run(*model, images, rule, "r").records[0].gradient;
  rule.split_sums = false;
  const at::Tensor full = Run(*model, images, rule, "r").records[0].gradient;
  EXPECT_TRUE(RowsClose(shared * 2, full, 1e-5));
}

TEST_P(ExcitationRulesTest, ForwardIsTheSameAndARowASingleRun) {
  at::manual_seed(24);
  const auto model = Load(ResidualNet());
  const at::Tensor images = Images(3);
  const ProbeResult plain = Run(*model, images, {}, "block");
  for (const BackwardRule& rule : {kExcitation, kContrast}) {
    ProbeRequest batch = EachImage(images, 5, {"block"});
    batch.rows.push_back({.image = 1, .target = ClassIndex{4}});
    batch.rule = rule;
    const ProbeResult got = model->Run(batch).value();
    EXPECT_TRUE(got.logits.allclose(plain.logits, 1e-6, 1e-7));
    for (size_t r = 0; r < batch.rows.size(); ++r) {
      const int64_t image = batch.rows[r].image;
      ProbeRequest single = batch;
      single.input = images.slice(0, image, image + 1);
      single.rows = {batch.rows[r]};
      single.rows[0].image = 0;
      const auto row = static_cast<int64_t>(r);
      EXPECT_TRUE(RowsClose(got.records[0].gradient.slice(0, row, row + 1),
                            model->Run(single).value().records[0].gradient,
                            1e-4));
    }
  }
}

TEST_P(ExcitationRulesTest, WhatItHasNoRuleForIsNamed) {
  const auto refusal = [&](const std::string& body,
                           const BackwardRule& rule = kExcitation) {
    return Load(Net({{"c", Conv(3, 5)}}, body))->RuleRefusal(rule);
  };
  EXPECT_EQ(refusal("return torch.mean(torch.gelu(self.c.forward(x)), [2, 3])"),
            "operator gelu, which it has no rule for");
  EXPECT_THAT(refusal("y = self.c.forward(x)\n"
                      "return torch.mean(y * torch.sigmoid(y), [2, 3])"),
              HasSubstr("operator sigmoid"));
  EXPECT_THAT(refusal("y = torch.relu(self.c.forward(x))\n"
                      "return torch.mean(y * y, [2, 3])"),
              HasSubstr("operator mul"));
  // The scores are a sum of two.
  EXPECT_EQ(refusal("y = torch.relu(self.c.forward(x))\n"
                    "y = torch.mean(y, [2, 3])\nreturn y + 2. * y",
                    kContrast),
            "scores that come from no linear layer");
  EXPECT_EQ(refusal("return torch.mean(self.c.forward(x), [2, 3])", kContrast),
            "");
}

}  // namespace
}  // namespace saliency::excitation_rules_test
