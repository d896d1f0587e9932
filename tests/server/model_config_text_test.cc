#include "server/convert/model_config_text.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/convert/convert_model.h"

namespace saliency::model_config_text_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ModelConfigTextTest, EmptyTextGivesTheDefaults) {
  const ModelConfig config = ParseModelConfigText("").value();
  const ModelConfig defaults;
  EXPECT_EQ(ToProto(config).SerializeAsString(),
            ToProto(defaults).SerializeAsString());
  EXPECT_EQ(config.input.height, 224);
  EXPECT_TRUE(config.required);
  EXPECT_TRUE(config.warm_up);
}

TEST(ModelConfigTextTest, EveryFieldArrivesAndComesBack) {
  const ModelConfig config = ParseModelConfigText(R"(
      # A comment.
      input {
        height: 299 width: 300 geometry: GEOMETRY_CENTRE_CROP resize: 342
        mean: 0.5 mean: 0.25 mean: 0
        std: 1 std: 2 std: 0.5
        value_max: 255 channel_order: CHANNEL_ORDER_BGR
      }
      output_key: "logits"
      output_activation: OUTPUT_ACTIVATION_SIGMOID
      default_layers: "a"
      combine_layers: "a" combine_layers: "b"
      instances { device: "cuda:1" count: 2 } instances { device: "cuda:0" }
      precision: PRECISION_FP16
      batching { max_rows: 32 max_delay_ms: 5 }
      sha256: "ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
      warm_up: false
      required: false)")
                                 .value();
  EXPECT_EQ(config.input.height, 299);
  EXPECT_EQ(config.input.width, 300);
  EXPECT_EQ(config.input.geometry, InputGeometry::kCentreCrop);
  EXPECT_EQ(config.input.resize, 342);
  EXPECT_THAT(config.input.mean, ElementsAre(0.5F, 0.25F, 0));
  EXPECT_THAT(config.input.std, ElementsAre(1, 2, 0.5F));
  EXPECT_EQ(config.input.value_max, 255);
  EXPECT_TRUE(config.input.bgr);
  EXPECT_EQ(config.output_key, "logits");
  EXPECT_EQ(config.activation, OutputActivation::kSigmoid);
  EXPECT_THAT(config.default_layers, ElementsAre("a"));
  EXPECT_THAT(config.combine_layers, ElementsAre("a", "b"));
  ASSERT_EQ(config.instances.size(), 2);
  EXPECT_EQ(config.instances[0].device, "cuda:1");
  EXPECT_EQ(config.instances[0].count, 2);
  EXPECT_EQ(config.instances[1].count, 1);
  EXPECT_EQ(config.precision, Precision::kFp16);
  EXPECT_EQ(config.batching.max_rows, 32);
  EXPECT_EQ(config.batching.max_delay, absl::Milliseconds(5));
  EXPECT_EQ(config.sha256.substr(0, 6), "abcdef");
  EXPECT_FALSE(config.warm_up);
  EXPECT_FALSE(config.required);

  const ModelConfig again =
      ParseModelConfigText(ToProto(config).DebugString()).value();
  EXPECT_EQ(ToProto(again).SerializeAsString(),
            ToProto(config).SerializeAsString());
}

TEST(ModelConfigTextTest, ChannelsHaveTheirOwnMeanAndStd) {
  const ModelConfig grey =
      ParseModelConfigText("input { channels: 1 mean: 0.5 }").value();
  EXPECT_EQ(grey.input.channels, 1);
  EXPECT_THAT(grey.input.mean, ElementsAre(0.5F));
  EXPECT_THAT(grey.input.std, ElementsAre(1));
  const ModelConfig four =
      ParseModelConfigText("input { channels: 4 }").value();
  EXPECT_THAT(four.input.mean, ElementsAre(0, 0, 0, 0));
}

TEST(ModelConfigTextTest, EachActivationArrivesAndComesBack) {
  const std::pair<const char*, OutputActivation> cases[] = {
      {"UNSPECIFIED", OutputActivation::kDefault},
      {"SOFTMAX", OutputActivation::kSoftmax},
      {"SIGMOID", OutputActivation::kSigmoid},
      {"NONE", OutputActivation::kNone},
      {"REGRESSION", OutputActivation::kRegression}};
  for (const auto& [name, activation] : cases) {
    const ModelConfig config =
        ParseModelConfigText(
            absl::StrCat("output_activation: OUTPUT_ACTIVATION_", name))
            .value();
    EXPECT_EQ(config.activation, activation);
    EXPECT_EQ(v1::OutputActivation_Name(ToProto(config).output_activation()),
              absl::StrCat("OUTPUT_ACTIVATION_", name));
  }
}

TEST(ModelConfigTextTest, TheFileMayComeFromAnyEditor) {
  EXPECT_EQ(ParseModelConfigText("\xEF\xBB\xBFinput {\r\n  height: 32\r\n}")
                .value()
                .input.height,
            32);
  EXPECT_THAT(std::string(ParseModelConfigText(std::string("\xFF\xFEi\0", 4))
                              .status()
                              .message()),
              HasSubstr("must be saved as UTF-8"));
}

