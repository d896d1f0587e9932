// Models that write what they saw into what they keep: a buffer, a list, a
// dict, running statistics.  Nothing of one pass may reach the next.

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/model/model_fixture.h"
#include "tests/support/tensor_close.h"

namespace saliency::kept_state_test {
namespace {

// `line` comes between y [n,4] and the head, and may read and write what the
// root keeps.
TinyModule KeepingNet(const std::string& line) {
  TinyModule net = Net({{"conv", Conv(3, 4)}, {"fc", Linear(4, 5)}},
                       "y = torch.mean(torch.relu(self.conv.forward(x)), "
                       "[2, 3])\n" +
                           line + "\nreturn self.fc.forward(y)");
  net.buffers["m"] = at::rand({4});
  net.buffers["v"] = at::rand({4}) + 0.5;
  net.buffers["q"] = at::rand({3, 4});
  net.attributes["kept"] = std::vector<at::Tensor>{at::zeros({4})};
  c10::Dict<std::string, at::Tensor> named;
  named.insert("last", at::zeros({4}));
  net.attributes["named"] = named;
  net.attributes["count"] = std::vector<int64_t>{0};
  return net;
}

const std::vector<std::string> kLines = {
    "r = y + self.m\nself.m.copy_(y[0].detach())\ny = r",
    "r = y + self.m\nself.m[0:2] = y[0, 0:2].detach() * 3.\ny = r",
    "r = y + self.m\nself.m.view([2, 2])[0].copy_(y[0, 0:2].detach())\ny = r",
    "r = y + torch.mean(self.q, [0])\nself.q[1] = y[0].detach()\ny = r",
    "r = y + self.m\nif bool(torch.sum(y) > -1.e9):\n"
    "  self.m.add_(y[0].detach())\ny = r",
    // Statistics that the operator's schema does not show to be written.
    "r = y + self.m\nz = torch.batch_norm(torch.cat([y, 2. * y]), None, None, "
    "self.m, self.v, True, 0.5, 1e-5, False)\ny = r + 0. * z[:y.size(0)]",
    "r = y + self.m\nz = torch.instance_norm(x.repeat([1, 2, 1, 1])[:, :4], "
    "None, None, self.m, self.v, True, 0.5, 1e-5, False)\n"
    "y = r + 0. * torch.mean(z, [2, 3])",
    "r = y + self.kept[0]\nself.kept[0] = y[0].detach() * 3.\ny = r",
    "r = y + self.kept[-1]\nself.kept.append(y[0].detach())\ny = r",
    "k = self.kept\nr = y + k.pop()\nk.insert(0, y[0].detach())\n"
    "k.append(y[0].detach())\ny = r",
    "r = y + self.named['last']\nself.named['last'] = y[0].detach()\ny = r",
    "y = y * (1. + float(self.count[0]))\nself.count[0] += 1",
    "y = y * (1. + float(len(self.count)))\nself.count.append(1)",
};

class KeptStateTest : public ModelTest {};
SALIENCY_INSTANTIATE_DEVICES(KeptStateTest);

TEST_P(KeptStateTest, APassLeavesNothingForTheNext) {
  for (const std::string& line : kLines) {
    SCOPED_TRACE(line);
    const auto model = Load(KeepingNet(line));
    EXPECT_TRUE(model->self_check().deterministic);
    const at::Tensor image = Images(1);
    const ProbeRequest request = EachImage(image, 5, {"conv", "input"});
    const ProbeResult before = model->Run(request).value();
    // A stranger, quite another image.
    ASSERT_TRUE(model->Run(EachImage(image * -40, 5, {"conv"})).ok());
    const ProbeResult after = model->Run(request).value();
    EXPECT_TRUE(Identical(after.logits, before.logits));
    for (size_t i = 0; i < before.records.size(); ++i) {
      EXPECT_TRUE(
          Identical(after.records[i].gradient, before.records[i].gradient));
    }
  }
}

}  // namespace
}  // namespace saliency::kept_state_test
