// What people write on a command line, as parts of a request.
// Pure functions; safe from any thread.
// Errors of all of them: INVALID_ARGUMENT naming the text and what is allowed.

#ifndef SALIENCY_CLIENT_CLI_REQUEST_TEXT_H_
#define SALIENCY_CLIENT_CLI_REQUEST_TEXT_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "saliency/v1/explanation.pb.h"
#include "saliency/v1/saliency_service.pb.h"

namespace saliency {

// An integer is a class index; "top" or "top:N" the class N places below the
// predicted one ("top:0" is "top"); "bottom" and "bottom:N" likewise from the
// least likely; anything else is a label.  "label:TEXT" is always a label.
// Further classes, weighted, stand behind a sign between blanks: "dog - cat",
// "top + 0.5 cat".
absl::StatusOr<v1::Target> ParseTarget(absl::string_view text);

// Whether `text` is meant as EXTRACT+AGGREGATE: it has one plus sign, of which
// the names of methods have none or, as Grad-CAM++, two.
bool IsPair(absl::string_view text);

// A method's name, one with parameters (method_text.h), or EXTRACT+AGGREGATE.
// Names are checked by the server, parameters' names and pairs here.
absl::StatusOr<v1::Attribution> ParseMethod(absl::string_view text);

// "conv1x1+norm".
absl::StatusOr<v1::ExtractAggregate> ParsePair(absl::string_view text);

// "logit", "softmax", "log_softmax", "sigmoid", "log_sigmoid",
// "scalar_output".
absl::StatusOr<v1::Score> ParseScore(absl::string_view text);

// "uniform", "linear", "explicit", "feature_spread", "classification_accuracy".
absl::StatusOr<v1::Weighting> ParseWeighting(absl::string_view text);

// "sum", "product".
absl::StatusOr<v1::CombineRule> ParseCombineRule(absl::string_view text);

// "layer4=0.5"; the weight is finite and not negative.
absl::StatusOr<v1::LayerWeight> ParseLayerWeight(absl::string_view text);

// "image", "layer", "input" or HxW ("224x320": 224 rows).  Only the size of
// the result is set.
absl::StatusOr<v1::OutputOptions> ParseSize(absl::string_view text);

// "30" (seconds), "30s", "500ms", "2m".  Positive.
absl::StatusOr<absl::Duration> ParseTimeout(absl::string_view text);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_REQUEST_TEXT_H_
