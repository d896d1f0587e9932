#include "core/image/fonts.h"

#include <ft2build.h>
#include FT_FREETYPE_H
#include FT_TRUETYPE_TABLES_H

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "core/base/utf8.h"

namespace saliency {
namespace {

// Height of an "H" over the em, as the font says, or as is usual.
double CapitalShare(FT_Face face) {
  constexpr double kUsual = 0.73;
  const auto* table =
      static_cast<const TT_OS2*>(FT_Get_Sfnt_Table(face, FT_SFNT_OS2));
  const bool says = table != nullptr && table->version >= 2 &&
                    table->sCapHeight > 0 && face->units_per_EM > 0;
  return says ? static_cast<double>(table->sCapHeight) / face->units_per_EM
              : kUsual;
}

// Joiners and variation selectors, which say how their neighbours look.
bool IsInvisible(uint32_t code) {
  return (code >= 0x200B && code <= 0x200D) || code == 0x2060 ||
         (code >= 0xFE00 && code <= 0xFE0F);
}

void Stamp(const FT_Bitmap& glyph, int top, int left, cv::Mat& coverage) {
  const auto rows = static_cast<int>(glyph.rows);
  const auto columns = static_cast<int>(glyph.width);
  for (int i = std::max(0, -top); i < std::min(rows, coverage.rows - top);
       ++i) {
    uint8_t* out = coverage.ptr<uint8_t>(top + i);
    const uint8_t* in = glyph.buffer + i * glyph.pitch;
    for (int j = std::max(0, -left);
         j < std::min(columns, coverage.cols - left); ++j) {
      out[left + j] = std::max(out[left + j], in[j]);
    }
  }
}

}  // namespace

struct Fonts::Faces {
  FT_Library library = nullptr;
  std::vector<FT_Face> faces;

  // The face that has the character, and its glyph there; the first face's box.
  std::pair<FT_Face, FT_UInt> Find(uint32_t code) const {
    for (FT_Face face : faces) {
      const FT_UInt glyph = FT_Get_Char_Index(face, code);
      if (glyph != 0) return {face, glyph};
    }
    return {faces.front(), 0};
  }
};

Fonts::Fonts(absl::Span<const std::string> files)
    : faces_(std::make_unique<Faces>()) {
  if (FT_Init_FreeType(&faces_->library) != 0) return;
  for (const std::string& file : files) {
    FT_Face face = nullptr;
    if (FT_New_Face(faces_->library, file.c_str(), 0, &face) != 0) continue;
    if (FT_IS_SCALABLE(face)) {
      faces_->faces.push_back(face);
    } else {
      FT_Done_Face(face);
    }
  }
}

Fonts::~Fonts() {
  for (FT_Face face : faces_->faces) FT_Done_Face(face);
  if (faces_->library != nullptr) FT_Done_FreeType(faces_->library);
}

bool Fonts::empty() const { return faces_->faces.empty(); }

double Fonts::Draw(absl::string_view text, double capital_height, int y, int x,
                   cv::Mat* coverage) const {
  const double em = capital_height / CapitalShare(faces_->faces.front());
  for (FT_Face face : faces_->faces) {
    FT_Set_Char_Size(face, 0, static_cast<FT_F26Dot6>(std::lround(em * 64)), 72,
                     72);
  }
  const FT_Int32 how =
      FT_LOAD_NO_HINTING | (coverage == nullptr ? 0 : FT_LOAD_RENDER);
  double pen = 0;
  for (size_t at = 0; at < text.size();) {
    const Utf8Character character = Utf8At(text, at);
    at += std::max<size_t>(character.length, 1);
    if (IsInvisible(character.code)) continue;
    const auto [face, glyph] = faces_->Find(character.code);
    if (FT_Load_Glyph(face, glyph, how) != 0) continue;
    if (coverage != nullptr &&
        face->glyph->bitmap.pixel_mode == FT_PIXEL_MODE_GRAY) {
      Stamp(face->glyph->bitmap, y - face->glyph->bitmap_top,
            x + static_cast<int>(std::lround(pen)) + face->glyph->bitmap_left,
            *coverage);
    }
    pen += static_cast<double>(face->glyph->linearHoriAdvance) / 65536;
  }
  return pen;
}

}  // namespace saliency
