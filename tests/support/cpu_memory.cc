#include "tests/support/cpu_memory.h"

#include <c10/core/CPUAllocator.h>
#include <torch/version.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <new>
#include <unordered_map>
#include <utility>

namespace saliency {
namespace {

// What LibTorch's own allocator gave, and how much of it.
struct Block {
  c10::DataPtr data;
  int64_t bytes;
};

struct Books {
  std::mutex mu;
  std::map<int64_t, Block> live;  // by number
  std::unordered_map<void*, int64_t> number_of;
  int64_t bytes = 0, peak = 0, made = 0;
  int64_t until_failure = -1;
};

// The allocator's interface is that of plain functions, and tensors may live
// for as long as the process does.
Books& TheBooks() {
  static auto* const books = new Books;
  return *books;
}

void Free(void* data) {
  Books& books = TheBooks();
  const std::lock_guard lock(books.mu);
  const auto number = books.number_of.find(data);
  if (number == books.number_of.end()) return;  // of no bytes
  const auto block = books.live.find(number->second);
  books.bytes -= block->second.bytes;
  books.live.erase(block);
  books.number_of.erase(number);
}

// FNV-1a by words of eight bytes; the upper half of a word counts, too.
uint64_t Mix(uint64_t digest, uint64_t word) {
  digest = (digest ^ word) * 0x100000001b3;
  return digest ^ (digest >> 32);
}

uint64_t MixBytes(uint64_t digest, const char* bytes, int64_t size) {
  constexpr int64_t kWord = sizeof(uint64_t);
  for (int64_t i = 0; i < size; i += kWord) {
    uint64_t word = 0;
    std::memcpy(&word, bytes + i, std::min(kWord, size - i));
    digest = Mix(digest, word);
  }
  return Mix(digest, size);
}

class CountingAllocator : public c10::Allocator {
 public:
#if TORCH_VERSION_MAJOR >= 2
  c10::DataPtr allocate(size_t size) override { return Allocate(size); }
  void copy_data(void* to, const void* from, size_t size) const override {
    std::memcpy(to, from, size);
  }
#else
  c10::DataPtr allocate(size_t size) const override { return Allocate(size); }
#endif

  c10::DeleterFnPtr raw_deleter() const override { return &Free; }

 private:
  static c10::DataPtr Allocate(size_t size) {
    Books& books = TheBooks();
    const std::lock_guard lock(books.mu);
    if (books.until_failure >= 0 && books.until_failure-- == 0) {
      throw std::bad_alloc();
    }
    c10::DataPtr given = c10::GetDefaultCPUAllocator()->allocate(size);
    void* const data = given.get();
    if (data != nullptr) {
      const auto bytes = static_cast<int64_t>(size);
      books.number_of[data] = books.made;
      books.live.emplace(books.made++, Block{std::move(given), bytes});
      books.bytes += bytes;
      books.peak = std::max(books.peak, books.bytes);
    }
    return {data, data, &Free, at::Device(at::kCPU)};
  }
};

}  // namespace

CpuMemory::CpuMemory() {
  static auto* const allocator = new CountingAllocator;
  c10::SetCPUAllocator(allocator, /*priority=*/1);
}

CpuMemory& CpuMemory::Watch() {
  static auto* const memory = new CpuMemory;
  return *memory;
}

int64_t CpuMemory::bytes() const {
  const std::lock_guard lock(TheBooks().mu);
  return TheBooks().bytes;
}

int64_t CpuMemory::peak_bytes() const {
  const std::lock_guard lock(TheBooks().mu);
  return TheBooks().peak;
}

void CpuMemory::ResetPeak() {
  const std::lock_guard lock(TheBooks().mu);
  TheBooks().peak = TheBooks().bytes;
}

int64_t CpuMemory::made() const {
  const std::lock_guard lock(TheBooks().mu);
  return TheBooks().made;
}

uint64_t CpuMemory::Digest(int64_t first, int64_t last) const {
  const std::lock_guard lock(TheBooks().mu);
  const auto& live = TheBooks().live;
  uint64_t digest = 0xcbf29ce484222325;
  for (auto it = live.lower_bound(first); it != live.lower_bound(last); ++it) {
    const Block& block = it->second;
    digest = MixBytes(digest, static_cast<const char*>(block.data.get()),
                      block.bytes);
  }
  return digest;
}

void CpuMemory::FailAfter(int64_t allocations) {
  const std::lock_guard lock(TheBooks().mu);
  TheBooks().until_failure = allocations;
}

}  // namespace saliency
