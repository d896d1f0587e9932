#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/base/input_config.h"
#include "core/image/colour_map.h"
#include "core/image/preprocess.h"
#include "core/image/render.h"
#include "tests/image/golden_images.h"

namespace saliency::contact_sheet_test {
namespace {

constexpr Rgb kWhite = {255, 255, 255};

Image UniformImage(int64_t height, int64_t width, const Rgb& colour) {
  Image image{.height = height, .width = width};
  for (int64_t i = 0; i < height * width; ++i) {
    image.rgb.insert(image.rgb.end(), colour.begin(), colour.end());
  }
  return image;
}

Rgb PixelAt(const Image& image, int64_t y, int64_t x) {
  const uint8_t* rgb = &image.rgb[3 * (y * image.width + x)];
  return {rgb[0], rgb[1], rgb[2]};
}

// Tells cell (row, column) from all others and from the sheet's own greys.
Rgb CellColour(size_t row, size_t column) {
  return {static_cast<uint8_t>(40 + 50 * row),
          static_cast<uint8_t>(250 - 50 * column), 9};
}

// Where that colour is; fails when it fills no rectangle.
PixelRect Find(const Image& sheet, const Rgb& colour) {
  int64_t top = sheet.height;
  int64_t left = sheet.width;
  int64_t bottom = 0;
  int64_t right = 0;
  int64_t count = 0;
  for (int64_t y = 0; y < sheet.height; ++y) {
    for (int64_t x = 0; x < sheet.width; ++x) {
      if (PixelAt(sheet, y, x) != colour) continue;
      top = std::min(top, y);
      left = std::min(left, x);
      bottom = std::max(bottom, y + 1);
      right = std::max(right, x + 1);
      ++count;
    }
  }
  EXPECT_EQ(count, std::max<int64_t>(0, bottom - top) *
                       std::max<int64_t>(0, right - left));
  return {.y = top, .x = left, .height = bottom - top, .width = right - left};
}

const std::vector<std::string> kRows = {"layer1", "layer2", "layer4.2.relu"};
const std::vector<std::string> kColumns = {"gradient", "norm_grad"};

std::vector<SheetCell> UniformCells(int64_t height, int64_t width) {
  std::vector<SheetCell> cells;
  for (size_t row = 0; row < kRows.size(); ++row) {
    for (size_t column = 0; column < kColumns.size(); ++column) {
      cells.push_back(
          {.image = UniformImage(height, width, CellColour(row, column))});
    }
  }
  return cells;
}

TEST(ContactSheetTest, CellsStandInRowsAndColumnsScaledToTheirWidth) {
  const Image sheet =
      ContactSheet(kRows, kColumns, UniformCells(30, 40), "cat.jpg", 120)
          .value();
  EXPECT_EQ(sheet.rgb.size(), 3 * sheet.height * sheet.width);
  const PixelRect first = Find(sheet, CellColour(0, 0));
  for (size_t row = 0; row < kRows.size(); ++row) {
    for (size_t column = 0; column < kColumns.size(); ++column) {
      SCOPED_TRACE(testing::Message() << row << ", " << column);
      const PixelRect cell = Find(sheet, CellColour(row, column));
      EXPECT_EQ(cell.width, 120);
      EXPECT_EQ(cell.height, 90);
      EXPECT_EQ(cell.y, Find(sheet, CellColour(row, 0)).y);
      EXPECT_EQ(cell.x, Find(sheet, CellColour(0, column)).x);
      EXPECT_EQ(cell.x > first.x, column > 0);
      EXPECT_EQ(cell.y > first.y, row > 0);
    }
  }
}

TEST(ContactSheetTest, AnImageOfTheCellsWidthIsCopiedToTheBit) {
  std::vector<SheetCell> cells = UniformCells(50, 80);
  const Image plain =
      ContactSheet(kRows, kColumns, cells, "cat.jpg", 80).value();
  const PixelRect place = Find(plain, CellColour(1, 1));
  const Image noise = NoiseImage(50, 80, 1);
  cells[3].image = noise;
  const Image sheet =
      ContactSheet(kRows, kColumns, cells, "cat.jpg", 80).value();
  for (int64_t y = 0; y < 50; ++y) {
    for (int64_t x = 0; x < 80; ++x) {
      ASSERT_EQ(PixelAt(sheet, place.y + y, place.x + x), PixelAt(noise, y, x));
    }
  }
}

TEST(ContactSheetTest, ImagesOfDifferentHeightsAreCentredInTheirRow) {
  std::vector<SheetCell> cells = UniformCells(40, 80);
  cells[1].image = UniformImage(80, 80, CellColour(0, 1));
  const Image sheet = ContactSheet(kRows, kColumns, cells, "", 80).value();
  const PixelRect low = Find(sheet, CellColour(0, 0));
  const PixelRect high = Find(sheet, CellColour(0, 1));
  EXPECT_EQ(low.height, 40);
  EXPECT_EQ(high.height, 80);
  EXPECT_EQ(low.y, high.y + 20);
  EXPECT_GT(Find(sheet, CellColour(1, 0)).y, high.y + high.height);
}

TEST(ContactSheetTest, TheHeadingStandsAboveAndMovesTheRestDown) {
  const std::vector<SheetCell> cells = UniformCells(30, 40);
  const Image with =
      ContactSheet(kRows, kColumns, cells, "cat.jpg", 120).value();
  const Image without = ContactSheet(kRows, kColumns, cells, "", 120).value();
  EXPECT_EQ(with.width, without.width);
  const int64_t moved = with.height - without.height;
  EXPECT_GT(moved, 10);
  EXPECT_EQ(Find(with, CellColour(2, 1)).y,
            Find(without, CellColour(2, 1)).y + moved);
}

// The titles of one column change no other column and no cell.
TEST(ContactSheetTest, LongTitlesStayInTheirPlace) {
  std::vector<std::string> columns = kColumns;
  columns[1] = "";
  const std::vector<SheetCell> cells = UniformCells(30, 40);
  const Image plain = ContactSheet(kRows, columns, cells, "", 100).value();
  columns[1] = std::string(200, 'W');
  const Image titled = ContactSheet(kRows, columns, cells, "", 100).value();
  ASSERT_EQ(titled.width, plain.width);
  ASSERT_EQ(titled.height, plain.height);
  const PixelRect cell = Find(plain, CellColour(0, 1));
  int changed = 0;
  for (int64_t y = 0; y < plain.height; ++y) {
    for (int64_t x = 0; x < plain.width; ++x) {
      if (PixelAt(titled, y, x) == PixelAt(plain, y, x)) continue;
      EXPECT_GE(x, cell.x - 1);
      EXPECT_LE(x, cell.x + cell.width);
      EXPECT_LT(y, cell.y);
      ++changed;
    }
  }
  EXPECT_GT(changed, 50);
}

TEST(ContactSheetTest, LongRowTitlesAreCutAtTheWidthOfACell) {
  std::vector<std::string> rows = kRows;
  rows[0] = std::string(500, 'W');
  const Image sheet =
      ContactSheet(rows, kColumns, UniformCells(30, 40), "", 100).value();
  const PixelRect cell = Find(sheet, CellColour(0, 0));
  EXPECT_GT(cell.x, 100);
  EXPECT_LT(cell.x, 140);
  for (int64_t y = 0; y < sheet.height; ++y) {
    EXPECT_EQ(PixelAt(sheet, y, cell.x - 1), kWhite) << "row " << y;
  }
}

TEST(ContactSheetTest, ACellWithoutAnImageShowsItsNoteOnGrey) {
  std::vector<SheetCell> cells = UniformCells(30, 40);
  const Image before = ContactSheet(kRows, kColumns, cells, "", 120).value();
  const PixelRect place = Find(before, CellColour(2, 0));
  cells[4] = {.note = "cam needs a linear head behind a global average pool"};
  const Image sheet = ContactSheet(kRows, kColumns, cells, "", 120).value();
  ASSERT_EQ(sheet.height, before.height);
  const Rgb ground = PixelAt(sheet, place.y, place.x);
  EXPECT_NE(ground, kWhite);
  int ink = 0;
  for (int64_t y = place.y; y < place.y + place.height; ++y) {
    for (int64_t x = place.x; x < place.x + place.width; ++x) {
      const Rgb pixel = PixelAt(sheet, y, x);
      if (pixel[1] + 60 < ground[1]) ++ink;
      const bool is_edge = x < place.x + 2 || x >= place.x + place.width - 2;
      if (is_edge) {
        EXPECT_EQ(pixel, ground) << y << ", " << x;
      }
    }
  }
  EXPECT_GT(ink, 100);
}

TEST(ContactSheetTest, ALongNoteOrAHugeWordStaysInItsCell) {
  const std::vector<SheetCell> quiet(1, SheetCell{.note = " "});
  const Image empty = ContactSheet({"r"}, {"c"}, quiet, "", 120).value();
  for (const std::string& note :
       {std::string(5000, 'x'),
        std::string("many words ") + std::string(3000, 'y') + " and more", [] {
          std::string words;
          for (int i = 0; i < 500; ++i) words += "word ";
          return words;
        }()}) {
    const Image sheet =
        ContactSheet({"r"}, {"c"}, {{.note = note}}, "", 120).value();
    ASSERT_EQ(sheet.height, empty.height);
    for (int64_t y = 0; y < sheet.height; ++y) {
      for (int64_t x = 0; x < sheet.width; ++x) {
        if (PixelAt(empty, y, x) == kWhite) {
          ASSERT_EQ(PixelAt(sheet, y, x), kWhite) << y << ", " << x;
        }
      }
    }
  }
}

TEST(ContactSheetTest, EverySizeOfCellHasRoomForItsTitles) {
  for (const int64_t cell_width : {32, 60, 120, 240, 480}) {
    SCOPED_TRACE(cell_width);
    const Image sheet = ContactSheet(kRows, kColumns, UniformCells(30, 40),
                                     "cat.jpg", cell_width)
                            .value();
    EXPECT_EQ(Find(sheet, CellColour(0, 0)).width, cell_width);
    EXPECT_EQ(PixelAt(sheet, 0, 0), kWhite);
    EXPECT_EQ(PixelAt(sheet, sheet.height - 1, sheet.width - 1), kWhite);
  }
}

TEST(ContactSheetTest, WhatCannotBeLaidOutIsRefusedWithTheNumbers) {
  const std::vector<SheetCell> cells = UniformCells(30, 40);
  const auto message = [&](absl::Span<const std::string> rows,
                           absl::Span<const SheetCell> some, int64_t width) {
    const absl::Status status =
        ContactSheet(rows, kColumns, some, "", width).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_EQ(message(kRows, absl::MakeSpan(cells).subspan(1), 100),
            "a contact sheet of 3 rows x 2 columns cannot hold 5 cells");
  EXPECT_EQ(message({}, {}, 100),
            "a contact sheet of 0 rows x 2 columns cannot hold 0 cells");
  EXPECT_EQ(message(kRows, cells, 31),
            "cell width 31 is not in [32, 4096] pixels");
  EXPECT_EQ(message(kRows, cells, 4097),
            "cell width 4097 is not in [32, 4096] pixels");
}

TEST(ContactSheetTest, ASheetOfTooManyPixelsIsRefusedBeforeItIsMade) {
  const std::vector<std::string> rows(512, "layer");
  const std::vector<std::string> columns(64, "method");
  const std::vector<SheetCell> cells(512 * 64);
  const absl::Status status =
      ContactSheet(rows, columns, cells, "", 4096).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              testing::HasSubstr("pixels, limit 268435456 in all"));
}

}  // namespace
}  // namespace saliency::contact_sheet_test
