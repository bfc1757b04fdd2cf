#include "examples/inspect/arguments.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <simdjson.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "examples/inspect/error.h"

namespace inspect {
namespace {

// Reads one option's value into the arguments.
using Setter = std::function<absl::Status(absl::string_view, Arguments&)>;

absl::Status Wrong(std::string what) {
  return MakeStatus(kUsageReason, std::move(what),
                    "inspect --help says what is possible");
}

std::pair<std::string, std::string> SplitPair(absl::string_view text) {
  return absl::StrSplit(text, absl::MaxSplits('=', 1));
}

absl::Status SetCookie(absl::string_view value, Arguments& arguments) {
  std::tie(arguments.handshake.magic_cookie_key,
           arguments.handshake.magic_cookie_value) = SplitPair(value);
  if (arguments.handshake.magic_cookie_key.empty() ||
      arguments.handshake.magic_cookie_value.empty()) {
    return Wrong(absl::StrCat("--cookie is KEY=VALUE, not \"", value, "\""));
  }
  return absl::OkStatus();
}

absl::Status SetVersions(absl::string_view value, Arguments& arguments) {
  for (const absl::string_view word : absl::StrSplit(value, ',')) {
    std::uint32_t version = 0;
    if (!absl::SimpleAtoi(word, &version)) {
      return Wrong(
          absl::StrCat("--versions is a list of numbers, as in 5,6, "
                       "not \"",
                       value, "\""));
    }
    arguments.handshake.protocol_versions.push_back(version);
  }
  return absl::OkStatus();
}

absl::Status SetTls(absl::string_view value, Arguments& arguments) {
  if (value == "auto") {
    arguments.tls = goplugin::TlsMode::kAutoMtls;
  } else if (value == "if-offered") {
    arguments.tls = goplugin::TlsMode::kAutoMtlsIfOffered;
  } else if (value == "insecure") {
    arguments.tls = goplugin::TlsMode::kInsecure;
  } else {
    return Wrong(absl::StrCat("--tls is auto, if-offered or insecure, not \"",
                              value, "\""));
  }
  return absl::OkStatus();
}

absl::Status SetMultiplex(absl::string_view value, Arguments& arguments) {
  if (value == "never") {
    arguments.multiplex = goplugin::Multiplex::kNever;
  } else if (value == "if-offered") {
    arguments.multiplex = goplugin::Multiplex::kIfOffered;
  } else if (value == "require") {
    arguments.multiplex = goplugin::Multiplex::kRequire;
  } else {
    return Wrong(absl::StrCat(
        "--multiplex is never, if-offered or require, not \"", value, "\""));
  }
  return absl::OkStatus();
}

absl::Status SetEnv(absl::string_view value, Arguments& arguments) {
  if (value.find('=') == absl::string_view::npos || value[0] == '=') {
    return Wrong(absl::StrCat("--env is NAME=VALUE, not \"", value, "\""));
  }
  arguments.command.env.push_back(SplitPair(value));
  return absl::OkStatus();
}

absl::Status SetTimeout(absl::string_view value, Arguments& arguments) {
  if (!absl::ParseDuration(value, &arguments.timeout) ||
      arguments.timeout <= absl::ZeroDuration() ||
      arguments.timeout > absl::Hours(24)) {
    return Wrong(
        absl::StrCat("--timeout is a time such as 500ms, 30s or 2m, "
                     "at most 24h, not \"",
                     value, "\""));
  }
  return absl::OkStatus();
}

absl::Status SetMethod(absl::string_view value, Arguments& arguments) {
  arguments.method = std::string(absl::StripPrefix(value, "/"));
  const std::vector<absl::string_view> parts =
      absl::StrSplit(arguments.method, '/');
  if (parts.size() != 2 || parts[0].empty() || parts[1].empty()) {
    return Wrong(
        absl::StrCat("--call is package.Service/Method, not \"", value, "\""));
  }
  return absl::OkStatus();
}

absl::Status SetBytes(absl::string_view value, Arguments& arguments) {
  const bool digits = std::all_of(value.begin(), value.end(), [](char c) {
    return absl::ascii_isxdigit(static_cast<unsigned char>(c));
  });
  if (!digits || value.size() % 2 != 0) {
    return Wrong(absl::StrCat(
        "--hex is two hexadecimal digits for each byte, as in 0a0568656c6c6f, "
        "not \"",
        value, "\""));
  }
  arguments.bytes.emplace();
  for (std::size_t i = 0; i < value.size(); i += 2) {
    std::uint32_t byte = 0;
    if (absl::SimpleHexAtoi(value.substr(i, 2), &byte)) {
      arguments.bytes->push_back(static_cast<char>(byte));
    }
  }
  return absl::OkStatus();
}

// Whether it fits the message is seen later.
absl::Status SetJson(absl::string_view value, Arguments& arguments) {
  arguments.json = std::string(value);
  simdjson::dom::parser parser;
  const simdjson::error_code error = parser.parse(*arguments.json).error();
  google::protobuf::Struct object;
  // Protobuf takes more than the standard does, as {key: 'a'}.
  if (error != simdjson::SUCCESS &&
      !google::protobuf::util::JsonStringToMessage(*arguments.json, &object)
           .ok()) {
    return Wrong(absl::StrCat(
        "--json can't be read (", simdjson::error_message(error),
        R"(); it is JSON, as in {"key": "a"}, not ")", value, "\""));
  }
  return absl::OkStatus();
}

absl::Status SetFormat(absl::string_view value, Arguments& arguments) {
  if (value != "text" && value != "json") {
    return Wrong(absl::StrCat("--format is text or json, not \"", value, "\""));
  }
  arguments.format =
      value == "json" ? Arguments::Format::kJson : Arguments::Format::kText;
  return absl::OkStatus();
}

Setter SetText(std::string Arguments::*field) {
  return [field](absl::string_view value, Arguments& arguments) {
    arguments.*field = std::string(value);
    return absl::OkStatus();
  };
}

const std::map<std::string, Setter>& Options() {
  static const auto* const options = new std::map<std::string, Setter>{
      {"--call", SetMethod},
      {"--cookie", SetCookie},
      {"--descriptor-set", SetText(&Arguments::descriptor_set)},
      {"--env", SetEnv},
      {"--format", SetFormat},
      {"--hex", SetBytes},
      {"--json", SetJson},
      {"--multiplex", SetMultiplex},
      {"--proto", SetText(&Arguments::proto_file)},
      {"--timeout", SetTimeout},
      {"--tls", SetTls},
      {"--versions", SetVersions},
  };
  return *options;
}

// Takes an option and its value from the front of `words`.
absl::Status TakeOption(std::vector<std::string>& words, Arguments& arguments) {
  const std::pair<std::string, std::string> word = SplitPair(words.front());
  const bool has_value = words.front().find('=') != std::string::npos;
  words.erase(words.begin());
  const auto option = Options().find(word.first);
  if (option == Options().end()) {
    return Wrong(absl::StrCat("\"", word.first,
                              "\" is no option; the plugin comes after --"));
  }
  if (has_value) return option->second(word.second, arguments);
  if (words.empty() || words.front() == "--") {
    return Wrong(absl::StrCat(word.first, " wants a value"));
  }
  const std::string value = words.front();
  words.erase(words.begin());
  return option->second(value, arguments);
}

absl::Status CheckWhole(const Arguments& arguments) {
  if (arguments.handshake.magic_cookie_key.empty()) {
    return Wrong("--cookie KEY=VALUE is missing: the plugin's own");
  }
  if (arguments.handshake.protocol_versions.empty()) {
    return Wrong("--versions is missing: what the plugin speaks, as in 5,6");
  }
  if (arguments.command.path.empty()) {
    return Wrong("the plugin is missing: it comes after --");
  }
  if (arguments.json.has_value() && arguments.bytes.has_value()) {
    return Wrong("--json and --hex are two ways to say the same: use one");
  }
  if (!arguments.proto_file.empty() && !arguments.descriptor_set.empty()) {
    return Wrong("--proto and --descriptor-set do the same: use one");
  }
  if (arguments.method.empty() &&
      (arguments.json.has_value() || arguments.bytes.has_value())) {
    return Wrong("a request without --call package.Service/Method");
  }
  return absl::OkStatus();
}

}  // namespace

