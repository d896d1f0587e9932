// Names for the files of --out-dir, safe on any file system and in a shell.

#ifndef SALIENCY_CLIENT_CLI_OUTPUT_NAME_H_
#define SALIENCY_CLIENT_CLI_OUTPUT_NAME_H_

#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "saliency/v1/explanation.pb.h"

namespace saliency {

// `text` with everything but characters beyond ASCII, letters, digits and
// "._+#-" as "_" (a run as one); spaces, control characters and bytes that are
// no UTF-8 are "_" too.  Never empty, never hidden, at most 80 bytes.  Pure;
// any thread.
std::string SanitisedName(absl::string_view text);

// "cat_281-tabby_norm_grad_layer4", without an extension: image, class,
// method, layer.  Pure; any thread.
std::string OutputName(absl::string_view image_stem,
                       const v1::SaliencyMap& map);

// Hands out each name once: a repeated one gets "-2", "-3", ...
// Thread-compatible.
class UniqueNames {
 public:
  std::string Take(const std::string& name);

 private:
  absl::flat_hash_set<std::string> taken_;
};

}  // namespace saliency

#endif  // SALIENCY_CLIENT_CLI_OUTPUT_NAME_H_
