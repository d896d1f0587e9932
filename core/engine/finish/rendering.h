// The way from raw maps to an answer, a piece at a time: each is the work of
// one map at most, so that between two of them others can have their turn, and
// a caller that has gone or a deadline that has passed ends it.
// Thread-compatible: one thread at a time, any thread.

#ifndef SALIENCY_CORE_ENGINE_FINISH_RENDERING_H_
#define SALIENCY_CORE_ENGINE_FINISH_RENDERING_H_

#include <functional>
#include <list>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/engine/job.h"

namespace saliency {

// Pieces of work in order.  A piece may add others: they come next.
class Pieces {
 public:
  using Piece = std::function<absl::Status()>;

  void Add(Piece piece) { pieces_.push_back(std::move(piece)); }
  bool empty() const { return pieces_.empty(); }
  // Does the next one.  REQUIRES: there is one.  Errors: the piece's.
  absl::Status RunNext();

 private:
  std::list<Piece> pieces_;
};

class Rendering {
 public:
  Rendering() = default;
  Rendering(const Rendering&) = delete;
  Rendering& operator=(const Rendering&) = delete;
  virtual ~Rendering() = default;

  bool done() const { return pieces_.empty(); }
  // Does the next piece.  REQUIRES: it is not done, no Step has failed.
  // Errors: the whole answer's.
  absl::Status Step();
  // The answer.  REQUIRES: it is done.  Errors: as OverallStatus.
  virtual absl::StatusOr<Explanation> Take();

 protected:
  Pieces& pieces() { return pieces_; }
  Explanation& explanation() { return explanation_; }

 private:
  Explanation explanation_;
  Pieces pieces_;  // which write into it
};

// All steps at once.
absl::StatusOr<Explanation> RenderAll(Rendering& rendering);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_FINISH_RENDERING_H_
