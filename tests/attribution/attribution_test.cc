#include "core/attribution/attribution.h"

#include "core/attribution/registry.h"
#include "gtest/gtest.h"
#include "tests/attribution/random_records.h"
#include "tests/support/tensor_close.h"

namespace saliency::attribution_test {
namespace {

TEST(AttributionTest, ANamedOneIsItsMethod) {
  const MethodContext context = RandomContext(1, c10::kCPU);
  for (const Method* method : AllMethods()) {
    SCOPED_TRACE(method->name);
    const Attribution attribution = Attribution::Named(method->name).value();
    EXPECT_EQ(attribution.name(), method->name);
    EXPECT_EQ(attribution.method_inputs(), method->method_inputs);
    EXPECT_TRUE(attribution.rule() == method->rule);
    EXPECT_EQ(attribution.is_signed(), method->is_signed);
    EXPECT_TRUE(
        Identical(attribution.Attribute(context), method->attribute(context)));
  }
}

TEST(AttributionTest, APairIsNamedAfterItsTwoHalves) {
  const Attribution pair =
      Attribution::Pair(Extract::kDepthwise3x3, Aggregate::kPositiveNorm);
  EXPECT_EQ(pair.name(), "depthwise3x3+positive_norm");
  EXPECT_EQ(pair.method_inputs(), MethodInputs::kActivationAndGradient);
}

TEST(AttributionTest, APairIsSignedWhereItsAggregateCanBeNegative) {
  for (const Extract extract : kAllExtracts) {
    for (const Aggregate aggregate : kAllAggregates) {
      EXPECT_EQ(Attribution::Pair(extract, aggregate).is_signed(),
                aggregate == Aggregate::kSum || aggregate == Aggregate::kMax);
    }
  }
}

TEST(AttributionTest, AnUnknownNameIsAnInvalidArgument) {
  EXPECT_EQ(Attribution::Named("conv1x1+norm").status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace saliency::attribution_test
