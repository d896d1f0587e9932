// Deconvnet and guided backpropagation against their definitions, and where
// they are refused.

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "core/attribution/attribution.h"
#include "gmock/gmock.h"
#include "tests/model/model_fixture.h"
#include "tests/support/tensor_close.h"

namespace saliency::relu_rules_test {
namespace {

using testing::HasSubstr;

constexpr BackwardRule kGuided = {.kind = BackwardRule::Kind::kGuidedBackprop};
constexpr BackwardRule kDeconvnet = {.kind = BackwardRule::Kind::kDeconvnet};

// conv, an activation, conv, the same again, mean over positions: 5 classes.
TinyModule ActivationNet(const std::string& activation) {
  return Net({{"c1", Conv(3, 6)},
              {"act", Function("Act", activation)},
              {"c2", Conv(6, 5)}},
             "y = self.act.forward(self.c1.forward(x))\n"
             "return torch.mean(self.act.forward(self.c2.forward(y)), [2, 3])");
}

// What an activation makes of x, and of the signal p that comes back to it.
struct Activation {
  std::string text;
  at::Tensor (*forward)(const at::Tensor& x);
  at::Tensor (*guided)(const at::Tensor& x, const at::Tensor& p);
  at::Tensor (*deconvnet)(const at::Tensor& x, const at::Tensor& p);
};

at::Tensor Positive(const at::Tensor& p) { return at::where(p > 0, p, p * 0); }

const std::vector<Activation>& Activations() {
  static const auto* const activations = new std::vector<Activation>{
      {"torch.relu(x)", [](const at::Tensor& x) { return at::relu(x); },
       [](const at::Tensor& x, const at::Tensor& p) {
         return Positive(p) * (x >= 0);
       },
       [](const at::Tensor&, const at::Tensor& p) { return Positive(p); }},
      {"torch.clamp(x, 0., 0.5)",
       [](const at::Tensor& x) { return at::clamp(x, 0, 0.5); },
       [](const at::Tensor& x, const at::Tensor& p) {
         return Positive(p) * (x >= 0) * (x <= 0.5);
       },
       [](const at::Tensor& x, const at::Tensor& p) {
         return Positive(p) * (x <= 0.5);
       }},
      {"torch.leaky_relu(x, 0.1)",
       [](const at::Tensor& x) { return at::leaky_relu(x, 0.1); },
       [](const at::Tensor& x, const at::Tensor& p) {
         return Positive(p) * at::where(x >= 0, 1.0, 0.1);
       },
       [](const at::Tensor&, const at::Tensor& p) {
         return at::where(p > 0, p, 0.1 * p);
       }}};
  return *activations;
}

class ReluRulesTest : public ModelTest {
 protected:
  // The signal at the input for each image's class, by the definition.
  at::Tensor Expected(const TinyModule& net, const Activation& activation,
                      const at::Tensor& images, bool guided) const {
    const auto rule = guided ? activation.guided : activation.deconvnet;
    const at::Tensor x = Leaf(images);
    const at::Tensor first = ApplyConv(net, "c1", x);
    const at::Tensor between = activation.forward(first).detach();
    between.set_requires_grad(true);
    const at::Tensor second = ApplyConv(net, "c2", between);
    at::Tensor signal = at::zeros_like(second);
    for (int64_t i = 0; i < images.size(0); ++i) {
      signal[i][i % 5].fill_(1.0 / static_cast<double>(second[0][0].numel()));
    }
    signal = Back(second, between, rule(second.detach(), signal));
    return Back(first, x, rule(first.detach(), signal));
  }

 private:
  static at::Tensor Back(const at::Tensor& y, const at::Tensor& x,
                         const at::Tensor& signal) {
    return Gradients((y * signal).sum(), {x})[0];
  }
};
SALIENCY_INSTANTIATE_DEVICES(ReluRulesTest);

TEST_P(ReluRulesTest, SignalsAreThoseOfTheDefinition) {
  for (const Activation& activation : Activations()) {
    SCOPED_TRACE(activation.text);
    at::manual_seed(3);
    const TinyModule net = ActivationNet(activation.text);
    const auto model = Load(net);
    const at::Tensor images = Images(4);
    for (const bool guided : {true, false}) {
      ProbeRequest request = EachImage(images, 5, {"input"});
      const ProbeResult plain = model->Run(request).value();
      request.rule = guided ? kGuided : kDeconvnet;
      const ProbeResult got = model->Run(request).value();
      EXPECT_TRUE(RowsClose(got.records[0].gradient,
                            Expected(net, activation, images, guided), 1e-5));
      EXPECT_FALSE(
          RowsClose(got.records[0].gradient, plain.records[0].gradient, 0.1));
      EXPECT_TRUE(got.logits.equal(plain.logits)) << "forward is the same";
      EXPECT_EQ(got.score, plain.score);
    }
  }
}

TEST_P(ReluRulesTest, WhereNoReluFollowsTheSignalIsTheGradient) {
  at::manual_seed(4);
  const auto model = Load(ResidualNet());
  ProbeRequest request = EachImage(Images(3), 5, {"tail.1", "block"});
  const ProbeResult plain = model->Run(request).value();
  for (const BackwardRule& rule : {kGuided, kDeconvnet}) {
    request.rule = rule;
    const ProbeResult got = model->Run(request).value();
    EXPECT_TRUE(Identical(got.records[0].gradient, plain.records[0].gradient));
    EXPECT_FALSE(Identical(got.records[1].gradient, plain.records[1].gradient));
  }
}

TEST_P(ReluRulesTest, ARowOfABatchIsASingleRun) {
  at::manual_seed(5);
  const auto model = Load(ResidualNet());
  const at::Tensor images = Images(3);
  ProbeRequest batch = EachImage(images, 5, {"input"});
  batch.rows.push_back({.image = 1, .target = ClassIndex{4}});
  batch.rule = kGuided;
  const at::Tensor got = model->Run(batch).value().records[0].gradient;
  for (size_t r = 0; r < batch.rows.size(); ++r) {
    const int64_t image = batch.rows[r].image;
    ProbeRequest single = batch;
    single.input = images.slice(0, image, image + 1);
    single.rows = {batch.rows[r]};
    single.rows[0].image = 0;
    EXPECT_TRUE(RowsClose(
        got.slice(0, static_cast<int64_t>(r), static_cast<int64_t>(r) + 1),
        model->Run(single).value().records[0].gradient, kOtherBatch));
  }
}

TEST_P(ReluRulesTest, AnotherActivationIsRefusedByItsName) {
  for (const char* activation : {"torch.sigmoid(x)", "torch.gelu(x)",
                                 "torch.silu(x)", "torch.hardswish(x)"}) {
    SCOPED_TRACE(activation);
    const auto model = Load(ActivationNet(activation));
    ProbeRequest request = EachImage(Images(1), 5, {"input"});
    const ProbeResult plain = model->Run(request).value();
    request.rule = kGuided;
    const absl::Status status = model->Run(request).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(" of layer \"act\", which is no ReLU"));
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(model->RuleRefusal(kDeconvnet)));
    request.rule.allow_unsupported_activations = true;
    EXPECT_TRUE(Identical(model->Run(request).value().records[0].gradient,
                          plain.records[0].gradient));
  }
}

}  // namespace
}  // namespace saliency::relu_rules_test
