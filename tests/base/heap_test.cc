#include "core/base/heap.h"

#include <sys/resource.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>

#include "gtest/gtest.h"

namespace saliency::heap_test {
namespace {

int64_t PageFaults() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

// How many pages the system has to bring for a large block.
int64_t FaultsOfABlock() {
  constexpr size_t kBytes = size_t{100} << 20;
  const int64_t before = PageFaults();
  const auto block = std::make_unique<char[]>(kBytes);
  std::memset(block.get(), 1, kBytes);
  return PageFaults() - before;
}

TEST(HeapTest, ALargeBlockIsBroughtOnceForAllThreads) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer has a malloc of its own";
#endif
  KeepFreedMemory();
  FaultsOfABlock();
  EXPECT_LT(FaultsOfABlock(), 100);
  int64_t in_thread = 0;
  std::thread([&] { in_thread = FaultsOfABlock(); }).join();
  EXPECT_LT(in_thread, 100);
}

TEST(HeapTest, FreedMemoryIsKeptUntilItIsReturned) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer has a malloc of its own";
#endif
  constexpr int64_t kMiB = int64_t{1} << 20;
  KeepFreedMemory();
  const HeapUse before = MeasureHeap();
  {
    // The second keeps the first from being the end of the heap.
    auto large = std::make_unique<char[]>(100 * kMiB);
    const auto above = std::make_unique<char[]>(kMiB);
    std::memset(large.get(), 1, 100 * kMiB);
    EXPECT_GE(MeasureHeap().in_use_bytes, before.in_use_bytes + 100 * kMiB);
    large = nullptr;
    EXPECT_GE(MeasureHeap().resident_bytes, before.in_use_bytes + 90 * kMiB);
    const int64_t kept = MeasureHeap().resident_bytes;
    ReturnFreedMemory();
    EXPECT_LE(MeasureHeap().resident_bytes, kept - 90 * kMiB);
  }
  EXPECT_LE(MeasureHeap().in_use_bytes, before.in_use_bytes + kMiB);
}

}  // namespace
}  // namespace saliency::heap_test
