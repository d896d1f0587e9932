#include "tests/support/golden.h"

#include <torch/script.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>

#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"

namespace saliency {
namespace {

using nlohmann::json;

// "<source>__<method>[__options]__<layer>__t<k>": what stands between method
// and layer.
std::string Options(const GoldenEntry& entry) {
  std::vector<std::string> parts = absl::StrSplit(entry.name, "__");
  if (entry.source == "og" || entry.source == "og224" || parts.size() != 5) {
    return "";
  }
  return parts[2];
}

std::vector<int64_t> Rows(const json& line, const char* field) {
  return line.contains(field) && line[field].is_array()
             ? line[field].get<std::vector<int64_t>>()
             : std::vector<int64_t>();
}

GoldenEntry ReadEntry(const json& line, int64_t num_images) {
  GoldenEntry entry;
  entry.name = line["name"];
  entry.source = entry.name.substr(0, entry.name.find("__"));
  entry.method = line["method"];
  entry.layer = line.value("layer", "");
  if (line.contains("layers")) {
    entry.layers = line["layers"].get<std::vector<std::string>>();
    entry.layer = entry.layers.back();
  }
  entry.accumulation = line.value("accumulation", "");
  entry.weights = line.value("weights", "");
  if (entry.weights == "explicit") {
    entry.explicit_weights =
        line["explicit_weights"].get<std::vector<double>>();
  }
  if (entry.layer == "<input>") entry.layer = "input";
  entry.phase1 = line.value("phase1", "");
  entry.phase2 = line.value("phase2", "");
  entry.notes = line.value("notes", "");
  entry.options = Options(entry);
  const size_t end = entry.name.rfind("__t");
  if (line.contains("target") && end != std::string::npos) {
    entry.target = entry.name[end + 3] - '0';
  }
  entry.images = Rows(line, "images");
  if (entry.images.empty()) {
    entry.images.resize(num_images);
    std::iota(entry.images.begin(), entry.images.end(), 0);
  }
  entry.skipped_rows = Rows(line, "unstable_rows");
  const std::vector<int64_t> degenerate = Rows(line, "degenerate_images");
  for (size_t row = 0; row < entry.images.size(); ++row) {
    if (std::count(degenerate.begin(), degenerate.end(), entry.images[row])) {
      entry.skipped_rows.push_back(static_cast<int64_t>(row));
    }
  }
  entry.tolerance = line.value("tol", 0.0);
  entry.tolerance_metric = line["tol_metric"];
  return entry;
}

double RowError(const std::string& metric, const at::Tensor& got,
                const at::Tensor& want) {
  const at::Tensor error = (got - want).abs().flatten();
  if (error.numel() == 0) return 0;
  double worst = error.max().item<double>();
  if (metric == "q99" && !std::isnan(worst)) {
    worst =
        std::get<0>(
            error.sort())[static_cast<int64_t>(
                              0.99 * static_cast<double>(error.numel() - 1))]
            .item<double>();
  }
  if (metric == "absolute") return worst;
  const double scale = want.abs().max().item<double>();
  // A reference of exactly zero allows exactly zero.
  if (scale == 0) return worst == 0 ? 0 : INFINITY;
  return worst / scale;
}

}  // namespace

const std::vector<std::string>& GoldenNets() {
  static const auto* const nets =
      new std::vector<std::string>{"tiny_vgg", "tiny_resnet", "tiny_mobilenet",
                                   "tiny_squeeze", "tiny_dense"};
  return *nets;
}

std::string GoldenPath(const std::string& net, const std::string& file) {
  return std::string(SALIENCY_GOLDEN_DIR) + "/" + net + "/" + file;
}

GoldenSet LoadGolden(const std::string& net) {
  GoldenSet set;
  set.net = net;
  const auto fixtures = torch::jit::load(GoldenPath(net, "fixtures.pt"));
  for (const auto& buffer : fixtures.named_buffers()) {
    set.tensors[buffer.name] = buffer.value;
  }
  set.input = set.tensors.at("input");
  set.targets = set.tensors.at("targets");
  std::ifstream file(GoldenPath(net, "manifest.json"));
  const json manifest = json::parse(file);
  for (const json& line : manifest["tensors"]) {
    json full = manifest["entry_defaults"];
    full.update(line);
    set.entries.push_back(ReadEntry(full, set.input.size(0)));
  }
  return set;
}

double ErrorOverTolerance(const GoldenEntry& entry, const at::Tensor& got,
                          const at::Tensor& want) {
  if (got.sizes() != want.sizes()) return INFINITY;
  double worst = 0;
  for (int64_t row = 0; row < want.size(0); ++row) {
    if (std::count(entry.skipped_rows.begin(), entry.skipped_rows.end(), row)) {
      continue;
    }
    const double error =
        RowError(entry.tolerance_metric, got[row].to(at::kDouble),
                 want[row].to(at::kDouble));
    // A NaN must look like a pass neither here nor after the next row.
    if (std::isnan(error)) return INFINITY;
    worst = std::max(worst, error);
  }
  return worst / entry.tolerance;
}

}  // namespace saliency
