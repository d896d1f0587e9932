// Numbers of half the size.

#include <torch/script.h>

#include "core/attribution/attribution.h"
#include "gmock/gmock.h"
#include "tests/model/model_fixture.h"
#include "tests/support/golden.h"
#include "tests/support/tensor_close.h"

namespace saliency::precision_test {
namespace {

using testing::HasSubstr;

class PrecisionTest : public ModelTest {
 protected:
  std::unique_ptr<ProbedModel> LoadAs(const std::string& path,
                                      const at::Tensor& input,
                                      Precision precision) const {
    LoadOptions options;
    options.device = GetParam();
    options.precision = precision;
    options.input_height = input.size(2);
    options.input_width = input.size(3);
    return ProbedModel::Load(path, options).value();
  }

  // norm_grad at `layer`, [N,H W] on the CPU.
  static at::Tensor Maps(ProbedModel& model, const at::Tensor& images,
                         const std::string& layer) {
    const ProbeResult result =
        model.Run(EachImage(images, 10, {layer})).value();
    const ProbeResult::Record& record = result.records[0];
    EXPECT_EQ(record.activation.scalar_type(), at::kFloat);
    EXPECT_EQ(record.gradient.scalar_type(), at::kFloat);
    EXPECT_EQ(result.logits.scalar_type(), at::kFloat);
    return Attribution::Named("norm_grad")
        ->Attribute({{record.activation, record.gradient}, {}, {}})
        .flatten(1)
        .cpu();
  }
};
SALIENCY_INSTANTIATE_DEVICES(PrecisionTest);

// Spearman's correlation of values without ties.
double Spearman(const at::Tensor& a, const at::Tensor& b) {
  const auto ranks = [](const at::Tensor& values) {
    const at::Tensor ranked = values.argsort().argsort().to(at::kDouble);
    return ranked - ranked.mean();
  };
  const at::Tensor x = ranks(a), y = ranks(b);
  return ((x * y).sum() / (x.norm() * y.norm())).item<double>();
}

TEST_P(PrecisionTest, MapsOfBf16RankPixelsAsThoseOfFp32) {
  // Untrained networks differ more between precisions than trained ones, and
  // the more so the longer the way back: only the last layers are this close.
  const GoldenSet set = LoadGolden("tiny_vgg");
  const std::string path = GoldenPath("tiny_vgg", "model_script.pt");
  const auto full = LoadAs(path, set.input, Precision::kFp32);
  const auto half = LoadAs(path, set.input, Precision::kBf16);
  EXPECT_TRUE(half->self_check().rows_independent);
  EXPECT_TRUE(half->self_check().expand_rows_at_probe);
  for (const char* layer : {"features.13", "features.14"}) {
    const at::Tensor want = Maps(*full, set.input, layer);
    const at::Tensor got = Maps(*half, set.input, layer);
    EXPECT_FALSE(at::equal(got, want)) << "not run in BF16";
    for (int64_t p = 0; p < set.input.size(0); ++p) {
      EXPECT_GE(Spearman(got[p], want[p]), 0.95) << layer << " " << p;
    }
  }
}

TEST_P(PrecisionTest, FrozenModelRunsInBf16) {
  const TinyModule net = ResidualNet();
  torch::jit::Module module = Build(net);
  module.eval();
  const ModelFile file(torch::jit::freeze(module));
  const at::Tensor images = Images(2);
  const auto half = LoadAs(file.path(), images, Precision::kBf16);
  const LayerValues v = ResidualValues(net, Leaf(images));
  const ProbeResult result = half->Run(EachImage(images, 5, {"input"})).value();
  EXPECT_TRUE(RowsClose(result.logits, v.at("logits"), 0.05));
  EXPECT_FALSE(at::equal(result.logits, v.at("logits").detach().cpu()))
      << "not run in BF16";
}

TEST_P(PrecisionTest, Fp16NeedsAGpu) {
  const ModelFile file(ResidualNet());
  LoadOptions options;
  options.device = GetParam();
  options.precision = Precision::kFp16;
  options.input_height = options.input_width = 8;
  const absl::Status status = ProbedModel::Load(file.path(), options).status();
  if (!device().is_cpu()) {
    EXPECT_TRUE(status.ok()) << status;
    return;
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("precision FP16 needs a GPU"));
}

}  // namespace
}  // namespace saliency::precision_test
