// LibTorch's fused operators of transformers: values as the operators have
// them, gradients as LibTorch's own unfused layers have them.

#include <torch/script.h>
#include <torch/torch.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "core/model/graph/decompose_attention.h"
#include "gtest/gtest.h"
#include "tests/model/model_fixture.h"
#include "tests/support/tensor_close.h"

namespace saliency::decompose_attention_test {
namespace {

constexpr int64_t kWidth = 8;
constexpr int64_t kHeads = 2;
constexpr int64_t kTokens = 4;
constexpr double kOtherOrder = 1e-5;

// Tokens of 3 x 8 x 8 images, `fused`, and logits of their mean.
torch::jit::Module Transformer(const std::string& fused,
                               const torch::nn::Module& weights,
                               const std::vector<at::Tensor>& masks) {
  torch::jit::Module module("__torch__.Transformer");
  std::string source = fused;
  for (const auto& parameter : weights.named_parameters()) {
    std::string name = parameter.key();
    std::replace(name.begin(), name.end(), '.', '_');
    module.register_parameter(name, parameter.value().detach(),
                              /*is_buffer=*/false);
  }
  for (size_t i = 0; i < masks.size(); ++i) {
    module.register_buffer("mask" + std::to_string(i), masks[i]);
  }
  module.register_parameter("patch", at::randn({kWidth, 3, 4, 4}) * 0.2,
                            /*is_buffer=*/false);
  module.register_parameter("head", at::randn({5, kWidth}),
                            /*is_buffer=*/false);
  module.register_module("tokens", [&] {
    torch::jit::Module tokens("__torch__.Tokens");
    tokens.define("def forward(self, x):\n  return x * 1\n");
    return tokens;
  }());
  module.define(
      "def forward(self, x):\n"
      "  y = torch.conv2d(x, self.patch, None, [4, 4])\n"
      "  y = self.tokens.forward(y).flatten(2).transpose(1, 2)\n" +
      source + "  return torch.linear(torch.mean(y, [1]), self.head)\n");
  return module;
}

struct Reference {
  at::Tensor logits, gradient;  // at "tokens"
};

// `layer` on [N,T,K].
template <typename Layer>
Reference Explained(const torch::jit::Module& module, const at::Tensor& x,
                    const std::vector<int64_t>& classes, const Layer& layer) {
  const auto parameter = [&](const char* name) {
    return module.attr(name).toTensor();
  };
  const at::Tensor tokens =
      at::conv2d(x, parameter("patch"), {}, 4).detach().requires_grad_(true);
  const at::Tensor y = layer(tokens.flatten(2).transpose(1, 2));
  Reference reference;
  reference.logits = at::linear(y.mean(1), parameter("head"));
  at::Tensor score = at::zeros({});
  for (size_t r = 0; r < classes.size(); ++r) {
    score = score + reference.logits[static_cast<int64_t>(r)][classes[r]];
  }
  reference.gradient = torch::autograd::grad({score}, {tokens})[0];
  return reference;
}

class DecomposeAttentionTest : public ModelTest {
 protected:
  ProbeResult Run(const torch::jit::Module& module, const at::Tensor& images,
                  std::optional<MetaStep> step = std::nullopt) const {
    const ModelFile file(module);
    LoadOptions options;
    options.device = GetParam();
    options.input_height = options.input_width = 8;
    ProbeRequest request = EachImage(images, 5, {"tokens"});
    for (ProbeRow& row : request.rows) row.meta = step;
    return ProbedModel::Load(file.path(), options)
        .value()
        ->Run(request)
        .value();
  }

