// What a command prints about its results: one line for people, or one JSON
// object.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CLIENT_CLI_RESULT_TEXT_H_
#define SALIENCY_CLIENT_CLI_RESULT_TEXT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/cli/image_answer.h"

namespace saliency {

// "cat.jpg: tabby (281) 93.2 %, score 14.2, norm_grad @ layer4, point y=120
// x=88, 45 ms -> out.png", in one line; an error for a map that failed.  A
// combined map also tells its layers' weights, one of MetaSaliency its
// correlation with the plain map when that was asked for.
// REQUIRES: answer.status is OK.
std::string ResultLine(const ImageAnswer& answer, int map);

// "product linear": what stands where another map has its layer.
std::string CombinationText(const v1::CombinedMap& combined);

// The image's likeliest classes: "cat.jpg: top tabby 93.2 %, ...".
// REQUIRES: answer.status is OK.
std::string TopLine(const ImageAnswer& answer);

// The same as one JSON object without line breaks; an object with "error" for a
// result that failed.  Pixels are not in it.
// REQUIRES: answer.status is OK.
std::string ResultJson(const ImageAnswer& answer, int map);

// {"image":..., "error":{"code":"NOT_FOUND","message":...}}
std::string ErrorJson(absl::string_view image, const absl::Status& status);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_RESULT_TEXT_H_
