#include "core/model/graph/layer_notes.h"

#include <torch/script.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/model/graph/node_kind.h"

namespace saliency {
namespace {

void FindPlaces(const torch::jit::Block* block, const MarkPlace& around,
                std::vector<MarkPlace>& places) {
  for (const torch::jit::Node* node : block->nodes()) {
    if (IsMark(node)) places[MarkId(node)] = around;
    MarkPlace inside = around;
    inside.in_loop |= node->kind() == c10::prim::Loop;
    inside.in_branch |= node->kind() == c10::prim::If;
    for (const torch::jit::Block* inner : node->blocks()) {
      FindPlaces(inner, inside, places);
    }
  }
}

}  // namespace

std::vector<MarkPlace> MarkPlaces(const MarkedGraph& marked) {
  std::vector<MarkPlace> places(marked.marks.size());
  FindPlaces(marked.graph->block(), {}, places);
  return places;
}

std::string LayerNote(const MarkPlace& place, const std::string& gradient_end) {
  std::vector<std::string> sentences;
  if (place.in_loop) {
    sentences.push_back(
        "the first of its calls in a loop whose rounds depend on the input; "
        "the others have no name");
  }
  if (place.in_loop || place.in_branch) {
    sentences.push_back(
        "not every pass comes by it; where one does not, this layer's result "
        "alone fails");
  }
  if (!gradient_end.empty()) {
    sentences.push_back(absl::StrCat("no gradient reaches it: ", gradient_end));
  }
  return absl::StrJoin(sentences, "; ");
}

}  // namespace saliency
