// How many threads tensor operations of the calling thread may use.
//
// LibTorch's OpenMP backend keeps the number per calling thread, and gives a
// thread that asks for the first time the last value that any thread has set.
// So each of our threads asks, and then sets its own: without the question its
// first tensor would take that of another.

#ifndef SALIENCY_CORE_ENGINE_RUN_TENSOR_THREADS_H_
#define SALIENCY_CORE_ENGINE_RUN_TENSOR_THREADS_H_

namespace saliency {

// REQUIRES: threads >= 1.
void UseTensorThreads(int threads);

// One, for good: a thread of the CPU pool works on one small map, and more
// threads would only wait.
void ComputeAlone();

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_RUN_TENSOR_THREADS_H_
