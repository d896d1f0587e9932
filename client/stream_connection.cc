#include "client/stream_connection.h"

#include <utility>

namespace saliency {

StreamConnection::StreamConnection(v1::SaliencyService::Stub& stub,
                                   const std::string& authorization) {
  if (!authorization.empty()) {
    context_.AddMetadata("authorization", authorization);
  }
  stub.async()->StreamSaliency(&context_, this);
  AddHold();
  StartRead(&incoming_);
  StartCall();
}

StreamConnection::~StreamConnection() {
  Cancel();
  End();
}

bool StreamConnection::may_write() const {
  MutexLock lock(&mu_);
  return MayWrite();
}

void StreamConnection::Write(std::shared_ptr<const Question> question) {
  const Question* const message = question.get();
  {
    MutexLock lock(&mu_);
    outgoing_ = std::move(question);
  }
  StartWrite(message);
}

void StreamConnection::WritesDone() { StartWritesDone(); }

std::vector<StreamConnection::Answer> StreamConnection::TakeAnswers() {
  MutexLock lock(&mu_);
  return std::exchange(answers_, {});
}

bool StreamConnection::over() const {
  MutexLock lock(&mu_);
  return over_;
}

void StreamConnection::Await(bool to_write, absl::Time deadline) {
  struct Wait {
    const StreamConnection& link;
    bool to_write;
    static bool Over(Wait* wait) ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return wait->link.over_ || !wait->link.answers_.empty() ||
             (wait->to_write && wait->link.MayWrite());
    }
  };
  Wait wait = {*this, to_write};
  MutexLock lock(&mu_);
  mu_.AwaitWithDeadline(absl::Condition(&Wait::Over, &wait), deadline);
}

grpc::Status StreamConnection::End() {
  if (std::exchange(holding_, false)) RemoveHold();
  MutexLock lock(&mu_);
  mu_.Await(absl::Condition(&done_));
  return status_;
}

void StreamConnection::OnReadDone(bool ok) {
  {
    MutexLock lock(&mu_);
    if (!ok) {
      over_ = true;
      return;
    }
    answers_.push_back(std::exchange(incoming_, {}));
  }
  StartRead(&incoming_);
}

void StreamConnection::OnWriteDone(bool ok) {
  std::shared_ptr<const Question> written;  // freed under no lock
  MutexLock lock(&mu_);
  written = std::move(outgoing_);
  outgoing_ = nullptr;
  if (!ok) writes_failed_ = true;
}

void StreamConnection::OnDone(const grpc::Status& status) {
  MutexLock lock(&mu_);
  status_ = status;
  done_ = true;
}

}  // namespace saliency
