// LibTorch 1.13's gelu_backward leaves its result unwritten where its gradient
// lies in another memory order than gelu's result.  Maps behind a GELU must be
// those of its derivative all the same.

#include <ATen/ATen.h>

#include <cmath>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/model/model_fixture.h"
#include "tests/support/tensor_close.h"

namespace saliency::gelu_gradient_test {
namespace {

// What follows the GELU, whose gradient comes back in the order of tokens, of
// channels-last, and as it is.
const std::vector<std::string> kOrders = {
    "z = torch.flatten(y, 2).transpose(1, 2)",
    "z = torch.flatten(y.permute([0, 2, 3, 1]), 1, 2)",
    "z = torch.flatten(torch.layer_norm(y.permute([0, 2, 3, 1]), [16]), 1, 2)",
    "z = torch.flatten(y.transpose(2, 3), 2).transpose(1, 2)",
    "z = torch.flatten(y, 2).permute([0, 2, 1]).contiguous()",
};

TinyModule GeluNet(const std::string& gelu, const std::string& order) {
  return Net({{"conv", Conv(3, 16)},
              {"gelu", Function("Gelu", gelu)},
              {"fc", Linear(16, 5)}},
             "y = self.gelu.forward(self.conv.forward(x))\n" + order +
                 "\nreturn torch.mean(torch.tanh(self.fc.forward(z)), [1])");
}

class GeluGradientTest : public ModelTest {};
SALIENCY_INSTANTIATE_DEVICES(GeluGradientTest);

// The same with the definition in operators that have no such fault.
constexpr char kDefinition[] =
    "0.5 * x * (1. + torch.erf(x / 1.4142135623730951))";

TEST_P(GeluGradientTest, MapsAreThoseOfTheDerivativeInAnyOrder) {
  for (const std::string& order : kOrders) {
    SCOPED_TRACE(order);
    at::manual_seed(11);
    const auto model = Load(GeluNet("torch.gelu(x)", order));
    at::manual_seed(11);
    const auto exact = Load(GeluNet(kDefinition, order));
    for (const int64_t count : {1, 2, 3}) {
      for (int round = 0; round < 3; ++round) {
        const ProbeRequest request =
            EachImage(Images(count), 5, {"input", "conv", "gelu"});
        const ProbeResult got = model->Run(request).value();
        const ProbeResult want = exact->Run(request).value();
        for (size_t i = 0; i < want.records.size(); ++i) {
          EXPECT_TRUE(RowsClose(got.records[i].gradient,
                                want.records[i].gradient, 1e-5));
        }
      }
    }
  }
}

TEST_P(GeluGradientTest, MetaStepsToo) {
  for (const std::string& order : kOrders) {
    SCOPED_TRACE(order);
    at::manual_seed(12);
    const auto model = Load(GeluNet("torch.gelu(x)", order));
    at::manual_seed(12);
    const auto exact = Load(GeluNet(kDefinition, order));
    ProbeRequest request = EachImage(Images(2), 5, {"input"});
    for (ProbeRow& row : request.rows) row.meta = MetaStep{.epsilon = 0.01};
    EXPECT_TRUE(RowsClose(model->Run(request).value().records[0].gradient,
                          exact->Run(request).value().records[0].gradient,
                          1e-4));
  }
}

}  // namespace
}  // namespace saliency::gelu_gradient_test
