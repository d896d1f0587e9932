#include "client/cli/evaluate/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace saliency::csv_test {
namespace {

using testing::ElementsAre;

TEST(CsvTest, PlainFieldsStayAsTheyAre) {
  EXPECT_EQ(CsvRow({"a", "", "1.5"}), "a,,1.5");
  EXPECT_THAT(ParseCsvRow("a,,1.5").value(), ElementsAre("a", "", "1.5"));
  EXPECT_THAT(ParseCsvRow("a,").value(), ElementsAre("a", ""));
}

TEST(CsvTest, EveryFieldComesBack) {
  const std::vector<std::string> fields = {
      "tabby, tabby cat", "a \"quoted\" one", "\"", "", ",", "x"};
  EXPECT_EQ(ParseCsvRow(CsvRow(fields)).value(), fields);
}

TEST(CsvTest, ARowIsALine) { EXPECT_EQ(CsvRow({"a\nb", "c\r\nd"}), "a b,c d"); }

TEST(CsvTest, BadQuotesAreRefused) {
  for (const char* row : {"\"a", "\"a\"b,c", "\"", "x,\"y"}) {
    EXPECT_EQ(ParseCsvRow(row).status().code(),
              absl::StatusCode::kInvalidArgument)
        << row;
  }
}

}  // namespace
}  // namespace saliency::csv_test
