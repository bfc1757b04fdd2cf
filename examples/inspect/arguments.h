#ifndef EXAMPLES_INSPECT_ARGUMENTS_H_
#define EXAMPLES_INSPECT_ARGUMENTS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "goplugin/client_options.h"
#include "goplugin/command.h"

namespace inspect {

// What the user asked for.
struct Arguments {
  enum class Format { kText, kJson };

  goplugin::HandshakeConfig handshake;
  goplugin::TlsMode tls = goplugin::TlsMode::kAutoMtls;
  goplugin::Multiplex multiplex = goplugin::Multiplex::kNever;
  goplugin::Command command;
  // For the launch, and again for each call.
  absl::Duration timeout = absl::Seconds(30);
  // "package.Service/Method", or "" for no call.
  std::string method;
  // The request: one of them, or neither for an empty message.
  absl::optional<std::string> json;
  absl::optional<std::string> bytes;  // what --hex spells
  // Where services are described; at most one. Neither: reflection.
  std::string proto_file;
  std::string descriptor_set;
  Format format = Format::kText;
  bool help = false;
};

// The text of --help.
extern const char kUsage[];

// Reads main's arguments. With an error, which is one of kUsageReason,
// `arguments` holds what could be understood: the format to tell it in, for
// one.
absl::Status ParseArguments(int argc, const char* const* argv,
                            Arguments* arguments);

}  // namespace inspect

#endif  // EXAMPLES_INSPECT_ARGUMENTS_H_
