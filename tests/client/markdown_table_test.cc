#include "client/cli/evaluate/markdown_table.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace saliency::markdown_table_test {
namespace {

std::string Place(size_t row, size_t column) {
  return absl::StrCat(row, "/", column);
}

TEST(MarkdownTableTest, HasACellForEachRowAndColumn) {
  EXPECT_EQ(MarkdownTable("method", {"cam", "grad"}, {"a", "b", "c"}, Place),
            "| method | a | b | c |\n"
            "|---|---:|---:|---:|\n"
            "| cam | 0/0 | 0/1 | 0/2 |\n"
            "| grad | 1/0 | 1/1 | 1/2 |\n");
}

TEST(MarkdownTableTest, WithoutRowsTheHeadingIsLeft) {
  EXPECT_EQ(MarkdownTable("method", {}, {"a"}, Place),
            "| method | a |\n"
            "|---|---:|\n");
}

TEST(MarkdownTableTest, WithoutColumnsTheRowsAreNamed) {
  EXPECT_EQ(MarkdownTable("method", {"cam"}, {}, Place),
            "| method |\n"
            "|---|\n"
            "| cam |\n");
}

}  // namespace
}  // namespace saliency::markdown_table_test
