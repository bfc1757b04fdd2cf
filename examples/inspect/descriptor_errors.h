#ifndef EXAMPLES_INSPECT_DESCRIPTOR_ERRORS_H_
#define EXAMPLES_INSPECT_DESCRIPTOR_ERRORS_H_

#include <google/protobuf/compiler/importer.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/stubs/common.h>

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

// Keeps what protobuf says about descriptions that it can't use. The two
// interfaces were renamed in protobuf 22; this file alone knows.

namespace inspect {

// "a.proto:3:9: text", for files that are parsed.
class ParseErrors final
    : public google::protobuf::compiler::MultiFileErrorCollector {
 public:
  const std::vector<std::string>& all() const { return all_; }

#if GOOGLE_PROTOBUF_VERSION < 4022000
  void AddError(const std::string& file, int line, int column,
                const std::string& message) override {
#else
  void RecordError(absl::string_view file, int line, int column,
                   absl::string_view message) override {
#endif
    // Protobuf counts from 0, and says -1 for the file as a whole.
    all_.push_back(line < 0 ? absl::StrCat(file, ": ", message)
                            : absl::StrCat(file, ":", line + 1, ":", column + 1,
                                           ": ", message));
  }

 private:
  std::vector<std::string> all_;
};

// "a.proto: package.Message: text", for finished descriptions: the first 100,
// of as many as there may be.
class BuildErrors final
    : public google::protobuf::DescriptorPool::ErrorCollector {
 public:
  const std::vector<std::string>& all() const { return all_; }

  void Add(absl::string_view text) {
    if (all_.size() < kMostErrors) {
      all_.emplace_back(text.substr(0, kMostText));
    }
  }

#if GOOGLE_PROTOBUF_VERSION < 4022000
  void AddError(const std::string& file, const std::string& element,
                const google::protobuf::Message* /*descriptor*/,
                ErrorLocation /*location*/,
                const std::string& message) override {
#else
  void RecordError(absl::string_view file, absl::string_view element,
                   const google::protobuf::Message* /*descriptor*/,
                   ErrorLocation /*location*/,
                   absl::string_view message) override {
#endif
    Add(absl::StrCat(file, ": ", element, ": ", message));
  }

 private:
  static constexpr std::size_t kMostErrors = 100;
  // Names may be of any length.
  static constexpr std::size_t kMostText = 4096;

  std::vector<std::string> all_;
};

}  // namespace inspect

#endif  // EXAMPLES_INSPECT_DESCRIPTOR_ERRORS_H_
