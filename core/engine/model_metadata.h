// What the engine has to know of a model to plan and answer jobs: plain data,
// made from a loaded model or, in tests, by hand.
// Value type; constant while it is served.

#ifndef SALIENCY_CORE_ENGINE_MODEL_METADATA_H_
#define SALIENCY_CORE_ENGINE_MODEL_METADATA_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/attribution/backward_rule.h"
#include "core/model/layer_weights.h"
#include "core/model/loaded_model.h"
#include "core/model/model_config.h"
#include "core/model/output_meaning.h"
#include "core/model/probed_model.h"

namespace saliency {

struct ModelMetadata {
  std::string name;
  int64_t version = 1;
  ModelConfig config;               // default_layers filled in
  std::vector<std::string> labels;  // by class index; may be empty
  std::vector<LayerInfo> layers;    // graph order, "input" first
  int64_t num_classes = 1;          // 1 for a single plain value
  OutputMeaning meaning;
  // Whether the model returns one number for each image.
  bool returns_one_number() const {
    return meaning.one_output || num_classes == 1;
  }
  // Where `cam` applies; empty: the model has no linear head behind a global
  // average pool.
  std::vector<std::string> head_layers;
  // Why it cannot be taken back by a rule, see ProbedModel::RuleRefusal;
  // without an entry it can.
  std::map<BackwardRule::Kind, std::string> rule_refusals;
  LayerWeights layer_weights;  // empty: not calibrated
  SelfCheck self_check;
  ModelOutput output;  // which of its outputs is explained
  std::shared_ptr<const NetworkCheck> check;  // for copies of the model
  MetaPath meta_path = MetaPath::kNone;
  std::string meta_refusal;    // as of ProbedModel
  std::string device = "cpu";  // of the first replica
};

// REQUIRES: the model has a replica.
ModelMetadata MetadataOf(const LoadedModel& model);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_MODEL_METADATA_H_
