#include "server/security/server_credentials.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "grpc/grpc.h"
#include "grpc/grpc_security.h"
#include "server/security/small_file.h"

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
absl::StatusOr<std::vector<Certificate>> ParseCertificates(
    const NamedFile& file, const std::string& text) {
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

absl::StatusOr<Key> ParseKey(const NamedFile& file, const std::string& text) {
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

absl::Status CheckClientCa(const NamedFile& file, const std::string& text) {
  ASSIGN_OR_RETURN(const std::vector<Certificate> certificates,
                   ParseCertificates(file, text));
  for (const Certificate& certificate : certificates) {
    RETURN_IF_ERROR(CheckDates(file, *certificate));
  }
  return absl::OkStatus();
}

absl::Status CheckIdentity(const NamedFile& cert_file,
                           const NamedFile& key_file, const TlsTexts& texts) {
  ASSIGN_OR_RETURN(const std::vector<Certificate> chain,
                   ParseCertificates(cert_file, texts.cert));
  RETURN_IF_ERROR(CheckDates(cert_file, *chain.front()));
  ASSIGN_OR_RETURN(const Key key, ParseKey(key_file, texts.key));
  if (X509_check_private_key(chain.front().get(), key.get()) != 1) {
    return key_file.Wrong("is not the key of the certificate in --tls-cert");
  }
  return absl::OkStatus();
}

grpc_ssl_server_certificate_config* MakeConfig(const TlsTexts& texts) {
  const grpc_ssl_pem_key_cert_pair pair = {.private_key = texts.key.c_str(),
                                           .cert_chain = texts.cert.c_str()};
  // gRPC insists on roots, also where it asks callers for no certificate.
  const std::string& roots =
      texts.client_ca.empty() ? texts.cert : texts.client_ca;
  return grpc_ssl_server_certificate_config_create(roots.c_str(), &pair, 1);
}

// Asked at each handshake, one at a time; `data` are IdentityCredentials.
grpc_ssl_certificate_config_reload_status FetchConfig(
    void* data, grpc_ssl_server_certificate_config** config);

// gRPC's own credentials from files take whatever the files become.  These ask
// for the identity at each handshake, through gRPC's C interface; its C++ one
// has nothing of the kind.
class IdentityCredentials final : public grpc::ServerCredentials {
 public:
  explicit IdentityCredentials(std::shared_ptr<const TlsIdentity> identity)
      : identity_(std::move(identity)),
        credentials_(grpc_ssl_server_credentials_create_with_options(
            grpc_ssl_server_credentials_create_options_using_config_fetcher(
                identity_->asks_for_certificates()
                    ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                    : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
                &FetchConfig, this))) {}
  ~IdentityCredentials() override {
    grpc_server_credentials_release(credentials_);
  }

  // The identity, where it is another than the last one that was fetched.
  std::optional<TlsTexts> FetchNew() { return identity_->NewerThan(fetched_); }

  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>& /*none*/) override {}

 private:
  int AddPortToServer(const std::string& address,
                      grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  const std::shared_ptr<const TlsIdentity> identity_;
  int64_t fetched_ = 0;
  grpc_server_credentials* const credentials_;
};

grpc_ssl_certificate_config_reload_status FetchConfig(
    void* data, grpc_ssl_server_certificate_config** config) {
  const std::optional<TlsTexts> texts =
      static_cast<IdentityCredentials*>(data)->FetchNew();
  if (!texts.has_value()) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
  *config = MakeConfig(*texts);
  return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

}  // namespace

absl::StatusOr<TlsTexts> ReadTlsFiles(const ServerTlsFiles& files) {
  const NamedFile cert_file = {"--tls-cert", files.cert};
  const NamedFile key_file = {"--tls-key", files.key};
  TlsTexts texts;
  ASSIGN_OR_RETURN(texts.cert, cert_file.Read());
  ASSIGN_OR_RETURN(texts.key, key_file.Read());
  RETURN_IF_ERROR(CheckIdentity(cert_file, key_file, texts));
  if (files.client_ca.empty()) return texts;
  const NamedFile ca_file = {"--tls-client-ca", files.client_ca};
  ASSIGN_OR_RETURN(texts.client_ca, ca_file.Read());
  RETURN_IF_ERROR(CheckClientCa(ca_file, texts.client_ca));
  return texts;
}

absl::Status CheckTlsFiles(const ServerTlsFiles& files) {
  return files.enabled() ? ReadTlsFiles(files).status() : absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<TlsIdentity>> TlsIdentity::Read(
    const ServerTlsFiles& files) {
  ASSIGN_OR_RETURN(TlsTexts texts, ReadTlsFiles(files));
  return std::shared_ptr<TlsIdentity>(new TlsIdentity(files, std::move(texts)));
}

absl::StatusOr<bool> TlsIdentity::Reload() {
  ASSIGN_OR_RETURN(TlsTexts texts, ReadTlsFiles(files_));
  MutexLock lock(&mu_);
  if (texts == texts_) return false;
  texts_ = std::move(texts);
  ++number_;
  return true;
}

std::optional<TlsTexts> TlsIdentity::NewerThan(int64_t& number) const {
  MutexLock lock(&mu_);
  if (number == number_) return std::nullopt;
  number = number_;
  return texts_;
}

std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(
    const std::shared_ptr<const TlsIdentity>& identity) {
  if (identity == nullptr) return grpc::InsecureServerCredentials();
  return std::make_shared<IdentityCredentials>(identity);
}

}  // namespace saliency
