#include "core/engine/run/tensor_threads.h"

#include <ATen/Parallel.h>

namespace saliency {

void UseTensorThreads(int threads) {
  at::get_num_threads();
  at::set_num_threads(threads);
}

void ComputeAlone() {
  thread_local const bool once = (UseTensorThreads(1), true);
  static_cast<void>(once);
}

}  // namespace saliency
