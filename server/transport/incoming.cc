#include "server/transport/incoming.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "grpcpp/support/proto_buffer_reader.h"

namespace saliency {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

bool IsUtf8(const std::string& text) {
  return google::protobuf::internal::IsStructurallyValidUTF8(
      text.data(), static_cast<int>(text.size()));
}

std::string Step(const FieldDescriptor& field, int index) {
  return field.is_repeated() ? absl::StrCat(field.name(), "[", index, "]")
                             : field.name();
}

// The path of the first text that is not UTF-8, "" when there is none: that is
// where the parser stopped.
std::string PathOfBadText(const Message& message) {
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const int count =
        field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        const std::string inner =
            PathOfBadText(field->is_repeated()
                              ? reflection.GetRepeatedMessage(message, field, i)
                              : reflection.GetMessage(message, field));
        if (!inner.empty()) return absl::StrCat(Step(*field, i), ".", inner);
      } else if (field->type() == FieldDescriptor::TYPE_STRING) {
        const std::string text =
            field->is_repeated()
                ? reflection.GetRepeatedString(message, field, i)
                : reflection.GetString(message, field);
        if (!IsUtf8(text)) return Step(*field, i);
      }
    }
  }
  return "";
}

}  // namespace

absl::Status ParseMessage(grpc::ByteBuffer& bytes, Message& message) {
  const size_t size = bytes.Length();
  if (grpc::SerializationTraits<Message>::Deserialize(&bytes, &message).ok()) {
    return absl::OkStatus();
  }
  const std::string path = PathOfBadText(message);
  const std::string& type = message.GetDescriptor()->full_name();
  if (!path.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": the text is not UTF-8 (in a ", type, ")"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("the ", size, " bytes of the message are no ", type,
                   ": cut short, or of another type"));
}

}  // namespace saliency
