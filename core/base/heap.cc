#include "core/base/heap.h"

#include <malloc.h>
#include <unistd.h>

#include <fstream>

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

void ReturnFreedMemory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

HeapUse MeasureHeap() {
  HeapUse use;
  // The second number is resident memory in pages.
  std::ifstream file("/proc/self/statm");
  int64_t total_pages = 0;
  int64_t resident_pages = 0;
  if (file >> total_pages >> resident_pages) {
    use.resident_bytes = resident_pages * sysconf(_SC_PAGESIZE);
  }
#ifdef __GLIBC__
  const struct mallinfo2 info = mallinfo2();
  use.in_use_bytes = static_cast<int64_t>(info.uordblks + info.hblkhd);
#endif
  return use;
}

}  // namespace saliency
