#include "core/attribution/gauss_legendre.h"

#include <cmath>
#include <numbers>

namespace saliency {
namespace {

struct Legendre {
  double value = 0;
  double slope = 0;
};

// The polynomial of degree n at x in (-1, 1), by its three-term recurrence.
Legendre LegendreAt(int n, double x) {
  double before = 1;
  double value = x;
  for (int k = 2; k <= n; ++k) {
    const double next = ((2 * k - 1) * x * value - (k - 1) * before) / k;
    before = value;
    value = next;
  }
  return {value, n * (x * value - before) / (x * x - 1)};
}

// The i-th largest root, by Newton's method from an estimate that is near
// enough for it to converge to that root.
double RootOf(int n, int i) {
  double x = std::cos(std::numbers::pi * (i + 0.75) / (n + 0.5));
  constexpr int kSteps = 8;  // each doubles the digits; four suffice
  for (int step = 0; step < kSteps; ++step) {
    const Legendre p = LegendreAt(n, x);
    x -= p.value / p.slope;
  }
  return x;
}

}  // namespace

Quadrature GaussLegendre(int n) {
  Quadrature quadrature;
  for (int i = n - 1; i >= 0; --i) {
    const double x = n == 1 ? 0 : RootOf(n, i);
    const double slope = LegendreAt(n, x).slope;
    quadrature.nodes.push_back((1 + x) / 2);
    quadrature.weights.push_back(n == 1 ? 1
                                        : 1 / ((1 - x * x) * slope * slope));
  }
  return quadrature;
}

}  // namespace saliency
