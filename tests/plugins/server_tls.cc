#include "tests/plugins/server_tls.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "tests/plugins/server_certificate.h"

namespace server_plugin {
namespace {

enum class Announce { kNothing, kCertificate, kOther, kText };
enum class ServeBy { kPlaintext, kMutual, kOneWay };

// One value of --tls.
struct Kind {
  const char* name;
  Announce announce;
  ServeBy serve;
};

constexpr Kind kKinds[] = {
    {"mutual", Announce::kCertificate, ServeBy::kMutual},
    {"none", Announce::kNothing, ServeBy::kPlaintext},
    {"announced-plaintext", Announce::kCertificate, ServeBy::kPlaintext},
    {"unannounced", Announce::kNothing, ServeBy::kOneWay},
    {"one-way", Announce::kCertificate, ServeBy::kOneWay},
    {"expired", Announce::kCertificate, ServeBy::kMutual},
    {"not-yet-valid", Announce::kCertificate, ServeBy::kMutual},
    {"weak-key", Announce::kCertificate, ServeBy::kMutual},
    {"wrong-name", Announce::kCertificate, ServeBy::kMutual},
    {"other-certificate", Announce::kOther, ServeBy::kMutual},
    {"padded", Announce::kCertificate, ServeBy::kMutual},
    {"bad-base64", Announce::kText, ServeBy::kMutual},
    {"bad-der", Announce::kText, ServeBy::kMutual},
    {"cut-der", Announce::kText, ServeBy::kMutual},
    {"short-field", Announce::kText, ServeBy::kPlaintext},
};

Kind FindKind(const Flags& flags, bool asked) {
  std::string name = flags.Get("tls", "auto");
  // As a stock plugin: mutual when the host asks for it.
  if (name == "auto") name = asked ? "mutual" : "none";
  for (const Kind& kind : kKinds) {
    if (name == kind.name) return kind;
  }
  fprintf(stderr, "server_plugin: unknown --tls=%s\n", name.c_str());
  exit(64);
}

CertificateSpec SpecOf(absl::string_view kind, const Flags& flags) {
  constexpr std::int32_t kDay = 24 * 3600;
  CertificateSpec spec;
  spec.key = flags.Get("tls-key", kind == "weak-key" ? "rsa1024" : "p256");
  if (kind == "expired") {
    spec.not_before = -2 * kDay;
    spec.not_after = -kDay;
  }
  if (kind == "not-yet-valid") {
    spec.not_before = kDay;
    spec.not_after = 2 * kDay;
  }
  if (kind == "wrong-name") spec.name = "plugin.example.com";
  return spec;
}

// Base64, without padding as go-plugin has it.
std::string Field(absl::string_view kind, const std::string& der) {
  std::string text = absl::Base64Escape(der);
  if (kind == "padded") return text;
  while (absl::EndsWith(text, "=")) text.pop_back();
  return text;
}

std::string BadField(absl::string_view kind, const std::string& der) {
  if (kind == "short-field") return "extra";
  if (kind == "bad-der") return Field(kind, std::string(120, 'A'));
  if (kind == "cut-der") return Field(kind, der.substr(0, der.size() / 2));
  return "!" + Field(kind, der).substr(1);
}

std::shared_ptr<grpc::ServerCredentials> Credentials(
    ServeBy serve, const Certificate& certificate, const char* client) {
  if (serve == ServeBy::kPlaintext) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  // A host that sent no certificate can't be asked for one.
  if (serve == ServeBy::kMutual && client != nullptr) {
    options.client_certificate_request =
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
    options.pem_root_certs = client;
  }
  options.pem_key_cert_pairs.push_back(
      {certificate.private_key_pem, certificate.certificate_pem});
  return grpc::SslServerCredentials(options);
}

}  // namespace

ServerTls MakeServerTls(const Flags& flags) {
  const char* client = getenv("PLUGIN_CLIENT_CERT");
  Kind kind = FindKind(flags, client != nullptr);
  CertificateSpec spec = SpecOf(kind.name, flags);
  if (spec.key == "rsa1024") AllowWeakKeys();

  ServerTls result;
  bool used =
      kind.announce != Announce::kNothing || kind.serve != ServeBy::kPlaintext;
  Certificate certificate = used ? MakeCertificate(spec) : Certificate();
  // A length without padding would not show it; signatures differ in length.
  while (absl::string_view(kind.name) == "padded" &&
         certificate.der.size() % 3 == 0) {
    certificate = MakeCertificate(spec);
  }
  result.credentials = Credentials(kind.serve, certificate, client);
  switch (kind.announce) {
    case Announce::kNothing:
      break;
    case Announce::kCertificate:
      result.field = Field(kind.name, certificate.der);
      break;
    case Announce::kOther:
      result.field = Field(kind.name, MakeCertificate(spec).der);
      break;
    case Announce::kText:
      result.field = BadField(kind.name, certificate.der);
      break;
  }
  return result;
}

}  // namespace server_plugin