const char kUsage[] =
    R"(usage: inspect --cookie KEY=VALUE --versions N[,N...] [OPTION...]
               -- PLUGIN [ARGUMENT...]

Starts a go-plugin plugin of any language, and shows what can be seen of it.

--cookie KEY=VALUE    the plugin's magic cookie
--versions N[,N...]   the application protocol versions to offer
--tls auto            one-time certificates for both sides (default)
--tls if-offered      the same if the plugin can, else no TLS
--tls insecure        no TLS
--multiplex never     connections have sockets of their own (default)
--multiplex if-offered|require
                      all go over one, if the plugin can; else, or fail
--env NAME=VALUE      a variable for the plugin; may be repeated
--timeout TIME        for the launch, and for each call (default: 30s)
--format text|json    what to print (default: text)

--call package.Service/Method
                      calls it; unary methods only
--json MESSAGE        with this request, in protobuf's JSON (default: {})
--hex BYTES           with these bytes as the request, and shows bytes

Services are described by the plugin itself (server reflection), or else by
--proto FILE          a .proto file. It imports from its own folder and from
                      the current one
--descriptor-set FILE what protoc --descriptor_set_out --include_imports wrote

PLUGIN is a path, or a name that PATH knows. It is run without a shell.
Exit codes: 0 it answered, 1 the plugin failed, 2 wrong usage.
)";

absl::Status ParseArguments(int argc, const char* const* argv,
                            Arguments* arguments) {
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  absl::Status status;
  while (!words.empty() && words.front() != "--") {
    if (words.front() == "--help" || words.front() == "-h") {
      arguments->help = true;
      return absl::OkStatus();
    }
    // After an error, too: the rest may say in which format to tell it.
    status.Update(TakeOption(words, *arguments));
  }
  if (words.size() > 1) {
    arguments->command.path = words[1];
    arguments->command.args.assign(words.begin() + 2, words.end());
    arguments->command.search_path = true;
  }
  status.Update(CheckWhole(*arguments));
  return status;
}

}  // namespace inspect
