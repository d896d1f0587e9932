// Layers whose first axis is not the batch's: tiles, views, frames or windows
// of an image lie along it.  No row of theirs may be taken for an image's.

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/model/model_fixture.h"
#include "tests/support/tensor_close.h"

namespace saliency::folded_layers_test {
namespace {

using testing::HasSubstr;

// A stem, a fold, a convolution in it, and the mean over the folded parts.
struct Fold {
  std::string name;
  std::string fold;    // x [n,4,8,8] to what `conv` takes
  std::string unfold;  // y [m,6] back to [n,6]
  int64_t parts = 4;
};

TinyModule FoldNet(const Fold& fold) {
  return Net(
      {{"stem", Conv(3, 4)}, {"conv", Conv(4, 6)}, {"fc", Linear(6, 5)}},
      "n = x.size(0)\nx = torch.relu(self.stem.forward(x))\n" + fold.fold +
          "\ny = torch.mean(torch.relu(self.conv.forward(x)), [2, 3])\n" +
          fold.unfold + "\nreturn self.fc.forward(y)");
}

const std::vector<Fold> kFolds = {
    {"TilesByReshape",
     "x = x.reshape([n, 4, 2, 4, 2, 4]).permute([0, 2, 4, 1, 3, 5])"
     ".reshape([4 * n, 4, 4, 4])",
     "y = torch.mean(y.reshape([n, 4, 6]), [1])"},
    {"TilesByFlatten",
     "x = torch.flatten(x.view([n, 4, 2, 4, 2, 4]).permute([0, 2, 4, 1, 3, 5]),"
     " 0, 2)",
     "y = torch.mean(y.view([n, 4, 6]), [1])"},
    {"TilesByUnfold",
     "x = x.unfold(2, 4, 4).unfold(3, 4, 4).permute([0, 2, 3, 1, 4, 5])"
     ".reshape([-1, 4, 4, 4])",
     "y = torch.mean(y.view([n, 4, 6]), [1])"},
    {"ViewsOneAfterTheOther", "x = torch.cat([x, torch.flip(x, [3])], 0)",
     "y = 0.5 * (y[:n] + y[n:])", 2},
    {"ViewsSideBySide",
     "x = torch.flatten(torch.stack([x, torch.flip(x, [3]), torch.roll(x, 2, "
     "3)], 1), 0, 1)",
     "y = torch.mean(y.view([n, 3, 6]), [1])", 3},
    {"CropsInAList",
     "crops = []\nfor i in range(5):\n  crops.append(x[:, :, i:i + 4, i:i + "
     "4])\n"
     "x = torch.cat(crops)",
     "y = torch.mean(y.view([5, n, 6]), [0])", 5},
    {"Repeated", "x = torch.repeat_interleave(x, 2, 0)", "y = y[::2] + y[1::2]",
     2},
};

class FoldedLayersTest : public ModelTest {};
SALIENCY_INSTANTIATE_DEVICES(FoldedLayersTest);

TEST_P(FoldedLayersTest, AFoldedLayerHasNoMapsAndIsNoPlaceToExpandRows) {
  for (const Fold& fold : kFolds) {
    SCOPED_TRACE(fold.name);
    const auto model = Load(FoldNet(fold));
    const LayerInfo& conv = **model->FindLayer("conv");
    EXPECT_FALSE(conv.spatial());
    EXPECT_FALSE(conv.is_cut);
    EXPECT_THAT(conv.no_maps_because,
                HasSubstr(std::to_string(fold.parts) + " entries for 1 "));
    EXPECT_TRUE((*model->FindLayer("stem"))->spatial());
    EXPECT_EQ((*model->FindLayer("stem"))->no_maps_because, "");
  }
}

TEST_P(FoldedLayersTest, FoldingAloneLeavesRowsIndependent) {
  for (const Fold& fold : kFolds) {
    SCOPED_TRACE(fold.name);
    const auto model = Load(FoldNet(fold));
    EXPECT_TRUE(model->self_check().rows_independent)
        << model->self_check().rows_depend_because;
  }
}

// What can be asked for is each image's own.
TEST_P(FoldedLayersTest, OtherLayersOfABatchAreTheirSingleRuns) {
  for (const Fold& fold : kFolds) {
    SCOPED_TRACE(fold.name);
    const auto model = Load(FoldNet(fold));
    const at::Tensor images = Images(3);
    const ProbeResult all =
        model->Run(EachImage(images, 1, {"stem", "input"})).value();
    for (int64_t p = 0; p < 3; ++p) {
      const ProbeResult alone =
          model->Run(EachImage(images.slice(0, p, p + 1), 1, {"stem", "input"}))
              .value();
      for (size_t i = 0; i < 2; ++i) {
        EXPECT_TRUE(RowsClose(all.records[i].activation.slice(0, p, p + 1),
                              alone.records[i].activation, kOtherBatch));
        EXPECT_TRUE(RowsClose(all.records[i].gradient.slice(0, p, p + 1),
                              alone.records[i].gradient, kOtherBatch));
      }
    }
  }
}

// Asked for all the same, a folded layer is no row's.
TEST_P(FoldedLayersTest, APassRecordsNothingOfAFoldedLayer) {
  for (const Fold& fold : kFolds) {
    SCOPED_TRACE(fold.name);
    const auto model = Load(FoldNet(fold));
    for (const int64_t count : {1, 2}) {
      const ProbeResult result =
          model->Run(EachImage(Images(count), 1, {"conv", "stem"})).value();
      EXPECT_EQ(result.records[0].status.code(),
                absl::StatusCode::kFailedPrecondition);
      EXPECT_FALSE(result.records[0].activation.defined());
      EXPECT_FALSE(result.records[0].gradient.defined());
      EXPECT_TRUE(result.records[1].status.ok());
      EXPECT_TRUE(result.records[1].gradient.defined());
    }
  }
}

// One window at the configured size, four at twice that.
TEST_P(FoldedLayersTest, ALayerThatFoldsAtAnotherSizeFailsAlone) {
  const TinyModule net =
      Net({{"stem", Conv(3, 4)}, {"conv", Conv(4, 6)}, {"fc", Linear(6, 5)}},
          R"(x = torch.relu(self.stem.forward(x))
             n = x.size(0)
             a = x.size(2) // 8
             b = x.size(3) // 8
             x = x.view([n, 4, a, 8, b, 8]).permute([0, 2, 4, 1, 3, 5])
             x = torch.relu(self.conv.forward(x.reshape([-1, 4, 8, 8])))
             y = torch.mean(x, [2, 3]).view([n, a * b, 6])
             return self.fc.forward(torch.mean(y, [1])))");
  const auto model = Load(net);
  EXPECT_TRUE((*model->FindLayer("conv"))->spatial());
  const ProbeResult small =
      model->Run(EachImage(Images(2), 1, {"conv"})).value();
  EXPECT_TRUE(small.records[0].status.ok());
  const ProbeResult large =
      model->Run(EachImage(at::randn({2, 3, 16, 16}), 1, {"conv", "stem"}))
          .value();
  EXPECT_THAT(std::string(large.records[0].status.message()),
              HasSubstr("layer \"conv\" has shape [8,6,8,8] in a pass of 2"));
  EXPECT_TRUE(large.records[1].status.ok());
}

// Frames of one clip: the batch itself is folded, so that one image is none.
TEST_P(FoldedLayersTest, AModelThatWantsSeveralImagesAtOnceIsRefused) {
  const ModelFile file(Net(
      {{"conv", Conv(3, 4)}},
      "x = self.conv.forward(x)\n"
      "return torch.mean(x.view([x.size(0) // 2, 2, 4, 8, 8]), [1, 3, 4])"));
  LoadOptions options = {.input_height = 8, .input_width = 8};
  options.device = GetParam();
  EXPECT_EQ(ProbedModel::Load(file.path(), options).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace saliency::folded_layers_test
