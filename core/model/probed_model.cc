#include "core/model/probed_model.h"

#include <torch/script.h>

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/near_names.h"
#include "core/base/status.h"
#include "core/model/check/output_trial.h"
#include "core/model/check/self_check.h"
#include "core/model/check/trial.h"
#include "core/model/describe_layers.h"
#include "core/model/device.h"
#include "core/model/expand_rows_cut.h"
#include "core/model/failure_reason.h"
#include "core/model/graph/gradient_reach.h"
#include "core/model/graph/graph_facts.h"
#include "core/model/graph/marked_graph.h"
#include "core/model/meta/meta_fast.h"
#include "core/model/meta/meta_reference.h"
#include "core/model/meta/meta_step.h"
#include "core/model/meta/single_rows.h"
#include "core/model/probed_network.h"
#include "core/model/scores.h"
#include "core/model/torch_status.h"

namespace saliency {
namespace {

absl::StatusOr<at::ScalarType> DtypeOf(Precision precision,
                                       c10::Device device) {
  switch (precision) {
    case Precision::kFp32:
      return at::kFloat;
    case Precision::kBf16:
      return at::kBFloat16;
    case Precision::kFp16:
      if (device.is_cuda()) return at::kHalf;
      return absl::InvalidArgumentError(
          "precision FP16 needs a GPU; this instance's device is the CPU");
  }
  return absl::InternalError("unknown precision");
}

absl::StatusOr<MarkedGraph> ReadArchive(const std::string& path,
                                        c10::Device device,
                                        at::ScalarType dtype,
                                        const RandomWeights& random) {
  torch::jit::Module module = torch::jit::load(path, device);
  module.eval();
  for (const at::Tensor& parameter : module.parameters()) {
    parameter.set_requires_grad(false);
  }
  RandomiseModules(random, module);
  ASSIGN_OR_RETURN(MarkedGraph marked, MarkGraph(module));
  RETURN_IF_ERROR(RefusePrepackedOperators(marked));
  ConvertFloats(marked, dtype);
  return marked;
}

// [C,K] of a head's [C,K], or [1,K] where one logit has two classes.
at::Tensor ClassWeights(const at::Tensor& weight, const OutputMeaning& output) {
  return ClassOutputs(weight.t(), output).t();
}

// From the network's own order of axes to [R,K,H,W].
void TurnRecord(const TensorForm& form, ProbeResult::Record& record) {
  const bool has_maps = form.no_maps_because.empty();
  if (!has_maps || form.axes == std::array<int64_t, 4>{0, 1, 2, 3}) return;
  for (at::Tensor* tensor : {&record.activation, &record.gradient}) {
    if (tensor->defined()) *tensor = tensor->permute(form.axes).contiguous();
  }
}

}  // namespace

struct ProbedModel::Impl {
  Impl(MarkedGraph marked, const LoadOptions& load_options, c10::Device where,
       at::ScalarType type)
      : options(load_options),
        dtype(type),
        target(where),
        size{load_options.input_channels, load_options.input_height,
             load_options.input_width},
        stream(NewStream(where)),
        network(std::move(marked), where, type,
                {load_options.output_index, load_options.output_key, {}},
                load_options.pixels) {
    const std::vector<Mark>& marks = network.marked().marks;
    for (size_t id = 0; id < marks.size(); ++id) {
      if (network.positions()[id] >= 0) {
        id_of[marks[id].probe] = static_cast<int>(id);
      }
    }
    for (size_t i = 0; i < network.marked().parameter.size(); ++i) {
      if (network.marked().parameter[i] < 0) continue;
      parameter_names.push_back(network.marked().attribute_names[i]);
    }
  }

