#include "core/serving/file_digest.h"

#include <string>

#include "gtest/gtest.h"
#include "tests/server/temporary_folder.h"

namespace saliency::file_digest_test {
namespace {

TEST(FileDigestTest, MatchesThePublishedValues) {
  TemporaryFolder folder;
  folder.Write("empty", "");
  folder.Write("abc", "abc");
  EXPECT_EQ(Sha256OfFile(folder / "empty").value(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256OfFile(folder / "abc").value(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(FileDigestTest, FilesLongerThanOnePieceAreReadWhole) {
  TemporaryFolder folder;
  folder.Write("million", std::string(1'000'000, 'a'));
  EXPECT_EQ(Sha256OfFile(folder / "million").value(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  folder.Write("a", std::string(3 << 20, 'a'));
  folder.Write("b", std::string((3 << 20) - 1, 'a') + "b");
  EXPECT_NE(Sha256OfFile(folder / "a").value(),
            Sha256OfFile(folder / "b").value());
}

TEST(FileDigestTest, AMissingFileIsNotFoundWithoutItsPath) {
  EXPECT_EQ(Sha256OfFile("/no/such/file").status(),
            absl::NotFoundError("the file cannot be opened"));
}

}  // namespace
}  // namespace saliency::file_digest_test
