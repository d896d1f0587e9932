// How the process's heap treats large blocks.
//
// A pass allocates and frees the same hundreds of megabytes of activations
// every time.  By default glibc hands blocks of that size back to the system at
// once and takes fresh pages for the next, each of which faults when it is
// first written: on two cores a batch of 16 through ResNet50 cost 48 ms a
// picture instead of 24.

#ifndef SALIENCY_CORE_BASE_HEAP_H_
#define SALIENCY_CORE_BASE_HEAP_H_

namespace saliency {

// Freed memory stays in the process, in one heap for all threads, for the next
// pass: resident memory is the peak so far.  malloc_trim(0) gives back what is
// free.
// Called once, at the start of main, before there are threads.  Without effect
// where malloc is not glibc's.
void KeepFreedMemory();

}  // namespace saliency

#endif  // SALIENCY_CORE_BASE_HEAP_H_
