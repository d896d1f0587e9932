#include "server/text_proto.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/near_names.h"
#include "core/base/status.h"
#include "core/base/text_lines.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"

namespace saliency {
namespace {

// Collects what protobuf's parser has to say, instead of printing it.
class ErrorList : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column,
                const std::string& message) override {
    constexpr size_t kMaxErrors = 3;
    if (errors_.size() == kMaxErrors) return;
    errors_.push_back(absl::StrCat("line ", line + 1, ", column ", column + 1,
                                   ": ", Printable(message, 200)));
  }
  std::string Join() const { return absl::StrJoin(errors_, "; "); }

 private:
  std::vector<std::string> errors_;
};

}  // namespace

absl::Status ParseTextProto(const std::string& text,
                            google::protobuf::Message& message) {
  ASSIGN_OR_RETURN(const absl::string_view plain, PlainText(text));
  ErrorList errors;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  if (parser.ParseFromString(std::string(plain), &message))
    return absl::OkStatus();
  return absl::InvalidArgumentError(errors.Join());
}

}  // namespace saliency
