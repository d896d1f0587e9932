// The ways in which a model may hold its parameters and read them: shared, in
// containers, through attributes and views, and of every kind that a meta step
// moves.
// Pure functions but for the random weights that they draw.

#ifndef SALIENCY_TESTS_MODEL_PARAMETER_WAYS_H_
#define SALIENCY_TESTS_MODEL_PARAMETER_WAYS_H_

#include <torch/script.h>

#include <functional>
#include <string>
#include <vector>

namespace saliency {

struct ParameterWay {
  std::string name;
  std::function<torch::jit::Module()> build;
};

std::vector<ParameterWay> AllParameterWays();
// REQUIRES: there is one of this name; else the test fails.
ParameterWay ParameterWayCalled(const std::string& name);

}  // namespace saliency

#endif  // SALIENCY_TESTS_MODEL_PARAMETER_WAYS_H_
