// Names that are not known, counts above the limits, options out of range.

#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/end_to_end/malformed_case.h"
#include "tests/end_to_end/wire.h"

namespace saliency::malformed_options_test {
namespace {

using Request = v1::ComputeSaliencyRequest;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kNotFound = absl::StatusCode::kNotFound;

void UseMethod(Request& request, const std::string& method,
               const std::string& layer) {
  *request.mutable_attributions(0) = At(method, {layer});
}

void AddTargets(Request& request, int count) {
  for (int i = 0; i < count; ++i) request.add_targets()->set_class_index(0);
}

INSTANTIATE_TEST_SUITE_P(
    Names, MalformedTest,
    ::testing::Values(
        MalformedCase{
            "UnknownModel",
            [](Request& r) { r.mutable_model()->set_name("voc-emojy"); },
            kNotFound,
            {"model", "voc-emojy", "nearest: \"voc-emoji\""}},
        MalformedCase{
            "ModelNameThatIsAPath",
            [](Request& r) { r.mutable_model()->set_name("../voc-emoji"); },
            kNotFound,
            {"model", "../voc-emoji"}},
        MalformedCase{"UnknownVersion",
                      [](Request& r) { r.mutable_model()->set_version(7); },
                      kNotFound,
                      {"version", "7", "\"1\""}},
        MalformedCase{"VersionZero",
                      [](Request& r) { r.mutable_model()->set_version(0); },
                      kInvalid,
                      {"version", "0", "1"}},
        MalformedCase{"UnknownLayer",
                      [](Request& r) { UseMethod(r, "norm_grad", "layer5"); },
                      kNotFound,
                      {"layer", "layer5", "nearest: \"layer"}},
        MalformedCase{
            "LayerOfControlCharacters",
            [](Request& r) { UseMethod(r, "norm_grad", "lay\n\x01\x7f"); },
            kNotFound,
            {"layer"}},
        MalformedCase{"LayerOfAMegabyte",
                      [](Request& r) {
                        UseMethod(r, "norm_grad", std::string(1 << 20, 'l'));
                      },
                      kNotFound,
                      {"layer", "..."}},
        MalformedCase{
            "LayerNamedTwice",
            [](Request& r) { r.mutable_attributions(0)->add_layers("layer4"); },
            kInvalid,
            {"attributions[0].layers", "layer4", "twice"}},
        MalformedCase{"LayerThatIsNotSpatial",
                      [](Request& r) { UseMethod(r, "norm_grad", "fc"); },
                      kInvalid,
                      {"layer", "fc", "[20]"}},
        MalformedCase{"UnknownMethod",
                      [](Request& r) { UseMethod(r, "norm_gradd", "layer4"); },
                      kInvalid,
                      {"attributions[0]", "norm_gradd", "norm_grad"}},
        MalformedCase{"MethodThatDoesNotApplyThere",
                      [](Request& r) { UseMethod(r, "cam", "layer1"); },
                      kInvalid,
                      {"cam", "layer1"}},
        MalformedCase{
            "MethodOfAnotherKindOfLayer",
            [](Request& r) { UseMethod(r, "norm_grad_real_conv", "layer4"); },
            kInvalid,
            {"norm_grad_real_conv", "convolution", "layer4"}},
        MalformedCase{
            "NeitherMethodNorPair",
            [](Request& r) { r.mutable_attributions(0)->clear_kind(); },
            kInvalid,
            {"attributions[0]"}},
        MalformedCase{"UnknownExtract",
                      [](Request& r) {
                        auto* pair = r.mutable_attributions(0)->mutable_pair();
                        pair->set_extract(static_cast<v1::Extract>(77));
                        pair->set_aggregate(v1::AGGREGATE_NORM);
                      },
                      kInvalid,
                      {"pair.extract", "77"}},
        MalformedCase{"NoAggregate",
                      [](Request& r) {
                        auto* pair = r.mutable_attributions(0)->mutable_pair();
                        pair->set_extract(v1::EXTRACT_BIAS);
                      },
                      kInvalid,
                      {"pair.aggregate"}},
        MalformedCase{"UnknownLabel",
                      [](Request& r) { *r.add_targets() = LabelTarget("dgo"); },
                      kInvalid,
                      {"targets[0]", "dgo", "\"dog\""}},
        MalformedCase{
            "ClassTooLarge",
            [](Request& r) { *r.add_targets() = ClassIndexTarget(20); },
            kInvalid,
            {"targets[0].class_index", "20", "[0, 20)"}},
        MalformedCase{
            "ClassBelowZero",
            [](Request& r) { *r.add_targets() = ClassIndexTarget(-1); },
            kInvalid,
            {"targets[0].class_index", "-1", "[0, 20)"}},
        MalformedCase{
            "RankTooLarge",
            [](Request& r) { r.add_targets()->set_rank_from_top(20); },
            kInvalid,
            {"targets[0].rank_from_top", "20", "[0, 20)"}},
        MalformedCase{
            "RankBelowZero",
            [](Request& r) { r.add_targets()->set_rank_from_bottom(-2); },
            kInvalid,
            {"targets[0].rank_from_bottom", "-2", "[0, 20)"}}),
    CaseName);

void UseSize(Request& request, int height, int width) {
  v1::Size& size = *request.mutable_output()->mutable_explicit_size();
  size.set_height(height);
  size.set_width(width);
}

INSTANTIATE_TEST_SUITE_P(
    Limits, MalformedTest,
    ::testing::Values(
        MalformedCase{"TooManyTargets",
                      [](Request& r) { AddTargets(r, 65); },
                      kInvalid,
                      {"targets", "65", "64"}},
        MalformedCase{"MillionsOfTargets",
                      [](Request& r) { AddTargets(r, 2'000'000); },
                      kInvalid,
                      {"targets", "2000000", "64"}},
        MalformedCase{"TooManyAttributions",
                      [](Request& r) {
                        for (int i = 0; i < 64; ++i) {
                          *r.add_attributions() = At("gradient", {"layer4"});
                        }
                      },
                      kInvalid,
                      {"attributions", "65", "64"}},
        MalformedCase{"TooManyLayers",
                      [](Request& r) {
                        for (int i = 0; i < 512; ++i) {
                          r.mutable_attributions(0)->add_layers(
                              absl::StrCat("l", i));
                        }
                      },
                      kInvalid,
                      {"layers", "513", "512"}},
        MalformedCase{"ZeroSize",
                      [](Request& r) { UseSize(r, 0, 5); },
                      kInvalid,
                      {"output.explicit_size", "0 x 5"}},
        MalformedCase{
            "NoSize",
            [](Request& r) { r.mutable_output()->mutable_explicit_size(); },
            kInvalid,
            {"output.explicit_size", "0 x 0"}},
        MalformedCase{
            "HugeSize",
            [](Request& r) { UseSize(r, 2'000'000'000, 2'000'000'000); },
            kInvalid,
            {"output.explicit_size", "2000000000", "40000000"}},
        MalformedCase{"ManyLargeMaps",
                      [](Request& r) {
                        AddTargets(r, 64);
                        UseSize(r, 2000, 2000);
                      },
                      kInvalid,
                      {"maps x pixels", "256000000", "134217728"}},
        MalformedCase{"TopKZero",
                      [](Request& r) { r.set_top_k(0); },
                      kInvalid,
                      {"top_k", "0", "[1, 100]"}},
        MalformedCase{"TopKTooLarge",
                      [](Request& r) { r.set_top_k(101); },
                      kInvalid,
                      {"top_k", "101", "[1, 100]"}}),
    CaseName);

INSTANTIATE_TEST_SUITE_P(
    Options, MalformedTest,
    ::testing::Values(
        MalformedCase{
            "UnknownScore",
            [](Request& r) { r.set_score(static_cast<v1::Score>(42)); },
            kInvalid,
            {"score", "42"}},
        MalformedCase{"ScalarScoreOfAClassifier",
                      [](Request& r) { r.set_score(v1::SCORE_SCALAR_OUTPUT); },
                      kInvalid,
                      {"score", "SCALAR_OUTPUT", "20"}},
        MalformedCase{"UnknownNamedSize",
                      [](Request& r) {
                        r.mutable_output()->set_named_size(
                            static_cast<v1::NamedSize>(9));
                      },
                      kInvalid,
                      {"output.named_size", "9"}},
        MalformedCase{"UnknownEncoding",
                      [](Request& r) {
                        r.mutable_output()->set_encoding(
                            static_cast<v1::MapEncoding>(-3));
                      },
                      kInvalid,
                      {"output.encoding", "-3"}},
        MalformedCase{"Png16OfRawMaps",
                      [](Request& r) {
                        r.mutable_output()->set_encoding(
                            v1::MAP_ENCODING_PNG16);
                        r.mutable_output()->set_normalise(false);
                      },
                      kInvalid,
                      {"output.encoding", "PNG16", "output.normalise"}},
        MalformedCase{"OverlayOfAnotherSize",
                      [](Request& r) {
                        r.mutable_output()->set_encoding(
                            v1::MAP_ENCODING_OVERLAY_PNG);
                      },
                      kInvalid,
                      {"output.encoding", "OVERLAY_PNG", "IMAGE"}},
        MalformedCase{
            "OverlayOfATensor",
            [](Request& r) {
              UseTensor(r, {3, 8, 8});
              r.mutable_output()->set_named_size(v1::NAMED_SIZE_IMAGE);
              r.mutable_output()->set_encoding(v1::MAP_ENCODING_OVERLAY_PNG);
            },
            kInvalid,
            {"output.encoding", "OVERLAY_PNG", "input.tensor"}},
        MalformedCase{"SigmaNotANumber",
                      [](Request& r) {
                        r.mutable_output()->set_smooth_sigma(
                            std::numeric_limits<float>::quiet_NaN());
                      },
                      kInvalid,
                      {"output.smooth_sigma", "nan", "[0, 0.5]"}},
        MalformedCase{
            "SigmaTooLarge",
            [](Request& r) { r.mutable_output()->set_smooth_sigma(0.75F); },
            kInvalid,
            {"output.smooth_sigma", "0.75", "[0, 0.5]"}},
        MalformedCase{
            "UnknownColourMap",
            [](Request& r) { r.mutable_output()->set_colour_map("jet"); },
            kInvalid,
            {"output.colour_map", "jet", "inferno"}},
        MalformedCase{
            "OpacityBelowZero",
            [](Request& r) { r.mutable_output()->set_overlay_opacity(-0.5F); },
            kInvalid,
            {"output.overlay_opacity", "-0.5", "[0, 1]"}}),
    CaseName);

}  // namespace
}  // namespace saliency::malformed_options_test
