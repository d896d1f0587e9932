#include <ATen/ATen.h>

#include <cmath>

#include "tests/support/naive_oracle.h"

namespace saliency::oracle {
namespace {

at::Tensor WidenedToDouble(const at::Tensor& tensor) {
  return tensor.to(at::kCPU, at::kDouble).contiguous();
}

// Twice the rank, counted from 0.
std::vector<double> Ranks(const at::Tensor& map) {
  const at::Tensor flat = WidenedToDouble(map).flatten();
  const auto values = flat.accessor<double, 1>();
  std::vector<double> ranks;
  for (int64_t i = 0; i < flat.numel(); ++i) {
    double rank = 0;
    for (int64_t j = 0; j < flat.numel(); ++j) {
      if (values[j] < values[i]) rank += 2;
      if (values[j] == values[i] && i != j) rank += 1;
    }
    ranks.push_back(rank);
  }
  return ranks;
}

double Mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

}  // namespace

at::Tensor CombineLayers(const std::vector<at::Tensor>& layers, int64_t height,
                         int64_t width, const std::vector<double>& weights,
                         CombineRule rule) {
  const int64_t batch = layers.front().size(0);
  const bool sum = rule == CombineRule::kSum;
  at::Tensor result = at::zeros({batch, height, width}, at::kDouble);
  for (int64_t b = 0; b < batch; ++b) {
    std::vector<at::Tensor> maps;
    std::vector<double> shares;
    double total = 0;
    for (size_t j = 0; j < layers.size(); ++j) {
      const at::Tensor map = Resize(layers[j].narrow(0, b, 1), height, width);
      const double min = map.min().item<double>();
      const double max = map.max().item<double>();
      if (max - min <= 1e-6 * std::max(std::abs(min), std::abs(max))) continue;
      maps.push_back((map[0] - min) / (max - min));
      shares.push_back(weights[j]);
      total += weights[j];
    }
    if (total == 0) continue;
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        double value = sum ? 0 : 1;
        for (size_t j = 0; j < maps.size(); ++j) {
          const double m = maps[j][y][x].item<double>();
          const double w = shares[j] / total;
          value = sum ? value + w * m : value * std::pow(m, w);
        }
        result[b][y][x] = value;
      }
    }
  }
  return result;
}

double Spearman(const at::Tensor& a, const at::Tensor& b) {
  const std::vector<double> x = Ranks(a);
  const std::vector<double> y = Ranks(b);
  const double mean_x = Mean(x);
  const double mean_y = Mean(y);
  double xy = 0;
  double xx = 0;
  double yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean_x) * (y[i] - mean_y);
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    yy += (y[i] - mean_y) * (y[i] - mean_y);
  }
  return xy / std::sqrt(xx * yy);
}

double FeatureSpread(const at::Tensor& features) {
  const at::Tensor source = WidenedToDouble(features);
  const int64_t images = source.size(0);
  const int64_t channels = source.size(1);
  double sum = 0;
  for (int64_t k = 0; k < channels; ++k) {
    std::vector<double> means;
    std::vector<double> magnitudes;
    for (int64_t i = 0; i < images; ++i) {
      means.push_back(source[i][k].mean().item<double>());
      magnitudes.push_back(std::abs(means.back()));
    }
    const double centre = Mean(magnitudes);
    for (double& mean : means) mean = std::abs(mean - centre);
    sum += Mean(means);
  }
  return sum / static_cast<double>(channels);
}

}  // namespace saliency::oracle
