// The trial of a network at load: images of very different range and sparsity,
// each alone and beside others, each twice.
// Internal to the model room.  Thread-compatible.

#ifndef SALIENCY_CORE_MODEL_CHECK_TRIAL_H_
#define SALIENCY_CORE_MODEL_CHECK_TRIAL_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/model/probed_network.h"

namespace saliency {

struct TrialSize {
  int64_t channels = 3;
  int64_t height = 224, width = 224;
};

// [count,C,H,W] float32, normal, the same each time; the process's own
// generator is not moved.
at::Tensor RandomImages(int64_t count, const TrialSize& size);

// What a batch of another size may round off, relative to a row's largest
// logit, or to the sum of a tensor's magnitudes.
double RoundingOf(at::ScalarType dtype);

class Trial {
 public:
  // `network` outlives this.
  Trial(ProbedNetwork& network, const TrialSize& size);

  // Each image in a batch of its own; to be called first.
  // Errors: as CheckNetwork (self_check.h).
  absl::Status RunAlone();
  // A course that depends on the images may come by some tensors for a black
  // one only.
  absl::Status RunBlack();
  // Errors: INVALID_ARGUMENT the network cannot run several images at once.
  absl::Status RunTogether();

  // Whether each batch was answered twice alike.
  bool repeats() const { return repeats_; }
  at::Tensor TwoImages() const;  // [2,C,H,W]
  int64_t num_classes() const { return alone_.front().logits.size(1); }
  const std::vector<at::Tensor>& images() const { return images_; }

  // For the first image that came by the mark; empty: none did.
  const std::vector<int64_t>& SizesAlone(size_t id) const;
  // How many entries the mark has for `images` images; 0: it was not met.
  int64_t EntriesFor(size_t id, size_t images) const;
  bool HoldsWholeNumbers(size_t id) const;
  size_t largest_batch() const { return 1 + together_.size(); }

  // Whether an image's row is the same beside others as alone.
  bool LogitsAreThoseAlone(double tolerance) const;
  bool TensorIsThatAlone(size_t id, double tolerance) const;
  // Whether the output of no image of a batch was a number: then nothing was
  // compared.
  bool OutputsAreNoNumbers() const;

 private:
  using Survey = ProbedNetwork::Survey;
  // Images side by side, by index.
  struct Company {
    std::vector<int64_t> images;
    Survey survey;
  };

  absl::StatusOr<Survey> RunTwice(const at::Tensor& batch);

  ProbedNetwork& network_;
  std::vector<at::Tensor> images_;
  std::vector<Survey> alone_;  // by image
  std::vector<Company> together_;
  bool repeats_ = true;
};

}  // namespace saliency

#endif  // SALIENCY_CORE_MODEL_CHECK_TRIAL_H_
