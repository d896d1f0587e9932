// Meta steps at length.  Called as meta_long_test [GTEST_ARGUMENT...] MODELS;
// MODELS is a folder with <network>/1/model.pt (see meta.sh).

#include <ATen/ATen.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "core/model/probed_model.h"
#include "gmock/gmock.h"
#include "tests/model/meta_calls.h"
#include "tests/support/cpu_memory.h"
#include "tests/support/golden.h"
#include "tests/support/tensor_close.h"

namespace saliency::meta_long_test {
namespace {

using testing::Contains;
using testing::Key;

std::string& ModelsFolder() {
  static auto* const folder = new std::string;
  return *folder;
}

struct Network {
  std::string name;
  std::vector<std::string> layers;  // shallow, in the middle and deep
  int64_t size = 64;                // of the images
  int pairs = 8;                    // of images
  int agreeing = 2;                 // of them, at least
};

class LongMetaTest : public testing::TestWithParam<Network> {
 protected:
  static std::unique_ptr<ProbedModel> Load(MetaPath path) {
    LoadOptions options;
    options.input_height = options.input_width = GetParam().size;
    options.reference_meta_path = path == MetaPath::kReference;
    return ProbedModel::Load(
               ModelsFolder() + "/" + GetParam().name + "/1/model.pt", options)
        .value();
  }
};

bool Agree(const ProbeResult& got, const ProbeResult& want) {
  bool agree = RowsClose(got.stepped_logits, want.stepped_logits, 1e-4);
  for (size_t i = 0; i < want.records.size(); ++i) {
    const auto& a = got.records[i];
    const auto& b = want.records[i];
    agree = agree && RowsClose(a.activation, b.activation, 1e-4) &&
            RowsClose(a.gradient, b.gradient, 1e-4);
  }
  return agree;
}

// Where a unit's input is zero but for rounding, or two of a maximum's are
// equal, the paths may take different sides of the kink, and the step is then
// another by as much as that unit counts.  With random weights that happens to
// some images.  Without kinks, all agree.
TEST_P(LongMetaTest, FastAndReferencePathAgree) {
  const Network& network = GetParam();
  const auto reference = Load(MetaPath::kReference);
  const auto fast = Load(MetaPath::kFast);
  EXPECT_EQ(fast->meta_path(), MetaPath::kFast);
  int agreeing = 0;
  for (int seed = 1; seed <= network.pairs; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    at::manual_seed(seed);
    ProbeRequest request;
    request.input = at::randn({2, 3, network.size, network.size});
    request.rows = {{.image = 0, .target = ClassIndex{7}, .meta = MetaStep()},
                    {.image = 1,
                     .target = RankFromTop{0},
                     .meta = MetaStep{5e-4, MetaDirection::kAscent,
                                      MetaLoss::kBinaryCrossEntropy}}};
    for (const std::string& layer : network.layers) {
      request.probes.push_back({layer});
    }
    const ProbeResult want = reference->Run(request).value();
    const ProbeResult got = fast->Run(request).value();
    EXPECT_TRUE(RowsClose(got.logits, want.logits, 1e-4));
    EXPECT_TRUE(RowsClose(got.stepped_logits, want.stepped_logits, 5e-3));
    EXPECT_FALSE(RowsClose(got.stepped_logits, want.logits, 5e-3));
    if (Agree(got, want)) ++agreeing;
  }
  std::printf("%s: the paths agree to 1e-4 for %d of %d pairs of images\n",
              network.name.c_str(), agreeing, network.pairs);
  EXPECT_GE(agreeing, network.agreeing);
}

const std::vector<std::string> kResNetLayers = {"relu", "layer2", "layer4"};
const std::vector<std::string> kVggLayers = {"features.3", "features.15",
                                             "features.29"};

INSTANTIATE_TEST_SUITE_P(
    Torchvision, LongMetaTest,
    testing::Values(
        Network{"resnet50", kResNetLayers}, Network{"vgg16", kVggLayers},
        Network{"resnet50_smooth", kResNetLayers, 64, 8, 8},
        Network{"vgg16_smooth", kVggLayers, 64, 8, 8},
        Network{"resnet50_smooth", kResNetLayers, 224, 1, 1},
        Network{"vgg16_smooth", kVggLayers, 224, 1, 1},
        Network{"mobilenet_v2", {"features.2", "features.10", "features.18"}},
        Network{"densenet121",
                {"features.pool0", "features.transition2", "features.norm5"}}),
    [](const auto& test) {
      return test.param.name + "_" + std::to_string(test.param.size);
    });

class LongMetaCallsTest : public testing::TestWithParam<MetaPath> {};
INSTANTIATE_TEST_SUITE_P(Paths, LongMetaCallsTest,
                         testing::Values(MetaPath::kReference, MetaPath::kFast),
                         [](const auto& test) {
                           return test.param == MetaPath::kFast ? "fast"
                                                                : "reference";
                         });

TEST_P(LongMetaCallsTest, TenThousandCallsLeaveTheModelAsItWas) {
  const CpuMemory& memory = CpuMemory::Watch();
  const GoldenSet set = LoadGolden("tiny_resnet");
  LoadOptions options;
  options.reference_meta_path = GetParam() == MetaPath::kReference;
  options.input_height = set.input.size(2);
  options.input_width = set.input.size(3);
  const int64_t first = memory.made();
  const auto model =
      ProbedModel::Load(GoldenPath("tiny_resnet", "model_script.pt"), options)
          .value();
  const int64_t last = memory.made();
  ASSERT_GE(last - first,
            static_cast<int64_t>(model->parameter_names().size()));
  const uint64_t digest = memory.Digest(first, last);
  MetaCalls calls(*model, set.input);
  const ProbeResult before = calls.Yardstick();
  const int64_t held = memory.bytes();
  for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(calls.Make()) << "call " << i;
  EXPECT_LE(memory.bytes(), held);
  EXPECT_EQ(memory.Digest(first, last), digest);
  EXPECT_TRUE(
      Identical(calls.Yardstick().stepped_logits, before.stepped_logits));
  EXPECT_THAT(calls.ends(), Contains(Key(absl::StatusCode::kOk)));
  EXPECT_THAT(calls.ends(),
              Contains(Key(absl::StatusCode::kResourceExhausted)));
}

}  // namespace
}  // namespace saliency::meta_long_test

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  if (argc != 2) {
    std::fprintf(stderr, "usage: meta_long_test [GTEST_ARGUMENT...] MODELS\n");
    return 2;
  }
  saliency::meta_long_test::ModelsFolder() = argv[1];
  return RUN_ALL_TESTS();
}
