#include "tests/bench/ratio.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>

#include "nlohmann/json.hpp"

namespace saliency {
namespace {

double SecondsOf(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
      .count();
}

}  // namespace

double Median(std::vector<double> values) {
  const size_t middle = values.size() / 2;
  std::nth_element(values.begin(), values.begin() + middle, values.end());
  return values[middle];
}

double RatioOfMedians(int rounds, const std::function<void()>& work,
                      const std::function<void()>& yardstick) {
  for (int i = 0; i < 3; ++i) work();
  yardstick();
  std::vector<double> work_seconds, yardstick_seconds;
  for (int i = 0; i < rounds; ++i) {
    yardstick_seconds.push_back(SecondsOf(yardstick));
    work_seconds.push_back(SecondsOf(work));
  }
  return Median(work_seconds) / Median(yardstick_seconds);
}

void PrintRow(const BenchRow& row) {
  std::printf("%-48s %-28s %7.3f", row.name.c_str(), row.quantity.c_str(),
              row.value);
  if (std::isfinite(row.target)) {
    std::printf("  (target %s %.2f)  %s", row.at_most ? "<=" : ">=", row.target,
                row.ok() ? "ok" : "MISSED");
  }
  std::printf("\n");
  std::fflush(stdout);
}

bool WriteJson(const std::string& path, const std::vector<BenchRow>& rows) {
  nlohmann::json list = nlohmann::json::array();
  for (const BenchRow& row : rows) {
    list.push_back({{"case", row.name},
                    {row.quantity, row.value},
                    {"target", row.target},
                    {"ok", row.ok()}});
  }
  std::ofstream file(path);
  file << list.dump(1) << "\n";
  return file.good();
}

}  // namespace saliency
