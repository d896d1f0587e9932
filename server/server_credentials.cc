#include "server/server_credentials.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_credentials_options.h"
#include "server/small_file.h"

namespace saliency {
namespace {

template <typename T, void (*Free)(T*)>
struct Freed {
  void operator()(T* object) const { Free(object); }
};
using Certificate = std::unique_ptr<X509, Freed<X509, &X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY, &EVP_PKEY_free>>;
using Memory = std::unique_ptr<BIO, Freed<BIO, &BIO_free_all>>;

Memory View(const std::string& text) {
  return Memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// What is wrong with one file: "--tls-key: /etc/key.pem: ...".
struct NamedFile {
  const char* flag;
  const std::string& path;

  absl::Status Wrong(absl::string_view why) const {
    ERR_clear_error();  // OpenSSL's queue belongs to the thread, not to us
    return absl::FailedPreconditionError(
        absl::StrCat(flag, ": ", path, ": ", why));
  }
  absl::StatusOr<std::string> Read() const {
    absl::StatusOr<std::string> text = ReadSmallFile(path);
    if (!text.ok()) return Annotate(text.status(), flag);
    return text;
  }
};

// In force now, by this machine's clock.
absl::Status CheckDates(const NamedFile& file, const X509& certificate) {
  if (X509_cmp_current_time(X509_get0_notAfter(&certificate)) <= 0) {
    return file.Wrong("holds a certificate that has expired");
  }
  if (X509_cmp_current_time(X509_get0_notBefore(&certificate)) >= 0) {
    return file.Wrong("holds a certificate that is not valid yet");
  }
  return absl::OkStatus();
}

// All certificates of a file, at least one.
absl::StatusOr<std::vector<Certificate>> ReadCertificates(
    const NamedFile& file) {
  ASSIGN_OR_RETURN(const std::string text, file.Read());
  const Memory memory = View(text);
  std::vector<Certificate> certificates;
  while (X509* next =
             PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(next);
  }
  // The end of the text is told as the lack of another first line.
  const bool at_end =
      ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (certificates.empty()) return file.Wrong("holds no certificate (PEM)");
  if (!at_end) {
    return file.Wrong(absl::StrCat("certificate ", certificates.size() + 1,
                                   " cannot be read"));
  }
  return certificates;
}

absl::StatusOr<Key> ReadKey(const NamedFile& file) {
  ASSIGN_OR_RETURN(const std::string text, file.Read());
  const Memory memory = View(text);
  // An encrypted key asks for its password: there is none, and no terminal.
  const auto no_password = [](char*, int, int, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
  };
  bool asked = false;
  Key key(PEM_read_bio_PrivateKey(memory.get(), nullptr, no_password, &asked));
  if (asked) return file.Wrong("the key is encrypted");
  if (key == nullptr) return file.Wrong("holds no private key (PEM)");
  return key;
}

absl::Status CheckClientCa(const NamedFile& file) {
  ASSIGN_OR_RETURN(const std::vector<Certificate> certificates,
                   ReadCertificates(file));
  for (const Certificate& certificate : certificates) {
    RETURN_IF_ERROR(CheckDates(file, *certificate));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckTlsFiles(const ServerTlsFiles& files) {
  if (!files.enabled()) return absl::OkStatus();
  const NamedFile cert_file = {"--tls-cert", files.cert};
  const NamedFile key_file = {"--tls-key", files.key};
  ASSIGN_OR_RETURN(const std::vector<Certificate> chain,
                   ReadCertificates(cert_file));
  RETURN_IF_ERROR(CheckDates(cert_file, *chain.front()));
  ASSIGN_OR_RETURN(const Key key, ReadKey(key_file));
  if (X509_check_private_key(chain.front().get(), key.get()) != 1) {
    return key_file.Wrong("is not the key of the certificate in --tls-cert");
  }
  if (files.client_ca.empty()) return absl::OkStatus();
  return CheckClientCa({"--tls-client-ca", files.client_ca});
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const ServerTlsFiles& files) {
  if (!files.enabled()) return grpc::InsecureServerCredentials();
  RETURN_IF_ERROR(CheckTlsFiles(files));
  grpc::experimental::TlsServerCredentialsOptions options(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          files.key, files.cert, files.client_ca,
          absl::ToInt64Seconds(kTlsReloadPeriod)));
  options.watch_identity_key_cert_pairs();
  if (files.client_ca.empty()) {
    options.set_cert_request_type(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  } else {
    options.watch_root_certs();
    options.set_cert_request_type(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return grpc::experimental::TlsServerCredentials(options);
}

}  // namespace saliency
