// TorchScript graphs through load, self-check, pass and meta step: each byte
// picks a statement of forward(), so that every input is a program.

#include <ATen/Parallel.h>
#include <torch/script.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/model/probed_model.h"
#include "tests/fuzz/require.h"
#include "tests/support/tiny_models.h"

namespace saliency {
namespace {

constexpr int64_t kSide = 8;
constexpr int64_t kChannels = 4;

// Statements of forward(); $a and $b are earlier values, $n is new, $k a small
// number.
constexpr const char* kStatements[] = {
    "$n = self.conv.forward($a)",
    "$n = self.strided.forward($a)",
    "$n = self.bn.forward($a)",
    "$n = self.relu.forward($a)",
    "$n = self.in_place.forward($a)",
    "$n = self.tanh.forward($a)",
    "$n = self.conv.forward(self.relu.forward($a))",
    "$n = torch.add($a, $b)",
    "$n = $a * $b",
    "$n = $a / $b",
    "$n = torch.sqrt($a)",
    "$n = torch.max_pool2d($a, [2, 2])",
    "$n = torch.adaptive_avg_pool2d($a, [$k, $k])",
    "$n = torch.mean($a, [2, 3], True)",
    "$n = torch.mean($a, $k)",
    "$n = torch.softmax($a, $k)",
    "$n = torch.cat([$a, $b], $k)",
    "$n = torch.permute($a, [0, 2, 3, 1])",
    "$n = torch.transpose($a, $k, 1)",
    "$n = torch.flatten($a, $k)",
    "$n = torch.unsqueeze($a, $k)",
    "$n = torch.squeeze($a, $k)",
    "$n = torch.reshape($a, [$a.size(0), -1])",
    "$n = torch.reshape($a, [-1, 4, $k + 1, 2])",
    "$n = torch.flip($a, [$k])",
    "$n = torch.roll($a, $k, 0)",
    "$n = torch.cumsum($a, $k)",
    "$n, _i = torch.sort($a, $k)",
    "$n, _i = torch.max($a, $k)",
    "$n = torch.chunk($a, 2, $k)[0]",
    "$n = torch.narrow($a, $k, 0, 1)",
    "$n = torch.index_select($a, $k, torch.tensor([0]))",
    "$n = torch.select($a, $k, 0)",
    "$n = torch.expand_as($a, $b)",
    "$n = torch.zeros_like($a)",
    "$n = torch.detach($a)",
    "$n = torch.matmul($a, $b)",
    "$n = torch.where($a > 0, $a, $b)",
    "$n = torch.dropout($a, 0.5, True)",
    "$n = torch.clone($a).add_($b)",
    "$n = torch.add($a, float(torch.mean($b)))",
    "$n = torch.add($a, float($a.size($k)))",
    "$n = torch.div($a, torch.norm($a))",
    "$n = torch.to(torch.to($a, torch.int32), torch.float)",
    "$n = torch.to($a, torch.double)",
    "$n = torch.clone($a)\n  $n[:, 0] = 0.0",
    "$n = torch.clone($a)\n  $n[0] = torch.select($b, 0, 0)",
    "if float(torch.sum($a)) > 0.0:\n    $n = self.conv.forward($a)\n"
    "  else:\n    $n = $b",
    "if self.flag:\n    $n = self.conv.forward($a)\n  else:\n    $n = $b",
    "$n = $a\n  for _j in range($k):\n    $n = self.conv.forward($n)",
    "$n = $a\n  while float(torch.sum(torch.abs($n))) > 1.0:\n"
    "    $n = $n * 0.1",
    "_l = [$a, $b]\n  _l.append(self.tanh.forward($a))\n  $n = _l[$k]",
    "_t = ($a, $b)\n  $n = _t[0] + _t[1]",
    "$n = self.fc.forward($a)",
    "$n = self.fc.forward(torch.flatten(torch.mean($a, [2, 3], True), 1))",
};

// How forward() ends.
constexpr const char* kReturns[] = {
    "return $a",
    "return self.fc.forward(torch.flatten(torch.mean($a, [2, 3], True), 1))",
    "return torch.mean($a, [2, 3])",
    "return self.head.forward($a)",
    "return ($a, self.fc.forward(torch.mean($b, [2, 3])))",
    "return [torch.mean($a, [2, 3])]",
    "return {\"out\": torch.mean($a, [2, 3])}",
    "return torch.flatten($a, 1)",
};

class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : next_(data), end_(data + size) {}
  bool done() const { return next_ == end_; }
  // In [0, count); 0 when no byte is left.
  size_t Pick(size_t count) { return done() ? 0 : *next_++ % count; }

