#include "tests/support/naive_surrogate.h"

#include <ATen/ATen.h>

#include <cmath>
#include <cstddef>
#include <utility>

namespace saliency::oracle {
namespace {

using Matrix = std::vector<std::vector<double>>;

// Gauss and Jordan, the largest pivot first.
std::vector<double> Solve(Matrix a, std::vector<double> b) {
  const std::size_t n = b.size();
  for (std::size_t column = 0; column < n; ++column) {
    std::size_t pivot = column;
    for (std::size_t row = column; row < n; ++row) {
      if (std::abs(a[row][column]) > std::abs(a[pivot][column])) pivot = row;
    }
    std::swap(a[pivot], a[column]);
    std::swap(b[pivot], b[column]);
    for (std::size_t row = 0; row < n; ++row) {
      if (row == column) continue;
      const double factor = a[row][column] / a[column][column];
      for (std::size_t i = column; i < n; ++i)
        a[row][i] -= factor * a[column][i];
      b[row] -= factor * b[column];
    }
  }
  for (std::size_t i = 0; i < n; ++i) b[i] /= a[i][i];
  return b;
}

// One row of numbers for each sample.
Matrix RowsOf(const Coalitions& coalitions) {
  Matrix rows;
  for (int64_t s = 0; s < coalitions.count(); ++s) {
    std::vector<double>& row = rows.emplace_back();
    for (int64_t m = 0; m < coalitions.segments(); ++m) {
      row.push_back(coalitions.kept[s][m].item<bool>() ? 1 : 0);
    }
  }
  return rows;
}

struct NormalEquations {
  Matrix a;
  std::vector<double> b;
};

// sum_s w_s row_s row_s^T and sum_s w_s row_s y_s, with `extra` unknowns more.
NormalEquations Normal(const Matrix& rows, const at::Tensor& weights,
                       const std::vector<double>& scores, std::size_t extra) {
  const std::size_t n = rows[0].size();
  NormalEquations normal = {
      .a = Matrix(n + extra, std::vector<double>(n + extra, 0)),
      .b = std::vector<double>(n + extra, 0)};
  for (std::size_t s = 0; s < rows.size(); ++s) {
    const double weight = weights[static_cast<int64_t>(s)].item<double>();
    for (std::size_t i = 0; i < n; ++i) {
      normal.b[i] += weight * rows[s][i] * scores[s];
      for (std::size_t j = 0; j < n; ++j) {
        normal.a[i][j] += weight * rows[s][i] * rows[s][j];
      }
    }
  }
  return normal;
}

double Factorial(int64_t n) { return std::tgamma(static_cast<double>(n) + 1); }

}  // namespace

std::vector<double> RidgeCoefficients(const Coalitions& coalitions,
                                      const std::vector<double>& scores,
                                      double ridge) {
  Matrix rows = RowsOf(coalitions);
  for (std::vector<double>& row : rows) row.push_back(1);
  NormalEquations normal = Normal(rows, coalitions.weights, scores, 0);
  const auto segments = static_cast<std::size_t>(coalitions.segments());
  for (std::size_t i = 0; i < segments; ++i) normal.a[i][i] += ridge;
  std::vector<double> found = Solve(normal.a, normal.b);
  found.pop_back();
  return found;
}

std::vector<double> ConstrainedCoefficients(const Coalitions& coalitions,
                                            const std::vector<double>& scores,
                                            double score) {
  std::vector<double> gains;
  for (const double y : scores) gains.push_back(y - scores[0]);
  // The last unknown is the multiplier of the constraint.
  NormalEquations normal =
      Normal(RowsOf(coalitions), coalitions.weights, gains, 1);
  const auto segments = static_cast<std::size_t>(coalitions.segments());
  for (std::size_t i = 0; i < segments; ++i) {
    normal.a[i][segments] = normal.a[segments][i] = 1;
  }
  normal.b[segments] = score - scores[0];
  std::vector<double> found = Solve(normal.a, normal.b);
  found.pop_back();
  return found;
}

std::vector<double> ShapleyValues(
    int64_t segments, const std::function<double(uint64_t members)>& value) {
  std::vector<double> values;
  for (int64_t i = 0; i < segments; ++i) {
    const uint64_t self = uint64_t{1} << i;
    double sum = 0;
    for (uint64_t members = 0; members < uint64_t{1} << segments; ++members) {
      if ((members & self) != 0) continue;
      const auto size = static_cast<int64_t>(__builtin_popcountll(members));
      sum += Factorial(size) * Factorial(segments - size - 1) *
             (value(members | self) - value(members));
    }
    values.push_back(sum / Factorial(segments));
  }
  return values;
}

}  // namespace saliency::oracle
