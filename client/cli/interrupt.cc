#include "client/cli/interrupt.h"

#include <utility>

namespace saliency {

void Interrupt::Raise() {
  std::vector<std::weak_ptr<CancelToken>> tokens;
  {
    MutexLock lock(&mu_);
    raised_ = true;
    tokens = std::exchange(tokens_, {});
  }
  for (const std::weak_ptr<CancelToken>& weak : tokens) {
    if (const std::shared_ptr<CancelToken> token = weak.lock()) {
      token->Cancel();
    }
  }
}

bool Interrupt::raised() const {
  MutexLock lock(&mu_);
  return raised_;
}

std::shared_ptr<CancelToken> Interrupt::NewToken() {
  auto token = std::make_shared<CancelToken>();
  {
    MutexLock lock(&mu_);
    if (!raised_) {
      std::erase_if(tokens_, [](const auto& weak) { return weak.expired(); });
      tokens_.push_back(token);
      return token;
    }
  }
  token->Cancel();
  return token;
}

}  // namespace saliency