  absl::Status Measure();
  absl::Status DescribeNetwork();
  absl::Status ChooseMetaPath();
  void CheckExpandRows();
  // The nearest place above all `slots` where rows may part.
  int ExpandRowsMark(const std::vector<int>& slots);
  absl::StatusOr<std::vector<int>> Slots(
      const std::vector<Probe>& probes) const;
  absl::StatusOr<ProbeResult> RunPlain(const ProbeRequest& request,
                                       const std::vector<int>& slots);
  absl::StatusOr<ProbeResult> RunStepped(const ProbeRequest& request,
                                         const std::vector<int>& slots);
  absl::StatusOr<ProbeResult> StepRows(const ProbeRequest& request,
                                       const std::vector<int>& slots);

  const LoadOptions options;
  const at::ScalarType dtype;
  const c10::Device target;
  const TrialSize size;
  const std::optional<c10::Stream> stream;
  ProbedNetwork network;
  std::map<Probe, int> id_of;  // of every mark that is still in the graph
  std::vector<std::string> parameter_names;

  std::vector<LayerInfo> layers;
  std::map<std::string, size_t, std::less<>> layer_index;
  std::optional<LinearHead> head;
  ModelOutput output;
  NetworkCheck check;
  MetaPath meta_path = MetaPath::kNone;
  std::string meta_refusal;
  std::unique_ptr<MetaFastPath> meta_fast;  // null: not kFast
  ExpandRowsCut expand_rows_cut{network, check, size};
};

absl::Status ProbedModel::Impl::DescribeNetwork() {
  ASSIGN_OR_RETURN(output, network.DescribeTaken(RandomImages(1, size)));
  std::vector<int> ids;
  for (const auto& [probe, id] : id_of) {
    if (probe.side == Probe::Side::kOutput) ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end(), [&](int a, int b) {
    return network.positions()[a] < network.positions()[b];
  });
  layers = DescribeLayers(network, check, ids);
  for (size_t i = 0; i < layers.size(); ++i) layer_index[layers[i].name] = i;
  head = FindLinearHead(network.marked(), options.output_index);
  if (head.has_value()) {
    head->weight = ClassWeights(head->weight, network.output().meaning);
  }
  return absl::OkStatus();
}

absl::Status ProbedModel::Impl::Measure() {
  RETURN_IF_ERROR(UnderstandOutput(options, network));
  if (options.known != nullptr &&
      options.known->tensors.size() == network.marked().marks.size()) {
    check = *options.known;
  } else {
    ASSIGN_OR_RETURN(check, CheckNetwork(network, size));
  }
  RETURN_IF_ERROR(DescribeNetwork());
  RETURN_IF_ERROR(ChooseMetaPath());
  CheckExpandRows();
  return absl::OkStatus();
}

absl::Status ProbedModel::Impl::ChooseMetaPath() {
  if (parameter_names.empty()) {
    meta_refusal =
        "the model's file holds no parameters that a meta step could move; "
        "frozen models have none";
  } else if (!network.marked().immovable.empty()) {
    meta_refusal = absl::StrCat(
        "a meta step moves all parameters, and cannot move one of this model: ",
        network.marked().immovable);
  }
  if (!meta_refusal.empty()) return absl::OkStatus();
  meta_path = MetaPath::kReference;
  if (options.reference_meta_path) return absl::OkStatus();
  ASSIGN_OR_RETURN(meta_fast,
                   MetaFastPath::Create(network, RandomImages(2, size)));
  if (meta_fast != nullptr) meta_path = MetaPath::kFast;
  return absl::OkStatus();
}

void ProbedModel::Impl::CheckExpandRows() {
  std::vector<int> last_spatial;
  for (const LayerInfo& layer : layers) {
    if (layer.spatial() && layer.is_cut && layer.name != "input") {
      last_spatial = {id_of.at({layer.name, Probe::Side::kOutput})};
    }
  }
  check.self.expand_rows_at_probe = check.self.rows_independent &&
                                    !last_spatial.empty() &&
                                    expand_rows_cut.Works(last_spatial[0]);
}

int ProbedModel::Impl::ExpandRowsMark(const std::vector<int>& slots) {
  return expand_rows_cut.Above(slots).value_or(
      id_of.at({"input", Probe::Side::kOutput}));
}

absl::StatusOr<std::vector<int>> ProbedModel::Impl::Slots(
    const std::vector<Probe>& probes) const {
  std::vector<int> slots;
  for (const Probe& probe : probes) {
    const auto id = id_of.find(probe);
    if (id != id_of.end()) {
      slots.push_back(id->second);
      continue;
    }
    std::vector<std::string> names;
    for (const LayerInfo& layer : layers) {
      if (id_of.count({layer.name, probe.side})) names.push_back(layer.name);
    }
    return absl::NotFoundError(NotFoundMessage(probe.side == Probe::Side::kInput
                                                   ? "convolution or batch norm"
                                                   : "layer",
                                               probe.layer, names));
  }
  return slots;
}

absl::StatusOr<ProbeResult> ProbedModel::Impl::RunPlain(
    const ProbeRequest& request, const std::vector<int>& slots) {
  const int expand_rows = ExpandRowsMark(slots);
  std::optional<NetworkWeights> precise;
  // A frozen model's weights are constants of its graph.
  if (!request.rule.is_gradient() && dtype != at::kFloat &&
      !parameter_names.empty()) {
    precise = FloatWeights(network.marked());
  }
  const NetworkWeights* weights = precise.has_value() ? &*precise : nullptr;
  if (check.self.rows_independent) {
    return network.Explain(request, slots, expand_rows, weights);
  }
  return RunRowByRow(request, [&](const ProbeRequest& single) {
    return network.Explain(single, slots, expand_rows, weights);
  });
}

absl::StatusOr<ProbeResult> ProbedModel::Impl::RunStepped(
    const ProbeRequest& request, const std::vector<int>& slots) {
  if (meta_path == MetaPath::kNone) {
    return absl::FailedPreconditionError(meta_refusal);
  }
  RETURN_IF_ERROR(
      CheckMetaSteps(request, network.output().meaning, check.num_classes));
  return SplitZeroSteps(
      request, [&](const ProbeRequest& part) { return RunPlain(part, slots); },
      [&](const ProbeRequest& part) {
        return check.self.rows_independent
                   ? StepRows(part, slots)
                   : RunRowByRow(part, [&](const ProbeRequest& single) {
                       return StepRows(single, slots);
                     });
      });
}

absl::StatusOr<ProbeResult> ProbedModel::Impl::StepRows(
    const ProbeRequest& request, const std::vector<int>& slots) {
  // The fast path's second pass goes back by the derivative alone.
  if (meta_fast != nullptr && request.rule.is_gradient()) {
    ASSIGN_OR_RETURN(std::optional<ProbeResult> result,
                     meta_fast->Explain(request, slots));
    if (result.has_value()) return *std::move(result);
  }
  return ExplainByReference(network, request, slots, ExpandRowsMark(slots));
}

absl::StatusOr<std::unique_ptr<ProbedModel>> ProbedModel::Load(
    const std::string& path, const LoadOptions& options) {
  ASSIGN_OR_RETURN(const c10::Device device, ParseDevice(options.device));
  ASSIGN_OR_RETURN(const at::ScalarType dtype,
                   DtypeOf(options.precision, device));
  std::unique_ptr<ProbedModel> model;
  const absl::Status read = CatchTorch(
      absl::StatusCode::kInvalidArgument,
      "the file is no TorchScript archive that this build can read", [&] {
        ASSIGN_OR_RETURN(MarkedGraph marked,
                         ReadArchive(path, device, dtype, options.random));
        model.reset(new ProbedModel(
            std::make_unique<Impl>(std::move(marked), options, device, dtype)));
        return absl::OkStatus();
      });
  if (const std::string why = ReasonOfUnreadableFile(TorchDetail(read));
      !why.empty()) {
    return WithTorchDetail(read.code(), absl::StrCat(read.message(), ": ", why),
                           TorchDetail(read));
  }
  RETURN_IF_ERROR(read);
  Impl& impl = *model->impl_;
  const absl::Status measured = CatchTorch(
      absl::StatusCode::kInvalidArgument,
      absl::StrCat("the model cannot run an image of ", options.input_channels,
                   "x", options.input_height, "x", options.input_width),
      [&] {
        const StreamScope scope(impl.stream);
        return impl.Measure();
      });
  RETURN_IF_ERROR(
      WithReason(measured, impl.network, RandomImages(1, impl.size)));
  return model;
}

ProbedModel::ProbedModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ProbedModel::~ProbedModel() = default;

absl::Span<const LayerInfo> ProbedModel::layers() const {
  return impl_->layers;
}

absl::StatusOr<const LayerInfo*> ProbedModel::FindLayer(
    absl::string_view name) const {
  const auto it = impl_->layer_index.find(std::string(name));
  if (it != impl_->layer_index.end()) return &impl_->layers[it->second];
  std::vector<std::string> names;
  for (const LayerInfo& layer : impl_->layers) names.push_back(layer.name);
  return absl::NotFoundError(NotFoundMessage("layer", name, names));
}

int64_t ProbedModel::num_classes() const { return impl_->check.num_classes; }
const OutputMeaning& ProbedModel::meaning() const {
  return impl_->network.output().meaning;
}
const std::optional<LinearHead>& ProbedModel::linear_head() const {
  return impl_->head;
}
const SelfCheck& ProbedModel::self_check() const { return impl_->check.self; }
const ModelOutput& ProbedModel::output() const { return impl_->output; }
std::shared_ptr<const NetworkCheck> ProbedModel::check() const {
  return std::make_shared<const NetworkCheck>(impl_->check);
}
MetaPath ProbedModel::meta_path() const { return impl_->meta_path; }
const std::string& ProbedModel::meta_refusal() const {
  return impl_->meta_refusal;
}
std::string ProbedModel::RuleRefusal(const BackwardRule& rule) const {
  return impl_->network.RuleRefusal(rule);
}
const std::vector<std::string>& ProbedModel::parameter_names() const {
  return impl_->parameter_names;
}
const std::string& ProbedModel::device() const { return impl_->options.device; }

absl::StatusOr<ProbeResult> ProbedModel::Run(const ProbeRequest& request) {
  const at::Tensor& input = request.input;
  if (input.dim() != 4 || input.size(1) != impl_->size.channels ||
      input.size(0) < 1 || request.rows.empty()) {
    return absl::InvalidArgumentError(
        "a pass needs at least one row and the model's input [N,C,H,W]");
  }
  std::vector<bool> has_row(input.size(0), false);
  for (const ProbeRow& row : request.rows) {
    if (row.image < 0 || row.image >= input.size(0)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "image ", row.image, " not in [0, ", input.size(0), ")"));
    }
    has_row[row.image] = true;
  }
  const auto idle = std::find(has_row.begin(), has_row.end(), false);
  if (idle != has_row.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("image ", idle - has_row.begin(), " has no row"));
  }
  if (const std::string why = RuleRefusal(request.rule); !why.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the backward rule is not defined for ", why));
  }
  ASSIGN_OR_RETURN(const std::vector<int> slots, impl_->Slots(request.probes));
  absl::StatusOr<ProbeResult> result;
  const absl::Status status = CatchTorch(
      absl::StatusCode::kInvalidArgument,
      absl::StrCat("the model cannot run an input of ",
                   absl::StrJoin(input.sizes().vec(), "x")),
      [&] {
        const StreamScope scope(impl_->stream);
        result = HasMetaSteps(request) ? impl_->RunStepped(request, slots)
                                       : impl_->RunPlain(request, slots);
        return result.status();
      });
  if (absl::IsResourceExhausted(status)) ReleaseCachedMemory(impl_->target);
  if (!status.ok()) return WithReason(status, impl_->network, input);
  for (size_t i = 0; i < slots.size(); ++i) {
    TurnRecord(impl_->check.tensors[slots[i]], result->records[i]);
  }
  return result;
}

absl::Status ProbedModel::OnStream(
    absl::FunctionRef<absl::Status()> work) const {
  const StreamScope scope(impl_->stream);
  return work();
}

}  // namespace saliency
