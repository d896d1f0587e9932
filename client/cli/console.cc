#include "client/cli/console.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/error_details.h"
#include "core/base/utf8.h"

namespace saliency {
namespace {

// What a person can do about an error; empty when the message says it all.
absl::string_view Advice(const absl::Status& status) {
  const absl::string_view message = status.message();
  if (absl::StartsWith(message, "cannot reach ")) {
    return "is saliency-server running? set --server or SALIENCY_SERVER";
  }
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      return "try again when the server is ready";
    case absl::StatusCode::kDeadlineExceeded:
      return "raise --timeout";
    case absl::StatusCode::kResourceExhausted:
      return ErrorReasonOf(status) == "TOO_LARGE"
                 ? "ask for less at once"
                 : "try again later or lower --concurrency";
    case absl::StatusCode::kUnauthenticated:
      return "give a valid token with --token-file";
    case absl::StatusCode::kPermissionDenied:
      return absl::StrContains(message, "start the server with")
                 ? ""
                 : "use a token that is allowed to do this";
    case absl::StatusCode::kAborted:
      return "try again later";
    case absl::StatusCode::kNotFound:
      return absl::StrContains(message, "layer")
                 ? "see the layers with: saliency models MODEL"
                 : "see the models with: saliency models";
    case absl::StatusCode::kInternal:
      return "see the server's log";
    case absl::StatusCode::kUnimplemented:
      return "use a server of this version";
    default:
      return "";
  }
}

// `whole` is `field`, or a path that goes on behind it.
bool LiesIn(absl::string_view whole, absl::string_view field) {
  return absl::ConsumePrefix(&whole, field) &&
         (whole.empty() || whole[0] == '.' || whole[0] == '[');
}

// Whether a field is asked alike of every image; others depend on the image.
bool IsOfEveryImage(absl::string_view field) {
  constexpr absl::string_view kFields[] = {"targets",
                                           "attributions",
                                           "combinations",
                                           "score",
                                           "step",
                                           "top_k",
                                           "model",
                                           "output.smooth_sigma",
                                           "output.colour_map",
                                           "output.encoding",
                                           "output.overlay_opacity",
                                           "output.named_size",
                                           "output.explicit_size"};
  // Of an item of a stream.
  for (const absl::string_view part : {"compute.", "combine.", "meta."}) {
    absl::ConsumePrefix(&field, part);
  }
  return std::any_of(std::begin(kFields), std::end(kFields),
                     [&](absl::string_view one) { return LiesIn(field, one); });
}

}  // namespace

Console WithWordsOnErr(Console& console) {
  return {.out = console.err,
          .err = console.err,
          .err_is_terminal = console.err_is_terminal,
          .clock = console.clock,
          .interrupt = console.interrupt,
          .in = console.in,
          .config_file = console.config_file};
}

std::string OneLine(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  std::string line;
  for (size_t at = 0; at < text.size();) {
    const Utf8Character character = Utf8At(text, at);
    const size_t length = std::max<size_t>(character.length, 1);
    // Bytes that are no UTF-8 may be the name of a file: they stay.
    const bool as_it_is = character.length == 0 || IsShown(character.code);
    absl::StrAppend(&line, as_it_is ? text.substr(at, length) : " ");
    at += length;
  }
  return line;
}

std::string ErrorText(const absl::Status& status) {
  const std::string message = status.message().empty()
                                  ? absl::StatusCodeToString(status.code())
                                  : OneLine(status.message());
  const absl::string_view advice = Advice(status);
  return advice.empty() ? message : absl::StrCat(message, ": ", advice);
}

void PrintError(const Console& console, absl::string_view text) {
  console.err << "saliency: " << OneLine(text) << std::endl;
}

ExitCode PrintUsageError(const Console& console, absl::string_view command,
                         absl::string_view why) {
  PrintError(console, absl::StrCat(why, ": see saliency ", command, " --help"));
  return kExitUsage;
}

ExitCode PrintUsageError(const Console& console, absl::string_view command,
                         const absl::Status& status) {
  if (!absl::IsNotFound(status)) {
    return PrintUsageError(console, command, status.message());
  }
  PrintError(console, status.message());
  return kExitUsage;
}

ExitCode PrintFailure(const Console& console, const absl::Status& status) {
  PrintError(console, ErrorText(status));
  return kExitFailed;
}

ExitCode PrintConnectError(const Console& console, const absl::Status& status) {
  PrintError(console, ErrorText(status));
  return absl::IsInvalidArgument(status) ? kExitUsage : kExitFailed;
}

bool ConcernsEveryItem(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:  // retried already
    case absl::StatusCode::kNotFound:     // the model or a layer
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnimplemented:
      return true;
    default:
      return false;
  }
}

bool ConcernsTheRequest(const absl::Status& status) {
  const std::vector<FieldViolation> violations = FieldViolationsOf(status);
  return std::any_of(violations.begin(), violations.end(),
                     [](const FieldViolation& violation) {
                       return IsOfEveryImage(violation.field);
                     });
}

}  // namespace saliency
