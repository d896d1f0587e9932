#include "server/convert/convert_request.h"

#include <functional>
#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/test_server.h"

namespace saliency::convert_request_test {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(ConvertRequestTest, NothingButAnImageMeansNormGradOfThePredictedClass) {
  v1::ComputeSaliencyRequest request;
  request.mutable_input()->set_image("bytes");
  const Job job = JobFromProto(request, {}).value();
  EXPECT_EQ(std::get<EncodedImage>(job.input).bytes, "bytes");
  EXPECT_TRUE(job.targets.empty());
  ASSERT_THAT(job.attributions, SizeIs(1));
  EXPECT_EQ(job.attributions[0].attribution.name(), "norm_grad");
  EXPECT_TRUE(job.attributions[0].layers.empty());
  EXPECT_EQ(job.version, 0);
  EXPECT_EQ(job.top_k, 5);
  EXPECT_EQ(job.score, Score::kLogit);
  EXPECT_EQ(job.output.size, OutputSize::kModelInput);
  EXPECT_EQ(job.output.encoding, MapEncoding::kFloat32);
  EXPECT_TRUE(job.output.normalise);
  EXPECT_TRUE(job.output.overlay_title);
  EXPECT_TRUE(job.output.overlay_colour_bar);
  EXPECT_FLOAT_EQ(job.output.overlay_opacity, 0.65F);
  EXPECT_FALSE(job.output.max_side.has_value());
  EXPECT_EQ(job.output.max_answer_bytes, 0);
}

// By default a map fits the message of a channel that nobody has set; an
// overlay lies on the image.
TEST(ConvertRequestTest, TheDefaultSizeGoesByTheEncoding) {
  for (int encoding = v1::MapEncoding_MIN; encoding <= v1::MapEncoding_MAX;
       ++encoding) {
    v1::ComputeSaliencyRequest request;
    request.mutable_input()->set_image("bytes");
    request.mutable_output()->set_encoding(
        static_cast<v1::MapEncoding>(encoding));
    EXPECT_EQ(JobFromProto(request, {}).value().output.size,
              encoding >= v1::MAP_ENCODING_OVERLAY_PNG
                  ? OutputSize::kImage
                  : OutputSize::kModelInput)
        << v1::MapEncoding_Name(static_cast<v1::MapEncoding>(encoding));
  }
}

TEST(ConvertRequestTest, EveryFieldArrives) {
  v1::ComputeSaliencyRequest request = FakeRequest();
  request.mutable_model()->set_name("m");
  request.mutable_model()->set_version(7);
  request.set_top_k(3);
  request.set_score(v1::SCORE_LOG_SOFTMAX);
  request.add_targets()->set_class_index(4);
  request.add_targets()->set_label("cat");
  request.add_targets()->set_rank_from_top(1);
  request.add_targets()->set_rank_from_bottom(2);
  request.add_targets();
  v1::Attribution* pair = request.add_attributions();
  pair->mutable_pair()->set_extract(v1::EXTRACT_DEPTHWISE3X3);
  pair->mutable_pair()->set_aggregate(v1::AGGREGATE_POSITIVE_NORM);
  pair->add_layers("a");
  pair->add_layers("b");
  v1::OutputOptions* output = request.mutable_output();
  output->mutable_explicit_size()->set_height(11);
  output->mutable_explicit_size()->set_width(12);
  output->set_smooth_sigma(0.25F);
  output->set_encoding(v1::MAP_ENCODING_COLOUR_PNG);
  output->set_colour_map("turbo");
  output->set_overlay_opacity(0);
  output->set_overlay_title(false);
  output->set_overlay_colour_bar(false);
  output->set_max_side(0);
  output->set_max_answer_bytes(12345);

  const Job job = JobFromProto(request, {}).value();
  EXPECT_EQ(job.model, "m");
  EXPECT_EQ(job.version, 7);
  EXPECT_EQ(job.top_k, 3);
  EXPECT_EQ(job.score, Score::kLogSoftmax);
  ASSERT_THAT(job.targets, SizeIs(5));
  EXPECT_EQ(std::get<ClassIndex>(job.targets[0]).index, 4);
  EXPECT_EQ(std::get<Label>(job.targets[1]).text, "cat");
  EXPECT_EQ(std::get<RankFromTop>(job.targets[2]).rank, 1);
  EXPECT_EQ(std::get<RankFromBottom>(job.targets[3]).rank, 2);
  EXPECT_EQ(std::get<RankFromTop>(job.targets[4]).rank, 0);
  ASSERT_THAT(job.attributions, SizeIs(2));
  EXPECT_EQ(job.attributions[1].attribution.name(),
            "depthwise3x3+positive_norm");
  EXPECT_THAT(job.attributions[1].layers, testing::ElementsAre("a", "b"));
  const auto& tensor = std::get<TensorInput>(job.input);
  EXPECT_THAT(tensor.shape, testing::ElementsAre(3, 8, 8));
  EXPECT_EQ(tensor.data.size(), 768);
  EXPECT_EQ(job.output.size, OutputSize::kExplicit);
  EXPECT_EQ(job.output.height, 11);
  EXPECT_EQ(job.output.width, 12);
  EXPECT_FALSE(job.output.normalise);
  EXPECT_FLOAT_EQ(static_cast<float>(job.output.smooth_sigma), 0.25F);
  EXPECT_EQ(job.output.encoding, MapEncoding::kColourPng);
  EXPECT_EQ(job.output.colour_map, "turbo");
  EXPECT_EQ(job.output.overlay_opacity, 0);
  EXPECT_FALSE(job.output.overlay_title);
  EXPECT_FALSE(job.output.overlay_colour_bar);
  EXPECT_EQ(job.output.max_side, 0);
  EXPECT_EQ(job.output.max_answer_bytes, 12345);
}

TEST(ConvertRequestTest, TermsOfATargetsScoreArriveWithTheirWeights) {
  v1::ComputeSaliencyRequest request;
  request.mutable_input()->set_image("x");
  v1::Target* target = request.add_targets();
  target->set_rank_from_top(1);
  target->add_others()->set_class_index(3);
  v1::ScoreTerm* second = target->add_others();
  second->set_label("cat");
  second->set_weight(-0.5);
  const Job job = JobFromProto(request, {}).value();
  EXPECT_EQ(std::get<RankFromTop>(job.targets[0]).rank, 1);
  ASSERT_THAT(job.targets[0].others, SizeIs(2));
  EXPECT_EQ(std::get<ClassIndex>(job.targets[0].others[0].target).index, 3);
  EXPECT_EQ(job.targets[0].others[0].weight, 1);
  EXPECT_EQ(std::get<Label>(job.targets[0].others[1].target).text, "cat");
  EXPECT_EQ(job.targets[0].others[1].weight, -0.5);
  target->add_others();
  EXPECT_THAT(
      std::string(JobFromProto(request, {}).status().message()),
      HasSubstr("targets[0]: others[2]: neither class_index nor label"));
}

TEST(ConvertRequestTest, EveryPairOfTheProtoIsAPairOfTheRoom) {
  for (int e = v1::Extract_MIN + 1; e <= v1::Extract_MAX; ++e) {
    for (int a = v1::Aggregate_MIN + 1; a <= v1::Aggregate_MAX; ++a) {
      v1::ComputeSaliencyRequest request = FakeRequest();
      v1::ExtractAggregate* pair =
          request.mutable_attributions(0)->mutable_pair();
      pair->set_extract(static_cast<v1::Extract>(e));
      pair->set_aggregate(static_cast<v1::Aggregate>(a));
      const Job job = JobFromProto(request, {}).value();
      EXPECT_EQ(
          job.attributions[0].attribution.name(),
          Attribution::Pair(kAllExtracts[e - 1], kAllAggregates[a - 1]).name());
    }
  }
}

struct Malformed {
  const char* name;
  std::function<void(v1::ComputeSaliencyRequest&)> spoil;
  const char* message;  // a part of it
};

class MalformedRequestTest : public testing::TestWithParam<Malformed> {};

TEST_P(MalformedRequestTest, IsInvalidAndNamesTheField) {
  v1::ComputeSaliencyRequest request = FakeRequest();
  GetParam().spoil(request);
  EngineLimits limits = {
      .max_targets = 2, .max_attributions = 2, .max_layers = 3};
  limits.decode.max_bytes = 10;
  const absl::Status status = JobFromProto(request, limits).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().message));
}

