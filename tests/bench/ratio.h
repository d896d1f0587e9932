// Measures what something costs as a multiple of a plain forward, within one
// run: the two are timed in turn, so that a machine that slows down slows both.
// Thread-compatible.

#ifndef SALIENCY_TESTS_BENCH_RATIO_H_
#define SALIENCY_TESTS_BENCH_RATIO_H_

#include <functional>
#include <string>
#include <vector>

namespace saliency {

// One line of the table, and of the JSON that --json writes.
struct BenchRow {
  std::string name;      // "resnet50/norm_grad/layer4/b8/fp32"
  std::string quantity;  // "ratio_to_forward"
  double value = 0;
  double target = 0;    // infinite: none
  bool at_most = true;  // false: the target is a lower bound
  bool ok() const { return at_most ? value <= target : value >= target; }
};

// The ratio of the medians of `rounds` interleaved timings of each, after one
// untimed run of each (three of `work`, which may still be choosing a plan).
double RatioOfMedians(int rounds, const std::function<void()>& work,
                      const std::function<void()>& yardstick);

double Median(std::vector<double> values);

void PrintRow(const BenchRow& row);
// Writes a JSON list of the rows.  Returns whether the file could be written.
bool WriteJson(const std::string& path, const std::vector<BenchRow>& rows);

}  // namespace saliency

#endif  // SALIENCY_TESTS_BENCH_RATIO_H_
