#include "server/convert/field_path.h"

#include "gtest/gtest.h"
#include "saliency/v1/model_service.pb.h"
#include "saliency/v1/saliency_service.pb.h"

namespace saliency::field_path_test {
namespace {

struct Case {
  const char* text;
  const char* path;
  const char* description;
};

const google::protobuf::Descriptor& Compute() {
  return *v1::ComputeSaliencyRequest::descriptor();
}

TEST(FieldPathTest, TakesTheFieldOffTheFront) {
  for (const Case& each : {
           Case{"top_k 0 not in [1, 100]", "top_k", "0 not in [1, 100]"},
           Case{"score: unknown value 9", "score", "unknown value 9"},
           Case{"targets[2].class_index 10 not in [0, 10)",
                "targets[2].class_index", "10 not in [0, 10)"},
           Case{"targets[0]: label: empty", "targets[0].label", "empty"},
           Case{"targets[0]: label \"dog\" not found", "targets[0].label",
                "\"dog\" not found"},
           Case{"attributions[1]: pair.extract: unspecified",
                "attributions[1].pair.extract", "unspecified"},
           Case{"attributions[0]: layer \"x\" not found", "attributions[0]",
                "layer \"x\" not found"},
           Case{"attributions[0].layers names \"x\" twice",
                "attributions[0].layers", "names \"x\" twice"},
           Case{"attributions: layers in all: 513 of at most 512",
                "attributions", "layers in all: 513 of at most 512"},
           Case{"input.image: bytes: 30 of at most 20", "input.image",
                "bytes: 30 of at most 20"},
           Case{"model \"x\" not found; nearest: \"y\"", "model",
                "\"x\" not found; nearest: \"y\""},
           Case{"model.version: 0 is less than 1", "model.version",
                "0 is less than 1"},
       }) {
    const FieldMessage found = SplitField(each.text, Compute());
    EXPECT_EQ(found.path, each.path) << each.text;
    EXPECT_EQ(found.description, each.description) << each.text;
  }
}

TEST(FieldPathTest, OfAnotherTypeTheFieldsAreOthers) {
  const FieldMessage found =
      SplitField("settings: model.version: 0 is less than 1",
                 *v1::CalibrateLayerWeightsRequest::descriptor());
  EXPECT_EQ(found.path, "settings.model.version");
  EXPECT_EQ(found.description, "0 is less than 1");
  EXPECT_EQ(SplitField("settings: none", Compute()).path, "");
}

TEST(FieldPathTest, OrdinaryWordsAreNoField) {
  for (const char* text :
       {"the call ended without a request", "", "model.pt is cut short",
        "maps x pixels: 9, of at most 3", "targets[: broken",
        "input.tensor x targets: 2 x 40 rows, of at most 64"}) {
    const FieldMessage found = SplitField(text, Compute());
    EXPECT_EQ(found.path, "") << text;
    EXPECT_EQ(found.description, text);
  }
}

}  // namespace
}  // namespace saliency::field_path_test
