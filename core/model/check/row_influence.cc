#include "core/model/check/row_influence.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <optional>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "core/model/check/moved_elements.h"
#include "core/model/torch_status.h"

namespace saliency {
namespace {

constexpr int kBoth = 3;  // the set of both images
// Small tensors are cheap to try often, and have few elements to show by.
constexpr int64_t kSmall = 1 << 20;
constexpr int kKinds = 3;

at::Tensor FullSet(const at::Tensor& like, int set) {
  return at::full(like.sizes(), set,
                  at::TensorOptions(at::kChar).device(like.device()));
}

int SetOf(const at::Tensor& rows) {
  int set = 0;
  for (const int bit : {1, 2}) {
    if (rows.bitwise_and(bit).any().item<bool>()) set |= bit;
  }
  return set;
}

bool WorksOnEachElement(const std::string& name) {
  static const auto* const names = new std::set<std::string>{
      "aten::relu",        "aten::relu6",     "aten::hardtanh",
      "aten::leaky_relu",  "aten::elu",       "aten::gelu",
      "aten::silu",        "aten::mish",      "aten::sigmoid",
      "aten::hardsigmoid", "aten::hardswish", "aten::tanh",
      "aten::exp",         "aten::sqrt",      "aten::add",
      "aten::sub",         "aten::mul",       "aten::div",
      "aten::clamp",       "aten::clone",     "aten::contiguous"};
  return names->count(name) != 0;
}

// What takes sizes and types from its argument, and no values.
bool MakesNewValues(const std::string& name) {
  return absl::StartsWith(name, "aten::new_") ||
         absl::EndsWith(name, "s_like") || absl::EndsWith(name, "full_like") ||
         absl::EndsWith(name, "empty_like");
}

at::Tensor RandomOf(const at::Tensor& like, at::Generator& generator,
                    at::ScalarType type) {
  return at::randn(like.sizes(), generator, at::TensorOptions(type))
      .to(like.device());
}

bool CanReplace(const at::Tensor& tensor) {
  return tensor.layout() == at::kStrided && !tensor.is_quantized();
}

// Other values of the same kind for every element.  Numbers are moved far, in
// both directions, or become zero; integers, which may be indices, trade
// places.
at::Tensor OtherValues(const at::Tensor& x, int kind,
                       at::Generator& generator) {
  if (x.numel() == 0) return x.clone();
  if (x.scalar_type() == at::kBool) {
    if (kind == 0) return x.logical_not();
    return x.logical_xor(RandomOf(x, generator, at::kFloat) > 0);
  }
  if (!x.is_floating_point() && !x.is_complex()) {
    if (kind == 2) return at::full_like(x, x.max().item());
    const at::Tensor order =
        at::randperm(x.numel(), generator, at::TensorOptions(at::kLong))
            .to(x.device());
    return x.reshape(-1).index_select(0, order).view(x.sizes());
  }
  const at::ScalarType type = x.is_complex() ? at::kComplexFloat : at::kFloat;
  if (kind == 2) return at::zeros_like(x);
  const at::Tensor noise = RandomOf(x, generator, type);
  const at::Tensor size = at::nan_to_num(x.abs().to(at::kFloat), 0, 0, 0);
  const double scale = 1 + 2 * size.max().item<double>();
  const at::Tensor far = (noise + noise.sgn()) * (kind == 0 ? scale : -scale);
  return x + far.to(x.scalar_type());
}

at::Tensor Differs(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor differs = a.ne(b);
  if (!a.is_floating_point() && !a.is_complex()) return differs;
  return differs.logical_and(a.isnan().logical_and(b.isnan()).logical_not());
}

// What one call's inputs know.
class RowExperiment {
 public:
  RowExperiment(const OperatorCall& call, OriginStore& origins)
      : call_(call), origins_(origins) {
    for (const c10::IValue& handle : call.handles) {
      rows_.emplace_back();
      for (const at::Tensor& tensor : TensorsIn(handle)) {
        const bool knows = origins.Knows(tensor);
        rows_.back().push_back(knows ? origins.Of(tensor).rows : at::Tensor());
        if (!knows) continue;
        set_ |= SetOf(rows_.back().back());
        inputs_.push_back(tensor);
        can_replace_ &= CanReplace(tensor);
        elements_ += tensor.numel();
      }
    }
  }

