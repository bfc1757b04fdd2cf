#include "tests/benchmarks/flags.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace goplugin::benchmarks {
namespace {

bool ParseArgument(const std::string& text,
                   std::vector<std::pair<std::string, int>>* arguments) {
  const std::vector<std::string> parts = absl::StrSplit(text, '=');
  int value = 0;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[1], &value)) return false;
  arguments->emplace_back(parts[0], value);
  return true;
}

bool SetFlag(const std::string& name, const std::string& value, Flags* flags) {
  const std::map<std::string, int*> numbers = {
      {"launches", &flags->launches},   {"calls", &flags->calls},
      {"warmup", &flags->warmup},       {"parallel", &flags->parallel},
      {"size", &flags->size},           {"count", &flags->count},
      {"deadline", &flags->deadline_ms}};
  const std::map<std::string, std::string*> texts = {
      {"bench", &flags->bench},   {"call", &flags->call},
      {"output", &flags->output}, {"cwd", &flags->directory},
      {"key", &flags->key},       {"socket", &flags->socket}};
  if (name == "argument") return ParseArgument(value, &flags->arguments);
  const auto text = texts.find(name);
  if (text != texts.end()) {
    *text->second = value;
    return true;
  }
  const auto number = numbers.find(name);
  return number != numbers.end() && absl::SimpleAtoi(value, number->second) &&
         *number->second >= 0;
}

bool MakesSense(const Flags& flags) {
  const bool known_call =
      flags.call == "get" || flags.call == "put" || flags.call == "ping";
  const bool known_output = flags.output.empty() || flags.output == "stdout" ||
                            flags.output == "hclog" || flags.output == "text";
  const bool known_bench = flags.bench == "hosts" || flags.bench == "batches" ||
                           flags.bench == "together" ||
                           flags.bench == "replicas" ||
                           flags.bench == "overshoot";
  const bool attaches = flags.bench == "batches" && !flags.socket.empty();
  return known_call && known_output && known_bench && flags.parallel > 0 &&
         flags.command.empty() == attaches;
}

}  // namespace

const char kUsage[] =
    R"(usage: cpp_host [-bench hosts] [-launches N] [-calls N] [-warmup N]
                [-parallel N] [-size BYTES] [-call get|put|ping] [-automtls]
                [-mux] [-output stdout|hclog|text] [-count N]
                [-cwd DIR] [-argument NAME=INTEGER]... PLUGIN [ARGS...]
       cpp_host -bench batches [...] PLUGIN [ARGS...]
       cpp_host -bench batches -socket PATH [-argument NAME=INTEGER]...
       cpp_host -bench together -count N [-automtls] PLUGIN [ARGS...]
       cpp_host -bench replicas -count N -calls N -parallel N -key KEY
                PLUGIN [ARGS...]
       cpp_host -bench overshoot -count N -deadline MS PLUGIN [ARGS...]
)";

absl::optional<Flags> ParseFlags(int argc, char** argv) {
  Flags flags;
  int i = 1;
  for (; i < argc && argv[i][0] == '-'; ++i) {
    const std::string name = argv[i] + 1;
    if (name == "automtls") {
      flags.auto_mtls = true;
    } else if (name == "mux") {
      flags.multiplex = true;
    } else if (i + 1 == argc || !SetFlag(name, argv[++i], &flags)) {
      return absl::nullopt;
    }
  }
  flags.command.assign(argv + i, argv + argc);
  if (!MakesSense(flags)) return absl::nullopt;
  return flags;
}

}  // namespace goplugin::benchmarks
