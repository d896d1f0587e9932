#include "core/model/random_weights.h"

#include <torch/script.h>

#include <cmath>

#include "gmock/gmock.h"
#include "tests/model/model_fixture.h"
#include "tests/support/tensor_close.h"

namespace saliency::random_weights_test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Tensors = std::map<std::string, at::Tensor>;

// first{conv norm} second{conv} act fc.
TinyModule SmallNet() {
  TinyModule act = {.kind = "PReLU",
                    .code =
                        "def forward(self, x):\n"
                        "  return torch.prelu(x, self.weight)\n"};
  act.parameters["weight"] = at::full({1}, 0.7F);
  TinyModule net =
      Net({{"first", Sequential({Conv(3, 8), BatchNorm(8)})},
           {"second", Sequential({Conv(8, 6, {.kernel = {1, 1}})})},
           {"act", act},
           {"fc", Linear(6, 5)}},
          R"(x = self.first.forward(x)
             x = self.act.forward(self.second.forward(x)) * self.scale
             return self.fc.forward(torch.mean(x, [2, 3])))");
  net.parameters["scale"] = at::full({1}, 1.5F);
  return net;
}

// Parameters and buffers of a copy of `net` that was made random.
Tensors Randomised(const TinyModule& net, const RandomWeights& random) {
  const torch::jit::Module module = Build(net).deepcopy();
  RandomiseModules(random, module);
  Tensors tensors;
  for (const auto& parameter : module.named_parameters()) {
    tensors[parameter.name] = parameter.value.detach();
  }
  for (const auto& buffer : module.named_buffers()) {
    tensors[buffer.name] = buffer.value;
  }
  return tensors;
}

void ExpectWithin(const at::Tensor& values, double bound) {
  EXPECT_LE(values.abs().max().item<double>(), bound);
  // And spread: U(-b, b) has deviation b / sqrt(3).
  EXPECT_GT(values.std().item<double>(), 0.4 * bound);
}

class RandomWeightsTest : public testing::Test {
 protected:
  RandomWeightsTest() {
    torch::manual_seed(1);
    net_ = SmallNet();
  }

  TinyModule net_;
};

TEST_F(RandomWeightsTest, ValuesAreThoseOfNewModules) {
  const Tensors made =
      Randomised(net_, {.modules = {"first", "second", "act", "fc"}});
  const double conv = 1 / std::sqrt(3.0 * 3 * 3);
  ExpectWithin(made.at("first.0.weight"), conv);
  ExpectWithin(made.at("first.0.bias"), conv);
  ExpectWithin(made.at("second.0.weight"), 1 / std::sqrt(8.0));
  ExpectWithin(made.at("fc.weight"), 1 / std::sqrt(6.0));
  EXPECT_TRUE(Identical(made.at("first.1.weight"), at::ones({8})));
  EXPECT_TRUE(Identical(made.at("first.1.bias"), at::zeros({8})));
  EXPECT_TRUE(Identical(made.at("first.1.running_mean"), at::zeros({8})));
  EXPECT_TRUE(Identical(made.at("first.1.running_var"), at::ones({8})));
  EXPECT_TRUE(Identical(made.at("act.weight"), at::full({1}, 0.25F)));
}

TEST_F(RandomWeightsTest, OtherModulesStayAsTheyAre) {
  const Tensors before = Randomised(net_, {});
  const Tensors after = Randomised(net_, {.modules = {"second", "fir"}});
  for (const auto& [name, value] : before) {
    const bool chosen = name.rfind("second.", 0) == 0;
    EXPECT_EQ(Identical(after.at(name), value), !chosen) << name;
  }
}

TEST_F(RandomWeightsTest, TheSeedGivesTheValues) {
  const auto weight = [&](uint64_t seed) {
    return Randomised(net_, {.modules = {"fc"}, .seed = seed}).at("fc.weight");
  };
  EXPECT_TRUE(Identical(weight(7), weight(7)));
  for (uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_FALSE(Identical(weight(seed), weight(seed + 1))) << seed;
  }
}

TEST_F(RandomWeightsTest, AModulesValuesDoNotDependOnTheOthers) {
  const Tensors alone = Randomised(net_, {.modules = {"second"}});
  const Tensors together = Randomised(net_, {.modules = {"fc", "second"}});
  EXPECT_TRUE(
      Identical(alone.at("second.0.weight"), together.at("second.0.weight")));
}

TEST_F(RandomWeightsTest, ParametersOfOneShapeGetDifferentValues) {
  const TinyModule twins = Net({{"a", Linear(6, 5)}, {"b", Linear(6, 5)}},
                               "return self.a.forward(x) + self.b.forward(x)");
  const Tensors made = Randomised(twins, {.modules = {"a", "b"}});
  EXPECT_FALSE(Identical(made.at("a.weight"), made.at("b.weight")));
}

TEST_F(RandomWeightsTest, TheProcessesOwnGeneratorDoesNotMove) {
  torch::manual_seed(3);
  const at::Tensor expected = at::rand({4});
  torch::manual_seed(3);
  Randomised(net_, {.modules = {"first", "fc"}});
  EXPECT_TRUE(Identical(at::rand({4}), expected));
}

class RandomModelTest : public ModelTest {};
SALIENCY_INSTANTIATE_DEVICES(RandomModelTest);

TEST_P(RandomModelTest, AModelIsLoadedWithRandomModules) {
  torch::manual_seed(1);
  const TinyModule net = SmallNet();
  const auto plain = Load(net);
  const auto same = Load(net);
  const auto random = Load(net, {.random = {.modules = {"fc"}}});
  const auto again = Load(net, {.random = {.modules = {"fc"}}});
  const ProbeRequest request = EachImage(Images(2), 5, {"second"});
  const auto result = plain->Run(request);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(Identical(same->Run(request)->logits, result->logits));
  EXPECT_FALSE(Identical(random->Run(request)->logits, result->logits));
  EXPECT_TRUE(
      Identical(again->Run(request)->logits, random->Run(request)->logits));
  // What comes before the random module is the same.
  EXPECT_TRUE(Identical(random->Run(request)->records[0].activation,
                        result->records[0].activation));
}

TEST_P(RandomModelTest, ParametersAreNamedInTheOrderOfTheGraph) {
  EXPECT_THAT(Load(SmallNet())->parameter_names(),
              ElementsAre("first.0.weight", "first.0.bias", "first.1.weight",
                          "first.1.bias", "second.0.weight", "second.0.bias",
                          "act.weight", "scale", "fc.weight", "fc.bias"));
  EXPECT_THAT(Load(Net({}, "return torch.mean(x, [2, 3])"))->parameter_names(),
              IsEmpty());
}

}  // namespace
}  // namespace saliency::random_weights_test
