#include "examples/inspect/proto_files.h"

#include <google/protobuf/compiler/importer.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor_database.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "examples/inspect/descriptor_errors.h"
#include "examples/inspect/error.h"

namespace inspect {
namespace {

using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;

void AddServices(const FileDescriptorProto& file, Description* description) {
  for (const auto& service : file.service()) {
    description->services.push_back(
        file.package().empty()
            ? service.name()
            : absl::StrCat(file.package(), ".", service.name()));
  }
}

// `file` and what it imports, each once.
void AddFile(const FileDescriptor& file, std::set<const FileDescriptor*>* seen,
             FileDescriptorSet* files) {
  if (!seen->insert(&file).second) return;
  for (int i = 0; i < file.dependency_count(); ++i) {
    AddFile(*file.dependency(i), seen, files);
  }
  file.CopyTo(files->add_file());
}

absl::Status CantUse(const std::string& path, const ParseErrors& errors) {
  Error error;
  error.set_reason(kUsageReason);
  error.set_what(absl::StrCat("--proto ", Text(path), " can't be used"));
  for (const std::string& text : errors.all()) error.add_evidence(Text(text));
  error.set_hint(
      "imports are looked for in the file's own folder and in the current "
      "one; protoc --descriptor_set_out with your own -I and "
      "--include_imports makes a file for --descriptor-set");
  return MakeStatus(error);
}

}  // namespace

absl::StatusOr<Description> ReadProtoFile(const std::string& path) {
  const std::filesystem::path file(path);
  google::protobuf::compiler::DiskSourceTree folders;
  folders.MapPath("",
                  file.has_parent_path() ? file.parent_path().string() : ".");
  folders.MapPath("", ".");
  google::protobuf::DescriptorPoolDatabase own(
      *google::protobuf::DescriptorPool::generated_pool());
  google::protobuf::compiler::SourceTreeDescriptorDatabase database(&folders,
                                                                    &own);
  ParseErrors errors;
  database.RecordErrorsTo(&errors);
  google::protobuf::DescriptorPool pool(&database,
                                        database.GetValidationErrorCollector());
  const FileDescriptor* parsed = pool.FindFileByName(file.filename().string());
  if (parsed == nullptr) return CantUse(path, errors);

  Description description;
  description.source = path;
  std::set<const FileDescriptor*> seen;
  AddFile(*parsed, &seen, &description.files);
  AddServices(*description.files.file().rbegin(), &description);
  return description;
}

absl::StatusOr<Description> ReadDescriptorSet(const std::string& path) {
  Description description;
  description.source = path;
  std::ifstream stream(path, std::ios::binary);
  if (!stream || !description.files.ParseFromIstream(&stream) ||
      description.files.file().empty()) {
    return MakeStatus(
        kUsageReason,
        absl::StrCat(
            "--descriptor-set ", path,
            stream.is_open() ? " holds no descriptor set" : " can't be opened"),
        "make one with protoc --descriptor_set_out=FILE --include_imports");
  }
  for (const FileDescriptorProto& file : description.files.file()) {
    AddServices(file, &description);
  }
  return description;
}

}  // namespace inspect
