// How the process's heap treats large blocks.
//
// A pass allocates and frees the same hundreds of megabytes of activations
// every time.  By default glibc hands blocks of that size back to the system at
// once and takes fresh pages for the next, each of which faults when it is
// first written: on two cores a batch of 16 through ResNet50 cost 48 ms an
// image instead of 24.

#ifndef SALIENCY_CORE_BASE_HEAP_H_
#define SALIENCY_CORE_BASE_HEAP_H_

#include <cstdint>

namespace saliency {

// Freed memory stays in the process, in one heap for all threads, for the next
// pass: resident memory is the peak since ReturnFreedMemory.
// Called once, at the start of main, before there are threads.  Without effect
// where malloc is not glibc's.
void KeepFreedMemory();

// Gives back what is free; whoever needs it next pays for fresh pages.  Holds
// the heap meanwhile: a second for ten gigabytes or so.  Thread-safe.
void ReturnFreedMemory();

// Thread-safe.  Zeros where malloc is not glibc's or the system tells nothing.
struct HeapUse {
  int64_t resident_bytes = 0;  // of the process
  int64_t in_use_bytes = 0;    // allocated and not freed
};
HeapUse MeasureHeap();

}  // namespace saliency

#endif  // SALIENCY_CORE_BASE_HEAP_H_
