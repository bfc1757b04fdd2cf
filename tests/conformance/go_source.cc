#include "tests/conformance/go_source.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <regex>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace goplugin::testing {
namespace {

// Reads a file line by line. gofmt puts what is declared at the start of a line
// or, within a block, behind one tab.
class ExportReader {
 public:
  void Read(const std::string& line) {
    if (in_block_) {
      ReadInBlock(line);
    } else {
      ReadOutside(line);
    }
  }

  const std::set<std::string>& names() const { return names_; }

 private:
  void ReadInBlock(const std::string& line) {
    if (line == "}" || line == ")") in_block_ = false;
    std::smatch match;
    if (!std::regex_search(line, match, member_)) return;
    for (const absl::string_view name : absl::StrSplit(match[1].str(), ", ")) {
      names_.insert(absl::StrCat(block_, name));
    }
  }

  void ReadOutside(const std::string& line) {
    std::smatch match;
    if (std::regex_search(line, match, method_)) {
      names_.insert(absl::StrCat(match[1].str(), ".", match[2].str()));
    } else if (std::regex_search(line, match, function_)) {
      names_.insert(match[1]);
    } else if (std::regex_search(line, match, type_)) {
      names_.insert(match[1]);
      in_block_ = match[2].matched;
      block_ = match[1].str() + ".";
    } else if (std::regex_search(line, match, value_)) {
      names_.insert(match[1]);
    } else if (line == "const (" || line == "var (") {
      in_block_ = true;
      block_ = "";
    }
  }

  const std::regex function_{"^func ([A-Z]\\w*)\\("};
  const std::regex method_{"^func \\((?:\\w+ )?\\*?([A-Z]\\w*)\\) ([A-Z]\\w*)"};
  const std::regex type_{"^type ([A-Z]\\w*) ((?:struct|interface) \\{$)?"};
  const std::regex value_{"^(?:const|var) ([A-Z]\\w*)"};
  const std::regex member_{"^\t([A-Z]\\w*(?:, [A-Z]\\w*)*)(?: |\\(|$)"};
  bool in_block_ = false;
  // "Type.", or "" in a block of values.
  std::string block_;
  std::set<std::string> names_;
};

std::string HomeDirectory() {
  const passwd* user = getpwuid(geteuid());
  return user == nullptr ? "" : user->pw_dir;
}

std::string Environment(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

std::set<std::string> TestFunctions(const std::string& source) {
  std::set<std::string> names;
  const std::regex function("(?:^|\n)func ((?:Test|Benchmark)[A-Z]\\w*)\\(");
  for (std::sregex_iterator it(source.begin(), source.end(), function), end;
       it != end; ++it) {
    names.insert((*it)[1]);
  }
  return names;
}

std::set<std::string> ExportedNames(const std::string& source) {
  ExportReader reader;
  for (const absl::string_view line : absl::StrSplit(source, '\n')) {
    reader.Read(std::string(line));
  }
  return reader.names();
}

std::string FindGoPlugin() {
  const std::string module = "/github.com/hashicorp/go-plugin@v1.8.0";
  for (const std::string& directory :
       {Environment("GOPLUGIN_PEERS") + "/go-plugin",
        Environment("GOMODCACHE") + module,
        Environment("GOPATH") + "/pkg/mod" + module,
        HomeDirectory() + "/go/pkg/mod" + module}) {
    if (std::filesystem::exists(directory + "/client.go")) return directory;
  }
  return "";
}

}  // namespace goplugin::testing
