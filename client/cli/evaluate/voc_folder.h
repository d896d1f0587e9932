// Folders laid out as Pascal VOC's: images, boxes by category, image sets.
//
//   JPEGImages/000001.jpg
//   Annotations/000001.xml
//   ImageSets/Main/test.txt        one name a line
//
// Source: Everingham et al., "The Pascal Visual Object Classes (VOC)
// Challenge", IJCV 2010.  VOCdevkit/VOC2007 can be read as it is.
// Pure functions of the file system; safe from any thread.

#ifndef SALIENCY_CLIENT_CLI_EVALUATE_VOC_FOLDER_H_
#define SALIENCY_CLIENT_CLI_EVALUATE_VOC_FOLDER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/input_config.h"

namespace saliency {

struct VocObject {
  std::string category;
  PixelRect box;           // the XML counts from 1, this from 0
  bool difficult = false;  // hard to recognise: does not count by itself
};

struct VocAnnotation {
  int64_t height = 0;  // of the image
  int64_t width = 0;
  std::vector<VocObject> objects;
};

// Names of an image set, in its order, each once.  A second column, as the sets
// of single categories have, is ignored.
// Errors: NOT_FOUND no such set, listing those there are; INVALID_ARGUMENT an
//   empty one, or a name that leaves the folder.
absl::StatusOr<std::vector<std::string>> ReadImageSet(const std::string& folder,
                                                      const std::string& set);

// The image's file; .jpg, .jpeg or .png, whichever is there.
// Errors: NOT_FOUND.
absl::StatusOr<std::string> ImagePath(const std::string& folder,
                                      const std::string& name);

// Errors: NOT_FOUND no such file; those of ParseVocAnnotation with the name.
absl::StatusOr<VocAnnotation> ReadAnnotation(const std::string& folder,
                                             const std::string& name);

// `xml` comes from outside.  Boxes may be fractions, as in later VOC years;
// they are cut to the image.  Parts of objects (heads, hands) are no objects.
// Errors: INVALID_ARGUMENT no XML, no size, an object without name or box, or
//   with a box that holds no pixel of the image: no map could point at it.
absl::StatusOr<VocAnnotation> ParseVocAnnotation(absl::string_view xml);

// What the pointing game asks about one category of an image.
struct CategoryBoxes {
  std::vector<PixelRect> boxes;  // of all its objects, difficult ones included
  bool all_difficult = true;     // such a pair is skipped
  // The "difficult" subset (Zhang et al. 2018): its boxes cover less than a
  // quarter of the image, and another category is present.
  bool is_difficult = false;
};

// By category.
std::map<std::string, CategoryBoxes> GroupByCategory(
    const VocAnnotation& annotation);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_EVALUATE_VOC_FOLDER_H_
