#include "client/cli/request_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "saliency/v1/explanation.pb.h"

namespace saliency::request_text_test {
namespace {

using ::testing::HasSubstr;

TEST(ParseTargetTest, ReadsEveryForm) {
  const struct {
    const char* text;
    v1::Target::KindCase kind;
    int number;
    const char* label;
  } cases[] = {
      {"0", v1::Target::kClassIndex, 0, ""},
      {"281", v1::Target::kClassIndex, 281, ""},
      {"007", v1::Target::kClassIndex, 7, ""},
      {"2147483647", v1::Target::kClassIndex, 2147483647, ""},
      {"top", v1::Target::kRankFromTop, 0, ""},
      {"top:0", v1::Target::kRankFromTop, 0, ""},
      {"top:3", v1::Target::kRankFromTop, 3, ""},
      {"bottom", v1::Target::kRankFromBottom, 0, ""},
      {"bottom:2", v1::Target::kRankFromBottom, 2, ""},
      {"tabby cat", v1::Target::kLabel, 0, "tabby cat"},
      {"topaz", v1::Target::kLabel, 0, "topaz"},
      {"bottomless pit", v1::Target::kLabel, 0, "bottomless pit"},
      {"3 dogs", v1::Target::kLabel, 0, "3 dogs"},
      {"1.5", v1::Target::kLabel, 0, "1.5"},
      {"label:7", v1::Target::kLabel, 0, "7"},
      {"label:top", v1::Target::kLabel, 0, "top"},
      {"label:top:3", v1::Target::kLabel, 0, "top:3"},
      {"label:label:x", v1::Target::kLabel, 0, "label:x"},
      {"Label:x", v1::Target::kLabel, 0, "Label:x"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    const absl::StatusOr<v1::Target> target = ParseTarget(c.text);
    ASSERT_TRUE(target.ok()) << target.status();
    EXPECT_EQ(target->kind_case(), c.kind);
    EXPECT_EQ(target->label(), c.label);
    EXPECT_EQ(target->class_index() + target->rank_from_top() +
                  target->rank_from_bottom(),
              c.number);
  }
}

TEST(ParseTargetTest, FurtherClassesStandBehindASign) {
  const v1::Target target =
      ParseTarget("label:a-b - 3 + 0.25 grey wolf - label:7").value();
  EXPECT_EQ(target.label(), "a-b");
  ASSERT_EQ(target.others_size(), 3);
  EXPECT_EQ(target.others(0).class_index(), 3);
  EXPECT_EQ(target.others(0).weight(), -1);
  EXPECT_EQ(target.others(1).label(), "grey wolf");
  EXPECT_EQ(target.others(1).weight(), 0.25);
  EXPECT_EQ(target.others(2).label(), "7");
  EXPECT_EQ(target.others(2).weight(), -1);
  EXPECT_EQ(ParseTarget("top - cat").value().rank_from_top(), 0);
  EXPECT_FALSE(ParseTarget("cat + dog").value().others(0).has_weight());
  EXPECT_EQ(ParseTarget("black-and-tan").value().label(), "black-and-tan");
  const absl::Status rank = ParseTarget("cat - top").status();
  EXPECT_NE(std::string(rank.message()).find("is a rank"), std::string::npos);
}

TEST(ParseTargetTest, RefusesWhatIsNoTarget) {
  for (const char* text :
       {"", "label:", "top:", "top:x", "top:-1", "top: 1", "bottom:1.5",
        "bottom:99999999999", "-1", "2147483648", "99999999999999999999"}) {
    SCOPED_TRACE(text);
    const absl::Status status = ParseTarget(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  }
}

TEST(ParseMethodTest, ReadsNamesAndPairs) {
  EXPECT_EQ(ParseMethod("norm_grad")->method(), "norm_grad");
  const v1::Attribution pair =
      ParseMethod("depthwise3x3+positive_norm").value();
  EXPECT_EQ(pair.pair().extract(), v1::EXTRACT_DEPTHWISE3X3);
  EXPECT_EQ(pair.pair().aggregate(), v1::AGGREGATE_POSITIVE_NORM);
  // The server says what it has instead.
  EXPECT_EQ(ParseMethod("Grad-CAM++")->method(), "Grad-CAM++");
  EXPECT_FALSE(ParseMethod("conv1x1+").ok());
}

TEST(ParsePairTest, KnowsEveryExtractAndAggregate) {
  for (const char* extract :
       {"bias", "scaling", "conv1x1", "conv3x3", "depthwise3x3"}) {
    for (const char* aggregate :
         {"sum", "positive_sum", "norm", "positive_norm", "max", "max_abs"}) {
      EXPECT_TRUE(
          ParsePair(std::string(extract) + "+" + std::string(aggregate)).ok());
    }
  }
}

TEST(ParsePairTest, RefusesAndListsWhatIsKnown) {
  for (const char* text : {"", "norm", "conv1x1+", "+norm", "conv1x1+norm+max",
                           "unspecified+norm", "CONV1X1+norm"}) {
    EXPECT_FALSE(ParsePair(text).ok()) << text;
  }
  EXPECT_THAT(std::string(ParsePair("conv5x5+norm").status().message()),
              HasSubstr("bias, scaling, conv1x1, conv3x3, depthwise3x3"));
}

TEST(ParseScoreTest, ReadsNames) {
  EXPECT_EQ(*ParseScore("logit"), v1::SCORE_LOGIT);
  EXPECT_EQ(*ParseScore("log_sigmoid"), v1::SCORE_LOG_SIGMOID);
  EXPECT_FALSE(ParseScore("loss").ok());
  EXPECT_FALSE(ParseScore("unspecified").ok());
}

TEST(ParseCombinationTest, ReadsWeightingsRulesAndWeights) {
  EXPECT_EQ(*ParseWeighting("uniform"), v1::WEIGHTING_UNIFORM);
  EXPECT_EQ(*ParseWeighting("classification_accuracy"),
            v1::WEIGHTING_CLASSIFICATION_ACCURACY);
  EXPECT_FALSE(ParseWeighting("unspecified").ok());
  EXPECT_FALSE(ParseWeighting("accuracy").ok());
  EXPECT_EQ(*ParseCombineRule("sum"), v1::COMBINE_RULE_SUM);
  EXPECT_EQ(*ParseCombineRule("product"), v1::COMBINE_RULE_PRODUCT);
  EXPECT_FALSE(ParseCombineRule("mean").ok());
  const v1::LayerWeight weight = ParseLayerWeight("layer1.0.a=b=0.5").value();
  EXPECT_EQ(weight.layer(), "layer1.0.a=b") << "the last = counts";
  EXPECT_EQ(weight.weight(), 0.5F);
  EXPECT_EQ(ParseLayerWeight("a=0")->weight(), 0);
  for (const char* text :
       {"", "a", "a=", "=1", "a=-1", "a=nan", "a=inf", "a=1e99", "a=x"}) {
    EXPECT_FALSE(ParseLayerWeight(text).ok()) << text;
  }
}

TEST(ParseSizeTest, ReadsNamesAndPixels) {
  EXPECT_EQ(ParseSize("image")->named_size(), v1::NAMED_SIZE_IMAGE);
  EXPECT_EQ(ParseSize("layer")->named_size(), v1::NAMED_SIZE_LAYER);
  EXPECT_EQ(ParseSize("input")->named_size(), v1::NAMED_SIZE_MODEL_INPUT);
  const v1::OutputOptions size = ParseSize("224x320").value();
  EXPECT_EQ(size.explicit_size().height(), 224);
  EXPECT_EQ(size.explicit_size().width(), 320);
  for (const char* text :
       {"", "224", "0x5", "5x0", "-3x4", "3x4x5", "axb", "99999999999x1"}) {
    EXPECT_FALSE(ParseSize(text).ok()) << text;
  }
}

TEST(ParseTimeoutTest, ReadsSecondsAndDurations) {
  EXPECT_EQ(*ParseTimeout("30"), absl::Seconds(30));
  EXPECT_EQ(*ParseTimeout("0.5"), absl::Milliseconds(500));
  EXPECT_EQ(*ParseTimeout("30s"), absl::Seconds(30));
  EXPECT_EQ(*ParseTimeout("2m"), absl::Minutes(2));
  EXPECT_EQ(*ParseTimeout("500ms"), absl::Milliseconds(500));
  for (const char* text :
       {"", "0", "-1", "-5s", "inf", "nan", "soon", "1e99"}) {
    EXPECT_FALSE(ParseTimeout(text).ok()) << text;
  }
}

}  // namespace
}  // namespace saliency::request_text_test
