#include "goplugin/internal/broker/conn_info.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "goplugin/error.h"
#include "goplugin/internal/error/make_error.h"
#include "goplugin/internal/handshake/address.h"
#include "goplugin/internal/handshake/spelling.h"

namespace goplugin::internal {
namespace {

// Of what came, in an error.
constexpr size_t kQuoted = 160;
constexpr size_t kQuotedError = 256;
// More than any path or host:port has.
constexpr size_t kLongestAddress = 512;

absl::Status Undialable(const wire::ConnInfo& info, std::string problem,
                        std::string hint) {
  ErrorDetails details;
  details.reason = Reason::kTransport;
  details.what = absl::StrCat("the announcement of brokered connection ",
                              info.service_id(), " can't be used");
  details.evidence = {std::move(problem),
                      absl::StrCat("network ", Quote(info.network(), 64)),
                      absl::StrCat("address ", Quote(info.address(), kQuoted))};
  details.hint = std::move(hint);
  return MakeError(details);
}

}  // namespace

wire::ConnInfo AnnouncementOf(std::uint32_t id, const Endpoint& endpoint) {
  wire::ConnInfo info;
  info.set_service_id(id);
  info.set_network(NetworkName(endpoint.network));
  info.set_address(endpoint.address);
  return info;
}

absl::Status CheckAnnounceable(const Endpoint& endpoint) {
  if (endpoint.address.size() <= kLongestAddress) return absl::OkStatus();
  return MakeError(
      Reason::kTransport,
      absl::StrCat("an address of ", endpoint.address.size(),
                   " bytes can't be announced"),
      "the runner's translation must give a socket's path or host:port");
}

absl::StatusOr<Endpoint> AnnouncedEndpoint(const wire::ConnInfo& info) {
  Endpoint endpoint;
  if (info.network() == NetworkName(Endpoint::Network::kUnix)) {
    endpoint.network = Endpoint::Network::kUnix;
  } else if (info.network() == NetworkName(Endpoint::Network::kTcp)) {
    endpoint.network = Endpoint::Network::kTcp;
  } else {
    return Undialable(info, "its network is neither \"unix\" nor \"tcp\"",
                      "the side that accepts must listen on a unix socket or "
                      "a tcp port");
  }
  // Judged before it is copied: it may be of any size.
  if (info.address().size() > kLongestAddress) {
    return Undialable(
        info, absl::StrCat("its address has ", info.address().size(), " bytes"),
        "the side that accepts must announce a socket's path of at most 107 "
        "bytes, or host:port");
  }
  endpoint.address = info.address();
  endpoint = Canonical(std::move(endpoint));
  if (const absl::optional<AddressProblem> problem = CheckAddress(endpoint)) {
    return Undialable(info, problem->what,
                      "the side that accepts must announce a socket's path of "
                      "at most 107 bytes, or host:port");
  }
  return endpoint;
}

bool IsKnock(const wire::ConnInfo& info) { return info.knock().knock(); }

std::string KnockError(const wire::ConnInfo& info) {
  return info.knock().error().substr(0, kQuotedError);
}

wire::ConnInfo KnockAt(std::uint32_t id) {
  wire::ConnInfo knock;
  knock.set_service_id(id);
  knock.mutable_knock()->set_knock(true);
  return knock;
}

wire::ConnInfo AnswerTo(std::uint32_t id, const std::string& error) {
  wire::ConnInfo answer = KnockAt(id);
  answer.mutable_knock()->set_ack(true);
  answer.mutable_knock()->set_error(error);
  return answer;
}

}  // namespace goplugin::internal
