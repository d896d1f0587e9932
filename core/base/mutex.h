// The project's lock: absl::Mutex, plus the happens-before edges that
// ThreadSanitizer cannot see inside a library that was built without it.
// Outside ThreadSanitizer the annotations compile to nothing.
// Thread-safe.

#ifndef SALIENCY_CORE_BASE_MUTEX_H_
#define SALIENCY_CORE_BASE_MUTEX_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

#if defined(__SANITIZE_THREAD__)
#define SALIENCY_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SALIENCY_TSAN 1
#endif
#endif

#ifdef SALIENCY_TSAN
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
extern "C" void AnnotateIgnoreReadsBegin(const char* file, int line);
extern "C" void AnnotateIgnoreReadsEnd(const char* file, int line);
#endif

namespace saliency {

class ABSL_LOCKABLE Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    const Unwatched unwatched;
    mu_.Lock();
    Acquired();
  }
  void Unlock() ABSL_UNLOCK_FUNCTION() {
    const Unwatched unwatched;
    Releasing();
    mu_.Unlock();
  }

  // Waits until `condition` holds or `deadline` has passed; returns whether it
  // holds.  REQUIRES: the caller holds this lock.
  bool AwaitWithDeadline(const absl::Condition& condition, absl::Time deadline)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(this) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    const Unwatched unwatched;
    Releasing();
    const bool holds = mu_.AwaitWithDeadline(condition, deadline);
    Acquired();
    return holds;
  }
  void Await(const absl::Condition& condition)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(this) {
    AwaitWithDeadline(condition, absl::InfiniteFuture());
  }

 private:
  // Abseil runs predicates under the lock, but on whichever thread holds it and
  // where the sanitizer cannot see that it does: what they read meanwhile is
  // not looked at.
  class Unwatched {
   public:
#ifdef SALIENCY_TSAN
    Unwatched() { AnnotateIgnoreReadsBegin(__FILE__, __LINE__); }
    ~Unwatched() { AnnotateIgnoreReadsEnd(__FILE__, __LINE__); }
#else
    Unwatched() {}
#endif
    Unwatched(const Unwatched&) = delete;
    Unwatched& operator=(const Unwatched&) = delete;
  };

  void Acquired() {
#ifdef SALIENCY_TSAN
    __tsan_acquire(this);
#endif
  }
  void Releasing() {
#ifdef SALIENCY_TSAN
    __tsan_release(this);
#endif
  }

  absl::Mutex mu_;
};

class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex* mu) ABSL_EXCLUSIVE_LOCK_FUNCTION(mu) : mu_(*mu) {
    mu_.Lock();
  }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mu_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mu_;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_BASE_MUTEX_H_
