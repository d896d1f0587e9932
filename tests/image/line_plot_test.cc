#include "core/image/line_plot.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"

namespace saliency::line_plot_test {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

PlotOptions Options() {
  return {.title = "Pointing game",
          .y_title = "accuracy",
          .x_labels = {"a", "b", "c"},
          .y_min = 0,
          .y_max = 100};
}

// Rows, from the top, of the first and last pixel of the first series' colour
// in a column; -1 where there is none.
int64_t FirstBlue(const Image& image, int64_t x) {
  for (int64_t y = 46; y < image.height; ++y) {
    const uint8_t* p = &image.rgb[3 * (y * image.width + x)];
    if (p[0] == 0 && p[1] == 114 && p[2] == 178) return y;
  }
  return -1;
}

int64_t ColumnWithBlue(const Image& image, bool from_right) {
  for (int64_t i = 0; i < image.width / 2; ++i) {
    const int64_t x = from_right ? image.width / 2 + 200 - i : i;
    if (FirstBlue(image, x) >= 0) return x;
  }
  return -1;
}

TEST(LinePlotTest, HigherValuesLieHigher) {
  const auto low =
      LinePlot({{{.name = "m", .values = {20, 20, 20}}}}, Options());
  const auto high =
      LinePlot({{{.name = "m", .values = {80, 80, 80}}}}, Options());
  ASSERT_TRUE(low.ok()) << low.status();
  ASSERT_TRUE(high.ok()) << high.status();
  const int64_t x = ColumnWithBlue(*low, false) + 60;
  const int64_t low_y = FirstBlue(*low, x);
  const int64_t high_y = FirstBlue(*high, x);
  ASSERT_GT(low_y, 0);
  ASSERT_GT(high_y, 0);
  // 60 of the axis' 100.
  const double axis = static_cast<double>(low->height - 44 - 52);
  EXPECT_NEAR(static_cast<double>(low_y - high_y), 0.6 * axis, 2);
}

TEST(LinePlotTest, ALineIsBrokenWhereThereIsNoValue) {
  const auto whole =
      LinePlot({{{.name = "m", .values = {50, 50, 50}}}}, Options());
  const auto broken =
      LinePlot({{{.name = "m", .values = {50, kNone, 50}}}}, Options());
  ASSERT_TRUE(whole.ok() && broken.ok());
  const int64_t left = ColumnWithBlue(*whole, false);
  EXPECT_GE(FirstBlue(*whole, left + 60), 0);
  EXPECT_LT(FirstBlue(*broken, left + 60), 0);
  EXPECT_EQ(ColumnWithBlue(*broken, false), left);  // the point itself is there
}

TEST(LinePlotTest, TheAxisHoldsEveryValueAndItsBar) {
  PlotOptions options = Options();
  options.y_min = options.y_max = 0;
  const auto plot = LinePlot(
      {{{.name = "m", .values = {-0.31, 0.2, 0.97}, .errors = {0.1, 0, 0.1}}}},
      options);
  ASSERT_TRUE(plot.ok()) << plot.status();
  int64_t top = plot->height;
  for (int64_t x = 0; x < plot->width / 2; ++x) {
    const int64_t y = FirstBlue(*plot, x);
    if (y >= 0) top = std::min(top, y);
  }
  EXPECT_GE(top, 52);
}

TEST(LinePlotTest, WhatCannotBeDrawnIsRefused) {
  const auto code = [](std::vector<PlotSeries> series, PlotOptions options) {
    return LinePlot(series, options).status().code();
  };
  constexpr auto kBad = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(code({}, Options()), kBad);
  EXPECT_EQ(code({{.name = "m", .values = {1, 2}}}, Options()), kBad);
  PlotOptions fitted = Options();
  fitted.y_min = fitted.y_max = 0;
  EXPECT_EQ(code({{.name = "m", .values = {kNone, kNone, kNone}}}, fitted),
            kBad);
  PlotOptions tiny = Options();
  tiny.width = 10;
  EXPECT_EQ(code({{.name = "m", .values = {1, 2, 3}}}, tiny), kBad);
}

}  // namespace
}  // namespace saliency::line_plot_test
