// What a plugin writes to its stdout before and around its handshake line.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "goplugin/error.h"
#include "goplugin/internal/handshake/address.h"
#include "goplugin/internal/handshake/handshake_response.h"
#include "goplugin/internal/handshake/line_reader.h"
#include "goplugin/internal/handshake/spelling.h"

namespace goplugin::internal {
namespace {

using End = HandshakeReader::End;
using State = HandshakeReader::State;

void Require(bool condition) {
  if (!condition) std::abort();
}

HandshakePolicy Policy() {
  HandshakePolicy policy;
  policy.protocol_versions = {0, 1, 4294967295u};
  policy.networks = {Endpoint::Network::kUnix, Endpoint::Network::kTcp};
  policy.multiplex_requested = true;
  return policy;
}

void CheckError(const absl::Status& status) {
  const auto details = GetErrorDetails(status);
  Require(details.has_value());
  Require(details->reason != Reason::kUnknown);
  Require(!details->what.empty());
  Require(!details->evidence.empty());
  Require(!details->hint.empty());
  Require(status.message().size() < 64 * 1024);
}

// A response is usable, and survives being written and read again.
void CheckResponse(const HandshakeResponse& response) {
  Require(response.core_version == kCoreProtocolVersion);
  Require(response.protocol == Protocol::kGrpc);
  Require(!CheckAddress(response.endpoint).has_value());
  Require(Canonical(response.endpoint) == response.endpoint);
  const auto again =
      ParseHandshakeLine(FormatHandshakeLine(response), Policy());
  Require(again.ok());
  Require(again->app_version == response.app_version);
  Require(again->endpoint == response.endpoint);
  Require(again->certificate_der == response.certificate_der);
  Require(again->multiplex == response.multiplex);
}

void Check(const absl::StatusOr<HandshakeResponse>& result) {
  if (result.ok()) {
    CheckResponse(*result);
  } else {
    CheckError(result.status());
  }
}

// What came of one way to feed the bytes.
struct Outcome {
  std::string result;
  std::string noise;
  std::string rest;

  bool operator==(const Outcome& other) const {
    return result == other.result && noise == other.noise && rest == other.rest;
  }
};

Outcome Read(absl::string_view bytes, size_t step, End end) {
  HandshakeReader reader(Policy());
  Outcome outcome;
  for (size_t at = 0; at < bytes.size(); at += step) {
    reader.Feed(bytes.substr(at, step));
    outcome.noise += reader.TakeNoise();
  }
  if (reader.Finish(end) != State::kDone) {
    Require(end == End::kSilence);
    Require(reader.Finish(End::kExited) == State::kDone);
  }
  outcome.noise += reader.TakeNoise();
  outcome.rest = reader.TakeRest();
  Check(reader.result());
  Require(reader.noise().size() < 5000);
  outcome.result = reader.has_response()
                       ? reader.result()->raw_line
                       : std::string(reader.result().status().message());
  Require(outcome.noise.size() + outcome.rest.size() <= bytes.size());
  return outcome;
}

}  // namespace
}  // namespace goplugin::internal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using goplugin::internal::HandshakeReader;
  if (size < 2) return 0;
  const size_t step = data[0] + size_t{1};
  const auto end = static_cast<HandshakeReader::End>(data[1] % 4);
  const absl::string_view bytes(reinterpret_cast<const char*>(data) + 2,
                                size - 2);
  goplugin::internal::Check(goplugin::internal::ParseHandshakeLine(
      bytes, goplugin::internal::Policy()));
  const auto in_steps = goplugin::internal::Read(bytes, step, end);
  const auto at_once =
      goplugin::internal::Read(bytes, std::max(bytes.size(), size_t{1}), end);
  goplugin::internal::Require(in_steps == at_once);
  return 0;
}
