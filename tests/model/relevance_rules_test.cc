// Relevance propagation and DeepLIFT against their definitions: what each rule
// hands on, what is conserved, and where they are refused.

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/model/model_fixture.h"
#include "tests/model/rule_oracle.h"
#include "tests/support/tensor_close.h"

namespace saliency::relevance_rules_test {
namespace {

using testing::HasSubstr;
using Kind = BackwardRule::Kind;

// One convolution with a bias: the input's relevance is one step.
TinyModule OneConv() {
  return Net({{"c", Conv(3, 5)}},
             "return torch.mean(torch.relu(self.c.forward(x)), [2, 3])");
}

TinyModule WithoutBias(TinyModule net) {
  for (auto& [name, child] : net.children) {
    const auto bias = child.parameters.find("bias");
    if (bias != child.parameters.end()) bias->second.zero_();
    child = WithoutBias(std::move(child));
  }
  return net;
}

TinyModule Biasless() {
  return WithoutBias(
      Net({{"c1", Conv(3, 6)},
           {"r1", Relu()},
           {"c2", Conv(6, 6)},
           {"r2", Relu()},
           {"pool", Function("Pool", "torch.max_pool2d(x, [3, 3], [2, 2])")},
           {"fc", Linear(6, 5)}},
          "y = self.r1.forward(self.c1.forward(x))\n"
          "y = self.r2.forward(y + self.c2.forward(y))\n"
          "y = torch.cat([self.pool.forward(y), self.pool.forward(y)], 1)\n"
          "return self.fc.forward(torch.mean(y[:, :6], [2, 3]))"));
}

// DeepLIFT on what has gates, other activations and overlapping max pools.
TinyModule GatedNet() {
  return Net({{"c1", Conv(3, 6)},
              {"bn", BatchNorm(6)},
              {"act", Function("Act", "torch.silu(x)")},
              {"gate", Conv(6, 6)},
              {"mix", Function("Mix", "torch.max_pool2d(x, [3, 3], [2, 2])")},
              {"fc", Linear(6, 5)}},
             "y = self.act.forward(self.bn.forward(self.c1.forward(x)))\n"
             "y = y * torch.sigmoid(self.gate.forward(y))\n"
             "return self.fc.forward(torch.mean(self.mix.forward(y), [2, 3]))");
}

class RelevanceRulesTest : public ModelTest {
 protected:
  static ProbeResult Run(ProbedModel& model, const at::Tensor& images,
                         const BackwardRule& rule,
                         const std::vector<std::string>& layers) {
    ProbeRequest request = EachImage(images, 5, layers);
    request.rule = rule;
    return model.Run(request).value();
  }

  static at::Tensor Relevance(const ProbeResult::Record& record) {
    return record.activation * record.gradient;
  }

  // What OneConv's input gets when output j hands on these shares.
  void ExpectShares(const BackwardRule& rule, const at::Tensor& images,
                    const TinyModule& net, const ConvContributions& c,
                    const at::Tensor& shares) const {
    const auto model = Load(net);
    const at::Tensor got =
        Relevance(Run(*model, images, rule, {"input"}).records[0]);
    // Each position of the class's channel has its part of the mean.
    const at::Tensor z = c.z.squeeze(2).view(
        {images.size(0), 5, images.size(2), images.size(3)});
    at::Tensor relevance = at::zeros_like(z);
    for (int64_t i = 0; i < images.size(0); ++i) {
      relevance[i][i % 5] = z[i][i % 5].clamp_min(0) / 64;
    }
    EXPECT_TRUE(
        RowsClose(got, HandOn(shares, relevance, images.to(device())), 1e-4));
  }

