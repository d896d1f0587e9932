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

}  // namespace
}  // namespace saliency::heap_test
