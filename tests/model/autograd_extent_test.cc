// How far autograd reaches: from the scores to the shallowest probe and no
// further, and never to a parameter.

#include <torch/csrc/autograd/functions/accumulate_grad.h>
#include <torch/script.h>

#include <deque>
#include <set>

#include "core/model/graph/marked_graph.h"
#include "core/model/probe_plan.h"
#include "core/model/probed_network.h"
#include "core/model/torch_status.h"
#include "tests/model/model_fixture.h"
#include "tests/model/pass_log.h"
#include "tests/support/tensor_close.h"

namespace saliency::autograd_extent_test {
namespace {

// The autograd graph behind a tensor.
struct GradGraph {
  std::multiset<std::string> functions;  // by kind, "Convolution"
  std::vector<at::Tensor> leaves;        // whose gradients it would fill
};

GradGraph Walk(const at::Tensor& scores) {
  GradGraph graph;
  std::set<torch::autograd::Node*> seen;
  std::deque<torch::autograd::Node*> pending = {scores.grad_fn().get()};
  while (!pending.empty()) {
    torch::autograd::Node* node = pending.front();
    pending.pop_front();
    if (node == nullptr || !seen.insert(node).second) continue;
    if (auto* leaf = dynamic_cast<torch::autograd::AccumulateGrad*>(node)) {
      graph.leaves.push_back(leaf->variable);
      continue;
    }
    const std::string name = node->name();
    graph.functions.insert(name.substr(0, name.find("Backward")));
    for (const auto& edge : node->next_edges()) {
      pending.push_back(edge.function.get());
    }
  }
  return graph;
}

// A module on a device as ProbedModel::Load prepares it.
torch::jit::Module Prepared(const TinyModule& tiny, c10::Device device) {
  torch::jit::Module module = Build(tiny);
  module.eval();
  module.to(device);
  for (const at::Tensor& parameter : module.parameters()) {
    parameter.set_requires_grad(false);
  }
  return module;
}

int MarkOf(const MarkedGraph& marked, const Probe& probe) {
  for (size_t id = 0; id < marked.marks.size(); ++id) {
    if (marked.marks[id].probe == probe) return static_cast<int>(id);
  }
  ADD_FAILURE() << "no mark " << probe.layer;
  return -1;
}

class AutogradExtentTest : public ModelTest {
 protected:
  struct Pass {
    at::Tensor logits;
    c10::intrusive_ptr<ProbeRecorder> recorder;
  };

