#include "client/cli/evaluate/voc_folder.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <pugixml.hpp>
#include <set>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/image_files.h"
#include "core/base/near_names.h"
#include "core/base/status.h"
#include "core/base/text_lines.h"

namespace saliency {
namespace {

constexpr int64_t kMaxSide = 1 << 20;
constexpr double kHardPart = 0.25;  // of the image's area

bool IsPlainName(absl::string_view name) {
  return !name.empty() && name.find('/') == absl::string_view::npos &&
         name.find('\0') == absl::string_view::npos && name != "." &&
         name != "..";
}

std::string SetFolder(const std::string& folder) {
  return folder + "/ImageSets/Main";
}

std::vector<std::string> SetsIn(const std::string& folder) {
  std::vector<std::string> sets;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(SetFolder(folder), error)) {
    if (entry.path().extension() == ".txt") {
      sets.push_back(entry.path().stem().string());
    }
  }
  std::sort(sets.begin(), sets.end());
  return sets;
}

absl::StatusOr<double> NumberIn(const pugi::xml_node& node, const char* tag) {
  double number = 0;
  const absl::string_view text =
      absl::StripAsciiWhitespace(node.child_value(tag));
  if (!absl::SimpleAtod(text, &number) || !std::isfinite(number) ||
      std::abs(number) > kMaxSide) {
    return absl::InvalidArgumentError(
        absl::StrCat("<", tag, "> of <", node.name(), "> is \"",
                     Printable(text), "\", not a number of pixels"));
  }
  return number;
}

// [xmin, xmax] from 1, both inclusive, to a half-open range from 0 inside
// [0, size).
struct Range {
  int64_t start = 0;
  int64_t length = 0;
};
Range CutTo(int64_t size, double min, double max) {
  const auto first = std::max<int64_t>(std::llround(min) - 1, 0);
  const auto last = std::min<int64_t>(std::llround(max) - 1, size - 1);
  return {first, std::max<int64_t>(last - first + 1, 0)};
}

absl::StatusOr<PixelRect> BoxOf(const pugi::xml_node& object,
                                const VocAnnotation& image) {
  const pugi::xml_node box = object.child("bndbox");
  if (!box) return absl::InvalidArgumentError("an <object> has no <bndbox>");
  ASSIGN_OR_RETURN(const double left, NumberIn(box, "xmin"));
  ASSIGN_OR_RETURN(const double top, NumberIn(box, "ymin"));
  ASSIGN_OR_RETURN(const double right, NumberIn(box, "xmax"));
  ASSIGN_OR_RETURN(const double bottom, NumberIn(box, "ymax"));
  const Range columns = CutTo(image.width, left, right);
  const Range rows = CutTo(image.height, top, bottom);
  if (columns.length == 0 || rows.length == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the <bndbox> ", left, " ", top, " ", right, " ", bottom,
                     " holds no pixel of the image"));
  }
  return PixelRect{.y = rows.start,
                   .x = columns.start,
                   .height = rows.length,
                   .width = columns.length};
}

absl::StatusOr<int64_t> SideIn(const pugi::xml_node& size, const char* tag) {
  ASSIGN_OR_RETURN(const double side, NumberIn(size, tag));
  if (side < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("<", tag, "> of <size> is ", side, ", less than 1"));
  }
  return static_cast<int64_t>(side);
}

// Columns that the boxes cover in row `y`.  `boxes` is sorted by x.
int64_t CoveredInRow(const std::vector<PixelRect>& boxes, int64_t y) {
  int64_t covered = 0;
  int64_t reached = 0;
  for (const PixelRect& box : boxes) {
    if (y < box.y || y >= box.y + box.height) continue;
    const int64_t end = box.x + box.width;
    covered += std::max<int64_t>(end - std::max(box.x, reached), 0);
    reached = std::max(reached, end);
  }
  return covered;
}

