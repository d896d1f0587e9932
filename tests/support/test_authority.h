// Certificates for one test, made when it runs: no key lies in the tree.
// Thread-compatible.

#ifndef SALIENCY_TESTS_SUPPORT_TEST_AUTHORITY_H_
#define SALIENCY_TESTS_SUPPORT_TEST_AUTHORITY_H_

#include <memory>
#include <string>

#include "absl/time/time.h"

namespace saliency {

// PEM.
struct KeyAndCertificate {
  std::string key;
  std::string cert;
};

// From and until when a certificate is valid, counted from now.
struct Validity {
  absl::Duration from = -absl::Hours(1);
  absl::Duration until = absl::Hours(24);
};

// Signs certificates; P-256.
class TestAuthority {
 public:
  explicit TestAuthority(const std::string& name, Validity validity = {});
  ~TestAuthority();

  // Its own certificate, PEM: what a peer has to trust.
  const std::string& cert() const { return cert_; }
  // A new key and its certificate, good for 127.0.0.1, as server or client.
  KeyAndCertificate Issue(const std::string& name,
                          Validity validity = {}) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::string cert_;
};

}  // namespace saliency

#endif  // SALIENCY_TESTS_SUPPORT_TEST_AUTHORITY_H_
