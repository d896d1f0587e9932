#include "core/base/heap.h"

#include <sys/resource.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

#include "gtest/gtest.h"

// g++ and clang tell of their sanitizers in ways of their own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SALIENCY_OTHER_MALLOC
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SALIENCY_OTHER_MALLOC
#endif
#endif

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

// In a process of its own: an arena that a thread of another test has made
// stays, and a new thread may take it.
TEST(HeapDeathTest, ALargeBlockIsBroughtOnceForAllThreads) {
#ifdef SALIENCY_OTHER_MALLOC
  GTEST_SKIP() << "the sanitizer has a malloc of its own";
#endif
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        KeepFreedMemory();
        FaultsOfABlock();
        const int64_t again = FaultsOfABlock();
        int64_t in_thread = 0;
        std::thread([&] { in_thread = FaultsOfABlock(); }).join();
        std::fprintf(stderr, "%lld and %lld page faults",
                     static_cast<long long>(again),
                     static_cast<long long>(in_thread));
        std::_Exit(again < 100 && in_thread < 100 ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST(HeapTest, FreedMemoryIsKeptUntilItIsReturned) {
#ifdef SALIENCY_OTHER_MALLOC
  GTEST_SKIP() << "the sanitizer has a malloc of its own";
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
