#include "core/attribution/coalitions.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/attribution/random_key.h"

namespace saliency {
namespace {

// Of RandomKey, beside SmoothGrad's noise and RISE's masks.
constexpr uint64_t kLimeStream = 2;
constexpr uint64_t kShapleyStream = 3;
// Of two counts that rounding alone keeps apart.
constexpr double kEqualCounts = 1 - 1e-9;

// n over k, as far as float64 goes.
double Choose(int64_t n, int64_t k) {
  double ways = 1;
  for (int64_t i = 1; i <= k; ++i) {
    ways *= static_cast<double>(n - k + i) / static_cast<double>(i);
  }
  return ways;
}

// The coalitions of k segments and of M - k.
struct SizePair {
  SizePair(int64_t all, int64_t k) : size(k), is_half(2 * k == all) {
    const double sides = is_half ? 1 : 2;
    count = sides * Choose(all, k);
    share = sides / (static_cast<double>(k) * static_cast<double>(all - k));
  }

  int64_t size;  // k
  bool is_half;  // k = M - k
  double count;  // how many there are
  double share;  // of the kernel's weights in all; not scaled
};

double SharesOf(const std::vector<SizePair>& sizes) {
  double sum = 0;
  for (const SizePair& pair : sizes) sum += pair.share;
  return sum;
}

// Coalitions as they are found.
class CoalitionList {
 public:
  explicit CoalitionList(int64_t segments) : segments_(segments) { Add({}, 0); }

  void Add(const std::vector<int64_t>& members, double weight) {
    kept_.resize(kept_.size() + segments_, 0);
    for (const int64_t member : members) Last()[member] = 1;
    weights_.push_back(weight);
  }

  void AddComplement(const std::vector<int64_t>& members, double weight) {
    kept_.resize(kept_.size() + segments_, 1);
    for (const int64_t member : members) Last()[member] = 0;
    weights_.push_back(weight);
  }

  Coalitions Build() const {
    const auto count = static_cast<int64_t>(weights_.size());
    return {
        .kept =
            at::tensor(kept_, at::kByte).view({count, segments_}).to(at::kBool),
        .weights = at::tensor(weights_, at::kDouble)};
  }

 private:
  uint8_t* Last() { return &kept_[kept_.size() - segments_]; }

  const int64_t segments_;
  std::vector<uint8_t> kept_;
  std::vector<double> weights_;
};

// All coalitions of a pair of sizes, in the order of their members.
void AddAll(const SizePair& pair, int64_t segments, double weight,
            CoalitionList& list) {
  std::vector<int64_t> members(pair.size);
  std::iota(members.begin(), members.end(), 0);
  while (true) {
    list.Add(members, weight);
    if (!pair.is_half) list.AddComplement(members, weight);
    // The last member that can move on does, those behind it follow closely.
    int64_t moved = pair.size - 1;
    while (moved >= 0 && members[moved] == segments - pair.size + moved) {
      --moved;
    }
    if (moved < 0) return;
    std::iota(members.begin() + moved, members.end(), members[moved] + 1);
  }
}

// A random coalition and its complement, so often, of sizes drawn by their
// shares.
void AddPairs(const std::vector<SizePair>& sizes, int64_t segments,
              int64_t pairs, double weight, at::Generator generator,
              CoalitionList& list) {
  std::vector<double> shares;
  for (const SizePair& pair : sizes) shares.push_back(pair.share);
  const at::Tensor drawn =
      at::multinomial(at::tensor(shares, at::kDouble), pairs, true, generator);
  for (int64_t i = 0; i < pairs; ++i) {
    const int64_t size = sizes[drawn[i].item<int64_t>()].size;
    const at::Tensor order = at::randperm(segments, generator, at::kLong);
    const int64_t* const first = order.data_ptr<int64_t>();
    const std::vector<int64_t> members(first, first + size);
    list.Add(members, weight);
    list.AddComplement(members, weight);
  }
}

}  // namespace

Coalitions LimeCoalitions(const Lime& method, int64_t segments) {
  auto generator =
      at::detail::createCPUGenerator(RandomKey(method.seed, kLimeStream, 0));
  const at::Tensor kept =
      at::rand({method.samples, segments}, generator).lt(0.5);
  kept[0].fill_(true);
  return {.kept = kept, .weights = LimeWeights(kept, method.kernel_width)};
}

at::Tensor LimeWeights(const at::Tensor& kept, double width) {
  // z . 1 / (|z| |1|) is the root of the share that is left.
  const at::Tensor distance = 1 - kept.to(at::kDouble).mean(1).sqrt();
  return (distance * distance / (-2 * width * width)).exp();
}

Coalitions ShapleyCoalitions(const KernelShap& method, int64_t segments) {
  std::vector<SizePair> sizes;
  for (int64_t k = 1; 2 * k <= segments; ++k) sizes.emplace_back(segments, k);
  const double total = SharesOf(sizes);
  CoalitionList list(segments);
  auto left = static_cast<double>(method.samples);
  while (!sizes.empty()) {
    // What draws from all that is left would give this size.
    const SizePair pair = sizes.front();
    const double expected = left * pair.share / SharesOf(sizes);
    if (expected < kEqualCounts * pair.count) break;
    AddAll(pair, segments, pair.share / total / pair.count, list);
    left -= pair.count;
    sizes.erase(sizes.begin());
  }
  const auto pairs = static_cast<int64_t>(left) / 2;
  if (sizes.empty() || pairs == 0) return list.Build();
  AddPairs(
      sizes, segments, pairs,
      SharesOf(sizes) / total / static_cast<double>(2 * pairs),
      at::detail::createCPUGenerator(RandomKey(method.seed, kShapleyStream, 0)),
      list);
  return list.Build();
}

}  // namespace saliency
