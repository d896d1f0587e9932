// A caller of StreamSaliency, question by question.
// Thread-compatible, but that one thread may ask while another reads.

#ifndef SALIENCY_TESTS_SERVER_STREAM_CALLER_H_
#define SALIENCY_TESTS_SERVER_STREAM_CALLER_H_

#include <map>
#include <memory>
#include <string>

#include "grpcpp/grpcpp.h"
#include "saliency/v1/saliency_service.grpc.pb.h"
#include "tests/server/test_server.h"

namespace saliency {

// A stream's end at the caller.
class StreamCaller {
 public:
  using Question = v1::StreamSaliencyRequest;
  using Answer = v1::StreamSaliencyResponse;

  explicit StreamCaller(TestServer& server,
                        const std::string& request_id = "s1") {
    context_.AddMetadata("x-request-id", request_id);
    stream_ = server.saliency().StreamSaliency(&context_);
  }
  ~StreamCaller() { context_.TryCancel(); }

  bool Ask(const Question& question) { return stream_->Write(question); }
  // The next answer; one without an id when there is none.
  Answer Read() {
    Answer answer;
    stream_->Read(&answer);
    return answer;
  }
  std::map<std::string, Answer> Read(int count) {
    std::map<std::string, Answer> answers;
    for (int i = 0; i < count; ++i) {
      Answer answer = Read();
      answers[answer.id()] = answer;
    }
    return answers;
  }
  void WritesDone() { stream_->WritesDone(); }
  grpc::Status Finish() { return stream_->Finish(); }
  grpc::Status End() {
    WritesDone();
    return Finish();
  }
  void Cancel() { context_.TryCancel(); }
  const grpc::ClientContext& context() const { return context_; }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<Question, Answer>> stream_;
};

// Asks what FakeRequest does.
inline v1::StreamSaliencyRequest Compute(const std::string& id) {
  v1::StreamSaliencyRequest question;
  question.set_id(id);
  *question.mutable_compute() = FakeRequest();
  return question;
}

}  // namespace saliency

#endif  // SALIENCY_TESTS_SERVER_STREAM_CALLER_H_
