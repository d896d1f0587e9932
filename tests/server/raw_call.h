// A call whose messages are bytes, right or wrong.
// Thread-compatible.

#ifndef SALIENCY_TESTS_SERVER_RAW_CALL_H_
#define SALIENCY_TESTS_SERVER_RAW_CALL_H_

#include <memory>
#include <optional>
#include <string>

#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"

namespace saliency {

class RawCall {
 public:
  // `path` is "/package.Service/Method"; `token` may be empty.
  RawCall(const std::shared_ptr<grpc::Channel>& channel,
          const std::string& path, const std::string& token = "")
      : stub_(channel) {
    if (!token.empty()) {
      context_.AddMetadata("authorization", "Bearer " + token);
    }
    call_ = stub_.PrepareCall(&context_, path, &queue_);
    call_->StartCall(nullptr);
    Await();
  }
  ~RawCall() {
    if (!finished_) {
      context_.TryCancel();
      Finish();
    }
    queue_.Shutdown();
  }

  // False: the call has ended.
  bool Write(const std::string& bytes) {
    const grpc::Slice slice(bytes);
    call_->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    return Await();
  }
  void WritesDone() {
    call_->WritesDone(nullptr);
    Await();
  }
  // The bytes of the next answer; nullopt: none follows.
  std::optional<std::string> Read() {
    grpc::ByteBuffer bytes;
    call_->Read(&bytes, nullptr);
    if (!Await()) return std::nullopt;
    std::vector<grpc::Slice> slices;
    bytes.Dump(&slices);
    std::string text;
    for (const grpc::Slice& slice : slices) {
      text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
    return text;
  }
  // Takes what answers are left.
  grpc::Status Finish() {
    while (Read().has_value()) {
    }
    grpc::Status status;
    call_->Finish(&status, nullptr);
    Await();
    finished_ = true;
    return status;
  }

 private:
  bool Await() {
    void* tag = nullptr;
    bool ok = false;
    queue_.Next(&tag, &ok);
    return ok;
  }

  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  bool finished_ = false;
};

}  // namespace saliency

#endif  // SALIENCY_TESTS_SERVER_RAW_CALL_H_
