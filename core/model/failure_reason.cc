#include "core/model/failure_reason.h"

#include <torch/torch.h>

#include <functional>
#include <optional>
#include <set>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "core/base/near_names.h"
#include "core/model/noted_run.h"
#include "core/model/scores.h"
#include "core/model/torch_status.h"

namespace saliency {
namespace {

std::string DtypeName(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return "float32";
    case at::kDouble:
      return "float64";
    case at::kHalf:
      return "float16";
    case at::kLong:
      return "int64";
    case at::kInt:
      return "int32";
    case at::kByte:
      return "uint8";
    default:
      return absl::AsciiStrToLower(c10::toString(tensor.scalar_type()));
  }
}

std::string SizesText(const at::Tensor& tensor) {
  return absl::StrCat("[", absl::StrJoin(tensor.sizes().vec(), ","), "]");
}

std::string NamedText(const NotedOperator& what) {
  std::string named = absl::StrCat("operator ", Printable(what.name));
  if (!what.layer.empty()) {
    absl::StrAppend(&named, " of layer \"", Printable(what.layer), "\"");
  }
  return named;
}

// The model's author's words, "AssertionError: expects 64x64".
std::string ExceptionText(absl::string_view text) {
  constexpr size_t kLongest = 200;
  text = absl::StripSuffix(absl::StripTrailingAsciiWhitespace(text), ":");
  return absl::StrCat(
      "an assert or raise of its own stops it",
      text.empty()
          ? ""
          : absl::StrCat(": \"", Printable(text.substr(0, kLongest)), "\""));
}

// A device that is named in the file and is not the instance's.
std::optional<std::string> OtherDevice(const NotedOperator& what,
                                       c10::Device device) {
  for (const std::string& named : what.devices) {
    const c10::Device wanted(named);
    const bool is_same = wanted.type() == device.type() &&
                         (!wanted.has_index() || !device.has_index() ||
                          wanted.index() == device.index());
    if (!is_same) return named;
  }
  return std::nullopt;
}

std::string Counted(int64_t count, absl::string_view noun) {
  return absl::StrCat(count, " ", noun, count == 1 ? "" : "s");
}

// The two numbers that do not fit, where the operator is one whose rule is
// known.
std::optional<std::string> SizesThatDiffer(
    const NotedOperator& what, const std::vector<at::Tensor>& tensors,
    at::IntArrayRef image) {
  if (tensors.size() < 2) return std::nullopt;
  const at::Tensor& x = tensors[0];
  const at::Tensor& weight = tensors[1];
  if (!x.defined() || !weight.defined()) return std::nullopt;
  if (what.groups && x.dim() == 4 && weight.dim() == 4 &&
      x.size(1) != weight.size(1) * *what.groups) {
    return absl::StrCat(
        "takes ", Counted(weight.size(1) * *what.groups, "channel"),
        " and got ", x.size(1),
        x.sizes() == image ? ", those of an image: only models of images "
                             "with 3 channels are served"
                           : "");
  }
  if (what.name == "linear" && x.dim() > 0 && weight.dim() == 2 &&
      x.size(-1) != weight.size(1)) {
    return absl::StrCat("takes ", Counted(weight.size(1), "feature"),
                        " and got ", x.size(-1));
  }
  return std::nullopt;
}

// Why `run` of an image of these sizes stopped where it did; empty: it came to
// no operator.
std::string DescribeStop(const NotedRun& run, c10::Device device,
                         at::IntArrayRef image, bool with_gradients) {
  if (run.last() == nullptr) return "";
  const NotedOperator& what = *run.last();
  if (what.name == "RaiseException") return ExceptionText(what.exception);
  const std::string named = NamedText(what);
  if (const auto other = OtherDevice(what, device)) {
    return absl::StrCat(named, " asks for device ", *other,
                        ", but this instance runs on ", device.str(),
                        ": export the model without a device, or set "
                        "instances in config.pbtxt");
  }
  std::set<std::string> devices, dtypes;
  std::vector<std::string> inputs;
  for (const at::Tensor& tensor : run.tensors()) {
    if (!tensor.defined()) continue;
    devices.insert(tensor.device().str());
    if (tensor.is_floating_point()) dtypes.insert(DtypeName(tensor));
    inputs.push_back(absl::StrCat(DtypeName(tensor), " ", SizesText(tensor)));
  }
  if (devices.size() > 1) {
    return absl::StrCat(named, " meets tensors on ",
                        absl::StrJoin(devices, " and "));
  }
  if (const auto sizes = SizesThatDiffer(what, run.tensors(), image)) {
    return absl::StrCat(named, " ", *sizes);
  }
  if (dtypes.size() > 1) {
    return absl::StrCat(named, " meets ", absl::StrJoin(dtypes, " and "),
                        ": weights are brought to the configured precision, "
                        "casts inside the model are not");
  }
  constexpr size_t kMostInputs = 4;
  if (inputs.size() > kMostInputs) inputs.resize(kMostInputs);
  return absl::StrCat(
      named, with_gradients ? " cannot be run with gradients" : " fails",
      inputs.empty() ? "" : absl::StrCat(" on ", absl::StrJoin(inputs, ", ")));
}

// The library's words when `work` throws; nullopt when it does not.
std::optional<std::string> Thrown(const std::function<void()>& work) {
  const absl::Status status =
      CatchTorch(absl::StatusCode::kInvalidArgument, "", [&] {
        work();
        return absl::OkStatus();
      });
  if (status.ok()) return std::nullopt;
  return TorchDetail(status);
}

// The word behind `before`, as far as it is a name.
std::string NameBehind(absl::string_view text, absl::string_view before) {
  const size_t found = text.find(before);
  if (found == absl::string_view::npos) return "";
  absl::string_view rest = text.substr(found + before.size());
  rest = absl::StripLeadingAsciiWhitespace(rest);
  if (absl::StartsWith(rest, "'")) rest.remove_prefix(1);
  size_t end = 0;
  while (end < rest.size() &&
         (absl::ascii_isalnum(static_cast<unsigned char>(rest[end])) ||
          rest[end] == '_' || rest[end] == ':' ||
          (rest[end] == '.' && end + 1 < rest.size() &&
           absl::ascii_isalnum(static_cast<unsigned char>(rest[end + 1]))))) {
    ++end;
  }
  std::string name(absl::StripPrefix(rest.substr(0, end), "aten::"));
  while (absl::EndsWith(name, ":")) name.pop_back();
  return Printable(name);
}

std::string BackwardReason(absl::string_view detail) {
  for (const absl::string_view before :
       {"derivative for ", "Derivative for "}) {
    const std::string name = NameBehind(detail, before);
    if (!name.empty()) {
      return absl::StrCat("operator ", name,
                          " has no derivative, so that there are no gradients");
    }
  }
  return "its backward pass fails";
}

}  // namespace