 private:
  const uint8_t* next_;
  const uint8_t* const end_;
};

// The latest values are picked most often: 0 is the last one.
std::string Earlier(size_t back, size_t values) {
  return absl::StrCat("v", values - 1 - back % values);
}

std::string Filled(const char* statement, Bytes& bytes, size_t values) {
  const size_t operands = bytes.Pick(256);
  return absl::StrReplaceAll(statement,
                             {{"$a", Earlier(operands % 4, values)},
                              {"$b", Earlier(operands / 4 % 8, values)},
                              {"$k", absl::StrCat(operands / 32 % 4)},
                              {"$n", absl::StrCat("v", values)}});
}

std::string Program(Bytes& bytes) {
  constexpr size_t kMaxStatements = 12;
  const char* const end = kReturns[bytes.Pick(std::size(kReturns))];
  const size_t returned = bytes.Pick(256);
  std::string body = "v0 = self.first.forward(x)\n";
  size_t values = 1;
  while (!bytes.done() && values <= kMaxStatements) {
    const char* const statement =
        kStatements[bytes.Pick(std::size(kStatements))];
    absl::StrAppend(&body, "  ", Filled(statement, bytes, values), "\n");
    ++values;
  }
  return absl::StrCat(
      body, "  ",
      absl::StrReplaceAll(end, {{"$a", Earlier(returned % 4, values)},
                                {"$b", Earlier(returned / 4, values)}}),
      "\n");
}

TinyModule Holder(const std::string& program) {
  TinyModule net = {
      .kind = "Net",
      .code = absl::StrCat("def forward(self, x):\n  ", program),
      .children = {{"first", Conv(3, kChannels)},
                   {"conv", Conv(kChannels, kChannels)},
                   {"strided", Conv(kChannels, kChannels, {.stride = {2, 2}})},
                   {"bn", BatchNorm(kChannels)},
                   {"relu", Relu()},
                   {"in_place", InPlaceRelu()},
                   {"tanh", Function("Tanh", "torch.tanh(x)")},
                   {"fc", Linear(kChannels, 3)},
                   {"head", Conv(kChannels, 3)}}};
  net.attributes["flag"] = true;
  return net;
}

ProbeRequest Request(const ProbedModel& model, int64_t images) {
  ProbeRequest request;
  // The first image is the same however many follow.
  request.input = (at::arange(images * 3 * kSide * kSide) * 0.37)
                      .sin()
                      .reshape({images, 3, kSide, kSide});
  for (int64_t row = 0; row < 2 * images; ++row) {
    request.rows.push_back({row / 2, RankFromTop{0}});
  }
  for (const LayerInfo& layer : model.layers()) {
    request.probes.push_back({layer.name});
  }
  return request;
}

void RequireAnswer(const ProbeRequest& request, const ProbedModel& model,
                   const ProbeResult& result) {
  const auto rows = static_cast<int64_t>(request.rows.size());
  Require(result.logits.sizes() ==
              at::IntArrayRef({request.input.size(0), model.num_classes()}),
          "each image has logits");
  Require(result.records.size() == request.probes.size(),
          "each probe has a record");
  for (size_t i = 0; i < result.records.size(); ++i) {
    const ProbeResult::Record& record = result.records[i];
    if (!model.layers()[i].spatial() || !record.activation.defined()) continue;
    Require(record.activation.dim() == 4 && record.activation.size(0) == rows,
            "each row has an activation");
    Require(record.gradient.sizes() == record.activation.sizes(),
            "and a gradient of its size");
    Require(record.activation.scalar_type() == at::kFloat &&
                record.gradient.scalar_type() == at::kFloat,
            "both are float32");
  }
}

void RequireExpected(const absl::Status& status) {
  if (status.code() == absl::StatusCode::kFailedPrecondition) return;
  RequireRefusal(status);
}

// Logits and activations of the first image beside another and alone.
void RequireIndependent(ProbedModel& model, const ProbeResult& beside) {
  const absl::StatusOr<ProbeResult> alone = model.Run(Request(model, 1));
  if (!alone.ok()) return RequireExpected(alone.status());
  const auto close = [](const at::Tensor& a, const at::Tensor& b) {
    return at::allclose(a, b, 1e-3, 1e-3, /*equal_nan=*/true);
  };
  Require(close(alone->logits[0], beside.logits[0]),
          "logits do not depend on neighbours");
  for (size_t i = 0; i < beside.records.size(); ++i) {
    const at::Tensor& mine = alone->records[i].activation;
    const at::Tensor& both = beside.records[i].activation;
    if (!mine.defined() || !both.defined()) continue;
    Require(close(mine[0], both[0]), "activations do not either");
  }
}

void RunMetaStep(ProbedModel& model) {
  ProbeRequest request = Request(model, 2);
  for (ProbeRow& row : request.rows) row.meta = MetaStep();
  const absl::StatusOr<ProbeResult> result = model.Run(request);
  if (!result.ok()) return RequireExpected(result.status());
  RequireAnswer(request, model, *result);
}

// Returns whether the program compiles.
bool RunOne(const uint8_t* data, size_t size) {
  torch::manual_seed(1);
  Bytes bytes(data, size);
  std::unique_ptr<ModelFile> file;
  try {
    file = std::make_unique<ModelFile>(Holder(Program(bytes)));
  } catch (const std::exception&) {
    return false;
  }
  LoadOptions options;
  options.input_height = options.input_width = kSide;
  const absl::StatusOr<std::unique_ptr<ProbedModel>> model =
      ProbedModel::Load(file->path(), options);
  if (!model.ok()) {
    RequireRefusal(model.status());
    return true;
  }
  const ProbeRequest request = Request(**model, 2);
  const absl::StatusOr<ProbeResult> result = (*model)->Run(request);
  if (!result.ok()) {
    RequireExpected(result.status());
    return true;
  }
  RequireAnswer(request, **model, *result);
  const SelfCheck& check = (*model)->self_check();
  if (check.rows_independent && check.deterministic) {
    RequireIndependent(**model, *result);
  }
  if ((*model)->meta_path() != MetaPath::kNone) RunMetaStep(**model);
  return true;
}

}  // namespace
}  // namespace saliency

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bool one_thread = (at::set_num_threads(1), true);
  (void)one_thread;
  return saliency::RunOne(data, size) ? 0 : -1;
}
