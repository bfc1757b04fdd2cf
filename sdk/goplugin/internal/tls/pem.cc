#include "goplugin/internal/tls/pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/tls/openssl.h"

namespace goplugin::internal {
namespace {

absl::Status Refuse(std::string what, std::vector<std::string> evidence,
                    std::string hint) {
  ErrorDetails details;
  details.reason = Reason::kOptions;
  details.what = std::move(what);
  details.evidence = std::move(evidence);
  details.hint = std::move(hint);
  return MakeError(details);
}

// Answers every question for a passphrase with a failure, and notes it.
int NoPassphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

// What the text looks like, for the two usual mistakes: DER, and the name of a
// file. Does not repeat any of it, as it may be a key in the wrong place.
std::string Looks(absl::string_view text) {
  if (text.empty()) return "it is empty";
  std::string size = absl::StrCat("it has ", text.size(), " bytes");
  if (text[0] == '\x30') return absl::StrCat(size, " and looks like DER");
  if (absl::StrContains(text, "-----BEGIN ")) return size;
  return absl::StrCat(size, " and no \"-----BEGIN \" line");
}

constexpr char kGivePem[] =
    "give the PEM text itself, not the name of a file; DER is converted by "
    "\"openssl x509 -inform DER\" (keys: \"openssl pkey -inform DER\")";

}  // namespace

absl::StatusOr<std::vector<OpensslPtr<X509>>> ReadCertificates(
    absl::string_view pem, absl::string_view what) {
  ErrorQueueGuard guard;
  const OpensslPtr<BIO> bio = ReadBio(pem);
  std::vector<OpensslPtr<X509>> certificates;
  bool asked = false;
  while (bio != nullptr) {
    OpensslPtr<X509> certificate(
        PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, &asked));
    if (certificate == nullptr) break;
    certificates.push_back(std::move(certificate));
  }
  const auto last = ERR_peek_last_error();
  const bool at_end = ERR_GET_LIB(last) == ERR_LIB_PEM &&
                      ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
  if (at_end && !certificates.empty()) return certificates;
  if (at_end) {
    return Refuse(absl::StrCat(what, " holds no certificate"), {Looks(pem)},
                  kGivePem);
  }
  return Refuse(
      absl::StrCat(what, " holds a certificate that can't be read"),
      {absl::StrCat(certificates.size(), " before it are good"), TakeErrors()},
      "repair or remove that block: gRPC would quietly leave out "
      "this certificate and all that follow");
}

absl::StatusOr<OpensslPtr<EVP_PKEY>> ReadPrivateKey(absl::string_view pem,
                                                    absl::string_view what) {
  ErrorQueueGuard guard;
  const OpensslPtr<BIO> bio = ReadBio(pem);
  bool asked = false;
  OpensslPtr<EVP_PKEY> key;
  if (bio != nullptr) {
    key.reset(
        PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, &asked));
  }
  if (key != nullptr) return key;
  if (asked) {
    return Refuse(absl::StrCat(what, " is encrypted"), {Looks(pem)},
                  "decrypt it first (\"openssl pkey\"): there is nobody to ask "
                  "for the passphrase");
  }
  return Refuse(absl::StrCat(what, " can't be read"),
                {Looks(pem), TakeErrors()}, kGivePem);
}

}  // namespace goplugin::internal
