// The operator that stands in a graph for one whose derivative is replaced:
//
//   saliency::ruled(Any run, int site, ...) -> Tensor
//
// Its value is that of the operator at `site` of the run's table, for the
// arguments that follow; what goes back through it is the site's rule's.
//
// Internal to the model room.  Thread-compatible.

#ifndef SALIENCY_CORE_MODEL_RULES_RULED_OP_H_
#define SALIENCY_CORE_MODEL_RULES_RULED_OP_H_

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "ATen/core/ivalue.h"
#include "core/model/rules/operator_rule.h"

namespace saliency {

inline constexpr char kRuledOp[] = "saliency::ruled";

using RuleTable = std::vector<OperatorSite>;

// What the ruled operators of one run share; or of two, where the rule has a
// reference: the first notes what each operator gets and gives, the second, in
// the same order, has that to tell differences from.
struct RuledRun : torch::CustomClassHolder {
  enum class Mode { kRules, kNoteReference };
  struct Reference {
    std::vector<at::Tensor> inputs;
    at::Tensor output;
  };

  explicit RuledRun(std::shared_ptr<const RuleTable> table)
      : sites(std::move(table)) {}

  const std::shared_ptr<const RuleTable> sites;
  Mode mode = Mode::kRules;
  std::vector<Reference> references;  // by call; empty: the rule has none
  std::size_t next = 0;               // call that comes
};

// Makes the operator known to LibTorch.  Idempotent; call before any graph that
// holds it is made.
void RegisterRuledOp();

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_RULES_RULED_OP_H_
