// What LibTorch did while this lives: which convolutions ran on how many rows,
// and which autograd functions went backward.
// One at a time; thread-safe.

#ifndef SALIENCY_TESTS_MODEL_PASS_LOG_H_
#define SALIENCY_TESTS_MODEL_PASS_LOG_H_

#include <cstdint>
#include <string>
#include <vector>

namespace saliency {

class PassLog {
 public:
  PassLog();
  ~PassLog();
  PassLog(const PassLog&) = delete;
  PassLog& operator=(const PassLog&) = delete;

  // Size of the first dimension of each convolution's input, in order.
  std::vector<int64_t> convolution_rows() const;
  // How many autograd functions of this kind ran ("Convolution").
  int Backward(const std::string& kind) const;
  // Of the convolutions' backward passes: how many made a weight's gradient.
  int weight_gradients() const;

 private:
  const uint64_t callback_;
};

}  // namespace saliency

#endif  // SALIENCY_TESTS_MODEL_PASS_LOG_H_
