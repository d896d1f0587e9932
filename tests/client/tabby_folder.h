// A data set laid out as Pascal VOC's, for the tests of evaluations.

#ifndef SALIENCY_TESTS_CLIENT_TABBY_FOLDER_H_
#define SALIENCY_TESTS_CLIENT_TABBY_FOLDER_H_

#include <string>

#include "tests/client/run_command.h"

namespace saliency {

// Images "000" to "005" of the set "test", of 60 x 80 pixels and with one
// tabby each, which is at (10, 10) in the even ones and elsewhere in the odd
// ones.  Writes them below `folder` and returns the path of the data set.
std::string AddTabbyFolder(const TestFolder& folder);

}  // namespace saliency

#endif  // SALIENCY_TESTS_CLIENT_TABBY_FOLDER_H_
