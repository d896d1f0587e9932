// What is no model is refused when it is loaded, in words that name neither
// files nor LibTorch.

#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/frontend/sugared_value.h>
#include <torch/script.h>

#include <fstream>

#include "core/model/torch_status.h"
#include "gmock/gmock.h"
#include "tests/model/model_fixture.h"
#include "tests/support/tensor_close.h"

namespace saliency::load_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Makes the operators that optimize_for_mobile puts in known to scripts.
struct PrepackedResolver : torch::jit::Resolver {
  std::shared_ptr<torch::jit::SugaredValue> resolveValue(
      const std::string& name, torch::jit::GraphFunction&,
      const torch::jit::SourceRange&) override {
    const char* space = name == "torch" ? "aten" : "prepacked";
    return std::make_shared<torch::jit::BuiltinModule>(space);
  }
  c10::TypePtr resolveType(const std::string&,
                           const torch::jit::SourceRange&) override {
    return nullptr;
  }
};

class LoadTest : public ModelTest {
 protected:
  absl::Status LoadPath(const std::string& path, int64_t size = 8) const {
    LoadOptions options;
    options.device = GetParam();
    options.input_height = options.input_width = size;
    return ProbedModel::Load(path, options).status();
  }

  absl::Status LoadNet(const TinyModule& tiny) const {
    return LoadPath(ModelFile(tiny).path());
  }

  static void ExpectRefused(const absl::Status& status, const char* words) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr(words), Not(HasSubstr("tiny_model")),
                      Not(HasSubstr("Error")), Not(HasSubstr(".cpp")),
                      Not(HasSubstr("torch/"))));
  }

  static TinyModule WithCode(const std::string& code) {
    return {.kind = "Net", .code = code};
  }
};
SALIENCY_INSTANTIATE_DEVICES(LoadTest);

TEST_P(LoadTest, FilesThatAreNoArchiveAreRefused) {
  const char kWords[] =
      "the file is no TorchScript archive that this build can read";
  ExpectRefused(LoadPath(testing::TempDir() + "/tiny_model_that_is_not_here"),
                kWords);
  const ModelFile file(ResidualNet());
  std::ifstream in(file.path(), std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  ASSERT_GT(bytes.size(), 2000);
  for (const std::string& damaged :
       {std::string(), std::string("not a model"), bytes.substr(0, 1000),
        bytes.substr(0, bytes.size() - 200)}) {
    std::ofstream(file.path(), std::ios::binary) << damaged;
    const absl::Status status = LoadPath(file.path());
    ExpectRefused(status, kWords);
    EXPECT_FALSE(TorchDetail(status).empty());
  }
}

TEST_P(LoadTest, ForwardMustTakeOneImage) {
  ExpectRefused(LoadNet(WithCode("def other(self, x):\n  return x\n")),
                "the model has no forward()");
  ExpectRefused(LoadNet(WithCode("def forward(self):\n  return 1\n")),
                "must take one image tensor");
  ExpectRefused(LoadNet(WithCode("def forward(self, n: int):\n  return n\n")),
                "must take one image tensor");
  ExpectRefused(
      LoadNet(WithCode("def forward(self, x, mask):\n  return x * mask\n")),
      "needs argument \"mask\" besides the image tensor");
}

TEST_P(LoadTest, FurtherArgumentsMayHaveDefaults) {
  TinyModule net = WithCode(
      "def forward(self, x, scale: float = 2., flip: bool = False):\n"
      "  if flip:\n"
      "    x = -x\n"
      "  return torch.mean(x, [2, 3]) * scale\n");
  const auto model = Load(net);
  const at::Tensor images = Images(2);
  const at::Tensor x = Leaf(images);
  ExpectReference(*model, images,
                  {{"input", x}, {"logits", x.mean({2, 3}) * 2}});
}

TEST_P(LoadTest, ModelThatSetsItsAttributesIsRefused) {
  TinyModule net = WithCode(
      "def forward(self, x):\n"
      "  self.calls = self.calls + 1\n"
      "  return torch.mean(x, [2, 3])\n");
  net.attributes["calls"] = int64_t{0};
  ExpectRefused(LoadNet(net), "the model writes to its attribute \"calls\"");
}

// Where such a convolution is run, half of the trials hang (LibTorch 1.13 on
// x86).
TEST_P(LoadTest, ModelPackedForMobilesIsRefusedWithoutBeingRun) {
  const torch::jit::Module module =
      Build(WithCode("def unused(self, x):\n  return x\n"));
  const torch::jit::SimpleSelf self(module.type());
  module.type()->compilation_unit()->define(
      module.type()->name(),
      "def forward(self, x):\n"
      "  weight = torch.ones([5, 3, 3, 3])\n"
      "  packed = prepacked.conv2d_clamp_prepack(weight, None, [1, 1], [1, "
      "1],\n"
      "                                          [1, 1], 1, None, None)\n"
      "  y = prepacked.conv2d_clamp_run(x, packed)\n"
      "  return torch.mean(y, [2, 3])\n",
      std::make_shared<PrepackedResolver>(), &self);
  ExpectRefused(LoadPath(ModelFile(module).path()),
                "uses operator prepacked::conv2d_clamp_");
}

TEST_P(LoadTest, ModelThatCannotRunItsImageIsRefusedWithTheSize) {
  const TinyModule net = Net({{"fc", Linear(192, 3)}},
                             "return self.fc.forward(torch.flatten(x, 1))");
  EXPECT_TRUE(LoadNet(net).ok());
  ExpectRefused(LoadPath(ModelFile(net).path(), 9),
                "the model cannot run an image of 3x9x9");
  ExpectRefused(LoadNet(Net({{"conv", Conv(4, 4)}},
                            "return torch.mean(self.conv.forward(x), [2, 3])")),
                "the model cannot run an image of 3x8x8");
}

TEST_P(LoadTest, ImageOfAnotherSizeFailsItsRunAlone) {
  const auto model = Load(Net({{"fc", Linear(192, 3)}},
                              "return self.fc.forward(torch.flatten(x, 1))"));
  const absl::Status status =
      model->Run(EachImage(at::zeros({2, 3, 9, 7}), 3, {"input"})).status();
  ExpectRefused(status, "the model cannot run an input of 2x3x9x7");
  EXPECT_TRUE(model->Run(EachImage(Images(2), 3, {"input"})).ok());
}

TEST_P(LoadTest, SizesThatTheModelAllowsRunAtAnyTime) {
  const TinyModule net = ResidualNet();
  const auto model = Load(net);
  const std::pair<int64_t, int64_t> sizes[] = {{8, 8}, {6, 13}, {17, 4}};
  for (const auto& [height, width] : sizes) {
    const at::Tensor images = at::randn({2, 3, height, width});
    ExpectReference(*model, images, ResidualValues(net, Leaf(images)));
  }
}

TEST_P(LoadTest, LoadingMovesNoRandomNumbers) {
  const ModelFile file(ResidualNet());
  torch::manual_seed(3);
  const at::Tensor expected = at::rand({4});
  torch::manual_seed(3);
  EXPECT_TRUE(LoadPath(file.path()).ok());
  EXPECT_TRUE(Identical(at::rand({4}), expected));
}

}  // namespace
}  // namespace saliency::load_test
