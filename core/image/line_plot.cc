#include "core/image/line_plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status.h"
#include "core/image/text.h"

namespace saliency {
namespace {

// Okabe and Ito's colours, which colour-blind readers can tell apart.
constexpr std::array<Rgb, 8> kInks = {{{0, 114, 178},
                                       {213, 94, 0},
                                       {0, 158, 115},
                                       {204, 121, 167},
                                       {230, 159, 0},
                                       {86, 180, 233},
                                       {0, 0, 0},
                                       {140, 110, 40}}};
constexpr Rgb kText = {40, 44, 52};
constexpr Rgb kGrid = {226, 229, 234};
constexpr int kFraction = 4;  // bits: OpenCV draws at 1/16 pixel

constexpr TextStyle kTitleStyle = {
    .capital_height = 12, .weight = TextWeight::kBold, .colour = kText};
constexpr TextStyle kLabelStyle = {.capital_height = 8.5, .colour = kText};

struct Axis {
  double low = 0;
  double high = 1;
  double step = 0.5;
};

// 1, 2 or 5 times a power of ten, so that about six lines fit.
double NiceStep(double range) {
  const double raw = range / 6;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw) return factor * power;
  }
  return 10 * power;
}

Axis AxisOver(double low, double high) {
  if (high - low < 1e-12) {
    low -= 0.5;
    high += 0.5;
  }
  const double step = NiceStep(high - low);
  return {.low = std::floor(low / step + 1e-9) * step,
          .high = std::ceil(high / step - 1e-9) * step,
          .step = step};
}

absl::StatusOr<Axis> VerticalAxis(absl::Span<const PlotSeries> series,
                                  const PlotOptions& options) {
  if (options.y_min != options.y_max) {
    return AxisOver(std::min(options.y_min, options.y_max),
                    std::max(options.y_min, options.y_max));
  }
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (const PlotSeries& line : series) {
    for (size_t i = 0; i < line.values.size(); ++i) {
      if (!std::isfinite(line.values[i])) continue;
      const double bar = line.errors.empty() || !std::isfinite(line.errors[i])
                             ? 0
                             : line.errors[i];
      low = std::min(low, line.values[i] - bar);
      high = std::max(high, line.values[i] + bar);
    }
  }
  if (low > high) return absl::InvalidArgumentError("a plot has no values");
  return AxisOver(low, high);
}

absl::Status Check(absl::Span<const PlotSeries> series,
                   const PlotOptions& options) {
  if (series.empty() || options.x_labels.empty()) {
    return absl::InvalidArgumentError("a plot needs series and labels");
  }
  for (const PlotSeries& line : series) {
    const bool fits =
        line.values.size() == options.x_labels.size() &&
        (line.errors.empty() || line.errors.size() == options.x_labels.size());
    if (!fits) {
      return absl::InvalidArgumentError(
          absl::StrCat("series \"", line.name, "\" has ", line.values.size(),
                       " values for ", options.x_labels.size(), " labels"));
    }
  }
  if (options.width < 320 || options.width > 4096 || options.height < 240 ||
      options.height > 4096) {
    return absl::InvalidArgumentError(
        absl::StrCat("plot size ", options.height, " x ", options.width,
                     " is not in [240, 4096] x [320, 4096]"));
  }
  return absl::OkStatus();
}

// Draws one plot.
class Plotter {
 public:
  Plotter(absl::Span<const PlotSeries> series, const PlotOptions& options,
          const Axis& axis)
      : series_(series), options_(options), axis_(axis) {
    image_.height = options.height;
    image_.width = options.width;
    image_.rgb.assign(3 * options.height * options.width, 255);
    int64_t names = 0;
    for (const PlotSeries& line : series) {
      names = std::max(names, TextWidth(line.name, kLabelStyle));
    }
    legend_x_ = options.width - std::min(names, options.width / 3) - 16;
    left_ = 64;
    right_ = legend_x_ - 44;
    top_ = 52;
    bottom_ = options.height - 44;
  }

  absl::StatusOr<Image> Draw() {
    RETURN_IF_ERROR(DrawText(options_.title, kTitleStyle, 20, 16, image_));
    RETURN_IF_ERROR(DrawText(options_.y_title, kLabelStyle, 40, 16, image_));
    RETURN_IF_ERROR(Horizontal());
    RETURN_IF_ERROR(Labels());
    for (size_t i = 0; i < series_.size(); ++i) {
      Line(series_[i], kInks[i % kInks.size()]);
      RETURN_IF_ERROR(Legend(i));
    }
    return std::move(image_);
  }

 private:
  cv::Mat Canvas() {
    return {static_cast<int>(image_.height), static_cast<int>(image_.width),
            CV_8UC3, image_.rgb.data()};
  }

  double X(size_t place) const {
    const size_t count = options_.x_labels.size();
    const double part = count == 1 ? 0.5
                                   : static_cast<double>(place) /
                                         static_cast<double>(count - 1);
    const double inset = count == 1 ? 0 : 24;
    return static_cast<double>(left_) + inset +
           part * (static_cast<double>(right_ - left_) - 2 * inset);
  }

