#include "core/attribution/registry.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace saliency::registry_test {
namespace {

using testing::HasSubstr;

TEST(RegistryTest, MethodsAreSortedAndUnique) {
  const auto before = [](const Method* a, const Method* b) {
    return std::strcmp(a->name, b->name) < 0;
  };
  EXPECT_TRUE(std::is_sorted(AllMethods().begin(), AllMethods().end(), before));
  std::set<std::string> names;
  for (const Method* method : AllMethods()) {
    EXPECT_TRUE(names.insert(method->name).second) << method->name;
  }
}

TEST(RegistryTest, TheApisNamesAreAllThere) {
  for (const char* name :
       {"gradient", "gradient_sum", "linear_approximation", "norm_grad",
        "norm_grad_conv3x3", "norm_grad_real_conv", "selective_norm_grad",
        "grad_cam", "cam", "batch_norm_scale", "batch_norm_bias"}) {
    ASSERT_TRUE(FindMethod(name).ok()) << name;
    EXPECT_STREQ(FindMethod(name).value()->name, name);
  }
}

TEST(RegistryTest, EveryMethodSaysWhatItIsAndWhereItComesFrom) {
  for (const Method* method : AllMethods()) {
    SCOPED_TRACE(method->name);
    EXPECT_NE(std::string(method->summary), "");
    EXPECT_NE(std::string(method->formula), "");
    EXPECT_THAT(method->source, HasSubstr("arXiv:"));
    EXPECT_NE(method->attribute, nullptr);
  }
}

TEST(RegistryTest, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  for (const std::string name : {"NormGrad", "", "norm_grad "}) {
    const absl::Status status = FindMethod(name).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    const std::string message(status.message());
    EXPECT_THAT(message, HasSubstr("method \"" + name + "\" is unknown"));
    for (const Method* method : AllMethods()) {
      EXPECT_THAT(message, HasSubstr(method->name));
    }
  }
}

TEST(RegistryTest, AnInventedNameIsEscapedAndCut) {
  const absl::Status status = FindMethod(std::string(5000, '\n')).status();
  EXPECT_LT(status.message().size(), 1000u);
  EXPECT_EQ(status.message().find('\n'), absl::string_view::npos);
}

}  // namespace
}  // namespace saliency::registry_test
