#include "server/convert/triton_config.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/convert/model_config_text.h"

namespace saliency::triton_config_test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// As the backend's documentation shows it.
constexpr char kLibtorch[] = R"(
name: "resnet50_libtorch"
platform: "pytorch_libtorch"
max_batch_size: 8
input [
  {
    name: "INPUT__0"
    data_type: TYPE_FP32
    format: FORMAT_NCHW
    dims: [ 3, 256, 320 ]
  }
]
output [
  {
    name: "OUTPUT__1"
    data_type: TYPE_FP32
    dims: [ 1000 ]
    label_filename: "resnet50_labels.txt"
  },
  {
    name: "OUTPUT__0"
    data_type: TYPE_FP32
    dims: [ 2048, 1, 1 ]
  }
]
instance_group [ { count: 2 kind: KIND_CPU } ]
dynamic_batching { max_queue_delay_microseconds: 2500 }
version_policy: { specific { versions: [ 1, 3 ] } }
)";

// As an operator grows it: comments, commas, single messages for lists, maps
// and blocks that mean nothing here.
constexpr char kTuned[] = R"pb(
  # generated 2024-03-01; DO NOT EDIT
  backend: "pytorch",
  max_batch_size: 4096
  default_model_filename: "model.pt"
  input { name: "images" data_type: TYPE_FP32 dims: 3 dims: -1 dims: -1 }
  output: {
    name: "logits",
    data_type: TYPE_FP32,
    dims: [ -1 ]
  }
  instance_group: {
    name: "gpus"
    kind: KIND_GPU
    gpus: [ 0, 1 ]
    count: 1
    profile: [ "a", "b" ]
  }
  dynamic_batching: {
    preferred_batch_size: [ 4, 8 ]
    max_queue_delay_microseconds: 60000000
    default_queue_policy { timeout_action: REJECT allow_timeout_override: true }
  }
  optimization {
    execution_accelerators {
      gpu_execution_accelerator:
      [ {
        name: "tensorrt"
        parameters { key: "precision_mode" value: "FP16" }
      }]
    }
    cuda { graphs: true }
    input_pinned_memory { enable: true }
  }
  parameters: {
    key: "DISABLE_OPTIMIZED_EXECUTION"
    value: { string_value: "true" }
  }
  parameters: {
    key: "INFERENCE_MODE"
    value: { string_value: "true" }
  } model_warmup
  [ {
    name: "zeros"
    batch_size: 1
    inputs {
      key: "images"
      value: {
        data_type: TYPE_FP32
        dims: [ 3, 224, 224 ]
        zero_data: true
      }
    }
  }]
  version_policy { all {} }
  response_cache { enable: false }
)pb";

// No batching by Triton: the rows stand among the sizes.
constexpr char kUnbatched[] = R"(
name: "yolo_cls"
platform: "pytorch_libtorch"
max_batch_size : 0
input [ { name: "x", data_type: TYPE_BF16, dims: [ 1, 3, 128, 96 ] } ]
output [ { name: "OUTPUT__0", data_type: TYPE_FP32, dims: [ 1, 20 ] } ]
)";

TEST(TritonConfigTest, WhatMapsIsTaken) {
  const ModelConfig config = ParseTritonConfig(kLibtorch, 0).value();
  EXPECT_EQ(config.name, "resnet50_libtorch");
  EXPECT_EQ(config.batching.max_rows, 8);
  EXPECT_EQ(config.batching.max_delay, absl::Microseconds(2500));
  EXPECT_EQ(config.input.height, 256);
  EXPECT_EQ(config.input.width, 320);
  EXPECT_EQ(config.output_index, 1);
  ASSERT_EQ(config.instances.size(), 1);
  EXPECT_EQ(config.instances[0].device, "cpu");
  EXPECT_EQ(config.instances[0].count, 2);
  EXPECT_EQ(config.precision, Precision::kFp32);
  EXPECT_THAT(config.versions.only, ElementsAre(1, 3));
  EXPECT_THAT(
      config.notes,
      ElementsAre(
          "output: 2 tensors; \"OUTPUT__1\" is taken for the logits",
          "output[0].label_filename: \"resnet50_labels.txt\" is ignored; "
          "labels are read from labels.txt"));
}

