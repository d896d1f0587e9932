#include "tests/support/test_authority.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <random>

namespace saliency {
namespace {

template <typename T, void (*Free)(T*)>
struct Freed {
  void operator()(T* object) const { Free(object); }
};
using Certificate = std::unique_ptr<X509, Freed<X509, &X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY, &EVP_PKEY_free>>;
using Memory = std::unique_ptr<BIO, Freed<BIO, &BIO_free_all>>;

// A test cannot go on without its certificates.
void Require(bool done) {
  if (!done) std::abort();
}

std::string TextOf(BIO& memory) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(&memory, &text);
  return {text, static_cast<size_t>(size)};
}

std::string Pem(X509& certificate) {
  const Memory memory(BIO_new(BIO_s_mem()));
  Require(PEM_write_bio_X509(memory.get(), &certificate) == 1);
  return TextOf(*memory);
}

std::string Pem(EVP_PKEY& key) {
  const Memory memory(BIO_new(BIO_s_mem()));
  Require(PEM_write_bio_PrivateKey(memory.get(), &key, nullptr, nullptr, 0,
                                   nullptr, nullptr) == 1);
  return TextOf(*memory);
}

void SetName(X509& certificate, const std::string& name) {
  Require(X509_NAME_add_entry_by_txt(
              X509_get_subject_name(&certificate), "CN", MBSTRING_ASC,
              reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
              0) == 1);
}

void AddExtension(X509& certificate, int id, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value);
  Require(extension != nullptr);
  Require(X509_add_ext(&certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

// All but its issuer, its extensions and its signature.
Certificate MakeCertificate(const std::string& name, EVP_PKEY& key,
                            const Validity& validity) {
  Certificate certificate(X509_new());
  Require(X509_set_version(certificate.get(), 2) == 1);  // counted from 0
  std::random_device random;
  Require(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()),
                                  random()) == 1);
  Require(X509_gmtime_adj(X509_getm_notBefore(certificate.get()),
                          absl::ToInt64Seconds(validity.from)) != nullptr);
  Require(X509_gmtime_adj(X509_getm_notAfter(certificate.get()),
                          absl::ToInt64Seconds(validity.until)) != nullptr);
  Require(X509_set_pubkey(certificate.get(), &key) == 1);
  SetName(*certificate, name);
  return certificate;
}

}  // namespace

struct TestAuthority::Impl {
  Key key;
  Certificate certificate;
};

TestAuthority::TestAuthority(const std::string& name, Validity validity)
    : impl_(std::make_unique<Impl>()) {
  impl_->key = Key(EVP_EC_gen("P-256"));
  impl_->certificate = MakeCertificate(name, *impl_->key, validity);
  X509& own = *impl_->certificate;
  Require(X509_set_issuer_name(&own, X509_get_subject_name(&own)) == 1);
  AddExtension(own, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(own, NID_key_usage, "critical,keyCertSign");
  Require(X509_sign(&own, impl_->key.get(), EVP_sha256()) > 0);
  cert_ = Pem(own);
}

TestAuthority::~TestAuthority() = default;

KeyAndCertificate TestAuthority::Issue(const std::string& name,
                                       Validity validity) const {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate issued = MakeCertificate(name, *key, validity);
  Require(X509_set_issuer_name(
              issued.get(), X509_get_subject_name(impl_->certificate.get())) ==
          1);
  AddExtension(*issued, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
  Require(X509_sign(issued.get(), impl_->key.get(), EVP_sha256()) > 0);
  return {.key = Pem(*key), .cert = Pem(*issued)};
}

}  // namespace saliency
