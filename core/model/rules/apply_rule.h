// Puts a backward rule into a graph, or says why it cannot be had there.
// Internal to the model room.  Pure functions of the graph.

#ifndef SALIENCY_CORE_MODEL_RULES_APPLY_RULE_H_
#define SALIENCY_CORE_MODEL_RULES_APPLY_RULE_H_

#include <memory>
#include <optional>
#include <string>

#include "core/attribution/backward_rule.h"
#include "core/base/input_config.h"
#include "core/model/graph/marked_graph.h"
#include "core/model/rules/ruled_op.h"

namespace saliency {

// What a rule has to know of a network besides its graph.
struct RuleGround {
  PixelRange pixels;
  // Which of forward()'s results is explained.
  std::optional<int> output_index;
  std::string output_key;
};

// Replaces the operators of a graph that the rule concerns by saliency::ruled,
// in all blocks, and adds an input for the RuledRun behind those it has.
// REQUIRES: WhyRuleRefused is empty for the graph's network.
std::shared_ptr<const RuleTable> ApplyRule(const BackwardRule& rule,
                                           const RuleGround& ground,
                                           torch::jit::Graph& graph);

// What the network has that the rule is not defined for: `operator silu of
// layer "features.1.act", which is no ReLU`.  Empty: the rule can be had.
std::string WhyRuleRefused(const BackwardRule& rule, const RuleGround& ground,
                           const MarkedGraph& marked);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_RULES_APPLY_RULE_H_