  std::vector<at::Tensor> Run() {
    if (set_ != kBoth) return Everywhere(set_);
    if (const auto known = ByName()) return *known;
    if (const auto apart = ByFirstAxis(/*only_known=*/true)) return *apart;
    if (call_.draws_random || !can_replace_) {
      return ByFirstAxis(/*only_known=*/false).value_or(Everywhere(kBoth));
    }
    std::vector<at::Tensor> rows = AtLeast();
    int64_t results = 0;
    for (const at::Tensor& result : call_.results) results += result.numel();
    const bool is_cheap = elements_ <= kSmall || results <= elements_ / 8;
    const int kinds = is_cheap ? kKinds : 1;
    for (int kind = 0; kind < kinds; ++kind) {
      if (!Try(kind, rows)) return Everywhere(kBoth);
    }
    return rows;
  }

 private:
  std::vector<at::Tensor> Everywhere(int set) const {
    std::vector<at::Tensor> rows;
    for (const at::Tensor& result : call_.results) {
      rows.push_back(FullSet(result, set));
    }
    return rows;
  }

  // What needs no experiment: a single number depends on all that it was given,
  // and an element on what is at its place in an argument of the same sizes (a
  // comparison that no value of the experiment turns).
  std::vector<at::Tensor> AtLeast() const {
    std::vector<at::Tensor> least;
    for (const at::Tensor& result : call_.results) {
      at::Tensor rows = FullSet(result, result.numel() == 1 ? kBoth : 0);
      for (const std::vector<at::Tensor>& of_argument : rows_) {
        for (const at::Tensor& at_place : of_argument) {
          if (!at_place.defined() || at_place.sizes() != result.sizes()) {
            continue;
          }
          rows = rows.bitwise_or(at_place);
        }
      }
      least.push_back(rows);
    }
    return least;
  }

  // The commonest operators need no experiment.
  std::optional<std::vector<at::Tensor>> ByName() {
    const std::string name(absl::StripSuffix(call_.name(), "_"));
    if (WorksOnEachElement(name)) return ByElement();
    if (MakesNewValues(name)) return Everywhere(0);
    if (MovesElements(call_) && OnlyFirstArgumentHasRows()) return ByMoving();
    return std::nullopt;
  }

  // The union of what the arguments have at an element's place.
  std::optional<std::vector<at::Tensor>> ByElement() const {
    at::Tensor all;
    for (const std::vector<at::Tensor>& of_argument : rows_) {
      for (const at::Tensor& rows : of_argument) {
        if (!rows.defined()) continue;
        all = all.defined() ? all.bitwise_or(rows) : rows;
      }
    }
    std::vector<at::Tensor> by_result;
    for (const at::Tensor& result : call_.results) {
      if (!at::is_expandable_to(all.sizes(), result.sizes())) {
        return std::nullopt;
      }
      by_result.push_back(all.expand(result.sizes()).clone());
    }
    return by_result;
  }

  // The operator itself, on sets in place of values.
  std::vector<at::Tensor> ByMoving() {
    size_t next = 0;
    const at::Tensor moved = MoveLabels(call_, [&](const at::Tensor& tensor) {
      const at::Tensor& rows = rows_.front()[next++];
      return (rows.defined() ? rows : FullSet(tensor, 0)).to(at::kFloat);
    });
    return {moved.to(at::kChar)};
  }

  // Whether indices, masks and the like depend on no image.
  bool OnlyFirstArgumentHasRows() const {
    for (size_t i = 1; i < rows_.size(); ++i) {
      for (const at::Tensor& rows : rows_[i]) {
        if (rows.defined() && SetOf(rows) != 0) return false;
      }
    }
    return true;
  }

  // Operators that are costly to try and that are known to keep the entries of
  // their first axis apart.
  bool KeepsEntriesApart() const {
    const c10::IValue& first = call_.handles.front();
    if (inputs_.size() != 1 || !first.isTensor() ||
        !first.toTensor().is_same(inputs_.front())) {
      return false;
    }
    const int64_t dim = inputs_.front().dim();
    const std::string& name = call_.name();
    if (absl::StrContains(name, "conv") && call_.inputs.size() > 1 &&
        call_.inputs[1].isTensor()) {
      return dim == call_.inputs[1].toTensor().dim();
    }
    if (absl::StrContains(name, "pool2d") ||
        absl::StrContains(name, "upsample_")) {
      return dim == 4;
    }
    if (name == "aten::linear") return dim >= 2;
    if (name == "aten::layer_norm") {
      return dim > static_cast<int64_t>(call_.inputs[1].toListRef().size());
    }
    return name == "aten::batch_norm" && dim >= 2 && !call_.inputs[5].toBool();
  }

