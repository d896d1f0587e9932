#include "tests/lifecycle/laid_over.h"

#include "tests/end_to_end/child_process.h"

namespace saliency {

std::optional<std::string> UnshareFlag() {
  for (const char* flag : {"-m", "-rm"}) {
    const ProgramResult tried =
        RunProgram({.command = {"/usr/bin/unshare", flag, "/bin/sh", "-c",
                                "mount --bind /tmp /sys/fs/cgroup"}});
    if (tried.exit_code == 0) return flag;
  }
  return std::nullopt;
}

std::vector<std::string> WithLaidOver(const std::string& unshare_flag,
                                      const LaidOver& paths,
                                      const std::vector<std::string>& command) {
  std::vector<std::string> all = {
      "/usr/bin/unshare",
      unshare_flag,
      "/bin/sh",
      "-c",
      "mount --bind \"$0\" \"$1\" && shift && exec \"$@\"",
      paths.ours,
      paths.system};
  all.insert(all.end(), command.begin(), command.end());
  return all;
}

}  // namespace saliency