TEST(TritonConfigTest, TheRestIsIgnoredAndNamed) {
  const ModelConfig config = ParseTritonConfig(kTuned, 2).value();
  ASSERT_FALSE(config.notes.empty());
  EXPECT_EQ(config.notes[0],
            "ignored fields: default_model_filename, "
            "dynamic_batching.default_queue_policy, "
            "dynamic_batching.preferred_batch_size, instance_group.profile, "
            "model_warmup, optimization, parameters, response_cache");
  EXPECT_THAT(config.notes,
              ElementsAre(HasSubstr("ignored fields"),
                          "input[0].dims: any height; 224 is taken",
                          "input[0].dims: any width; 224 is taken"));
  EXPECT_EQ(config.batching.max_rows, 1024) << "the most there is";
  EXPECT_EQ(config.batching.max_delay, absl::Seconds(10));
  EXPECT_FALSE(config.output_index.has_value());
  EXPECT_EQ(config.versions.latest, 0);
  EXPECT_THAT(config.versions.only, IsEmpty());
  ASSERT_EQ(config.instances.size(), 2);
  EXPECT_EQ(config.instances[0].device, "cuda:0");
  EXPECT_EQ(config.instances[1].device, "cuda:1");
}

TEST(TritonConfigTest, AModelWithoutBatchesIsRunRowByRow) {
  const ModelConfig config = ParseTritonConfig(kUnbatched, 0).value();
  EXPECT_EQ(config.batching.max_rows, 1);
  EXPECT_EQ(config.input.height, 128);
  EXPECT_EQ(config.input.width, 96);
  EXPECT_EQ(config.precision, Precision::kBf16);
  EXPECT_EQ(config.versions.latest, 1) << "as in Triton";
  EXPECT_THAT(config.notes, IsEmpty());
  EXPECT_EQ(ParseTritonConfig("input { dims: [-1, 3, 8, 8] }", 0)
                .value()
                .batching.max_rows,
            16)
      << "any number of rows";
}

TEST(TritonConfigTest, WithoutAGpuTheCpuIsTakenAndTheLogSaysSo) {
  const auto instances = [](const char* text, int gpus) {
    const ModelConfig config = ParseTritonConfig(text, gpus).value();
    std::vector<std::string> devices;
    for (const InstanceConfig& instance : config.instances) {
      devices.push_back(instance.device);
    }
    return std::make_pair(devices, config.notes);
  };
  const auto [devices, notes] =
      instances("instance_group [ { kind: KIND_GPU gpus: [ 0 ] } ]", 0);
  EXPECT_THAT(devices, ElementsAre("cpu"));
  EXPECT_THAT(notes, ElementsAre(HasSubstr("there is no GPU here")));
  const auto [automatic, none] =
      instances("instance_group [ { count: 1 } ]", 0);
  EXPECT_THAT(automatic, ElementsAre("cpu"));
  EXPECT_THAT(none, IsEmpty());
  EXPECT_THAT(instances("instance_group [ { kind: KIND_GPU } ]", 2).first,
              ElementsAre("cuda:0", "cuda:1"));
  EXPECT_THAT(instances("instance_group [ { kind: KIND_CPU } ]", 2).first,
              ElementsAre("cpu"));
}