  // [n,1,...,1] of each input with rows, when none of its entries along the
  // first axis mixes images.
  std::optional<std::vector<at::Tensor>> ByFirstAxis(bool only_known) {
    if (only_known && (call_.inputs.empty() || !KeepsEntriesApart())) {
      return std::nullopt;
    }
    at::Tensor by_entry;  // [n]
    for (const at::Tensor& input : inputs_) {
      if (input.dim() == 0 || input.numel() == 0) continue;
      at::Tensor rows =
          UnionOver(origins_.Of(input).rows.reshape({input.size(0), -1}), {1});
      rows = rows.flatten();
      if (by_entry.defined() && by_entry.sizes() != rows.sizes()) {
        return std::nullopt;
      }
      by_entry = by_entry.defined() ? by_entry.bitwise_or(rows) : rows;
    }
    if (!by_entry.defined()) return std::nullopt;
    if (by_entry.eq(kBoth).any().item<bool>()) return std::nullopt;
    std::vector<at::Tensor> all;
    for (const at::Tensor& result : call_.results) {
      if (result.dim() == 0 || result.size(0) != by_entry.size(0)) {
        return std::nullopt;
      }
      std::vector<int64_t> sizes(result.dim(), 1);
      sizes[0] = -1;
      all.push_back(by_entry.view(sizes).expand(result.sizes()));
    }
    return all;
  }

  // Adds what one kind of other values shows; false when the result's sizes
  // change, or the operator refuses the values.
  bool Try(int kind, std::vector<at::Tensor>& rows) {
    std::vector<std::vector<at::Tensor>> others;  // by argument
    for (size_t i = 0; i < call_.inputs.size(); ++i) {
      others.emplace_back();
      for (const at::Tensor& tensor : TensorsIn(call_.inputs[i])) {
        const bool knows = rows_[i][others[i].size()].defined();
        others[i].push_back(knows ? OtherValues(tensor, kind, generator_)
                                  : tensor);
      }
    }
    std::vector<std::vector<at::Tensor>> results = {call_.results};
    const absl::Status status = CatchTorch(
        absl::StatusCode::kInvalidArgument, "trying an operator", [&] {
          for (const int set : {1, 2, kBoth}) {
            results.push_back(RunWith(set, others));
          }
          return absl::OkStatus();
        });
    if (!status.ok()) return false;
    for (size_t i = 0; i < rows.size(); ++i) {
      for (size_t set = 1; set <= kBoth; ++set) {
        if (results[set].size() != rows.size() ||
            results[set][i].sizes() != rows[i].sizes()) {
          return false;
        }
      }
      const auto changes = [&](int a, int b) {
        return Differs(results[a][i], results[b][i]);
      };
      const at::Tensor first = changes(0, 1).logical_or(changes(2, kBoth));
      const at::Tensor second = changes(0, 2).logical_or(changes(1, kBoth));
      rows[i] = rows[i]
                    .bitwise_or(first.to(at::kChar))
                    .bitwise_or(second.to(at::kChar) * 2);
    }
    return true;
  }

  // Results with the elements of the images in `set` replaced.
  std::vector<at::Tensor> RunWith(
      int set, const std::vector<std::vector<at::Tensor>>& others) {
    std::vector<c10::IValue> inputs;
    for (size_t i = 0; i < call_.inputs.size(); ++i) {
      size_t next = 0;
      inputs.push_back(
          ReplaceTensors(call_.inputs[i], [&](const at::Tensor& tensor) {
            const at::Tensor& rows = rows_[i][next];
            const at::Tensor& other = others[i][next++];
            if (!rows.defined()) return tensor;
            return at::where(rows.bitwise_and(set).ne(0), other, tensor);
          }));
    }
    return RunAgain(call_, inputs);
  }

  const OperatorCall& call_;
  OriginStore& origins_;
  // By argument and tensor; undefined for weights.
  std::vector<std::vector<at::Tensor>> rows_;
  std::vector<at::Tensor> inputs_;  // those with rows
  int set_ = 0;
  bool can_replace_ = true;
  int64_t elements_ = 0;
  at::Generator generator_ = at::detail::createCPUGenerator(/*seed=*/20200616);
};

}  // namespace

std::vector<at::Tensor> RowsOfResults(const OperatorCall& call,
                                      OriginStore& origins) {
  return RowExperiment(call, origins).Run();
}

}  // namespace saliency