  double Y(double value) const {
    const double part = (value - axis_.low) / (axis_.high - axis_.low);
    return static_cast<double>(bottom_) -
           std::clamp(part, -0.02, 1.02) * static_cast<double>(bottom_ - top_);
  }

  static cv::Point Fixed(double x, double y) {
    const double unit = 1 << kFraction;
    return {static_cast<int>(std::lround(x * unit)),
            static_cast<int>(std::lround(y * unit))};
  }

  void Stroke(cv::Point from, cv::Point to, const Rgb& ink, int thickness) {
    cv::Mat canvas = Canvas();
    cv::line(canvas, from, to, cv::Scalar(ink[0], ink[1], ink[2]), thickness,
             cv::LINE_AA, kFraction);
  }

  absl::Status Horizontal() {
    const int lines =
        static_cast<int>(std::lround((axis_.high - axis_.low) / axis_.step));
    for (int i = 0; i <= lines; ++i) {
      const double value = axis_.low + i * axis_.step;
      const double y = Y(value);
      Stroke(Fixed(static_cast<double>(left_), y),
             Fixed(static_cast<double>(right_), y), kGrid, 1);
      const std::string text =
          absl::StrFormat("%g", std::abs(value) < 1e-9 ? 0.0 : value);
      RETURN_IF_ERROR(DrawText(text, kLabelStyle, std::lround(y),
                               left_ - 10 - TextWidth(text, kLabelStyle),
                               image_));
    }
    return absl::OkStatus();
  }

  absl::Status Labels() {
    const auto count = static_cast<int64_t>(options_.x_labels.size());
    const int64_t room =
        count == 1 ? right_ - left_ : (right_ - left_ - 48) / (count - 1) - 6;
    for (size_t i = 0; i < options_.x_labels.size(); ++i) {
      const std::string text = FitText(options_.x_labels[i], kLabelStyle,
                                       std::max<int64_t>(room, 24));
      const int64_t half = TextWidth(text, kLabelStyle) / 2;
      RETURN_IF_ERROR(DrawText(text, kLabelStyle, bottom_ + 20,
                               std::lround(X(i)) - half, image_));
    }
    return absl::OkStatus();
  }

  // Dashes are counted along the line, from its start.
  void Segment(const PlotSeries& line, size_t from, const Rgb& ink) {
    const double x0 = X(from);
    const double x1 = X(from + 1);
    const double y0 = Y(line.values[from]);
    const double y1 = Y(line.values[from + 1]);
    if (!line.dashed) return Stroke(Fixed(x0, y0), Fixed(x1, y1), ink, 2);
    const double length = std::hypot(x1 - x0, y1 - y0);
    for (double at = 0; at < length; at += 10) {
      const double a = at / length;
      const double b = std::min(at + 6, length) / length;
      Stroke(Fixed(x0 + a * (x1 - x0), y0 + a * (y1 - y0)),
             Fixed(x0 + b * (x1 - x0), y0 + b * (y1 - y0)), ink, 1);
    }
  }

  void Line(const PlotSeries& line, const Rgb& ink) {
    for (size_t i = 0; i < line.values.size(); ++i) {
      if (!std::isfinite(line.values[i])) continue;
      if (i + 1 < line.values.size() && std::isfinite(line.values[i + 1])) {
        Segment(line, i, ink);
      }
      if (!line.errors.empty() && std::isfinite(line.errors[i])) {
        Stroke(Fixed(X(i), Y(line.values[i] - line.errors[i])),
               Fixed(X(i), Y(line.values[i] + line.errors[i])), ink, 1);
      }
      if (line.dashed) continue;
      cv::Mat canvas = Canvas();
      cv::circle(canvas, Fixed(X(i), Y(line.values[i])), 4 << kFraction,
                 cv::Scalar(ink[0], ink[1], ink[2]), cv::FILLED, cv::LINE_AA,
                 kFraction);
    }
  }

  absl::Status Legend(size_t index) {
    const auto y = top_ + 8 + static_cast<int64_t>(index) * 20;
    const auto ink = kInks[index % kInks.size()];
    const auto fixed_y = static_cast<double>(y);
    const auto x = static_cast<double>(legend_x_);
    Stroke(Fixed(x - 28, fixed_y), Fixed(x - 8, fixed_y), ink,
           series_[index].dashed ? 1 : 2);
    return DrawText(FitText(series_[index].name, kLabelStyle,
                            options_.width - legend_x_ - 8),
                    kLabelStyle, y, legend_x_, image_);
  }

  absl::Span<const PlotSeries> series_;
  const PlotOptions& options_;
  const Axis axis_;
  Image image_;
  int64_t legend_x_ = 0;
  int64_t left_ = 0;
  int64_t right_ = 0;
  int64_t top_ = 0;
  int64_t bottom_ = 0;
};

}  // namespace

absl::StatusOr<Image> LinePlot(absl::Span<const PlotSeries> series,
                               const PlotOptions& options) {
  RETURN_IF_ERROR(Check(series, options));
  ASSIGN_OR_RETURN(const Axis axis, VerticalAxis(series, options));
  absl::StatusOr<Image> image;
  RETURN_IF_ERROR(CatchAsStatus("drawing a plot", [&] {
    image = Plotter(series, options, axis).Draw();
    return image.status();
  }));
  return image;
}

}  // namespace saliency
