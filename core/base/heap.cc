#include "core/base/heap.h"

#include <malloc.h>

namespace saliency {

void KeepFreedMemory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_MAX, 0);         // no block gets a mapping of its own
  mallopt(M_TRIM_THRESHOLD, -1);  // the top of the heap stays, too
  // Heaps of further threads come in parts of 64 MiB, each given back when it
  // is empty.
  mallopt(M_ARENA_MAX, 1);
#endif
}

}  // namespace saliency