using Request = v1::ComputeSaliencyRequest;
constexpr int kNoEnum = 99;

INSTANTIATE_TEST_SUITE_P(
    All, MalformedRequestTest,
    testing::Values(
        Malformed{"NoInput", [](Request& r) { r.clear_input(); },
                  "input: neither image nor tensor is set"},
        Malformed{"EmptyImage",
                  [](Request& r) { r.mutable_input()->set_image(""); },
                  "input.image: empty"},
        Malformed{"LongImage",
                  [](Request& r) {
                    r.mutable_input()->set_image(std::string(11, 'x'));
                  },
                  "input.image: bytes: 11 of at most 10"},
        Malformed{"VersionZero",
                  [](Request& r) { r.mutable_model()->set_version(0); },
                  "model.version: 0 is less than 1"},
        Malformed{"NegativeVersion",
                  [](Request& r) { r.mutable_model()->set_version(-1); },
                  "model.version: -1 is less than 1"},
        Malformed{"TooManyTargets",
                  [](Request& r) {
                    for (int i = 0; i < 3; ++i) r.add_targets();
                  },
                  "targets: 3 of at most 2"},
        Malformed{"EmptyLabel",
                  [](Request& r) {
                    r.add_targets();
                    r.add_targets()->set_label("");
                  },
                  "targets[1]: label: empty"},
        Malformed{"TooManyAttributions",
                  [](Request& r) {
                    for (int i = 0; i < 2; ++i) r.add_attributions();
                  },
                  "attributions: 3 of at most 2"},
        Malformed{"TooManyLayers",
                  [](Request& r) {
                    for (int i = 0; i < 3; ++i) {
                      r.mutable_attributions(0)->add_layers("l");
                    }
                  },
                  "attributions: layers in all: 4 of at most 3"},
        Malformed{"NoKind", [](Request& r) { r.add_attributions(); },
                  "attributions[1]: no method is set"},
        Malformed{
            "UnknownMethod",
            [](Request& r) { r.mutable_attributions(0)->set_method("nope"); },
            "attributions[0]: method \"nope\" is unknown; "},
        Malformed{"NoExtract",
                  [](Request& r) {
                    r.mutable_attributions(0)->mutable_pair()->set_aggregate(
                        v1::AGGREGATE_SUM);
                  },
                  "attributions[0]: pair.extract: unspecified"},
        Malformed{"UnknownExtract",
                  [](Request& r) {
                    r.mutable_attributions(0)->mutable_pair()->set_extract(
                        static_cast<v1::Extract>(kNoEnum));
                  },
                  "pair.extract: unknown value 99"},
        Malformed{"NoAggregate",
                  [](Request& r) {
                    r.mutable_attributions(0)->mutable_pair()->set_extract(
                        v1::EXTRACT_BIAS);
                  },
                  "attributions[0]: pair.aggregate: unspecified"},
        Malformed{"UnknownAggregate",
                  [](Request& r) {
                    auto* pair = r.mutable_attributions(0)->mutable_pair();
                    pair->set_extract(v1::EXTRACT_BIAS);
                    pair->set_aggregate(static_cast<v1::Aggregate>(kNoEnum));
                  },
                  "pair.aggregate: unknown value 99"},
        Malformed{"UnknownScore",
                  [](Request& r) { r.set_score(static_cast<v1::Score>(99)); },
                  "score: unknown value 99"},
        Malformed{"UnknownSize",
                  [](Request& r) {
                    r.mutable_output()->set_named_size(
                        static_cast<v1::NamedSize>(kNoEnum));
                  },
                  "output.named_size: unknown value 99"},
        Malformed{"UnknownEncoding",
                  [](Request& r) {
                    r.mutable_output()->set_encoding(
                        static_cast<v1::MapEncoding>(-1));
                  },
                  "output.encoding: unknown value -1"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(ConvertRequestTest, AllViolationsAreToldAtOnce) {
  v1::ComputeSaliencyRequest request = FakeRequest();
  request.clear_input();
  request.mutable_model()->set_version(-3);
  request.set_score(static_cast<v1::Score>(99));
  request.add_targets()->set_label("");
  request.add_targets()->set_label("cat");
  request.add_targets()->set_label("");
  request.mutable_attributions(0)->set_method("grad_cma");
  request.add_attributions();
  request.add_attributions()->mutable_pair();
  request.mutable_output()->set_encoding(static_cast<v1::MapEncoding>(99));
  request.mutable_output()->set_named_size(static_cast<v1::NamedSize>(99));
  const absl::Status status = JobFromProto(request, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const std::string message(status.message());
  EXPECT_THAT(message, testing::StartsWith("11 violations: (1) "));
  for (const char* part :
       {"model.version: -3 is less than 1", "score: unknown value 99",
        "targets[0]: label: empty", "targets[2]: label: empty",
        "output.named_size: unknown value 99",
        "output.encoding: unknown value 99",
        "attributions[0]: method \"grad_cma\" is unknown",
        "attributions[1]: no method is set",
        "attributions[2]: pair.extract: unspecified",
        "attributions[2]: pair.aggregate: unspecified",
        "input: neither image nor tensor is set"}) {
    EXPECT_THAT(message, HasSubstr(part));
  }
}

// What is over a limit is not converted, and the rest is looked at all the
// same.
TEST(ConvertRequestTest, CountsOverTheLimitDoNotHideTheRest) {
  v1::ComputeSaliencyRequest request = FakeRequest();
  for (int i = 0; i < 65; ++i) request.add_targets();
  for (int i = 0; i < 65; ++i) request.add_attributions();
  request.set_score(static_cast<v1::Score>(99));
  const std::string message(JobFromProto(request, {}).status().message());
  EXPECT_THAT(message, HasSubstr("targets: 65 of at most 64"));
  EXPECT_THAT(message, HasSubstr("attributions: 66 of at most 64"));
  EXPECT_THAT(message, HasSubstr("score: unknown value 99"));
}

}  // namespace
}  // namespace saliency::convert_request_test
