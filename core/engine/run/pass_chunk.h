// One pass over some rows of a batch: which images, probes and rows the model
// is asked for, and which rows share one aggregation.
// Pure functions; safe from any thread.
//
// Legend: a row is one image with one target; rows of a batch are numbered
// item by item, image-major inside an item.

#ifndef SALIENCY_CORE_ENGINE_RUN_PASS_CHUNK_H_
#define SALIENCY_CORE_ENGINE_RUN_PASS_CHUNK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "core/attribution/attribution.h"
#include "core/engine/explainer.h"
#include "core/model/probe.h"

namespace saliency {

// Where a row of the batch comes from.
struct BatchRow {
  int item = 0;
  int64_t image = 0;         // of the item
  int64_t target = 0;        // of the item
  int variant = 0;           // of the item
  int64_t sample = -1;       // of the variant; -1: the image itself
  int64_t class_index = -1;  // of another variant: what the first explains
};

// The rows of the items' first variants.  Those that may share a pass stand
// together.
std::vector<std::vector<BatchRow>> FirstRowsOf(
    absl::Span<const PassItem* const> items);
// The rows of all other variants, for the classes of the first rows in
// `answers`: another precision or path may rank otherwise.  Those that may
// share a pass stand together.
std::vector<std::vector<BatchRow>> OtherRowsOf(
    absl::Span<const PassItem* const> items, const PassAnswers& answers);

// The rows of one pass that want the same attribution at the same layer, and
// are aggregated in one go.
struct MapGroup {
  Attribution attribution;
  std::string layer;
  // Into ProbeRequest::probes: the layer's output; -1: nothing is recorded.
  int main_probe = -1;
  int input_probe = -1;       // the layer's input, where the method needs it
  std::vector<int64_t> rows;  // of the pass
  std::vector<std::vector<ScoreTerm>> others;  // ProbeRow::others of each row
  // What stands for each row's activation, [1,C,H,W]; empty: what was recorded.
  std::vector<at::Tensor> activations;
  // Where each row's score belongs, [1,H,W]; empty: no method asks.
  std::vector<at::Tensor> regions;
  // Where each row's map belongs: index into Variant::attributions.
  std::vector<int> slots;
};

// The rows of one pass that want the spatial means of the same layer; of the
// rows of an image only the first does.
struct PoolGroup {
  int probe = 0;              // into ProbeRequest::probes: the layer's output
  std::vector<int64_t> rows;  // of the pass
  // Where each row's means belong: index into PassItem::pooled_layers.
  std::vector<int> slots;
};

struct PassChunk {
  ProbeRequest request;
  std::vector<MapGroup> groups;
  std::vector<PoolGroup> pools;
};

// REQUIRES: rows is not empty; all items have the same input size; all rows
// take a meta step or none does; all are of variants with the same rule.
PassChunk MakeChunk(absl::Span<const PassItem* const> items,
                    absl::Span<const BatchRow> rows);

}  // namespace saliency

#endif  // SALIENCY_CORE_ENGINE_RUN_PASS_CHUNK_H_