  // A forward with gradients wanted at `layers`.
  Pass Forward(const MarkedGraph& marked,
               const std::vector<std::string>& layers) const {
    const at::AutoGradMode with_grad(true);
    std::vector<int> slots;
    for (const std::string& layer : layers) {
      slots.push_back(MarkOf(marked, {layer}));
    }
    Pass pass;
    pass.recorder = c10::make_intrusive<ProbeRecorder>();
    pass.recorder->slots.resize(slots.size());
    pass.recorder->copy_values = marked.overwrites_tensors;
    pass.logits =
        ProbePlan(marked, slots, /*expand_rows=*/-1)
            .Run(Images(2).to(device()), marked.attributes, pass.recorder)
            .toTensor();
    return pass;
  }
};
SALIENCY_INSTANTIATE_DEVICES(AutogradExtentTest);

TEST_P(AutogradExtentTest, NothingBeforeTheShallowestProbeIsInTheGraph) {
  const torch::jit::Module module = Prepared(ResidualNet(), device());
  const MarkedGraph marked = MarkGraph(module).value();
  struct Case {
    std::vector<std::string> layers;
    size_t convolutions;
    size_t sums;  // of the residual block
  };
  // conv1, block.conv and tail.0 in this order.
  const Case cases[] = {
      {{"input"}, 3, 1},      {{"conv1"}, 2, 1}, {{"relu"}, 2, 1},
      {{"block.conv"}, 1, 1}, {{"block"}, 1, 0}, {{"tail", "block"}, 1, 0},
      {{"tail.0"}, 0, 0},     {{"tail"}, 0, 0},  {{"tail", "conv1"}, 2, 1}};
  for (const Case& c : cases) {
    SCOPED_TRACE(testing::PrintToString(c.layers));
    const Pass pass = Forward(marked, c.layers);
    const GradGraph graph = Walk(pass.logits);
    EXPECT_EQ(graph.functions.count("Convolution"), c.convolutions);
    EXPECT_EQ(graph.functions.count("Add"), c.sums);
    EXPECT_EQ(graph.functions.count("Addmm"), 1);
    // One start: the shallowest probe, and no parameter.
    ASSERT_EQ(graph.leaves.size(), 1);
    size_t starts = 0;
    for (const auto& slot : pass.recorder->slots) {
      starts += slot.value.is_same(graph.leaves[0]) ? 1 : 0;
      EXPECT_TRUE(slot.value.requires_grad());
    }
    EXPECT_EQ(starts, 1);
  }
}

TEST_P(AutogradExtentTest, EachBranchStartsAtItsOwnProbe) {
  const torch::jit::Module module = Prepared(
      Net({{"a", Conv(3, 4)}, {"b", Conv(3, 4)}},
          "y = torch.relu(self.a.forward(x)) + torch.tanh(self.b.forward(x))\n"
          "return torch.mean(y, [2, 3])"),
      device());
  const MarkedGraph marked = MarkGraph(module).value();
  const GradGraph graph = Walk(Forward(marked, {"a", "b"}).logits);
  EXPECT_EQ(graph.functions.count("Convolution"), 0);
  EXPECT_EQ(graph.leaves.size(), 2);
  const GradGraph one = Walk(Forward(marked, {"a"}).logits);
  EXPECT_EQ(one.functions.count("Tanh"), 0);
  EXPECT_EQ(one.functions.count("Relu"), 1);
  EXPECT_EQ(one.leaves.size(), 1);
}

TEST_P(AutogradExtentTest, WithoutProbesThereIsNoGraph) {
  const torch::jit::Module module = Prepared(ResidualNet(), device());
  const MarkedGraph marked = MarkGraph(module).value();
  EXPECT_FALSE(Forward(marked, {}).logits.requires_grad());
}

TEST_P(AutogradExtentTest, BackwardOfARunStopsAtTheProbeAndSkipsWeights) {
  // The file's parameters ask for gradients; the loaded ones must not.
  const auto model = Load(ResidualNet());
  const std::pair<const char*, int> convolutions[] = {
      {"input", 3}, {"relu", 2}, {"block", 1}, {"tail", 0}};
  for (const auto& [layer, count] : convolutions) {
    SCOPED_TRACE(layer);
    const PassLog log;
    EXPECT_TRUE(model->Run(EachImage(Images(2), 5, {layer})).ok());
    EXPECT_EQ(log.Backward("Convolution"), count);
    EXPECT_EQ(log.weight_gradients(), 0);
  }
}

// All bytes of all parameters and buffers.
std::string Bytes(const torch::jit::Module& module) {
  std::string bytes;
  const auto add = [&](const at::Tensor& tensor) {
    const at::Tensor host = tensor.detach().cpu().contiguous();
    bytes.append(static_cast<const char*>(host.data_ptr()), host.nbytes());
  };
  for (const at::Tensor& parameter : module.parameters()) add(parameter);
  for (const at::Tensor& buffer : module.buffers()) add(buffer);
  return bytes;
}

// The residual network, with a buffer that it writes to.
TinyModule WritingNet() {
  TinyModule net = ResidualNet();
  net.buffers["calls"] = at::zeros({5});
  const std::string text = "return self.fc.forward(";
  net.code.replace(net.code.find(text), text.size(),
                   "for i in range(2):\n"
                   "    torch.select(self.calls, 0, 1).add_(1.)\n"
                   "  return self.calls + self.fc.forward(");
  return net;
}

TEST_P(AutogradExtentTest, ParametersAreBitIdenticalAfterMixedRuns) {
  for (const TinyModule& tiny : {ResidualNet(), WritingNet()}) {
    const torch::jit::Module module = Prepared(tiny, device());
    const std::string before = Bytes(module);
    ASSERT_GT(before.size(), 1000);
    MarkedGraph marked = MarkGraph(module).value();
    const int conv = MarkOf(marked, {"block.conv"});
    const int tail = MarkOf(marked, {"tail"});
    const int input = MarkOf(marked, {"input"});
    ProbedNetwork network(std::move(marked), device(), at::kFloat, {},
                          PixelRangeOf({}));
    int failures = 0;
    for (int run = 0; run < 60; ++run) {
      ProbeRequest request =
          EachImage(Images(1 + run % 3), 5, {"block.conv", "tail"});
      request.rows.push_back({0, RankFromBottom{run % 5}});
      if (run % 4 == 1) request.rows.back().target = ClassIndex{99};
      if (run % 7 == 2) request.input = at::zeros({2, 4, 8, 8});
      if (run % 5 == 3) request.activation_only = {true, false};
      const absl::Status status =
          CatchTorch(absl::StatusCode::kInvalidArgument, "a run", [&] {
            return network.Explain(request, {conv, tail}, input).status();
          });
      failures += status.ok() ? 0 : 1;
    }
    EXPECT_GT(failures, 15);
    EXPECT_LT(failures, 40);
    EXPECT_TRUE(Bytes(module) == before);
    for (const c10::IValue& attribute : network.marked().attributes) {
      EXPECT_FALSE(attribute.toTensor().requires_grad());
      EXPECT_FALSE(attribute.toTensor().grad().defined());
    }
  }
}

TEST_P(AutogradExtentTest, FailuresLeaveTheModelAnsweringAsBefore) {
  const auto model = Load(ResidualNet());
  const ProbeRequest request = EachImage(Images(2), 5, LayerNames(*model));
  const ProbeResult before = model->Run(request).value();
  ProbeRequest bad = request;
  bad.rows[1].target = RankFromTop{5};
  EXPECT_FALSE(model->Run(bad).ok());
  bad = request;
  bad.probes[3].layer = "nowhere";
  EXPECT_FALSE(model->Run(bad).ok());
  bad = request;
  bad.input = at::zeros({2, 3, 8, 8}, at::kLong).select(1, 0);
  EXPECT_FALSE(model->Run(bad).ok());
  const ProbeResult after = model->Run(request).value();
  EXPECT_TRUE(Identical(after.logits, before.logits));
  for (size_t i = 0; i < request.probes.size(); ++i) {
    EXPECT_TRUE(
        Identical(after.records[i].gradient, before.records[i].gradient));
  }
}

}  // namespace
}  // namespace saliency::autograd_extent_test
