#include "server/loading/served_copies.h"

#include <memory>
#include <string>

#include "core/serving/file_digest.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/temporary_folder.h"

namespace saliency::served_copies_test {
namespace {

using ::testing::HasSubstr;

class ServedCopiesTest : public ::testing::Test {
 protected:
  ServedCopiesTest() {
    folder_.Write("model.pt", "loaded");
    version_.model = "m";
    version_.version = 3;
    version_.sha256 = Sha256OfFile(folder_ / "model.pt").value();
  }

  // Of a reader that runs `meanwhile`.
  CopyModel Copies(std::function<absl::Status()> meanwhile) const {
    return ServedCopies(
        [meanwhile = std::move(meanwhile)](
            absl::Span<const std::string> names) -> absl::StatusOr<ModelCopy> {
          const absl::Status status = meanwhile();
          if (!status.ok()) return status;
          return ModelCopy{.parameter_names = {names.begin(), names.end()}};
        },
        folder_ / "model.pt", version_);
  }

  const TemporaryFolder folder_;
  ModelVersion version_;
};

TEST_F(ServedCopiesTest, TheFileThatServesIsCopied) {
  const auto copy = Copies([] { return absl::OkStatus(); })({"fc"});
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_EQ(copy->parameter_names, std::vector<std::string>{"fc"});
}

TEST_F(ServedCopiesTest, AFileThatChangesBetweenCopiesIsRefused) {
  int reads = 0;
  const CopyModel copies = Copies([&] {
    if (++reads == 2) folder_.Write("model.pt", "another");
    return absl::OkStatus();
  });
  EXPECT_TRUE(copies({}).ok());
  const absl::Status status = copies({}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("model \"m\" version 3 has been changed or removed"));
}

TEST_F(ServedCopiesTest, ThatItChangedIsWhyItDoesNotLoad) {
  const absl::Status unreadable = absl::InvalidArgumentError("no archive");
  EXPECT_EQ(Copies([&] { return unreadable; })({}).status(), unreadable);
  const auto changed = Copies([&] {
    folder_.Write("model.pt", "half");
    return unreadable;
  })({});
  EXPECT_EQ(changed.status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace saliency::served_copies_test