  // What the fused operator itself returns.
  static at::Tensor Fused(torch::jit::Module module, const at::Tensor& x) {
    const at::NoGradGuard no_grad;
    return module.forward({x}).toTensor();
  }
};
SALIENCY_INSTANTIATE_DEVICES(DecomposeAttentionTest);

struct Masking {
  std::string name;
  bool masks;
  std::string arguments;  // from the mask on
};

TEST_P(DecomposeAttentionTest, AttentionHasTheFusedValueAndAGradient) {
  torch::nn::MultiheadAttention attention(
      torch::nn::MultiheadAttentionOptions(kWidth, kHeads));
  attention->eval();
  {
    const at::NoGradGuard no_grad;
    attention->in_proj_bias.normal_(0, 0.3);
    attention->out_proj->bias.normal_(0, 0.3);
  }
  const at::Tensor images = Images(3);
  const at::Tensor padding = at::zeros({1, kTokens}, at::kBool);
  padding[0][2] = true;
  const std::vector<Masking> maskings = {
      {"no mask", false, "None, False, True, None"},
      {"padding", true, "self.mask0.expand([y.size(0), -1]), True, False, 1"},
      {"pairs", true,
       "self.mask0.view([1, 1, 1, 4]).expand([y.size(0), 2, 4, 4])\n"
       "      .contiguous(), True, True, 2"}};
  for (const Masking& masking : maskings) {
    SCOPED_TRACE(masking.name);
    const torch::jit::Module module = Transformer(
        "  y = torch._native_multi_head_attention(y, y, y, 8, 2,\n"
        "      self.in_proj_weight, self.in_proj_bias, self.out_proj_weight,\n"
        "      self.out_proj_bias, " +
            masking.arguments + ")[0]\n",
        *attention,
        masking.masks ? std::vector<at::Tensor>{padding}
                      : std::vector<at::Tensor>{});
    const Reference expected =
        Explained(module, images, {0, 1, 2}, [&](const at::Tensor& y) {
          const at::Tensor first = y.transpose(0, 1);
          const at::Tensor none;
          return std::get<0>(
                     attention->forward(
                         first, first, first,
                         masking.masks ? padding.expand({3, kTokens}) : none))
              .transpose(0, 1);
        });
    const ProbeResult result = Run(module, images);
    EXPECT_TRUE(RowsClose(result.logits, Fused(module, images), kOtherOrder));
    EXPECT_TRUE(RowsClose(result.logits, expected.logits, kOtherOrder));
    EXPECT_TRUE(
        RowsClose(result.records[0].gradient, expected.gradient, kOtherOrder));
  }
}

TEST_P(DecomposeAttentionTest, AttentionReturnsItsWeights) {
  torch::nn::MultiheadAttention attention(
      torch::nn::MultiheadAttentionOptions(kWidth, kHeads));
  const at::Tensor images = Images(2);
  for (const char* average : {"True", "False"}) {
    SCOPED_TRACE(average);
    const torch::jit::Module module = Transformer(
        std::string(
            "  w = torch._native_multi_head_attention(y, y, y, 8, 2,\n"
            "      self.in_proj_weight, self.in_proj_bias,\n"
            "      self.out_proj_weight, self.out_proj_bias, None, True, ") +
            average +
            ", None)[1]\n"
            "  y = torch.matmul(w.reshape([w.size(0), -1, 4])[:, 1:5], y)\n",
        *attention, {});
    EXPECT_TRUE(RowsClose(Run(module, images).logits, Fused(module, images),
                          kOtherOrder));
  }
}

TEST_P(DecomposeAttentionTest, AWholeLayerHasTheFusedValueAndAGradient) {
  using Options = torch::nn::TransformerEncoderLayerOptions;
  const at::Tensor images = Images(3);
  for (const bool gelu : {false, true}) {
    torch::nn::TransformerEncoderLayer layer(
        gelu ? Options(kWidth, kHeads)
                   .dim_feedforward(12)
                   .activation(torch::kGELU)
             : Options(kWidth, kHeads)
                   .dim_feedforward(12)
                   .activation(torch::kReLU));
    layer->eval();
    {
      const at::NoGradGuard no_grad;
      for (const at::Tensor& parameter : layer->parameters()) {
        if (parameter.dim() == 1)
          parameter.add_(at::randn_like(parameter) * 0.3);
      }
    }
    for (const bool norm_first : {false, true}) {
      SCOPED_TRACE(testing::Message() << gelu << norm_first);
      const auto flag = [](bool on) { return on ? "True" : "False"; };
      const torch::jit::Module module = Transformer(
          std::string("  y = torch._transformer_encoder_layer_fwd(y, 8, 2,\n"
                      "      self.self_attn_in_proj_weight,\n"
                      "      self.self_attn_in_proj_bias,\n"
                      "      self.self_attn_out_proj_weight,\n"
                      "      self.self_attn_out_proj_bias, ") +
              flag(gelu) + ", " + flag(norm_first) +
              ", 1e-5,\n"
              "      self.norm1_weight, self.norm1_bias, self.norm2_weight,\n"
              "      self.norm2_bias, self.linear1_weight, self.linear1_bias,\n"
              "      self.linear2_weight, self.linear2_bias)\n",
          *layer, {});
      const ProbeResult result = Run(module, images);
      EXPECT_TRUE(RowsClose(result.logits, Fused(module, images), kOtherOrder));
      if (norm_first) continue;  // LibTorch's C++ layer norms last
      const Reference expected =
          Explained(module, images, {0, 1, 2}, [&](const at::Tensor& y) {
            return layer->forward(y.transpose(0, 1)).transpose(0, 1);
          });
      EXPECT_TRUE(RowsClose(result.records[0].gradient, expected.gradient,
                            kOtherOrder));
    }
  }
}

// Both projections of the packed weight, and the output's.
TEST_P(DecomposeAttentionTest, AMetaStepMovesThePackedProjections) {
  torch::nn::MultiheadAttention attention(
      torch::nn::MultiheadAttentionOptions(kWidth, kHeads));
  const torch::jit::Module module = Transformer(
      "  y = y + torch._native_multi_head_attention(y, y, y, 8, 2,\n"
      "      self.in_proj_weight, self.in_proj_bias, self.out_proj_weight,\n"
      "      self.out_proj_bias)[0]\n",
      *attention, {});
  const MetaStep step = {.epsilon = 0.1};
  const at::Tensor image = Images(1);
  const ProbeResult result = Run(module, image, step);

  attention->eval();
  const at::Tensor patch = module.attr("patch").toTensor().clone();
  const at::Tensor head = module.attr("head").toTensor().clone();
  std::vector<at::Tensor> theta = attention->parameters();
  theta.insert(theta.end(),
               {patch.requires_grad_(true), head.requires_grad_(true)});
  at::Tensor tokens;
  const auto forward = [&] {
    tokens = at::conv2d(image, patch, {}, 4);
    const at::Tensor y = tokens.flatten(2).permute({2, 0, 1});
    return at::linear((y + std::get<0>(attention->forward(y, y, y))).mean(0),
                      head);
  };
  const auto gradients = torch::autograd::grad(
      {at::cross_entropy_loss(forward(), at::tensor({0}, at::kLong))}, theta);
  {
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < theta.size(); ++i) {
      theta[i].sub_(gradients[i], 2 * step.epsilon);
    }
  }
  const at::Tensor logits = forward();
  EXPECT_TRUE(RowsClose(result.stepped_logits, logits, kOtherOrder));
  EXPECT_TRUE(RowsClose(result.records[0].gradient,
                        torch::autograd::grad({logits[0][0]}, {tokens})[0],
                        kOtherOrder));
}

}  // namespace
}  // namespace saliency::decompose_attention_test
