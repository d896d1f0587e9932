#include "core/model/check/output_trial.h"

#include <ATen/ATen.h>

#include <utility>
#include <vector>

#include "core/base/status.h"
#include "core/model/check/trial.h"
#include "core/model/graph/end_activation.h"
#include "core/model/output_meaning.h"
#include "core/model/scores.h"

namespace saliency {

// Two random images, one after the other: whether a batch can be trusted is
// not known yet.
absl::Status UnderstandOutput(const LoadOptions& options,
                              ProbedNetwork& network) {
  if (options.meaning.has_value()) {
    network.SetMeaning(*options.meaning);
    return absl::OkStatus();
  }
  OutputMeaning meaning =
      MeaningOf(options.activation,
                FindEndActivation(network.marked(), options.output_index,
                                  options.output_key),
                options.output_class);
  const at::Tensor two = RandomImages(
      2, {options.input_channels, options.input_height, options.input_width});
  std::vector<at::Tensor> outputs;
  for (const at::Tensor& image : two.split(1)) {
    ASSIGN_OR_RETURN(const at::Tensor returned, network.Output(image));
    RETURN_IF_ERROR(PoolLogits(returned).status());  // a shape that is refused
    // Refused by CheckNetwork.
    if (returned.size(0) != 1) return absl::OkStatus();
    outputs.push_back(returned);
  }
  RETURN_IF_ERROR(AddTrial(options.activation, at::cat(outputs), meaning));
  network.SetMeaning(std::move(meaning));
  return absl::OkStatus();
}

}  // namespace saliency
