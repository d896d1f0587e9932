#include "client/bulk_link.h"

#include <utility>

namespace saliency {

BulkLink::BulkLink(v1::SaliencyService::Stub& stub,
                   const std::string& authorization) {
  if (!authorization.empty()) {
    context_.AddMetadata("authorization", authorization);
  }
  stub.async()->StreamSaliency(&context_, this);
  AddHold();
  StartRead(&incoming_);
  StartCall();
}

BulkLink::~BulkLink() {
  Cancel();
  End();
}

bool BulkLink::may_write() const {
  MutexLock lock(&mu_);
  return MayWrite();
}

void BulkLink::Write(std::shared_ptr<const Question> question) {
  const Question* const message = question.get();
  {
    MutexLock lock(&mu_);
    outgoing_ = std::move(question);
  }
  StartWrite(message);
}

void BulkLink::WritesDone() { StartWritesDone(); }

std::vector<BulkLink::Answer> BulkLink::TakeAnswers() {
  MutexLock lock(&mu_);
  return std::exchange(answers_, {});
}

bool BulkLink::over() const {
  MutexLock lock(&mu_);
  return over_;
}

void BulkLink::Await(bool to_write, absl::Time deadline) {
  struct Wait {
    const BulkLink& link;
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

grpc::Status BulkLink::End() {
  if (std::exchange(holding_, false)) RemoveHold();
  MutexLock lock(&mu_);
  mu_.Await(absl::Condition(&done_));
  return status_;
}

void BulkLink::OnReadDone(bool ok) {
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

void BulkLink::OnWriteDone(bool ok) {
  std::shared_ptr<const Question> written;  // freed under no lock
  MutexLock lock(&mu_);
  written = std::move(outgoing_);
  outgoing_ = nullptr;
  if (!ok) writes_failed_ = true;
}

void BulkLink::OnDone(const grpc::Status& status) {
  MutexLock lock(&mu_);
  status_ = status;
  done_ = true;
}

}  // namespace saliency
