// What the engine tells of itself, for metrics and the log.
// Implementations are thread-safe: every call may come from any thread.

#ifndef SALIENCY_CORE_ENGINE_ENGINE_OBSERVER_H_
#define SALIENCY_CORE_ENGINE_ENGINE_OBSERVER_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace saliency {

class EngineObserver {
 public:
  virtual ~EngineObserver() = default;
  virtual void OnBatch(absl::string_view model, int requests, int rows) {}
  virtual void OnQueued(absl::string_view model, absl::Duration waited) {}
  // `stage` is decode, forward, backward, aggregate or render.
  virtual void OnStage(absl::string_view stage, absl::Duration took) {}
  virtual void OnRows(absl::string_view model, absl::string_view method,
                      int64_t rows) {}
  // `stage` is where the job was: admission, decode, queue, pass or render.
  virtual void OnExpired(absl::string_view stage) {}
  virtual void OnCancelled(absl::string_view stage) {}
  // `outcome` is retried (the batch was split) or refused (one row too large).
  virtual void OnOutOfMemory(absl::string_view outcome) {}
  virtual void OnDeviceLost(absl::string_view device) {}
  // A library's own words about a failure: for the log, never for callers.
  virtual void OnFault(absl::string_view request_id, absl::string_view detail) {
  }
};

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_ENGINE_OBSERVER_H_