TEST(TritonConfigTest, AFileIsReadByWhatItHolds) {
  for (const char* text : {kLibtorch, kTuned, kUnbatched}) {
    EXPECT_TRUE(IsTritonConfig(text));
    EXPECT_TRUE(ParseModelConfigText(text).ok())
        << ParseModelConfigText(text).status();
  }
  for (const char* text :
       {"", "input { height: 8 }", "batching { max_rows: 2 }", "hight: 3",
        "input { hight: 8 }"}) {
    EXPECT_FALSE(IsTritonConfig(text)) << text;
  }
  // A slip in one's own file is told in its own terms.
  EXPECT_THAT(
      std::string(
          ParseModelConfigText("input { hight: 8 }").status().message()),
      AllOf(HasSubstr("InputSpec"), HasSubstr("hight")));
  EXPECT_THAT(std::string(ParseModelConfigText("name: \"a\" max_batch_size: x")
                              .status()
                              .message()),
              HasSubstr("line 1"));
}

struct Bad {
  const char* text;
  const char* message;
};

class RefusedTritonConfigTest : public testing::TestWithParam<Bad> {};

TEST_P(RefusedTritonConfigTest, SaysWhy) {
  const absl::Status status = ParseTritonConfig(GetParam().text, 0).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Reasons, RefusedTritonConfigTest,
    testing::Values(
        Bad{R"(name: "e" platform: "ensemble" max_batch_size: 1
               ensemble_scheduling { step [ { model_name: "a"
                 model_version: -1 input_map { key: "x" value: "y" } } ] })",
            "ensemble_scheduling: an ensemble is several models"},
        Bad{R"(ensemble_scheduling { step [ { model_name: "a" } ] })",
            "several models"},
        Bad{R"(platform: "onnxruntime_onnx")",
            "platform: \"onnxruntime_onnx\" is not \"pytorch_libtorch\""},
        Bad{R"(backend: "python")", "backend: \"python\" is not \"pytorch\""},
        Bad{R"(max_batch_size: -1)", "max_batch_size: -1 is less than 0"},
        Bad{R"(max_batch_size: 1 input [ { name: "a" dims: [ 3, 8, 8 ] },
               { name: "b" dims: [ 1 ] } ])",
            "input: the model takes 2 tensors"},
        Bad{R"(input { data_type: TYPE_UINT8 dims: [ 3, 8, 8 ] })",
            "input[0].data_type: TYPE_UINT8"},
        Bad{R"(input { data_type: TYPE_STRING dims: [ 1 ] })", "TYPE_STRING"},
        Bad{R"(input { data_type: TYPE_FP16 dims: [ 3, 8, 8 ] })",
            "TYPE_FP16 runs on a GPU only"},
        Bad{R"(input { data_type: TYPE_FP32 format: FORMAT_NHWC
               dims: [ 8, 8, 3 ] })",
            "channels last"},
        Bad{R"(input { dims: [ 224, 224, 3 ] })", "channels last"},
        Bad{R"(max_batch_size: 4 input { dims: [ 1, 3, 8, 8 ] })",
            "is not [C,H,W] (max_batch_size adds the rows)"},
        Bad{R"(input { dims: [ 4, 3, 8, 8 ] })", "fixes 4 rows"},
        Bad{R"(input { dims: [ 16 ] })", "input[0].dims: [16] is not [C,H,W]"},
        Bad{R"(input { dims: [ 257, 28, 28 ] })",
            "input[0].dims: [257,28,28]: 257 channels not in [1, 256]"},
        Bad{R"(input { dims: [ 3, 0, 28 ] })", "a height of 0"},
        Bad{R"(input { dims: [ 3, 8, 8192 ] })", "a width of 8192"},
        Bad{R"(instance_group { count: 65 })", "count: 65 not in [1, 64]"},
        Bad{R"(instance_group { gpus: [ -1 ] kind: KIND_GPU })",
            "gpus: -1 is less than 0"},
        Bad{R"(version_policy { specific {} })", "no versions"},
        Bad{R"(version_policy { latest { num_versions: -2 } })",
            "num_versions: -2"}));

}  // namespace
}  // namespace saliency::triton_config_test
