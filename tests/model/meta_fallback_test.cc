// Where the fast meta path gives way: inputs that it cannot treat, weights of
// half the size, and a digest that would see it if a step were left behind.

#include <ATen/ATen.h>

#include <functional>
#include <string>

#include "core/kernels/stepped_conv.h"
#include "gtest/gtest.h"
#include "tests/model/model_fixture.h"
#include "tests/support/cpu_memory.h"
#include "tests/support/tensor_close.h"

namespace saliency::meta_fallback_test {
namespace {

constexpr double kOtherPath = 1e-4;

class MetaFallbackTest : public ModelTest {
 protected:
  static ProbeRequest Request(const at::Tensor& images,
                              const std::string& layer, double epsilon = 0.02) {
    ProbeRequest request = {.input = images, .probes = {{layer}}};
    for (int64_t p = 0; p < images.size(0); ++p) {
      request.rows.push_back({.image = p,
                              .target = ClassIndex{p},
                              .meta = MetaStep{.epsilon = epsilon}});
    }
    return request;
  }

  static void ExpectSame(const ProbeResult& actual,
                         const ProbeResult& expected) {
    EXPECT_TRUE(
        RowsClose(actual.stepped_logits, expected.stepped_logits, kOtherPath));
    EXPECT_TRUE(RowsClose(actual.records[0].activation,
                          expected.records[0].activation, kOtherPath));
    EXPECT_TRUE(RowsClose(actual.records[0].gradient,
                          expected.records[0].gradient, kOtherPath));
  }
};
SALIENCY_INSTANTIATE_DEVICES(MetaFallbackTest);

// 8 x 8 images have one position behind the convolution, and what is added to
// it has its size; larger ones have more, and the addition broadcasts.
TinyModule BroadcastsWhenLarge() {
  return Net(
      {{"a", Conv(3, 4, {.stride = {2, 2}})},
       {"b",
        Conv(4, 4, {.kernel = {4, 4}, .stride = {4, 4}, .padding = "[0, 0]"})},
       {"c", Conv(4, 4, {.kernel = {1, 1}, .padding = "[0, 0]"})},
       {"fc", Linear(4, 5)}},
      R"(x = self.b.forward(torch.relu(self.a.forward(x)))
                x = self.c.forward(x) + torch.mean(x, [2, 3], True)
                return self.fc.forward(torch.mean(torch.relu(x), [2, 3])))");
}

TEST_P(MetaFallbackTest, AnInputThatTheStagesDoNotKnowTakesTheReferencePath) {
  const TinyModule net = BroadcastsWhenLarge();
  const auto fast = Load(net);
  ASSERT_EQ(fast->meta_path(), MetaPath::kFast);
  const auto reference = Load(net, {.reference_meta_path = true});
  for (const int64_t size : {8, 16, 8}) {
    SCOPED_TRACE(size);
    const ProbeRequest request = Request(at::randn({3, 3, size, size}), "b");
    ExpectSame(fast->Run(request).value(), reference->Run(request).value());
  }
}

// Steps are taken in float32 from the rounded weights, on either path; a step
// of no size is the model's own pass.
TEST_P(MetaFallbackTest, ModelsOfHalfTheSizeStepInFloat32) {
  const TinyModule net = ResidualNet();
  const auto half = Load(net, {.precision = Precision::kBf16});
  const auto reference =
      Load(net, {.precision = Precision::kBf16, .reference_meta_path = true});
  ASSERT_EQ(half->meta_path(), MetaPath::kFast);
  const ProbeRequest request = Request(Images(3), "block");
  const ProbeResult stepped = half->Run(request).value();
  ExpectSame(stepped, reference->Run(request).value());

  TinyModule rounded = net;
  const std::function<void(TinyModule&)> round = [&](TinyModule& module) {
    for (auto* values : {&module.parameters, &module.buffers}) {
      for (auto& [name, value] : *values) {
        if (value.is_floating_point()) {
          value = value.detach().to(at::kBFloat16).to(at::kFloat);
        }
      }
    }
    for (auto& [name, child] : module.children) round(child);
  };
  round(rounded);
  ExpectSame(stepped, Load(rounded)->Run(request).value());

  const ProbeRequest still = Request(request.input, "block", /*epsilon=*/0);
  ProbeRequest plain = still;
  for (ProbeRow& row : plain.rows) row.meta.reset();
  EXPECT_TRUE(Identical(half->Run(still).value().records[0].gradient,
                        half->Run(plain).value().records[0].gradient));
}

// The wide convolution in the middle runs in NCHW order where channels-last is
// slow; GELU goes back wrongly where the gradient lies otherwise than its
// input.
TEST_P(MetaFallbackTest, GradientsComeInTheMemoryOrderOfWhatTheyBelongTo) {
  const auto pointwise = [](int64_t in, int64_t out) {
    return Conv(in, out, {.kernel = {1, 1}, .padding = "[0, 0]"});
  };
  const TinyModule net = Net({{"a", pointwise(3, 16)},
                              {"gelu_a", Function("GELU", "torch.gelu(x)")},
                              {"b", Conv(16, 16)},
                              {"bn", BatchNorm(16)},
                              {"gelu_b", Function("GELU", "torch.gelu(x)")},
                              {"c", pointwise(16, 8)},
                              {"fc", Linear(8, 5)}},
                             R"(x = self.gelu_a.forward(self.a.forward(x))
             y = self.gelu_b.forward(self.bn.forward(self.b.forward(x)) + x)
             return self.fc.forward(torch.mean(self.c.forward(y), [2, 3])))");
  const auto fast = Load(net);
  ASSERT_EQ(fast->meta_path(), MetaPath::kFast);
  const auto reference = Load(net, {.reference_meta_path = true});
  // 16 x 136 x 136 values a row are beyond the cache.
  const ProbeRequest request = Request(at::randn({2, 3, 136, 136}), "a");
  const ProbeResult expected = reference->Run(request).value();
  const bool is_slow_here = ChannelsLastIsSlow();
  for (const bool slow : {true, false}) {
    SCOPED_TRACE(slow ? "nchw" : "channels-last");
    SetChannelsLastIsSlow(slow);
    fast->Run(request).value();  // memory that is not fresh is not zero
    ExpectSame(fast->Run(request).value(), expected);
  }
  SetChannelsLastIsSlow(is_slow_here);
}

// A norm that scales by little below a stream of large values: what went into
// the norm cannot be had back from what came out.
TEST_P(MetaFallbackTest, ASmallScaleBelowALargeResidualIsExact) {
  TinyModule net = Net({{"a", Conv(3, 6)},
                        {"b", Conv(6, 6)},
                        {"bn", BatchNorm(6)},
                        {"fc", Linear(6, 5)}},
                       R"(x = torch.relu(self.a.forward(x)) * 300
             y = self.bn.forward(self.b.forward(x * 0.003)) + x
             return self.fc.forward(torch.mean(torch.relu(y), [2, 3]) * 0.003))");
  for (auto& [name, child] : net.children) {
    if (name == "bn") child.parameters["weight"].fill_(0.02);
  }
  const auto fast = Load(net);
  ASSERT_EQ(fast->meta_path(), MetaPath::kFast);
  const ProbeRequest request = Request(Images(3), "bn", /*epsilon=*/0.5);
  ExpectSame(fast->Run(request).value(),
             Load(net, {.reference_meta_path = true})->Run(request).value());
}

// What NoCallWritesToTheModelHoweverItEnds rests on.
TEST_P(MetaFallbackTest, TheDigestSeesOneChangedNumber) {
  const CpuMemory& memory = CpuMemory::Watch();
  const int64_t first = memory.made();
  const at::Tensor parameter = at::randn({4, 3, 3, 3});
  const at::Tensor other = at::randn({7});
  const int64_t last = memory.made();
  EXPECT_EQ(last - first, 2);
  const uint64_t digest = memory.Digest(first, last);
  for (const at::Tensor& changed : {parameter, other}) {
    const at::Tensor number = changed.flatten()[5];
    const float kept = number.item<float>();
    number.fill_(kept + 1e-3F);
    EXPECT_NE(memory.Digest(first, last), digest);
    number.fill_(kept);
    EXPECT_EQ(memory.Digest(first, last), digest);
  }
}

}  // namespace
}  // namespace saliency::meta_fallback_test
