#include "examples/host/arguments.h"

#include <cstddef>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace host {
namespace {

using Words = std::vector<std::string>;

// The words of the command line, taken one by one.
class Reader {
 public:
  explicit Reader(Words words) : words_(std::move(words)) {}

  bool AtEnd() const { return next_ == words_.size(); }
  std::string Take() { return words_[next_++]; }
  Words TakeRest() {
    Words rest(words_.begin() + static_cast<Words::difference_type>(next_),
               words_.end());
    next_ = words_.size();
    return rest;
  }

  // The word after `what`, whatever it looks like: a value may begin with "-".
  absl::Status TakeAfter(absl::string_view what, std::string* word) {
    if (AtEnd()) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " wants one more word"));
    }
    *word = Take();
    return absl::OkStatus();
  }

  // Turns "--name=value" into two words.
  void SplitOption() {
    if (AtEnd()) return;
    const std::string word = words_[next_];
    const std::size_t equals = word.find('=');
    if (word.compare(0, 2, "--") != 0 || equals == std::string::npos) return;
    words_[next_] = word.substr(0, equals);
    words_.insert(
        words_.begin() + static_cast<Words::difference_type>(next_) + 1,
        word.substr(equals + 1));
  }

 private:
  Words words_;
  std::size_t next_ = 0;
};

absl::Status ParseTls(Reader& words, goplugin::TlsMode* mode) {
  std::string name;
  absl::Status status = words.TakeAfter("--tls", &name);
  if (!status.ok()) return status;
  if (name == "auto") {
    *mode = goplugin::TlsMode::kAutoMtls;
  } else if (name == "if-offered") {
    *mode = goplugin::TlsMode::kAutoMtlsIfOffered;
  } else if (name == "insecure") {
    *mode = goplugin::TlsMode::kInsecure;
  } else {
    return absl::InvalidArgumentError(absl::StrCat(
        "--tls is auto, if-offered or insecure, not \"", name, "\""));
  }
  return absl::OkStatus();
}

absl::Status ParseAction(absl::string_view word, Reader& words,
                         Arguments& arguments) {
  if (arguments.action != Arguments::Action::kDemo) {
    return absl::InvalidArgumentError(
        absl::StrCat("one action at a time: \"", word, "\" is too much"));
  }
  if (word != "put" && word != "get") {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", word, "\" is neither an option nor put nor get"));
  }
  absl::Status status = words.TakeAfter(word, &arguments.key);
  if (word == "get") {
    arguments.action = Arguments::Action::kGet;
    return status;
  }
  arguments.action = Arguments::Action::kPut;
  if (!status.ok()) return status;
  return words.TakeAfter("put KEY", &arguments.value);
}

absl::Status ParseWord(Reader& words, Arguments& arguments) {
  words.SplitOption();
  const std::string word = words.Take();
  if (word == "--") {
    arguments.plugin_arguments = words.TakeRest();
    return absl::OkStatus();
  }
  if (word == "--help" || word == "-h") {
    arguments.action = Arguments::Action::kHelp;
    words.TakeRest();
    return absl::OkStatus();
  }
  if (word == "--plugin") return words.TakeAfter(word, &arguments.plugin);
  if (word == "--tls") return ParseTls(words, &arguments.tls);
  return ParseAction(word, words, arguments);
}

}  // namespace

const char kUsage[] =
    R"(usage: host [--tls MODE] [--plugin PROGRAM] [ACTION] [-- ARGUMENT...]

Starts a go-plugin plugin that serves proto.KV, and shows what happens.

ACTION
  put KEY VALUE       stores a value
  get KEY             fetches it
  none of them        both, as a demonstration

--plugin PROGRAM      the plugin's program; default: the variable KV_PLUGIN.
                      Run as it is, without a shell
-- ARGUMENT...        the program's arguments
--tls auto            one-time certificates for both sides, or nothing (default)
--tls if-offered      the same if the plugin can, else no TLS
--tls insecure        no TLS

The plugin keeps its values in files of the current directory.
Exit codes: 0 done, 1 something failed, 2 wrong usage.
)";

absl::StatusOr<Arguments> ParseArguments(int argc, char** argv) {
  Arguments arguments;
  Reader words(Words(argv + 1, argv + argc));
  while (!words.AtEnd()) {
    absl::Status status = ParseWord(words, arguments);
    if (!status.ok()) return status;
  }
  const char* from_environment = std::getenv("KV_PLUGIN");
  if (arguments.plugin.empty() && from_environment != nullptr) {
    arguments.plugin = from_environment;
  }
  if (arguments.plugin.empty() &&
      arguments.action != Arguments::Action::kHelp) {
    return absl::InvalidArgumentError(
        "no plugin: use --plugin PROGRAM, or set KV_PLUGIN");
  }
  return arguments;
}

}  // namespace host
