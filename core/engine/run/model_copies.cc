#include "core/engine/run/model_copies.h"

#include <memory>
#include <utility>

#include "core/base/status.h"
#include "core/engine/run/pass_explainer.h"
#include "core/model/loaded_model.h"

namespace saliency {
namespace {

// Owns the copy that it explains.
class CopyExplainer final : public Explainer {
 public:
  CopyExplainer(std::unique_ptr<ProbedModel> model, int64_t max_rows)
      : model_(std::move(model)), explainer_(*model_, {.max_rows = max_rows}) {}

  absl::StatusOr<PassAnswers> Explain(
      absl::Span<const PassItem* const> items) override {
    return explainer_.Explain(items);
  }

 private:
  const std::unique_ptr<ProbedModel> model_;
  PassExplainer explainer_;
};

}  // namespace

CopyModel CopiesOf(std::string path, const ModelMetadata& model,
                   uint64_t seed) {
  return [path = std::move(path), &model,
          seed](absl::Span<const std::string> random_modules)
             -> absl::StatusOr<ModelCopy> {
    LoadOptions options = LoadOptionsOf(model.config);
    options.device = model.device;
    options.meaning = model.meaning;
    options.random = {.modules = {random_modules.begin(), random_modules.end()},
                      .seed = seed};
    options.known = model.check;
    ASSIGN_OR_RETURN(std::unique_ptr<ProbedModel> copy,
                     ProbedModel::Load(path, options));
    ModelCopy made = {.parameter_names = copy->parameter_names()};
    made.explainer = std::make_unique<CopyExplainer>(
        std::move(copy), model.config.batching.max_rows);
    return made;
  };
}

}  // namespace saliency