  ConvContributions Contributions(const TinyModule& net,
                                  const at::Tensor& images) const {
    return ContributionsOf(images.to(device()),
                           net.At("c.weight").detach().to(device()),
                           net.At("c.bias").detach().to(device()));
  }
};
SALIENCY_INSTANTIATE_DEVICES(RelevanceRulesTest);

TEST_P(RelevanceRulesTest, EpsilonHandsOnAsDefined) {
  at::manual_seed(31);
  const TinyModule net = OneConv();
  const at::Tensor images = Images(5);
  const ConvContributions c = Contributions(net, images);
  ExpectShares({.kind = Kind::kLrpEpsilon, .epsilon = 0.3}, images, net, c,
               c.all / (c.z + 0.3 * c.z.sign()));
}

TEST_P(RelevanceRulesTest, GammaHandsOnAsDefined) {
  at::manual_seed(32);
  const TinyModule net = OneConv();
  for (const bool positive : {false, true}) {
    at::Tensor images = Images(5);
    if (positive) images = images.abs();
    const ConvContributions c = Contributions(net, images);
    // Outputs of relevance are positive.
    const at::Tensor more = c.all + 0.5 * c.all.clamp_min(0);
    const at::Tensor sum =
        more.sum(2, /*keepdim=*/true) + c.bias + 0.5 * c.bias.clamp_min(0);
    ExpectShares({.kind = Kind::kLrpGamma, .gamma = 0.5}, images, net, c,
                 more / sum);
  }
}

TEST_P(RelevanceRulesTest, AlphaBetaHandsOnAsDefined) {
  at::manual_seed(33);
  const TinyModule net = OneConv();
  for (const double beta : {0.0, 1.0}) {
    const at::Tensor images = Images(5);
    const ConvContributions c = Contributions(net, images);
    const at::Tensor above = c.all.clamp_min(0);
    const at::Tensor below = c.all.clamp_max(0);
    const at::Tensor for_z =
        above.sum(2, /*keepdim=*/true) + c.bias.clamp_min(0);
    const at::Tensor against_z =
        below.sum(2, /*keepdim=*/true) + c.bias.clamp_max(0);
    // Where nothing speaks against an output, nothing takes part in that.
    const at::Tensor shares = (1 + beta) * (above / for_z).nan_to_num(0) -
                              beta * (below / against_z).nan_to_num(0);
    ExpectShares({.kind = Kind::kLrpAlphaBeta, .alpha = 1 + beta, .beta = beta},
                 images, net, c, shares);
  }
}

TEST_P(RelevanceRulesTest, CompositeBeginsWithTheRuleOfPixels) {
  at::manual_seed(34);
  const TinyModule net = OneConv();
  const at::Tensor images = Images(5);
  const ConvContributions c = Contributions(net, images);
  const PixelRange pixels = PixelRangeOf({});
  const auto colour = [&](const std::vector<float>& values) {
    return at::tensor(at::ArrayRef<float>(values))
        .view({1, 3, 1, 1})
        .expand({5, 3, 8, 8})
        .to(device());
  };
  const at::Tensor weight = net.At("c.weight").detach().to(device());
  const at::Tensor none = at::zeros({5}, weight.options());
  const at::Tensor parts =
      c.all -
      ContributionsOf(colour(pixels.black), weight.clamp_min(0), none).all -
      ContributionsOf(colour(pixels.white), weight.clamp_max(0), none).all;
  ExpectShares({.kind = Kind::kLrpComposite}, images, net, c,
               parts / parts.sum(2, /*keepdim=*/true));
}

TEST_P(RelevanceRulesTest, WithoutBiasesRelevanceIsConserved) {
  at::manual_seed(35);
  const auto model = Load(Biasless());
  const at::Tensor images = Images(5);
  for (const Kind kind : {Kind::kLrpEpsilon, Kind::kLrpGamma,
                          Kind::kLrpAlphaBeta, Kind::kLrpComposite}) {
    SCOPED_TRACE(static_cast<int>(kind));
    const ProbeResult got = Run(*model, images, {.kind = kind, .epsilon = 1e-9},
                                {"input", "r1", "r2"});
    for (const ProbeResult::Record& record : got.records) {
      const at::Tensor sums = Relevance(record).sum({1, 2, 3}).cpu();
      for (int64_t i = 0; i < 5; ++i) {
        EXPECT_NEAR(sums[i].item<float>(), got.score[i],
                    2e-3 * std::abs(got.score[i]) + 1e-5);
      }
    }
  }
}

TEST_P(RelevanceRulesTest, OfReluNetworksEpsilonIsInputTimesGradient) {
  at::manual_seed(36);
  const auto model = Load(ResidualNet());
  const at::Tensor images = Images(4);
  const std::vector<std::string> layers = {"input", "relu", "block"};
  const ProbeResult plain = Run(*model, images, {}, layers);
  const ProbeResult got = Run(
      *model, images, {.kind = Kind::kLrpEpsilon, .epsilon = 1e-12}, layers);
  for (size_t i = 0; i < layers.size(); ++i) {
    EXPECT_TRUE(
        RowsClose(got.records[i].gradient, plain.records[i].gradient, 1e-5));
  }
  // Gamma 0 is epsilon 0.
  const ProbeResult gamma =
      Run(*model, images, {.kind = Kind::kLrpGamma, .gamma = 0}, layers);
  EXPECT_TRUE(
      RowsClose(gamma.records[0].gradient, plain.records[0].gradient, 1e-4));
}

// A gate is a constant to relevance, whether a sigmoid or a hard sigmoid and by
// whatever views it comes.
TEST_P(RelevanceRulesTest, GatesGetNothing) {
  at::manual_seed(40);
  const auto net = [&,
                    children = std::vector<std::pair<std::string, TinyModule>>{
                        {"c", Conv(3, 6)},
                        {"squeeze", Linear(6, 6)},
                        {"scale", Function("Scale", "torch.sigmoid(x)")},
                        {"gate", Conv(6, 6)},
                        {"fc", Linear(6, 5)}}](const std::string& end) {
    return Load(Net(
        children,
        "y = torch.relu(self.c.forward(x))\n"
        "s = self.scale.forward(self.squeeze.forward(torch.mean(y, [2, 3])))\n"
        "y = s.view([-1, 6, 1, 1])" +
            end +
            " * y\n"
            "y = y * torch.hardsigmoid(self.gate.forward(y))" +
            end +
            "\n"
            "return self.fc.forward(torch.mean(torch.relu(y), [2, 3]))"));
  };
  const auto gated = net("");
  const auto constant = net(".detach()");
  const at::Tensor images = Images(4);
  const ProbeResult want = Run(*constant, images, {}, {"input", "c"});
  const ProbeResult got =
      Run(*gated, images, {.kind = Kind::kLrpEpsilon, .epsilon = 1e-12},
          {"input", "c"});
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(
        RowsClose(got.records[i].gradient, want.records[i].gradient, 1e-5));
  }
}

TEST_P(RelevanceRulesTest, LayerNormsProductsAndActivationsPassItOn) {
  at::manual_seed(37);
  const auto model = Load(WithoutBias(
      Net({{"c", Conv(3, 6)}, {"q", Linear(6, 6)}, {"fc", Linear(6, 5)}},
          "y = self.c.forward(x)\n"
          "t = torch.flatten(y, 2).transpose(1, 2)\n"
          "t = torch.layer_norm(t, [6])\n"
          "t = torch.gelu(t) * self.q.forward(t)\n"
          "t = torch.matmul(torch.matmul(t, t.transpose(1, 2)), t)\n"
          "return self.fc.forward(torch.mean(t, [1]))")));
  const ProbeResult got =
      Run(*model, Images(5), {.kind = Kind::kLrpEpsilon}, {"input", "c"});
  for (const ProbeResult::Record& record : got.records) {
    const at::Tensor sums = Relevance(record).sum({1, 2, 3}).cpu();
    for (int64_t i = 0; i < 5; ++i) {
      EXPECT_NEAR(sums[i].item<float>(), got.score[i],
                  2e-3 * std::abs(got.score[i]));
    }
  }
}

TEST_P(RelevanceRulesTest, DeepLiftsMapsSumToTheScoresDifference) {
  at::manual_seed(38);
  for (const TinyModule& net : {GatedNet(), ResidualNet(), Biasless()}) {
    const auto model = Load(net);
    const at::Tensor images = Images(4);
    for (const auto reference :
         {BackwardRule::Reference::kBlack, BackwardRule::Reference::kMean}) {
      at::Tensor image = at::zeros({1, 3, 8, 8});
      if (reference == BackwardRule::Reference::kBlack) {
        const PixelRange pixels = PixelRangeOf({});
        for (int64_t c = 0; c < 3; ++c) image[0][c].fill_(pixels.black[c]);
      }
      const at::Tensor at_reference =
          Run(*model, image, {}, {"input"}).logits[0];
      const ProbeResult got =
          Run(*model, images, {.kind = Kind::kDeepLift, .reference = reference},
              {"input"});
      EXPECT_TRUE(RowsClose(got.records[0].activation,
                            (images - image).to(device()), 1e-6));
      const at::Tensor sums = Relevance(got.records[0]).sum({1, 2, 3}).cpu();
      for (int64_t i = 0; i < 4; ++i) {
        const float want = got.score[i] - at_reference[i % 5].item<float>();
        EXPECT_NEAR(sums[i].item<float>(), want, 1e-3 * std::abs(want) + 1e-4);
      }
    }
  }
}

TEST_P(RelevanceRulesTest, ForwardIsTheSameAndARowASingleRun) {
  at::manual_seed(39);
  const auto model = Load(ResidualNet());
  const at::Tensor images = Images(3);
  const ProbeResult plain = Run(*model, images, {}, {"block"});
  for (const Kind kind :
       {Kind::kLrpEpsilon, Kind::kLrpGamma, Kind::kLrpAlphaBeta,
        Kind::kLrpComposite, Kind::kDeepLift}) {
    SCOPED_TRACE(static_cast<int>(kind));
    ProbeRequest batch = EachImage(images, 5, {"input", "block"});
    batch.rows.push_back({.image = 1, .target = ClassIndex{4}});
    batch.rule = {.kind = kind};
    const ProbeResult got = model->Run(batch).value();
    EXPECT_TRUE(got.logits.allclose(plain.logits, 1e-6, 1e-7));
    for (size_t r = 0; r < batch.rows.size(); ++r) {
      const int64_t image = batch.rows[r].image;
      ProbeRequest single = batch;
      single.input = images.slice(0, image, image + 1);
      single.rows = {batch.rows[r]};
      single.rows[0].image = 0;
      const ProbeResult alone = model->Run(single).value();
      const auto row = static_cast<int64_t>(r);
      for (size_t i = 0; i < 2; ++i) {
        EXPECT_TRUE(RowsClose(got.records[i].gradient.slice(0, row, row + 1),
                              alone.records[i].gradient, 1e-3));
      }
    }
  }
}

TEST_P(RelevanceRulesTest, WhatTheyHaveNoRuleForIsNamed) {
  const auto refusal = [&](const std::string& body, Kind kind) {
    return Load(Net({{"c", Conv(3, 5)}}, body))->RuleRefusal({.kind = kind});
  };
  EXPECT_EQ(refusal("return torch.mean(torch.sigmoid(self.c.forward(x)), "
                    "[2, 3])",
                    Kind::kLrpGamma),
            "operator sigmoid, which it has no rule for");
  // A gate that is something else too.
  EXPECT_EQ(refusal("y = self.c.forward(x)\n"
                    "s = torch.sigmoid(y)\n"
                    "return torch.mean(y * s + s, [2, 3])",
                    Kind::kLrpEpsilon),
            "operator sigmoid, which it has no rule for");
  EXPECT_THAT(refusal("y = self.c.forward(x)\n"
                      "return torch.mean(torch.softmax(y, 1), [2, 3])",
                      Kind::kDeepLift),
              HasSubstr("operator softmax"));
}

}  // namespace
}  // namespace saliency::relevance_rules_test
