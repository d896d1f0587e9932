// The images of a data set: of a folder laid out as Pascal VOC's those of an
// image set, of any other those that lie in it.
// Pure functions of the file system; safe from any thread.

#ifndef SALIENCY_CLIENT_CLI_IMAGE_SET_H_
#define SALIENCY_CLIENT_CLI_IMAGE_SET_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace saliency {

// Whether there are image sets to choose from.
bool IsVocFolder(const std::string& folder);

// In the set's order, or by file name; of a folder that is no VOC folder those
// in the folders below it as well when `recursive`, with their path from it.
// Errors: as ReadImageSet or ListImages; INVALID_ARGUMENT a file's name with
//   a line break, which no journal can hold.
absl::StatusOr<std::vector<std::string>> ImageNames(const std::string& folder,
                                                    const std::string& set,
                                                    bool recursive);

// The file of one of them.  Errors: as ImagePath.
absl::StatusOr<std::string> PathOfImage(const std::string& folder,
                                        const std::string& name);

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_IMAGE_SET_H_
