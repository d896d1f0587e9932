// Quadrature nodes.  Pure function; safe from any thread.

#ifndef SALIENCY_CORE_ATTRIBUTION_GAUSS_LEGENDRE_H_
#define SALIENCY_CORE_ATTRIBUTION_GAUSS_LEGENDRE_H_

#include <vector>

namespace saliency {

struct Quadrature {
  std::vector<double> nodes;    // in (0, 1), ascending
  std::vector<double> weights;  // of the values there; their sum is 1
};

// Gauss-Legendre on [0, 1]: exact for polynomials of degree 2 n - 1.
// REQUIRES: 1 <= n <= 1000.
Quadrature GaussLegendre(int n);

}  // namespace saliency

#endif  // SALIENCY_CORE_ATTRIBUTION_GAUSS_LEGENDRE_H_
