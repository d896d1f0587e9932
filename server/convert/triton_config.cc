#include "server/convert/triton_config.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "core/base/near_names.h"
#include "core/base/status.h"
#include "saliency/v1/triton_config.pb.h"
#include "server/convert/text_proto.h"

namespace saliency {
namespace {

constexpr int64_t kMaxTritonSide = 4096;
constexpr int64_t kMaxTritonChannels = 256;
constexpr int kMaxTritonRows = 1024;
constexpr int kMaxTritonInstances = 64;
constexpr uint64_t kMaxTritonDelayMicroseconds = 10'000'000;

template <typename... Parts>
absl::Status Refused(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// What it takes to serve a model of another kind.
absl::Status CheckKind(const v1::TritonModelConfig& proto) {
  if (proto.has_ensemble_scheduling() || proto.platform() == "ensemble") {
    return Refused(
        "ensemble_scheduling: an ensemble is several models in a row; serve "
        "its TorchScript model by itself");
  }
  if (!proto.platform().empty() && proto.platform() != "pytorch_libtorch") {
    return Refused("platform: \"", Printable(proto.platform()),
                   "\" is not \"pytorch_libtorch\", and only TorchScript "
                   "models are served");
  }
  if (!proto.backend().empty() && proto.backend() != "pytorch") {
    return Refused("backend: \"", Printable(proto.backend()),
                   "\" is not \"pytorch\", and only TorchScript models are "
                   "served");
  }
  return absl::OkStatus();
}

absl::Status FillType(const v1::TritonInput& input, ModelConfig& config) {
  if (!input.has_data_type()) return absl::OkStatus();
  switch (input.data_type()) {
    case v1::TYPE_FP32:
      return absl::OkStatus();
    case v1::TYPE_BF16:
      config.precision = Precision::kBf16;
      return absl::OkStatus();
    case v1::TYPE_FP16:
      config.precision = Precision::kFp16;
      return absl::OkStatus();
    default:
      return Refused(
          "input[0].data_type: ", v1::TritonDataType_Name(input.data_type()),
          "; images are handed over as TYPE_FP32, TYPE_FP16 or "
          "TYPE_BF16");
  }
}

absl::Status FillSide(const char* what, int64_t size, int64_t& target,
                      std::vector<std::string>& notes) {
  if (size == -1) {
    notes.push_back(
        absl::StrCat("input[0].dims: any ", what, "; ", target, " is taken"));
    return absl::OkStatus();
  }
  if (size < 1 || size > kMaxTritonSide) {
    return Refused("input[0].dims: a ", what, " of ", size, " not in [1, ",
                   kMaxTritonSide, "]");
  }
  target = size;
  return absl::OkStatus();
}

// Also whether the model fixes the number of its rows: none says no.
absl::StatusOr<std::optional<int64_t>> FillDims(const v1::TritonInput& input,
                                                bool batched,
                                                ModelConfig& config) {
  std::vector<int64_t> dims(input.dims().begin(), input.dims().end());
  std::optional<int64_t> rows;
  if (dims.empty()) return rows;
  const std::string all =
      absl::StrCat("input[0].dims: [", absl::StrJoin(dims, ","), "]");
  if (!batched && dims.size() == 4) {
    rows = dims.front();
    dims.erase(dims.begin());
    if (*rows != 1 && *rows != -1) {
      return Refused(all, " fixes ", *rows, " rows; 1 or -1 can be served");
    }
  }
  if (dims.size() != 3) {
    return Refused(all, " is not [C,H,W]",
                   batched ? " (max_batch_size adds the rows)" : "");
  }
  if (input.format() == v1::FORMAT_NHWC || (dims[0] != 3 && dims[2] == 3)) {
    return Refused(all, " has its channels last; [C,H,W] can be served");
  }
  if (dims[0] != -1) {
    if (dims[0] < 1 || dims[0] > kMaxTritonChannels) {
      return Refused(all, ": ", dims[0], " channels not in [1, ",
                     kMaxTritonChannels, "]");
    }
    config.input.SetChannels(dims[0]);
  }
  RETURN_IF_ERROR(
      FillSide("height", dims[1], config.input.height, config.notes));
  RETURN_IF_ERROR(FillSide("width", dims[2], config.input.width, config.notes));
  return rows;
}

absl::Status FillTritonInput(const v1::TritonModelConfig& proto,
                             ModelConfig& config) {
  if (proto.input_size() > 1) {
    return Refused("input: the model takes ", proto.input_size(),
                   " tensors; only models of one image can be served");
  }
  const bool batched = proto.max_batch_size() > 0;
  if (proto.max_batch_size() < 0) {
    return Refused("max_batch_size: ", proto.max_batch_size(),
                   " is less than 0");
  }
  std::optional<int64_t> rows;
  if (proto.input_size() == 1) {
    RETURN_IF_ERROR(FillType(proto.input(0), config));
    ASSIGN_OR_RETURN(rows, FillDims(proto.input(0), batched, config));
  }
  if (batched) {
    config.batching.max_rows = std::min(proto.max_batch_size(), kMaxTritonRows);
  } else if (rows != -1) {
    config.batching.max_rows = 1;
  }
  return absl::OkStatus();
}

// Triton's names for the tensors of a tuple: "OUTPUT__1".
std::optional<int> IndexIn(absl::string_view name) {
  const size_t at = name.rfind("__");
  int index = 0;
  if (at == absl::string_view::npos ||
      !absl::SimpleAtoi(name.substr(at + 2), &index) || index < 0) {
    return std::nullopt;
  }
  return index;
}

void FillTritonOutput(const v1::TritonModelConfig& proto, ModelConfig& config) {
  if (proto.output_size() == 0) return;
  const v1::TritonOutput& first = proto.output(0);
  const int index = IndexIn(first.name()).value_or(0);
  if (index > 0) config.output_index = index;
  if (proto.output_size() > 1) {
    config.notes.push_back(absl::StrCat("output: ", proto.output_size(),
                                        " tensors; \"", Printable(first.name()),
                                        "\" is taken for the logits"));
  }
  if (first.has_label_filename() && first.label_filename() != "labels.txt") {
    config.notes.push_back(absl::StrCat(
        "output[0].label_filename: \"", Printable(first.label_filename()),
        "\" is ignored; labels are read from labels.txt"));
  }
}

// The devices that a group names.
std::vector<std::string> TritonDevices(const v1::TritonInstanceGroup& group,
                                       int gpus,
                                       std::vector<std::string>& notes) {
  using Group = v1::TritonInstanceGroup;
  if (group.kind() == Group::KIND_CPU) return {"cpu"};
  if (gpus == 0) {
    if (group.kind() == Group::KIND_GPU) {
      notes.push_back(
          "instance_group: KIND_GPU, but there is no GPU here; the CPU is "
          "taken");
    }
    return {"cpu"};
  }
  std::vector<std::string> devices;
  for (const int gpu : group.gpus()) {
    devices.push_back(absl::StrCat("cuda:", gpu));
  }
  if (!devices.empty()) return devices;
  for (int gpu = 0; gpu < gpus; ++gpu) {
    devices.push_back(absl::StrCat("cuda:", gpu));
  }
  return devices;
}

absl::Status FillTritonInstances(const v1::TritonModelConfig& proto, int gpus,
                                 ModelConfig& config) {
  if (proto.instance_group_size() == 0) return absl::OkStatus();
  config.instances.clear();
  int total = 0;
  for (int i = 0; i < proto.instance_group_size(); ++i) {
    const v1::TritonInstanceGroup& group = proto.instance_group(i);
    const int count = group.count() == 0 ? 1 : group.count();
    if (count < 1 || count > kMaxTritonInstances) {
      return Refused("instance_group[", i, "].count: ", count, " not in [1, ",
                     kMaxTritonInstances, "]");
    }
    for (const int gpu : group.gpus()) {
      if (gpu < 0) {
        return Refused("instance_group[", i, "].gpus: ", gpu,
                       " is less than 0");
      }
    }
    for (std::string& device : TritonDevices(group, gpus, config.notes)) {
      config.instances.push_back({.device = std::move(device), .count = count});
      total += count;
    }
  }
  if (total <= kMaxTritonInstances) return absl::OkStatus();
  return Refused("instance_group: ", total, " instances in all, of at most ",
                 kMaxTritonInstances);
}

absl::Status CheckTritonPrecision(const ModelConfig& config) {
  if (config.precision != Precision::kFp16) return absl::OkStatus();
  for (const InstanceConfig& instance : config.instances) {
    if (instance.device == "cpu") {
      return Refused(
          "input[0].data_type: TYPE_FP16 runs on a GPU only, but an instance "
          "is on the CPU");
    }
  }
  return absl::OkStatus();
}

absl::Status FillVersions(const v1::TritonVersionPolicy& policy,
                          ModelConfig& config) {
  using Policy = v1::TritonVersionPolicy;
  switch (policy.policy_choice_case()) {
    case Policy::kAll:
      return absl::OkStatus();
    case Policy::kSpecific:
      if (policy.specific().versions().empty()) {
        return Refused("version_policy.specific: no versions");
      }
      config.versions.only.assign(policy.specific().versions().begin(),
                                  policy.specific().versions().end());
      return absl::OkStatus();
    case Policy::kLatest:
      if (policy.latest().num_versions() < 0) {
        return Refused("version_policy.latest.num_versions: ",
                       policy.latest().num_versions(), " is less than 1");
      }
      config.versions.latest = std::max(1, policy.latest().num_versions());
      return absl::OkStatus();
    case Policy::POLICY_CHOICE_NOT_SET:
      break;
  }
  config.versions.latest = 1;
  return absl::OkStatus();
}

// The own fields apart from `input`, which both have.
bool HasTritonFields(const v1::TritonModelConfig& proto) {
  const auto is_tritons = [](const v1::TritonInput& input) {
    return input.has_name() || input.has_data_type() || !input.dims().empty();
  };
  return proto.has_name() || proto.has_platform() || proto.has_backend() ||
         proto.has_max_batch_size() || proto.output_size() > 0 ||
         proto.instance_group_size() > 0 || proto.has_version_policy() ||
         proto.has_dynamic_batching() || proto.has_ensemble_scheduling() ||
         std::any_of(proto.input().begin(), proto.input().end(), is_tritons);
}

}  // namespace

bool IsTritonConfig(const std::string& text) {
  v1::TritonModelConfig proto;
  // What could be read up to an error tells enough.
  static_cast<void>(ParseTextProtoLeniently(text, proto));
  return HasTritonFields(proto);
}

absl::StatusOr<ModelConfig> ParseTritonConfig(const std::string& text,
                                              int gpus) {
  v1::TritonModelConfig proto;
  ASSIGN_OR_RETURN(const std::vector<std::string> ignored,
                   ParseTextProtoLeniently(text, proto));
  RETURN_IF_ERROR(CheckKind(proto));
  ModelConfig config = {.name = proto.name()};
  if (!ignored.empty()) {
    config.notes.push_back(
        absl::StrCat("ignored fields: ", absl::StrJoin(ignored, ", ")));
  }
  RETURN_IF_ERROR(FillTritonInput(proto, config));
  FillTritonOutput(proto, config);
  RETURN_IF_ERROR(FillTritonInstances(proto, gpus, config));
  RETURN_IF_ERROR(CheckTritonPrecision(config));
  RETURN_IF_ERROR(FillVersions(proto.version_policy(), config));
  config.batching.max_delay = absl::Microseconds(
      std::min(proto.dynamic_batching().max_queue_delay_microseconds(),
               kMaxTritonDelayMicroseconds));
  return config;
}

}  // namespace saliency
