// The golden values of the meta step: maps and logits at theta', both
// directions, two learning rates, on scripted and traced networks, by both
// paths; and the two paths against each other.

#include <cstdio>
#include <optional>

#include "ATen/ATen.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "core/attribution/attribution.h"
#include "core/model/probed_model.h"
#include "gtest/gtest.h"
#include "tests/model/golden_model.h"
#include "tests/support/golden.h"
#include "tests/support/tensor_close.h"

namespace saliency::golden_meta_test {
namespace {

// What the name of a meta entry says.
struct MetaEntry {
  MetaStep step;
  std::optional<Attribution> attribution;  // none: the logits at theta'
};

// fk__meta_logits__lr0p002__pos__t0
// fk__meta__norm_grad__lr0p0025__neg__features_4__t1
std::optional<MetaEntry> ParseMetaEntry(const GoldenEntry& entry) {
  const std::vector<std::string> parts = absl::StrSplit(entry.name, "__");
  if (parts.size() < 5 || !absl::StartsWith(parts[1], "meta")) {
    return std::nullopt;
  }
  MetaEntry meta;
  size_t next = 2;
  if (parts[1] == "meta") {
    const std::string& method = parts[next++];
    meta.attribution = *Attribution::Named(
        method == "linear_approx"         ? "linear_approximation"
        : method == "norm_grad_selective" ? "selective_norm_grad"
                                          : method);
  }
  const std::string& rate = parts[next++];
  EXPECT_TRUE(rate == "lr0p002" || rate == "lr0p0025") << entry.name;
  meta.step.epsilon = (rate == "lr0p002" ? 0.002 : 0.0025) / 2;
  const std::string& sign = parts[next];
  EXPECT_TRUE(sign == "pos" || sign == "neg") << entry.name;
  meta.step.direction =
      sign == "pos" ? MetaDirection::kDescent : MetaDirection::kAscent;
  return meta;
}

std::unique_ptr<ProbedModel> Load(const GoldenSet& set, const std::string& form,
                                  MetaPath path) {
  LoadOptions options;
  options.reference_meta_path = path == MetaPath::kReference;
  return LoadGoldenModel(set, form, options);
}

class GoldenMetaTest : public ::testing::TestWithParam<
                           std::tuple<std::string, std::string, MetaPath>> {
 protected:
  // The entry's value; all of its rows run in one batch.
  static at::Tensor Make(const GoldenSet& set, ProbedModel& model,
                         const GoldenEntry& entry, const MetaEntry& meta) {
    ProbeRequest request;
    request.input =
        set.input.index_select(0, at::tensor(entry.images, at::kLong));
    for (size_t row = 0; row < entry.images.size(); ++row) {
      const at::Tensor target = set.targets[entry.images[row]][entry.target];
      request.rows.push_back({.image = static_cast<int64_t>(row),
                              .target = ClassIndex{target.item<int64_t>()},
                              .meta = meta.step});
    }
    request.probes = {{meta.attribution ? entry.layer : "input"}};
    const ProbeResult result = model.Run(request).value();
    if (!meta.attribution) return result.stepped_logits;
    const ProbeResult::Record& record = result.records[0];
    return meta.attribution
        ->Attribute({{record.activation, record.gradient}, {}, {}})
        .unsqueeze(1);
  }
};

TEST_P(GoldenMetaTest, EveryEntryIsWithinItsTolerance) {
  const auto& [net, form, path] = GetParam();
  const GoldenSet set = LoadGolden(net);
  const std::unique_ptr<ProbedModel> model = Load(set, form, path);
  EXPECT_EQ(model->meta_path(), path);
  int checked = 0;
  double worst = 0;
  std::string worst_name;
  for (const GoldenEntry& entry : set.entries) {
    const std::optional<MetaEntry> meta = ParseMetaEntry(entry);
    if (!meta) continue;
    const double error = ErrorOverTolerance(
        entry, Make(set, *model, entry, *meta), set.tensors.at(entry.name));
    EXPECT_LE(error, 1) << entry.name;
    ++checked;
    if (!(error <= worst)) {
      worst = error;
      worst_name = entry.name;
    }
  }
  EXPECT_EQ(checked, 38);
  std::printf("%s %s: %d entries, worst error %.4f of its tolerance (%s)\n",
              net.c_str(), form.c_str(), checked, worst, worst_name.c_str());
}

INSTANTIATE_TEST_SUITE_P(
    Nets, GoldenMetaTest,
    ::testing::Combine(::testing::ValuesIn(GoldenNets()),
                       ::testing::Values("script", "trace"),
                       ::testing::Values(MetaPath::kReference,
                                         MetaPath::kFast)),
    [](const auto& test) {
      const bool fast = std::get<2>(test.param) == MetaPath::kFast;
      return std::get<0>(test.param) + "_" + std::get<1>(test.param) +
             (fast ? "_fast" : "_reference");
    });

class MetaPathsTest
    : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {};

// Every layer with positions at once, all images, steps of all kinds.
TEST_P(MetaPathsTest, FastAndReferencePathAgree) {
  const auto& [net, form] = GetParam();
  const GoldenSet set = LoadGolden(net);
  const std::unique_ptr<ProbedModel> fast = Load(set, form, MetaPath::kFast);
  ASSERT_EQ(fast->meta_path(), MetaPath::kFast);
  ProbeRequest request;
  request.input = set.input;
  for (int64_t row = 0; row < set.input.size(0); ++row) {
    request.rows.push_back(
        {.image = row,
         .target = RankFromTop{row},
         .meta = MetaStep{
             1e-3 * static_cast<double>(1 + row),
             row % 2 == 0 ? MetaDirection::kDescent : MetaDirection::kAscent,
             row < 2 ? MetaLoss::kCrossEntropy
                     : MetaLoss::kBinaryCrossEntropy}});
  }
  for (const LayerInfo& layer : fast->layers()) {
    if (layer.spatial()) request.probes.push_back({layer.name});
  }
  const ProbeResult got = fast->Run(request).value();
  const ProbeResult want =
      Load(set, form, MetaPath::kReference)->Run(request).value();
  EXPECT_EQ(got.class_index, want.class_index);
  EXPECT_TRUE(RowsClose(got.logits, want.logits, 1e-4));
  EXPECT_TRUE(RowsClose(got.stepped_logits, want.stepped_logits, 1e-4));
  for (size_t i = 0; i < request.probes.size(); ++i) {
    SCOPED_TRACE(request.probes[i].layer);
    EXPECT_TRUE(
        RowsClose(got.records[i].activation, want.records[i].activation, 1e-4));
    EXPECT_TRUE(
        RowsClose(got.records[i].gradient, want.records[i].gradient, 1e-4));
  }
}

INSTANTIATE_TEST_SUITE_P(Nets, MetaPathsTest,
                         ::testing::Combine(::testing::ValuesIn(GoldenNets()),
                                            ::testing::Values("script",
                                                              "trace")),
                         [](const auto& test) {
                           return std::get<0>(test.param) + "_" +
                                  std::get<1>(test.param);
                         });

}  // namespace
}  // namespace saliency::golden_meta_test