// Pixels that the boxes cover together.  Looks at one row between each two
// edges, so that the size of the image does not matter.
int64_t CoveredPixels(std::vector<PixelRect> boxes) {
  std::sort(boxes.begin(), boxes.end(),
            [](const PixelRect& a, const PixelRect& b) { return a.x < b.x; });
  std::set<int64_t> edges;
  for (const PixelRect& box : boxes) {
    edges.insert({box.y, box.y + box.height});
  }
  int64_t covered = 0;
  int64_t last = 0;
  for (const int64_t edge : edges) {
    covered += (edge - last) * CoveredInRow(boxes, last);
    last = edge;
  }
  return covered;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ReadImageSet(const std::string& folder,
                                                      const std::string& set) {
  const absl::StatusOr<std::string> text =
      IsPlainName(set) ? ReadFile(SetFolder(folder) + "/" + set + ".txt")
                       : absl::NotFoundError("");
  if (!text.ok()) {
    const std::vector<std::string> sets = SetsIn(folder);
    return absl::NotFoundError(absl::StrCat(
        "no image set \"", Printable(set), "\" in ", SetFolder(folder),
        sets.empty() ? "" : "; there are: ", absl::StrJoin(sets, ", ")));
  }
  std::vector<std::string> names;
  std::set<absl::string_view> seen;
  const absl::StatusOr<std::vector<absl::string_view>> lines = TextLines(*text);
  if (!lines.ok()) {
    return Annotate(lines.status(), absl::StrCat("image set ", set));
  }
  for (const absl::string_view line : *lines) {
    const std::vector<absl::string_view> columns =
        absl::StrSplit(absl::StripAsciiWhitespace(line), absl::ByAnyChar(" \t"),
                       absl::SkipEmpty());
    if (columns.empty()) continue;
    if (!IsPlainName(columns[0])) {
      return absl::InvalidArgumentError(absl::StrCat(
          "image set ", set, " names \"", Printable(columns[0]), "\""));
    }
    if (seen.insert(columns[0]).second) names.emplace_back(columns[0]);
  }
  if (names.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("image set ", set, " is empty"));
  }
  return names;
}

absl::StatusOr<std::string> ImagePath(const std::string& folder,
                                      const std::string& name) {
  const std::string start = absl::StrCat(folder, "/JPEGImages/", name);
  for (const char* ending : {".jpg", ".jpeg", ".png"}) {
    std::error_code error;
    if (std::filesystem::is_regular_file(start + ending, error)) {
      return start + ending;
    }
  }
  return absl::NotFoundError(absl::StrCat("no image ", start, ".jpg"));
}

absl::StatusOr<VocAnnotation> ReadAnnotation(const std::string& folder,
                                             const std::string& name) {
  const std::string path = absl::StrCat(folder, "/Annotations/", name, ".xml");
  const absl::StatusOr<std::string> xml = ReadFile(path);
  if (!xml.ok()) return absl::NotFoundError("no annotation " + path);
  absl::StatusOr<VocAnnotation> annotation = ParseVocAnnotation(*xml);
  return annotation.ok() ? annotation : Annotate(annotation.status(), path);
}

absl::StatusOr<VocAnnotation> ParseVocAnnotation(absl::string_view xml) {
  pugi::xml_document document;
  const pugi::xml_parse_result parsed =
      document.load_buffer(xml.data(), xml.size());
  const pugi::xml_node root = document.child("annotation");
  if (!parsed || !root) {
    return absl::InvalidArgumentError("no XML with an <annotation>");
  }
  const pugi::xml_node size = root.child("size");
  VocAnnotation annotation;
  ASSIGN_OR_RETURN(annotation.width, SideIn(size, "width"));
  ASSIGN_OR_RETURN(annotation.height, SideIn(size, "height"));
  for (const pugi::xml_node& object : root.children("object")) {
    const absl::string_view category =
        absl::StripAsciiWhitespace(object.child_value("name"));
    if (category.empty()) {
      return absl::InvalidArgumentError("an <object> has no <name>");
    }
    ASSIGN_OR_RETURN(const PixelRect box, BoxOf(object, annotation));
    annotation.objects.push_back(
        {.category = std::string(category),
         .box = box,
         .difficult = absl::StripAsciiWhitespace(
                          object.child_value("difficult")) == "1"});
  }
  return annotation;
}

std::map<std::string, CategoryBoxes> GroupByCategory(
    const VocAnnotation& annotation) {
  std::map<std::string, CategoryBoxes> groups;
  for (const VocObject& object : annotation.objects) {
    CategoryBoxes& group = groups[object.category];
    group.boxes.push_back(object.box);
    group.all_difficult = group.all_difficult && object.difficult;
  }
  const double limit =
      kHardPart * static_cast<double>(annotation.height * annotation.width);
  for (auto& [category, group] : groups) {
    group.is_difficult =
        groups.size() > 1 &&
        static_cast<double>(CoveredPixels(group.boxes)) < limit;
  }
  return groups;
}

}  // namespace saliency
