// A message as a caller sent it: whole, or the reason why it is none.
//
// gRPC tells a handler of a message that cannot be parsed as if the caller had
// ended the stream.  So gRPC is given this instead of the message, which always
// parses, and the handler decides what becomes of a bad one.
// Value type.

#ifndef SALIENCY_SERVER_TRANSPORT_INCOMING_H_
#define SALIENCY_SERVER_TRANSPORT_INCOMING_H_

#include <cstdint>

#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "grpcpp/impl/codegen/proto_utils.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/status.h"

namespace saliency {

template <typename Message>
struct Incoming {
  Message message;
  absl::Status parsed;  // OK, or as ParseMessage
  int64_t bytes = 0;    // as it came
};

// Parses and lets go `bytes`.
// Errors: INVALID_ARGUMENT naming the type, and the field where its text is not
//   UTF-8: the bytes are no such message, or were cut short.
absl::Status ParseMessage(grpc::ByteBuffer& bytes,
                          google::protobuf::Message& message);

}  // namespace saliency

namespace grpc {

template <typename Message>
class SerializationTraits<saliency::Incoming<Message>, void> {
 public:
  static Status Deserialize(ByteBuffer* bytes,
                            saliency::Incoming<Message>* incoming) {
    incoming->bytes = static_cast<int64_t>(bytes->Length());
    incoming->parsed = saliency::ParseMessage(*bytes, incoming->message);
    return Status::OK;
  }
};

}  // namespace grpc

#endif  // SALIENCY_SERVER_TRANSPORT_INCOMING_H_
