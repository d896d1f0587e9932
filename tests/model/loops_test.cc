// Modules called in scripted loops: where the graph tells how often, each call
// has its name, as in a trace.

#include <ATen/ATen.h>

#include "gmock/gmock.h"
#include "tests/model/model_fixture.h"
#include "tests/support/tensor_close.h"

namespace saliency {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class LoopsTest : public ModelTest {
 protected:
  static TinyModule StepNet(const std::string& loop) {
    return Net(
        {{"step", Conv(3, 3)}, {"act", Function("Tanh", "torch.tanh(x)")}},
        loop + "\nreturn torch.mean(x, [2, 3])");
  }

  // Holds a model in which x = act(step(x)) runs `calls` times against
  // autograd.
  void ExpectCalls(const TinyModule& net, int calls) const {
    const auto model = Load(net);
    const at::Tensor images = Images(2);
    std::vector<std::string> names = {"input"};
    LayerValues v;
    at::Tensor x = v["input"] = Leaf(images);
    for (int i = 1; i <= calls; ++i) {
      const std::string number = i == 1 ? "" : "#" + std::to_string(i);
      v["step" + number] = ApplyConv(net, "step", x);
      x = v["act" + number] = at::tanh(v["step" + number]);
      names.push_back("step" + number);
      names.push_back("act" + number);
    }
    v["logits"] = x.mean({2, 3});
    EXPECT_EQ(LayerNames(*model), names);
    ExpectReference(*model, images, v);
    for (const LayerInfo& layer : model->layers()) {
      EXPECT_EQ(layer.note, "") << layer.name;
      EXPECT_TRUE(layer.is_cut) << layer.name;
    }
  }
};
SALIENCY_INSTANTIATE_DEVICES(LoopsTest);

constexpr char kCall[] = "x = self.act.forward(self.step.forward(x))";

TEST_P(LoopsTest, CallsOfAForLoopAreNumbered) {
  ExpectCalls(StepNet(std::string("for i in range(3):\n  ") + kCall), 3);
}

TEST_P(LoopsTest, SoAreThoseOfLoopsInLoops) {
  ExpectCalls(StepNet(std::string("for i in range(2):\n"
                                  "  for j in range(i + 1):\n    ") +
                      kCall),
              3);
}

TEST_P(LoopsTest, AndThoseOfAWhileLoop) {
  ExpectCalls(StepNet(std::string("n = 1\n"
                                  "while n < 10:\n  ") +
                      kCall + "\n  n = n * 2"),
              4);
}

TEST_P(LoopsTest, AndThoseUpToABreak) {
  ExpectCalls(StepNet(std::string("for i in range(9):\n  ") + kCall +
                      "\n  if i == 1:\n    break"),
              2);
}

TEST_P(LoopsTest, AndThoseOfALoopOverASwitch) {
  TinyModule net =
      StepNet(std::string("for i in range(self.rounds):\n  ") + kCall);
  net.attributes["rounds"] = int64_t{2};
  ExpectCalls(net, 2);
}

TEST_P(LoopsTest, TheRoundOfACallIsWhatItWasInTheLoop) {
  const TinyModule net = StepNet(
      "for i in range(3):\n"
      "  if i != 1:\n"
      "    x = self.step.forward(x) * float(i + 1)");
  const auto model = Load(net);
  EXPECT_THAT(LayerNames(*model), ElementsAre("input", "step", "step#2"));
  const at::Tensor images = Images(2);
  LayerValues v;
  v["step"] = ApplyConv(net, "step", Leaf(images));
  v["step#2"] = ApplyConv(net, "step", v["step"]);
  v["logits"] = (v["step#2"] * 3).mean({2, 3});
  ExpectReference(*model, images, v);
}

TEST_P(LoopsTest, CallsBeforeAndBehindALoopCountOn) {
  const TinyModule net = StepNet(
      "x = self.step.forward(x)\n"
      "for i in range(2):\n"
      "  x = torch.relu(self.step.forward(x))\n"
      "x = self.step.forward(x)");
  EXPECT_THAT(LayerNames(*Load(net)),
              ElementsAre("input", "step", "step#2", "step#3", "step#4"));
}

TEST_P(LoopsTest, PartsOfATupleAreOfTheSameCall) {
  TinyModule pair = {.kind = "Pair",
                     .code =
                         "def forward(self, x):\n"
                         "  return (torch.tanh(x), torch.sin(x))\n"};
  const TinyModule net = Net({{"pair", pair}},
                             "for i in range(2):\n"
                             "  a, b = self.pair.forward(x)\n"
                             "  x = a + b\n"
                             "return torch.mean(x, [2, 3])");
  EXPECT_THAT(LayerNames(*Load(net)),
              ElementsAre("input", "pair:0", "pair:1", "pair#2:0", "pair#2:1"));
}

TEST_P(LoopsTest, InPlaceOperatorsInALoopLeaveEachCallItsValue) {
  const TinyModule net = Net({{"step", Conv(3, 3)}},
                             "for i in range(2):\n"
                             "  y = self.step.forward(x)\n"
                             "  y += x\n"
                             "  x = torch.relu_(y)\n"
                             "return torch.mean(x, [2, 3])");
  const auto model = Load(net);
  const at::Tensor images = Images(2);
  LayerValues v;
  at::Tensor x = Leaf(images);
  for (const char* name : {"step", "step#2"}) {
    v[name] = ApplyConv(net, "step", x);
    x = at::relu(v[name] + x);
  }
  v["logits"] = x.mean({2, 3});
  ExpectReference(*model, images, v);
}

TEST_P(LoopsTest, ALoopThatTheImageMayBreakKeepsTheNameOfItsFirstCall) {
  const TinyModule net = StepNet(
      "for i in range(4):\n"
      "  x = self.step.forward(x) + x\n"
      "  if bool(torch.mean(torch.abs(x)) > 100.):\n"
      "    break");
  const auto model = Load(net);
  EXPECT_THAT(LayerNames(*model), ElementsAre("input", "step"));
  EXPECT_THAT((*model->FindLayer("step"))->note,
              HasSubstr("the first of its calls in a loop"));
  const at::Tensor images = Images(1);
  LayerValues v;
  at::Tensor x = Leaf(images);
  for (int i = 0; i < 4; ++i) {
    const at::Tensor step = ApplyConv(net, "step", x);
    v.emplace("step", step);
    x = step + x;
    if (x.abs().mean().item<float>() > 100) break;
  }
  v["logits"] = x.mean({2, 3});
  ExpectReference(*model, images, v);
}

TEST_P(LoopsTest, LoopsOfVeryManyRoundsStay) {
  const auto model = Load(
      StepNet("for i in range(65):\n  x = torch.tanh(self.step.forward(x))"));
  EXPECT_THAT(LayerNames(*model), ElementsAre("input", "step"));
  EXPECT_THAT((*model->FindLayer("step"))->note, HasSubstr("in a loop"));
}

}  // namespace
}  // namespace saliency
