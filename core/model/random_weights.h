// Modules whose weights are made random, as in cascading randomisation (the
// paper, sec. 4.5; Adebayo et al., NeurIPS 2018, arXiv:1810.03292): their
// parameters get values as PyTorch's modules have them when they are new.
//
//   weight of two dimensions or more   U(-b, b), b = 1 / sqrt(fan_in):
//                                      kaiming_uniform with a = sqrt(5)
//   bias beside such a weight          U(-b, b) with that b
//   weight of one dimension (norms)    1, and the bias beside it 0; of a PReLU
//                                      0.25
//   running mean and variance          0 and 1
//   any other parameter                N(0, 0.02^2)
//
// A value depends on the seed and the parameter's name alone, not on which
// other modules are made random.
// Pure functions; safe from any thread.

#ifndef SALIENCY_CORE_MODEL_RANDOM_WEIGHTS_H_
#define SALIENCY_CORE_MODEL_RANDOM_WEIGHTS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace torch::jit {
struct Module;
}  // namespace torch::jit

namespace saliency {

struct RandomWeights {
  std::vector<std::string> modules;  // dotted paths; empty: none
  uint64_t seed = 0;
};

// Overwrites parameters and running statistics of the modules at those paths
// and of all below them; a path without any changes nothing.
// REQUIRES: nobody else uses the module or its tensors.
void RandomiseModules(const RandomWeights& random,
                      const torch::jit::Module& module);

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_RANDOM_WEIGHTS_H_
