#include "client/cli/output_name.h"

#include <gtest/gtest.h>

#include <string>

namespace saliency::output_name_test {
namespace {

TEST(SanitisedNameTest, KeepsOnlyPlainCharacters) {
  EXPECT_EQ(SanitisedName("norm_grad"), "norm_grad");
  EXPECT_EQ(SanitisedName("conv1x1+norm"), "conv1x1+norm");
  EXPECT_EQ(SanitisedName("layer1.0.relu#2"), "layer1.0.relu#2");
  EXPECT_EQ(SanitisedName("tabby, tabby cat"), "tabby_tabby_cat");
  EXPECT_EQ(SanitisedName("../../etc/passwd"), "_._.._etc_passwd");
  EXPECT_EQ(SanitisedName("a\nb\0c"), "a_b");
  EXPECT_EQ(SanitisedName("caf\u00e9"), "caf\u00e9");
  EXPECT_EQ(SanitisedName("\u732b"), "\u732b");
  EXPECT_EQ(SanitisedName("\U0001f98a\u0429"), "\U0001f98a\u0429");
  EXPECT_EQ(SanitisedName("caf\xe9"), "caf_") << "no UTF-8";
  EXPECT_EQ(SanitisedName("a\u202e\u0085\u3000\u2028"
                          "b"),
            "a_b");
  EXPECT_EQ(SanitisedName(".hidden"), "_hidden");
  EXPECT_EQ(SanitisedName("-rf"), "_rf");
  EXPECT_EQ(SanitisedName(""), "_");
  EXPECT_EQ(SanitisedName(std::string(300, 'x')).size(), 80U);
  std::string cats = "x";
  for (int i = 0; i < 30; ++i) cats += "\u732b";
  EXPECT_EQ(SanitisedName(cats), cats.substr(0, 79)) << "whole characters";
}

TEST(OutputNameTest, IsImageClassMethodLayer) {
  v1::SaliencyMap map;
  map.mutable_explained_class()->set_class_index(281);
  map.set_method("norm_grad");
  map.set_layer("layer4");
  EXPECT_EQ(OutputName("cat", map), "cat_281_norm_grad_layer4");
  map.mutable_explained_class()->set_label("tabby / cat");
  EXPECT_EQ(OutputName("cat", map), "cat_281-tabby_cat_norm_grad_layer4");
}

TEST(UniqueNamesTest, NeverHandsOutANameTwice) {
  UniqueNames names;
  EXPECT_EQ(names.Take("a"), "a");
  EXPECT_EQ(names.Take("a-2"), "a-2");
  EXPECT_EQ(names.Take("a"), "a-3");
  EXPECT_EQ(names.Take("a"), "a-4");
}

}  // namespace
}  // namespace saliency::output_name_test
