#include "client/cli/load_summary.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/console.h"

namespace saliency {
namespace {

std::vector<absl::Duration> Sorted(std::vector<absl::Duration> latencies) {
  std::sort(latencies.begin(), latencies.end());
  return latencies;
}

double PerSecond(const LoadResult& result) {
  const double seconds = absl::ToDoubleSeconds(result.elapsed);
  const auto answered = static_cast<double>(result.latencies.size());
  return seconds > 0 ? answered / seconds : 0;
}

std::string Milliseconds(absl::Duration duration) {
  return absl::StrFormat("%.4g ms", absl::ToDoubleMilliseconds(duration));
}

std::string LatencyLine(absl::Span<const absl::Duration> sorted) {
  return absl::StrCat("latency: p50 ", Milliseconds(Percentile(sorted, 0.5)),
                      ", p90 ", Milliseconds(Percentile(sorted, 0.9)), ", p99 ",
                      Milliseconds(Percentile(sorted, 0.99)), ", max ",
                      Milliseconds(sorted.back()), "\n");
}

std::string ErrorLine(const LoadResult& result) {
  std::string line = "errors:";
  for (const auto& [code, error] : result.errors) {
    absl::StrAppend(&line, line.back() == ':' ? " " : ", ",
                    absl::StatusCodeToString(code), " ", error.count, " (\"",
                    OneLine(error.message), "\")");
  }
  return line + "\n";
}

}  // namespace

absl::Duration Percentile(absl::Span<const absl::Duration> sorted,
                          double fraction) {
  // The product may exceed a whole number by its rounding alone.
  const double rank =
      std::ceil(fraction * static_cast<double>(sorted.size()) - 1e-9);
  return sorted[static_cast<size_t>(std::max(rank, 1.0)) - 1];
}

std::string LoadText(const LoadOptions& options, const LoadResult& result) {
  std::string text =
      options.rate > 0
          ? absl::StrFormat("open loop, %g/s, at most %d at once", options.rate,
                            options.callers)
          : absl::StrFormat("closed loop, %d caller%s", options.callers,
                            options.callers == 1 ? "" : "s");
  absl::StrAppendFormat(
      &text, ": %d answered in %.1fs, %.4g/s\n", result.latencies.size(),
      absl::ToDoubleSeconds(result.elapsed), PerSecond(result));
  if (!result.latencies.empty()) {
    absl::StrAppend(&text, LatencyLine(Sorted(result.latencies)));
    absl::StrAppendFormat(&text, "requests per batch: %.3g\n",
                          result.batch_requests);
  }
  if (!result.errors.empty()) absl::StrAppend(&text, ErrorLine(result));
  if (result.late > 0) {
    absl::StrAppendFormat(&text,
                          "started late: %d, since all %d callers were busy\n",
                          result.late, options.callers);
  }
  return text;
}

std::string LoadJson(const LoadOptions& options, const LoadResult& result) {
  nlohmann::ordered_json json = {{"mode", options.rate > 0 ? "open" : "closed"},
                                 {"callers", options.callers}};
  if (options.rate > 0) json["rate"] = options.rate;
  json["seconds"] = absl::ToDoubleSeconds(result.elapsed);
  json["answered"] = result.latencies.size();
  json["per_second"] = PerSecond(result);
  if (!result.latencies.empty()) {
    const std::vector<absl::Duration> sorted = Sorted(result.latencies);
    json["latency_seconds"] = {
        {"p50", absl::ToDoubleSeconds(Percentile(sorted, 0.5))},
        {"p90", absl::ToDoubleSeconds(Percentile(sorted, 0.9))},
        {"p99", absl::ToDoubleSeconds(Percentile(sorted, 0.99))},
        {"max", absl::ToDoubleSeconds(sorted.back())}};
    json["batch_requests"] = result.batch_requests;
  }
  json["errors"] = nlohmann::ordered_json::object();
  for (const auto& [code, error] : result.errors) {
    json["errors"][absl::StatusCodeToString(code)] = error.count;
  }
  if (options.rate > 0) json["late"] = result.late;
  return json.dump();
}

}  // namespace saliency