TEST(ModelConfigTextTest, OutputIndexZeroIsNotTheDefault) {
  EXPECT_EQ(ParseModelConfigText("output_index: 0").value().output_index, 0);
  EXPECT_FALSE(ParseModelConfigText("").value().output_index.has_value());
}

struct Case {
  const char* name;
  const char* text;
  const char* message;
};

class BadConfigTest : public testing::TestWithParam<Case> {};

TEST_P(BadConfigTest, IsInvalidInOneLineThatNamesTheField) {
  const absl::Status status = ParseModelConfigText(GetParam().text).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr(GetParam().message));
  EXPECT_THAT(message, Not(HasSubstr("\n")));
  EXPECT_THAT(message, Not(HasSubstr("/")));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadConfigTest,
    testing::Values(
        Case{"UnknownField", "inputs {}", "line 1, column"},
        Case{"UnknownFieldFurtherDown", "required: true\ncolour: 3",
             "line 2, column"},
        Case{"WrongType", "batching { max_rows: \"many\" }", "line 1, column"},
        Case{"UnknownEnumName", "precision: FP32", "line 1, column"},
        Case{"Unfinished", "input { height: 3", "line 1, column"},
        Case{"BinaryGarbage", "\x01\x02\xff", "line 1, column"},
        Case{"NegativeHeight", "input { height: -1 }",
             "input.height: -1 not in [1, 4096]"},
        Case{"Wide", "input { width: 4097 }",
             "input.width: 4097 not in [1, 4096]"},
        Case{"Resize", "input { resize: 5000 }",
             "input.resize: 5000 not in [1, 4096]"},
        Case{"CropLargerThanResize",
             "input { geometry: GEOMETRY_CENTRE_CROP height: 300 }",
             "input.resize: 256 is less than the crop of 300 x 224"},
        Case{"Channels", "input { channels: 257 }",
             "input.channels: 257 not in [1, 256]"},
        Case{"GreyMeans", "input { channels: 1 mean: 0 mean: 0 mean: 0 }",
             "input.mean: 3 numbers, not 1"},
        Case{"GreyOrder",
             "input { channels: 1 channel_order: "
             "CHANNEL_ORDER_BGR }",
             "input.channel_order: BGR of 1 channels, not 3"},
        Case{"TwoMeans", "input { mean: 0 mean: 0 }",
             "input.mean: 2 numbers, not 3"},
        Case{"MeanNotFinite", "input { mean: 0 mean: nan mean: 0 }",
             "input.mean[1]: nan is not finite"},
        Case{"ZeroStd", "input { std: 1 std: 1 std: 0 }",
             "input.std[2]: 0 is not positive"},
        Case{"ZeroValueMax", "input { value_max: 0 }",
             "input.value_max: 0 is not positive"},
        Case{"InfiniteValueMax", "input { value_max: inf }",
             "input.value_max: inf is not positive and finite"},
        Case{"GeometryNumber", "input { geometry: 9 }",
             "input.geometry: unknown value 9"},
        Case{"ChannelOrderNumber", "input { channel_order: 9 }",
             "input.channel_order: unknown value 9"},
        Case{"ActivationNumber", "output_activation: 9",
             "output_activation: unknown value 9"},
        Case{"PrecisionNumber", "precision: 9", "precision: unknown value 9"},
        Case{"NegativeOutput", "output_index: -1",
             "output_index: -1 is less than 0"},
        Case{"EmptyOutputKey", "output_key: \"\"", "output_key: empty"},
        Case{"EmptyLayer", "default_layers: \"\"", "default_layers[0]: empty"},
        Case{"RepeatedLayer", "combine_layers: \"a\" combine_layers: \"a\"",
             "combine_layers[1]: \"a\" is named twice"},
        Case{"UnknownDevice", "instances { device: \"tpu\" }",
             "instances[0].device: \"tpu\""},
        Case{"BadCudaIndex", "instances { device: \"cuda:-1\" }",
             "instances[0].device: \"cuda:-1\""},
        Case{"InstanceCount", "instances { count: 65 }",
             "instances[0].count: 65 not in [1, 64]"},
        Case{"InstancesInAll", "instances { count: 60 } instances { count: 5 }",
             "instances: 65 replicas in all, of at most 64"},
        Case{"HalfOnTheCpu", "precision: PRECISION_FP16",
             "precision: PRECISION_FP16"},
        Case{"TooManyRows", "batching { max_rows: 1025 }",
             "batching.max_rows: 1025 not in [1, 1024]"},
        Case{"TooLongDelay", "batching { max_delay_ms: 10001 }",
             "batching.max_delay_ms: 10001 not in [0, 10000]"},
        Case{"ShortDigest", "sha256: \"abc\"", "sha256: \"abc\""}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace saliency::model_config_text_test