std::string ReasonOfFailure(const ProbedNetwork& network,
                            const at::Tensor& input) {
  NotedRun run(network);
  at::Tensor x =
      Upload(input, network.device(), network.dtype()).detach().clone();
  const auto where_it_stopped = [&](bool with_gradients) {
    return DescribeStop(run, network.device(), input.sizes(), with_gradients);
  };
  const auto plain = [&] {
    const at::NoGradGuard no_grad;
    run.Run(x);
  };
  if (Thrown(plain)) return where_it_stopped(/*with_gradients=*/false);
  const at::AutoGradMode with_grad(true);
  x.set_requires_grad(true);
  c10::IValue output;
  // A copy: a leaf cannot be overwritten in place.
  if (Thrown([&] { output = run.Run(x.clone()); })) {
    return where_it_stopped(/*with_gradients=*/true);
  }
  const auto backward = Thrown([&] {
    const auto raw =
        SelectOutput(output, network.output().index, network.output().key);
    if (!raw.ok() || !raw->requires_grad()) return;
    torch::autograd::grad({raw->sum()}, {x}, {}, false, false,
                          /*allow_unused=*/true);
  });
  return backward ? BackwardReason(*backward) : "";
}

absl::Status WithReason(const absl::Status& status,
                        const ProbedNetwork& network, const at::Tensor& input) {
  const std::string detail = TorchDetail(status);
  const bool may_run =
      absl::IsInvalidArgument(status) ||
      (absl::IsUnavailable(status) && network.device().is_cpu());
  if (detail.empty() || !may_run) return status;
  std::string reason;
  const absl::Status found = CatchTorch(absl::StatusCode::kInternal, "", [&] {
    reason = ReasonOfFailure(network, input);
    return absl::OkStatus();
  });
  if (!found.ok() || reason.empty()) return status;
  return WithTorchDetail(absl::StatusCode::kInvalidArgument,
                         absl::StrCat(status.message(), ": ", reason), detail);
}

std::string ReasonOfUnreadableFile(absl::string_view detail) {
  if (const std::string name = NameBehind(detail, "Unknown builtin op: ");
      !name.empty()) {
    return absl::StrCat("it uses operator ", name,
                        ", which this server's LibTorch does not have");
  }
  if (const std::string name = NameBehind(detail, "Unknown type name ");
      !name.empty()) {
    return absl::StrCat("it uses class ", name,
                        ", which this server's LibTorch does not have");
  }
  if (absl::StrContains(detail, "Attempted to read a PyTorch file with")) {
    return absl::StrCat("it has format version ",
                        NameBehind(detail, "PyTorch file with version "),
                        ", of at most ",
                        NameBehind(detail, "supported version for reading is "),
                        ": export it with an older PyTorch");
  }
  if (absl::StrContains(detail, "constants.pkl")) {
    return "it holds no code: torch.save wrote it, not torch.jit.save";
  }
  if (absl::StrContains(detail, "required keyword attribute")) {
    return "it holds a constant that cannot be read back, as files of "
           "torch.jit.optimize_for_inference do: export the model without it";
  }
  return "";
}

}  // namespace saliency
