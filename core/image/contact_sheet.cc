// A table of images with titles, on white.

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/input_config.h"
#include "core/base/status.h"
#include "core/image/preprocess.h"
#include "core/image/render.h"
#include "core/image/text.h"

namespace saliency {
namespace {

constexpr int64_t kMinCellWidth = 32;
constexpr int64_t kMaxCellWidth = 4096;
constexpr int64_t kMaxPixels = 256 << 20;
constexpr Rgb kPaper = {255, 255, 255};
constexpr Rgb kRule = {214, 217, 222};
constexpr Rgb kNoteGround = {239, 240, 243};
constexpr Rgb kHeadingInk = {23, 26, 31};
constexpr Rgb kTitleInk = {64, 69, 78};
constexpr Rgb kNoteInk = {120, 60, 56};

// Everything grows with the cells.
struct Measures {
  int64_t margin;
  int64_t gap;
  TextStyle heading;
  TextStyle title;
  TextStyle note;
};

Measures MeasuresFor(int64_t cell_width) {
  const double unit =
      static_cast<double>(std::max<int64_t>(cell_width, 120)) / 240;
  return {.margin = std::lround(22 * unit),
          .gap = std::lround(8 * unit),
          .heading = {.capital_height = 14 * unit,
                      .weight = TextWeight::kBold,
                      .colour = kHeadingInk},
          .title = {.capital_height = std::max(9.5 * unit, 7.0),
                    .colour = kTitleInk},
          .note = {.capital_height = std::max(8.5 * unit, 7.0),
                   .colour = kNoteInk}};
}

// Where everything goes.
struct Layout {
  int64_t cell_width = 0;
  int64_t heading_y = 0;  // middle of the line; the rule lies at rule_y
  int64_t rule_y = 0;
  int64_t titles_y = 0;
  int64_t titles_width = 0;  // of the rows' titles
  int64_t cells_x = 0;
  std::vector<int64_t> row_y;
  std::vector<int64_t> row_height;
  int64_t height = 0;
  int64_t width = 0;
};

int64_t CellHeight(const SheetCell& cell, int64_t cell_width) {
  const Image& image = cell.image;
  if (image.rgb.empty()) return cell_width / 2;
  return std::max<int64_t>(
      1, (2 * cell_width * image.height + image.width) / (2 * image.width));
}

Layout Arrange(absl::Span<const std::string> rows,
               absl::Span<const std::string> columns,
               absl::Span<const SheetCell> cells, bool has_heading,
               const Measures& measures, int64_t cell_width) {
  Layout layout{.cell_width = cell_width};
  int64_t y = measures.margin;
  if (has_heading) {
    const auto line = std::lround(measures.heading.capital_height);
    layout.heading_y = y + line / 2;
    layout.rule_y = y + line + measures.margin * 3 / 5;
    y = layout.rule_y + measures.margin * 3 / 5;
  }
  const auto line = std::lround(measures.title.capital_height);
  layout.titles_y = y + line / 2;
  y += line + measures.gap * 3 / 2;
  for (size_t row = 0; row < rows.size(); ++row) {
    int64_t height = 0;
    for (const SheetCell& cell :
         cells.subspan(row * columns.size(), columns.size())) {
      height = std::max(height, CellHeight(cell, cell_width));
    }
    layout.titles_width =
        std::max(layout.titles_width, TextWidth(rows[row], measures.title));
    layout.row_y.push_back(y);
    layout.row_height.push_back(height);
    y += height + measures.gap;
  }
  layout.height = y - measures.gap + measures.margin;
  layout.titles_width = std::min(layout.titles_width, cell_width);
  layout.cells_x = measures.margin;
  if (layout.titles_width > 0) {
    layout.cells_x += layout.titles_width + 2 * measures.gap;
  }
  const auto count = static_cast<int64_t>(columns.size());
  layout.width = layout.cells_x + count * (cell_width + measures.gap) -
                 measures.gap + measures.margin;
  return layout;
}

void Fill(const PixelRect& rect, const Rgb& colour, Image& sheet) {
  for (int64_t y = rect.y; y < rect.y + rect.height; ++y) {
    uint8_t* out = &sheet.rgb[3 * (y * sheet.width + rect.x)];
    for (int64_t x = 0; x < rect.width; ++x) {
      out = std::copy(colour.begin(), colour.end(), out);
    }
  }
}

absl::Status DrawCentred(absl::string_view text, const TextStyle& style,
                         int64_t y, const PixelRect& within, Image& sheet) {
  const std::string shown = FitText(text, style, within.width);
  const int64_t x = within.x + (within.width - TextWidth(shown, style)) / 2;
  return DrawText(shown, style, y, x, sheet);
}

// Breaks between words; a word longer than a line is cut by FitText.
std::vector<std::string> Wrap(absl::string_view text, const TextStyle& style,
                              int64_t width) {
  std::vector<std::string> lines;
  for (const absl::string_view word :
       absl::StrSplit(text, absl::ByAnyChar(" \n\t"), absl::SkipEmpty())) {
    const std::string longer = lines.empty()
                                   ? std::string(word)
                                   : absl::StrCat(lines.back(), " ", word);
    if (!lines.empty() && TextWidth(longer, style) <= width) {
      lines.back() = longer;
    } else {
      lines.emplace_back(word);
    }
  }
  return lines;
}

absl::Status DrawNote(absl::string_view note, const PixelRect& cell,
                      const Measures& measures, Image& sheet) {
  Fill(cell, kNoteGround, sheet);
  PixelRect inner = cell;
  inner.x += measures.gap;
  inner.width -= 2 * measures.gap;
  std::vector<std::string> lines = Wrap(note, measures.note, inner.width);
  const auto step = std::lround(measures.note.capital_height * 1.9);
  const auto room = std::max<int64_t>(1, (cell.height - measures.gap) / step);
  if (static_cast<int64_t>(lines.size()) > room) {
    lines.resize(room);
    absl::StrAppend(&lines.back(), " ...");
  }
  const auto count = static_cast<int64_t>(lines.size());
  int64_t y = cell.y + (cell.height - (count - 1) * step) / 2;
  for (const std::string& line : lines) {
    RETURN_IF_ERROR(DrawCentred(line, measures.note, y, inner, sheet));
    y += step;
  }
  return absl::OkStatus();
}

absl::Status DrawCell(const SheetCell& cell, const PixelRect& place,
                      const Measures& measures, Image& sheet) {
  if (cell.image.rgb.empty()) {
    return DrawNote(cell.note, place, measures, sheet);
  }
  const Image scaled =
      ResizeImage(cell.image, CellHeight(cell, place.width), place.width);
  const int64_t top = place.y + (place.height - scaled.height) / 2;
  for (int64_t y = 0; y < scaled.height; ++y) {
    std::copy_n(&scaled.rgb[3 * y * scaled.width], 3 * scaled.width,
                &sheet.rgb[3 * ((top + y) * sheet.width + place.x)]);
  }
  return absl::OkStatus();
}

absl::Status DrawTitles(absl::Span<const std::string> rows,
                        absl::Span<const std::string> columns,
                        const Layout& layout, const Measures& measures,
                        Image& sheet) {
  for (size_t row = 0; row < rows.size(); ++row) {
    const std::string title =
        FitText(rows[row], measures.title, layout.titles_width);
    const int64_t x = measures.margin + layout.titles_width -
                      TextWidth(title, measures.title);
    RETURN_IF_ERROR(DrawText(title, measures.title,
                             layout.row_y[row] + layout.row_height[row] / 2, x,
                             sheet));
  }
  PixelRect column{.x = layout.cells_x, .width = layout.cell_width};
  for (const std::string& title : columns) {
    RETURN_IF_ERROR(
        DrawCentred(title, measures.title, layout.titles_y, column, sheet));
    column.x += layout.cell_width + measures.gap;
  }
  return absl::OkStatus();
}

absl::Status DrawHeading(absl::string_view heading, const Layout& layout,
                         const Measures& measures, Image& sheet) {
  const int64_t room = sheet.width - 2 * measures.margin;
  Fill({.y = layout.rule_y, .x = measures.margin, .height = 1, .width = room},
       kRule, sheet);
  return DrawText(FitText(heading, measures.heading, room), measures.heading,
                  layout.heading_y, measures.margin, sheet);
}

absl::Status Check(size_t rows, size_t columns, size_t cells,
                   int64_t cell_width) {
  if (rows == 0 || columns == 0 || cells != rows * columns) {
    return absl::InvalidArgumentError(
        absl::StrCat("a contact sheet of ", rows, " rows x ", columns,
                     " columns cannot hold ", cells, " cells"));
  }
  if (cell_width < kMinCellWidth || cell_width > kMaxCellWidth) {
    return absl::InvalidArgumentError(
        absl::StrCat("cell width ", cell_width, " is not in [", kMinCellWidth,
                     ", ", kMaxCellWidth, "] pixels"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Image> ContactSheet(absl::Span<const std::string> rows,
                                   absl::Span<const std::string> columns,
                                   absl::Span<const SheetCell> cells,
                                   absl::string_view heading,
                                   int64_t cell_width) {
  RETURN_IF_ERROR(Check(rows.size(), columns.size(), cells.size(), cell_width));
  const Measures measures = MeasuresFor(cell_width);
  const Layout layout =
      Arrange(rows, columns, cells, !heading.empty(), measures, cell_width);
  if (layout.height > kMaxPixels / layout.width) {
    return absl::InvalidArgumentError(
        absl::StrCat("a contact sheet of ", layout.width, " x ", layout.height,
                     " pixels, limit ", kMaxPixels, " in all"));
  }
  Image sheet{.height = layout.height, .width = layout.width};
  sheet.rgb.resize(3 * sheet.height * sheet.width);
  Fill({.height = sheet.height, .width = sheet.width}, kPaper, sheet);
  if (!heading.empty()) {
    RETURN_IF_ERROR(DrawHeading(heading, layout, measures, sheet));
  }
  RETURN_IF_ERROR(DrawTitles(rows, columns, layout, measures, sheet));
  for (size_t i = 0; i < cells.size(); ++i) {
    const size_t row = i / columns.size();
    const auto column = static_cast<int64_t>(i % columns.size());
    const PixelRect place{
        .y = layout.row_y[row],
        .x = layout.cells_x + column * (cell_width + measures.gap),
        .height = layout.row_height[row],
        .width = cell_width};
    RETURN_IF_ERROR(DrawCell(cells[i], place, measures, sheet));
  }
  return sheet;
}

}  // namespace saliency
